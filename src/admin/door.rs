//! The way in to the operator's listener: so many connections, each for so long, and only for who asks for this machine.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HOST, HeaderName, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::uri::Authority;
use axum::http::{HeaderValue, StatusCode, Version};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use super::host::{Verdict, judge};
use crate::refused::Refused;

/// Open connections, of all who look.
const CONNECTIONS: usize = 64;
const HEADERS_WITHIN: Duration = Duration::from_secs(10);
/// After that a connection takes no more requests, and what is under way has a moment to arrive.
const AGE: Duration = Duration::from_secs(60);
const MOMENT: Duration = Duration::from_secs(10);
const MAX_HEADERS: usize = 16 * 1024;
/// After a failed accept, which is that of a machine without descriptors.
const PAUSE: Duration = Duration::from_millis(100);

/// Serves for ever.
pub(super) async fn serve(listener: TcpListener, router: Router, names: Vec<String>) -> Infallible {
    let router = router.layer(from_fn_with_state(Arc::new(names), guard));
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            sleep(PAUSE).await;
            continue;
        };
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            Refused::AdminConnections.count();
            continue;
        };
        let router = router.clone();
        tokio::spawn(async move {
            converse(stream, router).await;
            drop(place);
        });
    }
}

/// One connection, to its end.
async fn converse(stream: TcpStream, router: Router) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(HEADERS_WITHIN)
        .max_buf_size(MAX_HEADERS);
    let connection = http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let mut connection = std::pin::pin!(connection);
    // How one ended is nobody's business.
    if timeout(AGE, connection.as_mut()).await.is_err() {
        connection.as_mut().graceful_shutdown();
        let _ = timeout(MOMENT, connection).await;
    }
}

async fn guard(State(names): State<Arc<Vec<String>>>, request: Request, next: Next) -> Response {
    let response = match verdict(&request, &names) {
        Verdict::Ours => next.run(request).await,
        Verdict::Misdirected => {
            Refused::AdminHost.count();
            let why = "This listener answers to addresses, to localhost, and to the names in [admin] hosts of the configuration.\n";
            (StatusCode::MISDIRECTED_REQUEST, why).into_response()
        }
        Verdict::Broken => {
            let why = "The Host header names no host.\n";
            (StatusCode::BAD_REQUEST, why).into_response()
        }
    };
    closed_to_other_pages(response)
}

fn verdict(request: &Request, names: &[String]) -> Verdict {
    let mut hosts = request.headers().get_all(HOST).iter();
    let host = match (hosts.next(), hosts.next()) {
        (Some(host), None) => host.to_str().ok(),
        (None, _) if request.version() < Version::HTTP_11 => return Verdict::Misdirected,
        _ => None,
    };
    // What a request's target names counts instead of the Host (RFC 9112 §3.2.2), which must be there all the same.
    let target = request.uri().authority().map(Authority::as_str);
    match (host, target) {
        (None, _) => Verdict::Broken,
        (Some(host), None) => judge(host, names),
        (Some(_), Some(target)) => judge(target, names),
    }
}

/// No page of another origin may frame, embed or sniff what is answered.
fn closed_to_other_pages(mut response: Response) -> Response {
    const HEADERS: [(HeaderName, &str); 6] = [
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        (REFERRER_POLICY, "no-referrer"),
        (CACHE_CONTROL, "no-store"),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ),
    ];
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers
        .entry(CONTENT_SECURITY_POLICY)
        .or_insert(HeaderValue::from_static(
            "default-src 'none'; frame-ancestors 'none'",
        ));
    response
}
