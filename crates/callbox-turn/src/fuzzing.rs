//! What the fuzz targets call: bytes go in, and a broken rule is a panic. The ordinary tests replay what is kept in
//! `fuzz/`, so that the targets hold over a change.
#![allow(
    clippy::missing_panics_doc,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]

use std::time::Duration;

use crate::channel_data;
use crate::engine::tests::schedule;
use crate::engine::{HEADROOM, TAILROOM};
use crate::framing::{self, Frame};
use crate::indication;
use crate::wire::drafts::{Draft, Kind, Seen};
use crate::wire::{self, Answer, Key, Method, Request};

const MESSAGE_INTEGRITY: u16 = 0x0008;
const FINGERPRINT: u16 = 0x8028;
const XOR_PEER_ADDRESS: u16 = 0x0012;
const DATA: u16 = 0x0013;

/// A server, its clients and peers, and time: what the bytes say, they do.
pub fn engine(bytes: &[u8]) {
    schedule::run(bytes);
}

/// STUN messages and Data indications: as they come, as attributes of a request with a right signature, and as data.
pub fn stun(bytes: &[u8]) {
    message(bytes);
    signed_request(bytes);
    data_indication(bytes);
}

fn message(bytes: &[u8]) {
    if let Ok(mut request) = Request::decode(bytes) {
        let length = bytes.len();
        let whole = Frame::Whole {
            length,
            taken: length,
        };
        assert_eq!(
            framing::next(bytes),
            whole,
            "on a stream it is a message too"
        );
        assert!(!request.holds(&[7; 16]), "nobody signs with this key");
        answers(&request, wire::fingerprint_holds(bytes));
    }
    if let Some(send) = indication::parse_send(bytes) {
        let theirs = Seen::read(bytes);
        assert_eq!(theirs.get(DATA).as_deref(), Some(&bytes[send.data]));
        // The first byte is to be ignored (RFC 8489 §14.1); webrtc-rs takes it for a part of the family.
        if theirs.get(XOR_PEER_ADDRESS).unwrap()[0] == 0 {
            assert_eq!(theirs.address(XOR_PEER_ADDRESS), Some(send.peer));
        }
    }
}

/// Whatever a request is like, its answers are well-formed.
fn answers(request: &Request, fingerprinted: bool) {
    let key = wire::key("alice", "callbox", "wonderland");
    let success = || {
        Answer::success(request)
            .relayed("[2001:db8::1]:5000".parse().unwrap())
            .mapped("192.0.2.1:5000".parse().unwrap())
            .lifetime(Duration::from_secs(600))
            .token([1; 8])
    };
    let refusal = || {
        Answer::error(request, 420, "Unknown Attribute")
            .unknown(&request.unknown)
            .challenge("callbox", "nonce")
    };
    let check = |answer: Answer, error, key: Option<&Key>| {
        let bytes = answer.finish(key);
        assert!(
            matches!(framing::next(&bytes), Frame::Whole { length, .. } if length == bytes.len())
        );
        assert_eq!(wire::fingerprint_holds(&bytes), fingerprinted);
        let mut seen = Seen::read(&bytes);
        assert_eq!(seen.error(), error);
        assert_eq!(seen.0.transaction_id.0, request.transaction);
        assert!(key.is_none_or(|key| seen.signed_with(key)));
    };
    check(success(), None, Some(&key));
    check(refusal(), Some(420), Some(&key));
    check(success(), None, None);
    check(refusal(), Some(420), None);
}

/// What the bytes say are attributes, and who signs it may do so; who changes it afterwards may not.
fn signed_request(bytes: &[u8]) {
    let Some(([method, flip, at, count], mut rest)) = bytes.split_first_chunk::<4>() else {
        return;
    };
    let methods = [
        Method::Binding,
        Method::Allocate,
        Method::Refresh,
        Method::CreatePermission,
        Method::ChannelBind,
    ];
    let method = methods[usize::from(*method) % methods.len()];
    let mut draft = Draft::new(&Kind::Request(method), [3; 12]);
    let mut plain = true;
    for _ in 0..count % 16 {
        let Some(([k0, k1, length], value)) = rest.split_first_chunk() else {
            break;
        };
        let kind = u16::from_be_bytes([*k0, *k1]);
        let (taken, left) = value.split_at(value.len().min((*length).into()));
        rest = left;
        // Behind a FINGERPRINT nobody can sign.
        if kind != FINGERPRINT {
            plain &= kind != MESSAGE_INTEGRITY;
            draft = draft.raw(kind, taken);
        }
    }
    let key = wire::key("alice", "callbox", "wonderland");
    let signed = draft.sign("alice", "callbox", b"nonce", &key).bytes();
    message(&signed);
    if signed.len() > wire::MAX_REQUEST || !plain {
        return;
    }
    let mut request = Request::decode(&signed).expect("a request");
    assert!(request.signed && request.holds(&key) && !request.holds(&[7; 16]));
    assert_eq!((request.method, request.transaction), (method, [3; 12]));
    if *flip != 0 {
        let mut changed = signed;
        let at = usize::from(*at) * changed.len() / 256;
        changed[at] ^= flip;
        message(&changed);
        let holds = Request::decode(&changed).is_ok_and(|mut request| request.holds(&key));
        assert!(!holds, "a change at {at} is not noticed");
    }
}

/// What is written around data is read again, by webrtc-rs too.
fn data_indication(bytes: &[u8]) {
    for peer in ["192.0.2.1:50000", "[2001:db8::1]:1"] {
        let peer = peer.parse().unwrap();
        let data = HEADROOM..HEADROOM + bytes.len();
        let mut buffer = vec![0xee; data.end + TAILROOM];
        buffer[data.clone()].copy_from_slice(bytes);
        let message = indication::write_data(&mut buffer, data.clone(), peer, [9; 12]);
        let message = &buffer[message.expect("short enough")];
        let seen = Seen::read(message);
        assert_eq!(seen.get(DATA).as_deref(), Some(bytes));
        assert_eq!(seen.address(XOR_PEER_ADDRESS), Some(peer));

        buffer[data.clone()].copy_from_slice(bytes);
        let message = channel_data::write_header(&mut buffer, 0x4001, data);
        let message = &buffer[message.expect("short enough")];
        let (number, data) = channel_data::parse(message).expect("a message");
        assert_eq!((number, &message[data]), (0x4001, bytes));
    }
}

/// A stream, in pieces as long as its first bytes say: the messages are the same as in one piece.
pub fn framing(bytes: &[u8]) {
    let Some((pieces, stream)) = bytes.split_first_chunk::<4>() else {
        return;
    };
    let (whole, broken) = cut(stream, &mut Vec::new());
    let mut held = Vec::new();
    let (mut messages, mut rest, mut ended) = (Vec::new(), stream, false);
    for piece in pieces.iter().cycle() {
        if rest.is_empty() || ended {
            break;
        }
        let (now, later) = rest.split_at(rest.len().min(usize::from(*piece) + 1));
        rest = later;
        let mut all = std::mem::take(&mut held);
        all.extend_from_slice(now);
        let (more, is_broken) = cut(&all, &mut held);
        messages.extend(more);
        ended = is_broken;
    }
    assert_eq!((messages, ended), (whole, broken));
}

/// The messages in `bytes`, and whether what follows them is none; what is not whole yet goes to `held`.
fn cut(mut bytes: &[u8], held: &mut Vec<u8>) -> (Vec<Vec<u8>>, bool) {
    let mut messages = Vec::new();
    loop {
        match framing::next(bytes) {
            Frame::Whole { length, taken } => {
                assert!(0 < length && length <= taken && taken < length + 4);
                assert!(length <= framing::MAX_MESSAGE);
                let message = &bytes[..length];
                assert_eq!(framing::next(&bytes[..taken - 1]), Frame::Partial);
                match message[0] {
                    0x40.. => {
                        let (_, data) = channel_data::parse(message).expect("a whole one");
                        assert_eq!(data.end, length);
                        assert!(taken.is_multiple_of(4));
                    }
                    _ => assert_eq!((taken, &message[4..8]), (length, &wire::COOKIE[..])),
                }
                messages.push(message.to_vec());
                bytes = &bytes[taken..];
            }
            Frame::Partial => {
                assert!(bytes.len() < framing::MAX_MESSAGE, "waits for ever");
                held.extend_from_slice(bytes);
                return (messages, false);
            }
            Frame::Broken => return (messages, true),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    /// What found something once, and what reaches far.
    fn replay(name: &str, target: fn(&[u8])) {
        let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz");
        let mut count = 0;
        for kind in ["seeds", "regressions"] {
            let Ok(files) = fs::read_dir(fuzz.join(kind).join(name)) else {
                continue;
            };
            for file in files {
                let path = file.unwrap().path();
                println!("{}", path.display());
                target(&fs::read(path).unwrap());
                count += 1;
            }
        }
        assert!(count > 0, "no seeds of {name}");
    }

    #[test]
    fn stun_messages_are_replayed() {
        replay("stun", stun);
    }

    #[test]
    fn streams_are_replayed() {
        replay("framing", framing);
    }

    #[test]
    fn schedules_are_replayed() {
        replay("engine", engine);
    }
}
