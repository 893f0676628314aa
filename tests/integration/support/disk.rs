//! A disk of its own for the state directory, in a mount namespace.

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::program;

/// Lives as long as a process that waits in the namespace.
pub(crate) struct Disk {
    holder: Child,
    dir: PathBuf,
}

impl Disk {
    /// A disk of 256 KiB, mounted on `dir`/state for those who run on it.
    pub(crate) fn new(dir: &Path) -> Self {
        std::fs::create_dir(dir.join("state")).unwrap();
        let script = "mount -t tmpfs -o size=256k,mode=700 disk state && echo && exec sleep 1000";
        let mut holder = Command::new("unshare")
            .args(["--user", "--map-root-user", "--mount", "sh", "-c", script])
            .current_dir(dir)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut ready = [0];
        let said = holder.stdout.as_mut().unwrap().read(&mut ready).unwrap();
        assert_eq!(said, 1, "the disk is mounted");
        Self {
            holder,
            dir: dir.to_owned(),
        }
    }

    /// callbox on it.
    pub(crate) fn program(&self) -> Command {
        let callbox = program();
        let mut command = self.inside(r#"cd "$0" && exec "$@""#);
        command
            .arg(&self.dir)
            .arg(callbox.get_program())
            .args(["--config", "callbox.toml"])
            .env_clear()
            .env("CALLBOX__ADMIN__LISTEN", "off");
        command
    }

    fn inside(&self, script: &str) -> Command {
        let mut command = Command::new("nsenter");
        command
            .args(["-t", &self.holder.id().to_string(), "--user", "--mount"])
            .args(["sh", "-c", script]);
        command
    }

    /// The state directory, seen from outside.
    pub(crate) fn state(&self) -> PathBuf {
        let root = PathBuf::from(format!("/proc/{}/root", self.holder.id()));
        root.join(self.dir.strip_prefix("/").unwrap()).join("state")
    }

    pub(crate) fn fill(&self) {
        let mut file = File::create(self.state().join("rubbish")).unwrap();
        while file.write(&[b'x'; 4096]).is_ok() {}
    }

    pub(crate) fn make_room(&self) {
        std::fs::remove_file(self.state().join("rubbish")).unwrap();
    }

    pub(crate) fn make_read_only(&self) {
        let mut mount = self.inside(r#"mount -o remount,ro "$0/state""#);
        assert!(mount.arg(&self.dir).status().unwrap().success());
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}
