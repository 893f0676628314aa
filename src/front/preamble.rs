//! The PROXY protocol (`HAProxy`'s specification, versions 1 and 2): whom a proxy that passes bytes on does it for.
//! Pure: the first bytes of a connection in, a verdict out.

use std::net::SocketAddr;

use ppp::{HeaderResult, PartialResult, v1, v2};

/// More than what proxies write in version 2 with all their notes.
const MAX_LENGTH: usize = 2048;
const MAX_LINE: usize = 107;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Preamble {
    /// These bytes are no such header, nor the beginning of one.
    None,
    /// More bytes are needed.
    Partial,
    Whole {
        /// Where the connection comes from; `None` where it is the proxy's own, as for its health checks.
        source: Option<SocketAddr>,
        /// Bytes that it takes.
        length: usize,
    },
    Broken,
}

const V1: &[u8] = b"PROXY ";
const V2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// What a connection begins with. Of all that is spoken here nothing else begins like that.
pub(super) fn preamble(first: &[u8]) -> Preamble {
    let begins = |mark: &[u8]| {
        let shorter = first.len().min(mark.len());
        first[..shorter] == mark[..shorter]
    };
    if !begins(V1) && !begins(V2) {
        return Preamble::None;
    }
    // A line is whole once it ends; what is missing in one is not to come.
    let is_line = first.len() >= V1.len() && begins(V1);
    let may_grow = if is_line {
        !first.windows(2).any(|two| two == b"\r\n") && first.len() < MAX_LINE
    } else {
        first.len() < MAX_LENGTH
    };
    match HeaderResult::parse(first) {
        HeaderResult::V1(Err(_)) if may_grow => Preamble::Partial,
        HeaderResult::V2(Err(error)) if may_grow && error.is_incomplete() => Preamble::Partial,
        HeaderResult::V1(Ok(header)) => Preamble::Whole {
            source: source_v1(header.addresses),
            length: header.header.len(),
        },
        HeaderResult::V2(Ok(header)) => Preamble::Whole {
            source: source_v2(&header),
            length: header.len(),
        },
        _ => Preamble::Broken,
    }
}

fn source_v1(addresses: v1::Addresses) -> Option<SocketAddr> {
    match addresses {
        v1::Addresses::Tcp4(ip) => Some((ip.source_address, ip.source_port).into()),
        v1::Addresses::Tcp6(ip) => Some((ip.source_address, ip.source_port).into()),
        v1::Addresses::Unknown => None,
    }
}

fn source_v2(header: &v2::Header<'_>) -> Option<SocketAddr> {
    match (header.command, header.addresses) {
        (v2::Command::Proxy, v2::Addresses::IPv4(ip)) => {
            Some((ip.source_address, ip.source_port).into())
        }
        (v2::Command::Proxy, v2::Addresses::IPv6(ip)) => {
            Some((ip.source_address, ip.source_port).into())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Version 2, `command` 0 (local) or 1 (proxy), TCP over IPv4, from 203.0.113.9:1000 to 192.0.2.1:443.
    fn v2(command: u8, notes: &[u8]) -> Vec<u8> {
        let length = u16::try_from(12 + notes.len()).unwrap();
        let mut bytes = V2.to_vec();
        bytes.extend([0x20 | command, 0x11]);
        bytes.extend(length.to_be_bytes());
        bytes.extend([203, 0, 113, 9, 192, 0, 2, 1]);
        bytes.extend(1000_u16.to_be_bytes());
        bytes.extend(443_u16.to_be_bytes());
        bytes.extend(notes);
        bytes
    }

    const CLIENT: &str = "203.0.113.9:1000";

    #[test]
    fn both_versions_name_the_client_and_their_length() {
        let line = b"PROXY TCP4 203.0.113.9 192.0.2.1 1000 443\r\n";
        for header in [line.to_vec(), v2(1, b""), v2(1, b"\x04\0\x01\0")] {
            let bytes = [&header[..], b"GET /"].concat();
            let whole = Preamble::Whole {
                source: Some(CLIENT.parse().unwrap()),
                length: header.len(),
            };
            assert_eq!(preamble(&bytes), whole);
            for cut in 1..header.len() {
                assert_eq!(preamble(&header[..cut]), Preamble::Partial, "{cut}");
            }
        }
        let v6 = b"PROXY TCP6 2001:db8::9 2001:db8::1 1000 443\r\n";
        let source = "[2001:db8::9]:1000".parse().ok();
        assert!(matches!(preamble(v6), Preamble::Whole { source: found, .. } if found == source));
    }

    #[test]
    fn a_proxy_may_come_for_itself() {
        for header in [&b"PROXY UNKNOWN\r\n"[..], &v2(0, b"")] {
            let length = header.len();
            assert_eq!(
                preamble(header),
                Preamble::Whole {
                    source: None,
                    length
                }
            );
        }
    }

    #[test]
    fn what_else_is_spoken_here_is_not_taken_for_one() {
        for other in [
            &b"\x16\x03\x01"[..],
            b"\0\x03\0\0",
            b"GET / HTTP/1.1",
            b"POST /",
            b"PRI * ",
        ] {
            assert_eq!(preamble(other), Preamble::None);
        }
    }

    #[test]
    fn nonsense_and_headers_without_an_end_are_broken() {
        let endless = [&b"PROXY "[..], &[b'x'; MAX_LENGTH]].concat();
        let huge = v2(1, &[0; MAX_LENGTH]);
        for broken in [&b"PROXY TCP4 nobody\r\n"[..], &endless, &huge[..MAX_LENGTH]] {
            assert_eq!(preamble(broken), Preamble::Broken);
        }
    }

    proptest! {
        #[test]
        fn any_bytes_have_a_verdict(bytes in proptest::collection::vec(any::<u8>(), 0..300), which in 0..3_u8) {
            let mark: &[u8] = match which { 0 => b"", 1 => V1, _ => V2 };
            let all = [mark, &bytes].concat();
            if let Preamble::Whole { length, .. } = preamble(&all) {
                prop_assert!(length <= all.len());
            }
        }
    }
}
