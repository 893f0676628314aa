//! python-socketio, of pinned versions, in a virtual environment that later runs find again.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};

const SERVER: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/benches/web/socketio/server.py"
);
const PACKAGES: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/benches/web/socketio/requirements.txt"
);

/// The Python to run it with.
pub(crate) fn prepare() -> anyhow::Result<PathBuf> {
    let environment = std::env::temp_dir().join("callbox-bench-socketio");
    let python = environment.join("bin/python");
    if !python.exists() {
        let mut make = Command::new("python3");
        run(make.args(["-m", "venv"]).arg(&environment))?;
    }
    let mut install = Command::new(&python);
    run(install.args(["-m", "pip", "install", "--quiet", "-r", PACKAGES]))?;
    Ok(python)
}

fn run(command: &mut Command) -> anyhow::Result<()> {
    let status = command.status();
    ensure!(
        status.with_context(|| format!("{command:?}"))?.success(),
        "{command:?} failed"
    );
    Ok(())
}

pub(crate) fn server(python: &Path, address: SocketAddr) -> Command {
    let mut command = Command::new(python);
    command.arg(SERVER);
    command.args([address.ip().to_string(), address.port().to_string()]);
    command
}
