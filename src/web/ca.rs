//! The authority of this machine's own, and how to install it. Open to everybody: a certificate is public, and who is to log
//! in shall not have to do so over a connection that the browser warns of.

use axum::Router;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::assets::asset;
use crate::tls::Served;

pub(super) fn routes(served: &Served) -> Router {
    let page = |file: &'static str| {
        get(
            move |State(served): State<Served>, headers: HeaderMap| async move {
                // Without an authority there is no such page.
                asset(served.authority().map_or("", |_| file), &headers)
            },
        )
    };
    Router::new()
        .route("/ca", page("ca/index.html"))
        .route("/ca/page.js", page("ca/page.js"))
        .route("/ca/page.css", page("ca/page.css"))
        .route("/ca/system.js", page("ca/system.js"))
        .route("/ca.crt", get(certificate))
        .with_state(served.clone())
}

/// `GET /ca.crt`: phones and browsers offer to install what has this type.
async fn certificate(State(served): State<Served>, headers: HeaderMap) -> Response {
    let Some(authority) = served.authority() else {
        return asset("", &headers);
    };
    let kind = [
        (CONTENT_TYPE, "application/x-x509-ca-cert"),
        (CACHE_CONTROL, "no-store"),
    ];
    (kind, authority.certificate.to_vec()).into_response()
}
