//! The servers that are compared: how each is configured, started on its core, and stopped.

use std::fs::{self, File};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{self, Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use clap::ValueEnum;
use tempfile::TempDir;

use crate::forwarder::Hello;
use crate::stun::{self, Builder};
use crate::sys::pin;
use crate::turn_client::{PASSWORD, REALM, USER};

const READY_WITHIN: Duration = Duration::from_secs(10);
const FIRST_PORT: u16 = 20_000;
const PORTS: u16 = 10_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, ValueEnum)]
pub(crate) enum Kind {
    Callbox,
    /// Another build of callbox.
    Before,
    Coturn,
    WebrtcRs,
    ForwarderPlain,
    ForwarderMmsg,
}

/// How clients reach the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transport {
    Udp,
    Tcp,
    Tls,
}

impl Kind {
    pub(crate) const FORWARDERS: [Self; 2] = [Self::ForwarderPlain, Self::ForwarderMmsg];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Callbox => "callbox",
            Self::Before => "before",
            Self::Coturn => "coturn",
            Self::WebrtcRs => "webrtc-rs",
            Self::ForwarderPlain => "forwarder-plain",
            Self::ForwarderMmsg => "forwarder-mmsg",
        }
    }

    pub(crate) fn is_forwarder(self) -> bool {
        Self::FORWARDERS.contains(&self)
    }
}

/// What is the same for every start of a server.
#[derive(Debug)]
pub(crate) struct Setting {
    pub callbox: PathBuf,
    pub before: Option<PathBuf>,
    pub server_core: usize,
    pub load_core: usize,
}

impl Kind {
    pub(crate) fn offers(self, transport: Transport) -> bool {
        matches!(self, Self::Callbox | Self::Before | Self::Coturn) || transport == Transport::Udp
    }
}

#[derive(Debug, Clone, Copy)]
struct Addresses {
    udp: SocketAddr,
    tls: SocketAddr,
    https: SocketAddr,
}

/// A running server; dropping it ends it.
pub(crate) struct Server {
    child: Child,
    dir: TempDir,
    addresses: Addresses,
}

impl Server {
    /// Starts and waits until it answers. Another program may take a port just before: then once more, with other ports.
    pub(crate) fn start(kind: Kind, setting: &Setting) -> io::Result<Self> {
        Self::try_start(kind, setting).or_else(|_| Self::try_start(kind, setting))
    }

    fn try_start(kind: Kind, setting: &Setting) -> io::Result<Self> {
        let dir = tempfile::tempdir()?;
        let addresses = Addresses {
            udp: free_port()?,
            tls: free_port()?,
            https: free_port()?,
        };
        let mut command = command(kind, setting, dir.path(), addresses)?;
        let log = File::create(dir.path().join("log"))?;
        command
            .current_dir(dir.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        pin(setting.server_core)?;
        let child = command.spawn();
        pin(setting.load_core)?;
        let mut server = Self {
            child: child.map_err(|error| io::Error::other(format!("{}: {error}", kind.name())))?,
            dir,
            addresses,
        };
        let streams = kind.offers(Transport::Tls);
        if server.becomes_ready(kind, streams)? {
            Ok(server)
        } else {
            let log = fs::read_to_string(server.dir.path().join("log"))?;
            Err(io::Error::other(format!(
                "{} does not answer:\n{log}",
                kind.name()
            )))
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn address(&self, transport: Transport) -> SocketAddr {
        match transport {
            Transport::Udp | Transport::Tcp => self.addresses.udp,
            Transport::Tls => self.addresses.tls,
        }
    }

    fn becomes_ready(&mut self, kind: Kind, streams: bool) -> io::Result<bool> {
        let request = if kind.is_forwarder() {
            Hello::new("127.0.0.1:9".parse().map_err(io::Error::other)?).request()
        } else {
            Builder::new(stun::BINDING, *b"are you here").finish()
        };
        let deadline = Instant::now() + READY_WITHIN;
        while Instant::now() < deadline && self.child.try_wait()?.is_none() {
            let answers = answers(self.addresses.udp, &request)?;
            let accepts = |address| TcpStream::connect(address).is_ok();
            if answers && (!streams || accepts(self.addresses.udp) && accepts(self.addresses.tls)) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Does the server answer, soon?
fn answers(server: SocketAddr, request: &[u8]) -> io::Result<bool> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    socket.connect(server)?;
    socket.set_read_timeout(Some(Duration::from_millis(20)))?;
    let sent = socket.send(request).is_ok();
    let answered = sent && socket.recv(&mut [0; 1500]).is_ok();
    if !answered {
        // A port that nobody holds refuses at once.
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(answered)
}

/// A port that is free for UDP and TCP, below those that clients and relays take at random, and another one with every
/// call: what is on its way to a server that has just ended must not reach the next.
fn free_port() -> io::Result<SocketAddr> {
    static CALLS: AtomicU16 = AtomicU16::new(0);
    for _ in 0..PORTS {
        let call = u32::from(CALLS.fetch_add(1, Ordering::Relaxed));
        // Programs that run at the same time begin elsewhere.
        let number = process::id().wrapping_mul(61).wrapping_add(call) % u32::from(PORTS);
        let port = FIRST_PORT + number as u16;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        if TcpListener::bind(address).is_ok() && UdpSocket::bind(address).is_ok() {
            return Ok(address);
        }
    }
    Err(io::ErrorKind::AddrInUse.into())
}

fn command(kind: Kind, setting: &Setting, dir: &Path, addresses: Addresses) -> io::Result<Command> {
    match kind {
        Kind::Callbox => callbox(&setting.callbox, dir, addresses),
        Kind::Before => {
            let program = setting.before.as_deref();
            callbox(program.unwrap_or(&setting.callbox), dir, addresses)
        }
        Kind::Coturn => coturn(dir, addresses),
        _ => {
            let mut command = Command::new(std::env::current_exe()?);
            command
                .args(["--serve", kind.name()])
                .args(["--listen", &addresses.udp.to_string()]);
            Ok(command)
        }
    }
}

/// Nothing reaches the bit rates, but each packet is counted as it is by default.
fn callbox(program: &Path, dir: &Path, addresses: Addresses) -> io::Result<Command> {
    let Addresses { udp, tls, https } = addresses;
    let config = format!(
        "listen = \"{https}\"\nstate = \"state\"\n\
         [tls]\ndir = \"certs\"\n\
         [turn]\nlisten = \"{udp}\"\ntls_listen = \"{tls}\"\nshards = 1\nrealm = \"{REALM}\"\n\
         [turn.users]\n{USER} = \"{PASSWORD}\"\n\
         [turn.limits]\nallocations_per_visitor = 100000\nallocations_per_ip = 100000\n\
         allocations_per_minute = 1000000\n\
         unauthenticated_per_second = 1000000\n\
         bitrate = \"100 Gbit/s\"\ntotal_bitrate = \"400 Gbit/s\"\n\
         [log]\nlevel = \"warn\"\n"
    );
    fs::write(dir.join("callbox.toml"), config)?;
    let mut command = Command::new(program);
    command.args(["--config", "callbox.toml", "serve"]);
    Ok(command)
}

/// coturn as its manual advises where one core is to relay: one relay thread, no log, nothing that is not asked of it.
fn coturn(dir: &Path, addresses: Addresses) -> io::Result<Command> {
    let pair = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()])
        .map_err(io::Error::other)?;
    fs::write(dir.join("cert.pem"), pair.cert.pem())?;
    fs::write(dir.join("key.pem"), pair.signing_key.serialize_pem())?;
    let mut command = Command::new("turnserver");
    command
        .args(["-n", "--no-cli", "--no-dtls", "--no-rfc5780"])
        .args(["--no-stdout-log", "--log-file", "/dev/null"])
        .args([
            "--no-software-attribute",
            "--no-stun-backward-compatibility",
        ])
        .args(["--no-dynamic-ip-list", "--no-dynamic-realms"])
        .args(["--listening-ip", "127.0.0.1", "--relay-ip", "127.0.0.1"])
        .args(["--allow-loopback-peers", "--relay-threads", "1"])
        .args(["--lt-cred-mech", "--realm", REALM])
        .args(["--user", &format!("{USER}:{PASSWORD}")])
        .args(["--listening-port", &addresses.udp.port().to_string()])
        .args(["--tls-listening-port", &addresses.tls.port().to_string()])
        .args(["--cert", "cert.pem", "--pkey", "key.pem"])
        .args(["--userdb", "turndb", "--pidfile", "pid"]);
    Ok(command)
}
