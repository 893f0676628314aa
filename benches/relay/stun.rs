//! STUN messages (RFC 8489 §5, §14) as far as a TURN client needs them.

use std::net::{Ipv4Addr, SocketAddrV4};

use ring::hmac;

pub(crate) const BINDING: u16 = 0x0001;
pub(crate) const ALLOCATE: u16 = 0x0003;
pub(crate) const SEND_INDICATION: u16 = 0x0016;
pub(crate) const DATA_INDICATION: u16 = 0x0017;
pub(crate) const CREATE_PERMISSION: u16 = 0x0008;
pub(crate) const CHANNEL_BIND: u16 = 0x0009;

pub(crate) const USERNAME: u16 = 0x0006;
pub(crate) const MESSAGE_INTEGRITY: u16 = 0x0008;
pub(crate) const ERROR_CODE: u16 = 0x0009;
pub(crate) const CHANNEL_NUMBER: u16 = 0x000c;
pub(crate) const XOR_PEER_ADDRESS: u16 = 0x0012;
pub(crate) const DATA: u16 = 0x0013;
pub(crate) const REALM: u16 = 0x0014;
pub(crate) const NONCE: u16 = 0x0015;
pub(crate) const XOR_RELAYED_ADDRESS: u16 = 0x0016;
pub(crate) const REQUESTED_TRANSPORT: u16 = 0x0019;

const COOKIE: u32 = 0x2112_a442;
const HEADER: usize = 20;
/// MESSAGE-INTEGRITY with its attribute header: an HMAC-SHA1 is 20 bytes.
const INTEGRITY: usize = 24;

pub(crate) type Transaction = [u8; 12];

/// A message that is being written.
pub(crate) struct Builder {
    bytes: Vec<u8>,
}

impl Builder {
    pub(crate) fn new(kind: u16, transaction: Transaction) -> Self {
        let mut bytes = Vec::with_capacity(256);
        bytes.extend(kind.to_be_bytes());
        bytes.extend([0, 0]);
        bytes.extend(COOKIE.to_be_bytes());
        bytes.extend(transaction);
        Self { bytes }
    }

    pub(crate) fn attribute(mut self, kind: u16, value: &[u8]) -> Self {
        self.bytes.extend(kind.to_be_bytes());
        self.bytes.extend((value.len() as u16).to_be_bytes());
        self.bytes.extend(value);
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
        self
    }

    pub(crate) fn xor_address(self, kind: u16, address: SocketAddrV4) -> Self {
        let ip = u32::from(*address.ip()) ^ COOKIE;
        let port = address.port() ^ (COOKIE >> 16) as u16;
        let mut value = vec![0, 1];
        value.extend(port.to_be_bytes());
        value.extend(ip.to_be_bytes());
        self.attribute(kind, &value)
    }

    pub(crate) fn finish(mut self) -> Vec<u8> {
        self.set_length(0);
        self.bytes
    }

    /// Ends the message with MESSAGE-INTEGRITY (RFC 8489 §14.5).
    pub(crate) fn finish_signed(mut self, key: &hmac::Key) -> Vec<u8> {
        self.set_length(INTEGRITY);
        let tag = hmac::sign(key, &self.bytes);
        self.attribute(MESSAGE_INTEGRITY, tag.as_ref()).finish()
    }

    fn set_length(&mut self, more: usize) {
        let length = (self.bytes.len() - HEADER + more) as u16;
        self.bytes[2..4].copy_from_slice(&length.to_be_bytes());
    }
}

/// A message that was received.
#[derive(Clone, Copy)]
pub(crate) struct Message<'a> {
    bytes: &'a [u8],
}

impl<'a> Message<'a> {
    pub(crate) fn parse(packet: &'a [u8]) -> Option<Self> {
        let stun =
            packet.len() >= HEADER && packet[0] & 0xc0 == 0 && packet[4..8] == COOKIE.to_be_bytes();
        stun.then_some(Self { bytes: packet })
    }

    pub(crate) fn kind(&self) -> u16 {
        u16::from_be_bytes([self.bytes[0], self.bytes[1]])
    }

    pub(crate) fn transaction(&self) -> &'a [u8] {
        &self.bytes[8..HEADER]
    }

    pub(crate) fn is_error(&self) -> bool {
        self.kind() & 0x0110 == 0x0110
    }

    pub(crate) fn attribute(&self, wanted: u16) -> Option<&'a [u8]> {
        let mut rest = &self.bytes[HEADER..];
        while let Some((head, tail)) = rest.split_first_chunk::<4>() {
            let kind = u16::from_be_bytes([head[0], head[1]]);
            let length = usize::from(u16::from_be_bytes([head[2], head[3]]));
            if kind == wanted {
                return tail.get(..length);
            }
            rest = tail.get(length.next_multiple_of(4)..)?;
        }
        None
    }

    pub(crate) fn xor_address(&self, kind: u16) -> Option<SocketAddrV4> {
        let value: &[u8; 8] = self.attribute(kind)?.try_into().ok()?;
        let port = u16::from_be_bytes([value[2], value[3]]) ^ (COOKIE >> 16) as u16;
        let ip = u32::from_be_bytes([value[4], value[5], value[6], value[7]]) ^ COOKIE;
        Some(SocketAddrV4::new(Ipv4Addr::from(ip), port))
    }

    /// The number of ERROR-CODE, or 0.
    pub(crate) fn error_code(&self) -> u16 {
        match self.attribute(ERROR_CODE) {
            Some([_, _, class, number, ..]) => u16::from(*class) * 100 + u16::from(*number),
            _ => 0,
        }
    }
}

/// How long the message or `ChannelData` is that a stream begins with (RFC 8656 §12.5 pads to four bytes there).
pub(crate) fn framed_length(stream: &[u8]) -> Option<usize> {
    let head: &[u8; 4] = stream.first_chunk()?;
    let length = usize::from(u16::from_be_bytes([head[2], head[3]]));
    Some(if head[0] & 0xc0 == 0x40 {
        4 + length.next_multiple_of(4)
    } else {
        HEADER + length
    })
}
