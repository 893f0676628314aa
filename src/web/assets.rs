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
use tower_http::set_header::SetResponseHeaderLayer;

use super::coding::Coding;
use super::embedded::{self, File};
use super::folder;
use crate::config::Web;

/// Browsers ask each time whether what they have is still current: the files' names do not change with their content.
const REVALIDATE: HeaderValue = HeaderValue::from_static("no-cache");

/// Adds the pages to the generated routes, which go first.
pub(super) fn serve(dynamic: Router, config: &Web) -> Router {
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
            .fallback(get(file)),
    }
}

fn folder(root: &Path) -> Router {
    folder::routes(root).layer(SetResponseHeaderLayer::if_not_present(
        CACHE_CONTROL,
        REVALIDATE,
    ))
}

/// A file of the built-in pages, also where a folder of the operator's is served.
pub(super) fn asset(path: &str, headers: &HeaderMap) -> Response {
    page(path, headers)
}

/// A built-in file that stands at this very path, and is not made for each visitor.
pub(super) fn plain_file(path: &str, headers: &HeaderMap) -> Option<Response> {
    const MADE: &str = "config.js";
    let path = path.strip_prefix('/').filter(|path| *path != MADE)?;
    Some(answer(embedded::file(path)?.as_ref(), headers))
}

async fn file(uri: Uri, headers: HeaderMap) -> Response {
    match uri.path().trim_start_matches('/') {
        folder if folder.is_empty() || folder.ends_with('/') => {
            page(&format!("{folder}index.html"), &headers)
        }
        path => page(path, &headers),
    }
}

fn page(path: &str, headers: &HeaderMap) -> Response {
    if let Some(file) = embedded::file(path) {
        return answer(&file, headers);
    }
    let mut response = match embedded::file("404.html") {
        Some(file) => whole(&file, headers),
        None => "Not found.\n".into_response(),
    };
    *response.status_mut() = StatusCode::NOT_FOUND;
    response
}

const BY_CODING: HeaderValue = HeaderValue::from_static("accept-encoding");

fn answer(file: &File, headers: &HeaderMap) -> Response {
    let asked = headers.get_all(IF_NONE_MATCH);
    if asked.iter().any(|value| names(value, &file.etag)) {
        let etag = file.etag.clone();
        let common = [(ETAG, etag), (CACHE_CONTROL, REVALIDATE), (VARY, BY_CODING)];
        return (StatusCode::NOT_MODIFIED, common).into_response();
    }
    whole(file, headers)
}

fn whole(file: &File, headers: &HeaderMap) -> Response {
    let (body, coding) = file.body(Coding::accepted(headers));
    let mut response = Response::new(Body::from(body));
    let head = response.headers_mut();
    head.insert(CONTENT_TYPE, file.content_type.clone());
    head.insert(ETAG, file.etag.clone());
    head.insert(CACHE_CONTROL, REVALIDATE);
    head.insert(VARY, BY_CODING);
    if let Some(coding) = coding {
        head.insert(CONTENT_ENCODING, coding.header());
    }
    response
}

/// Does an `If-None-Match` header list this tag? Weak comparison, RFC 9110 §13.1.2.
fn names(header: &HeaderValue, etag: &HeaderValue) -> bool {
    fn opaque(tag: &str) -> &str {
        tag.trim().trim_start_matches("W/")
    }
    let etag = etag.to_str().unwrap_or_default();
    header.to_str().is_ok_and(|list| {
        list.split(',')
            .any(|tag| tag.trim() == "*" || opaque(tag) == opaque(etag))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn if_none_match_is_compared_weakly() {
        let etag = HeaderValue::from_static("W/\"abc\"");
        let check = |value| names(&HeaderValue::from_static(value), &etag);
        assert!(check("W/\"abc\"") && check("\"abc\"") && check("\"x\", W/\"abc\"") && check("*"));
        assert!(!check("\"abd\"") && !check("") && !check("abc"));
    }
}
