//! The way to a running shard.

use std::sync::Arc;
use std::sync::mpsc::Sender;

use crate::turn::credentials::Holder;
use crate::turn::stream::Handover;
use callbox_turn::PeerPolicy;
use callbox_turn::linux::Wake;

/// What others tell a shard.
pub(crate) enum Command {
    Stream(Box<Handover>),
    /// A visitor has left for good.
    Revoke(Holder),
    /// The machine's addresses have changed.
    Policy(Arc<PeerPolicy>),
    Stop,
}

/// The way to a running shard.
#[derive(Clone)]
pub(crate) struct ShardHandle {
    pub(super) commands: Sender<Command>,
    pub(super) wake: Wake,
}

impl ShardHandle {
    /// A shard that has stopped takes no commands.
    pub(crate) fn tell(&self, command: Command) {
        if self.commands.send(command).is_ok() {
            self.wake.wake();
        }
    }
}
