//! What is checked, and what is known of it beforehand.

use std::net::IpAddr;
use std::path::PathBuf;

use rustls::pki_types::TrustAnchor;

use super::admission::Key;
use super::certificate_file::OnDisk;
use super::ice::Transport;
use super::public_ip::Here;
use super::target::Target;
use crate::tls::Maker;

/// The server to check.
#[derive(Debug, Clone)]
pub(super) struct Subject {
    pub target: Target,
    /// For a server that does not let everybody in.
    pub key: Key,
    /// Where this machine is the server.
    pub local: Option<Local>,
}

/// What is known of a server on this machine.
#[derive(Debug, Clone)]
pub(super) struct Local {
    /// Where it listens.
    pub https: IpAddr,
    pub turn: IpAddr,
    pub addresses: Here,
    /// Names that the certificate has to have.
    pub names: Vec<String>,
    /// Where the relay listens beside the page's port.
    pub relay_ports: Vec<(Transport, u16)>,
    /// Is the relay switched off?
    pub relay_off: bool,
    pub certificate: OwnFile,
}

/// The certificate of this machine's server.
#[derive(Debug, Clone)]
pub(super) struct OwnFile {
    pub path: PathBuf,
    pub disk: OnDisk,
    pub maker: Maker,
}

/// What the certificate is judged with.
#[derive(Debug, Clone, Default)]
pub(super) struct Roots {
    /// Given beside those that browsers ship.
    pub given: Vec<TrustAnchor<'static>>,
}
