//! What leaves a shard: by the batch, where several go through one socket.

use std::os::fd::{AsFd, BorrowedFd};
use std::time::Instant;

use super::Shard;
use callbox_turn::linux::{Inbox, Outgoing, set_dont_fragment};
use callbox_turn::{AllocationId, DropReason};

use crate::turn::counters::Counters;

impl Shard {
    /// With the DF bit, which is the socket's, so that nothing else must go along.
    pub(super) fn send_whole(&mut self, id: AllocationId, outgoing: &Outgoing) {
        let Some(relay) = self.sockets.relay(id) else {
            return;
        };
        let ipv6 = outgoing.to.is_ipv6();
        let sent = set_dont_fragment(&relay.socket, ipv6, true).and_then(|()| {
            self.inbox
                .send(relay.socket.as_fd(), std::slice::from_ref(outgoing))
        });
        if sent.is_err() {
            self.counters.dropped(DropReason::NotSent);
        }
        if let Err(error) = set_dont_fragment(&relay.socket, ipv6, false) {
            tracing::debug!("a relay socket keeps its DF bit: {error}");
        }
    }

    /// Sends all that the turn has gathered.
    pub(super) fn flush(&mut self, now: Instant) {
        for listener in &mut self.listeners {
            let outgoing = &mut listener.outgoing;
            send_all(
                &self.inbox,
                listener.socket.as_fd(),
                outgoing,
                &self.counters,
            );
            outgoing.clear();
        }
        self.flush_to_peers();
        self.close_orphans();
        self.streams.flush(now);
        self.close_ended_streams(now);
        self.used = 0;
    }

    pub(super) fn close_orphans(&mut self) {
        for client in std::mem::take(&mut self.sockets.orphans) {
            self.streams.close_when_written(client.via);
        }
    }

    pub(super) fn flush_to_peers(&mut self) {
        // Slots rise, so what goes through one socket keeps its order.
        self.to_peers
            .sort_unstable_by_key(|(id, outgoing)| (*id, outgoing.slot));
        let mut batch: Vec<Outgoing> = Vec::new();
        let mut waiting = std::mem::take(&mut self.to_peers);
        for run in waiting.chunk_by(|(a, _), (b, _)| a == b) {
            let Some(relay) = run.first().and_then(|(id, _)| self.sockets.relay(*id)) else {
                continue;
            };
            batch.clear();
            batch.extend(run.iter().map(|(_, outgoing)| outgoing.clone()));
            send_all(&self.inbox, relay.socket.as_fd(), &batch, &self.counters);
        }
        waiting.clear();
        self.to_peers = waiting;
    }
}

/// Sends a batch; what the kernel does not take is left out.
fn send_all(inbox: &Inbox, socket: BorrowedFd<'_>, outgoing: &[Outgoing], counters: &Counters) {
    let mut rest = outgoing;
    while !rest.is_empty() {
        let taken = if let Ok(sent) = inbox.send(socket, rest) {
            sent.max(1)
        } else {
            counters.dropped(DropReason::NotSent);
            1
        };
        rest = &rest[taken.min(rest.len())..];
    }
}
