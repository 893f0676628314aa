//! The relay's users: whom a username names, what they may, and who slows those who guess.

use std::net::IpAddr;
use std::time::Instant;

use callbox_turn::{Account, DropReason, LoginLimit, NoAccount, Now, Target, Unanswered, Users};

use super::credentials::{Authority, Holder, Named};
use crate::presence::Presence;

/// All that shards ask about users.
pub(super) struct Directory {
    pub authority: Authority,
    pub presence: Presence,
    /// Bytes per second of one allocation, each way.
    pub bytes_per_second: Option<u64>,
    /// The same, where it belongs to a check.
    pub check_bytes_per_second: u64,
    /// What pages send to peers that have not answered.
    pub unanswered: Unanswered,
    /// Wrong passwords of named users.
    pub logins: LoginLimit,
}

impl Directory {
    /// Bytes per second of an allocation of `holder`, each way.
    fn rate_of(&self, holder: &Holder) -> Option<u64> {
        let all = self.bytes_per_second;
        if !matches!(holder, Holder::Check(_)) {
            return all;
        }
        let check = self.check_bytes_per_second;
        Some(all.map_or(check, |all| all.min(check)))
    }
}

impl Users for Directory {
    type User = Holder;

    fn realm(&self) -> &str {
        &self.authority.realm
    }

    fn find(&self, username: &str, client: IpAddr, now: Now) -> Result<Account<Holder>, NoAccount> {
        let Named { holder, expires } = self.authority.read(username);
        let guessable = expires.is_none();
        if guessable && !self.logins.allows(client, username, now.instant) {
            return Err(NoAccount::Ignored(DropReason::LoginLimit));
        }
        let named = Named { holder, expires };
        let key = self.authority.key(username, &named, now.wall);
        if guessable && key.is_err() {
            self.logins.failed(client, username, now.instant);
        }
        Ok(Account {
            key: key.map_err(NoAccount::Refused)?,
            bytes_per_second: self.rate_of(&named.holder),
            on_trial: named.holder.is_page(),
            user: named.holder,
            expires,
        })
    }

    fn wrong_password(&self, account: &Account<Holder>, client: IpAddr, now: Now) {
        if account.expires.is_none() {
            self.logins.failed(client, account.user.name(), now.instant);
        }
    }

    fn may_relay(&self, account: &Account<Holder>, now: Now) -> bool {
        let admitted = |visitor: &str, left| self.presence.admits(visitor, left);
        self.authority
            .may_relay(&account.user, account.expires, now.wall, admitted)
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::{Duration, SystemTime};

    use callbox_turn::FailedLogin;

    use super::*;
    use crate::turn::CredentialMode;
    use crate::turn::credentials::{Issuer, mint};
    use crate::words::secret::Secret;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

    fn secret() -> Secret {
        Secret::new("north")
    }

    fn now() -> Now {
        Now {
            instant: Instant::now(),
            wall: SystemTime::UNIX_EPOCH + Duration::from_secs(1_790_000_000),
        }
    }

    fn directory() -> Directory {
        Directory {
            authority: Authority {
                realm: "callbox".to_owned(),
                issuer: Issuer::new(secret(), "of this server"),
                users: BTreeMap::from([("alice".to_owned(), Secret::new("wonder"))]),
                mode: CredentialMode::Call,
                ttl: Duration::from_secs(3600),
            },
            presence: Presence::new(Duration::from_secs(30)),
            bytes_per_second: Some(1000),
            check_bytes_per_second: 100,
            unanswered: Unanswered::new(Instant::now()),
            logins: LoginLimit::new(Instant::now()),
        }
    }

    #[test]
    fn pages_are_on_trial_and_checks_are_slow() {
        let (directory, now) = (directory(), now());
        let soon = now.wall + Duration::from_secs(120);
        let page = |name| directory.authority.issuer.for_page(name, soon).username;
        let foreign = mint(&secret(), "v-1", soon).username;
        for (username, on_trial, rate) in [
            (page("v-1"), true, 1000),
            (page("c-1"), true, 100),
            (foreign, false, 1000),
            ("alice".to_owned(), false, 1000),
        ] {
            let account = directory.find(&username, HERE, now).unwrap();
            assert_eq!(account.on_trial, on_trial, "{username}");
            assert_eq!(account.bytes_per_second, Some(rate), "{username}");
        }
    }

    #[test]
    fn a_visitor_may_relay_while_it_is_in_a_room() {
        let (directory, mut now) = (directory(), now());
        let hour = now.wall + Duration::from_secs(3600);
        let username = directory.authority.issuer.for_page("v-1", hour).username;
        let account = directory.find(&username, HERE, now).unwrap();
        now.wall += Duration::from_secs(61);
        assert!(!directory.may_relay(&account, now), "it has not come");
        let stay = directory.presence.enter("v-1");
        assert!(directory.may_relay(&account, now));
        now.wall = hour;
        assert!(directory.may_relay(&account, now), "its credential is over");
        let over = directory.find(&username, HERE, now).unwrap_err();
        assert_eq!(over, NoAccount::Refused(FailedLogin::Expired));
        drop(stay);
    }

    #[test]
    fn names_that_are_guessed_at_are_not_looked_at_and_others_are() {
        let (directory, now) = (directory(), now());
        for _ in 0..10 {
            let unknown = directory.find("carol", HERE, now).unwrap_err();
            assert_eq!(unknown, NoAccount::Refused(FailedLogin::UnknownUser));
            let alice = directory.find("alice", HERE, now).unwrap();
            directory.wrong_password(&alice, HERE, now);
        }
        for name in ["carol", "alice"] {
            let ignored = directory.find(name, HERE, now).unwrap_err();
            assert_eq!(
                ignored,
                NoAccount::Ignored(DropReason::LoginLimit),
                "{name}"
            );
        }
        let soon = now.wall + Duration::from_secs(60);
        let page = directory.authority.issuer.for_page("v-1", soon).username;
        let page = directory.find(&page, HERE, now).unwrap();
        for _ in 0..100 {
            directory.wrong_password(&page, HERE, now);
        }
        let elsewhere = "192.0.2.2".parse().unwrap();
        assert!(directory.find("alice", elsewhere, now).is_ok());
    }
}
