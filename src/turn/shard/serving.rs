//! The clients of a shard that come on streams.

use std::time::Instant;

use rustix::event::epoll;

use super::Shard;
use crate::turn::stream::Handover;
use callbox_turn::{HEADROOM, Now};

impl Shard {
    pub(super) fn take_stream(&mut self, handover: Handover, now: Now) {
        let Ok(local) = handover.socket.local_addr() else {
            return;
        };
        let Some(key) = self.streams.add(handover) else {
            return;
        };
        let families = self
            .sockets
            .registry
            .addresses
            .families(local.ip().to_canonical());
        self.sockets.set_stream_families(key, families);
        self.read_stream(key, true, now);
    }

    pub(super) fn serve_stream(&mut self, key: u32, flags: epoll::EventFlags, now: Now) {
        if flags.contains(epoll::EventFlags::OUT) {
            self.streams.writable(key);
        }
        let readable = epoll::EventFlags::IN | epoll::EventFlags::HUP | epoll::EventFlags::ERR;
        if flags.intersects(readable) {
            self.read_stream(key, false, now);
        }
    }

    fn read_stream(&mut self, key: u32, first: bool, now: Now) {
        let Some(client) = self.streams.read(key, first) else {
            return;
        };
        while let Some((at, length)) = self.streams.next_message(key) {
            let slot = self.free_slots(1, now.instant).start;
            self.used = slot + 1;
            self.received += 1;
            let message = self.streams.message(at, length);
            self.inbox.slot(slot)[HEADROOM..HEADROOM + length].copy_from_slice(message);
            self.client_message(client, slot, length, now);
        }
        let is_known = || self.engine.serves(client);
        self.streams.done_reading(key, is_known, now.instant);
    }

    /// A stream that has ended takes its allocation along.
    pub(super) fn close_ended_streams(&mut self, now: Instant) {
        while let Some(stream) = self.streams.next_ended() {
            self.engine
                .disconnected(&mut self.sockets, stream.client, now);
            stream.close(now);
        }
    }
}
