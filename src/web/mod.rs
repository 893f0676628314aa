//! HTTPS -> browser: the routes and what lies around them.

mod access;
mod acme;
mod assets;
mod ca;
mod coding;
mod embedded;
mod entrance;
mod folder;
mod headers;
mod lean;
mod packed;
mod qr;
mod settings;
mod visitor;
mod website;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use axum::{Extension, Router};

use crate::access::{Access, Scope};
use crate::config::{AccessMode, Config};
use crate::front::Worth;
use crate::ice::IceServers;
use crate::limits::AddressRate;
use crate::refused::Refused;
use crate::signaling::ticket::TicketKey;
use crate::signaling::{self, Hub, Visit};
use crate::tls::Served;
use crate::words::site::Site;
use crate::words::visitor::Visitor;
use entrance::Entrance;

pub(crate) use qr::{Codes, codes};
pub(crate) use website::Website;

/// What is read at once. Most messages are shorter, longer ones are put together, and each WebSocket keeps as much: the library's
/// default would take 128 KiB.
const WS_BUFFER: usize = 1024;

/// What the handlers share.
pub(crate) struct App {
    pub hub: Arc<Hub>,
    pub access: Arc<Access>,
    pub served: Served,
    pub ice: Arc<IceServers>,
    pub tickets: TicketKey,
    /// How often one address may become a new visitor.
    pub visitors: AddressRate,
    /// Links as QR codes.
    pub codes: Arc<Codes>,
    /// Foreign origins that may use `/ws`.
    pub origins: Vec<String>,
    pub max_peers: usize,
    pub resume: Duration,
    /// Bytes.
    pub message_limit: usize,
}

pub(crate) type Shared = Arc<App>;

/// All that is served. `config` decides which pages, and under which policy.
pub(crate) fn site(app: Shared, config: &Config, served: &Served) -> Website {
    let entrance = Arc::new(Entrance {
        proxies: config.trusted_proxies.as_slice().into(),
        challenges: served.challenges().clone(),
        policy: headers::Policy::new(&config.web, served.trust()),
    });
    let config = &config.web;
    let access = Arc::clone(&app.access);
    let dynamic = Router::new()
        .route("/config.js", get(settings::module))
        .route("/config.global.js", get(settings::classic))
        .route("/qr.svg", get(qr::code))
        .route("/ws", any(websocket))
        .route("/healthz", get(health))
        .with_state(app)
        .merge(access::routes(Arc::clone(&access)));
    let open = config.root.is_none() && access.mode() == AccessMode::Open;
    let gated = Arc::clone(&access);
    let outside = Arc::clone(&entrance);
    let routes = assets::serve(dynamic, config)
        .layer(middleware::from_fn(move |request, next| {
            access::guard(Arc::clone(&gated), request, next)
        }))
        .merge(ca::routes(served))
        .layer(middleware::from_fn(move |request, next| {
            entrance::pass(Arc::clone(&outside), request, next)
        }));
    Website::new(routes, entrance, open)
}

/// `GET /healthz`
async fn health(State(app): State<Shared>) -> Response {
    if app.hub.is_stopping() || app.hub.is_draining() {
        (StatusCode::SERVICE_UNAVAILABLE, "stopping\n").into_response()
    } else {
        "ok\n".into_response()
    }
}

/// `GET /ws`
async fn websocket(
    State(app): State<Shared>,
    visitor: Visitor,
    Extension(scope): Extension<Scope>,
    worth: Option<Extension<Worth>>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    let refuse = |status: StatusCode, why: &'static str| (status, why).into_response();
    let upgrade = match upgrade {
        Ok(upgrade) => upgrade,
        Err(rejection) => return rejection.into_response(),
    };
    if !is_allowed_origin(&headers, &visitor.site, &app.origins) {
        Refused::WebSocketOrigin.count();
        return refuse(
            StatusCode::FORBIDDEN,
            "This origin may not use /ws; [signaling] origins lists those that may.\n",
        );
    }
    if app.hub.is_stopping() {
        return refuse(StatusCode::SERVICE_UNAVAILABLE, "The server is stopping.\n");
    }
    let place = app.hub.place(visitor.ip);
    let place = place.inspect_err(|full| {
        let bound = full.of([
            Refused::WebSockets,
            Refused::WebSocketsOfAddress,
            Refused::WebSocketsOfNetwork,
        ]);
        bound.count();
    });
    let Ok(place) = place else {
        return refuse(
            StatusCode::TOO_MANY_REQUESTS,
            "Too many WebSockets from this address.\n",
        );
    };
    let hub = Arc::clone(&app.hub);
    let worth = worth.map(|Extension(worth)| worth);
    upgrade
        .max_message_size(app.message_limit)
        .max_frame_size(app.message_limit)
        .read_buffer_size(WS_BUFFER)
        .write_buffer_size(signaling::AT_ONCE)
        .on_upgrade(move |socket| {
            let tasks = hub.tasks.clone();
            let visit = Visit {
                visitor,
                scope,
                hold: Box::new(move || Box::new(worth.as_ref().map(Worth::in_use))),
            };
            tasks.track_future(signaling::run(hub, socket, visit, place))
        })
}

/// Browsers send the origin of the page that opens a WebSocket, and only they do: without one there is no page whose
/// visitor could be used against their will.
fn is_allowed_origin(headers: &HeaderMap, site: &Site, allowed: &[String]) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else {
        return true;
    };
    let Ok(origin) = origin.to_str() else {
        return false;
    };
    let origin = origin.to_ascii_lowercase();
    let own = origin.strip_prefix("https://").and_then(Site::parse);
    own.is_some_and(|own| own == *site) || allowed.contains(&origin)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_own_and_the_listed_origins_are_allowed() {
        let allowed = vec!["http://localhost:3000".to_owned()];
        let check = |origin: Option<&str>, host: &str| {
            let mut headers = HeaderMap::new();
            if let Some(origin) = origin {
                headers.insert(header::ORIGIN, origin.parse().unwrap());
            }
            is_allowed_origin(&headers, &Site::parse(host).unwrap(), &allowed)
        };
        assert!(check(None, "call.example.com"));
        assert!(check(
            Some("https://call.example.com"),
            "call.example.com:443"
        ));
        assert!(check(Some("https://[fd00::5]:8443"), "[fd00::5]:8443"));
        assert!(check(Some("http://localhost:3000"), "call.example.com"));
        for foreign in [
            "https://evil.example",
            "http://call.example.com",
            "https://call.example.com:8443",
            "null",
            "",
            "https://call.example.com.evil.example",
            "https://call.example.com@evil.example",
        ] {
            assert!(!check(Some(foreign), "call.example.com"), "{foreign}");
        }
    }
}
