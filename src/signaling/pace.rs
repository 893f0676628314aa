//! How much one WebSocket may say in a time, in messages and in bytes.

use std::num::NonZeroU32;

use axum::extract::ws::Message;
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};

/// Messages at once, as a multiple of the rate per second.
const BURST: u32 = 3;
/// Bytes per second, as a multiple of the messages per second.
const MESSAGE_BYTES: u32 = 2 * 1024;
/// Bytes at once, as a multiple of those per second: offers to a full room, and those of a restart soon after.
const BYTES_BURST: u32 = 10;
/// What counts as boundless, in bytes per second.
const MAX_VOLUME: u32 = 100_000_000;
/// A message that comes too fast after it was said so counts as so many more.
const TOO_FAST_COST: NonZeroU32 = NonZeroU32::new(10).unwrap();

/// What a WebSocket has left.
pub(super) struct Pace {
    messages: DefaultDirectRateLimiter,
    bytes: DefaultDirectRateLimiter,
}

impl Pace {
    /// Of so many messages a second, and what they may hold.
    pub(super) fn new(messages: u32) -> Self {
        let bytes = messages.saturating_mul(MESSAGE_BYTES).min(MAX_VOLUME);
        Self {
            messages: limiter(messages, BURST),
            bytes: limiter(bytes, BYTES_BURST),
        }
    }

    /// Counts a message; `false` where it is too much.
    pub(super) fn allows(&self, message: &Message) -> bool {
        self.messages.check().is_ok() && allows(&self.bytes, message)
    }

    /// Counts that the last one was answered `too-fast`; `false` where that was too often.
    pub(super) fn allows_too_fast(&self) -> bool {
        // With few messages a second, so many never fit, and cost nothing.
        !self
            .messages
            .check_n(TOO_FAST_COST)
            .is_ok_and(|n| n.is_err())
    }
}

/// So many a second, and so many seconds' worth of them at once.
fn limiter(per_second: u32, burst: u32) -> DefaultDirectRateLimiter {
    let cells = |n: u32| NonZeroU32::new(n).unwrap_or(NonZeroU32::MIN);
    let quota = Quota::per_second(cells(per_second));
    RateLimiter::direct(quota.allow_burst(cells(per_second.saturating_mul(burst))))
}

/// Is there place for the bytes of this message?
fn allows(volume: &DefaultDirectRateLimiter, message: &Message) -> bool {
    let length = match message {
        Message::Text(text) => text.len(),
        Message::Binary(bytes) | Message::Ping(bytes) | Message::Pong(bytes) => bytes.len(),
        Message::Close(_) => 0,
    };
    let Some(length) = u32::try_from(length).ok().and_then(NonZeroU32::new) else {
        return true;
    };
    // One that never fits is as much too much as one that does not fit yet.
    matches!(volume.check_n(length), Ok(Ok(())))
}
