//! An accepted connection: plain or TLS, with a deadline for silence and a counted place.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};
use tokio_rustls::server::TlsStream;

/// A stream whose first bytes were read already and are given out again.
pub struct Replayed<S> {
    prefix: Vec<u8>,
    stream: S,
}

impl<S> Replayed<S> {
    pub fn new(prefix: Vec<u8>, stream: S) -> Self {
        Self { prefix, stream }
    }

    pub fn into_inner(self) -> S {
        self.stream
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Replayed<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.prefix.is_empty() {
            return Pin::new(&mut self.stream).poll_read(cx, buf);
        }
        let length = self.prefix.len().min(buf.remaining());
        buf.put_slice(&self.prefix[..length]);
        self.prefix.drain(..length);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Replayed<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// What TLS runs on here.
pub type Tls = TlsStream<Replayed<TcpStream>>;

/// What passes over the wire.
pub enum Transport {
    Plain(Replayed<TcpStream>),
    Tls(Box<Replayed<Tls>>),
}

/// A connection that ends when nothing has passed either way for a while. `P` is what it holds as long as it lives.
pub struct Connection<P> {
    transport: Transport,
    idle_after: Duration,
    moved: Instant,
    check: Pin<Box<Sleep>>,
    _places: P,
}

impl<P> Connection<P> {
    pub fn new(transport: Transport, idle_after: Duration, places: P) -> Self {
        let check = Box::pin(tokio::time::sleep(idle_after));
        Self {
            transport,
            idle_after,
            moved: Instant::now(),
            check,
            _places: places,
        }
    }

    fn inner(&mut self) -> Pin<&mut dyn Duplex> {
        match &mut self.transport {
            Transport::Plain(stream) => Pin::new(stream),
            Transport::Tls(stream) => Pin::new(&mut **stream),
        }
    }

    /// An error once the connection has been silent for too long. The timer is only moved when it fires, not with every
    /// read.
    fn poll_idle(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        while self.check.as_mut().poll(cx).is_ready() {
            let end = self.moved + self.idle_after;
            if end <= Instant::now() {
                return Poll::Ready(io::ErrorKind::TimedOut.into());
            }
            self.check.as_mut().reset(end);
        }
        Poll::Pending
    }
}

trait Duplex: AsyncRead + AsyncWrite + Unpin {}
impl<T: AsyncRead + AsyncWrite + Unpin> Duplex for T {}

impl<P: Unpin> AsyncRead for Connection<P> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.inner().poll_read(cx, buf) {
            Poll::Pending => self.poll_idle(cx).map(Err),
            ready @ Poll::Ready(_) => {
                self.moved = Instant::now();
                ready
            }
        }
    }
}

impl<P: Unpin> AsyncWrite for Connection<P> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.inner().poll_write(cx, buf) {
            Poll::Pending => self.poll_idle(cx).map(Err),
            ready @ Poll::Ready(_) => {
                self.moved = Instant::now();
                ready
            }
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.inner().poll_flush(cx) {
            Poll::Pending => self.poll_idle(cx).map(Err),
            ready @ Poll::Ready(_) => ready,
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner().poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    const IDLE: Duration = Duration::from_millis(300);

    async fn pair(prefix: &[u8]) -> (Connection<()>, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let far = TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        let (near, _) = listener.accept().await.unwrap();
        let transport = Transport::Plain(Replayed::new(prefix.to_vec(), near));
        (Connection::new(transport, IDLE, ()), far)
    }

    #[tokio::test]
    async fn what_was_read_before_is_given_out_again() {
        let (mut near, mut far) = pair(b"GET ").await;
        far.write_all(b"/").await.unwrap();
        let mut all = [0; 5];
        near.read_exact(&mut all).await.unwrap();
        assert_eq!(&all, b"GET /");
    }

    #[tokio::test]
    async fn a_reader_that_stops_reading_ends_the_connection() {
        let (mut near, _far) = pair(b"").await;
        let chunk = vec![0; 1 << 20];
        let error = loop {
            if let Err(error) = near.write_all(&chunk).await {
                break error;
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn silence_ends_a_connection_and_traffic_either_way_keeps_it() {
        let (mut near, mut far) = pair(b"").await;
        let start = Instant::now();
        for _ in 0..4 {
            tokio::time::sleep(IDLE / 2).await;
            far.write_all(b"x").await.unwrap();
            near.read_u8().await.unwrap();
        }
        for _ in 0..4 {
            let waited = tokio::time::timeout(IDLE / 2, near.read_u8()).await;
            assert!(waited.is_err(), "still open");
            near.write_all(b"y").await.unwrap();
        }
        assert!(start.elapsed() >= IDLE * 4);
        let quiet = Instant::now();
        let error = near.read_u8().await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(quiet.elapsed() >= IDLE / 2 && quiet.elapsed() < IDLE * 3);
    }
}
