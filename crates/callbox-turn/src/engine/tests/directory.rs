//! Users for tests and fuzzing: two by name, and names with a time, some of which are on trial.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::{Account, NoAccount, Now, Target, Users};
use crate::counts::{DropReason, FailedLogin};
use crate::login_limit::LoginLimit;
use crate::unanswered::Unanswered;
use crate::wire;

/// Bytes per second of a check.
pub(super) const CHECK_RATE: u64 = 100;
pub(super) type User = (&'static str, &'static str);
pub(super) const ALICE: &User = &("alice", "wonderland");
pub(super) const BOB: &User = &("bob", "builder");

/// How long what is minted for a page is good.
const TTL: Duration = Duration::from_secs(3600);
/// How long a page may relay before it is present.
const SETTING_OUT: Duration = Duration::from_secs(60);
/// Ends usernames that this server has made itself.
const OWN: &str = ".own";

#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Holder {
    Visitor(String),
    Check(String),
    Other(String),
}

impl Holder {
    pub(super) fn own(name: &str) -> Self {
        if name.starts_with("c-") {
            Self::Check(name.to_owned())
        } else {
            Self::Visitor(name.to_owned())
        }
    }

    pub(super) fn name(&self) -> &str {
        match self {
            Self::Visitor(name) | Self::Check(name) | Self::Other(name) => name,
        }
    }

    pub(super) fn is_page(&self) -> bool {
        !matches!(self, Self::Other(_))
    }
}

/// A username and its password.
#[derive(Debug, Clone)]
pub(super) struct Credentials {
    pub username: String,
    pub password: String,
}

pub(super) struct Directory {
    realm: String,
    pub present: Mutex<BTreeSet<String>>,
    bytes_per_second: Option<u64>,
    unanswered: Unanswered,
    logins: LoginLimit,
}

impl Directory {
    pub(super) fn new(realm: &str, bytes_per_second: Option<u64>, now: Instant) -> Self {
        Self {
            realm: realm.to_owned(),
            present: Mutex::default(),
            bytes_per_second,
            unanswered: Unanswered::new(now),
            logins: LoginLimit::new(now),
        }
    }

    pub(super) fn with_present<T>(&self, f: impl FnOnce(&mut BTreeSet<String>) -> T) -> T {
        f(&mut self.present.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Credentials until `expiry`: this server's own, or another program's.
    pub(super) fn mint(name: &str, expiry: SystemTime, own: bool) -> Credentials {
        let seconds = expiry.duration_since(UNIX_EPOCH).unwrap_or_default();
        let seconds = seconds.as_secs();
        let username = format!("{seconds}:{name}{}", if own { OWN } else { "" });
        let password = password(&username);
        Credentials { username, password }
    }

    /// Whom a username names, and until when.
    pub(super) fn read(username: &str) -> (Holder, Option<SystemTime>) {
        let timed = username.split_once(':');
        let timed = timed.and_then(|(time, name)| Some((time.parse().ok()?, name)));
        let Some((seconds, name)) = timed else {
            return (Holder::Other(username.to_owned()), None);
        };
        let holder = match name.strip_suffix(OWN) {
            Some(own) => Holder::own(own),
            None => Holder::Other(name.to_owned()),
        };
        (holder, UNIX_EPOCH.checked_add(Duration::from_secs(seconds)))
    }
}

fn password(username: &str) -> String {
    format!("the password of {username}")
}

impl Users for Directory {
    type User = Holder;

    fn realm(&self) -> &str {
        &self.realm
    }

    fn find(&self, username: &str, client: IpAddr, now: Now) -> Result<Account<Holder>, NoAccount> {
        let (user, expires) = Self::read(username);
        if expires.is_none() && !self.logins.allows(client, username, now.instant) {
            return Err(NoAccount::Ignored(DropReason::LoginLimit));
        }
        let named = [ALICE, BOB].into_iter().find(|user| user.0 == username);
        let password = match (named, expires) {
            (Some(named), _) => named.1.to_owned(),
            (None, None) => return Err(NoAccount::Refused(FailedLogin::UnknownUser)),
            (None, Some(expires)) if expires <= now.wall => {
                return Err(NoAccount::Refused(FailedLogin::Expired));
            }
            (None, Some(_)) => password(username),
        };
        let check = matches!(user, Holder::Check(_)).then_some(CHECK_RATE);
        let rates = self.bytes_per_second.into_iter().chain(check);
        Ok(Account {
            key: wire::key(username, &self.realm, &password),
            expires,
            bytes_per_second: rates.min(),
            on_trial: user.is_page(),
            user,
        })
    }

    fn wrong_password(&self, account: &Account<Holder>, client: IpAddr, now: Now) {
        if account.expires.is_none() {
            self.logins.failed(client, account.user.name(), now.instant);
        }
    }

    fn may_relay(&self, account: &Account<Holder>, now: Now) -> bool {
        let (Some(expires), true) = (account.expires, account.user.is_page()) else {
            return true;
        };
        let sets_out = if matches!(account.user, Holder::Check(_)) {
            now.wall < expires
        } else {
            let age = (now.wall + TTL).duration_since(expires);
            age.is_ok_and(|age| age < SETTING_OUT)
        };
        sets_out || self.with_present(|present| present.contains(account.user.name()))
    }

    fn may_try(
        &self,
        user: &Holder,
        client: IpAddr,
        target: Target,
        now: Instant,
    ) -> Result<(), Instant> {
        self.unanswered.send(user, client, target, now)
    }
}
