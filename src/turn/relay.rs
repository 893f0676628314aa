//! The relay sockets under webrtc-rs's server: handed out from the configured range, and held to the peer policy.

use std::any::Any;
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use ring::rand::{SecureRandom, SystemRandom};
use tokio::net::UdpSocket;
use turn::relay::RelayAddressGenerator;
use webrtc_util::Conn;

use super::listener::{ConnResult, PAUSE_AFTER_ERROR, unconnected};
use super::peer_policy::PeerPolicy;
use crate::config::PortRange;

/// Ports tried for one allocation before it is refused.
const MAX_TRIES: u32 = 512;

/// Where relay sockets of each family bind, and what they are advertised as, for clients of one listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Families {
    v4: Option<Family>,
    v6: Option<Family>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Family {
    bound: IpAddr,
    advertised: IpAddr,
}

impl Families {
    /// - `reached`: the address that the client reached
    /// - `public`: the addresses under which the world reaches this machine
    /// - `local`: the machine's addresses that may be used
    pub fn new(reached: IpAddr, public: &[IpAddr], local: &[IpAddr]) -> Self {
        let family = |v4: bool| {
            let public = public.iter().copied().find(|ip| ip.is_ipv4() == v4);
            let own = public.filter(|ip| local.contains(ip));
            let same = Some(reached).filter(|ip| ip.is_ipv4() == v4 && local.contains(ip));
            let first = local.iter().copied().find(|ip| ip.is_ipv4() == v4);
            let bound = own.or(same).or(first)?;
            Some(Family {
                bound,
                advertised: public.unwrap_or(bound),
            })
        };
        Self {
            v4: family(true),
            v6: family(false),
        }
    }
}

/// The relayed addresses in use: as advertised, and as bound.
#[derive(Debug, Default)]
pub struct LivePorts {
    addresses: Mutex<Addresses>,
}

#[derive(Debug, Default)]
struct Addresses {
    bound_by_advertised: HashMap<SocketAddr, SocketAddr>,
    advertised_by_bound: HashMap<SocketAddr, SocketAddr>,
}

impl LivePorts {
    fn with<T>(&self, f: impl FnOnce(&mut Addresses) -> T) -> T {
        f(&mut self
            .addresses
            .lock()
            .unwrap_or_else(PoisonError::into_inner))
    }

    fn add(&self, advertised: SocketAddr, bound: SocketAddr) {
        self.with(|live| {
            live.bound_by_advertised.insert(advertised, bound);
            live.advertised_by_bound.insert(bound, advertised);
        });
    }

    fn remove(&self, advertised: SocketAddr, bound: SocketAddr) {
        self.with(|live| {
            live.bound_by_advertised.remove(&advertised);
            live.advertised_by_bound.remove(&bound);
        });
    }

    fn bound(&self, advertised: SocketAddr) -> Option<SocketAddr> {
        self.with(|live| live.bound_by_advertised.get(&advertised).copied())
    }

    fn advertised(&self, bound: SocketAddr) -> Option<SocketAddr> {
        self.with(|live| live.advertised_by_bound.get(&bound).copied())
    }
}

/// Hands out relay sockets from the configured range.
pub struct RelayPorts {
    range: PortRange,
    families: Families,
    policy: Arc<PeerPolicy>,
    live: Arc<LivePorts>,
}

impl RelayPorts {
    pub fn new(
        range: PortRange,
        families: Families,
        policy: Arc<PeerPolicy>,
        live: Arc<LivePorts>,
    ) -> Self {
        Self {
            range,
            families,
            policy,
            live,
        }
    }

    /// A socket on a random free port of the range, or on the one asked for.
    async fn bind(&self, ip: IpAddr, requested: u16) -> io::Result<UdpSocket> {
        if requested != 0 {
            return UdpSocket::bind((ip, requested)).await;
        }
        let size = self.range.size();
        let start = random_below(size)?;
        for step in 0..size.min(MAX_TRIES) {
            let offset = u16::try_from((start + step) % size).unwrap_or_default();
            match UdpSocket::bind((ip, self.range.low + offset)).await {
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
                bound => return bound,
            }
        }
        Err(io::ErrorKind::AddrInUse.into())
    }
}

fn random_below(bound: u32) -> io::Result<u32> {
    let mut bytes = [0; 4];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| io::ErrorKind::Other)?;
    Ok(u32::from_ne_bytes(bytes) % bound)
}

#[async_trait]
impl RelayAddressGenerator for RelayPorts {
    fn validate(&self) -> Result<(), turn::Error> {
        Ok(())
    }

    async fn allocate_conn(
        &self,
        use_ipv4: bool,
        requested_port: u16,
    ) -> Result<(Arc<dyn Conn + Send + Sync>, SocketAddr), turn::Error> {
        let family = if use_ipv4 {
            self.families.v4
        } else {
            self.families.v6
        };
        let family = family.ok_or(turn::Error::ErrNoAvailableConns)?;
        let socket = self.bind(family.bound, requested_port).await?;
        let bound = socket.local_addr()?;
        let advertised = SocketAddr::new(family.advertised, bound.port());
        self.live.add(advertised, bound);
        let conn = RelayConn {
            socket,
            bound,
            advertised,
            policy: Arc::clone(&self.policy),
            live: Arc::clone(&self.live),
        };
        Ok((Arc::new(conn), advertised))
    }
}

/// A relay socket. Packets to and from addresses that the policy refuses are dropped here. A packet for another relayed
/// address of this server goes to where that one is bound: behind a NAT the public address does not lead back.
struct RelayConn {
    socket: UdpSocket,
    bound: SocketAddr,
    advertised: SocketAddr,
    policy: Arc<PeerPolicy>,
    live: Arc<LivePorts>,
}

impl RelayConn {
    /// Where to send what is addressed to `peer`; `None` to drop it.
    fn route(&self, peer: SocketAddr) -> Option<SocketAddr> {
        let bound = self.live.bound(peer);
        self.policy
            .permits(peer, bound.is_some())
            .then(|| bound.unwrap_or(peer))
    }

    /// Whom a packet from `source` is from; `None` to drop it.
    fn origin(&self, source: SocketAddr) -> Option<SocketAddr> {
        let advertised = self.live.advertised(source);
        self.policy
            .permits(source, advertised.is_some())
            .then(|| advertised.unwrap_or(source))
    }
}

#[async_trait]
impl Conn for RelayConn {
    async fn connect(&self, _: SocketAddr) -> ConnResult<()> {
        unconnected()
    }

    async fn recv(&self, _: &mut [u8]) -> ConnResult<usize> {
        unconnected()
    }

    async fn recv_from(&self, buf: &mut [u8]) -> ConnResult<(usize, SocketAddr)> {
        loop {
            match self.socket.recv_from(buf).await {
                Ok((length, source)) => {
                    if let Some(origin) = self.origin(source) {
                        return Ok((length, origin));
                    }
                }
                Err(_) => tokio::time::sleep(PAUSE_AFTER_ERROR).await,
            }
        }
    }

    async fn send(&self, _: &[u8]) -> ConnResult<usize> {
        unconnected()
    }

    async fn send_to(&self, buf: &[u8], target: SocketAddr) -> ConnResult<usize> {
        match self.route(target) {
            Some(address) => Ok(self.socket.send_to(buf, address).await?),
            None => Ok(buf.len()),
        }
    }

    fn local_addr(&self) -> ConnResult<SocketAddr> {
        Ok(self.bound)
    }

    fn remote_addr(&self) -> Option<SocketAddr> {
        None
    }

    async fn close(&self) -> ConnResult<()> {
        Ok(())
    }

    fn as_any(&self) -> &(dyn Any + Send + Sync) {
        self
    }
}

impl Drop for RelayConn {
    fn drop(&mut self) {
        self.live.remove(self.advertised, self.bound);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ips(list: &[&str]) -> Vec<IpAddr> {
        list.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn families(
        reached: &str,
        public: &[&str],
        local: &[&str],
    ) -> (Option<Family>, Option<Family>) {
        let families = Families::new(reached.parse().unwrap(), &ips(public), &ips(local));
        (families.v4, families.v6)
    }

    fn family(bound: &str, advertised: &str) -> Family {
        Family {
            bound: bound.parse().unwrap(),
            advertised: advertised.parse().unwrap(),
        }
    }

    #[test]
    fn relay_sockets_bind_where_the_client_reached_and_name_the_public_address() {
        let lan = ["192.168.1.5", "10.0.0.5", "fd00::5"];
        let both = (
            Some(family("10.0.0.5", "10.0.0.5")),
            Some(family("fd00::5", "fd00::5")),
        );
        assert_eq!(families("10.0.0.5", &[], &lan), both);
        let nat = (
            Some(family("192.168.1.5", "5.6.7.8")),
            Some(family("fd00::5", "fd00::5")),
        );
        assert_eq!(families("192.168.1.5", &["5.6.7.8"], &lan), nat);
        let vps = (Some(family("5.6.7.8", "5.6.7.8")), None);
        assert_eq!(
            families("10.0.0.5", &["5.6.7.8"], &["10.0.0.5", "5.6.7.8"]),
            vps
        );
        let loopback_client = (
            Some(family("192.168.1.5", "192.168.1.5")),
            Some(family("fd00::5", "fd00::5")),
        );
        assert_eq!(families("127.0.0.1", &[], &lan), loopback_client);
        assert_eq!(families("127.0.0.1", &[], &[]), (None, None));
    }
}
