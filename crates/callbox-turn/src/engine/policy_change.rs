//! What another policy ends: permissions and channels that were right by the one before.

use std::net::IpAddr;
use std::ops::AddAssign;
use std::sync::Arc;

use super::deadlines::Deadline;
use super::{AllocationId, Engine, Host, Users};
use crate::peer_policy::{PeerPolicy, Standing};

/// What has ended.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Withdrawn {
    /// How many permissions.
    pub permissions: usize,
    /// How many channels.
    pub channels: usize,
}

impl<U: Users> Engine<U> {
    /// Peers are judged by another policy, or by other routes, from now on. What it refuses ends with [`Self::judge`], and costs
    /// the way of a packet nothing.
    pub fn set_policy(&mut self, policy: Arc<PeerPolicy>) {
        for (_, allocation) in &mut self.allocations {
            let client = allocation.client;
            allocation.standing = policy.standing(client.address.ip(), client.proxied);
            for channel in allocation.channels_mut() {
                channel.own = policy.is_own(channel.peer.ip());
            }
        }
        self.rules.policy = policy;
        self.unjudged = self.by_client.values().copied().collect();
    }

    /// Are there allocations whose peers have not been judged by the policy that holds now?
    pub fn has_to_judge(&self) -> bool {
        !self.unjudged.is_empty()
    }

    /// Judges some of them, about so many peers, each of which may cost a question to the kernel.
    pub fn judge(&mut self, host: &mut impl Host<U::User>, peers: usize) -> Withdrawn {
        let (mut withdrawn, mut judged) = (Withdrawn::default(), 0);
        while judged < peers
            && let Some(id) = self.unjudged.pop()
        {
            // Unless it has ended meanwhile.
            if let Some(allocation) = self.allocations.get(id.0 as usize) {
                judged += 1 + allocation.permissions().len() + allocation.channels().len();
                self.judge_anew(host, id, &mut withdrawn);
            }
        }
        withdrawn
    }

    fn judge_anew(
        &mut self,
        host: &mut impl Host<U::User>,
        id: AllocationId,
        withdrawn: &mut Withdrawn,
    ) {
        let policy = &*self.rules.policy;
        let allocation = &mut self.allocations[id.0 as usize];
        let standing = allocation.standing;
        let from = allocation.bound.ip();
        let refused: Vec<_> = allocation
            .permissions()
            .filter(|(ip, _)| !stays(host, policy, standing, *ip, from))
            .collect();
        for (ip, until) in refused {
            allocation.forget_permission(ip);
            self.deadlines.remove(id, Deadline::Permission(ip), until);
            withdrawn.permissions += 1;
        }
        let refused: Vec<_> = allocation
            .channels()
            .filter(|(_, channel)| {
                let relayed = host.bound(channel.peer).is_some();
                !policy.permits(standing, channel.peer, relayed)
                    || !stays(host, policy, standing, channel.peer.ip(), from)
            })
            .map(|(number, channel)| (number, channel.expires))
            .collect();
        for (number, until) in refused {
            allocation.forget_channel(number);
            self.deadlines.remove(id, Deadline::Channel(number), until);
            withdrawn.channels += 1;
        }
    }
}

impl AddAssign for Withdrawn {
    fn add_assign(&mut self, more: Self) {
        self.permissions += more.permissions;
        self.channels += more.channels;
    }
}

fn stays<U>(
    host: &mut impl Host<U>,
    policy: &PeerPolicy,
    standing: Standing,
    ip: IpAddr,
    from: IpAddr,
) -> bool {
    policy.may_permit(standing, ip, host.is_relaying_on(ip))
        && (!policy.is_foreign(ip) || host.leads_not_here(ip, from))
}
