//! The gate before everything that is not open to all.

use std::sync::Arc;
use std::time::SystemTime;

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;

use super::pages;
use crate::access::{Access, Refusal, Scope};
use crate::words::names::RoomName;

/// For those who watch over the server.
const HEALTH: &str = "/healthz";

/// Middleware: lets those through who may call, and marks the request with where.
pub(crate) async fn guard(access: Arc<Access>, mut request: Request, next: Next) -> Response {
    let path = request.uri().path();
    if path == HEALTH || pages::is_open(path) {
        return next.run(request).await;
    }
    match access.scope(request.headers(), SystemTime::now()) {
        Some(scope) if may_see(&scope, path) => {
            request.extensions_mut().insert(scope);
            next.run(request).await
        }
        // A room of somebody else's looks like one that is not there.
        _ => pages::closed(&access, &request, Refusal::Shut),
    }
}

/// Whoever was invited to one room sees no other.
fn may_see(scope: &Scope, path: &str) -> bool {
    let Some(segment) = path.strip_prefix("/r/") else {
        return true;
    };
    match scope {
        Scope::EveryRoom => true,
        Scope::Room(own) => pages::decoded(segment)
            .and_then(|name| RoomName::parse(&name))
            .is_some_and(|room| room == *own),
    }
}
