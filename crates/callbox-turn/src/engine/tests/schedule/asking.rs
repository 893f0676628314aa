//! What clients ask, rightly and wrongly.

use std::net::{Ipv6Addr, SocketAddr};
use std::time::Duration;

use super::super::directory::{ALICE, BOB, Holder};
use super::super::world::{GLOBAL_V6, LOCAL, PUBLIC, World};
use super::super::{Client, Method, Relayed};
use super::model::{Held, Known};
use super::steps::{Asked, FOREIGN, Login, Nonce, Oddity, Peer, channel_number, client, visitor};
use super::{ELSEWHERE, Run, VISITORS};
use crate::wire;
use crate::wire::drafts::{Draft, Kind};

/// The first 4 are somebody's in the Internet; none of the others is ever a peer.
const SPECIAL: [&str; 20] = [
    "1.1.1.1",
    "203.0.112.1",
    "2620:fe::fe",
    "2001:4860:4860::8888",
    "0.0.0.0",
    "127.0.0.1",
    "10.0.0.1",
    "10.0.0.6",
    "100.64.0.1",
    "169.254.169.254",
    "172.16.0.1",
    "192.168.0.1",
    "224.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "fe80::1",
    "fd00::1",
    "ff02::1",
    "::ffff:127.0.0.1",
];

impl Run {
    pub(super) fn peer(&self, peer: Peer) -> SocketAddr {
        let relayed = |number| {
            let held = self.held.get(&client(number));
            held.map_or(
                Relayed {
                    address: SocketAddr::new(PUBLIC, 50_001),
                    bound: SocketAddr::new(LOCAL, 50_001),
                    token: None,
                },
                |held| held.relayed,
            )
        };
        let disguised = |which: u8| {
            let [a, b, c, d] = match which % 2 {
                0 => [5, 6, 7, 8],
                _ => [10, 0, 0, 5],
            };
            let (high, low) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
            match which / 2 % 3 {
                0 => Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, high, low),
                1 => Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, high, low),
                _ => Ipv6Addr::new(0x2002, high, low, 0, 0, 0, 0, 1),
            }
        };
        match peer {
            Peer::V4(last @ 0xf0..) => SocketAddr::from(([8, 8, 4, last % 8], 0)),
            Peer::V4(last) => SocketAddr::from(([8, 8, 4, last % 8], 9000)),
            Peer::Known(which) => self.known_peer(which),
            Peer::V6(last) => {
                let last = u16::from(last % 8);
                SocketAddr::from(([0x2606, 0x4700, 0, 0, 0, 0, 0, last], 9000))
            }
            Peer::Relayed(number) => relayed(number).address,
            Peer::Bound(number) => relayed(number).bound,
            Peer::Elsewhere(bound) => ELSEWHERE[usize::from(bound)],
            Peer::OwnPort { which, port } => {
                SocketAddr::new([PUBLIC, LOCAL, GLOBAL_V6][usize::from(which % 3)], port)
            }
            Peer::OwnInDisguise { which, port } => (disguised(which), port).into(),
            Peer::Special(which) => {
                let ip = SPECIAL[usize::from(which) % SPECIAL.len()];
                SocketAddr::new(ip.parse().unwrap(), 9000)
            }
            Peer::AnyV4(ip, port) => (ip, port).into(),
            Peer::AnyV6(ip, port) => (ip, port).into(),
        }
    }

    fn known_peer(&self, which: u8) -> SocketAddr {
        let permitted = |held: &Held| {
            let ips = held.permissions.keys().copied();
            let peers = held.channels.values().map(|(peer, _)| *peer);
            ips.map(|ip| SocketAddr::new(ip, 9000))
                .chain(peers)
                .collect::<Vec<_>>()
        };
        let known: Vec<_> = self.held.values().flat_map(permitted).collect();
        let index = usize::from(which) % known.len().max(1);
        known.get(index).copied().unwrap_or(ELSEWHERE[0])
    }

    pub(super) fn mint(&mut self, name: &str, seconds: u16) {
        let credentials = match name {
            FOREIGN => self.world.foreign(name, seconds.into()),
            _ => self.world.page(name, seconds.into()),
        };
        let known = Known {
            key: wire::key(&credentials.username, self.realm, &credentials.password),
            expires: Some(self.world.now.wall + Duration::from_secs(seconds.into())),
        };
        self.known.insert(credentials.username.clone(), known);
        let login = (credentials.username, credentials.password);
        self.minted.insert(name.to_owned(), login);
    }

    pub(super) fn issued(&mut self, to: SocketAddr, nonce: Vec<u8>) {
        self.nonces.insert((nonce.clone(), to), self.now());
        self.last_nonce.insert(to, nonce);
    }

    pub(super) fn go_on(&mut self, from: Client, asked: &Asked) {
        let username = self.held.get(&from).map(|held| held.username.as_str());
        let login = match username {
            None | Some("alice") => Login::Alice,
            Some("bob") => Login::Bob,
            Some(other) => match World::holder(other) {
                Holder::Visitor(name) => Login::Visitor(name[2..].parse().unwrap()),
                _ => Login::Visitor(VISITORS),
            },
        };
        self.ask(from, login, &Nonce::Fresh, asked, None);
    }

    pub(super) fn ask(
        &mut self,
        from: Client,
        login: Login,
        nonce: &Nonce,
        asked: &Asked,
        oddity: Option<&Oddity>,
    ) {
        let nonce = match nonce {
            Nonce::Fresh => {
                let now = self.now();
                let nonce = self.world.engine.rules.nonces.issue(from.address, now);
                self.issued(from.address, nonce.clone().into_bytes());
                nonce.into_bytes()
            }
            Nonce::Last => self
                .last_nonce
                .get(&from.address)
                .cloned()
                .unwrap_or_default(),
            Nonce::Stolen(of) => {
                let nonce = self.last_nonce.get(&client(*of).address);
                nonce.cloned().unwrap_or_default()
            }
            Nonce::Made(bytes) => bytes.to_vec(),
        };
        let mut draft = self.draft(asked);
        // Behind a FINGERPRINT nobody can sign.
        if let Some(Oddity::Extra { kind, value }) = oddity
            && *kind != 0x8028
        {
            draft = draft.raw(*kind, &value.0);
        }
        draft = self.sign(draft, login, &nonce);
        match oddity {
            Some(Oddity::Unsigned { kind, value }) => {
                draft = draft.raw(*kind, &value.0);
            }
            Some(Oddity::Fingerprint) => draft = draft.fingerprint(),
            _ => {}
        }
        let mut bytes = draft.bytes();
        match oddity {
            Some(Oddity::Flip { at, with }) => {
                let at = usize::from(*at) % bytes.len();
                bytes[at] ^= with;
            }
            Some(Oddity::Cut(by)) => bytes.truncate(bytes.len().saturating_sub((*by).into())),
            Some(Oddity::Longer(by)) => bytes.extend(&by.0),
            _ => {}
        }
        self.deliver(from, bytes);
    }

    pub(super) fn sign(&mut self, draft: Draft, login: Login, nonce: &[u8]) -> Draft {
        let mut realm = self.realm;
        let (name, password) = match login {
            Login::Nobody => return draft,
            Login::Alice => (ALICE.0.to_owned(), ALICE.1.to_owned()),
            Login::Bob => (BOB.0.to_owned(), BOB.1.to_owned()),
            Login::WrongPassword => (ALICE.0.to_owned(), BOB.1.to_owned()),
            Login::Unknown => ("carol".to_owned(), ALICE.1.to_owned()),
            Login::WrongRealm => {
                realm = "elsewhere";
                (ALICE.0.to_owned(), ALICE.1.to_owned())
            }
            Login::Visitor(number) => {
                let name = visitor(number);
                if !self.minted.contains_key(&name) {
                    self.mint(&name, 3600);
                }
                self.minted[&name].clone()
            }
        };
        let key = wire::key(&name, realm, &password);
        draft.sign(&name, realm, nonce, &key)
    }

    pub(super) fn draft(&self, asked: &Asked) -> Draft {
        let new = |method| Draft::new(&Kind::Request(method), [7; 12]);
        match asked {
            Asked::Binding => new(Method::Binding),
            Asked::Allocate {
                transaction,
                lifetime,
                ipv6,
                even,
                token,
                transport,
            } => {
                let kind = Kind::Request(Method::Allocate);
                let draft = Draft::new(&kind, [*transaction % 4; 12]);
                let mut draft = draft.transport(transport.unwrap_or(17));
                if *ipv6 {
                    draft = draft.raw(0x0017, &[2, 0, 0, 0]);
                }
                if let Some(pair) = even {
                    draft = draft.raw(0x0018, &[if *pair { 0x80 } else { 0 }]);
                }
                if *token {
                    let kept = self.world.host.reserved.first().copied();
                    draft = draft.raw(0x0022, &kept.unwrap_or([1; 8]));
                }
                match lifetime {
                    Some(seconds) => draft.lifetime(*seconds),
                    None => draft,
                }
            }
            Asked::Refresh { lifetime, ipv6 } => {
                let mut draft = new(Method::Refresh);
                if let Some(ipv6) = ipv6 {
                    draft = draft.raw(0x0017, &[if *ipv6 { 2 } else { 1 }, 0, 0, 0]);
                }
                match lifetime {
                    Some(seconds) => draft.lifetime(*seconds),
                    None => draft,
                }
            }
            Asked::CreatePermission(peers) => {
                let peers = peers.iter().take(8).map(|peer| self.peer(*peer));
                peers.fold(new(Method::CreatePermission), Draft::peer)
            }
            Asked::ChannelBind { channel, peer } => new(Method::ChannelBind)
                .channel(channel_number(*channel))
                .peer(self.peer(*peer)),
        }
    }
}
