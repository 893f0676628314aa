//! The streams of one shard: what has come in, what waits to go out, and when each of them has been silent for too
//! long.

use std::collections::BTreeSet;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::epoll;
use slab::Slab;

use callbox_turn::framing::{Frame, MAX_MESSAGE};
use callbox_turn::linux::Token;
use callbox_turn::{Client, Engine, MAX_REQUEST, Transport, Users};

use super::stream::{CHUNK, Handover, Stream};
use crate::net::canonical;

/// What one stream may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StreamLimits {
    /// For a message from its first byte to its last.
    pub message_within: Duration,
    /// Without an allocation and without a message.
    pub idle: Duration,
    /// Bytes of data that may wait for a slow reader.
    pub queue: usize,
}

pub(super) struct Streams {
    poll: Arc<OwnedFd>,
    limits: StreamLimits,
    by_key: Slab<Stream>,
    /// What has just been read, from a stream's first unfinished message on.
    scratch: Vec<u8>,
    filled: usize,
    taken: usize,
    /// With something to write.
    dirty: Vec<u32>,
    ended: Vec<u32>,
    checks: BTreeSet<(Instant, u32)>,
}

impl Streams {
    pub(super) fn new(poll: Arc<OwnedFd>, limits: StreamLimits) -> Self {
        Self {
            poll,
            limits,
            by_key: Slab::new(),
            scratch: Vec::new(),
            filled: 0,
            taken: 0,
            dirty: Vec::new(),
            ended: Vec::new(),
            checks: BTreeSet::new(),
        }
    }

    /// Takes a stream over; `None` where it has ended already.
    pub(super) fn add(&mut self, handover: Handover) -> Option<u32> {
        let address = canonical(handover.client);
        let key = u32::try_from(self.by_key.vacant_key()).ok()?;
        let transport = match handover.tls {
            Some(_) => Transport::Tls,
            None => Transport::Tcp,
        };
        let client = Client {
            transport,
            via: key,
            address,
            proxied: handover.proxied,
        };
        let stream = Stream::new(handover, client, self.limits.queue);
        let wanted = epoll::EventFlags::IN;
        epoll::add(
            &*self.poll,
            stream.socket(),
            Token::Stream(key).into(),
            wanted,
        )
        .ok()?;
        self.checks.insert((stream.check_at, key));
        self.by_key.insert(stream);
        Some(key)
    }

    /// Reads what a stream has; its messages are then to be taken by [`Self::next_message`].
    pub(super) fn read(&mut self, key: u32, first: bool) -> Option<Client> {
        self.scratch.resize(MAX_MESSAGE + CHUNK, 0);
        let stream = self.by_key.get_mut(key as usize)?;
        let read = if first {
            stream.take_over(&mut self.scratch)
        } else {
            stream.read(&mut self.scratch)
        };
        let Ok(filled) = read else {
            self.ended.push(key);
            return None;
        };
        self.filled = filled;
        self.taken = 0;
        Some(stream.client)
    }

    /// Where the next whole message is in what was read, and its length.
    pub(super) fn next_message(&mut self, key: u32) -> Option<(usize, usize)> {
        if !self.by_key.contains(key as usize) {
            return None;
        }
        match Stream::frame(&self.scratch[self.taken..self.filled]) {
            Frame::Whole { length, taken } => {
                let at = self.taken;
                self.taken += taken;
                Some((at, length))
            }
            Frame::Partial => None,
            Frame::Broken => {
                self.taken = self.filled;
                self.ended.push(key);
                None
            }
        }
    }

    pub(super) fn message(&self, at: usize, length: usize) -> &[u8] {
        &self.scratch[at..at + length]
    }

    /// Keeps what is not whole yet. Long messages are data, and only from those who may send some, as `is_known` tells.
    pub(super) fn done_reading(&mut self, key: u32, is_known: impl FnOnce() -> bool, now: Instant) {
        if self.filled - self.taken > MAX_REQUEST && !is_known() {
            self.taken = self.filled;
            self.ended.push(key);
        }
        if let Some(stream) = self.by_key.get_mut(key as usize) {
            if self.taken > 0 {
                stream.last_message = Some(now);
                stream.partial_since = None;
            }
            stream.keep(&self.scratch[self.taken..self.filled], now);
        }
    }

    /// `known` says whether the client has an allocation.
    pub(super) fn answer(&mut self, key: u32, message: &[u8], known: bool) {
        if let Some(stream) = self.by_key.get_mut(key as usize) {
            match stream.answer(message, known) {
                Ok(()) => self.dirty.push(key),
                Err(_) => self.ended.push(key),
            }
        }
    }

    /// Data in the first `length` bytes, and room for its padding behind; `false` where the reader is too slow to take
    /// it.
    pub(super) fn data(&mut self, key: u32, message: &mut [u8], length: usize) -> bool {
        let Some(stream) = self.by_key.get_mut(key as usize) else {
            return true;
        };
        let queued = stream.data(message, length);
        self.dirty.push(key);
        if queued.is_err() {
            self.ended.push(key);
        }
        queued != Ok(false)
    }

    pub(super) fn writable(&mut self, key: u32) {
        self.dirty.push(key);
    }

    /// Writes what waits, as far as it goes.
    pub(super) fn flush(&mut self, now: Instant) {
        let mut dirty = std::mem::take(&mut self.dirty);
        dirty.sort_unstable();
        dirty.dedup();
        for key in dirty.drain(..) {
            let Some(stream) = self.by_key.get_mut(key as usize) else {
                continue;
            };
            let Ok(done) = stream.flush(now) else {
                self.ended.push(key);
                continue;
            };
            if done && stream.closing {
                self.ended.push(key);
            } else if done == stream.watched_for_write {
                let mut wanted = epoll::EventFlags::IN;
                wanted.set(epoll::EventFlags::OUT, !done);
                stream.watched_for_write = !done;
                let token = Token::Stream(key).into();
                if epoll::modify(&*self.poll, stream.socket(), token, wanted).is_err() {
                    self.ended.push(key);
                }
            }
        }
        self.dirty = dirty;
    }

    /// The allocation of this stream has ended; it follows when its last answer is written.
    pub(super) fn close_when_written(&mut self, key: u32) {
        if let Some(stream) = self.by_key.get_mut(key as usize) {
            stream.closing = true;
            self.dirty.push(key);
        }
    }

    /// A stream that is to be closed.
    pub(super) fn next_ended(&mut self) -> Option<Stream> {
        while let Some(key) = self.ended.pop() {
            if let Some(stream) = self.by_key.try_remove(key as usize) {
                self.checks.remove(&(stream.check_at, key));
                return Some(stream);
            }
        }
        None
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.checks.first().map(|(at, _)| *at)
    }

    /// Ends streams that have kept anybody waiting for too long.
    pub(super) fn expire(&mut self, engine: &Engine<impl Users>, now: Instant) {
        while let Some((at, key)) = self.checks.first().copied().filter(|(at, _)| *at <= now) {
            self.checks.remove(&(at, key));
            let Some(stream) = self.by_key.get_mut(key as usize) else {
                continue;
            };
            let serves = engine.serves(stream.client);
            stream.is_used(serves);
            let next = next_check(stream, &self.limits, serves, now);
            stream.check_at = next.unwrap_or(now);
            match next {
                Some(next) => {
                    stream.relax();
                    self.checks.insert((next, key));
                }
                None => self.ended.push(key),
            }
        }
    }

    /// Closes all streams.
    pub(super) fn stop(&mut self, now: Instant) {
        for stream in self.by_key.drain() {
            stream.close(now);
        }
        self.checks.clear();
    }
}

/// When a stream is to be looked at again; `None` if its time is over, which it is at the first look where no whole
/// message has come. At least as often as a message may take, so
/// that none of its bytes has to move a deadline.
fn next_check(
    stream: &Stream,
    limits: &StreamLimits,
    serves: bool,
    now: Instant,
) -> Option<Instant> {
    let last_message = stream.last_message?;
    let ends = [
        stream
            .partial_since
            .map(|since| since + limits.message_within),
        stream.blocked_since.map(|since| since + limits.idle),
        (!serves).then_some(last_message + limits.idle),
    ];
    let end = ends.into_iter().flatten().min();
    if end.is_some_and(|end| end <= now) {
        return None;
    }
    let soon = now + limits.message_within;
    Some(end.map_or(soon, |end| end.min(soon)))
}
