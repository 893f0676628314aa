//! What a certificate authority asks for over plain HTTP (RFC 8555 §8.3).

use axum::extract::Request;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};

use crate::tls::Challenges;

const FOLDER: &str = "/.well-known/acme-challenge/";

/// A file that is offered at the moment, also where everything else is redirected to `https://`.
pub(super) fn answer(challenges: &Challenges, request: &Request) -> Option<Response> {
    let token = request.uri().path().strip_prefix(FOLDER)?;
    let file = challenges.file(token)?;
    Some(([(CONTENT_TYPE, "application/octet-stream")], file).into_response())
}
