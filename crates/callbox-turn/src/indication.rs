//! Send and Data indications (RFC 8656 §11), read and written in place. Pure.
//!
//! ```text
//! |<----- 20 ----->|<---- 8 to 24 ---->|<------- 4 ------->|
//! | STUN header    | XOR-PEER-ADDRESS  | DATA, its length  | data | padding |
//! ```

use std::net::{IpAddr, SocketAddr};
use std::ops::Range;

use super::channel_data::padded;
use super::wire::{self, COOKIE, HEADER};

const SEND: [u8; 2] = [0x00, 0x16];
const DATA: [u8; 2] = [0x00, 0x17];
const ATTRIBUTE_HEADER: usize = 4;
const XOR_PEER_ADDRESS: u16 = 0x0012;
const DATA_ATTRIBUTE: u16 = 0x0013;
const DONT_FRAGMENT: u16 = 0x001a;
const FINGERPRINT: u16 = 0x8028;
/// Types below this one must be understood by the receiver (RFC 8489 §14).
const FIRST_OPTIONAL: u16 = 0x8000;

/// Room in front of the data for the longest header, that of an IPv6 peer.
pub(crate) const MAX_HEADER: usize = HEADER + ATTRIBUTE_HEADER + 20 + ATTRIBUTE_HEADER;

/// What a client wants sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Send {
    pub peer: SocketAddr,
    pub data: Range<usize>,
    pub dont_fragment: bool,
}

pub(crate) fn is_send(message: &[u8]) -> bool {
    message.starts_with(&SEND)
}

/// Reads a Send indication; `None` for one that is malformed or carries what is not understood, which is discarded
/// (RFC 8656 §11.2).
pub(crate) fn parse_send(message: &[u8]) -> Option<Send> {
    let header = message.first_chunk::<HEADER>()?;
    let length = usize::from(u16::from_be_bytes([header[2], header[3]]));
    if header[4..8] != COOKIE || message.len() != HEADER + length || !length.is_multiple_of(4) {
        return None;
    }
    let (mut peer, mut data, mut dont_fragment) = (None, None, false);
    let mut at = HEADER;
    while at < message.len() {
        let [t0, t1, l0, l1] = *message.get(at..)?.first_chunk()?;
        let start = at + ATTRIBUTE_HEADER;
        let end = start + usize::from(u16::from_be_bytes([l0, l1]));
        let value = message.get(start..end)?;
        match u16::from_be_bytes([t0, t1]) {
            XOR_PEER_ADDRESS if peer.is_none() => peer = Some(read_address(value, header)?),
            DATA_ATTRIBUTE if data.is_none() => data = Some(start..end),
            DONT_FRAGMENT => dont_fragment = true,
            // The last attribute (RFC 8489 §14.7), so that it is computed once whatever a stranger makes up.
            FINGERPRINT if end != message.len() || !wire::fingerprint_holds(message) => {
                return None;
            }
            XOR_PEER_ADDRESS | DATA_ATTRIBUTE | FIRST_OPTIONAL.. => {}
            _ => return None,
        }
        at = start + padded(end - start);
    }
    Some(Send {
        peer: peer?,
        data: data?,
        dont_fragment,
    })
}

fn read_address(value: &[u8], header: &[u8; HEADER]) -> Option<SocketAddr> {
    let port = u16::from_be_bytes([*value.get(2)? ^ COOKIE[0], *value.get(3)? ^ COOKIE[1]]);
    let mask = &header[4..];
    let ip = match (value.get(1)?, value.len()) {
        (1, 8) => IpAddr::from(xor::<4>(&value[4..], mask)),
        (2, 20) => IpAddr::from(xor::<16>(&value[4..], mask)),
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

fn xor<const N: usize>(bytes: &[u8], mask: &[u8]) -> [u8; N] {
    std::array::from_fn(|i| bytes[i] ^ mask[i])
}

/// Writes the header of a Data indication in front of `data`, and the padding behind it; gives the whole message.
/// `None` where there is no room, or more data than the lengths can say.
pub(crate) fn write_data(
    buffer: &mut [u8],
    data: Range<usize>,
    peer: SocketAddr,
    transaction: [u8; 12],
) -> Option<Range<usize>> {
    let end = data.start + padded(data.len());
    buffer.get_mut(data.end..end)?.fill(0);
    let mut header = [0; HEADER];
    header[..2].copy_from_slice(&DATA);
    header[4..8].copy_from_slice(&COOKIE);
    header[8..].copy_from_slice(&transaction);

    let at = attribute(buffer, data.start, DATA_ATTRIBUTE, data.len())?;
    let at = match peer.ip() {
        IpAddr::V4(ip) => address(buffer, at, 1, xor::<4>(&ip.octets(), &header[4..]), peer)?,
        IpAddr::V6(ip) => address(buffer, at, 2, xor::<16>(&ip.octets(), &header[4..]), peer)?,
    };
    let length = u16::try_from(end - at).ok()?;
    header[2..4].copy_from_slice(&length.to_be_bytes());
    let start = at.checked_sub(HEADER)?;
    buffer.get_mut(start..at)?.copy_from_slice(&header);
    Some(start..end)
}

/// Writes an attribute's header in front of its value at `value`; gives where it begins.
fn attribute(buffer: &mut [u8], value: usize, kind: u16, length: usize) -> Option<usize> {
    let start = value.checked_sub(ATTRIBUTE_HEADER)?;
    let [t0, t1] = kind.to_be_bytes();
    let [l0, l1] = u16::try_from(length).ok()?.to_be_bytes();
    *buffer.get_mut(start..)?.first_chunk_mut()? = [t0, t1, l0, l1];
    Some(start)
}

fn address<const N: usize>(
    buffer: &mut [u8],
    end: usize,
    family: u8,
    ip: [u8; N],
    peer: SocketAddr,
) -> Option<usize> {
    let value = end.checked_sub(4 + N)?;
    let [p0, p1] = peer.port().to_be_bytes();
    let there = buffer.get_mut(value..end)?;
    there[..4].copy_from_slice(&[0, family, p0 ^ COOKIE[0], p1 ^ COOKIE[1]]);
    there[4..].copy_from_slice(&ip);
    attribute(buffer, value, XOR_PEER_ADDRESS, 4 + N)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::drafts::{Draft, Kind};

    /// A Data indication says what a Send indication does, but for its type.
    fn round_trip(peer: &str, payload: &[u8]) {
        let peer: SocketAddr = peer.parse().unwrap();
        let mut buffer = vec![0xee; MAX_HEADER + payload.len() + 3];
        let data = MAX_HEADER..MAX_HEADER + payload.len();
        buffer[data.clone()].copy_from_slice(payload);
        let message = write_data(&mut buffer, data, peer, [9; 12]).unwrap();
        let mut message = buffer[message].to_vec();
        assert_eq!(message[..2], DATA);
        message[1] = SEND[1];
        let send = parse_send(&message).unwrap();
        assert_eq!(send.peer, peer);
        assert_eq!(&message[send.data], payload);
        assert!(!send.dont_fragment);
    }

    #[test]
    fn what_is_written_is_read() {
        for payload in [&b""[..], b"a", b"ab", b"abc", b"abcd"] {
            round_trip("192.0.2.1:50000", payload);
            round_trip("[2001:db8::1]:1", payload);
        }
    }

    #[test]
    fn webrtc_rs_agrees() {
        let mut theirs = stun::message::Message::new();
        let setters: [Box<dyn stun::message::Setter>; 4] = [
            Box::new(turn::proto::send_indication()),
            Box::new(turn::proto::peeraddr::PeerAddress {
                ip: "192.0.2.9".parse().unwrap(),
                port: 4242,
            }),
            Box::new(turn::proto::dontfrag::DontFragmentAttr),
            Box::new(turn::proto::data::Data(b"hello".to_vec())),
        ];
        theirs.build(&setters).unwrap();
        let send = parse_send(&theirs.raw).unwrap();
        assert_eq!(send.peer, "192.0.2.9:4242".parse().unwrap());
        assert_eq!(&theirs.raw[send.data], b"hello");
        assert!(send.dont_fragment);
    }

    #[test]
    fn a_fingerprint_is_the_last_attribute_and_right() {
        let draft = || {
            let peer = "192.0.2.9:4242".parse().unwrap();
            Draft::new(&Kind::Send, [5; 12]).peer(peer).data(b"hello")
        };
        assert!(parse_send(&draft().fingerprint().bytes()).is_some());
        let two = draft().fingerprint().fingerprint().bytes();
        assert_eq!(parse_send(&two), None);
        let empty = draft().raw(FINGERPRINT, b"").fingerprint().bytes();
        assert_eq!(parse_send(&empty), None);
        let mut wrong = draft().fingerprint().bytes();
        *wrong.last_mut().unwrap() ^= 1;
        assert_eq!(parse_send(&wrong), None);
    }

    #[test]
    fn no_cut_or_changed_message_is_read_out_of_bounds() {
        let mut buffer = vec![0; MAX_HEADER + 8];
        let data = MAX_HEADER..MAX_HEADER + 5;
        let peer = "192.0.2.1:9".parse().unwrap();
        let whole = write_data(&mut buffer, data, peer, [1; 12]).unwrap();
        let mut message = buffer[whole].to_vec();
        message[1] = SEND[1];
        for end in 0..message.len() {
            assert_eq!(parse_send(&message[..end]), None);
        }
        for at in 0..message.len() {
            for value in [0, 1, 0x7f, 0x80, 0xff] {
                let mut changed = message.clone();
                changed[at] = value;
                if let Some(send) = parse_send(&changed) {
                    assert!(send.data.end <= changed.len());
                }
            }
        }
    }
}
