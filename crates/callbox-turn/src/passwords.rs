//! Users whose names and passwords are known beforehand.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::time::Instant;

use crate::counts::{DropReason, FailedLogin};
use crate::engine::{Account, NoAccount, Now, Users};
use crate::login_limit::LoginLimit;
use crate::wire::key;

/// Users by name. Whoever guesses passwords is slowed as [`LoginLimit`] says.
pub struct Passwords {
    realm: String,
    by_name: BTreeMap<String, String>,
    logins: LoginLimit,
}

impl Passwords {
    /// The users of a realm: names and passwords.
    pub fn new<N: Into<String>, P: Into<String>>(
        realm: impl Into<String>,
        users: impl IntoIterator<Item = (N, P)>,
        now: Instant,
    ) -> Self {
        let users = users.into_iter();
        Self {
            realm: realm.into(),
            by_name: users
                .map(|(name, password)| (name.into(), password.into()))
                .collect(),
            logins: LoginLimit::new(now),
        }
    }
}

impl fmt::Debug for Passwords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Passwords")
            .field("realm", &self.realm)
            .finish_non_exhaustive()
    }
}

impl Users for Passwords {
    type User = String;

    fn realm(&self) -> &str {
        &self.realm
    }

    fn find(&self, username: &str, client: IpAddr, now: Now) -> Result<Account<String>, NoAccount> {
        if !self.logins.allows(client, username, now.instant) {
            return Err(NoAccount::Ignored(DropReason::LoginLimit));
        }
        let Some(password) = self.by_name.get(username) else {
            self.logins.failed(client, username, now.instant);
            return Err(NoAccount::Refused(FailedLogin::UnknownUser));
        };
        let key = key(username, &self.realm, password);
        Ok(Account::new(username.to_owned(), key))
    }

    fn wrong_password(&self, account: &Account<String>, client: IpAddr, now: Now) {
        self.logins.failed(client, &account.user, now.instant);
    }
}
