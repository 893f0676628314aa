//! What a certificate authority asks for over plain HTTP (RFC 8555 §8.3).

use axum::extract::Request;
use axum::http::header::CONTENT_TYPE;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::tls::Challenges;

const FOLDER: &str = "/.well-known/acme-challenge/";

/// Middleware: answers with a file that is offered at the moment, also where everything else is redirected to `https://`.
pub async fn answer(challenges: Challenges, request: Request, next: Next) -> Response {
    let token = request.uri().path().strip_prefix(FOLDER);
    match token.and_then(|token| challenges.file(token)) {
        Some(file) => ([(CONTENT_TYPE, "application/octet-stream")], file).into_response(),
        None => next.run(request).await,
    }
}
