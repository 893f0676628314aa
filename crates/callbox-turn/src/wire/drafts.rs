//! Requests of every kind and a look at their answers, for tests and fuzzing.
#![allow(clippy::unwrap_used)]

use std::net::SocketAddr;

use stun::attributes::AttrType;
use stun::error_code::ErrorCodeAttribute;
use stun::fingerprint::FINGERPRINT;
use stun::integrity::MessageIntegrity;
use stun::message::{
    CLASS_ERROR_RESPONSE, CLASS_REQUEST, METHOD_ALLOCATE, METHOD_BINDING, METHOD_CHANNEL_BIND,
    METHOD_CREATE_PERMISSION, METHOD_REFRESH, Message, MessageType, Setter,
};
use turn::proto::peeraddr::PeerAddress;
use turn::proto::{chandata, channum::ChannelNumber};

use super::request::{Method, peer_address};
use super::{Key, TransactionId};

/// A request or Send indication that a test puts together.
pub(crate) struct Draft(pub Message);

pub(crate) enum Kind {
    Request(Method),
    Send,
}

impl Draft {
    pub(crate) fn new(kind: &Kind, transaction: TransactionId) -> Self {
        let kind = match kind {
            Kind::Send => turn::proto::send_indication(),
            Kind::Request(method) => MessageType::new(
                match method {
                    Method::Binding => METHOD_BINDING,
                    Method::Allocate => METHOD_ALLOCATE,
                    Method::Refresh => METHOD_REFRESH,
                    Method::CreatePermission => METHOD_CREATE_PERMISSION,
                    Method::ChannelBind => METHOD_CHANNEL_BIND,
                },
                CLASS_REQUEST,
            ),
        };
        let mut message = Message::new();
        message.typ = kind;
        message.transaction_id.0 = transaction;
        message.write_header();
        Self(message)
    }

    pub(crate) fn raw(mut self, kind: u16, value: &[u8]) -> Self {
        self.0.add(AttrType(kind), value);
        self
    }

    pub(crate) fn transport(self, protocol: u8) -> Self {
        self.raw(0x0019, &[protocol, 0, 0, 0])
    }

    pub(crate) fn lifetime(self, seconds: u32) -> Self {
        self.raw(0x000d, &seconds.to_be_bytes())
    }

    pub(crate) fn peer(mut self, peer: SocketAddr) -> Self {
        let (ip, port) = (peer.ip(), peer.port());
        PeerAddress { ip, port }.add_to(&mut self.0).unwrap();
        self
    }

    pub(crate) fn channel(mut self, number: u16) -> Self {
        ChannelNumber(number).add_to(&mut self.0).unwrap();
        self
    }

    pub(crate) fn data(self, data: &[u8]) -> Self {
        self.raw(0x0013, data)
    }

    pub(crate) fn sign(self, username: &str, realm: &str, nonce: &[u8], key: &Key) -> Self {
        let mut named = self
            .raw(0x0006, username.as_bytes())
            .raw(0x0014, realm.as_bytes())
            .raw(0x0015, nonce);
        MessageIntegrity(key.to_vec()).add_to(&mut named.0).unwrap();
        named
    }

    pub(crate) fn fingerprint(mut self) -> Self {
        FINGERPRINT.add_to(&mut self.0).unwrap();
        self
    }

    pub(crate) fn bytes(self) -> Vec<u8> {
        self.0.raw
    }
}

/// A `ChannelData` message by webrtc-rs's codec.
pub(crate) fn channel_data(number: u16, data: &[u8]) -> Vec<u8> {
    let mut message = chandata::ChannelData {
        data: data.to_vec(),
        number: ChannelNumber(number),
        ..Default::default()
    };
    message.encode();
    message.raw.truncate(4 + data.len());
    message.raw
}

/// What a test looks at in an answer.
#[derive(Debug)]
pub(crate) struct Seen(pub Message);

impl Seen {
    pub(crate) fn read(bytes: &[u8]) -> Self {
        let mut message = Message::new();
        message.write(bytes).unwrap();
        Self(message)
    }

    /// `None` for a success.
    pub(crate) fn error(&self) -> Option<u16> {
        use stun::message::Getter;
        let mut code = ErrorCodeAttribute::default();
        let there = code.get_from(&self.0).is_ok();
        assert_eq!(there, self.0.typ.class == CLASS_ERROR_RESPONSE);
        there.then_some(code.code.0)
    }

    pub(crate) fn get(&self, kind: u16) -> Option<Vec<u8>> {
        self.0.get(AttrType(kind)).ok()
    }

    pub(crate) fn address(&self, kind: u16) -> Option<SocketAddr> {
        peer_address(&self.get(kind)?, self.0.transaction_id.0)
    }

    pub(crate) fn lifetime(&self) -> Option<u32> {
        Some(u32::from_be_bytes(self.get(0x000d)?.try_into().ok()?))
    }

    pub(crate) fn signed_with(&mut self, key: &Key) -> bool {
        MessageIntegrity(key.to_vec()).check(&mut self.0).is_ok()
    }
}
