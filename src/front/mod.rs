//! The one TCP port: told apart by its first bytes into HTTPS (with WebSockets), plain HTTP, which is redirected, and
//! TURN over TCP and over TLS, which is handed to the relay.

pub mod connection;
pub mod sniff;
mod turn_port;

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::http::Request;
use axum_server::accept::Accept;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tower::Service;

use crate::config;
use crate::limits::{PerAddress, Place};
use crate::tls::{ACME_ALPN, STUN_ALPN, TURN_ALPN};
use crate::turn::{Handover, StreamSink};
use connection::{Connection, Replayed, Tls, Transport};
use sniff::{Protocol, sniff};

const FIRST_READ: usize = 16;

/// In the extensions of a request that came over plain HTTP.
#[derive(Debug, Clone, Copy)]
pub struct Plain {
    /// Where the same is served over HTTPS; `None` for the very port that was reached.
    pub https_port: Option<u16>,
}

/// Admits connections within bounds, tells them apart, and shakes hands. Clones share the bounds.
#[derive(Clone)]
pub struct Front {
    /// `None` on a port for plain HTTP alone.
    tls: Option<Arc<ServerConfig>>,
    https_port: Option<u16>,
    /// `None` where no TURN is spoken.
    turn: Option<StreamSink>,
    total: Arc<Semaphore>,
    per_address: PerAddress,
    handshake_timeout: Duration,
    idle_timeout: Duration,
}

/// What a connection holds while it lives.
type Places = (OwnedSemaphorePermit, Place);

impl Front {
    pub fn new(config: &config::Server, tls: Arc<ServerConfig>, turn: Option<StreamSink>) -> Self {
        Self {
            tls: Some(tls),
            https_port: None,
            turn,
            total: Arc::new(Semaphore::new(
                config.max_connections.min(Semaphore::MAX_PERMITS),
            )),
            per_address: PerAddress::new(config.max_connections_per_ip),
            handshake_timeout: config.handshake_timeout,
            idle_timeout: config.idle_timeout,
        }
    }

    /// The same for a port that only redirects to `https_port`, within the same bounds.
    pub fn redirecting_to(&self, https_port: u16) -> Self {
        Self {
            tls: None,
            turn: None,
            https_port: Some(https_port),
            ..self.clone()
        }
    }

    fn admit(&self, stream: &TcpStream) -> io::Result<Places> {
        let full = || io::Error::from(io::ErrorKind::ConnectionRefused);
        let address = stream.peer_addr()?.ip();
        let place = self.per_address.take(address).ok_or_else(full)?;
        let permit = Arc::clone(&self.total)
            .try_acquire_owned()
            .map_err(|_| full())?;
        Ok((permit, place))
    }

    /// Who is there, found out within the time that a handshake may take.
    async fn identify(&self, stream: TcpStream) -> io::Result<Guest> {
        timeout(self.handshake_timeout, self.shake_hands(stream)).await?
    }

    async fn shake_hands(&self, mut stream: TcpStream) -> io::Result<Guest> {
        stream.set_nodelay(true)?;
        let first = first_bytes(&mut stream).await?;
        match (sniff(&first), &self.tls) {
            (Protocol::Tls, Some(tls)) => {
                let acceptor = TlsAcceptor::from(Arc::clone(tls));
                let stream = acceptor.accept(Replayed::new(first, stream)).await?;
                inside_tls(stream).await
            }
            (Protocol::Http, _) => Ok(Guest::Http(Transport::Plain(Replayed::new(first, stream)))),
            (Protocol::Turn, _) => Ok(Guest::Turn(Raw::Tcp(stream), first)),
            _ => Err(io::ErrorKind::InvalidData.into()),
        }
    }

    /// Gives a TURN client to the relay, with what counts it and what was read from it.
    fn hand_over(
        &self,
        raw: Raw,
        prefix: Vec<u8>,
        places: Places,
        accepted: Instant,
    ) -> io::Result<()> {
        let turn = self.turn.as_ref().ok_or(io::ErrorKind::Unsupported)?;
        let (stream, tls) = match raw {
            Raw::Tcp(stream) => (stream, None),
            Raw::Tls(stream) => {
                let (stream, tls) = stream.into_inner();
                (stream.into_inner(), Some(Box::new(tls)))
            }
        };
        turn.hand_over(Handover {
            socket: stream.into_std()?,
            tls,
            prefix,
            deadline: accepted + self.handshake_timeout,
            place: Box::new(places),
        });
        Ok(())
    }
}

fn count_refused(_: &io::Error) {
    metrics::counter!("callbox_connections_refused_total").increment(1);
}

fn count_failed(error: &io::Error) {
    let reason = match error.kind() {
        // The authority has seen what it wanted to see.
        io::ErrorKind::ConnectionAborted => return,
        io::ErrorKind::TimedOut => "timeout",
        io::ErrorKind::InvalidData => "not_understood",
        _ => "broken",
    };
    metrics::counter!("callbox_handshake_failures_total", "reason" => reason).increment(1);
}

/// Who is at the other end.
enum Guest {
    Http(Transport),
    /// With what was read from it.
    Turn(Raw, Vec<u8>),
}

enum Raw {
    Tcp(TcpStream),
    Tls(Box<Tls>),
}

async fn first_bytes(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Vec<u8>> {
    let mut first = vec![0; FIRST_READ];
    let length = stream.read(&mut first).await?;
    first.truncate(length);
    Ok(first)
}

/// Browsers name HTTP in the handshake; of others the first bytes tell.
async fn inside_tls(mut stream: Tls) -> io::Result<Guest> {
    let web = |first, stream| {
        Ok(Guest::Http(Transport::Tls(Box::new(Replayed::new(
            first, stream,
        )))))
    };
    match stream.get_ref().1.alpn_protocol() {
        Some(TURN_ALPN | STUN_ALPN) => Ok(Guest::Turn(Raw::Tls(Box::new(stream)), Vec::new())),
        // The handshake was all that the authority wanted to see (RFC 8737 §3).
        Some(ACME_ALPN) => Err(io::ErrorKind::ConnectionAborted.into()),
        Some(_) => web(Vec::new(), stream),
        None => {
            let first = first_bytes(&mut stream).await?;
            match sniff(&first) {
                Protocol::Turn => Ok(Guest::Turn(Raw::Tls(Box::new(stream)), first)),
                _ => web(first, stream),
            }
        }
    }
}

impl<S: Send + 'static> Accept<TcpStream, S> for Front {
    type Stream = Connection<Places>;
    type Service = Marked<S>;
    type Future = Pin<Box<dyn Future<Output = io::Result<(Self::Stream, Self::Service)>> + Send>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        let front = self.clone();
        Box::pin(async move {
            let accepted = Instant::now();
            let places = front.admit(&stream).inspect_err(count_refused)?;
            let guest = front.identify(stream).await.inspect_err(count_failed)?;
            let transport = match guest {
                Guest::Http(transport) => transport,
                Guest::Turn(raw, prefix) => {
                    front.hand_over(raw, prefix, places, accepted)?;
                    // For the HTTP server there is nothing to do.
                    return Err(io::ErrorKind::ConnectionAborted.into());
                }
            };
            let plain = match transport {
                Transport::Plain(_) => Some(Plain {
                    https_port: front.https_port,
                }),
                Transport::Tls(_) => None,
            };
            let connection = Connection::new(transport, front.idle_timeout, places);
            Ok((connection, Marked { service, plain }))
        })
    }
}

/// Marks requests that came over plain HTTP.
#[derive(Clone)]
pub struct Marked<S> {
    service: S,
    plain: Option<Plain>,
}

impl<S, B> Service<Request<B>> for Marked<S>
where
    S: Service<Request<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.service.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        if let Some(plain) = self.plain {
            request.extensions_mut().insert(plain);
        }
        self.service.call(request)
    }
}
