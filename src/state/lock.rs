//! One process serves from a state directory. Two would hand out what the other does not know of: each counts the uses of
//! invitations for itself, and each renews the certificate.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;

use anyhow::bail;

use super::State;
use super::files::{PRIVATE, hand_over, unwritable};

const LOCK: &str = "lock";

/// A state directory is served from as long as this lives. The kernel lets it go with the process, however that ends.
#[derive(Debug)]
pub(crate) struct Hold {
    _file: Option<File>,
}

impl State {
    /// Takes the directory for this process, to serve from it.
    ///
    /// # Errors
    /// When another process has it, or the file for that cannot be used: a sentence with the remedy.
    pub(crate) fn hold(&self) -> anyhow::Result<Hold> {
        let path = self.path(LOCK);
        if fs::symlink_metadata(&path).is_ok_and(|meta| !meta.is_file()) {
            bail!("{} is not a file; remove it", path.display());
        }
        let (file, unwritten) = match self.open_lock() {
            Ok(file) => (Some(file), None),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied && path.exists() => {
                let (path, dir) = (path.display(), self.dir.display());
                bail!(
                    "cannot write to {path}: {error}; give it the owner of {dir} (`chown --reference={dir} {path}`)"
                );
            }
            // One that is there can be locked on a disk that is read-only, too.
            Err(error) => (options().read(true).open(&path).ok(), Some(error)),
        };
        if let Some(file) = &file {
            self.lock(file)?;
        }
        if let Some(error) = unwritten.or_else(|| self.mark().err()) {
            let error = unwritable(&self.dir, "state", error);
            tracing::warn!("what is kept is served, and nothing is added to it: {error:#}");
        }
        Ok(Hold { _file: file })
    }

    fn open_lock(&self) -> io::Result<File> {
        let file = options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(PRIVATE)
            .open(self.path(LOCK))?;
        hand_over(&file, &self.dir);
        Ok(file)
    }

    fn lock(&self, mut file: &File) -> anyhow::Result<()> {
        let dir = self.dir.display();
        match file.try_lock() {
            Ok(()) => {
                // Only for the sentence below.
                let id = std::process::id();
                let _ = file.set_len(0).and_then(|()| writeln!(file, "{id}"));
            }
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                let _ = file.read_to_string(&mut holder);
                let who = match holder.trim().parse::<u32>() {
                    Ok(id) => format!("another callbox (process {id})"),
                    Err(_) => "another callbox".to_owned(),
                };
                bail!(
                    "{who} serves from {dir} already; end that one first, or name a folder of its own for each"
                );
            }
            // Some network disks know no locks.
            Err(TryLockError::Error(error)) => {
                tracing::warn!(
                    "{dir} cannot be locked: {error}; see that only one callbox serves from it"
                );
            }
        }
        Ok(())
    }
}

/// Links are not followed: whoever may write to the directory could have any file emptied by root.
fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed());
    options
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_held_once_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let state = State::open(dir.path()).unwrap();
        let held = state.hold().unwrap();
        let refused = state.hold().unwrap_err().to_string();
        let id = std::process::id();
        assert!(refused.contains(&format!("(process {id})")), "{refused}");
        drop(held);
        state.hold().unwrap();
    }

    #[test]
    fn no_other_file_is_emptied_through_a_link() {
        let dir = tempfile::tempdir().unwrap();
        let state = State::open(&dir.path().join("state")).unwrap();
        let victim = dir.path().join("victim");
        fs::write(&victim, "precious").unwrap();
        std::os::unix::fs::symlink(&victim, state.path(LOCK)).unwrap();
        let refused = state.hold().unwrap_err().to_string();
        assert!(refused.ends_with("is not a file; remove it"), "{refused}");
        assert_eq!(fs::read_to_string(victim).unwrap(), "precious");
    }
}
