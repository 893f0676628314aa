//! A client on a stream: TCP, or TLS over it.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Instant;

use rustls::ServerConnection;

use callbox_turn::Client;
use callbox_turn::framing::{self, Frame};

/// Bytes that are read at once.
pub(super) const CHUNK: usize = 64 * 1024;
/// Room for answers behind a queue that is full of data.
const ANSWERS: usize = 64 * 1024;
/// The same for a stranger, of whom the kernel keeps much more than one can have to say.
const STRANGERS_ANSWERS: usize = 4096;
/// What rustls reads at once.
const TLS_READ: usize = 4096;
/// What a waiting TLS record takes beside its message: header, nonce and tag, and a place in memory.
const RECORD_OVERHEAD: usize = 128;

/// What counts a connection for as long as it is held, and may take it back.
pub(crate) trait Place: Send {
    /// Tells whether the connection is of use: where there is no room for others, those go first that are not.
    fn is_used(&self, used: bool);
}

/// What a TCP connection is handed over with.
pub(crate) struct Handover {
    /// Whoever counts it may shut it down.
    pub socket: Arc<TcpStream>,
    pub tls: Option<Box<ServerConnection>>,
    /// What has been read from it already.
    pub prefix: Vec<u8>,
    /// Until when the first whole message has to be there.
    pub deadline: Instant,
    /// Whom it comes from, which a proxy in between may have told.
    pub client: SocketAddr,
    /// Has a trusted proxy passed it on?
    pub proxied: bool,
    /// Given back when it ends.
    pub place: Box<dyn Place>,
}

pub(super) struct Stream {
    pub client: Client,
    socket: Arc<TcpStream>,
    /// Holds its own output.
    tls: Option<Box<ServerConnection>>,
    /// The beginning of a message.
    input: Vec<u8>,
    output: Vec<u8>,
    /// Bytes of `output` that have gone.
    written: usize,
    /// Bytes that wait, in `output` or in `tls`; for TLS a little too many until all is written.
    waiting: usize,
    max_output: usize,
    /// Since when a message has been incomplete.
    pub partial_since: Option<Instant>,
    /// Since when nothing could be written that waits.
    pub blocked_since: Option<Instant>,
    /// `None` before the first.
    pub last_message: Option<Instant>,
    /// When to look at it next.
    pub check_at: Instant,
    /// Does the poll tell when it can be written to?
    pub watched_for_write: bool,
    /// It ends once all is written.
    pub closing: bool,
    place: Box<dyn Place>,
}

/// A stream that has nothing more to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Closed;

impl Stream {
    pub(super) fn new(handover: Handover, client: Client, max_output: usize) -> Self {
        let mut tls = handover.tls;
        if let Some(tls) = &mut tls {
            // The bound is `max_output`; another one here would cut messages.
            tls.set_buffer_limit(None);
        }
        Self {
            client,
            socket: handover.socket,
            tls,
            input: handover.prefix,
            output: Vec::new(),
            written: 0,
            waiting: 0,
            max_output,
            partial_since: None,
            blocked_since: None,
            last_message: None,
            // One deadline spans all from the accept to the first whole message.
            check_at: handover.deadline,
            watched_for_write: false,
            closing: false,
            place: handover.place,
        }
    }

    /// Does it have an allocation?
    pub(super) fn is_used(&self, used: bool) {
        self.place.is_used(used);
    }

    pub(super) fn socket(&self) -> &TcpStream {
        &self.socket
    }

    /// Reads what is there, behind what was left of the last time, into `scratch`; gives how much that holds.
    ///
    /// # Errors
    /// [`Closed`] where the other side has ended the stream or broken a rule of TLS.
    pub(super) fn read(&mut self, scratch: &mut [u8]) -> Result<usize, Closed> {
        let held = self.input.len();
        scratch[..held].copy_from_slice(&self.input);
        let room = &mut scratch[held..];
        let read = match &mut self.tls {
            None => match (&*self.socket).read(room) {
                Ok(0) => return Err(Closed),
                other => other,
            },
            Some(tls) => read_tls(tls, &self.socket, room),
        };
        match read {
            Ok(length) => Ok(held + length),
            Err(error) if is_temporary(&error) => Ok(held),
            Err(_) => Err(Closed),
        }
    }

    /// What was read before the handover.
    pub(super) fn take_over(&mut self, scratch: &mut [u8]) -> Result<usize, Closed> {
        let held = self.input.len();
        scratch[..held].copy_from_slice(&self.input);
        let decrypted = match &mut self.tls {
            Some(tls) => plaintext(tls, &mut scratch[held..]).map_err(|_| Closed)?,
            None => 0,
        };
        Ok(held + decrypted)
    }

    /// Keeps the beginning of a message until the rest is there.
    pub(super) fn keep(&mut self, rest: &[u8], now: Instant) {
        self.input.clear();
        if rest.is_empty() {
            self.input.shrink_to_fit();
            self.partial_since = None;
        } else {
            self.input.extend_from_slice(rest);
            self.partial_since.get_or_insert(now);
        }
    }

    /// The first message of `bytes`.
    pub(super) fn frame(bytes: &[u8]) -> Frame {
        framing::next(bytes)
    }

    /// Queues an answer.
    ///
    /// # Errors
    /// [`Closed`] for a client that asks on and on and never reads; sooner for one without an allocation.
    pub(super) fn answer(&mut self, message: &[u8], known: bool) -> Result<(), Closed> {
        self.place.is_used(known);
        let room = if known {
            self.max_output + ANSWERS
        } else {
            STRANGERS_ANSWERS
        };
        if self.waiting + message.len() > room {
            return Err(Closed);
        }
        self.queue(message)
    }

    /// Queues data, padded; `false` where a slow reader has too much waiting.
    ///
    /// # Errors
    /// [`Closed`] where nothing can be written any more.
    pub(super) fn data(&mut self, message: &mut [u8], length: usize) -> Result<bool, Closed> {
        if self.waiting + message.len() > self.max_output {
            return Ok(false);
        }
        message[length..].fill(0);
        self.queue(message).map(|()| true)
    }

    /// Over TLS each message is a record: there are clients that take the one for the other, such as coturn's.
    fn queue(&mut self, message: &[u8]) -> Result<(), Closed> {
        self.waiting += message.len();
        match &mut self.tls {
            None => self.output.extend_from_slice(message),
            Some(tls) => {
                tls.writer().write_all(message).map_err(|_| Closed)?;
                self.waiting += RECORD_OVERHEAD;
            }
        }
        Ok(())
    }

    /// Writes what waits, as far as it goes; `true` when all is written.
    ///
    /// # Errors
    /// [`Closed`] where nothing can be written any more.
    pub(super) fn flush(&mut self, now: Instant) -> Result<bool, Closed> {
        let before = self.waiting;
        let done = match &mut self.tls {
            None => self.flush_plain(),
            Some(tls) => flush_tls(tls, &self.socket, &mut self.waiting),
        };
        let done = done.map_err(|_| Closed)?;
        if done {
            self.waiting = 0;
            self.blocked_since = None;
        } else if self.blocked_since.is_none() || self.waiting < before {
            self.blocked_since = Some(now);
        }
        Ok(done)
    }

    fn flush_plain(&mut self) -> io::Result<bool> {
        while self.waiting > 0 {
            match (&*self.socket).write(&self.output[self.written..]) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(length) => {
                    self.written += length;
                    self.waiting -= length;
                }
                Err(error) if is_temporary(&error) => break,
                Err(error) => return Err(error),
            }
            // A short write means that the kernel's buffer is full.
            if self.waiting > 0 {
                break;
            }
        }
        // What has gone is given up where that moves little.
        if self.waiting <= self.written {
            self.output.drain(..self.written);
            self.written = 0;
        }
        Ok(self.waiting == 0)
    }

    /// Gives memory back that only a burst needed.
    pub(super) fn relax(&mut self) {
        if self.output.is_empty() {
            self.output = Vec::new();
        }
    }

    /// Says goodbye in the order of the protocols.
    pub(super) fn close(mut self, now: Instant) {
        let flushed = self.flush(now).is_ok();
        if let Some(tls) = self.tls.as_mut().filter(|_| flushed) {
            tls.send_close_notify();
            // It does not matter whether a client that is gone hears it.
            let _ = tls.write_tls(&mut &*self.socket);
        }
        let _ = self.socket.shutdown(Shutdown::Write);
    }
}

/// Reads once, and decrypts.
fn read_tls(
    tls: &mut ServerConnection,
    mut socket: &TcpStream,
    room: &mut [u8],
) -> io::Result<usize> {
    let mut decrypted = 0;
    loop {
        let length = match tls.read_tls(&mut socket) {
            Err(error) if is_temporary(&error) && decrypted > 0 => return Ok(decrypted),
            other => other?,
        };
        decrypted += plaintext(tls, &mut room[decrypted..])?;
        if length == 0 && decrypted == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        // It takes a little at a time; more is there where it got all that it takes.
        let full = length >= TLS_READ && room.len() - decrypted >= CHUNK / 2;
        if !full {
            return Ok(decrypted);
        }
    }
}

fn plaintext(tls: &mut ServerConnection, room: &mut [u8]) -> io::Result<usize> {
    let state = tls.process_new_packets().map_err(io::Error::other)?;
    let length = state.plaintext_bytes_to_read().min(room.len());
    tls.reader().read_exact(&mut room[..length])?;
    if length == 0 && state.peer_has_closed() {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    Ok(length)
}

fn flush_tls(
    tls: &mut ServerConnection,
    mut socket: &TcpStream,
    waiting: &mut usize,
) -> io::Result<bool> {
    while tls.wants_write() {
        match tls.write_tls(&mut socket) {
            Ok(length) => *waiting = waiting.saturating_sub(length),
            Err(error) if is_temporary(&error) => return Ok(false),
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}

fn is_temporary(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}
