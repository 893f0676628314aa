//! Answers that refuse, and what an answer to a stranger may cost (RFC 8489 §6.3.4, §9.2.4; RFC 8656 §19).

use std::net::SocketAddr;
use std::time::Instant;

use super::{Client, Engine, Transport, Users, Verdict};
use crate::counts::DropReason;
use crate::wire::{Answer, Key, Request};

/// An unauthenticated answer is at most so many times as long as the request.
const AMPLIFICATION: usize = 3;

/// Why a request is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub code: u16,
    reason: &'static str,
    /// With realm and nonce, so that the client can sign.
    challenge: bool,
}

impl Refusal {
    const fn new(code: u16, reason: &'static str) -> Self {
        Self {
            code,
            reason,
            challenge: false,
        }
    }

    const fn challenging(code: u16, reason: &'static str) -> Self {
        Self {
            code,
            reason,
            challenge: true,
        }
    }

    pub(super) const fn bad_request() -> Self {
        Self::new(400, "Bad Request")
    }

    pub(super) const fn unauthorized() -> Self {
        Self::challenging(401, "Unauthorized")
    }

    pub(super) const fn forbidden() -> Self {
        Self::new(403, "Forbidden")
    }

    pub(super) const fn unknown_attribute() -> Self {
        Self::new(420, "Unknown Attribute")
    }

    pub(super) const fn allocation_mismatch() -> Self {
        Self::new(437, "Allocation Mismatch")
    }

    pub(super) const fn stale_nonce() -> Self {
        Self::challenging(438, "Stale Nonce")
    }

    pub(super) const fn family_not_supported() -> Self {
        Self::new(440, "Address Family not Supported")
    }

    pub(super) const fn wrong_credentials() -> Self {
        Self::new(441, "Wrong Credentials")
    }

    pub(super) const fn unsupported_transport() -> Self {
        Self::new(442, "Unsupported Transport Protocol")
    }

    pub(super) const fn family_mismatch() -> Self {
        Self::new(443, "Peer Address Family Mismatch")
    }

    pub(super) const fn quota_reached() -> Self {
        Self::new(486, "Allocation Quota Reached")
    }

    pub(super) const fn insufficient_capacity() -> Self {
        Self::new(508, "Insufficient Capacity")
    }
}

impl<U: Users> Engine<U> {
    /// The answer that refuses a request; signed if its credentials were right.
    pub(super) fn refuse(
        &mut self,
        client: Client,
        request: &Request,
        length: usize,
        refusal: &Refusal,
        key: Option<&Key>,
        now: Instant,
    ) -> Verdict {
        self.refusals.count(refusal.code);
        let mut answer = Answer::error(request, refusal.code, refusal.reason);
        if refusal.code == Refusal::unknown_attribute().code {
            answer = answer.unknown(&request.unknown);
        }
        if refusal.challenge {
            let nonce = self.rules.nonces.issue(client.address, now);
            answer = answer.challenge(self.rules.users.realm(), &nonce);
        }
        match key {
            Some(key) => Verdict::Answer(answer.finish(Some(key))),
            None => self.answer_stranger(client, length, answer.finish(None), now),
        }
    }

    /// An answer to somebody whose address may be forged, if it may have one.
    pub(super) fn answer_stranger(
        &mut self,
        client: Client,
        request_length: usize,
        answer: Vec<u8>,
        now: Instant,
    ) -> Verdict {
        // A stream's address cannot be forged, and a lost answer would leave its client waiting.
        if client.transport == Transport::Udp {
            let on_the_wire = |length| length + headers(client.address);
            if on_the_wire(answer.len()) > AMPLIFICATION * on_the_wire(request_length) {
                return Verdict::Drop(DropReason::Amplification);
            }
            if !self.answer_limit.allows(client.address.ip(), now) {
                return Verdict::Drop(DropReason::AnswerLimit);
            }
        }
        Verdict::Answer(answer)
    }

    /// A Binding request needs no credentials (RFC 8489 §14.1).
    pub(super) fn binding(
        &mut self,
        client: Client,
        request: &Request,
        length: usize,
        now: Instant,
    ) -> Verdict {
        if !request.unknown.is_empty() {
            let refusal = Refusal::unknown_attribute();
            return self.refuse(client, request, length, &refusal, None, now);
        }
        let answer = Answer::success(request).mapped(client.address);
        self.answer_stranger(client, length, answer.finish(None), now)
    }
}

/// Bytes of the IP and UDP headers.
const fn headers(client: SocketAddr) -> usize {
    match client {
        SocketAddr::V4(_) => 20 + 8,
        SocketAddr::V6(_) => 40 + 8,
    }
}
