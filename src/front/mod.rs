//! The one TCP port: told apart by its first bytes into HTTPS (with WebSockets), plain HTTP, which is redirected, and
//! TURN over TCP and over TLS, which is handed to the relay.

mod answers;
pub(crate) mod connection;
mod crowd;
mod preamble;
pub(crate) mod sniff;
mod turn_port;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::http::Request;
use axum_server::accept::Accept;
use ipnet::IpNet;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, sleep_until};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::{ServerConfig, ServerConnection};
use tower::Service;

use crate::config;
use crate::limits::{AddressRate, Full};
use crate::net::canonical;
use crate::refused::Refused;
use crate::tls::{ACME_ALPN, STUN_ALPN, TURN_ALPN};
use crate::turn::{Handover, StreamSink};
use connection::{Connection, Deadlines, Replayed, Tls, Transport};
use crowd::{Crowd, Spot};
use preamble::{Preamble, preamble};
use sniff::{Protocol, sniff};

pub(crate) use crowd::Worth;

const FIRST_READ: usize = 16;
/// What a client may send until the handshake is done. Browsers send two kilobytes; the library would take sixty-four.
const MAX_HANDSHAKE: usize = 16 * 1024;
/// What waits encrypted to be sent.
const TLS_BUFFER: usize = 16 * 1024;
/// What the kernel keeps of answers that it has not sent yet.
const NOT_SENT: u32 = 64 * 1024;

/// In the extensions of a request that came over plain HTTP.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plain {
    /// Where the same is served over HTTPS; `None` for the very port that was reached.
    pub https_port: Option<u16>,
}

/// In the extensions of a request: whom its connection comes from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub SocketAddr);

/// Admits connections within bounds, tells them apart, and shakes hands. Clones share the bounds.
#[derive(Clone)]
pub(crate) struct Front {
    /// `None` on a port for plain HTTP alone.
    tls: Option<Arc<ServerConfig>>,
    https_port: Option<u16>,
    /// `None` where no TURN is spoken.
    turn: Option<StreamSink>,
    crowd: Crowd,
    /// Of TLS, which costs more than anything else that a stranger can ask for.
    handshakes: Arc<AddressRate>,
    /// They may say whom they pass a connection on for.
    proxies: Arc<[IpNet]>,
    handshake_timeout: Duration,
    deadlines: Deadlines,
}

/// There is no place for it.
fn refused(full: Full) -> io::Error {
    let bound = full.of([
        Refused::Connections,
        Refused::ConnectionsOfAddress,
        Refused::ConnectionsOfNetwork,
    ]);
    bound.count();
    metrics::counter!("callbox_connections_refused_total").increment(1);
    io::ErrorKind::ConnectionRefused.into()
}

impl Front {
    pub(crate) fn new(
        config: &config::Server,
        proxies: &[IpNet],
        tls: Arc<ServerConfig>,
        turn: Option<StreamSink>,
    ) -> Self {
        Self {
            tls: Some(tls),
            https_port: None,
            turn,
            crowd: Crowd::new(config),
            handshakes: Arc::new(AddressRate::new(
                config.handshakes_per_second_per_ip,
                Duration::from_secs(1),
            )),
            proxies: proxies.into(),
            handshake_timeout: config.handshake_timeout,
            deadlines: Deadlines {
                idle: config.idle_timeout,
                answer: config.answer_timeout,
                age: config.max_age,
            },
        }
    }

    /// The same for a port that only redirects to `https_port`, within the same bounds.
    pub(crate) fn redirecting_to(&self, https_port: u16) -> Self {
        Self {
            tls: None,
            turn: None,
            https_port: Some(https_port),
            ..self.clone()
        }
    }

    fn is_proxy(&self, peer: SocketAddr) -> bool {
        self.proxies.iter().any(|known| known.contains(&peer.ip()))
    }

    /// Lets a connection in and finds out who is there, within the time that a handshake may take. What it has come to
    /// is counted.
    async fn receive(&self, stream: TcpStream) -> io::Result<(Guest, Arrival)> {
        let accepted = Instant::now();
        let peer = canonical(stream.peer_addr()?);
        let own = (!self.is_proxy(peer)).then_some(peer.ip());
        let mut arrival = Arrival {
            peer,
            proxied: self.is_proxy(peer),
            accepted,
            spot: self.crowd.admit(own).map_err(refused)?,
        };
        let life = arrival.spot.worth();
        let guest = tokio::select! {
            guest = self.shake_hands(stream, &mut arrival) => guest,
            () = sleep(self.handshake_timeout) => Err(io::ErrorKind::TimedOut.into()),
            () = life.evicted() => Err(io::ErrorKind::QuotaExceeded.into()),
        };
        Ok((guest.inspect_err(count_failed)?, arrival))
    }

    async fn shake_hands(&self, mut stream: TcpStream, arrival: &mut Arrival) -> io::Result<Guest> {
        stream.set_nodelay(true)?;
        let mut first = first_bytes(&mut stream).await?;
        if arrival.proxied {
            let (source, rest) = unwrap(first, &mut stream).await?;
            first = rest;
            if let Some(source) = source {
                arrival.spot.is_for(source.ip()).map_err(refused)?;
                arrival.peer = source;
            }
        }
        match (sniff(&first), &self.tls) {
            (Protocol::Tls, Some(tls)) => {
                self.await_turn(arrival.peer).await;
                let acceptor = TlsAcceptor::from(Arc::clone(tls));
                let stream = Replayed::new(first, stream).up_to(MAX_HANDSHAKE);
                let bounded = |tls: &mut ServerConnection| tls.set_buffer_limit(Some(TLS_BUFFER));
                let mut stream = acceptor.accept_with(stream, bounded).await?;
                stream.get_mut().0.unbounded();
                inside_tls(stream).await
            }
            (Protocol::Http, _) => Ok(Guest::Http(Transport::Plain(Replayed::new(first, stream)))),
            (Protocol::Turn, _) => Ok(Guest::Turn(Raw::Tcp(stream), first)),
            _ => Err(io::ErrorKind::InvalidData.into()),
        }
    }

    /// Who asks for handshakes too fast waits. A proxy for itself does not: nobody else could come by it.
    async fn await_turn(&self, peer: SocketAddr) {
        if self.is_proxy(peer) {
            return;
        }
        let mut delayed = false;
        while let Err(at) = self.handshakes.next(peer.ip(), Instant::now()) {
            if !std::mem::replace(&mut delayed, true) {
                metrics::counter!("callbox_handshakes_delayed_total").increment(1);
            }
            sleep_until(at.into()).await;
        }
    }

    /// Gives a TURN client to the relay, with what counts it and what was read from it.
    fn hand_over(&self, raw: Raw, prefix: Vec<u8>, arrival: Arrival) -> io::Result<()> {
        let turn = self.turn.as_ref().ok_or(io::ErrorKind::Unsupported)?;
        let (stream, tls) = match raw {
            Raw::Tcp(stream) => (stream, None),
            Raw::Tls(stream) => {
                let (stream, tls) = stream.into_inner();
                (stream.into_inner(), Some(Box::new(tls)))
            }
        };
        let socket = Arc::new(stream.into_std()?);
        arrival.spot.is_on(&socket);
        turn.hand_over(Handover {
            socket,
            tls,
            prefix,
            deadline: arrival.accepted + self.handshake_timeout,
            client: arrival.peer,
            place: Box::new(arrival.spot),
            proxied: arrival.proxied,
        });
        Ok(())
    }
}

/// Has all of this door counted from zero: what appears only with its first event has no increase.
pub(crate) fn count_from_zero() {
    for name in [
        "callbox_connections_refused_total",
        "callbox_connections_evicted_total",
        "callbox_handshakes_delayed_total",
    ] {
        metrics::counter!(name).absolute(0);
    }
    for reason in ["timeout", "not_understood", "broken", "evicted"] {
        metrics::counter!("callbox_handshake_failures_total", "reason" => reason).absolute(0);
    }
}

fn count_failed(error: &io::Error) {
    let reason = match error.kind() {
        // The authority has seen what it wanted to see; a refusal was counted by its bound.
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionRefused => return,
        // No socket says so.
        io::ErrorKind::QuotaExceeded => "evicted",
        io::ErrorKind::TimedOut => "timeout",
        io::ErrorKind::InvalidData => "not_understood",
        _ => "broken",
    };
    metrics::counter!("callbox_handshake_failures_total", "reason" => reason).increment(1);
}

/// A connection that is let in.
struct Arrival {
    /// Who it comes from, once that is known.
    peer: SocketAddr,
    /// Has a trusted proxy passed it on, whoever it is for?
    proxied: bool,
    accepted: Instant,
    spot: Spot,
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

/// Takes off what a proxy has put before a connection: whom it is for, unless that is the proxy itself, and the first
/// bytes of the connection.
async fn unwrap(
    mut first: Vec<u8>,
    stream: &mut (impl AsyncRead + Unpin),
) -> io::Result<(Option<SocketAddr>, Vec<u8>)> {
    loop {
        match preamble(&first) {
            Preamble::None => return Ok((None, first)),
            Preamble::Broken => return Err(io::ErrorKind::InvalidData.into()),
            Preamble::Whole { source, length } => {
                let mut rest = first.split_off(length);
                if rest.is_empty() {
                    rest = first_bytes(stream).await?;
                }
                return Ok((source.map(canonical), rest));
            }
            Preamble::Partial => {
                let mut more = [0; 256];
                match stream.read(&mut more).await? {
                    0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                    length => first.extend_from_slice(&more[..length]),
                }
            }
        }
    }
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
    type Stream = Connection;
    type Service = Marked<S>;
    type Future = Pin<Box<dyn Future<Output = io::Result<(Self::Stream, Self::Service)>> + Send>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        let front = self.clone();
        Box::pin(async move {
            let (guest, arrival) = front.receive(stream).await?;
            let transport = match guest {
                Guest::Http(transport) => transport,
                Guest::Turn(raw, prefix) => {
                    front.hand_over(raw, prefix, arrival)?;
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
            let peer = Peer(arrival.peer);
            transport.keep_unsent(NOT_SENT)?;
            let worth = arrival.spot.worth();
            let connection = Connection::new(transport, front.deadlines, arrival.spot);
            Ok((
                connection,
                Marked {
                    service,
                    peer,
                    plain,
                    worth,
                },
            ))
        })
    }
}

/// Marks requests with whom they come from, and whether over plain HTTP.
#[derive(Clone)]
pub(crate) struct Marked<S> {
    service: S,
    peer: Peer,
    plain: Option<Plain>,
    worth: Worth,
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
        self.worth.used();
        request.extensions_mut().insert(self.peer);
        request.extensions_mut().insert(self.worth.clone());
        if let Some(plain) = self.plain {
            request.extensions_mut().insert(plain);
        }
        self.service.call(request)
    }
}
