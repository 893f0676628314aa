//! `/config.js`: a script made for each request, which tells a page its `PC_CONFIG` and what else it has to know.

use std::net::IpAddr;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use axum::extract::State;
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_TYPE, HeaderName, ORIGIN, RETRY_AFTER, VARY,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::Shared;
use crate::config::AccessMode;
use crate::refused::Refused;
use crate::turn::usernames;
use crate::words::secret::random_hex;
use crate::words::visitor::Visitor;

/// What a page has to know beside `PC_CONFIG`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Settings {
    ticket: String,
    max_peers: usize,
    /// How long the seat of somebody whose connection broke is kept.
    resume_seconds: u64,
    /// Do links to rooms have to be asked for, since only those who are invited may call?
    invitations: bool,
    /// Is the certificate signed by an authority of the server's own, which devices can install from `/ca`?
    local_ca: bool,
    version: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    check: Option<Check>,
}

/// What only the page `/check` is told.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Check {
    /// The page's own address, as this server sees it.
    address: IpAddr,
    /// Bits per second that it may relay each way.
    bitrate: u64,
    /// Is the certificate one that browsers trust?
    trusted: bool,
    /// When it ends: seconds since 1970.
    certificate_ends: u64,
}

/// `GET /config.js`
pub(super) async fn module(
    state: State<Shared>,
    visitor: Visitor,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    script(&state, &visitor, &uri, &headers, |pc_config, settings| {
        format!("export const PC_CONFIG = {pc_config};\nexport const SETTINGS = {settings};\n")
    })
}

/// `GET /config.global.js`
pub(super) async fn classic(
    state: State<Shared>,
    visitor: Visitor,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    script(&state, &visitor, &uri, &headers, |pc_config, settings| {
        format!("globalThis.PC_CONFIG = {pc_config};\nglobalThis.SETTINGS = {settings};\n")
    })
}

fn script(
    shared: &Shared,
    visitor: &Visitor,
    uri: &Uri,
    headers: &HeaderMap,
    render: impl FnOnce(&str, &str) -> String,
) -> Response {
    if !shared.visitors.allows(visitor.ip, Instant::now()) {
        Refused::Visitors.count();
        let wait = [(RETRY_AFTER, "60")];
        return (
            StatusCode::TOO_MANY_REQUESTS,
            wait,
            "Too many page loads; wait a minute.\n",
        )
            .into_response();
    }
    let checks = uri.query().is_some_and(is_check);
    match values(shared, visitor, checks, SystemTime::now()) {
        Ok((pc_config, settings)) => {
            let kind = (CONTENT_TYPE, "text/javascript; charset=utf-8");
            let common = [kind, (CACHE_CONTROL, "no-store"), (VARY, "Origin")];
            let sharing = cross_origin(headers, &shared.origins);
            (common, sharing, render(&pc_config, &settings)).into_response()
        }
        Err(error) => {
            tracing::error!("cannot make /config.js: {error:#}");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// A page of a listed origin needs a ticket before it can use `/ws`, so it may read this.
fn cross_origin(headers: &HeaderMap, allowed: &[String]) -> Option<[(HeaderName, HeaderValue); 2]> {
    let origin = headers.get(ORIGIN)?;
    let listed = origin
        .to_str()
        .is_ok_and(|text| allowed.contains(&text.to_ascii_lowercase()));
    let policy = HeaderName::from_static("cross-origin-resource-policy");
    let sharing = (ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
    listed.then(|| [sharing, (policy, HeaderValue::from_static("cross-origin"))])
}

/// Does a page ask that has no call in mind, as `/check` does with `/config.js?check`?
fn is_check(query: &str) -> bool {
    query.split('&').any(|part| part == "check")
}

/// `PC_CONFIG` and `SETTINGS` for a new visitor, as JSON, which is JavaScript too.
fn values(
    shared: &Shared,
    visitor: &Visitor,
    checks: bool,
    now: SystemTime,
) -> anyhow::Result<(String, String)> {
    let (pc_config, ticket) = if checks {
        let check = format!("{}{}", usernames::CHECK, random_hex::<8>()?);
        // Without a ticket: it shall not enter a room.
        let pc_config = shared.ice.for_check(visitor, &check, now);
        (pc_config, String::new())
    } else {
        let name = format!("{}{}", usernames::VISITOR, random_hex::<8>()?);
        let pc_config = shared.ice.for_visitor(visitor, &name, now);
        (pc_config, shared.tickets.visitor(&name, now))
    };
    let settings = Settings {
        ticket,
        max_peers: shared.max_peers,
        resume_seconds: shared.resume.as_secs(),
        invitations: shared.access.mode() == AccessMode::Invite,
        local_ca: shared.served.authority().is_some(),
        version: env!("CARGO_PKG_VERSION"),
        check: checks.then(|| check(shared, visitor.ip)),
    };
    Ok((
        serde_json::to_string_pretty(&pc_config)?,
        serde_json::to_string_pretty(&settings)?,
    ))
}

fn check(shared: &Shared, address: IpAddr) -> Check {
    let ends = shared.served.facts().not_after;
    let turn = shared.ice.turn.as_ref();
    Check {
        address,
        bitrate: turn.map_or(0, |turn| turn.check_bitrate),
        trusted: shared.served.trust().get(),
        certificate_ends: ends
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_secs(),
    }
}
