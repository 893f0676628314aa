//! Content codings (RFC 9110 §8.4.1): which one a client takes, and a whole body in it. Pure.
//!
//! A body is compressed whole, never as it is sent: the state of a compressor is a hundred times as large as a page, and
//! would stay for as long as a client takes to read.

use std::io::Write;

use axum::http::header::ACCEPT_ENCODING;
use axum::http::{HeaderMap, HeaderValue};
use brotli::CompressorWriter;
use flate2::Compression;
use flate2::write::GzEncoder;

/// Of the Brotli window, as the exponent of two.
const WINDOW: u32 = 18;
const BUFFER: usize = 4096;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Coding {
    /// RFC 7932
    Brotli,
    /// RFC 1952
    Gzip,
}

/// How hard to try.
#[derive(Debug, Clone, Copy)]
pub(super) struct Effort {
    brotli: u32,
    gzip: Compression,
}

impl Effort {
    /// For what is compressed once. Brotli's highest two levels take ten times as long for a twentieth.
    pub(super) const BEST: Self = Self {
        brotli: 9,
        gzip: Compression::new(9),
    };
    /// For what changes.
    pub(super) const QUICK: Self = Self {
        brotli: 5,
        gzip: Compression::new(6),
    };
}

impl Coding {
    /// The best of those that the client takes.
    pub(super) fn accepted(headers: &HeaderMap) -> Option<Self> {
        [Self::Brotli, Self::Gzip]
            .into_iter()
            .find(|coding| coding.is_accepted(headers))
    }

    /// Does an `Accept-Encoding` header list it, and not with a weight of zero (RFC 9110 §12.5.3)?
    fn is_accepted(self, headers: &HeaderMap) -> bool {
        headers
            .get_all(ACCEPT_ENCODING)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|list| list.split(','))
            .any(|listed| {
                let mut parts = listed.split(';').map(str::trim);
                let named = parts
                    .next()
                    .is_some_and(|name| name.eq_ignore_ascii_case(self.name()));
                let weight = parts.find_map(|part| part.strip_prefix("q="));
                let is_zero = |weight: &str| !weight.parse().is_ok_and(|weight: f32| weight > 0.0);
                named && !weight.is_some_and(is_zero)
            })
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Brotli => "br",
            Self::Gzip => "gzip",
        }
    }

    pub(super) fn header(self) -> HeaderValue {
        HeaderValue::from_static(self.name())
    }

    /// The whole of `bytes`; `None` where that would not be smaller.
    pub(super) fn compress(self, bytes: &[u8], effort: Effort) -> Option<Vec<u8>> {
        let compressed = match self {
            Self::Brotli => {
                let mut writer = CompressorWriter::new(Vec::new(), BUFFER, effort.brotli, WINDOW);
                writer.write_all(bytes).ok()?;
                writer.into_inner()
            }
            Self::Gzip => {
                let mut writer = GzEncoder::new(Vec::new(), effort.gzip);
                writer.write_all(bytes).ok()?;
                writer.finish().ok()?
            }
        };
        (compressed.len() < bytes.len()).then_some(compressed)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    fn accepted(codings: &'static str) -> Option<Coding> {
        let value = HeaderValue::from_static(codings);
        Coding::accepted(&HeaderMap::from_iter([(ACCEPT_ENCODING, value)]))
    }

    #[test]
    fn a_client_gets_the_best_coding_that_it_takes() {
        for codings in ["br", "gzip, deflate, br, zstd", "gzip, BR;q=0.5"] {
            assert_eq!(accepted(codings), Some(Coding::Brotli), "{codings}");
        }
        for codings in ["gzip", "deflate, GZIP", "br;q=0, gzip;q=0.1"] {
            assert_eq!(accepted(codings), Some(Coding::Gzip), "{codings}");
        }
        for codings in ["", "br;q=0", "brotli", "*", "gzip;q=none"] {
            assert_eq!(accepted(codings), None, "{codings}");
        }
        assert_eq!(Coding::accepted(&HeaderMap::new()), None);
    }

    #[test]
    fn what_is_compressed_can_be_read_again() {
        let text = "const answer = 42;\n".repeat(500);
        for effort in [Effort::BEST, Effort::QUICK] {
            let mut read = String::new();
            let packed = Coding::Brotli.compress(text.as_bytes(), effort).unwrap();
            assert!(packed.len() * 10 < text.len());
            brotli::Decompressor::new(&packed[..], BUFFER)
                .read_to_string(&mut read)
                .unwrap();
            assert_eq!(read, text);
            read.clear();
            let packed = Coding::Gzip.compress(text.as_bytes(), effort).unwrap();
            assert!(packed.len() * 10 < text.len());
            flate2::read::GzDecoder::new(&packed[..])
                .read_to_string(&mut read)
                .unwrap();
            assert_eq!(read, text);
        }
    }

    #[test]
    fn what_would_grow_is_left_as_it_is() {
        for coding in [Coding::Brotli, Coding::Gzip] {
            assert_eq!(coding.compress(b"a", Effort::BEST), None);
        }
    }
}
