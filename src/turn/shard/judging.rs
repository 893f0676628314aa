//! Another policy: peers are judged anew, some at a time, so that packets do not wait for all the questions to the kernel.

use std::sync::Arc;

use super::Shard;
use callbox_turn::{PeerPolicy, Withdrawn};

/// Peers that are judged by another policy before packets have their turn again.
const JUDGED_AT_ONCE: usize = 256;

impl Shard {
    pub(super) fn set_policy(&mut self, policy: Arc<PeerPolicy>) {
        // What waits was permitted when it came.
        self.flush_to_peers();
        self.sockets.routes.forget();
        self.engine.set_policy(policy);
    }

    /// Goes on with that, between packets.
    pub(super) fn judge(&mut self) {
        self.flush_to_peers();
        self.withdrawn += self.engine.judge(&mut self.sockets, JUDGED_AT_ONCE);
        if self.engine.has_to_judge() {
            return;
        }
        let withdrawn = std::mem::take(&mut self.withdrawn);
        for (kind, count) in [
            ("permission", withdrawn.permissions),
            ("channel", withdrawn.channels),
        ] {
            metrics::counter!("callbox_turn_withdrawn_total", "kind" => kind)
                .increment(count as u64);
        }
        if withdrawn != Withdrawn::default() {
            tracing::info!(
                permissions = withdrawn.permissions,
                channels = withdrawn.channels,
                "ways to peers have ended that are refused now"
            );
        }
    }
}
