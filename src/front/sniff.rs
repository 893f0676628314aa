//! Who is a new TCP connection for? Pure: its first bytes in, a verdict out.

/// What the first bytes of a connection say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// A TLS handshake record (RFC 8446 §5.1).
    Tls,
    /// A request line of plain HTTP.
    Http,
    /// A STUN request (RFC 8489 §5); every conversation with a TURN server begins with one.
    Turn,
    /// Nothing that is spoken here.
    Unknown,
}

const HANDSHAKE_RECORD: u8 = 22;

/// Judges by the first byte, so that one byte is always enough. `first` is not empty.
pub(crate) fn sniff(first: &[u8]) -> Protocol {
    match first.first() {
        Some(&HANDSHAKE_RECORD) => Protocol::Tls,
        Some(b'A'..=b'Z') => Protocol::Http,
        Some(0) => Protocol::Turn,
        _ => Protocol::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_tls_from_http_from_noise() {
        assert_eq!(sniff(&[0x16, 3, 1, 2, 0]), Protocol::Tls);
        assert_eq!(sniff(b"\x16"), Protocol::Tls);
        assert_eq!(sniff(b"GET / HTTP/1.1"), Protocol::Http);
        assert_eq!(sniff(b"PRI * HTTP/2.0"), Protocol::Http);
        assert_eq!(sniff(&[0, 3, 0, 0]), Protocol::Turn);
        for noise in [&b"\x01\x01"[..], b"ssh-2.0", b"\x80\x2e\x01", b"\xff", b""] {
            assert_eq!(sniff(noise), Protocol::Unknown);
        }
    }
}
