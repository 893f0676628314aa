//! Asks the operating system.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use rustix::fs::{Access, access};
use rustix::process::{Resource, getrlimit, getuid};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use socket2::{Domain, Socket, Type};
use tokio::process::Command;

use super::super::certificate_file::OnDisk;
use super::super::fault::Fault;
use super::super::limits::hard_limit;
use super::super::state::{Found, Observed};
use super::super::unit::{PROPERTIES, Unit};
use super::Budget;
use crate::turn::LISTENER_BUFFER;

/// Files of the state directory that are looked at.
const MAX_FILES: usize = 1000;
/// Bits of a mode that let others in.
const OTHERS: u32 = 0o077;

/// What systemd has of the unit; `None` where it does not run.
pub(crate) async fn unit(budget: Budget) -> Option<Unit> {
    let mut systemctl = Command::new("systemctl");
    systemctl
        .args(["show", "callbox.service", "--property", PROPERTIES])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    let output = budget
        .within(async { Ok(systemctl.output().await?) })
        .await
        .ok()?;
    let shown = String::from_utf8_lossy(&output.stdout);
    output.status.success().then(|| Unit::parse(&shown))
}

/// Files that the process may open at once, or this one where there is none.
pub(crate) fn open_files(pid: Option<u32>) -> (u64, &'static str) {
    let limits = pid.and_then(|pid| fs::read_to_string(format!("/proc/{pid}/limits")).ok());
    match limits.as_deref().and_then(hard_limit) {
        Some(limit) => (limit, "the server"),
        None => (own_open_files(), "this shell"),
    }
}

/// To which this process may raise its limit of open files.
pub(crate) fn own_open_files() -> u64 {
    getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX)
}

/// What the kernel grants to a socket that asks for a listener's receive buffer, bytes.
///
/// # Errors
/// When there is no socket to be had.
pub(crate) fn receive_buffer() -> Result<usize, Fault> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, None)?;
    socket.set_recv_buffer_size(LISTENER_BUFFER)?;
    // The kernel doubles what it grants, for its own bookkeeping.
    Ok(socket.recv_buffer_size()? / 2)
}

/// What the directory is, and who can read what is in it.
pub(crate) fn state(path: PathBuf) -> Observed {
    let found = match fs::metadata(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Found::Missing,
        Err(_) => Found::Hidden,
        Ok(metadata) if !metadata.is_dir() => Found::NoDirectory,
        Ok(metadata) => look_into(&path, &metadata),
    };
    Observed { path, found }
}

fn look_into(path: &Path, metadata: &fs::Metadata) -> Found {
    let Ok(entries) = fs::read_dir(path) else {
        return Found::Hidden;
    };
    let is_closed = metadata.permissions().mode() & OTHERS == 0;
    let exposed = |entry: fs::DirEntry| {
        let mode = entry
            .metadata()
            .ok()
            .filter(fs::Metadata::is_file)?
            .permissions()
            .mode();
        (mode & OTHERS != 0 && !is_closed).then(|| entry.file_name().to_string_lossy().into_owned())
    };
    Found::There {
        exposed: entries
            .take(MAX_FILES)
            .filter_map(|entry| exposed(entry.ok()?))
            .collect(),
        writable: access(path, Access::WRITE_OK).is_ok(),
        own: metadata.uid() == getuid().as_raw(),
    }
}

/// The certificates in a file, the server's own first.
pub(crate) fn certificates(path: &Path) -> OnDisk {
    let pem = match fs::read(path) {
        Ok(pem) => pem,
        Err(error) if error.kind() == ErrorKind::NotFound => return OnDisk::Missing,
        Err(error) if error.kind() == ErrorKind::PermissionDenied => return OnDisk::Hidden,
        Err(error) => return OnDisk::Broken(error.to_string()),
    };
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match found {
        Ok(chain) if !chain.is_empty() => OnDisk::There(chain),
        Ok(_) => OnDisk::Broken("there is no PEM certificate in it".to_owned()),
        Err(error) => OnDisk::Broken(error.to_string()),
    }
}
