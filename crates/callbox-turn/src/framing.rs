//! From a stream to messages (RFC 8656 §2.1, §12.5): STUN messages and padded `ChannelData` in any order. Pure.

use super::channel_data::{self, padded};
use super::indication;
use super::wire;

/// What a stream goes on with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frame {
    /// A message of `length` bytes, and `taken` with its padding.
    Whole {
        /// Bytes of the message.
        length: usize,
        /// Bytes until the next message.
        taken: usize,
    },
    /// The rest is not there yet.
    Partial,
    /// Nothing that TURN speaks; the place of the next message cannot be known.
    Broken,
}

/// The most data that fits into a UDP datagram over IPv4.
pub const MAX_DATA: usize = 65_507;
/// The longest message that a length can say.
pub const MAX_MESSAGE: usize = wire::HEADER + 65_535;

/// Looks at the first message in `bytes`.
pub fn next(bytes: &[u8]) -> Frame {
    match bytes.first() {
        None => Frame::Partial,
        Some(0..=0x3f) => stun(bytes),
        Some(first) if channel_data::is_channel_data(*first) => channel(bytes),
        Some(_) => Frame::Broken,
    }
}

fn stun(bytes: &[u8]) -> Frame {
    let Some(header) = bytes.first_chunk::<8>() else {
        return Frame::Partial;
    };
    let length = wire::HEADER + usize::from(u16::from_be_bytes([header[2], header[3]]));
    // Only what carries data may be long.
    let too_long = length > wire::MAX_REQUEST && !indication::is_send(header);
    if header[4..] != wire::COOKIE || !length.is_multiple_of(4) || too_long {
        return Frame::Broken;
    }
    whole(bytes, length, length)
}

fn channel(bytes: &[u8]) -> Frame {
    let Some([_, _, high, low]) = bytes.first_chunk() else {
        return Frame::Partial;
    };
    let data = usize::from(u16::from_be_bytes([*high, *low]));
    if data > MAX_DATA {
        return Frame::Broken;
    }
    let length = channel_data::HEADER + data;
    whole(bytes, length, padded(length))
}

fn whole(bytes: &[u8], length: usize, taken: usize) -> Frame {
    if bytes.len() < taken {
        return Frame::Partial;
    }
    Frame::Whole { length, taken }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn binding() -> Vec<u8> {
        let mut message = vec![0, 1, 0, 0];
        message.extend(wire::COOKIE);
        message.extend([7; 12]);
        message
    }

    /// Cuts a stream into its messages.
    fn split(mut bytes: &[u8]) -> (Vec<Vec<u8>>, Frame) {
        let mut messages = Vec::new();
        loop {
            match next(bytes) {
                Frame::Whole { length, taken } => {
                    messages.push(bytes[..length].to_vec());
                    bytes = &bytes[taken..];
                }
                other => return (messages, other),
            }
        }
    }

    #[test]
    fn messages_of_both_kinds_follow_each_other() {
        let mut stream = binding();
        stream.extend(b"\x40\x00\x00\x05hello\0\0\0");
        stream.extend(binding());
        let (messages, rest) = split(&stream);
        assert_eq!(messages.len(), 3);
        assert_eq!(messages[1], b"\x40\x00\x00\x05hello");
        assert_eq!(rest, Frame::Partial);
    }

    #[test]
    fn one_byte_at_a_time_is_partial_until_the_last() {
        for whole in [binding(), b"\x4f\xff\x00\x01x\0\0\0".to_vec()] {
            for end in 0..whole.len() {
                assert_eq!(next(&whole[..end]), Frame::Partial, "{end}");
            }
            assert!(matches!(next(&whole), Frame::Whole { .. }));
        }
    }

    #[test]
    fn what_turn_does_not_speak_is_broken() {
        let mut cookie = binding();
        cookie[4] = 0;
        let mut odd = binding();
        odd[3] = 2;
        let mut long = binding();
        long[2..4].copy_from_slice(&[0xff, 0xfc]);
        for bytes in [
            &cookie[..],
            &odd,
            &long,
            b"SSH-2",
            b"\x50\x00\x00\x00",
            b"\x80",
            b"\x40\x00\xff\xff",
        ] {
            assert_eq!(next(bytes), Frame::Broken, "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_have_an_answer_within_them(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Frame::Whole { length, taken } = next(&bytes) {
                prop_assert!(length <= taken && taken <= bytes.len() && taken - length < 4 && taken > 0);
            }
        }
    }
}
