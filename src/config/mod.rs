//! The configuration: from defaults, file, environment and arguments to types that cannot be wrong.
//!
//! [`layers`] reads the sources and merges them, [`mod@file`] is the shape that people write, [`resolve`] turns that into
//! the types below. Whatever is wrong is a [`ConfigError`], which names the source, the key and the remedy.

mod beside;
mod file;
mod layers;
mod resolve;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use axum::http::HeaderValue;
use callbox_turn::PortRange;
use ipnet::IpNet;

use crate::turn::{CredentialMode, Limits as TurnLimits};
use crate::words::password::PasswordHash;
use crate::words::secret::Secret;

pub use file::AutoBool;
pub use layers::{Origins, Overrides, Sources};

/// Something that the operator has to change. Displayed as one sentence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{origin}: {key}: {problem}")]
pub struct ConfigError {
    /// The file, variable or argument at fault.
    pub origin: String,
    /// The key, such as `turn.relay_ports`.
    pub key: String,
    /// What is wrong and what to do about it.
    pub problem: String,
    /// May it be right later without a change, such as once the machine has its address? Else whoever started the program
    /// need not try again.
    pub passes: bool,
}

/// The effective configuration.
#[derive(Debug, Clone)]
pub struct Config {
    pub listen: SocketAddr,
    /// `None` means to find out.
    pub public_ip: Option<Vec<IpAddr>>,
    pub domains: Vec<String>,
    pub state: PathBuf,
    pub redirect: Option<SocketAddr>,
    /// Whose word on who a client is counts.
    pub trusted_proxies: Vec<IpNet>,
    pub server: Server,
    pub web: Web,
    pub tls: Tls,
    pub signaling: Signaling,
    /// `None` where the relay is switched off.
    pub turn: Option<Turn>,
    pub access: Access,
    /// `None` where there is no listener for the operator.
    pub admin: Option<Admin>,
    pub log: Log,
    /// Where each key was set, for errors that show only when the value is used.
    pub origins: Origins,
}

#[derive(Debug, Clone)]
pub struct Server {
    pub max_connections: usize,
    pub max_connections_per_ip: usize,
    pub handshakes_per_second_per_ip: u32,
    pub handshake_timeout: Duration,
    pub header_timeout: Duration,
    /// For a client that does not take its answer.
    pub answer_timeout: Duration,
    pub idle_timeout: Duration,
    /// Of a connection without a WebSocket.
    pub max_age: Duration,
    /// How long calls may take to end once the server is to stop.
    pub drain: Duration,
}

#[derive(Debug, Clone)]
pub struct Web {
    /// A folder to serve instead of the embedded web app.
    pub root: Option<PathBuf>,
    pub csp: Option<HeaderValue>,
}

#[derive(Debug, Clone)]
pub struct Tls {
    pub source: CertificateSource,
    pub trusted: AutoBool,
    /// Shall an authority of this machine's own sign what callbox makes? [`AutoBool::Auto`]: where no public address is
    /// known.
    pub local_ca: AutoBool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CertificateSource {
    Provided {
        cert: PathBuf,
        key: PathBuf,
    },
    /// Made by callbox: self-signed in `dir`, or signed by an authority of this machine's own.
    SelfSigned {
        dir: PathBuf,
    },
    Acme(Acme),
}

/// A certificate from an authority.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acme {
    /// The URL of its directory (RFC 8555 §7.1.1).
    pub directory: String,
    pub email: Option<String>,
    /// A root beside the public ones, for the authority's own server.
    pub ca: Option<PathBuf>,
    pub challenge: AcmeChallenge,
    /// The pause after the first failure.
    pub retry: Duration,
    /// Where the self-signed pair lies that is served until the first certificate is there.
    pub dir: PathBuf,
}

/// How the authority convinces itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AcmeChallenge {
    /// What the ports allow, one after the other.
    Auto,
    Http,
    Tls,
}

/// How often the server pings a WebSocket.
pub const PING_INTERVAL: Duration = Duration::from_secs(20);

#[derive(Debug, Clone)]
pub struct Signaling {
    /// Foreign origins that may open `/ws`, in lower case, without a trailing slash.
    pub origins: Vec<String>,
    pub max_peers: usize,
    pub max_rooms: usize,
    pub max_rooms_per_ip: usize,
    pub max_connections_per_ip: usize,
    /// Bytes.
    pub message_limit: usize,
    /// Messages per second.
    pub message_rate: u32,
    pub resume: Duration,
    pub knock: Duration,
    pub visitors_per_minute: u32,
}

#[derive(Debug, Clone)]
pub struct Turn {
    /// UDP and TCP.
    pub listen: SocketAddr,
    /// `None` where TURN over TLS has no port of its own.
    pub tls_listen: Option<SocketAddr>,
    pub realm: String,
    pub host: Option<String>,
    pub relay_ports: PortRange,
    /// `None` means the one kept in the state directory.
    pub secret: Option<Secret>,
    pub credentials: CredentialMode,
    pub credential_ttl: Duration,
    /// Private networks that may be relayed to; `None` means to decide by the machine's addresses.
    pub peers: Option<Vec<IpNet>>,
    /// Relay threads.
    pub shards: usize,
    pub users: BTreeMap<String, Secret>,
    pub limits: TurnLimits,
}

impl Turn {
    /// Named users whose passwords are short enough to be guessed.
    pub fn guessable_users(&self) -> Vec<&str> {
        const MIN_PASSWORD: usize = 16;
        self.users
            .iter()
            .filter(|(_, password)| password.expose().chars().count() < MIN_PASSWORD)
            .map(|(name, _)| name.as_str())
            .collect()
    }
}

/// Who may call.
#[derive(Debug, Clone)]
pub struct Access {
    pub mode: AccessMode,
    /// There in mode `password`.
    pub password_hash: Option<PasswordHash>,
    /// How long a login lasts.
    pub session: Duration,
    /// How long a link is good that was made on the page.
    pub invitation: Duration,
    /// Of passwords, from one address.
    pub attempts_per_minute: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccessMode {
    Open,
    Password,
    Invite,
}

/// Where the operator finds metrics.
#[derive(Debug, Clone)]
pub struct Admin {
    pub listen: SocketAddr,
    /// Names under which it is asked, beside addresses and `localhost`.
    pub hosts: Vec<String>,
}

#[derive(Debug, Clone)]
pub struct Log {
    /// A `tracing` filter directive.
    pub level: String,
    pub json: bool,
}

impl Config {
    /// Reads all sources and resolves them.
    ///
    /// # Errors
    /// [`ConfigError`] for the first thing that is wrong.
    pub fn load(sources: &Sources) -> Result<Self, ConfigError> {
        let (file, origins) = sources.merge()?;
        resolve::resolve(&file, origins)
    }

    /// The effective configuration as TOML, secrets redacted.
    ///
    /// # Errors
    /// [`ConfigError`] for the first thing that is wrong.
    pub fn show(sources: &Sources) -> Result<String, ConfigError> {
        let (file, origins) = sources.merge()?;
        resolve::resolve(&file, origins.clone())?;
        let body = toml::to_string(&file).map_err(|error| {
            ConfigError::new(
                &origins,
                "configuration",
                format!("cannot be printed: {error}"),
            )
        })?;
        Ok(format!("# In effect, from {}.\n{body}", origins.summary()))
    }

    /// An error about the value of `key` that shows only when it is used.
    pub fn error(&self, key: &str, problem: impl Into<String>) -> ConfigError {
        ConfigError::new(&self.origins, key, problem)
    }

    /// Secrets and keys that nobody has chosen a place for lie in the current folder, which has to be the user's own.
    ///
    /// # Errors
    /// Where others have a hand in them.
    pub fn own_folders(&self) -> Result<(), ConfigError> {
        let certificates = match &self.tls.source {
            CertificateSource::SelfSigned { dir } => Some(dir),
            CertificateSource::Acme(acme) => Some(&acme.dir),
            CertificateSource::Provided { .. } => None,
        };
        let places = [("state", Some(&self.state)), ("tls.dir", certificates)];
        for (key, path) in places {
            let Some(path) = path.filter(|path| path.is_relative() && !self.origins.sets(key))
            else {
                continue;
            };
            if let Some(foreign) = beside::foreign(&[Path::new("."), path]) {
                let path = path.display();
                let problem = format!(
                    "{path} is not used unasked, since {foreign}; change that, start callbox in another folder, or set `{key}`"
                );
                return Err(self.error(key, problem));
            }
        }
        Ok(())
    }

    /// Does everything listen on loopback only?
    pub fn is_loopback_only(&self) -> bool {
        let elsewhere = [Some(self.listen), self.redirect];
        elsewhere
            .into_iter()
            .flatten()
            .all(|address| address.ip().is_loopback())
            && self.turn.as_ref().is_none_or(|turn| {
                let mut listens = turn.tls_listen.iter().chain([&turn.listen]);
                listens.all(|address| address.ip().is_loopback())
            })
    }
}

impl ConfigError {
    fn new(origins: &Origins, key: &str, problem: impl Into<String>) -> Self {
        Self {
            origin: origins.of(key),
            key: key.to_owned(),
            problem: problem.into(),
            passes: false,
        }
    }

    /// One of those that may pass.
    #[must_use]
    pub fn passing(self) -> Self {
        Self {
            passes: true,
            ..self
        }
    }
}
