//! The one TCP port: told apart by its first bytes into HTTPS (with WebSockets) and plain HTTP, which is redirected.

mod connection;
mod sniff;

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::http::Request;
use axum_server::accept::Accept;
use axum_server::tls_rustls::RustlsConfig;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tower::Service;

use crate::config;
use crate::limits::{PerAddress, Place};
use connection::{Connection, Replayed, Transport};
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
    tls: Option<RustlsConfig>,
    https_port: Option<u16>,
    total: Arc<Semaphore>,
    per_address: PerAddress,
    handshake_timeout: Duration,
    idle_timeout: Duration,
}

/// What a connection holds while it lives.
type Places = (OwnedSemaphorePermit, Place);

impl Front {
    pub fn new(config: &config::Server, tls: RustlsConfig) -> Self {
        Self {
            tls: Some(tls),
            https_port: None,
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

    async fn shake_hands(&self, mut stream: TcpStream) -> io::Result<Transport> {
        stream.set_nodelay(true)?;
        let mut first = vec![0; FIRST_READ];
        let length = stream.read(&mut first).await?;
        first.truncate(length);
        match (sniff(&first), &self.tls) {
            (Protocol::Tls, Some(tls)) => {
                let acceptor = TlsAcceptor::from(tls.get_inner());
                let stream = acceptor.accept(Replayed::new(first, stream)).await?;
                Ok(Transport::Tls(Box::new(stream)))
            }
            (Protocol::Http, _) => Ok(Transport::Plain(Replayed::new(first, stream))),
            _ => Err(io::ErrorKind::InvalidData.into()),
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
            let places = front.admit(&stream)?;
            let transport = timeout(front.handshake_timeout, front.shake_hands(stream)).await??;
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
