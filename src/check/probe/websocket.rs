//! Opens `/ws` as a page does, and asks it for a sign of life.

use axum::http::{Request, header};
use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio_tungstenite::client_async_with_config;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::super::fault::Fault;
use super::super::report::quote;
use super::super::target::Target;
use super::connect::Stream;

/// Bytes of a message.
const MAX_MESSAGE: usize = 64 * 1024;
/// Messages that may come before the answer.
const MAX_MESSAGES: usize = 16;
const PING: &str = r#"{"type":"ping"}"#;

/// Upgrades, sends a `ping` of signaling, and waits for its `pong`.
///
/// # Errors
/// [`Fault::Denied`] with the HTTP status of a refused upgrade; [`Fault::Foreign`] where something else than signaling
/// answers. Has no deadline of its own.
pub(crate) async fn ping(
    stream: impl Stream,
    target: &Target,
    cookie: Option<&str>,
) -> Result<(), Fault> {
    let config = WebSocketConfig::default()
        .max_message_size(Some(MAX_MESSAGE))
        .max_frame_size(Some(MAX_MESSAGE));
    let request = request(target, cookie).map_err(fault)?;
    let (mut socket, _) = client_async_with_config(request, stream, Some(config))
        .await
        .map_err(fault)?;
    socket.send(Message::text(PING)).await.map_err(fault)?;
    for _ in 0..MAX_MESSAGES {
        let message = socket.next().await.ok_or(Fault::Closed)?.map_err(fault)?;
        if is_pong(&message) {
            // A farewell that does not arrive changes nothing of what was found.
            drop(socket.close(None).await);
            return Ok(());
        }
    }
    Err(Fault::Foreign)
}

fn request(target: &Target, cookie: Option<&str>) -> Result<Request<()>, Error> {
    let mut request = format!("wss://{}/ws", target.authority()).into_client_request()?;
    let origin = target.origin().parse().map_err(axum::http::Error::from)?;
    request.headers_mut().insert(header::ORIGIN, origin);
    if let Some(cookie) = cookie {
        let cookie = cookie.parse().map_err(axum::http::Error::from)?;
        request.headers_mut().insert(header::COOKIE, cookie);
    }
    Ok(request)
}

fn is_pong(message: &Message) -> bool {
    let Message::Text(text) = message else {
        return false;
    };
    serde_json::from_str::<Value>(text)
        .is_ok_and(|value| value.get("type") == Some(&Value::from("pong")))
}

fn fault(error: Error) -> Fault {
    match error {
        Error::Http(response) => {
            let body = response.body().as_deref().unwrap_or_default();
            let text = String::from_utf8_lossy(body);
            Fault::Denied(
                response.status().as_u16(),
                quote(text.lines().next().unwrap_or_default()),
            )
        }
        Error::Io(error) => error.into(),
        Error::ConnectionClosed
        | Error::AlreadyClosed
        | Error::Protocol(
            ProtocolError::HandshakeIncomplete | ProtocolError::ResetWithoutClosingHandshake,
        ) => Fault::Closed,
        Error::Protocol(_) | Error::HttpFormat(_) | Error::Utf8(_) | Error::Capacity(_) => {
            Fault::Foreign
        }
        other => Fault::Other(quote(&other.to_string())),
    }
}
