//! One request over a connection that is there already.

use axum::http::{Request, header};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::task::AbortHandle;

use super::super::fault::Fault;
use super::super::page::Answer;
use super::super::report::quote;
use super::super::target::Target;
use super::connect::Stream;

/// Bytes of a configuration.
const MAX_BODY: usize = 256 * 1024;
/// Bytes of a response's head.
const MAX_HEAD: usize = 64 * 1024;

/// A connection that takes one request after the other.
pub struct Http {
    sender: http1::SendRequest<Empty<Bytes>>,
    driver: AbortHandle,
}

impl Http {
    /// # Errors
    /// When the connection is closed; has no deadline of its own.
    pub async fn over(stream: impl Stream + 'static) -> Result<Self, Fault> {
        let (sender, connection) = http1::Builder::new()
            .max_buf_size(MAX_HEAD)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|error| fault(&error))?;
        let driver = tokio::spawn(connection).abort_handle();
        Ok(Self { sender, driver })
    }

    /// `GET`s a script.
    ///
    /// # Errors
    /// When no whole response comes; has no deadline of its own.
    pub async fn get(&mut self, target: &Target, path: &'static str) -> Result<Answer, Fault> {
        let request = Request::get(path)
            .header(header::HOST, target.authority())
            .header(
                header::USER_AGENT,
                concat!("callbox-check/", env!("CARGO_PKG_VERSION")),
            )
            .body(Empty::new())
            .map_err(|error| Fault::Other(error.to_string()))?;
        let response = self
            .sender
            .send_request(request)
            .await
            .map_err(|error| fault(&error))?;
        let (head, body) = response.into_parts();
        let date = head
            .headers
            .get(header::DATE)
            .and_then(|value| value.to_str().ok());
        let date = date.and_then(|text| httpdate::parse_http_date(text).ok());
        let body = Limited::new(body, MAX_BODY)
            .collect()
            .await
            .map_err(|error| Fault::Other(quote(&error.to_string())))?;
        Ok(Answer {
            path,
            status: head.status.as_u16(),
            body: String::from_utf8_lossy(&body.to_bytes()).into_owned(),
            date,
        })
    }
}

impl Drop for Http {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

fn fault(error: &hyper::Error) -> Fault {
    if error.is_parse() || error.is_parse_too_large() {
        Fault::Foreign
    } else if error.is_incomplete_message() || error.is_canceled() || error.is_closed() {
        Fault::Closed
    } else {
        Fault::Other(quote(&error.to_string()))
    }
}
