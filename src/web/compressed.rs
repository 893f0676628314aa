//! Embedded files as they go over the wire: compressed well, and once, when they are first asked for.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::Write;
use std::sync::{LazyLock, Mutex, PoisonError};

use axum::body::Bytes;
use axum::http::HeaderMap;
use axum::http::header::ACCEPT_ENCODING;
use brotli::CompressorWriter;

/// The highest but two: those take ten times as long for a twentieth.
const QUALITY: u32 = 9;
/// Of the window, as the exponent of two.
const WINDOW: u32 = 18;
const BUFFER: usize = 4096;

/// By the files' tags: as many as there are files.
static DONE: LazyLock<Mutex<HashMap<String, Bytes>>> = LazyLock::new(Mutex::default);

/// The bytes of the file with this tag, in Brotli (RFC 7932); `None` where the client does not take that.
pub fn brotli<'a>(
    tag: &str,
    headers: &HeaderMap,
    bytes: impl FnOnce() -> Cow<'a, [u8]>,
) -> Option<Bytes> {
    if !takes_brotli(headers) {
        return None;
    }
    let done = || DONE.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(compressed) = done().get(tag) {
        return Some(compressed.clone());
    }
    let compressed = compress(&bytes())?;
    done().insert(tag.to_owned(), compressed.clone());
    Some(compressed)
}

fn compress(bytes: &[u8]) -> Option<Bytes> {
    let mut writer = CompressorWriter::new(Vec::new(), BUFFER, QUALITY, WINDOW);
    writer.write_all(bytes).ok()?;
    Some(writer.into_inner().into())
}

/// Does an `Accept-Encoding` header list it, and not with a weight of zero (RFC 9110 §12.5.3)?
fn takes_brotli(headers: &HeaderMap) -> bool {
    let listed = headers.get_all(ACCEPT_ENCODING).into_iter();
    listed
        .filter_map(|value| value.to_str().ok())
        .flat_map(|list| list.split(','))
        .any(|coding| {
            let mut parts = coding.split(';').map(str::trim);
            let named = parts
                .next()
                .is_some_and(|name| name.eq_ignore_ascii_case("br"));
            let weight = parts.find_map(|part| part.strip_prefix("q="));
            named
                && weight.is_none_or(|weight| weight.parse().is_ok_and(|weight: f32| weight > 0.0))
        })
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use axum::http::HeaderValue;

    use super::*;

    fn asking_for(codings: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(ACCEPT_ENCODING, HeaderValue::from_static(codings))])
    }

    #[test]
    fn only_who_takes_brotli_gets_it() {
        for codings in ["br", "gzip, deflate, br, zstd", "gzip, BR;q=0.5"] {
            assert!(takes_brotli(&asking_for(codings)), "{codings}");
        }
        for codings in ["", "gzip", "br;q=0", "brotli", "*"] {
            assert!(!takes_brotli(&asking_for(codings)), "{codings}");
        }
        assert!(!takes_brotli(&HeaderMap::new()));
    }

    #[test]
    fn it_is_the_same_file_and_made_once() {
        let text = "const answer = 42;\n".repeat(500);
        let headers = asking_for("br");
        let packed = brotli("tag of this test", &headers, || text.as_bytes().into()).unwrap();
        assert!(packed.len() * 10 < text.len());
        let mut read = String::new();
        let mut reader = brotli::Decompressor::new(&packed[..], BUFFER);
        reader.read_to_string(&mut read).unwrap();
        assert_eq!(read, text);
        let again = brotli("tag of this test", &headers, || panic!("packed before")).unwrap();
        assert_eq!(again.as_ptr(), packed.as_ptr());
    }
}
