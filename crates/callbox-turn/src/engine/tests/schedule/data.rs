//! The way of data, held against the model.

use std::net::SocketAddr;

use super::super::{AllocationId, Client, DropReason, HEADROOM, Host, Method, Request, TAILROOM};
use super::super::{Transport, Verdict, channel_data, indication};
use super::model::{Held, is_ordinary, is_own, is_reachable};
use super::{Run, World};
use crate::wire::drafts::Seen;

impl Run {
    pub(super) fn packet(&mut self, from: Client, bytes: &[u8]) {
        let now = self.now();
        let (verdict, buffer) = self.world.packet(from, bytes);
        match verdict {
            Verdict::Answer(answer) => self.answered(from, bytes, &answer),
            Verdict::Drop(reason) => self.dropped(from, bytes, reason),
            Verdict::ToPeer {
                from: id, to, data, ..
            } => {
                let (peer, payload) = self.said(from, bytes).expect("only data is relayed");
                let held = &self.held[&from];
                assert_eq!(id, held.id);
                assert!(held.permits(peer.ip(), now), "{peer} is not permitted");
                assert!(held.same_family(to) && to.port() != 0);
                assert!(HEADROOM <= data.start && data.end <= HEADROOM + bytes.len());
                assert_eq!(&buffer[data], payload);
                if is_own(peer.ip(), &self.moved) {
                    assert_eq!(self.world.host.bound(peer), Some(to));
                } else {
                    assert_eq!(to, peer);
                    assert!(is_reachable(to.ip(), &self.moved), "{to}");
                }
            }
            Verdict::ToClient {
                client: to,
                message,
            } => {
                let (peer, payload) = self.said(from, bytes).expect("only data is relayed");
                let (sender, reader) = (&self.held[&from], &self.held[&to]);
                assert!(sender.permits(peer.ip(), now), "{peer} is not permitted");
                assert!(peer == reader.relayed.address || peer == reader.relayed.bound);
                let source = sender.relayed.address;
                self.heard(to, &buffer[message], source, payload);
            }
        }
    }

    /// The peer that a message is for, and the data.
    pub(super) fn said<'a>(&self, from: Client, bytes: &'a [u8]) -> Option<(SocketAddr, &'a [u8])> {
        if channel_data::is_channel_data(*bytes.first()?) {
            let (number, data) = channel_data::parse(bytes)?;
            let peer = self.held.get(&from)?.peer_of(number, self.now())?;
            return Some((peer, &bytes[data]));
        }
        let send = indication::parse_send(bytes).filter(|_| indication::is_send(bytes))?;
        Some((send.peer, &bytes[send.data]))
    }

    /// A client is told what a peer said: in a message that is right, with its permission.
    pub(super) fn heard(&self, to: Client, message: &[u8], source: SocketAddr, payload: &[u8]) {
        let (held, now) = (&self.held[&to], self.now());
        assert!(held.permits(source.ip(), now), "{source} is not permitted");
        if channel_data::is_channel_data(message[0]) {
            let (number, data) = channel_data::parse(message).expect("a message");
            assert_eq!(data.end, message.len());
            assert_eq!(&message[data], payload);
            assert_eq!(held.peer_of(number, now), Some(source));
        } else {
            let seen = Seen::read(message);
            assert_eq!(seen.get(0x0013).as_deref(), Some(payload));
            assert_eq!(seen.address(0x0012), Some(source));
            let bound = |(peer, until): &(SocketAddr, _)| *peer == source && *until > now;
            assert!(!held.channels.values().any(bound));
        }
    }

    /// Will data pass, for all that is known?
    pub(super) fn must_pass(&self, held: &Held, peer: SocketAddr, data: &[u8]) -> bool {
        held.permits(peer.ip(), self.now())
            && is_ordinary(peer, &self.moved)
            && held.same_family(peer)
            && data.len() <= 60_000
            && !self.limited_rate
    }

    pub(super) fn dropped(&self, from: Client, bytes: &[u8], reason: DropReason) {
        if let (Some((peer, data)), Some(held)) = (self.said(from, bytes), self.held.get(&from)) {
            // What this holds back is told by stories of its own.
            let page = World::holder(&held.username).is_page();
            let held_back = page && reason == DropReason::Unanswered;
            let passes = !held_back && self.must_pass(held, peer, data);
            assert!(!passes, "dropped: {reason:?}");
        }
        if let Ok(mut request) = Request::decode(bytes) {
            assert!(matches!(
                reason,
                DropReason::AnswerLimit | DropReason::Amplification
            ));
            assert_eq!(from.transport, Transport::Udp);
            let is_binding = request.method == Method::Binding;
            assert!(is_binding || self.signer(from, &mut request).is_none());
        }
    }

    pub(super) fn arrive(&mut self, id: AllocationId, from: SocketAddr, data: &[u8]) {
        let mut buffer = vec![0; HEADROOM + data.len() + TAILROOM];
        buffer[HEADROOM..HEADROOM + data.len()].copy_from_slice(data);
        let now = self.now();
        let World { engine, host, .. } = &mut self.world;
        let verdict = engine.handle_peer_packet(host, id, from, &mut buffer, data.len(), now);
        let advertised = host.advertised(from);
        let source = advertised.unwrap_or(from);
        let owner = self.held.iter().find(|(_, held)| held.id == id);
        match (verdict, owner) {
            (Verdict::ToClient { client, message }, Some((owner, _))) => {
                assert_eq!(client, *owner);
                let reachable = is_reachable(from.ip(), &self.moved);
                assert!(reachable || advertised.is_some(), "{from}");
                self.heard(client, &buffer[message], source, data);
            }
            (Verdict::Drop(reason), owner) => {
                let passes = owner.is_some_and(|(_, held)| self.must_pass(held, source, data));
                assert!(!passes, "dropped: {reason:?}");
            }
            (other, _) => panic!("{other:?}"),
        }
    }
}
