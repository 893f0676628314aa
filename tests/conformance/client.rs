//! A TURN client as a story needs it.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use turn::auth::generate_auth_key;

use crate::link::{Frame, Link, Received};
use crate::support::PATIENCE;
use crate::wire::{
    self, ALLOCATE, BINDING, CHANNEL_BIND, CREATE_PERMISSION, Draft, Message, REFRESH, SEND,
    attribute as a,
};

/// UDP, the only transport to peers (RFC 8656 §18.7).
pub(crate) const UDP: [u8; 4] = [17, 0, 0, 0];

#[derive(Debug, Clone)]
pub(crate) struct User {
    pub name: String,
    pub password: String,
}

impl User {
    pub(crate) fn new(name: &str, password: &str) -> Self {
        Self {
            name: name.to_owned(),
            password: password.to_owned(),
        }
    }
}

/// What requests are signed with.
#[derive(Debug, Clone)]
pub(crate) struct Login {
    pub user: String,
    pub realm: Vec<u8>,
    pub nonce: Vec<u8>,
    pub key: Vec<u8>,
}

impl Login {
    pub(crate) fn sign(&self, draft: Draft) -> Draft {
        draft
            .with(a::USERNAME, self.user.as_bytes())
            .with(a::REALM, &self.realm)
            .with(a::NONCE, &self.nonce)
            .integrity(&self.key)
    }
}

pub(crate) struct Client {
    pub link: Link,
    /// What came while something else was awaited.
    waiting: VecDeque<Frame>,
    login: Option<Login>,
}

impl Client {
    pub(crate) fn new(link: Link) -> Self {
        Self {
            link,
            waiting: VecDeque::new(),
            login: None,
        }
    }

    pub(crate) fn local_addr(&self) -> SocketAddr {
        self.link.local_addr()
    }

    pub(crate) fn login(&self) -> &Login {
        self.login.as_ref().expect("a client that has logged in")
    }

    /// Gets realm and nonce; requests are signed as `user` from here on.
    pub(crate) fn log_in(&mut self, user: &User) {
        let challenge = self.exchange(&allocation());
        assert_eq!(challenge.error(), Some(401), "the first Allocate");
        let realm = challenge.get(a::REALM).expect("REALM").to_vec();
        let text = std::str::from_utf8(&realm).unwrap();
        self.login = Some(Login {
            user: user.name.clone(),
            nonce: challenge.get(a::NONCE).expect("NONCE").to_vec(),
            key: generate_auth_key(&user.name, text, &user.password),
            realm,
        });
    }

    pub(crate) fn set_nonce(&mut self, nonce: &[u8]) {
        self.login.as_mut().unwrap().nonce = nonce.to_vec();
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.link.send(bytes).expect("an open connection");
    }

    /// What comes next, or that nothing did.
    pub(crate) fn wait(&mut self, patience: Duration) -> Received {
        match self.waiting.pop_front() {
            Some(frame) => Received::Frame(frame),
            None => self.link.receive(patience),
        }
    }

    pub(crate) fn receive(&mut self) -> Frame {
        match self.wait(PATIENCE) {
            Received::Frame(frame) => frame,
            Received::Closed => panic!("the server closed the connection"),
            Received::Nothing => panic!("the server is silent"),
        }
    }

    /// Sends a request as it is and waits for its answer.
    pub(crate) fn exchange(&mut self, draft: &Draft) -> Message {
        self.send(&draft.bytes());
        self.answer_to(draft)
    }

    pub(crate) fn answer_to(&mut self, draft: &Draft) -> Message {
        let mut others = VecDeque::new();
        loop {
            match self.receive() {
                Frame::Message(message) if message.transaction == draft.transaction => {
                    others.append(&mut self.waiting);
                    self.waiting = others;
                    return message;
                }
                other => others.push_back(other),
            }
        }
    }

    /// Sends a signed request and waits for its answer. A nonce that has become stale is replaced.
    pub(crate) fn ask(&mut self, draft: &Draft) -> Message {
        let answer = self.exchange(&self.login().sign(draft.clone()));
        if answer.error() != Some(438) {
            return answer;
        }
        self.set_nonce(answer.get(a::NONCE).expect("NONCE"));
        let mut again = draft.clone();
        again.transaction = Draft::new(0).transaction;
        self.exchange(&self.login().sign(again))
    }

    /// Asks, and expects a signed success.
    pub(crate) fn granted(&mut self, draft: &Draft) -> Message {
        let answer = self.ask(draft);
        assert!(answer.is_success(), "refused with {:?}", answer.error());
        assert!(self.signed(&answer), "the success is not signed");
        answer
    }

    /// Asks, and expects a signed error with this code.
    pub(crate) fn refused(&mut self, draft: &Draft, code: u16) -> Message {
        self.refused_with(draft, &[code])
    }

    /// Asks, and expects a signed error with one of these codes.
    pub(crate) fn refused_with(&mut self, draft: &Draft, codes: &[u16]) -> Message {
        let answer = self.ask(draft);
        let code = answer.error().expect("an error and not a success");
        assert!(codes.contains(&code), "error {code}, expected {codes:?}");
        assert!(self.signed(&answer), "the error {code} is not signed");
        answer
    }

    fn signed(&self, answer: &Message) -> bool {
        answer.is_signed_with(&self.login().key)
    }

    /// Allocates, and gives the relayed address.
    pub(crate) fn allocate(&mut self) -> SocketAddr {
        relayed(&self.granted(&allocation()))
    }

    pub(crate) fn permit(&mut self, peers: &[SocketAddr]) {
        self.granted(&permission(peers));
    }

    pub(crate) fn bind(&mut self, number: u16, peer: SocketAddr) {
        self.granted(&channel_bind(number, peer));
    }

    pub(crate) fn free(&mut self) {
        let answer = self.granted(&refresh().lifetime(0));
        assert_eq!(answer.lifetime(), 0);
    }

    pub(crate) fn send_to(&mut self, peer: SocketAddr, data: &[u8]) {
        self.send(&send_indication(peer, data).bytes());
    }

    pub(crate) fn send_channel_data(&mut self, number: u16, data: &[u8]) {
        let bytes = if self.link.is_stream() {
            wire::channel_data(number, data)
        } else {
            wire::unpadded_channel_data(number, data)
        };
        self.send(&bytes);
    }

    /// The next message, which must be a Data indication: from whom, and what.
    pub(crate) fn receive_data(&mut self) -> (SocketAddr, Vec<u8>) {
        let frame = self.receive();
        let Frame::Message(message) = frame else {
            panic!("not a Data indication: {frame:?}");
        };
        assert_eq!(message.kind, wire::DATA | wire::INDICATION, "{message:?}");
        let peer = message.address(a::XOR_PEER_ADDRESS).expect("the peer");
        (peer, message.get(a::DATA).expect("DATA").to_vec())
    }

    /// The next message, which must be `ChannelData`.
    pub(crate) fn receive_channel_data(&mut self) -> (u16, Vec<u8>) {
        match self.receive() {
            Frame::ChannelData { number, data } => (number, data),
            other @ Frame::Message(_) => panic!("not ChannelData: {other:?}"),
        }
    }

    /// The server answers, and what it says next is this answer: whatever was sent before has led to nothing.
    pub(crate) fn expect_nothing(&mut self) {
        let control = Draft::new(BINDING);
        self.send(&control.bytes());
        match self.receive() {
            Frame::Message(message) if message.transaction == control.transaction => {}
            other => panic!("out of nowhere: {other:?}"),
        }
    }

    pub(crate) fn expect_close(&mut self) {
        match self.wait(PATIENCE) {
            Received::Closed => {}
            other => panic!("not closed but: {other:?}"),
        }
    }
}

pub(crate) fn allocation() -> Draft {
    Draft::new(ALLOCATE).with(a::REQUESTED_TRANSPORT, &UDP)
}

pub(crate) fn refresh() -> Draft {
    Draft::new(REFRESH)
}

pub(crate) fn permission(peers: &[SocketAddr]) -> Draft {
    peers
        .iter()
        .fold(Draft::new(CREATE_PERMISSION), |draft, peer| {
            draft.peer(*peer)
        })
}

pub(crate) fn channel_bind(number: u16, peer: SocketAddr) -> Draft {
    Draft::new(CHANNEL_BIND).channel(number).peer(peer)
}

pub(crate) fn send_indication(peer: SocketAddr, data: &[u8]) -> Draft {
    Draft::indication(SEND).peer(peer).with(a::DATA, data)
}

pub(crate) fn relayed(answer: &Message) -> SocketAddr {
    answer
        .address(a::XOR_RELAYED_ADDRESS)
        .expect("XOR-RELAYED-ADDRESS")
}
