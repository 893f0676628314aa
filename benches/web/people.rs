//! People at a server: each a WebSocket, joined to a room.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use anyhow::{Context, bail};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use crate::dialect::{Dialect, Heard};
use crate::files::Fetcher;

/// People who share an address, so that no bound per address is met.
const AT_ONE_ADDRESS: usize = 16;

pub(crate) trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

pub(crate) type Socket = WebSocketStream<Box<dyn Wire>>;

pub(crate) struct Person {
    pub id: String,
    pub says: SplitSink<Socket, Message>,
    pub hears: SplitStream<Socket>,
}

/// Where people go, and how they speak there.
pub(crate) struct Door {
    pub dialect: Dialect,
    pub server: SocketAddr,
    pub connector: TlsConnector,
    /// For tickets.
    fetcher: Option<Fetcher>,
    people: usize,
}

impl Door {
    pub(crate) async fn open(
        dialect: Dialect,
        server: SocketAddr,
        connector: &TlsConnector,
    ) -> anyhow::Result<Self> {
        let fetcher = match dialect {
            Dialect::Callbox => Some(Fetcher::connect(connector, server).await?),
            Dialect::SocketIo => None,
        };
        Ok(Self {
            dialect,
            server,
            connector: connector.clone(),
            fetcher,
            people: 0,
        })
    }

    pub(crate) async fn enter(&mut self, room: &str) -> anyhow::Result<Person> {
        let ticket = self.ticket().await?;
        let wire = self.connect().await?;
        let scheme = if self.dialect.is_over_tls() {
            "wss"
        } else {
            "ws"
        };
        let url = format!("{scheme}://localhost{}", self.dialect.path());
        let (mut socket, _) = tokio_tungstenite::client_async(url, wire).await?;
        let join = self.dialect.join(room, &ticket);
        if self.dialect == Dialect::Callbox {
            socket.send(Message::text(join.as_str())).await?;
        }
        loop {
            let message = socket.next().await.context("closed")??;
            let Message::Text(text) = message else {
                continue;
            };
            match self.dialect.hear(&text) {
                Heard::Welcome(id) => {
                    let id = id.to_owned();
                    let (says, hears) = socket.split();
                    return Ok(Person { id, says, hears });
                }
                Heard::Answer(answer) => socket.send(Message::text(answer)).await?,
                Heard::Else if self.dialect.is_open(&text) => {
                    socket.send(Message::text(join.as_str())).await?;
                }
                Heard::Else if text.contains(r#""error""#) => bail!("{text}"),
                Heard::Else | Heard::Message(_) => {}
            }
        }
    }

    async fn ticket(&mut self) -> anyhow::Result<String> {
        let Some(fetcher) = &mut self.fetcher else {
            return Ok(String::new());
        };
        let (_, script) = fetcher.get("/config.js", "identity").await?;
        let script = String::from_utf8_lossy(&script);
        let (_, rest) = script.split_once(r#""ticket": ""#).context("no ticket")?;
        Ok(rest.split('"').next().unwrap_or_default().to_owned())
    }

    async fn connect(&mut self) -> anyhow::Result<Box<dyn Wire>> {
        let network = self.people / AT_ONE_ADDRESS;
        self.people += 1;
        let from = Ipv4Addr::new(127, 1, (network / 256) as u8, (network % 256) as u8);
        let socket = TcpSocket::new_v4()?;
        socket.set_nodelay(true)?;
        socket.bind(SocketAddr::from((from, 0)))?;
        let stream: TcpStream = socket.connect(self.server).await?;
        if !self.dialect.is_over_tls() {
            return Ok(Box::new(stream));
        }
        let name = ServerName::try_from("localhost")?;
        Ok(Box::new(self.connector.connect(name, stream).await?))
    }

    /// People alone in their rooms, who answer pings and say nothing else, until the handles are dropped.
    pub(crate) async fn idle(&mut self, count: usize) -> anyhow::Result<Crowd> {
        let mut crowd = Crowd::default();
        for number in 0..count {
            let person = self
                .enter(&format!("idle-{number}-{}", self.people))
                .await?;
            crowd.0.push(tokio::spawn(listen(person, self.dialect)));
        }
        Ok(crowd)
    }
}

#[derive(Default)]
pub(crate) struct Crowd(Vec<JoinHandle<()>>);

impl Crowd {
    /// Fails if one of them was thrown out.
    pub(crate) fn all_there(&self) -> anyhow::Result<()> {
        let gone = self.0.iter().filter(|person| person.is_finished()).count();
        if gone > 0 {
            bail!("{gone} of {} were thrown out", self.0.len());
        }
        Ok(())
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        for person in &self.0 {
            person.abort();
        }
    }
}

async fn listen(mut person: Person, dialect: Dialect) {
    while let Some(Ok(message)) = person.hears.next().await {
        if let Message::Text(text) = message
            && let Heard::Answer(answer) = dialect.hear(&text)
            && person.says.send(Message::text(answer)).await.is_err()
        {
            return;
        }
    }
}

/// Two people in one room.
pub(crate) async fn pair(door: &mut Door) -> anyhow::Result<[Person; 2]> {
    let room = Arc::new("two-people".to_owned());
    Ok([door.enter(&room).await?, door.enter(&room).await?])
}
