//! The pages before the gate: where one shows a password or an invitation.

use std::sync::Arc;
use std::time::SystemTime;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Path, Request, State};
use axum::http::header::{
    ACCEPT, CACHE_CONTROL, CONTENT_TYPE, LOCATION, ORIGIN, REFERRER_POLICY, RETRY_AFTER, SET_COOKIE,
};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};

use crate::access::{Access, Refusal, SHUT};
use crate::config::AccessMode;
use crate::web::assets::asset;
use crate::words::names::RoomName;
use crate::words::site::Site;
use crate::words::visitor::Visitor;

const FOLDER: &str = "/access/";
const MAX_FORM: usize = 4096;

const PAGE: &str = include_str!("page.html");

/// Is this one of [`routes`]? Behind any other path there may be a file of the operator's.
pub(super) fn is_open(path: &str) -> bool {
    let rest = path.strip_prefix(FOLDER).unwrap_or_default();
    let token = rest.strip_prefix("i/").unwrap_or("/");
    let is_token = !token.is_empty() && !token.contains('/');
    is_token || matches!(rest, "login" | "invite" | "style.css" | "icon.svg")
}

/// What needs no pass.
pub(crate) fn routes(access: Arc<Access>) -> Router {
    Router::new()
        .route("/access/login", post(log_in))
        .route(
            "/access/i/{token}",
            get(show_invitation).post(accept_invitation),
        )
        .route("/access/invite", post(invite))
        .route(
            "/access/style.css",
            get(|headers: HeaderMap| async move { asset("style.css", &headers) }),
        )
        .route(
            "/access/icon.svg",
            get(|headers: HeaderMap| async move { asset("icon.svg", &headers) }),
        )
        .with_state(access)
}

/// The answer to somebody who may not pass: a page for people, a line for programs.
pub(super) fn closed(access: &Access, request: &Request, refusal: Refusal) -> Response {
    let wants_page = request
        .headers()
        .get(ACCEPT)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|text| text.contains("text/html"));
    if !wants_page {
        return (StatusCode::FORBIDDEN, format!("{SHUT}\n")).into_response();
    }
    let next = request
        .uri()
        .path_and_query()
        .map_or("/", |path| path.as_str());
    page(access, refusal, next)
}

fn page(access: &Access, refusal: Refusal, next: &str) -> Response {
    let (status, text) = match refusal {
        Refusal::Shut => (StatusCode::FORBIDDEN, ""),
        Refusal::WrongPassword => (StatusCode::FORBIDDEN, "This is not the password."),
        Refusal::TooOften => (
            StatusCode::TOO_MANY_REQUESTS,
            "Too many attempts. Wait a minute, then try again.",
        ),
        Refusal::Busy => (
            StatusCode::SERVICE_UNAVAILABLE,
            "Too many people try at this moment. Try again.",
        ),
        Refusal::InvitationVoid => (
            StatusCode::FORBIDDEN,
            "This invitation is not valid, or no longer. Ask for another one.",
        ),
        Refusal::InvitationUsed => (
            StatusCode::FORBIDDEN,
            "This invitation has been used already. Ask for another one.",
        ),
    };
    let (title, body) = match access.mode() {
        AccessMode::Password => ("Calls here need a password", password_form(next)),
        _ => (
            "Only for those who are invited",
            "<p class=\"quiet\">Open the link that you were sent. If you have none, ask the people you want to talk to.</p>".to_owned(),
        ),
    };
    html(status, title, text, &body)
}

fn password_form(next: &str) -> String {
    format!(
        "<form class=\"stack\" method=\"post\" action=\"/access/login\">\
         <input type=\"hidden\" name=\"next\" value=\"{}\">\
         <div><label for=\"password\">Password</label>\
         <input id=\"password\" name=\"password\" type=\"password\" autocomplete=\"current-password\" required autofocus></div>\
         <button class=\"primary large\" type=\"submit\">Enter</button></form>",
        escaped(next)
    )
}

fn html(status: StatusCode, title: &str, problem: &str, body: &str) -> Response {
    let text = PAGE
        .replace("{title}", title)
        .replace("{problem}", problem)
        .replace("{body}", body);
    let headers = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CACHE_CONTROL, "no-store"),
        // With none at all, browsers do not say where a form comes from.
        (REFERRER_POLICY, "same-origin"),
    ];
    let wait = (status == StatusCode::TOO_MANY_REQUESTS).then_some([(RETRY_AFTER, "60")]);
    (status, headers, wait, text).into_response()
}

/// `POST /access/login`
async fn log_in(State(access): State<Arc<Access>>, visitor: Visitor, request: Request) -> Response {
    let fields = match own_form(&visitor, request).await {
        Ok(fields) => fields,
        Err(refusal) => return refusal,
    };
    let next = fields
        .get("next")
        .filter(|next| is_local(next))
        .unwrap_or("/")
        .to_owned();
    let password = fields.get("password").unwrap_or_default().to_owned();
    match access.log_in(visitor.ip, password).await {
        Ok(cookie) => enter(cookie, next),
        Err(refusal) => page(&access, refusal, &next),
    }
}

/// `GET /access/i/{token}`: only asks, since programs that preview links open them, too.
async fn show_invitation(State(access): State<Arc<Access>>, Path(token): Path<String>) -> Response {
    match access.invited_to(&token, SystemTime::now()) {
        Ok(room) => {
            let body = format!(
                "<p class=\"quiet\">You are invited to the room <strong>{}</strong>.</p>\
                 <form method=\"post\"><button id=\"enter\" class=\"primary large\" type=\"submit\">Enter</button></form>",
                escaped(room.as_str())
            );
            html(StatusCode::OK, "An invitation", "", &body)
        }
        Err(refusal) => page(&access, refusal, "/"),
    }
}

/// `POST /access/i/{token}`
async fn accept_invitation(
    State(access): State<Arc<Access>>,
    Path(token): Path<String>,
    visitor: Visitor,
    request: Request,
) -> Response {
    if !is_own(&visitor.site, request.headers()) {
        return foreign();
    }
    let accepted = access.accept(&token, request.headers(), SystemTime::now());
    match accepted.await {
        Ok((room, cookie)) => {
            let next = format!("/r/{}", encoded(&room));
            match cookie {
                Some(cookie) => enter(cookie, next),
                None => (StatusCode::SEE_OTHER, [(LOCATION, next)]).into_response(),
            }
        }
        Err(refusal) => page(&access, refusal, "/"),
    }
}

/// `POST /access/invite` with `room`: a link for others, from somebody who may call there.
async fn invite(State(access): State<Arc<Access>>, visitor: Visitor, request: Request) -> Response {
    let now = SystemTime::now();
    let scope = access.scope(request.headers(), now);
    let fields = match own_form(&visitor, request).await {
        Ok(fields) => fields,
        Err(refusal) => return refusal,
    };
    let room = fields.get("room").and_then(RoomName::parse);
    let allowed = scope.zip(room).filter(|(scope, room)| scope.allows(room));
    let Some((_, room)) = allowed else {
        return (StatusCode::FORBIDDEN, "You may not invite to this room.\n").into_response();
    };
    match access.invite(room, now) {
        Ok(path) => {
            let url = format!("https://{}/{path}", visitor.site.authority());
            ([(CACHE_CONTROL, "no-store")], url).into_response()
        }
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

fn enter(cookie: String, next: String) -> Response {
    let headers = [(SET_COOKIE, cookie), (LOCATION, next)];
    (StatusCode::SEE_OTHER, headers).into_response()
}

/// The fields of a form.
struct Fields(Vec<(String, String)>);

impl Fields {
    fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// A form that a page of this server has sent.
async fn own_form(visitor: &Visitor, request: Request) -> Result<Fields, Response> {
    if !is_own(&visitor.site, request.headers()) {
        return Err(foreign());
    }
    let body: Body = request.into_body();
    let text: Bytes = to_bytes(body, MAX_FORM)
        .await
        .map_err(|_| StatusCode::PAYLOAD_TOO_LARGE.into_response())?;
    Ok(Fields(form_urlencoded::parse(&text).into_owned().collect()))
}

/// Browsers tell where a form comes from; another site's may not act for the visitor.
fn is_own(site: &Site, headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(ORIGIN) else {
        return true;
    };
    let origin = origin
        .to_str()
        .ok()
        .and_then(|text| text.strip_prefix("https://"));
    origin.and_then(Site::parse).as_ref() == Some(site)
}

fn foreign() -> Response {
    (
        StatusCode::FORBIDDEN,
        "Another site's page may not do this.\n",
    )
        .into_response()
}

/// A path of this server: with two slashes in front it would be another host.
fn is_local(next: &str) -> bool {
    let plain = next
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    plain && next.starts_with('/') && !next.starts_with("//") && !next.starts_with(FOLDER)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

/// Room names hold none of the few characters for which forms and paths differ.
fn encoded(room: &RoomName) -> String {
    form_urlencoded::byte_serialize(room.as_str().as_bytes()).collect()
}

/// The text of a path's segment.
pub(super) fn decoded(segment: &str) -> Option<String> {
    let pair = format!("x={}", segment.replace('+', "%2B").replace('&', "%26"));
    let (_, value) = form_urlencoded::parse(pair.as_bytes()).next()?;
    Some(value.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_own_routes_are_open() {
        for path in [
            "/access/login",
            "/access/i/a1i.x.y",
            "/access/invite",
            "/access/style.css",
        ] {
            assert!(is_open(path), "{path}");
        }
        for path in [
            "/",
            "/access/",
            "/access/other",
            "/access/i/../index.html",
            "/access/login/x",
            "/access",
        ] {
            assert!(!is_open(path), "{path}");
        }
    }

    #[test]
    fn one_is_led_to_paths_of_this_server_only() {
        for path in ["/", "/r/team", "/r/b%C3%BCcher?name=Ana"] {
            assert!(is_local(path), "{path}");
        }
        for path in [
            "",
            "r",
            "//evil.example",
            "/\\evil.example",
            "https://evil.example",
            "/a\r\nb",
            "/access/i/x",
            "/r/é",
        ] {
            assert!(!is_local(path), "{path}");
        }
    }

    #[test]
    fn segments_are_read_as_browsers_write_them() {
        for name in ["team", "bücher-otter", "会議室", "a_b"] {
            let room = RoomName::parse(name).unwrap();
            assert_eq!(decoded(&encoded(&room)).unwrap(), name);
        }
        assert_eq!(decoded("a+b").unwrap(), "a+b");
    }
}
