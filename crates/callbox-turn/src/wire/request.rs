//! What a client asks for.

use std::net::SocketAddr;
use std::time::Duration;

use stun::attributes::{
    ATTR_CHANNEL_NUMBER, ATTR_DONT_FRAGMENT, ATTR_EVEN_PORT, ATTR_FINGERPRINT, ATTR_LIFETIME,
    ATTR_MESSAGE_INTEGRITY, ATTR_NONCE, ATTR_REALM, ATTR_REQUESTED_ADDRESS_FAMILY,
    ATTR_REQUESTED_TRANSPORT, ATTR_RESERVATION_TOKEN, ATTR_USERNAME, ATTR_XOR_PEER_ADDRESS,
    AttrType, Attributes, RawAttribute,
};
use stun::integrity::MessageIntegrity;
use stun::message::{
    CLASS_REQUEST, METHOD_ALLOCATE, METHOD_BINDING, METHOD_CHANNEL_BIND, METHOD_CREATE_PERMISSION,
    METHOD_REFRESH, Message, MessageType,
};
use stun::xoraddr::XorMappedAddress;

use super::{HEADER, Key, TransactionId, fingerprint_holds};

/// No request that makes sense is longer; decoding copies, so this bounds the work that a packet can make.
pub const MAX_REQUEST: usize = 2048;
const MAX_USERNAME: usize = 508;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    Binding,
    Allocate,
    Refresh,
    CreatePermission,
    ChannelBind,
}

/// Why a message is not a request that is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotARequest {
    Malformed,
    /// An indication or a response, or a method that is not spoken here.
    Other,
}

/// A request, as far as its integrity covers it.
#[derive(Debug)]
pub(crate) struct Request {
    pub(super) message: Message,
    pub method: Method,
    pub transaction: TransactionId,
    pub username: Option<String>,
    pub realm: Option<String>,
    pub nonce: Option<Vec<u8>>,
    /// Is there a MESSAGE-INTEGRITY?
    pub signed: bool,
    pub(super) fingerprinted: bool,
    /// Attributes that have to be understood and are not.
    pub unknown: Vec<u16>,
    pub attributes: RequestAttributes,
}

/// What a TURN request asks for; each `None` or empty where the attribute is not there.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct RequestAttributes {
    /// An attribute of a wrong length or value.
    pub malformed: bool,
    pub lifetime: Option<Duration>,
    /// IANA protocol number.
    pub transport: Option<u8>,
    /// 1 for IPv4, 2 for IPv6.
    pub family: Option<u8>,
    /// EVEN-PORT, and whether the next port is to be reserved.
    pub even_port: Option<bool>,
    pub token: Option<[u8; 8]>,
    pub channel: Option<u16>,
    pub peers: Vec<SocketAddr>,
}

impl Request {
    /// # Errors
    /// What else the bytes are.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, NotARequest> {
        // The first two bits of a STUN message are zero, and its attributes are padded (RFC 8489 §5, §14).
        let is_stun = bytes.first().is_some_and(|first| *first < 0x40);
        if !is_stun || !bytes.len().is_multiple_of(4) || bytes.len() > MAX_REQUEST {
            return Err(NotARequest::Malformed);
        }
        let mut message = Message::new();
        message.write(bytes).map_err(|_| NotARequest::Malformed)?;
        if bytes.len() != HEADER + message.length as usize {
            return Err(NotARequest::Malformed);
        }
        let fingerprinted = message.contains(ATTR_FINGERPRINT);
        if fingerprinted && !fingerprint_holds(bytes) {
            return Err(NotARequest::Malformed);
        }
        let method = method(message.typ).ok_or(NotARequest::Other)?;
        let mut request = Self {
            method,
            transaction: message.transaction_id.0,
            username: None,
            realm: None,
            nonce: None,
            signed: false,
            fingerprinted,
            unknown: Vec::new(),
            attributes: RequestAttributes::default(),
            message: Message::default(),
        };
        for attribute in &message.attributes.0 {
            // What follows the integrity, anybody on the way may have added (RFC 8489 §14.5).
            if request.signed {
                break;
            }
            request.take(attribute);
        }
        request.message = message;
        Ok(request)
    }

    fn take(&mut self, attribute: &RawAttribute) {
        let value = &attribute.value;
        match attribute.typ {
            ATTR_MESSAGE_INTEGRITY => self.signed = true,
            ATTR_USERNAME if value.len() <= MAX_USERNAME => set(&mut self.username, text(value)),
            ATTR_REALM => set(&mut self.realm, text(value)),
            ATTR_NONCE => set(&mut self.nonce, Some(value.clone())),
            ATTR_FINGERPRINT => {}
            other => {
                if !self.attributes.take(other, value, self.transaction) && other.required() {
                    self.unknown.push(other.value());
                }
            }
        }
    }

    /// Is the message signed with `key`?
    pub(crate) fn holds(&mut self, key: &Key) -> bool {
        let integrity = MessageIntegrity(key.to_vec());
        self.signed && integrity.check(&mut self.message).is_ok()
    }
}

impl RequestAttributes {
    /// Notes a TURN attribute; `false` if it is none. Of several of a kind the first counts (RFC 8489 §14), but for
    /// peers.
    fn take(&mut self, kind: AttrType, value: &[u8], transaction: TransactionId) -> bool {
        let well_formed = match kind {
            ATTR_LIFETIME => {
                let seconds = value.try_into().map(u32::from_be_bytes).ok();
                let lifetime = seconds.map(|seconds| Duration::from_secs(seconds.into()));
                first(&mut self.lifetime, lifetime)
            }
            ATTR_REQUESTED_TRANSPORT => first(&mut self.transport, first_of_4(value)),
            ATTR_REQUESTED_ADDRESS_FAMILY => first(&mut self.family, first_of_4(value)),
            ATTR_EVEN_PORT => {
                let flag = <[u8; 1]>::try_from(value).ok();
                first(&mut self.even_port, flag.map(|[flags]| flags & 0x80 != 0))
            }
            ATTR_RESERVATION_TOKEN => first(&mut self.token, value.try_into().ok()),
            ATTR_CHANNEL_NUMBER => {
                let number = <[u8; 4]>::try_from(value).ok();
                first(
                    &mut self.channel,
                    number.map(|[n0, n1, ..]| u16::from_be_bytes([n0, n1])),
                )
            }
            ATTR_XOR_PEER_ADDRESS => {
                let peer = peer_address(value, transaction);
                self.peers.extend(peer);
                peer.is_some()
            }
            ATTR_DONT_FRAGMENT => value.is_empty(),
            _ => return false,
        };
        self.malformed |= !well_formed;
        true
    }
}

/// Keeps the first; `false` for a malformed one.
fn first<T>(place: &mut Option<T>, value: Option<T>) -> bool {
    let well_formed = value.is_some();
    set(place, value);
    well_formed
}

fn set<T>(place: &mut Option<T>, value: Option<T>) {
    if place.is_none() {
        *place = value;
    }
}

fn first_of_4(value: &[u8]) -> Option<u8> {
    <[u8; 4]>::try_from(value).ok().map(|[first, ..]| first)
}

fn text(value: &[u8]) -> Option<String> {
    String::from_utf8(value.to_vec()).ok()
}

pub(super) fn peer_address(value: &[u8], transaction: TransactionId) -> Option<SocketAddr> {
    let family = match value.len() {
        8 => 1,
        20 => 2,
        _ => return None,
    };
    let mut alone = Message::new();
    alone.transaction_id.0 = transaction;
    alone.attributes = Attributes(vec![RawAttribute {
        typ: ATTR_XOR_PEER_ADDRESS,
        length: u16::try_from(value.len()).ok()?,
        value: value.to_vec(),
    }]);
    let mut address = XorMappedAddress::default();
    address
        .get_from_as(&alone, ATTR_XOR_PEER_ADDRESS)
        .ok()
        .filter(|()| value[1] == family)?;
    Some(SocketAddr::new(address.ip, address.port))
}

fn method(kind: MessageType) -> Option<Method> {
    match kind.method {
        _ if kind.class != CLASS_REQUEST => None,
        METHOD_BINDING => Some(Method::Binding),
        METHOD_ALLOCATE => Some(Method::Allocate),
        METHOD_REFRESH => Some(Method::Refresh),
        METHOD_CREATE_PERMISSION => Some(Method::CreatePermission),
        METHOD_CHANNEL_BIND => Some(Method::ChannelBind),
        _ => None,
    }
}
