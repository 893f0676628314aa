//! Files of the operator's folder in a content coding: compressed whole, and kept in a cache of bounded size.

use std::path::PathBuf;
use std::sync::Arc;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::Request;
use axum::http::header::{
    ACCEPT_RANGES, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG, LAST_MODIFIED, RANGE, VARY,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{DefaultHashBuilder, OptionsBuilder, Weighter};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use super::coding::{Coding, Effort};

/// Bytes of a file: what is smaller fits into a packet, what is larger is sent as it is.
const SIZES: std::ops::RangeInclusive<u64> = 512..=4 * 1024 * 1024;
/// Bytes of all that is kept.
const KEPT: u64 = 32 * 1024 * 1024;
/// What an entry takes beside its bytes, about.
const ENTRY: usize = 512;
const USUAL_FILE: u64 = 16 * 1024;
/// Files that are compressed at the same time.
const AT_ONCE: usize = 2;

/// The file that a request is for, however it is called there.
#[derive(Debug, Clone)]
pub(super) struct Found(pub PathBuf);

/// A state of a file, and a coding of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    file: PathBuf,
    modified: HeaderValue,
    length: u64,
    coding: Coding,
}

/// What is sent of a file.
#[derive(Clone)]
struct Sent {
    bytes: Bytes,
    /// In the coding; as it is where that would not be smaller.
    coded: bool,
}

/// What has been compressed.
pub(super) struct Packed {
    cache: Arc<Cache<Key, Sent, BySize>>,
    permits: Arc<Semaphore>,
}

#[derive(Clone)]
struct BySize;

impl Weighter<Key, Sent> for BySize {
    fn weight(&self, key: &Key, sent: &Sent) -> u64 {
        (ENTRY + key.file.as_os_str().len() + sent.bytes.len()) as u64
    }
}

impl Packed {
    pub(super) fn new() -> Self {
        let files = usize::try_from(KEPT / USUAL_FILE).unwrap_or(usize::MAX);
        // One shard: each of several would have a part of the room only, and keep no large file.
        let options = OptionsBuilder::new()
            .shards(1)
            .estimated_items_capacity(files)
            .weight_capacity(KEPT)
            .build();
        let cache = match options {
            Ok(options) => Cache::with_options(
                options,
                BySize,
                DefaultHashBuilder::default(),
                DefaultLifecycle::default(),
            ),
            Err(_) => Cache::with_weighter(files, KEPT, BySize),
        };
        Self {
            cache: Arc::new(cache),
            permits: Arc::new(Semaphore::new(AT_ONCE)),
        }
    }

    /// The file that `body` holds; it is read where nobody asked for it before.
    async fn of(&self, key: &Key, body: Body) -> Result<Sent, axum::Error> {
        let guard = match self.cache.get_value_or_guard_async(key).await {
            Ok(sent) => return Ok(sent),
            Err(guard) => guard,
        };
        let permits = Arc::clone(&self.permits);
        let permit = permits.acquire_owned().await.map_err(axum::Error::new)?;
        // Somebody else's, who has gone meanwhile.
        if let Some(sent) = self.cache.get(key) {
            return Ok(sent);
        }
        let most = usize::try_from(*SIZES.end()).unwrap_or(usize::MAX);
        let bytes = to_bytes(body, most).await?;
        let (cache, key) = (Arc::clone(&self.cache), key.clone());
        // It goes on when whoever asked has gone, and then is there for the next.
        let compress = move || {
            let _permit = permit;
            let sent = match key.coding.compress(&bytes, Effort::QUICK) {
                Some(packed) => Sent {
                    bytes: packed.into(),
                    coded: true,
                },
                None => Sent {
                    bytes,
                    coded: false,
                },
            };
            cache.insert(key, sent.clone());
            sent
        };
        let sent = spawn_blocking(compress).await.map_err(axum::Error::new)?;
        // Where it was taken out meanwhile, the next one compresses it again.
        let _ = guard.insert(sent.clone());
        Ok(sent)
    }
}

/// Middleware around what sends files.
pub(super) async fn pack(packed: Arc<Packed>, request: Request, next: Next) -> Response {
    let whole = request.method() == Method::GET && !request.headers().contains_key(RANGE);
    let coding = Coding::accepted(request.headers()).filter(|_| whole);
    let file = request.extensions().get::<Found>().cloned();
    let mut response = next.run(request).await;
    if !is_text(response.headers()) {
        return response;
    }
    let by_coding = HeaderValue::from_static("accept-encoding");
    response.headers_mut().append(VARY, by_coding);
    let known = coding.zip(file);
    let Some(key) = known.and_then(|(coding, file)| key(file, coding, &response)) else {
        return response;
    };
    let (mut head, body) = response.into_parts();
    let Ok(sent) = packed.of(&key, body).await else {
        let why = "The file cannot be read.\n";
        return (StatusCode::INTERNAL_SERVER_ERROR, why).into_response();
    };
    for gone in [CONTENT_LENGTH, ACCEPT_RANGES, ETAG] {
        head.headers.remove(gone);
    }
    if sent.coded {
        let coding = key.coding.header();
        head.headers.insert(CONTENT_ENCODING, coding);
    }
    Response::from_parts(head, sent.bytes.into())
}

/// `None` for an answer that is no whole file, or not of a size that pays.
fn key(Found(file): Found, coding: Coding, response: &Response) -> Option<Key> {
    let headers = response.headers();
    let length = headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()?;
    let fits = response.status() == StatusCode::OK && SIZES.contains(&length);
    Some(Key {
        file,
        modified: headers.get(LAST_MODIFIED)?.clone(),
        length,
        coding,
    })
    .filter(|_| fits)
}

/// Pictures, sound and archives are compressed already.
fn is_text(headers: &HeaderMap) -> bool {
    let kind = headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    let kind = kind.map_or("", |kind| kind.split(';').next().unwrap_or_default());
    let named = [
        "application/javascript",
        "application/json",
        "application/manifest+json",
        "application/wasm",
        "application/xml",
        "image/svg+xml",
    ];
    !headers.contains_key(CONTENT_ENCODING)
        && (kind.starts_with("text/") || named.contains(&kind.trim()))
}

#[cfg(test)]
mod tests {
    use axum::http::header::CONTENT_ENCODING;

    use super::*;

    fn headers(kind: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(kind))])
    }

    #[test]
    fn texts_are_compressed_and_what_is_packed_already_is_not() {
        for kind in ["text/html", "text/css; charset=utf-8", "image/svg+xml"] {
            assert!(is_text(&headers(kind)), "{kind}");
        }
        for kind in ["", "image/png", "video/mp4", "application/zip"] {
            assert!(!is_text(&headers(kind)), "{kind}");
        }
        let mut packed = headers("text/html");
        packed.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        assert!(!is_text(&packed));
    }

    #[tokio::test]
    async fn what_is_kept_is_bounded() {
        let packed = Packed::new();
        let text = |seed: u64| {
            // Hardly compressible, so that it takes its room.
            let mut state = seed;
            let mut next = || {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                b"0123456789abcdef"[(state >> 60) as usize]
            };
            (0..2 * 1024 * 1024).map(|_| next()).collect::<Vec<_>>()
        };
        for seed in 0..40 {
            let key = Key {
                file: format!("/{seed}").into(),
                modified: HeaderValue::from_static("today"),
                length: 1,
                coding: Coding::Gzip,
            };
            let sent = packed.of(&key, text(seed).into()).await.unwrap();
            assert!(sent.coded);
            let again = packed.of(&key, Body::empty()).await.unwrap();
            assert!(sent.bytes == again.bytes, "it is kept");
        }
        assert!(packed.cache.weight() <= KEPT, "{}", packed.cache.weight());
        assert!(packed.cache.len() > 4);
    }

    #[tokio::test]
    async fn what_is_compressed_for_somebody_who_goes_is_there_for_the_next() {
        let packed = Packed::new();
        let key = Key {
            file: "/page".into(),
            modified: HeaderValue::from_static("today"),
            length: 1,
            coding: Coding::Gzip,
        };
        let text = vec![b'x'; 1 << 20];
        let mut first = Box::pin(packed.of(&key, text.into()));
        // It has begun, and takes a moment.
        while packed.permits.available_permits() == AT_ONCE {
            assert!(futures_util::poll!(&mut first).is_pending());
        }
        drop(first);
        let all = packed.permits.acquire_many(2).await.unwrap();
        drop(all);
        let next = packed.of(&key, Body::empty()).await.unwrap();
        assert!(next.coded && !next.bytes.is_empty());
    }
}
