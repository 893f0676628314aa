//! STUN messages as bytes, written and read by hand: nothing here is shared with the program under test.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};

pub(crate) const COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
pub(crate) const HEADER: usize = 20;

/// Methods (RFC 8489 §18.2, RFC 8656 §17).
pub(crate) const BINDING: u16 = 0x001;
pub(crate) const ALLOCATE: u16 = 0x003;
pub(crate) const REFRESH: u16 = 0x004;
pub(crate) const SEND: u16 = 0x006;
pub(crate) const DATA: u16 = 0x007;
pub(crate) const CREATE_PERMISSION: u16 = 0x008;
pub(crate) const CHANNEL_BIND: u16 = 0x009;

/// Classes, as bits of the message type (RFC 8489 §5).
pub(crate) const INDICATION: u16 = 0x010;
pub(crate) const SUCCESS: u16 = 0x100;
pub(crate) const ERROR: u16 = 0x110;

/// Attributes (RFC 8489 §18.3, RFC 8656 §18).
pub(crate) mod attribute {
    pub(crate) const MAPPED_ADDRESS: u16 = 0x0001;
    pub(crate) const USERNAME: u16 = 0x0006;
    pub(crate) const MESSAGE_INTEGRITY: u16 = 0x0008;
    pub(crate) const ERROR_CODE: u16 = 0x0009;
    pub(crate) const UNKNOWN_ATTRIBUTES: u16 = 0x000a;
    pub(crate) const CHANNEL_NUMBER: u16 = 0x000c;
    pub(crate) const LIFETIME: u16 = 0x000d;
    pub(crate) const XOR_PEER_ADDRESS: u16 = 0x0012;
    pub(crate) const DATA: u16 = 0x0013;
    pub(crate) const REALM: u16 = 0x0014;
    pub(crate) const NONCE: u16 = 0x0015;
    pub(crate) const XOR_RELAYED_ADDRESS: u16 = 0x0016;
    pub(crate) const REQUESTED_ADDRESS_FAMILY: u16 = 0x0017;
    pub(crate) const EVEN_PORT: u16 = 0x0018;
    pub(crate) const REQUESTED_TRANSPORT: u16 = 0x0019;
    pub(crate) const DONT_FRAGMENT: u16 = 0x001a;
    pub(crate) const XOR_MAPPED_ADDRESS: u16 = 0x0020;
    pub(crate) const RESERVATION_TOKEN: u16 = 0x0022;
    pub(crate) const SOFTWARE: u16 = 0x8022;
    pub(crate) const FINGERPRINT: u16 = 0x8028;
}

pub(crate) type Transaction = [u8; 12];

/// A message in the making. Attributes stand in the order in which they are added.
#[derive(Clone)]
pub(crate) struct Draft {
    kind: u16,
    pub transaction: Transaction,
    body: Vec<u8>,
}

impl Draft {
    pub(crate) fn new(kind: u16) -> Self {
        let mut transaction = [0; 12];
        SystemRandom::new().fill(&mut transaction).unwrap();
        Self {
            kind,
            transaction,
            body: Vec::new(),
        }
    }

    pub(crate) fn indication(method: u16) -> Self {
        Self::new(method | INDICATION)
    }

    pub(crate) fn with(mut self, attribute: u16, value: &[u8]) -> Self {
        let length = u16::try_from(value.len()).unwrap();
        self.body.extend(attribute.to_be_bytes());
        self.body.extend(length.to_be_bytes());
        self.body.extend(value);
        self.body.resize(self.body.len().next_multiple_of(4), 0);
        self
    }

    pub(crate) fn lifetime(self, seconds: u32) -> Self {
        self.with(attribute::LIFETIME, &seconds.to_be_bytes())
    }

    pub(crate) fn peer(self, peer: SocketAddr) -> Self {
        let value = xored(peer, &self.transaction);
        self.with(attribute::XOR_PEER_ADDRESS, &value)
    }

    pub(crate) fn channel(self, number: u16) -> Self {
        let [high, low] = number.to_be_bytes();
        self.with(attribute::CHANNEL_NUMBER, &[high, low, 0, 0])
    }

    /// Adds MESSAGE-INTEGRITY over what is there so far (RFC 8489 §14.5).
    pub(crate) fn integrity(self, key: &[u8]) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, key);
        let tag = hmac::sign(&key, &self.bytes_with_room(24));
        self.with(attribute::MESSAGE_INTEGRITY, tag.as_ref())
    }

    /// Adds FINGERPRINT over what is there so far (RFC 8489 §14.7).
    pub(crate) fn fingerprint(self) -> Self {
        let value = crc32(&self.bytes_with_room(8)) ^ 0x5354_554e;
        self.with(attribute::FINGERPRINT, &value.to_be_bytes())
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.bytes_with_room(0)
    }

    /// The message, with a length that already counts an attribute to come.
    fn bytes_with_room(&self, room: usize) -> Vec<u8> {
        let length = u16::try_from(self.body.len() + room).unwrap();
        let mut bytes = self.kind.to_be_bytes().to_vec();
        bytes.extend(length.to_be_bytes());
        bytes.extend(COOKIE);
        bytes.extend(self.transaction);
        bytes.extend(&self.body);
        bytes
    }
}

/// A message from the server, well-formed in every byte or refused by [`Message::parse`].
#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub kind: u16,
    pub transaction: Transaction,
    attributes: Vec<(u16, Vec<u8>)>,
    /// Everything before MESSAGE-INTEGRITY, and the tag.
    integrity: Option<(Vec<u8>, Vec<u8>)>,
}

impl Message {
    pub(crate) fn parse(bytes: &[u8]) -> Self {
        assert!(bytes.len() >= HEADER, "shorter than a header: {bytes:02x?}");
        assert_eq!(bytes[4..8], COOKIE, "the magic cookie");
        let length = usize::from(u16_at(bytes, 2));
        assert_eq!(bytes.len(), HEADER + length, "the length of the message");
        let mut message = Self {
            kind: u16_at(bytes, 0),
            transaction: bytes[8..HEADER].try_into().unwrap(),
            attributes: Vec::new(),
            integrity: None,
        };
        let mut at = HEADER;
        while at < bytes.len() {
            at = message.parse_attribute(bytes, at);
        }
        message
    }

    /// Takes the attribute that begins at `at`, and gives where it ends.
    fn parse_attribute(&mut self, bytes: &[u8], at: usize) -> usize {
        let (kind, length) = (u16_at(bytes, at), usize::from(u16_at(bytes, at + 2)));
        let value = &bytes[at + 4..at + 4 + length];
        if kind == attribute::FINGERPRINT {
            assert_eq!(at + 8, bytes.len(), "FINGERPRINT comes last");
            let right = crc32(&bytes[..at]) ^ 0x5354_554e;
            assert_eq!(value, right.to_be_bytes(), "the fingerprint");
        }
        if kind == attribute::MESSAGE_INTEGRITY {
            let mut signed = bytes[..at].to_vec();
            let end = u16::try_from(at + 24 - HEADER).unwrap();
            signed[2..4].copy_from_slice(&end.to_be_bytes());
            self.integrity = Some((signed, value.to_vec()));
        }
        self.attributes.push((kind, value.to_vec()));
        (at + 4 + length).next_multiple_of(4)
    }

    pub(crate) fn get(&self, attribute: u16) -> Option<&[u8]> {
        self.attributes
            .iter()
            .find(|(kind, _)| *kind == attribute)
            .map(|(_, value)| value.as_slice())
    }

    pub(crate) fn is_success(&self) -> bool {
        self.kind & ERROR == SUCCESS
    }

    /// The code of an error response.
    pub(crate) fn error(&self) -> Option<u16> {
        if self.kind & ERROR != ERROR {
            return None;
        }
        let value = self.get(attribute::ERROR_CODE).expect("ERROR-CODE");
        Some(u16::from(value[2] & 7) * 100 + u16::from(value[3]))
    }

    pub(crate) fn lifetime(&self) -> u32 {
        let value = self.get(attribute::LIFETIME).expect("LIFETIME");
        u32::from_be_bytes(value.try_into().expect("four bytes of LIFETIME"))
    }

    /// The value of an address that is hidden by XOR.
    pub(crate) fn address(&self, attribute: u16) -> Option<SocketAddr> {
        let value = self.get(attribute)?;
        let mut mask = COOKIE.to_vec();
        mask.extend(self.transaction);
        let port = u16_at(value, 2) ^ u16_at(&mask, 0);
        let plain: Vec<u8> = value[4..].iter().zip(mask).map(|(a, b)| a ^ b).collect();
        let ip = match value[1] {
            1 => Ipv4Addr::from(<[u8; 4]>::try_from(plain).unwrap()).into(),
            2 => IpAddr::from(Ipv6Addr::from(<[u8; 16]>::try_from(plain).unwrap())),
            family => panic!("address family {family}"),
        };
        Some(SocketAddr::new(ip, port))
    }

    pub(crate) fn has_integrity(&self) -> bool {
        self.integrity.is_some()
    }

    pub(crate) fn is_signed_with(&self, key: &[u8]) -> bool {
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, key);
        self.integrity
            .as_ref()
            .is_some_and(|(signed, tag)| hmac::verify(&key, signed, tag).is_ok())
    }
}

fn xored(address: SocketAddr, transaction: &Transaction) -> Vec<u8> {
    let mut mask = COOKIE.to_vec();
    mask.extend(transaction);
    let (family, octets) = match address.ip() {
        IpAddr::V4(ip) => (1, ip.octets().to_vec()),
        IpAddr::V6(ip) => (2, ip.octets().to_vec()),
    };
    let port = address.port() ^ u16_at(&COOKIE, 0);
    let mut value = vec![0, family];
    value.extend(port.to_be_bytes());
    value.extend(octets.iter().zip(mask).map(|(a, b)| a ^ b));
    value
}

/// A `ChannelData` message, padded to four bytes as streams want it (RFC 8656 §12.5).
pub(crate) fn channel_data(number: u16, data: &[u8]) -> Vec<u8> {
    let mut bytes = unpadded_channel_data(number, data);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

pub(crate) fn unpadded_channel_data(number: u16, data: &[u8]) -> Vec<u8> {
    let mut bytes = number.to_be_bytes().to_vec();
    bytes.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
    bytes.extend(data);
    bytes
}

pub(crate) fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

/// CRC-32 as in ITU V.42, bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            let carry = if crc & 1 == 1 { 0xedb8_8320 } else { 0 };
            crc = crc >> 1 ^ carry;
        }
    }
    !crc
}
