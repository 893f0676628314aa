//! Starts callbox and speaks to it.

pub(crate) mod authority;
mod client;
pub(crate) mod clock;
pub(crate) mod disk;
pub(crate) mod fake;
pub(crate) mod h2;
pub(crate) mod http;
pub(crate) mod nginx;
pub(crate) mod operator;
pub(crate) mod ports;

use std::io::Read;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

pub(crate) use client::{Client, json_of};
pub(crate) use http::{get, plain, post, request, tls, tls_with_certificate};
use rustix::process::{Pid, Signal, kill_process};

pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// The program under test.
pub(crate) fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_callbox"));
    command.env_clear();
    command
}

/// A running callbox on loopback, in a folder of its own.
pub(crate) struct Server {
    child: Child,
    pub dir: tempfile::TempDir,
    pub https: SocketAddr,
    pub turn: SocketAddr,
    pub banner: String,
}

impl Server {
    /// `config` is added to a configuration that listens on loopback ports.
    pub(crate) fn start(config: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let text = format!("listen = \"127.0.0.1:0\"\n{}", with_turn_listen(config));
        std::fs::write(dir.path().join("callbox.toml"), text).unwrap();
        Self::start_in(dir, &[])
    }

    pub(crate) fn start_in(dir: tempfile::TempDir, arguments: &[&str]) -> Self {
        // Many run at once, and all of them would like the same port for it.
        Self::start_with(dir, arguments, &[("CALLBOX__ADMIN__LISTEN", "off")])
    }

    /// With variables; those without a value are not set.
    pub(crate) fn start_with(
        dir: tempfile::TempDir,
        arguments: &[&str],
        environment: &[(&str, &str)],
    ) -> Self {
        let mut command = program();
        command
            .args(["--config", "callbox.toml"])
            .args(arguments)
            .envs(
                environment
                    .iter()
                    .filter(|(_, value)| !value.is_empty())
                    .copied(),
            )
            .current_dir(dir.path());
        Self::launch(dir, command)
    }

    /// Runs what becomes callbox with its configuration in `dir`.
    pub(crate) fn launch(dir: tempfile::TempDir, mut command: Command) -> Self {
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(dir.path().join("log"))
            .unwrap();
        let mut child = command.stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let banner = read_banner(&mut child, dir.path());
        let https = address_after(&banner, "https://");
        let off = banner.contains("STUN/TURN    off");
        let turn = if off {
            https
        } else {
            address_after(&banner, "STUN/TURN    ")
        };
        Self {
            child,
            dir,
            https,
            turn,
            banner,
        }
    }

    /// Kills it without a word and starts it again on the same ports.
    pub(crate) fn restart(mut self) -> Self {
        self.signal(Signal::KILL);
        self.child.wait().unwrap();
        self.start_again()
    }

    /// Starts one that has ended again, on the same ports.
    pub(crate) fn start_again(mut self) -> Self {
        let path = self.dir.path().join("callbox.toml");
        let text = std::fs::read_to_string(&path).unwrap();
        if !text.contains(&self.https.to_string()) {
            let text = text
                .replacen("127.0.0.1:0", &self.https.to_string(), 1)
                .replacen("127.0.0.1:0", &self.turn.to_string(), 1);
            std::fs::write(&path, text).unwrap();
        }
        let dir = std::mem::replace(&mut self.dir, tempfile::tempdir().unwrap());
        Self::start_in(dir, &[])
    }

    /// Stops it in order; its folder.
    pub(crate) fn stop(mut self) -> tempfile::TempDir {
        self.signal(Signal::TERM);
        assert!(self.wait().0.success(), "{}", self.log());
        std::mem::replace(&mut self.dir, tempfile::tempdir().unwrap())
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("log")).unwrap()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The exit status, and how long it took to come.
    pub(crate) fn wait(&mut self) -> (ExitStatus, Duration) {
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            if let Some(status) = self.child.try_wait().unwrap() {
                return (status, start.elapsed());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("callbox does not end:\n{}", self.log());
    }

    /// Resident memory, bytes.
    pub(crate) fn resident(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status
            .lines()
            .find(|line| line.starts_with("VmRSS:"))
            .unwrap();
        line.split_whitespace()
            .nth(1)
            .unwrap()
            .parse::<u64>()
            .unwrap()
            * 1024
    }
}

/// A file with the certificate of the server's own authority, as `callbox cert` writes it.
pub(crate) fn exported_authority(server: &Server) -> PathBuf {
    let output = program()
        .args(["cert", "--config", "callbox.toml", "--export-ca", "ca.pem"])
        .current_dir(server.dir.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    server.path("ca.pem")
}

/// What `look` finds, once it finds something.
pub(crate) async fn wait_for<T>(
    what: &str,
    server: &Server,
    mut look: impl AsyncFnMut() -> Option<T>,
) -> T {
    let found = async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let waited = tokio::time::timeout(3 * PATIENCE, found).await;
    waited.unwrap_or_else(|_| panic!("not in time: {what}\n{}", server.log()))
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let log = std::fs::read_to_string(self.dir.path().join("log"));
            eprintln!("--- log of callbox:\n{}", log.unwrap_or_default());
        }
    }
}

fn with_turn_listen(config: &str) -> String {
    let key = "listen = \"127.0.0.1:0\"\ntls_listen = \"127.0.0.1:0\"";
    match config.split_once("[turn]\n") {
        Some((before, after)) => format!("{before}[turn]\n{key}\n{after}"),
        None => format!("{config}\n[turn]\n{key}\n"),
    }
}

/// Reads standard output up to the fingerprint's second line.
fn read_banner(child: &mut Child, dir: &Path) -> String {
    let stdout = child.stdout.as_mut().unwrap();
    let mut banner = String::new();
    let mut chunk = [0; 4096];
    loop {
        let length = stdout.read(&mut chunk).unwrap();
        if length == 0 {
            let log = std::fs::read_to_string(dir.join("log")).unwrap_or_default();
            panic!("callbox did not start:\n{log}");
        }
        banner.push_str(std::str::from_utf8(&chunk[..length]).unwrap());
        let rest = banner
            .split_once("SHA-256 fingerprint")
            .map_or("", |(_, rest)| rest);
        if rest.matches('\n').count() >= 3 {
            return banner;
        }
    }
}

fn address_after(banner: &str, marker: &str) -> SocketAddr {
    let rest = banner
        .split_once(marker)
        .unwrap_or_else(|| panic!("no {marker} in {banner}"))
        .1;
    let end = rest.find(|c: char| c.is_whitespace() || c == '/').unwrap();
    rest[..end]
        .replace("localhost", "127.0.0.1")
        .parse()
        .unwrap()
}
