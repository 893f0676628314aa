//! An accepted connection: plain or TLS, with a counted place, and deadlines for silence, for answers that nobody takes,
//! and for its age.

use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};
use tokio_rustls::server::TlsStream;

use super::answers::Answers;
use super::crowd::{Spot, Worth};

/// A stream whose first bytes were read already and are given out again.
pub(crate) struct Replayed<S> {
    prefix: Vec<u8>,
    stream: S,
    /// Bytes that may yet be read.
    left: usize,
}

impl<S> Replayed<S> {
    pub(crate) fn new(prefix: Vec<u8>, stream: S) -> Self {
        Self {
            prefix,
            stream,
            left: usize::MAX,
        }
    }

    /// It ends with an error after so many bytes.
    pub(crate) fn up_to(self, left: usize) -> Self {
        Self { left, ..self }
    }

    /// Whoever is there may say as much as they like.
    pub(crate) fn unbounded(&mut self) {
        self.left = usize::MAX;
    }

    pub(crate) fn into_inner(self) -> S {
        self.stream
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Replayed<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        if self.prefix.is_empty() {
            std::task::ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        } else {
            let length = self.prefix.len().min(buf.remaining());
            buf.put_slice(&self.prefix[..length]);
            self.prefix.drain(..length);
            if self.prefix.is_empty() {
                self.prefix = Vec::new();
            }
        }
        if self.left != usize::MAX {
            let read = buf.filled().len() - before;
            let Some(left) = self.left.checked_sub(read) else {
                buf.set_filled(before);
                return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
            };
            self.left = left;
        }
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

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// What TLS runs on here.
pub(crate) type Tls = TlsStream<Replayed<TcpStream>>;

/// What passes over the wire.
pub(crate) enum Transport {
    Plain(Replayed<TcpStream>),
    Tls(Box<Replayed<Tls>>),
}

impl Transport {
    /// The kernel shall keep so many bytes at the most that it has not sent yet: by itself it would keep megabytes.
    pub(crate) fn keep_unsent(&self, bytes: u32) -> io::Result<()> {
        let socket = match self {
            Self::Plain(stream) => &stream.stream,
            Self::Tls(stream) => &stream.stream.get_ref().0.stream,
        };
        SockRef::from(socket).set_tcp_notsent_lowat(bytes)
    }
}

/// After how long a connection is ended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadlines {
    /// Over which nothing passes. Of HTTP/2 only answers count, which PINGs are not.
    pub idle: Duration,
    /// On which an answer does not move since the client does not take it.
    pub answer: Duration,
    /// That has been open for so long, and carries no WebSocket. One in the middle of an answer has twice the time.
    pub age: Duration,
}

/// A connection with its deadlines.
pub(crate) struct Connection {
    transport: Transport,
    deadlines: Deadlines,
    opened: Instant,
    moved: Instant,
    /// Since when nothing can be written.
    blocked_since: Option<Instant>,
    protocol: Protocol,
    /// How many open answers were counted last.
    told_open: usize,
    /// At the next deadline, or before.
    look: Pin<Box<Sleep>>,
    spot: Spot,
    worth: Worth,
}

enum Protocol {
    /// With its first bytes, which do not tell yet.
    Unknown(Vec<u8>),
    /// HTTP/1.1, and WebSockets.
    One,
    Two(Box<Answers>),
}

/// As many bytes tell HTTP/1.1 and HTTP/2 apart.
const TELLING: usize = 3;
/// So many answers that are not complete are nothing to speak of.
const FEW_ANSWERS: usize = 2;

impl Connection {
    pub(crate) fn new(transport: Transport, deadlines: Deadlines, spot: Spot) -> Self {
        let now = Instant::now();
        Self {
            transport,
            deadlines,
            opened: now,
            moved: now,
            blocked_since: None,
            protocol: Protocol::Unknown(Vec::new()),
            told_open: 0,
            look: Box::pin(sleep_until(now + deadlines.idle.min(deadlines.age))),
            worth: spot.worth(),
            spot,
        }
    }

    fn inner(&mut self) -> Pin<&mut dyn Duplex> {
        match &mut self.transport {
            Transport::Plain(stream) => Pin::new(stream),
            Transport::Tls(stream) => Pin::new(&mut **stream),
        }
    }

    fn received(&mut self, bytes: &[u8], now: Instant) {
        match &mut self.protocol {
            Protocol::Unknown(first) => {
                self.moved = now;
                first.extend_from_slice(bytes);
                if first.len() >= TELLING {
                    let first = std::mem::take(first);
                    self.protocol = match Answers::of(&first) {
                        Some(mut answers) => {
                            answers.received(&first, now.into_std());
                            Protocol::Two(Box::new(answers))
                        }
                        None => Protocol::One,
                    };
                }
            }
            Protocol::One => self.moved = now,
            Protocol::Two(answers) => answers.received(bytes, now.into_std()),
        }
    }

    fn sent(&mut self, parts: &[IoSlice<'_>], mut length: usize) {
        let now = Instant::now();
        self.blocked_since = None;
        let Protocol::Two(answers) = &mut self.protocol else {
            self.moved = now;
            return;
        };
        for part in parts {
            let taken = part.len().min(length);
            answers.sent(&part[..taken], now.into_std());
            length -= taken;
        }
        if let Some(moved) = answers.moved() {
            self.moved = moved.into();
        }
    }

    /// When it is ended unless something happens.
    fn end(&self) -> Instant {
        let answers = match &self.protocol {
            Protocol::Two(answers) => Some(answers),
            _ => None,
        };
        let waiting = answers.and_then(|answers| answers.waiting_since());
        let waiting = waiting.map(Instant::from_std);
        let stalled = waiting.into_iter().chain(self.blocked_since).min();
        let age = match stalled {
            _ if self.worth.is_in_use() => None,
            Some(_) => Some(self.opened + 2 * self.deadlines.age),
            None => Some(self.opened + self.deadlines.age),
        };
        let stalled = stalled.map(|since| since + self.deadlines.answer);
        let idle = self.moved + self.deadlines.idle;
        // A request that has come is no idleness, however late.
        let first = stalled.filter(|_| waiting.is_some()).unwrap_or(idle);
        [stalled, age]
            .into_iter()
            .flatten()
            .fold(first, Instant::min)
    }

    /// An error once the time of the connection is over, or it has to go for another. The timer is moved when it fires, and
    /// when a deadline comes to lie before it, not with every read.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        if self.worth.poll_evicted(cx).is_ready() {
            return Poll::Ready(io::ErrorKind::ConnectionReset.into());
        }
        let open = match &self.protocol {
            Protocol::Two(answers) if answers.open() > FEW_ANSWERS => answers.open(),
            _ => 0,
        };
        // All connections share what counts them.
        if std::mem::replace(&mut self.told_open, open) != open {
            self.spot.set_answers(open);
        }
        let end = self.end();
        if end < self.look.deadline() {
            self.look.as_mut().reset(end);
        }
        while self.look.as_mut().poll(cx).is_ready() {
            if end <= Instant::now() {
                return Poll::Ready(io::ErrorKind::TimedOut.into());
            }
            self.look.as_mut().reset(end);
        }
        Poll::Pending
    }

    /// What a write has come to.
    fn wrote(
        &mut self,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        match written {
            Poll::Pending => self.blocked(cx).map(Err),
            Poll::Ready(Ok(length)) => {
                self.sent(parts, length);
                Poll::Ready(Ok(length))
            }
            failed @ Poll::Ready(Err(_)) => failed,
        }
    }

    fn blocked(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        self.blocked_since.get_or_insert_with(Instant::now);
        self.poll_end(cx)
    }
}

trait Duplex: AsyncRead + AsyncWrite + Unpin {}
impl<T: AsyncRead + AsyncWrite + Unpin> Duplex for T {}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        match self.inner().poll_read(cx, buf) {
            Poll::Pending => self.poll_end(cx).map(Err),
            Poll::Ready(Ok(())) => {
                let now = Instant::now();
                self.received(&buf.filled()[before..], now);
                // There may be something to read at all times.
                if self.end() <= now {
                    return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
                }
                Poll::Ready(Ok(()))
            }
            failed @ Poll::Ready(Err(_)) => failed,
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = self.inner().poll_write(cx, buf);
        self.wrote(cx, &[IoSlice::new(buf)], written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = self.inner().poll_write_vectored(cx, bufs);
        self.wrote(cx, bufs, written)
    }

    fn is_write_vectored(&self) -> bool {
        match &self.transport {
            Transport::Plain(stream) => stream.is_write_vectored(),
            Transport::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.inner().poll_flush(cx) {
            Poll::Pending => self.blocked(cx).map(Err),
            Poll::Ready(flushed) => {
                self.blocked_since = None;
                Poll::Ready(flushed)
            }
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.inner().poll_shutdown(cx) {
            Poll::Pending => self.blocked(cx).map(Err),
            ready @ Poll::Ready(_) => ready,
        }
    }
}

#[cfg(test)]
mod tests;
