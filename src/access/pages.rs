//! The pages before the gate: where one shows a password or an invitation.

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use axum::Extension;
use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Path, Request, State};
use axum::http::header::{
    ACCEPT, CACHE_CONTROL, CONTENT_TYPE, HOST, LOCATION, ORIGIN, REFERRER_POLICY, RETRY_AFTER,
    SET_COOKIE,
};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};

use super::verifier::Verdict;
use super::{Access, Scope};
use crate::config::AccessMode;
use crate::refused::Refused;
use crate::web::{Client, Reached, asset};
use crate::words::names::RoomName;

const FOLDER: &str = "/access/";
/// Behind `https://host/`.
pub const INVITATIONS: &str = "access/i/";
const MAX_FORM: usize = 4096;

const PAGE: &str = include_str!("page.html");

/// Is this one of [`routes`]? Behind any other path there may be a file of the operator's.
pub fn is_open(path: &str) -> bool {
    let rest = path.strip_prefix(FOLDER).unwrap_or_default();
    let token = rest.strip_prefix("i/").unwrap_or("/");
    let is_token = !token.is_empty() && !token.contains('/');
    is_token || matches!(rest, "login" | "invite" | "style.css" | "icon.svg")
}

/// What programs are told before the gate.
pub const SHUT: &str = "Only for those who were let in; open the page.";

/// What somebody finds before the gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    Shut,
    WrongPassword,
    TooOften,
    Busy,
    InvitationVoid,
    InvitationUsed,
}

/// What needs no pass.
pub fn routes(access: Arc<Access>) -> Router {
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
pub fn closed(access: &Access, request: &Request, door: Door) -> Response {
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
    page(access, door, next)
}

fn page(access: &Access, door: Door, next: &str) -> Response {
    let (status, text) = match door {
        Door::Shut => (StatusCode::FORBIDDEN, ""),
        Door::WrongPassword => (StatusCode::FORBIDDEN, "This is not the password."),
        Door::TooOften => (
            StatusCode::TOO_MANY_REQUESTS,
            "That were too many attempts. Wait a minute.",
        ),
        Door::Busy => (
            StatusCode::SERVICE_UNAVAILABLE,
            "Too many people try at this moment. Try again.",
        ),
        Door::InvitationVoid => (
            StatusCode::FORBIDDEN,
            "This invitation is not valid, or no longer. Ask for another one.",
        ),
        Door::InvitationUsed => (
            StatusCode::FORBIDDEN,
            "This invitation has been used already. Ask for another one.",
        ),
    };
    let (title, body) = match access.mode() {
        AccessMode::Password => ("Calls here need a password", password_form(next)),
        _ => (
            "Only for those who are invited",
            "<p class=\"quiet\">Open the link that you were sent. If you have none, ask those whom you want to talk with.</p>".to_owned(),
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
async fn log_in(
    State(access): State<Arc<Access>>,
    Extension(client): Extension<Client>,
    request: Request,
) -> Response {
    let fields = match own_form(request).await {
        Ok(fields) => fields,
        Err(refusal) => return refusal,
    };
    let next = fields
        .get("next")
        .filter(|next| is_local(next))
        .unwrap_or("/")
        .to_owned();
    let Some(verifier) = &access.verifier else {
        return page(&access, Door::Shut, &next);
    };
    if !access.attempts.allows(client.ip, Instant::now()) {
        Refused::Passwords.count();
        return page(&access, Door::TooOften, &next);
    }
    let password = fields.get("password").unwrap_or_default().to_owned();
    let verdict = verifier.verify(password).await;
    let result = match verdict {
        Verdict::Right => "right",
        Verdict::Wrong => "wrong",
        Verdict::Busy => "busy",
    };
    metrics::counter!("callbox_access_logins_total", "result" => result).increment(1);
    match verdict {
        Verdict::Right => {
            let cookie = access.session(&Scope::EveryRoom, SystemTime::now());
            enter(cookie, next)
        }
        Verdict::Wrong => page(&access, Door::WrongPassword, &next),
        Verdict::Busy => {
            Refused::PasswordsAtOnce.count();
            page(&access, Door::Busy, &next)
        }
    }
}

/// `GET /access/i/{token}`: only asks, since programs that preview links open them, too.
async fn show_invitation(State(access): State<Arc<Access>>, Path(token): Path<String>) -> Response {
    match access.read_invitation(&token, SystemTime::now()) {
        Ok(invitation) if access.used.is_used_up(&invitation) => {
            page(&access, Door::InvitationUsed, "/")
        }
        Ok(invitation) => {
            let body = format!(
                "<p class=\"quiet\">You are invited to the room <strong>{}</strong>.</p>\
                 <form method=\"post\"><button id=\"enter\" class=\"primary large\" type=\"submit\">Enter</button></form>",
                escaped(invitation.room.as_str())
            );
            html(StatusCode::OK, "An invitation", "", &body)
        }
        Err(_) => page(&access, Door::InvitationVoid, "/"),
    }
}

/// `POST /access/i/{token}`
async fn accept_invitation(
    State(access): State<Arc<Access>>,
    Path(token): Path<String>,
    request: Request,
) -> Response {
    if !is_own(request.uri(), request.headers()) {
        return foreign();
    }
    let now = SystemTime::now();
    let Ok(invitation) = access.read_invitation(&token, now) else {
        return page(&access, Door::InvitationVoid, "/");
    };
    // Whoever has entered with it before, and comes again by the same link, uses it once only.
    let scope = Scope::Room(invitation.room.clone());
    let next = format!("/r/{}", encoded(&invitation.room));
    if access
        .scope(request.headers(), now)
        .is_some_and(|own| own == scope)
    {
        return (StatusCode::SEE_OTHER, [(LOCATION, next)]).into_response();
    }
    let counting = Arc::clone(&access);
    let taken = tokio::task::spawn_blocking(move || counting.used.take(&invitation, now)).await;
    match taken {
        Ok(Ok(true)) => enter(access.session(&scope, now), next),
        Ok(Ok(false)) => page(&access, Door::InvitationUsed, "/"),
        Ok(Err(error)) => {
            tracing::error!("an invitation cannot be used: {error:#}");
            page(&access, Door::Busy, "/")
        }
        Err(_) => page(&access, Door::Busy, "/"),
    }
}

/// `POST /access/invite` with `room`: a link for others, from somebody who may call there.
async fn invite(State(access): State<Arc<Access>>, request: Request) -> Response {
    let now = SystemTime::now();
    let scope = access.scope(request.headers(), now);
    let Some(reached) = Reached::from_request(request.uri(), request.headers()) else {
        return foreign();
    };
    let fields = match own_form(request).await {
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
            let url = format!("https://{}/{path}", reached.authority());
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
async fn own_form(request: Request) -> Result<Fields, Response> {
    if !is_own(request.uri(), request.headers()) {
        return Err(foreign());
    }
    let body: Body = request.into_body();
    let text: Bytes = to_bytes(body, MAX_FORM)
        .await
        .map_err(|_| StatusCode::PAYLOAD_TOO_LARGE.into_response())?;
    Ok(Fields(form_urlencoded::parse(&text).into_owned().collect()))
}

/// Browsers tell where a form comes from; another site's may not act for the visitor.
fn is_own(uri: &Uri, headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(ORIGIN) else {
        return headers.contains_key(HOST) || uri.authority().is_some();
    };
    let origin = origin
        .to_str()
        .ok()
        .and_then(|text| text.strip_prefix("https://"));
    let own = Reached::from_request(uri, headers);
    own.is_some() && origin.and_then(Reached::parse) == own
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
pub fn decoded(segment: &str) -> Option<String> {
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
