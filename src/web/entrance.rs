//! What every request passes on its way in, and every answer on its way out.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use ipnet::IpNet;
use tokio::time::timeout;

use super::headers::{Policy, redirect_plain_http};
use super::{acme, visitor};
use crate::tls::Challenges;

/// For an answer to begin.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// What there is to know of it.
pub(crate) struct Entrance {
    /// They may say whom they ask for.
    pub proxies: Arc<[IpNet]>,
    pub challenges: Challenges,
    pub policy: Policy,
}

/// Middleware: one for all, since each one costs a request about as much as a file in memory does.
pub(super) async fn pass(entrance: Arc<Entrance>, mut request: Request, next: Next) -> Response {
    visitor::identify(&entrance.proxies, &mut request);
    let elsewhere = acme::answer(&entrance.challenges, &request);
    if let Some(answer) = elsewhere.or_else(|| redirect_plain_http(&request)) {
        return answer;
    }
    let answer = timeout(ANSWER_WITHIN, next.run(request)).await;
    let mut answer = answer.unwrap_or_else(|_| StatusCode::REQUEST_TIMEOUT.into_response());
    entrance.policy.apply(answer.headers_mut());
    answer
}
