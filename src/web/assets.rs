//! The pages: embedded in the program, or from a folder of the operator's.

use std::path::Path;

use axum::Router;
use axum::body::Body;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use rust_embed::{EmbeddedFile, RustEmbed};
use tower_http::set_header::SetResponseHeaderLayer;

use super::lean::lean;
use super::{compressed, folder};
use crate::config::Web;
use crate::state::hex;

/// Browsers ask each time whether what they have is still current: the files' names do not change with their content.
const REVALIDATE: HeaderValue = HeaderValue::from_static("no-cache");

#[derive(RustEmbed)]
#[folder = "$CARGO_MANIFEST_DIR/web/"]
struct Embedded;

/// Adds the pages to the generated routes, which go first.
pub fn serve(dynamic: Router, config: &Web) -> Router {
    match &config.root {
        Some(root) => dynamic.merge(folder(root)),
        None => dynamic
            .route(
                "/r/{room}",
                get(|headers: HeaderMap| async move { page("index.html", &headers) }),
            )
            .route(
                "/check",
                get(|headers: HeaderMap| async move { page("check.html", &headers) }),
            )
            .fallback(get(embedded)),
    }
}

fn folder(root: &Path) -> Router {
    folder::routes(root).layer(SetResponseHeaderLayer::if_not_present(
        CACHE_CONTROL,
        REVALIDATE,
    ))
}

/// A file of the built-in pages, also where a folder of the operator's is served.
pub fn asset(path: &str, headers: &HeaderMap) -> Response {
    page(path, headers)
}

async fn embedded(uri: Uri, headers: HeaderMap) -> Response {
    match uri.path().trim_start_matches('/') {
        folder if folder.is_empty() || folder.ends_with('/') => {
            page(&format!("{folder}index.html"), &headers)
        }
        path => page(path, &headers),
    }
}

fn page(path: &str, headers: &HeaderMap) -> Response {
    if let Some(file) = Embedded::get(path) {
        return answer(path, &file, headers);
    }
    let mut response = match Embedded::get("404.html") {
        Some(file) => answer("404.html", &file, &HeaderMap::new()),
        None => "Not found.\n".into_response(),
    };
    *response.status_mut() = StatusCode::NOT_FOUND;
    response
}

fn answer(path: &str, file: &EmbeddedFile, headers: &HeaderMap) -> Response {
    // Weak, since the bytes on the wire differ by compression.
    let etag = format!("W/\"{}\"", hex(&file.metadata.sha256_hash()[..16]));
    let fresh = headers
        .get_all(IF_NONE_MATCH)
        .iter()
        .any(|value| names(value, &etag));
    let common = [(ETAG, etag), (CACHE_CONTROL, "no-cache".to_owned())];
    if fresh {
        return (StatusCode::NOT_MODIFIED, common).into_response();
    }
    let kind = content_type(path);
    if !kind.starts_with("image/png")
        && let Some(compressed) =
            compressed::brotli(&common[0].1, headers, || lean(path, &file.data))
    {
        let coded = [(CONTENT_ENCODING, "br"), (VARY, "accept-encoding")];
        return ([(CONTENT_TYPE, kind)], coded, common, compressed).into_response();
    }
    let body = Body::from(lean(path, &file.data).into_owned());
    ([(CONTENT_TYPE, kind)], common, body).into_response()
}

/// Does an `If-None-Match` header list this tag? Weak comparison, RFC 9110 §13.1.2.
fn names(header: &HeaderValue, etag: &str) -> bool {
    let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    header.to_str().is_ok_and(|list| {
        list.split(',')
            .any(|tag| tag.trim() == "*" || opaque(tag) == opaque(etag))
    })
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
    fn if_none_match_is_compared_weakly() {
        let check = |value| names(&HeaderValue::from_static(value), "W/\"abc\"");
        assert!(check("W/\"abc\"") && check("\"abc\"") && check("\"x\", W/\"abc\"") && check("*"));
        assert!(!check("\"abd\"") && !check("") && !check("abc"));
    }
}
