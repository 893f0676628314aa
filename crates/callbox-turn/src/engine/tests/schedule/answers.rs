//! Answers, held against the model, which learns from them.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::super::world::{FakeHost, World};
use super::super::{Client, Host, Method, Request, Transport};
use super::model::{Held, Moved, is_ordinary, is_own, is_reachable};
use super::{MAX_CHANNELS, MAX_PERMISSIONS, Run};
use crate::wire::drafts::Seen;
use crate::wire::{self, Key};

impl Run {
    /// The key of a request that may be carried out.
    pub(super) fn signer(&self, from: Client, request: &mut Request) -> Option<Key> {
        let username = request.username.clone()?;
        let issued = self
            .nonces
            .get(&(request.nonce.clone()?, from.address))
            .filter(|at| self.now() < **at + Duration::from_secs(3600));
        if issued.is_none() || request.realm.as_deref() != Some(self.realm) {
            return None;
        }
        let known = self.known.get(&username)?;
        let now = self.world.now.wall;
        let may_relay = known.expires.is_none_or(|expires| {
            let holder = World::holder(&username);
            // Minted less than a minute ago, as the time to live is an hour.
            let age = (now + Duration::from_secs(3600)).duration_since(expires);
            !holder.is_page()
                || self
                    .world
                    .with_present(|present| present.contains(holder.name()))
                || age.is_ok_and(|age| age < Duration::from_secs(60))
        });
        let runs = self
            .held
            .get(&from)
            .is_some_and(|held| held.username == username);
        let admitted = if runs {
            may_relay || request.method != Method::Refresh
        } else {
            may_relay && known.expires.is_none_or(|expires| now < expires)
        };
        (admitted && request.holds(&known.key)).then_some(known.key)
    }

    pub(super) fn answered(&mut self, from: Client, bytes: &[u8], answer: &[u8]) {
        let mut request = Request::decode(bytes).expect("only requests are answered");
        let key = self.signer(from, &mut request);
        let asked = Seen::read(bytes);
        let mut seen = Seen::read(answer);
        assert_eq!(seen.0.typ.method, asked.0.typ.method);
        assert_eq!(seen.0.transaction_id.0, request.transaction);
        assert_eq!(
            wire::fingerprint_holds(answer),
            wire::fingerprint_holds(bytes)
        );
        let is_binding = request.method == Method::Binding;
        if let Some(key) = key.filter(|_| !is_binding) {
            assert!(seen.signed_with(&key));
            return self.granted(from, &request, key, &seen);
        }
        assert_eq!(seen.get(0x0008), None, "signed for a stranger");
        let headers = if from.address.is_ipv4() { 28 } else { 48 };
        let amplified = answer.len() + headers > 3 * (bytes.len() + headers);
        assert!(from.transport != Transport::Udp || !amplified);
        match seen.error() {
            None => {
                assert!(is_binding);
                assert_eq!(seen.address(0x0020), Some(from.address));
            }
            Some(420) => assert!(is_binding && !request.unknown.is_empty()),
            Some(400) => assert!(!is_binding),
            Some(401 | 438) => {
                assert!(!is_binding);
                assert_eq!(seen.get(0x0014).as_deref(), Some(self.realm.as_bytes()));
                self.issued(from.address, seen.get(0x0015).expect("a nonce"));
            }
            other => panic!("{other:?} for a stranger"),
        }
    }

    /// Somebody with credentials asked.
    pub(super) fn granted(&mut self, from: Client, request: &Request, key: Key, seen: &Seen) {
        let now = self.now();
        let asked = &request.attributes;
        let error = seen.error();
        let username = request.username.as_deref().unwrap_or_default();
        if !request.unknown.is_empty() || asked.malformed {
            assert!(matches!(error, Some(400 | 420)));
            return;
        }
        let lifetime = asked.lifetime.unwrap_or(Duration::from_secs(600));
        let lifetime = lifetime.clamp(Duration::from_secs(600), Duration::from_secs(3600));
        let lifetime_seen = || {
            seen.lifetime()
                .map(|seconds| Duration::from_secs(seconds.into()))
        };
        let Some(held) = self.held.get_mut(&from) else {
            if request.method != Method::Allocate {
                assert_eq!(error, Some(437));
            } else if error.is_none() {
                assert_eq!(lifetime_seen(), Some(lifetime));
                assert_eq!(seen.address(0x0020), Some(from.address));
                let id = self.world.engine.by_client[&from];
                let relayed = self.world.host.open[&id];
                assert_eq!(seen.address(0x0016), Some(relayed.address));
                assert_eq!(seen.get(0x0022), relayed.token.map(Vec::from));
                let held = Held {
                    id,
                    username: username.to_owned(),
                    key,
                    transaction: request.transaction,
                    relayed,
                    until: now + lifetime,
                    permissions: BTreeMap::new(),
                    channels: BTreeMap::new(),
                };
                self.held.insert(from, held);
                let quota = self.world.host.quota;
                assert!(quota.is_none_or(|quota| self.held.len() <= quota));
            } else {
                assert!(matches!(error, Some(400 | 440 | 442 | 486 | 508)));
            }
            return;
        };
        match request.method {
            Method::Allocate => {
                let repeated = held.transaction == request.transaction && held.key == key;
                assert_eq!(error, (!repeated).then_some(437));
                let relayed = error.is_none().then_some(held.relayed.address);
                assert_eq!(seen.address(0x0016), relayed);
            }
            _ if held.username != username => assert_eq!(error, Some(441)),
            Method::Refresh => {
                let is_ipv4 = held.relayed.address.is_ipv4();
                let mismatch = asked.family.is_some_and(|family| (family == 2) == is_ipv4);
                assert_eq!(error, mismatch.then_some(443));
                if asked.lifetime == Some(Duration::ZERO) && !mismatch {
                    assert_eq!(lifetime_seen(), Some(Duration::ZERO));
                    self.held.remove(&from);
                } else if !mismatch {
                    assert_eq!(lifetime_seen(), Some(lifetime));
                    held.until = now + lifetime;
                }
            }
            Method::CreatePermission => self.permitted(from, request, error),
            _ => self.bound(from, request, error),
        }
    }

    pub(super) fn permitted(&mut self, from: Client, request: &Request, error: Option<u16>) {
        let (now, host, moved) = (self.now(), &self.world.host, &self.moved);
        let held = self.held.get_mut(&from).unwrap();
        let peers = &request.attributes.peers;
        if let Some(code) = error {
            assert!(matches!(code, 400 | 403 | 443));
            let right = |peer: &SocketAddr| {
                let unlisted = host.unlisted.contains(&peer.ip());
                is_ordinary(*peer, moved) && !unlisted && held.same_family(*peer)
            };
            let mut fresh: Vec<_> = peers.iter().map(SocketAddr::ip).collect();
            fresh.retain(|ip| !held.permits(*ip, now));
            fresh.sort_unstable();
            fresh.dedup();
            let live = held.permissions.values().filter(|until| **until > now);
            let room = live.count() + fresh.len() <= MAX_PERMISSIONS;
            let wrong = peers.is_empty() || !peers.iter().all(right);
            assert!(wrong || !room || !self.tidy, "refused: {code}");
            return;
        }
        assert!(!peers.is_empty());
        for peer in peers {
            assert!(may_have(peer.ip(), host, moved), "{peer}");
            assert!(held.same_family(*peer));
            held.permit(peer.ip(), now);
        }
    }

    pub(super) fn bound(&mut self, from: Client, request: &Request, error: Option<u16>) {
        let (now, host, moved) = (self.now(), &self.world.host, &self.moved);
        let held = self.held.get_mut(&from).unwrap();
        let asked = &request.attributes;
        let (Some(number), [peer]) = (asked.channel, &asked.peers[..]) else {
            assert_eq!(error, Some(400));
            return;
        };
        if let Some(code) = error {
            assert!(matches!(code, 400 | 403 | 443));
            let right = is_ordinary(*peer, moved)
                && !host.unlisted.contains(&peer.ip())
                && held.same_family(*peer)
                && (0x4000..=0x4fff).contains(&number);
            let mut live = held.channels.iter().filter(|(_, (_, until))| *until > now);
            let free = live
                .clone()
                .all(|(other, (bound, _))| (*other == number) == (bound == peer));
            let room =
                live.clone().count() < MAX_CHANNELS || live.any(|(other, _)| *other == number);
            let mut live = held.permissions.iter().filter(|(_, until)| **until > now);
            let permissions =
                live.clone().count() < MAX_PERMISSIONS || live.any(|(ip, _)| *ip == peer.ip());
            let possible = right && free && room && permissions;
            assert!(!possible || !self.tidy, "refused: {code}");
            return;
        }
        let relayed = host.bound(*peer).is_some();
        assert!(relayed || may_have(peer.ip(), host, moved), "{peer}");
        assert!(relayed || !is_own(peer.ip(), moved), "{peer}");
        assert!(held.same_family(*peer) && peer.port() != 0);
        held.bind(number, *peer, now);
        held.permit(peer.ip(), now);
    }
}

/// May there be a permission for this address?
pub(super) fn may_have(ip: IpAddr, host: &FakeHost, moved: &Moved) -> bool {
    if is_own(ip, moved) {
        return host.is_relaying_on(ip);
    }
    is_reachable(ip, moved) && !host.unlisted.contains(&ip)
}
