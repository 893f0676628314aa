//! STUN control messages (RFC 8489 §5, §14; RFC 8656 §18): the only place that imports webrtc-rs's codecs.

#[cfg(any(test, fuzzing))]
pub mod drafts;

use std::net::SocketAddr;
use std::time::Duration;

use stun::attributes::{
    ATTR_CHANNEL_NUMBER, ATTR_DONT_FRAGMENT, ATTR_EVEN_PORT, ATTR_FINGERPRINT, ATTR_LIFETIME,
    ATTR_MESSAGE_INTEGRITY, ATTR_NONCE, ATTR_REALM, ATTR_REQUESTED_ADDRESS_FAMILY,
    ATTR_REQUESTED_TRANSPORT, ATTR_RESERVATION_TOKEN, ATTR_USERNAME, ATTR_XOR_PEER_ADDRESS,
    AttrType, Attributes, RawAttribute,
};
use stun::error_code::{ErrorCode, ErrorCodeAttribute};
use stun::fingerprint::{FINGERPRINT, fingerprint_value};
use stun::integrity::MessageIntegrity;
use stun::message::{
    CLASS_ERROR_RESPONSE, CLASS_REQUEST, CLASS_SUCCESS_RESPONSE, METHOD_ALLOCATE, METHOD_BINDING,
    METHOD_CHANNEL_BIND, METHOD_CREATE_PERMISSION, METHOD_REFRESH, Message, MessageType, Setter,
};
use stun::textattrs::TextAttribute;
use stun::uattrs::UnknownAttributes;
use stun::xoraddr::XorMappedAddress;
use turn::proto::lifetime::Lifetime;
use turn::proto::relayaddr::RelayedAddress;
use turn::proto::rsrvtoken::ReservationToken;

pub const HEADER: usize = 20;
/// The magic cookie.
pub const COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
/// No request that makes sense is longer; decoding copies, so this bounds the work that a packet can make.
pub const MAX_REQUEST: usize = 2048;
const MAX_USERNAME: usize = 508;
const FINGERPRINT_LENGTH: usize = 8;

pub type TransactionId = [u8; 12];

/// The key of long-term credentials: MD5 of `username:realm:password` (RFC 8489 §9.2.2).
pub type Key = [u8; 16];

pub fn key(username: &str, realm: &str, password: &str) -> Key {
    let digest = turn::auth::generate_auth_key(username, realm, password);
    std::array::from_fn(|i| digest.get(i).copied().unwrap_or_default())
}

/// Is FINGERPRINT the last attribute of `message`, and right?
pub fn fingerprint_holds(message: &[u8]) -> bool {
    let Some((covered, attribute)) = message.split_last_chunk::<FINGERPRINT_LENGTH>() else {
        return false;
    };
    attribute[..4] == [0x80, 0x28, 0, 4]
        && attribute[4..] == fingerprint_value(covered).to_be_bytes()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    Binding,
    Allocate,
    Refresh,
    CreatePermission,
    ChannelBind,
}

/// Why a message is not a request that is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotARequest {
    Malformed,
    /// An indication or a response, or a method that is not spoken here.
    Other,
}

/// A request, as far as its integrity covers it.
#[derive(Debug)]
pub struct Request {
    message: Message,
    pub method: Method,
    pub transaction: TransactionId,
    pub username: Option<String>,
    pub realm: Option<String>,
    pub nonce: Option<Vec<u8>>,
    /// Is there a MESSAGE-INTEGRITY?
    pub signed: bool,
    fingerprinted: bool,
    /// Attributes that have to be understood and are not.
    pub unknown: Vec<u16>,
    pub attributes: RequestAttributes,
}

/// What a TURN request asks for; each `None` or empty where the attribute is not there.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct RequestAttributes {
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
    pub fn decode(bytes: &[u8]) -> Result<Self, NotARequest> {
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
    pub fn holds(&mut self, key: &Key) -> bool {
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

fn peer_address(value: &[u8], transaction: TransactionId) -> Option<SocketAddr> {
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

/// An answer in the making.
pub struct Answer {
    message: Message,
    fingerprint: bool,
}

impl Answer {
    pub fn success(request: &Request) -> Self {
        Self::new(request, CLASS_SUCCESS_RESPONSE)
    }

    pub fn error(request: &Request, code: u16, reason: &str) -> Self {
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

    pub fn mapped(self, address: SocketAddr) -> Self {
        let (ip, port) = (address.ip(), address.port());
        self.with(&XorMappedAddress { ip, port })
    }

    pub fn relayed(self, address: SocketAddr) -> Self {
        let (ip, port) = (address.ip(), address.port());
        self.with(&RelayedAddress { ip, port })
    }

    pub fn lifetime(self, lifetime: Duration) -> Self {
        self.with(&Lifetime(lifetime))
    }

    pub fn token(self, token: [u8; 8]) -> Self {
        self.with(&ReservationToken(token.to_vec()))
    }

    /// What the client needs to sign its request.
    pub fn challenge(self, realm: &str, nonce: &str) -> Self {
        self.with(&TextAttribute::new(ATTR_REALM, realm.to_owned()))
            .with(&TextAttribute::new(ATTR_NONCE, nonce.to_owned()))
    }

    pub fn unknown(self, attributes: &[u16]) -> Self {
        let kinds = attributes.iter().map(|kind| AttrType(*kind));
        self.with(&UnknownAttributes(kinds.collect()))
    }

    /// The message's bytes, signed if there is a key.
    pub fn finish(self, key: Option<&Key>) -> Vec<u8> {
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

#[cfg(test)]
mod tests {
    use super::drafts::{Draft, Kind, Seen};
    use super::*;

    const PEER: ([u8; 4], u16) = ([192, 0, 2, 7], 99);

    fn create_permission() -> Draft {
        Draft::new(&Kind::Request(Method::CreatePermission), [3; 12]).peer(PEER.into())
    }

    #[test]
    fn a_signed_request_is_read_up_to_its_signature() {
        let key = key("alice", "callbox", "wonderland");
        let bytes = create_permission()
            .peer("[2001:db8::1]:5".parse().unwrap())
            .sign("alice", "callbox", b"nonce", &key)
            .lifetime(0)
            .fingerprint()
            .bytes();
        let mut request = Request::decode(&bytes).unwrap();
        assert_eq!(request.method, Method::CreatePermission);
        assert_eq!(request.attributes.peers.len(), 2);
        assert_eq!(request.attributes.lifetime, None, "behind the signature");
        assert!(request.holds(&key));
        assert!(!request.holds(&super::key("alice", "callbox", "wrong")));
        let answer = Answer::success(&request).lifetime(Duration::from_secs(9));
        let mut seen = Seen::read(&answer.finish(Some(&key)));
        assert_eq!((seen.lifetime(), seen.error()), (Some(9), None));
        assert!(seen.signed_with(&key));
        assert!(fingerprint_holds(&seen.0.raw), "as the request has one");
    }

    #[test]
    fn what_is_not_understood_is_named() {
        let bytes = create_permission()
            .raw(0x7ffe, b"?")
            .raw(0x8001, b"")
            .raw(0x001c, &[0; 32])
            .bytes();
        assert_eq!(Request::decode(&bytes).unwrap().unknown, [0x7ffe, 0x001c]);
    }

    #[test]
    fn malformed_attributes_are_noticed() {
        for (kind, value) in [
            (0x000d, &b"123"[..]),
            (0x0012, b"\0\x01\0\0\0\0\0"),
            (0x0012, &[0; 20]),
            (0x0018, b""),
            (0x0022, b"1234567"),
            (0x000c, b"\x40\x00"),
            (0x001a, b"\x40\x00"),
        ] {
            let bytes = create_permission().raw(kind, value).bytes();
            let request = Request::decode(&bytes).unwrap();
            assert!(request.attributes.malformed, "{kind:x}");
        }
    }

    #[test]
    fn everything_else_is_told_apart() {
        let bytes = create_permission().fingerprint().bytes();
        assert!(Request::decode(&bytes).is_ok());
        let decode = |change: &dyn Fn(&mut Vec<u8>)| {
            let mut changed = bytes.clone();
            change(&mut changed);
            Request::decode(&changed).map(|_| ())
        };
        let malformed = Err(NotARequest::Malformed);
        assert_eq!(decode(&|b| b[4] = 0), malformed, "cookie");
        assert_eq!(decode(&|b| b.push(0)), malformed, "longer than it says");
        assert_eq!(decode(&|b| b.truncate(22)), malformed, "cut");
        assert_eq!(decode(&|b| b[0] |= 0x80), malformed, "the first bits");
        assert_eq!(decode(&|b| b[30] ^= 1), malformed, "fingerprint");
        let other = create_permission().bytes();
        let kind = |high: u8, low: u8| {
            let mut changed = other.clone();
            changed[..2].copy_from_slice(&[high, low]);
            Request::decode(&changed).map(|_| ())
        };
        assert_eq!(kind(0x01, 0x08), Err(NotARequest::Other), "a response");
        assert_eq!(kind(0x00, 0x11), Err(NotARequest::Other), "an indication");
        assert_eq!(kind(0x00, 0x0a), Err(NotARequest::Other), "Connect");
    }
}
