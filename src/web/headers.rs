//! Headers that keep browsers strict, and the way from `http://` to `https://`.

use axum::extract::Request;
use axum::http::header::{
    CONTENT_SECURITY_POLICY, HeaderName, LOCATION, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use crate::config::Web;
use crate::front::Plain;
use crate::tls::Trust;
use crate::words::site::Site;
use crate::words::visitor::Visitor;

/// For the built-in app: nothing from elsewhere, nothing inline.
const APP_CSP: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; \
     media-src 'self' blob:; connect-src 'self'; manifest-src 'self'; base-uri 'none'; \
     form-action 'self'; frame-ancestors 'none'",
);
/// For a folder of the operator's own, unless they say otherwise: whatever the pages do, nobody frames them.
const OWN_FOLDER_CSP: HeaderValue = HeaderValue::from_static("frame-ancestors 'none'");
/// Sharing links (`web-share`) is the own pages' by default, and browsers that cannot do it warn of its name.
const PERMISSIONS: HeaderValue = HeaderValue::from_static(
    "camera=(self), microphone=(self), display-capture=(self), fullscreen=(self), \
     picture-in-picture=(self), screen-wake-lock=(self), speaker-selection=(self), \
     clipboard-write=(self)",
);
const ONE_DAY: HeaderValue = HeaderValue::from_static("max-age=86400");

/// Which headers every response gets.
pub(crate) struct Policy {
    csp: HeaderValue,
    trust: Trust,
}

impl Policy {
    /// HSTS makes a browser refuse to go past a certificate warning, so it needs a certificate without one.
    pub(crate) fn new(config: &Web, trust: Trust) -> Self {
        let csp = match (&config.root, &config.csp) {
            (None, _) => APP_CSP,
            (Some(_), Some(csp)) => csp.clone(),
            (Some(_), None) => OWN_FOLDER_CSP,
        };
        Self { csp, trust }
    }

    /// Adds the headers to an answer.
    pub(crate) fn apply(&self, headers: &mut HeaderMap) {
        const SAME_ORIGIN: HeaderValue = HeaderValue::from_static("same-origin");
        headers.insert(CONTENT_SECURITY_POLICY, self.csp.clone());
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers
            .entry(REFERRER_POLICY)
            .or_insert(HeaderValue::from_static("no-referrer"));
        headers.insert(HeaderName::from_static("permissions-policy"), PERMISSIONS);
        // Another site must not load /config.global.js as a script of its own and read the credentials in it.
        headers
            .entry(HeaderName::from_static("cross-origin-resource-policy"))
            .or_insert(SAME_ORIGIN);
        headers.insert(
            HeaderName::from_static("cross-origin-opener-policy"),
            SAME_ORIGIN,
        );
        if self.trust.get() {
            headers.insert(STRICT_TRANSPORT_SECURITY, ONE_DAY);
        }
    }
}

/// The way from what came over plain HTTP to the same address under `https://`.
pub(super) fn redirect_plain_http(request: &Request) -> Option<Response> {
    let plain = request.extensions().get::<Plain>()?;
    Some(redirect(request, plain.https_port))
}

fn redirect(request: &Request, https_port: Option<u16>) -> Response {
    let Some(Visitor { site, .. }) = request.extensions().get() else {
        return (StatusCode::BAD_REQUEST, "This is an HTTPS port.\n").into_response();
    };
    let site = Site {
        port: https_port.unwrap_or(site.port),
        ..site.clone()
    };
    let path = request
        .uri()
        .path_and_query()
        .map_or("/", |path| path.as_str());
    // Temporary: browsers remember a permanent redirect for longer than this server may use the port.
    let location = format!("https://{}{path}", site.authority());
    (StatusCode::TEMPORARY_REDIRECT, [(LOCATION, location)]).into_response()
}
