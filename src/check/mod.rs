//! `callbox check`: what can be wrong with a server, and what to do about it.
//!
//! ```text
//!  the configuration ── inside ── probe: the machine ────────────────────────────── unit, limits, state, running, …
//!                         │
//!  a URL ───────────── steps ─┬─ probe: DNS, TCP, proxy, TLS, HTTP, WebSocket ── page, certificate, clock, websocket, …
//!                             └─ relaying ── probe: STUN, TURN, packets ──────── stun, relay, packets, public_ip
//! ```
//!
//! `start` has what a server looks at itself. `probe` asks the network and the machine. Each of the other files is one thing that can be wrong: *pure*, from what was observed to
//! a [`Row`] with the remedy.

mod admission;
mod authority;
mod certificate;
mod certificate_file;
mod clock;
mod dns;
mod fault;
mod ice;
mod inside;
mod limits;
mod packets;
mod page;
mod ports;
mod probe;
mod public_ip;
mod relay;
mod relaying;
mod report;
mod running;
mod start;
mod state;
mod steps;
mod stun;
mod subject;
mod target;
mod unit;
mod websocket;

use std::path::{Path, PathBuf};

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::config::{Config, ConfigError, Sources};
use crate::words::secret::Secret;
use admission::Key;
use inside::Inside;
use probe::Budget;
use subject::{Roots, Subject};

pub use report::{Report, Row, Status};
pub use start::{Start, warn};
pub use target::Target;

/// Checks a server from outside, as a browser would meet it. Takes 20 seconds at the most.
///
/// # Errors
/// [`ConfigError`] when `ca` or `password` cannot be read.
pub async fn outside(
    target: Target,
    ca: Option<&Path>,
    password: Option<&Path>,
) -> Result<Report, ConfigError> {
    let roots = roots(ca)?;
    let key = match (password, target.invitation()) {
        (Some(path), _) => Key::Password(password_in(path)?),
        (None, Some(path)) => Key::Invitation(path.clone()),
        (None, None) => Key::Nothing,
    };
    let subject = Subject {
        target,
        key,
        local: None,
    };
    Ok(Report {
        rows: steps::check(&subject, &roots, Budget::start()).await,
        url: subject.target.url(),
    })
}

/// Checks this machine and the server that its configuration describes. Takes 20 seconds at the most.
///
/// Where the systemd unit runs and nothing names another configuration, the unit's is meant, with its folders.
///
/// # Errors
/// [`ConfigError`] when the configuration is wrong or `ca` cannot be read.
pub async fn inside(mut sources: Sources, ca: Option<&Path>) -> Result<Report, ConfigError> {
    let roots = roots(ca)?;
    let budget = Budget::start();
    let unit = probe::machine::unit(budget).await;
    let mut folder = PathBuf::new();
    let served = unit
        .as_ref()
        .filter(|unit| unit.is_active() && !sources.names_own_file());
    if let Some(unit) = served {
        folder = unit.folder.clone().unwrap_or_default();
        if let Some(state) = &unit.state {
            let state = state.display().to_string();
            sources
                .environment
                .entry("STATE_DIRECTORY".to_owned())
                .or_insert(state);
        }
    }
    let config = Config::load(&sources)?;
    let inside = Inside {
        config,
        unit,
        folder,
    };
    Ok(inside::check(&inside, &roots, budget).await)
}

/// The first line of a file, `-` for standard input.
fn password_in(path: &Path) -> Result<Secret, ConfigError> {
    let read = if path == Path::new("-") {
        std::io::read_to_string(std::io::stdin())
    } else {
        std::fs::read_to_string(path)
    };
    let wrong = |problem: String| ConfigError {
        passes: false,
        origin: path.display().to_string(),
        key: "--password".to_owned(),
        problem,
    };
    let text = read.map_err(|error| {
        wrong(format!(
            "cannot be read: {error}; name a file with the password"
        ))
    })?;
    match text.lines().next() {
        Some(line) if !line.is_empty() => Ok(Secret::new(line)),
        _ => Err(wrong(
            "holds no password; write it in the first line".to_owned(),
        )),
    }
}

/// The authorities in a PEM file.
fn roots(ca: Option<&Path>) -> Result<Roots, ConfigError> {
    let Some(path) = ca else {
        return Ok(Roots::default());
    };
    let wrong = |problem: String| ConfigError {
        passes: false,
        origin: path.display().to_string(),
        key: "--ca".to_owned(),
        problem,
    };
    let pem = std::fs::read(path)
        .map_err(|error| wrong(format!("cannot be read: {error}; name a readable PEM file")))?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let anchors: Vec<_> = certificates
        .iter()
        .flatten()
        .filter_map(|der| webpki::anchor_from_trusted_cert(der).ok())
        .map(|anchor| anchor.to_owned())
        .collect();
    if anchors.is_empty() {
        return Err(wrong(
            "holds no PEM certificate; name that of the authority".to_owned(),
        ));
    }
    Ok(Roots { given: anchors })
}
