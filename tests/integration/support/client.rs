//! A page, as far as signaling goes.

use std::net::SocketAddr;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use super::{PATIENCE, request, tls};

pub(crate) struct Client {
    pub socket: WebSocketStream<TlsStream<TcpStream>>,
    pub ticket: String,
    /// Set by `welcome`.
    pub id: String,
    pub resume: String,
}

/// The value that a line of /config.js exports.
pub(crate) fn json_of(script: &str, name: &str) -> Value {
    let rest = script.split_once(&format!("{name} = ")).expect(name).1;
    serde_json::from_str(rest.split_once(";\n").unwrap().0).unwrap()
}

impl Client {
    /// Loads the settings and opens the WebSocket.
    pub(crate) async fn connect(server: SocketAddr) -> Self {
        Self::connect_with(server, &[]).await
    }

    /// The same with further headers, such as a cookie.
    pub(crate) async fn connect_with(server: SocketAddr, headers: &[(&'static str, &str)]) -> Self {
        let script = request(server, "/config.js", headers).await;
        let ticket = json_of(script.text(), "SETTINGS")["ticket"]
            .as_str()
            .unwrap()
            .to_owned();
        let socket = Self::try_open_with(server, headers).await.unwrap();
        Self {
            socket,
            ticket,
            id: String::new(),
            resume: String::new(),
        }
    }

    pub(crate) async fn connect_as(server: SocketAddr, ticket: &str) -> Self {
        let socket = Self::try_open(server, None).await.unwrap();
        Self {
            socket,
            ticket: ticket.to_owned(),
            id: String::new(),
            resume: String::new(),
        }
    }

    /// Opens a WebSocket, from a page of `origin`.
    pub(crate) async fn try_open(
        server: SocketAddr,
        origin: Option<&str>,
    ) -> Result<WebSocketStream<TlsStream<TcpStream>>, Error> {
        let origin = origin.map(|origin| ("Origin", origin));
        Self::try_open_with(server, origin.as_slice()).await
    }

    pub(crate) async fn try_open_with(
        server: SocketAddr,
        headers: &[(&'static str, &str)],
    ) -> Result<WebSocketStream<TlsStream<TcpStream>>, Error> {
        let mut request = format!("wss://{server}/ws").into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        client_async(request, tls(server).await)
            .await
            .map(|(socket, _)| socket)
    }

    /// Joins and takes the welcome.
    pub(crate) async fn join(server: SocketAddr, room: &str, name: &str) -> Self {
        let mut client = Self::connect(server).await;
        client.enter(room, name, None).await;
        client
    }

    pub(crate) async fn enter(&mut self, room: &str, name: &str, resume: Option<&str>) -> Value {
        let ticket = self.ticket.clone();
        let mut join = json!({"type": "join", "room": room, "name": name, "ticket": ticket});
        if let Some(resume) = resume {
            join["resume"] = json!(resume);
        }
        self.send(&join).await;
        let welcome = self.expect("welcome").await;
        welcome["id"].as_str().unwrap().clone_into(&mut self.id);
        welcome["resume"]
            .as_str()
            .unwrap()
            .clone_into(&mut self.resume);
        welcome
    }

    pub(crate) async fn send(&mut self, message: &Value) {
        self.send_text(&message.to_string()).await;
    }

    pub(crate) async fn send_text(&mut self, text: &str) {
        self.socket.send(Message::text(text)).await.unwrap();
    }

    pub(crate) async fn signal(&mut self, to: &str, value: Value) {
        let data = json!({ "candidate": value });
        self.send(&json!({"type": "signal", "to": to, "data": data}))
            .await;
    }

    /// The next message, which must be of this type.
    pub(crate) async fn expect(&mut self, kind: &str) -> Value {
        let message = self.next().await;
        assert_eq!(message["type"], kind, "{message}");
        message
    }

    pub(crate) async fn next(&mut self) -> Value {
        self.next_or_close().await.expect("an open connection")
    }

    /// The next message, or the code that the server closes with.
    pub(crate) async fn next_or_close(&mut self) -> Result<Value, u16> {
        loop {
            let frame = timeout(PATIENCE, self.socket.next())
                .await
                .expect("a message in time");
            match frame
                .expect("an open connection")
                .expect("an open connection")
            {
                Message::Text(text) => return Ok(serde_json::from_str(&text).unwrap()),
                Message::Close(frame) => return Err(code_of(frame.as_ref())),
                _ => {}
            }
        }
    }

    /// Everything that waits has been received when the answer to a ping has: nothing of it was for us.
    pub(crate) async fn expect_nothing(&mut self) {
        self.send(&json!({"type": "ping"})).await;
        self.expect("pong").await;
    }

    /// Reads until the server closes, and gives its code.
    pub(crate) async fn close_code(&mut self) -> u16 {
        close_code(&mut self.socket).await
    }
}

fn code_of(frame: Option<&CloseFrame>) -> u16 {
    frame.map_or(CloseCode::Status, |frame| frame.code).into()
}

pub(super) async fn close_code(socket: &mut WebSocketStream<TlsStream<TcpStream>>) -> u16 {
    let patience = PATIENCE * 6;
    let read = async {
        loop {
            match socket.next().await {
                Some(Ok(Message::Close(frame))) => {
                    return code_of(frame.as_ref());
                }
                Some(Ok(_)) => {}
                other => panic!("no close frame: {other:?}"),
            }
        }
    };
    timeout(patience, read).await.expect("a close in time")
}
