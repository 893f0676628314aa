//! The relay sockets of one shard: what its engine asks of the world.

use std::cell::Cell;
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use callbox_turn::linux::{Batch, Token, set_dont_fragment};
use callbox_turn::{
    AllocationId, Claim, Client, End, Ended, Families, Host, NoRelay, Order, Relayed, Transport,
    Wish,
};
use ring::rand::{SecureRandom, SystemRandom};
use rustix::event::epoll;
use socket2::{Domain, Socket, Type};

use super::credentials::Holder;
use super::evictions::{Evicted, Evictions};
use super::registry::{Place, Registry};
use super::routes::PeerRoutes;
use crate::refused::Refused;

/// Bytes that may wait in a relay socket.
const RELAY_BUFFER: usize = 256 * 1024;
/// Bytes of the bitrate of all that a shard takes at once, so that packets do not meet at one counter. More than a
/// datagram has.
const IN_ADVANCE: u64 = 128 * 1024;

/// The sockets behind the allocations of one shard.
pub(super) struct Sockets {
    pub registry: Arc<Registry>,
    poll: Arc<OwnedFd>,
    /// By allocation.
    relays: Vec<Option<RelaySocket>>,
    pub evictions: Arc<Evictions>,
    /// What clients are given, by the listening socket or stream that they came through.
    pub listener_families: Vec<Families>,
    pub stream_families: Vec<Families>,
    pub routes: PeerRoutes,
    random: SystemRandom,
    /// Bytes that this shard may still relay before it asks what all share.
    in_advance: Cell<u64>,
    /// Streams whose allocation has ended without their doing.
    pub orphans: Vec<Client>,
}

pub(super) struct RelaySocket {
    pub socket: UdpSocket,
    pub batch: Batch,
    #[expect(dead_code, reason = "held for its drop")]
    claim: Claim,
    place: Place,
    /// Packets that it had relayed when that was looked at last.
    relayed: u64,
}

impl Sockets {
    pub(super) fn new(
        registry: Arc<Registry>,
        poll: Arc<OwnedFd>,
        evictions: Arc<Evictions>,
        listener_families: Vec<Families>,
    ) -> Self {
        Self {
            registry,
            poll,
            relays: Vec::new(),
            evictions,
            listener_families,
            stream_families: Vec::new(),
            routes: PeerRoutes::default(),
            random: SystemRandom::new(),
            in_advance: Cell::new(0),
            orphans: Vec::new(),
        }
    }

    pub(super) fn relay(&mut self, id: AllocationId) -> Option<&mut RelaySocket> {
        self.relays.get_mut(id.0 as usize)?.as_mut()
    }

    /// Allocations of this shard whose places others have got.
    pub(super) fn evicted(&self) -> Vec<AllocationId> {
        let relay = |evicted: &Evicted| self.relays.get(evicted.id.0 as usize)?.as_ref();
        let evicted = self.evictions.take().into_iter();
        evicted
            .filter(|evicted| relay(evicted).is_some_and(|it| it.place.number == evicted.place))
            .map(|evicted| evicted.id)
            .collect()
    }

    /// Notes which allocations have been of use: `packets` tells how many each has relayed.
    pub(super) fn note_use(&mut self, packets: impl Fn(AllocationId) -> u64, now: Instant) {
        let relays = (0..).zip(&mut self.relays);
        let used = relays.filter_map(|(id, relay)| {
            let relay = relay.as_mut()?;
            let relayed = packets(AllocationId(id));
            let before = std::mem::replace(&mut relay.relayed, relayed);
            (relayed != before).then_some(relay.place.number)
        });
        self.registry.were_used(used, now);
    }

    fn random<const N: usize>(&self) -> Result<[u8; N], NoRelay> {
        let mut bytes = [0; N];
        let filled = self.random.fill(&mut bytes);
        filled.map(|()| bytes).map_err(|_| NoRelay::Capacity)
    }

    fn admit(&self, order: &Order<'_, Holder>) -> Result<Place, NoRelay> {
        let ip = order.client.address.ip();
        self.registry.admit(order.user, ip, Instant::now())
    }

    /// Where a relayed address for this client is, but for one that was reserved.
    fn home(&self, order: &Order<'_, Holder>) -> Result<usize, NoRelay> {
        let families = match order.client.transport {
            Transport::Udp => &self.listener_families,
            Transport::Tcp | Transport::Tls => &self.stream_families,
        };
        families
            .get(order.client.via as usize)
            .and_then(|families| families.of(order.ipv6))
            .ok_or(NoRelay::Family)
    }

    /// Nobody makes way for something that cannot be.
    fn check(&self, order: &Order<'_, Holder>) -> Result<(), NoRelay> {
        match order.wish {
            Wish::Reserved(token) if self.registry.is_reserved(token, Instant::now()) => Ok(()),
            Wish::Reserved(_) => Err(NoRelay::Capacity),
            _ => self.home(order).map(drop),
        }
    }

    /// A bound socket as wished for, and the token of the one next to it.
    fn bind(
        &self,
        order: &Order<'_, Holder>,
    ) -> Result<(UdpSocket, Claim, Option<[u8; 8]>), NoRelay> {
        if let Wish::Reserved(token) = order.wish {
            let reserved = self.registry.redeem(token, Instant::now());
            let reserved = reserved.ok_or(NoRelay::Capacity)?;
            return Ok((reserved.socket, reserved.claim, None));
        }
        let home = self.home(order)?;
        let random = u32::from_ne_bytes(self.random()?);
        let addresses = &self.registry.addresses;
        let even = |port: u16| port.is_multiple_of(2);
        let even_with_next = |port: u16| even(port) && addresses.is_free(home, port + 1);
        let bound = match order.wish {
            Wish::Pair => {
                let place = self.admit(order)?;
                let pair = |address: SocketAddr| {
                    let next = addresses.claim_port(home, address.port() + 1);
                    let next = next.ok_or(io::ErrorKind::AddrInUse)?;
                    let first = relay_socket(address)?;
                    Ok((first, relay_socket(next.bound())?, next))
                };
                let (claim, (first, second, next)) = addresses
                    .claim(home, random, even_with_next, pair)
                    .map_err(|_| NoRelay::Capacity)?;
                let token = self.random()?;
                let now = Instant::now();
                let kept = self.registry.reserve(token, second, next, place, now);
                kept.then_some(()).ok_or(NoRelay::Capacity)?;
                return Ok((first, claim, Some(token)));
            }
            Wish::Even => addresses.claim(home, random, even, relay_socket),
            _ => addresses.claim(home, random, |_| true, relay_socket),
        };
        let (claim, socket) = bound.map_err(|_| NoRelay::Capacity)?;
        Ok((socket, claim, None))
    }
}

impl Host<Holder> for Sockets {
    fn open(&mut self, id: AllocationId, order: &Order<'_, Holder>) -> Result<Relayed, NoRelay> {
        let refused = |why: NoRelay| {
            let reason = match why {
                NoRelay::Quota => "quota",
                NoRelay::Capacity => "capacity",
                NoRelay::Family => "family",
            };
            metrics::counter!("callbox_turn_refused_allocations_total", "reason" => reason)
                .increment(1);
            why
        };
        self.check(order).map_err(refused)?;
        let place = self.admit(order).map_err(refused)?;
        let bound = self.bind(order).inspect_err(|why| {
            if *why == NoRelay::Capacity {
                Refused::RelayPorts.count();
            }
        });
        let (socket, claim, token) = bound.map_err(refused)?;
        let wanted = epoll::EventFlags::IN;
        epoll::add(&*self.poll, &socket, Token::Relay(id).into(), wanted)
            .map_err(|_| NoRelay::Capacity)?;
        claim.go_live();
        let relayed = Relayed {
            address: claim.advertised(),
            bound: claim.bound(),
            token,
        };
        place.is_for(id, &self.evictions);
        let index = id.0 as usize;
        if self.relays.len() <= index {
            self.relays.resize_with(index + 1, || None);
        }
        self.relays[index] = Some(RelaySocket {
            socket,
            batch: Batch::default(),
            claim,
            place,
            relayed: 0,
        });
        let transport = order.client.transport.to_string();
        metrics::counter!("callbox_turn_allocations_total", "transport" => transport.clone())
            .increment(1);
        metrics::gauge!("callbox_turn_allocations", "transport" => transport).increment(1.0);
        tracing::debug!(
            user = order.user.name(),
            transport = %order.client.transport,
            relayed = %relayed.address,
            "relayed address given out"
        );
        Ok(relayed)
    }

    fn close(&mut self, id: AllocationId, ended: &Ended<'_, Holder>) {
        let transport = ended.client.transport.to_string();
        metrics::gauge!("callbox_turn_allocations", "transport" => transport).decrement(1.0);
        if let Some(relay) = self.relays.get_mut(id.0 as usize) {
            // Closing the socket takes it out of the poll.
            *relay = None;
        }
        // A client that gave its allocation up may go on with its stream.
        let without_its_doing = matches!(ended.end, End::Expired | End::Revoked | End::Evicted);
        if ended.client.transport != Transport::Udp && without_its_doing {
            self.orphans.push(ended.client);
        }
        tracing::info!(
            user = ended.user.name(),
            transport = %ended.client.transport,
            relayed = %ended.relayed,
            packets_out = ended.usage.to_peers.packets,
            bytes_out = ended.usage.to_peers.bytes,
            packets_in = ended.usage.to_client.packets,
            bytes_in = ended.usage.to_client.bytes,
            seconds = ended.lived.as_secs(),
            reason = %reason(ended.end),
            "relaying ended"
        );
    }

    fn bound(&self, address: SocketAddr) -> Option<SocketAddr> {
        self.registry.addresses.bound(address)
    }

    fn advertised(&self, address: SocketAddr) -> Option<SocketAddr> {
        self.registry.addresses.advertised(address)
    }

    fn is_relaying_on(&self, ip: IpAddr) -> bool {
        self.registry.addresses.is_relaying_on(ip)
    }

    fn leads_elsewhere(&mut self, to: IpAddr, from: IpAddr) -> bool {
        self.routes.lead_elsewhere(to, from, Instant::now())
    }

    fn leads_not_here(&mut self, to: IpAddr, from: IpAddr) -> bool {
        self.routes.lead_not_here(to, from, Instant::now())
    }

    fn spend(&self, id: AllocationId, bytes: usize, now: Instant) -> bool {
        let Some(rate) = &self.registry.bitrate else {
            return true;
        };
        let bytes = bytes as u64;
        let relay = self.relays.get(id.0 as usize).and_then(Option::as_ref);
        let share = relay.and_then(|relay| relay.place.share.as_deref());
        if share.is_some_and(|share| !share.allows(bytes, now)) {
            return false;
        }
        if self.in_advance.get() < bytes && rate.allows(IN_ADVANCE, now) {
            self.in_advance.set(self.in_advance.get() + IN_ADVANCE);
        }
        match self.in_advance.get().checked_sub(bytes) {
            Some(left) => {
                self.in_advance.set(left);
                true
            }
            // The end of the second's share, or one that is smaller than an advance.
            None => rate.allows(bytes, now),
        }
    }
}

fn relay_socket(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::DGRAM.nonblocking(),
        None,
    )?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    set_receive_buffer(&socket, RELAY_BUFFER, "relay")?;
    set_dont_fragment(&socket, address.is_ipv6(), false)?;
    socket.bind(&address.into())?;
    Ok(socket.into())
}

/// Asks for a receive buffer; says how to get it where the kernel allows less, once.
pub(crate) fn set_receive_buffer(socket: &Socket, bytes: usize, what: &str) -> io::Result<()> {
    static TOLD: AtomicBool = AtomicBool::new(false);
    socket.set_recv_buffer_size(bytes)?;
    // The kernel doubles what it grants, for its own bookkeeping.
    let granted = socket.recv_buffer_size()? / 2;
    if let Some(warning) = shortfall(granted, bytes, what)
        && !TOLD.swap(true, Ordering::Relaxed)
    {
        tracing::warn!("{warning}");
    }
    Ok(())
}

/// Why relaying has ended, for the log.
fn reason(end: End) -> String {
    match end {
        End::Revoked => "the visitor left".to_owned(),
        other => other.to_string(),
    }
}

fn shortfall(granted: usize, wanted: usize, what: &str) -> Option<String> {
    (granted < wanted).then(|| {
        format!(
            "the kernel grants {granted} of {wanted} bytes to the receive buffer of a {what} socket, so bursts may be \
             lost; run `sysctl -w net.core.rmem_max={LISTENER_BUFFER}`, or install deploy/60-callbox.conf in /etc/sysctl.d"
        )
    })
}

/// Bytes that may wait in a listening socket, which all clients share.
pub(crate) const LISTENER_BUFFER: usize = 4 * 1024 * 1024;

impl Sockets {
    /// What the client on this stream is given.
    pub(super) fn set_stream_families(&mut self, key: u32, families: Families) {
        let index = key as usize;
        if self.stream_families.len() <= index {
            self.stream_families.resize(index + 1, families);
        }
        self.stream_families[index] = families;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_that_grants_less_is_named_with_the_remedy() {
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, None).unwrap();
        let wanted = 1 << 30;
        socket.set_recv_buffer_size(wanted).unwrap();
        let granted = socket.recv_buffer_size().unwrap() / 2;
        let warning = shortfall(granted, wanted, "listening").unwrap();
        assert!(warning.contains(&format!("{granted} of {wanted} bytes")));
        assert!(warning.contains("sysctl -w net.core.rmem_max=4194304"));
        assert_eq!(
            shortfall(LISTENER_BUFFER, LISTENER_BUFFER, "listening"),
            None
        );
        let sysctl = include_str!("../../deploy/60-callbox.conf");
        assert!(sysctl.contains(&format!("net.core.rmem_max = {LISTENER_BUFFER}")));
    }
}
