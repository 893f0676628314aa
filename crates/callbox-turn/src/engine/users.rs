//! Who a username is: what the engine asks of those who know its users.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::{Instant, SystemTime};

use super::Now;
use crate::counts::{DropReason, FailedLogin};
use crate::wire::Key;

/// What a username stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account<U> {
    /// Whose allocations they are, whatever the username was.
    pub user: U,
    /// Of the long-term credential (RFC 8489 §9.2.2).
    pub key: Key,
    /// When the credential ends; `None` where it does not.
    pub expires: Option<SystemTime>,
    /// What each of its allocations may relay each way, bytes per second.
    pub bytes_per_second: Option<u64>,
    /// Must a peer answer before much is sent to it? Then [`Users::may_try`] is asked about each packet until it has.
    pub on_trial: bool,
}

impl<U> Account<U> {
    /// A user whose credential does not end, and whose allocations relay as much as comes.
    pub fn new(user: U, key: Key) -> Self {
        Self {
            user,
            key,
            expires: None,
            bytes_per_second: None,
            on_trial: false,
        }
    }
}

/// Why there is no account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoAccount {
    /// The request is refused with 401.
    Refused(FailedLogin),
    /// It is not even answered.
    Ignored(DropReason),
}

/// A peer that has not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// On another machine; its port does not matter.
    Outside(IpAddr),
    /// A relayed address of this server, as advertised: each port is another client's.
    Inside(SocketAddr),
}

/// Those who know the users. It is shared by all engines of a server.
pub trait Users {
    /// Whose allocations are ended together.
    type User: Clone + Ord + fmt::Debug;

    /// The realm of all usernames (RFC 8489 §14.9).
    fn realm(&self) -> &str;

    /// Whom a username names. Nothing is proved yet: anybody may have written it. It is not asked again while an allocation
    /// runs under the username, whose credential may have ended.
    ///
    /// # Errors
    /// Where it names nobody, or the attempt is not looked at.
    fn find(
        &self,
        username: &str,
        client: IpAddr,
        now: Now,
    ) -> Result<Account<Self::User>, NoAccount>;

    /// A request that named this account was signed with another password.
    fn wrong_password(&self, account: &Account<Self::User>, client: IpAddr, now: Now) {
        let _ = (account, client, now);
    }

    /// May an account whose password was right begin an allocation, or go on with one? Asked for Allocate and Refresh.
    fn may_relay(&self, account: &Account<Self::User>, now: Now) -> bool {
        let _ = (account, now);
        true
    }

    /// Counts a packet of a user on trial to a peer that has not answered.
    ///
    /// # Errors
    /// Where it must not go: from when on another one may.
    fn may_try(
        &self,
        user: &Self::User,
        client: IpAddr,
        target: Target,
        now: Instant,
    ) -> Result<(), Instant> {
        let _ = (user, client, target, now);
        Ok(())
    }
}
