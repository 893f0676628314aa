//! The way to a running shard.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::mpsc::Sender;

use crate::turn::credentials::Holder;
use crate::turn::peer_policy::PeerPolicy;
use crate::turn::stream::Handover;

/// What others tell a shard.
pub enum Command {
    Stream(Box<Handover>),
    /// A visitor has left for good.
    Revoke(Holder),
    /// The machine's addresses have changed.
    Policy(Arc<PeerPolicy>),
    Stop,
}

/// The way to a running shard.
#[derive(Clone)]
pub struct ShardHandle {
    pub(super) commands: Sender<Command>,
    pub(super) wake: Arc<OwnedFd>,
}

impl ShardHandle {
    /// A shard that has stopped takes no commands.
    pub fn tell(&self, command: Command) {
        if self.commands.send(command).is_ok() {
            // It only fails when the counter is full, and then the shard is awake.
            let _ = rustix::io::write(&*self.wake, &1u64.to_ne_bytes());
        }
    }
}
