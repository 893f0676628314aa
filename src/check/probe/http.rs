//! One request over a connection that is there already.

use axum::http::request::Builder;
use axum::http::{Request, Response, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::task::AbortHandle;

use super::super::fault::Fault;
use super::super::page::Answer;
use super::super::report::quote;
use super::super::target::Target;
use super::connect::Stream;
use crate::access;

/// Bytes of a configuration.
const MAX_BODY: usize = 256 * 1024;
/// Bytes of a response's head.
const MAX_HEAD: usize = 64 * 1024;

/// A connection that takes one request after the other.
pub(crate) struct Http {
    sender: http1::SendRequest<Full<Bytes>>,
    driver: AbortHandle,
}

/// The answer to a form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Posted {
    pub status: u16,
    /// What to send as `Cookie` from then on.
    pub cookie: Option<String>,
}

impl Http {
    /// # Errors
    /// When the connection is closed; has no deadline of its own.
    pub(crate) async fn over(stream: impl Stream + 'static) -> Result<Self, Fault> {
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
    pub(crate) async fn get(
        &mut self,
        target: &Target,
        path: &'static str,
        cookie: Option<&str>,
    ) -> Result<Answer, Fault> {
        let mut request = Request::get(path);
        if let Some(cookie) = cookie {
            request = request.header(header::COOKIE, cookie);
        }
        let response = self.send(target, request, String::new()).await?;
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

    /// `POST`s a form of the page.
    ///
    /// # Errors
    /// When no response comes; has no deadline of its own.
    pub(crate) async fn post(
        &mut self,
        target: &Target,
        path: &str,
        form: String,
    ) -> Result<Posted, Fault> {
        let request = Request::post(path)
            .header(header::ORIGIN, target.origin())
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        let (head, body) = self.send(target, request, form).await?.into_parts();
        // What is not read keeps the connection from its next request.
        drop(Limited::new(body, MAX_BODY).collect().await);
        // What stands in front may set others.
        let set = head.headers.get_all(header::SET_COOKIE).iter();
        let mut pairs = set
            .filter_map(|value| value.to_str().ok()?.split(';').next())
            .filter(|pair| access::is_session(pair));
        Ok(Posted {
            status: head.status.as_u16(),
            cookie: pairs.next().map(str::to_owned),
        })
    }

    async fn send(
        &mut self,
        target: &Target,
        request: Builder,
        body: String,
    ) -> Result<Response<Incoming>, Fault> {
        let request = request
            .header(header::HOST, target.authority())
            .header(
                header::USER_AGENT,
                concat!("callbox-check/", env!("CARGO_PKG_VERSION")),
            )
            .body(Full::from(body))
            .map_err(|error| Fault::Other(error.to_string()))?;
        // Not before it is done with the one before.
        let sent = match self.sender.ready().await {
            Ok(()) => self.sender.send_request(request).await,
            Err(error) => Err(error),
        };
        sent.map_err(|error| fault(&error))
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
