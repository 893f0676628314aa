//! Which answers webrtc-rs's client can be given.

use stun::attributes::ATTR_ERROR_CODE;
use stun::message::Message;

/// Bytes of ERROR-CODE in front of the reason phrase (RFC 8489 §14.8).
const BEFORE_REASON: usize = 4;

/// Can webrtc-rs's client be given this message? It takes the reason of an error for text.
pub(super) fn is_readable(message: &[u8]) -> bool {
    let mut read = Message::new();
    if read.write(message).is_err() {
        return false;
    }
    read.get(ATTR_ERROR_CODE).is_ok_and(|value| {
        value
            .get(BEFORE_REASON..)
            .is_some_and(|reason| std::str::from_utf8(reason).is_ok())
    }) || !read.contains(ATTR_ERROR_CODE)
}

#[cfg(test)]
mod tests {
    use stun::message::{CLASS_ERROR_RESPONSE, METHOD_ALLOCATE, MessageType};

    use super::*;

    #[test]
    fn reasons_that_are_no_text_are_not_readable() {
        let answer = |value: &[u8]| {
            let mut message = Message::new();
            message.typ = MessageType::new(METHOD_ALLOCATE, CLASS_ERROR_RESPONSE);
            message.write_header();
            message.add(ATTR_ERROR_CODE, value);
            message.raw
        };
        assert!(is_readable(&answer(b"\0\0\x04\x01Unauthorized")));
        assert!(is_readable(&answer(b"\0\0\x04\x01")));
        for odd in [&b"\0\0\x04\x01\xff\xfe"[..], b"\0\0\x04", b""] {
            assert!(!is_readable(&answer(odd)), "{odd:?}");
        }
        let whole = answer(b"\0\0\x04\x01Unauthorized");
        assert!(!is_readable(&whole[..whole.len() - 4]));
        assert!(!is_readable(b""));
    }
}
