//! Binds every port before anything is served. What fails names key and remedy.

mod inherited;

use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, UdpSocket};

use callbox_turn::is_link_local;
use rustix::io::Errno;
use socket2::{Domain, Protocol, Socket, Type};

use crate::config::{Config, ConfigError, Turn};
use crate::net::Machine;
use crate::turn;
pub(crate) use inherited::Inherited;

const BACKLOG: i32 = 1024;

/// The bound ports.
pub(crate) struct Listeners {
    pub https: TcpListener,
    pub redirect: Option<TcpListener>,
    pub admin: Option<TcpListener>,
    /// `None` without a relay.
    pub turn: Option<TurnListeners>,
}

/// Where STUN and TURN are spoken.
pub(crate) struct TurnListeners {
    /// For each shard one socket per local address, where `[turn] listen` names all.
    pub udp: Vec<Vec<UdpSocket>>,
    pub tcp: TcpListener,
    pub tls: Option<TcpListener>,
}

/// # Errors
/// [`ConfigError`] for the first port that cannot be had.
pub(crate) fn bind(
    config: &Config,
    machine: &Machine,
    inherited: &mut Inherited,
) -> Result<Listeners, ConfigError> {
    let blame = Blame { config, machine };
    let mut tcp = |key, address| {
        bind_tcp(address, inherited).map_err(|error| blame.sentence(key, address, &error))
    };
    let https = tcp("listen", config.listen)?;
    let redirect = config
        .redirect
        .map(|address| tcp("http.redirect", address))
        .transpose()?;
    let turn = match &config.turn {
        Some(turn) => Some(TurnListeners {
            tls: turn
                .tls_listen
                .map(|address| tcp("turn.tls_listen", address))
                .transpose()?,
            ..bind_turn(turn, machine, inherited)
                .map_err(|(address, error)| blame.sentence("turn.listen", address, &error))?
        }),
        None => None,
    };
    let admin = bind_admin(config, &blame, inherited)?;
    Ok(Listeners {
        https,
        redirect,
        admin,
        turn,
    })
}

/// A second callbox on this machine goes without, unless it was told where.
fn bind_admin(
    config: &Config,
    blame: &Blame<'_>,
    inherited: &mut Inherited,
) -> Result<Option<TcpListener>, ConfigError> {
    let Some(address) = config.admin.as_ref().map(|admin| admin.listen) else {
        return Ok(None);
    };
    match bind_tcp(address, inherited) {
        Ok(listener) => Ok(Some(listener)),
        Err(error) if !config.origins.sets("admin.listen") => {
            tracing::warn!(
                "no metrics: {}",
                blame.sentence("admin.listen", address, &error)
            );
            Ok(None)
        }
        Err(error) => Err(blame.sentence("admin.listen", address, &error)),
    }
}

/// `[::]` takes IPv4 too, and is 0.0.0.0 where IPv6 is switched off.
fn bind_tcp(address: SocketAddr, inherited: &mut Inherited) -> io::Result<TcpListener> {
    if let Some(listener) = inherited.take(address) {
        return Ok(listener);
    }
    let bound = listen_tcp(address);
    match bound {
        Err(error) if is_any_v6(address.ip()) && lacks_ipv6(&error) => {
            listen_tcp(SocketAddr::from((Ipv4Addr::UNSPECIFIED, address.port())))
        }
        bound => bound,
    }
}

fn listen_tcp(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    if is_any_v6(address.ip()) {
        socket.set_only_v6(false)?;
    }
    // Connections of the run before linger; they must not keep a restart from listening.
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// An address that could not be had.
type Failure = (SocketAddr, io::Error);

/// UDP and TCP on the same port.
fn bind_turn(
    turn: &Turn,
    machine: &Machine,
    inherited: &mut Inherited,
) -> Result<TurnListeners, Failure> {
    // Where any port will do, one that is free for UDP may be taken for TCP.
    const TRIES: usize = 16;
    let tries = if turn.listen.port() == 0 { TRIES } else { 1 };
    let mut last = None;
    for _ in 0..tries {
        let udp = bind_udp(turn.listen, turn.shards, machine)?;
        let mut address = turn.listen;
        if let Some(bound) = udp
            .iter()
            .flatten()
            .find_map(|socket| socket.local_addr().ok())
        {
            address.set_port(bound.port());
        }
        match bind_tcp(address, inherited) {
            Ok(tcp) => {
                return Ok(TurnListeners {
                    udp,
                    tcp,
                    tls: None,
                });
            }
            Err(error) => last = Some((address, error)),
        }
    }
    Err(last.unwrap_or((turn.listen, ErrorKind::AddrInUse.into())))
}

fn bind_udp(
    listen: SocketAddr,
    shards: usize,
    machine: &Machine,
) -> Result<Vec<Vec<UdpSocket>>, Failure> {
    let named: Vec<_> = if listen.ip().is_unspecified() {
        turn_addresses(listen.ip(), machine).collect()
    } else {
        vec![listen.ip()]
    };
    let mut by_shard: Vec<Vec<UdpSocket>> = (0..shards).map(|_| Vec::new()).collect();
    let mut port = listen.port();
    let mut unusable = None;
    for ip in named {
        let address = SocketAddr::new(ip, port);
        match shared_sockets(address, shards) {
            Ok(sockets) => {
                // With port 0 the first address decides for all.
                let first = sockets.first().and_then(|socket| socket.local_addr().ok());
                port = first.map_or(port, |bound| bound.port());
                for (shard, socket) in by_shard.iter_mut().zip(sockets) {
                    shard.push(socket);
                }
            }
            // An address may have gone since it was listed, or not be usable yet.
            Err(error) if error.kind() == ErrorKind::AddrNotAvailable => {
                unusable = Some((address, error));
            }
            Err(error) => return Err((address, error)),
        }
    }
    match unusable {
        Some(failure) if by_shard.iter().all(Vec::is_empty) => Err(failure),
        _ => Ok(by_shard),
    }
}

/// Sockets of one address and port among which the kernel spreads clients.
fn shared_sockets(address: SocketAddr, count: usize) -> io::Result<Vec<UdpSocket>> {
    // A socket that shares its port would join one of another process without an error; this one does not.
    let probe = UdpSocket::bind(address)?;
    let address = probe.local_addr()?;
    drop(probe);
    (0..count).map(|_| shared_socket(address)).collect()
}

fn shared_socket(address: SocketAddr) -> io::Result<UdpSocket> {
    let domain = Domain::for_address(address);
    let socket = Socket::new(domain, Type::DGRAM.nonblocking(), Some(Protocol::UDP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_port(true)?;
    turn::set_receive_buffer(&socket, turn::LISTENER_BUFFER, "listening")?;
    socket.bind(&address.into())?;
    Ok(socket.into())
}

fn turn_addresses(all: IpAddr, machine: &Machine) -> impl Iterator<Item = IpAddr> {
    let own = machine.addresses.iter().map(|address| address.ip);
    own.filter(move |ip| (all.is_ipv6() || ip.is_ipv4()) && !is_link_local(*ip))
}

fn is_any_v6(ip: IpAddr) -> bool {
    ip.is_ipv6() && ip.is_unspecified()
}

fn lacks_ipv6(error: &io::Error) -> bool {
    error.kind() == ErrorKind::AddrNotAvailable
        || Errno::from_io_error(error) == Some(Errno::AFNOSUPPORT)
}

/// Turns an operating system's error into a sentence with a remedy.
struct Blame<'a> {
    config: &'a Config,
    machine: &'a Machine,
}

impl Blame<'_> {
    fn sentence(&self, key: &str, address: SocketAddr, error: &io::Error) -> ConfigError {
        let problem = match error.kind() {
            ErrorKind::AddrInUse => format!(
                "port {} is used by another program; end that one (`ss -lntup` names it) or choose another port",
                address.port()
            ),
            ErrorKind::PermissionDenied => format!(
                "port {} needs a privilege; run as the systemd unit in deploy/, or as root, or choose a port from 1024",
                address.port()
            ),
            ErrorKind::AddrNotAvailable => format!(
                "{} is not an address of this machine; write \"[::]:{}\" for all of them, or one of {}",
                address.ip(),
                address.port(),
                self.own_addresses()
            ),
            _ => format!("cannot listen on {address}: {error}; choose another address"),
        };
        let refused = self.config.error(key, problem);
        match error.kind() {
            // At boot an address may come later.
            ErrorKind::AddrNotAvailable => refused.passing(),
            _ => refused,
        }
    }

    fn own_addresses(&self) -> String {
        let usable = self.machine.addresses.iter().map(|address| address.ip);
        let names: Vec<_> = usable
            .filter(|ip| !is_link_local(*ip))
            .map(|ip| ip.to_string())
            .collect();
        names.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use callbox_turn::LocalAddress;

    #[test]
    fn all_addresses_means_each_of_them_but_link_local() {
        let address = |text: &str| LocalAddress {
            ip: text.parse().unwrap(),
            prefix: 24,
            interface: "eth0".to_owned(),
            stable: true,
        };
        let machine = Machine {
            addresses: ["127.0.0.1", "192.168.1.5", "::1", "fe80::1", "fd00::5"]
                .map(address)
                .to_vec(),
            ..Machine::default()
        };
        let listed = |all: &str| {
            let list: Vec<_> = turn_addresses(all.parse().unwrap(), &machine)
                .map(|ip| ip.to_string())
                .collect();
            list.join(" ")
        };
        assert_eq!(listed("::"), "127.0.0.1 192.168.1.5 ::1 fd00::5");
        assert_eq!(listed("0.0.0.0"), "127.0.0.1 192.168.1.5");
    }
}
