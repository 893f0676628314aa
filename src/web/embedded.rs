//! The built-in files, ready to be sent: each coding is made once, whole, when it is first asked for, and all answers share it.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, OnceLock, PoisonError, RwLock};

use axum::body::Bytes;
use axum::http::HeaderValue;
use rust_embed::{EmbeddedFile, RustEmbed};

use super::coding::{Coding, Effort};
use super::lean::lean;
use crate::words::secret::hex;

#[derive(RustEmbed)]
#[folder = "$CARGO_MANIFEST_DIR/web/"]
struct Embedded;

/// As many as there are files.
static READY: LazyLock<RwLock<HashMap<String, Arc<File>>>> = LazyLock::new(RwLock::default);

/// A built-in file.
pub(super) struct File {
    /// Of its bytes as they are on the disk.
    hash: [u8; 32],
    pub etag: HeaderValue,
    pub content_type: HeaderValue,
    plain: Bytes,
    brotli: OnceLock<Option<Bytes>>,
    gzip: OnceLock<Option<Bytes>>,
}

/// The file of this path, as in `view/tile.js`.
pub(super) fn file(path: &str) -> Option<Arc<File>> {
    let ready = READY.read().unwrap_or_else(PoisonError::into_inner);
    let known = ready.get(path).map(Arc::clone);
    drop(ready);
    // A program that is made for debugging reads them from the disk, where they change.
    if let Some(known) = &known
        && !cfg!(debug_assertions)
    {
        return Some(Arc::clone(known));
    }
    let found = Embedded::get(path)?;
    if let Some(known) = known
        && known.hash == found.metadata.sha256_hash()
    {
        return Some(known);
    }
    let file = Arc::new(File::new(path, &found)?);
    let mut ready = READY.write().unwrap_or_else(PoisonError::into_inner);
    ready.insert(path.to_owned(), Arc::clone(&file));
    Some(file)
}

impl File {
    fn new(path: &str, found: &EmbeddedFile) -> Option<Self> {
        let hash = found.metadata.sha256_hash();
        // Weak, since the bytes on the wire differ by coding.
        let etag = format!("W/\"{}\"", hex(&hash[..16]));
        let content_type = content_type(path);

        let file = Self {
            hash,
            etag: HeaderValue::try_from(etag).ok()?,
            content_type: HeaderValue::from_static(content_type),
            plain: lean(path, &found.data).into_owned().into(),
            brotli: OnceLock::new(),
            gzip: OnceLock::new(),
        };
        if content_type == "image/png" {
            let _ = file.brotli.set(None);
            let _ = file.gzip.set(None);
        }
        Some(file)
    }

    /// Its bytes in the coding that the client takes, and which one that is.
    pub(super) fn body(&self, accepted: Option<Coding>) -> (Bytes, Option<Coding>) {
        let coded = accepted.and_then(|coding| {
            let made = match coding {
                Coding::Brotli => &self.brotli,
                Coding::Gzip => &self.gzip,
            };
            let make = || Some(coding.compress(&self.plain, Effort::BEST)?.into());
            Some((made.get_or_init(make).clone()?, coding))
        });
        match coded {
            Some((bytes, coding)) => (bytes, Some(coding)),
            None => (self.plain.clone(), None),
        }
    }
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("webmanifest") => "application/manifest+json",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_embedded_file_has_a_content_type() {
        let mut count = 0;
        for path in Embedded::iter() {
            assert_ne!(content_type(&path), "application/octet-stream", "{path}");
            count += 1;
        }
        assert!(count > 5, "the web app is embedded");
    }

    #[test]
    fn a_coding_is_made_once_and_shared() {
        let of = |coding| file("404.html").unwrap().body(coding);
        for coding in [Coding::Brotli, Coding::Gzip] {
            let (first, named) = of(Some(coding));
            assert_eq!(named, Some(coding));
            assert_eq!(first.as_ptr(), of(Some(coding)).0.as_ptr());
            assert!(first.len() < of(None).0.len());
        }
        assert_eq!(of(None).0.as_ptr(), of(None).0.as_ptr());
        assert!(file("nothing.html").is_none());
    }

    #[test]
    fn pictures_are_sent_as_they_are() {
        let icon = file("icons/192.png").unwrap();
        assert_eq!(icon.body(Some(Coding::Brotli)).1, None);
    }
}
