//! STUN control messages (RFC 8489 §5, §14; RFC 8656 §18): the only place that imports webrtc-rs's codecs.

mod answer;
#[cfg(any(test, fuzzing))]
pub(crate) mod drafts;
mod request;

pub(crate) use answer::Answer;
pub use request::MAX_REQUEST;
pub(crate) use request::{Method, NotARequest, Request};
use stun::fingerprint::fingerprint_value;

pub(crate) const HEADER: usize = 20;
/// The magic cookie.
pub(crate) const COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
const FINGERPRINT_LENGTH: usize = 8;

pub(crate) type TransactionId = [u8; 12];

/// The key of long-term credentials: MD5 of `username:realm:password` (RFC 8489 §9.2.2).
pub type Key = [u8; 16];

/// The key of a user's long-term credential.
pub fn key(username: &str, realm: &str, password: &str) -> Key {
    let digest = turn::auth::generate_auth_key(username, realm, password);
    std::array::from_fn(|i| digest.get(i).copied().unwrap_or_default())
}

/// Is this a request of STUN or TURN that can be read?
pub fn is_request(message: &[u8]) -> bool {
    Request::decode(message).is_ok()
}

/// Is FINGERPRINT the last attribute of `message`, and right?
pub(crate) fn fingerprint_holds(message: &[u8]) -> bool {
    let Some((covered, attribute)) = message.split_last_chunk::<FINGERPRINT_LENGTH>() else {
        return false;
    };
    attribute[..4] == [0x80, 0x28, 0, 4]
        && attribute[4..] == fingerprint_value(covered).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

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
