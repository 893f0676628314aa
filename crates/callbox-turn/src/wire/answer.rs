//! What the server says to it.

use std::net::SocketAddr;
use std::time::Duration;

use stun::attributes::{ATTR_NONCE, ATTR_REALM, AttrType};
use stun::error_code::{ErrorCode, ErrorCodeAttribute};
use stun::fingerprint::FINGERPRINT;
use stun::integrity::MessageIntegrity;
use stun::message::{CLASS_ERROR_RESPONSE, CLASS_SUCCESS_RESPONSE, Message, MessageType, Setter};
use stun::textattrs::TextAttribute;
use stun::uattrs::UnknownAttributes;
use stun::xoraddr::XorMappedAddress;
use turn::proto::lifetime::Lifetime;
use turn::proto::relayaddr::RelayedAddress;
use turn::proto::rsrvtoken::ReservationToken;

use super::{Key, Request};

/// An answer in the making.
pub(crate) struct Answer {
    message: Message,
    fingerprint: bool,
}

impl Answer {
    pub(crate) fn success(request: &Request) -> Self {
        Self::new(request, CLASS_SUCCESS_RESPONSE)
    }

    pub(crate) fn error(request: &Request, code: u16, reason: &str) -> Self {
        Self::new(request, CLASS_ERROR_RESPONSE).with(&ErrorCodeAttribute {
            code: ErrorCode(code),
            reason: reason.as_bytes().to_vec(),
        })
    }

    fn new(request: &Request, class: stun::message::MessageClass) -> Self {
        let mut message = Message::new();
        message.typ = MessageType::new(request.message.typ.method, class);
        message.transaction_id.0 = request.transaction;
        message.write_header();
        Self {
            message,
            fingerprint: request.fingerprinted,
        }
    }

    /// None of these setters fails on what is put in here; one that did would leave its attribute out.
    fn with(mut self, attribute: &dyn Setter) -> Self {
        let added = attribute.add_to(&mut self.message);
        debug_assert!(added.is_ok(), "{added:?}");
        self
    }

    pub(crate) fn mapped(self, address: SocketAddr) -> Self {
        let (ip, port) = (address.ip(), address.port());
        self.with(&XorMappedAddress { ip, port })
    }

    pub(crate) fn relayed(self, address: SocketAddr) -> Self {
        let (ip, port) = (address.ip(), address.port());
        self.with(&RelayedAddress { ip, port })
    }

    pub(crate) fn lifetime(self, lifetime: Duration) -> Self {
        self.with(&Lifetime(lifetime))
    }

    pub(crate) fn token(self, token: [u8; 8]) -> Self {
        self.with(&ReservationToken(token.to_vec()))
    }

    /// What the client needs to sign its request.
    pub(crate) fn challenge(self, realm: &str, nonce: &str) -> Self {
        self.with(&TextAttribute::new(ATTR_REALM, realm.to_owned()))
            .with(&TextAttribute::new(ATTR_NONCE, nonce.to_owned()))
    }

    pub(crate) fn unknown(self, attributes: &[u16]) -> Self {
        let kinds = attributes.iter().map(|kind| AttrType(*kind));
        self.with(&UnknownAttributes(kinds.collect()))
    }

    /// The message's bytes, signed if there is a key.
    pub(crate) fn finish(self, key: Option<&Key>) -> Vec<u8> {
        let fingerprint = self.fingerprint;
        let mut answer = match key {
            Some(key) => self.with(&MessageIntegrity(key.to_vec())),
            None => self,
        };
        if fingerprint {
            answer = answer.with(&FINGERPRINT);
        }
        answer.message.raw
    }
}
