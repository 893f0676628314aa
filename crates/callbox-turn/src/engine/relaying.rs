//! The way of data: from a client to a peer, from a peer to a client, and from client to client.

use std::net::SocketAddr;
use std::ops::Range;
use std::time::Instant;

use super::{AllocationId, Client, Engine, HEADROOM, Host, Users, Verdict};
use crate::channel_data;
use crate::counts::DropReason;
use crate::indication;

/// Where a packet for a client comes from.
#[derive(Clone, Copy)]
enum Source {
    /// The relayed address of another client.
    Inside(SocketAddr),
    Outside(SocketAddr),
}

impl<U: Users> Engine<U> {
    pub(super) fn channel_data(
        &mut self,
        host: &impl Host<U::User>,
        client: Client,
        buffer: &mut [u8],
        length: usize,
        now: Instant,
    ) -> Result<Verdict, DropReason> {
        let message = &buffer[HEADROOM..HEADROOM + length];
        let (number, data) = channel_data::parse(message).ok_or(DropReason::Malformed)?;
        let data = HEADROOM + data.start..HEADROOM + data.end;
        let id = self.of_client(client)?;
        let allocation = &mut self.allocations[id.0 as usize];
        let channel = allocation
            .channel(number, now)
            .ok_or(DropReason::NoChannel)?;
        let (peer, own) = (channel.peer, channel.own);
        if !own {
            allocation.send_outside(peer.ip(), &*self.rules.users, now)?;
            // The policy was asked when the channel was bound; one that refuses the peer ends the channel.
            return self.pass_to_peer(host, id, peer, data, false, now);
        }
        if !allocation.permits(peer.ip(), now) {
            return Err(DropReason::NoPermission);
        }
        self.pass_to_own(host, id, peer, buffer, data, now)
    }

    pub(super) fn send_indication(
        &mut self,
        host: &impl Host<U::User>,
        client: Client,
        buffer: &mut [u8],
        length: usize,
        now: Instant,
    ) -> Result<Verdict, DropReason> {
        // First, so that strangers cost no more than a look at who they are.
        let id = self.of_client(client)?;
        let message = &buffer[HEADROOM..HEADROOM + length];
        let send = indication::parse_send(message).ok_or(DropReason::Malformed)?;
        let data = HEADROOM + send.data.start..HEADROOM + send.data.end;
        let allocation = &mut self.allocations[id.0 as usize];
        let ip = send.peer.ip();
        if self.rules.policy.is_own(ip) {
            if !allocation.permits(ip, now) {
                return Err(DropReason::NoPermission);
            }
            return self.pass_to_own(host, id, send.peer, buffer, data, now);
        }
        allocation.send_outside(ip, &*self.rules.users, now)?;
        let standing = allocation.standing;
        if !self.rules.policy.permits(standing, send.peer, false) {
            return Err(DropReason::PeerRefused);
        }
        self.pass_to_peer(host, id, send.peer, data, send.dont_fragment, now)
    }

    /// To a peer on another machine.
    fn pass_to_peer(
        &mut self,
        host: &impl Host<U::User>,
        from: AllocationId,
        to: SocketAddr,
        data: Range<usize>,
        dont_fragment: bool,
        now: Instant,
    ) -> Result<Verdict, DropReason> {
        let allocation = &mut self.allocations[from.0 as usize];
        if allocation.relayed.is_ipv4() != to.is_ipv4() {
            return Err(DropReason::PeerRefused);
        }
        allocation.spend_to_peers(data.len(), now)?;
        if !host.spend(from, data.len(), now) {
            return Err(DropReason::Bitrate);
        }
        allocation.usage.to_peers.count(data.len());
        Ok(Verdict::ToPeer {
            from,
            to,
            data,
            dont_fragment,
        })
    }

    /// To an address of this machine, where only relayed addresses are peers: from client to client in here, or to the
    /// socket of another shard, by the address that it is bound to.
    fn pass_to_own(
        &mut self,
        host: &impl Host<U::User>,
        from: AllocationId,
        peer: SocketAddr,
        buffer: &mut [u8],
        data: Range<usize>,
        now: Instant,
    ) -> Result<Verdict, DropReason> {
        let Some(to) = self.by_relayed.get(&peer).copied() else {
            let bound = host.bound(peer);
            let standing = self.allocations[from.0 as usize].standing;
            let policy = &self.rules.policy;
            if !policy.permits(standing, peer, bound.is_some()) {
                return Err(DropReason::PeerRefused);
            }
            let (sender, users) = (&mut self.allocations[from.0 as usize], &*self.rules.users);
            match bound.and_then(|bound| host.advertised(bound)) {
                // As it is named where its packets come from.
                Some(advertised) => sender.send_inside(advertised, users, now)?,
                None => sender.send_outside(peer.ip(), users, now)?,
            }
            return self.pass_to_peer(host, from, bound.unwrap_or(peer), data, false, now);
        };
        let peer = self.allocations[to.0 as usize].relayed;
        let sender = &mut self.allocations[from.0 as usize];
        let source = sender.relayed;
        sender.send_inside(peer, &*self.rules.users, now)?;
        sender.spend_to_peers(data.len(), now)?;
        if !host.spend(from, data.len(), now) {
            return Err(DropReason::Bitrate);
        }
        sender.usage.to_peers.count(data.len());
        let source = Source::Inside(source);
        self.deliver(host, to, source, buffer, data, now)
    }

    /// A datagram for a relayed address, at [`HEADROOM`] in `buffer` and `length` bytes long, `from` a peer.
    pub fn handle_peer_packet(
        &mut self,
        host: &impl Host<U::User>,
        id: AllocationId,
        from: SocketAddr,
        buffer: &mut [u8],
        length: usize,
        now: Instant,
    ) -> Verdict {
        let Some(allocation) = self.allocations.get(id.0 as usize) else {
            return Verdict::Drop(DropReason::NoAllocation);
        };
        let policy = &self.rules.policy;
        let advertised = if policy.is_own(from.ip()) {
            host.advertised(from)
        } else {
            None
        };
        if !policy.permits(allocation.standing, from, advertised.is_some()) {
            return Verdict::Drop(DropReason::PeerRefused);
        }
        let source = advertised.map_or(Source::Outside(from), Source::Inside);
        let data = HEADROOM..HEADROOM + length;
        self.deliver(host, id, source, buffer, data, now)
            .unwrap_or_else(Verdict::Drop)
    }

    /// From a peer to the client of an allocation.
    fn deliver(
        &mut self,
        host: &impl Host<U::User>,
        id: AllocationId,
        source: Source,
        buffer: &mut [u8],
        data: Range<usize>,
        now: Instant,
    ) -> Result<Verdict, DropReason> {
        let allocation = self
            .allocations
            .get_mut(id.0 as usize)
            .ok_or(DropReason::NoAllocation)?;
        let from = match source {
            Source::Inside(from) | Source::Outside(from) => from,
        };
        let inside = matches!(source, Source::Inside(_));
        allocation.hear(from, inside, now)?;
        allocation.spend_to_client(data.len(), now)?;
        // Last, since all share it: what strangers send, or more than one allocation may have, is nobody else's loss. What
        // comes from another allocation was counted when it was sent.
        if !inside && !host.spend(id, data.len(), now) {
            return Err(DropReason::Bitrate);
        }
        let bytes = data.len();
        let message = if let Some(number) = allocation.number_of(from, now) {
            channel_data::write_header(buffer, number, data)
        } else {
            let mut transaction = [0; 12];
            self.indications = self.indications.wrapping_add(1);
            transaction[4..].copy_from_slice(&self.indications.to_be_bytes());
            indication::write_data(buffer, data, from, transaction)
        };
        let message = message.ok_or(DropReason::TooLong)?;
        allocation.usage.to_client.count(bytes);
        Ok(Verdict::ToClient {
            client: allocation.client,
            message,
        })
    }
}
