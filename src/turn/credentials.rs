//! Long-term credentials (RFC 8489 §9.2) of two kinds: named users from the configuration, and time-limited ones,
//! with base64(HMAC-SHA1(secret, username)) as the password, as coturn's `use-auth-secret` and the TURN REST API
//! (draft-uberti-behave-turn-rest) have them. Pure: secrets and time are arguments.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use callbox_turn::{FailedLogin, Key, key};
use ring::hmac;

use super::CredentialMode;
use super::usernames::Names;
use crate::words::secret::Secret;

pub(crate) use super::usernames::{Holder, Named};

/// How long such a page may relay.
pub(crate) const CHECK_TTL: Duration = Duration::from_secs(120);
/// An expiry that is further ahead is a mistake, such as one in milliseconds.
pub(crate) const MAX_TTL: Duration = Duration::from_secs(366 * 24 * 3600);
/// From opening the page to being in a room.
const SETTING_OUT: Duration = Duration::from_secs(60);

/// A username and its password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Credentials {
    pub username: String,
    pub password: String,
}

/// Makes credentials.
#[derive(Debug, Clone)]
pub(crate) struct Issuer {
    secret: Secret,
    names: Names,
}

impl Issuer {
    /// `secret` is shared with other programs; `own` is not.
    pub(crate) fn new(secret: Secret, own: &str) -> Self {
        let names = Names::new(own);
        Self { secret, names }
    }

    /// Credentials for the page that callbox calls `name`, valid until `expiry` (whole seconds).
    pub(crate) fn for_page(&self, name: &str, expiry: SystemTime) -> Credentials {
        let username = self.names.sign(name, seconds(expiry));
        let password = password(&self.secret, &username);
        Credentials { username, password }
    }
}

/// Credentials for another program's `name`, valid until `expiry` (whole seconds).
pub(crate) fn mint(secret: &Secret, name: &str, expiry: SystemTime) -> Credentials {
    let username = format!("{}:{name}", seconds(expiry));
    let password = password(secret, &username);
    Credentials { username, password }
}

/// The password of a time-limited username.
fn password(secret: &Secret, username: &str) -> String {
    let key = hmac::Key::new(
        hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
        secret.expose().as_bytes(),
    );
    STANDARD.encode(hmac::sign(&key, username.as_bytes()))
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs()
}

/// Knows all keys, and who may relay.
#[derive(Debug, Clone)]
pub(crate) struct Authority {
    pub realm: String,
    pub issuer: Issuer,
    pub users: BTreeMap<String, Secret>,
    pub mode: CredentialMode,
    /// How long credentials of visitors live.
    pub ttl: Duration,
}

impl Authority {
    /// Whom a username names. Right only if its password is: until then anybody may have written it.
    pub(crate) fn read(&self, username: &str) -> Named {
        if self.users.contains_key(username) {
            return Named::other(username, None);
        }
        self.issuer.names.read(username)
    }

    /// The key of a username whose time is not over.
    ///
    /// # Errors
    /// Why there is none.
    pub(crate) fn key(
        &self,
        username: &str,
        named: &Named,
        now: SystemTime,
    ) -> Result<Key, FailedLogin> {
        let password = match (named.expires, self.users.get(username)) {
            (None, None) => return Err(FailedLogin::UnknownUser),
            (None, Some(password)) => password.expose().to_owned(),
            (Some(expires), _) if expires <= now => return Err(FailedLogin::Expired),
            (Some(expires), _) if expires > now + MAX_TTL => {
                return Err(FailedLogin::ExpiryTooFar);
            }
            _ => password(&self.issuer.secret, username),
        };
        Ok(key(username, &self.realm, &password))
    }

    /// May the holder of a username, whose password was right, relay? A call outlives its credential, but not its room:
    /// `is_admitted` is asked about visitors, and told for how long this one may set out without being in a room. A check
    /// sets out until its credential ends, and what it began ends with it.
    pub(crate) fn may_relay(
        &self,
        holder: &Holder,
        expires: Option<SystemTime>,
        now: SystemTime,
        is_admitted: impl FnOnce(&str, Duration) -> bool,
    ) -> bool {
        let expires = expires.unwrap_or(now);
        match holder {
            Holder::Visitor(name) if self.mode == CredentialMode::Call => {
                let age = (now + self.ttl).duration_since(expires);
                // What was minted in the future was not minted here.
                let left = age.map_or(Duration::ZERO, |age| SETTING_OUT.saturating_sub(age));
                is_admitted(name, left)
            }
            Holder::Check(name) => {
                let left = expires.duration_since(now).unwrap_or_default();
                is_admitted(name, left.min(CHECK_TTL))
            }
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn secret() -> Secret {
        Secret::new("north")
    }

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn authority(mode: CredentialMode) -> Authority {
        Authority {
            realm: "callbox".to_owned(),
            issuer: Issuer::new(secret(), "of this server"),
            users: BTreeMap::from([("alice".to_owned(), Secret::new("wonder"))]),
            mode,
            ttl: Duration::from_secs(3600),
        }
    }

    /// Computed with `printf 1790000000:v-1 | openssl dgst -sha1 -hmac north -binary | base64`.
    #[test]
    fn mints_what_coturn_computes() {
        let minted = mint(&secret(), "v-1", at(1_790_000_000));
        assert_eq!(minted.username, "1790000000:v-1");
        assert_eq!(minted.password, "BQWtL8qu2mVtUZJBrxNSUdlUjgo=");
    }

    #[test]
    fn named_users_and_live_credentials_are_known_and_no_others() {
        let authority = authority(CredentialMode::Timed);
        let known = |name: &str| authority.key(name, &authority.read(name), at(1000));
        let key = |name: &str, password: &str| Ok(key(name, "callbox", password));
        assert_eq!(known("alice"), key("alice", "wonder"));
        assert_eq!(known("bob"), Err(FailedLogin::UnknownUser));
        assert_eq!(known("1000:v-1"), Err(FailedLogin::Expired));
        for name in ["v-1", "bridge"] {
            let live = mint(&secret(), name, at(1001));
            assert_eq!(known(&live.username), key(&live.username, &live.password));
        }
        let live = authority.issuer.for_page("v-1", at(1001));
        assert_eq!(known(&live.username), key(&live.username, &live.password));
    }

    #[test]
    fn an_expiry_is_at_most_a_year_ahead() {
        let authority = authority(CredentialMode::Timed);
        let now = 1_790_000_000;
        let known = |name: &str| {
            authority
                .key(name, &authority.read(name), at(now))
                .map(drop)
        };
        let year = MAX_TTL.as_secs();
        assert_eq!(known(&format!("{}:carol", now + year)), Ok(()));
        let far = Err(FailedLogin::ExpiryTooFar);
        assert_eq!(known(&format!("{}:carol", now + year + 1)), far);
        assert_eq!(known("1790000600000:carol"), far, "in milliseconds");
        assert_eq!(known("carol:1790000600000"), far);
        assert_eq!(known("1790000600000"), far);
    }

    fn page(name: &str, expiry: u64) -> Named {
        Named {
            holder: Holder::own(name),
            expires: Some(at(expiry)),
        }
    }

    #[test]
    fn a_named_user_is_called_whatever_the_operator_likes() {
        let mut authority = authority(CredentialMode::Call);
        let own = authority.issuer.for_page("v-1", at(90_000)).username;
        for name in ["v-anna", "c-3po", "1790000000", &own] {
            authority.users = BTreeMap::from([(name.to_owned(), secret())]);
            assert_eq!(authority.read(name), Named::other(name, None));
        }
    }

    proptest! {
        #[test]
        fn no_other_programs_name_is_taken_for_a_page(
            name in "[vc]-[ -~]{0,80}",
            expiry in 0..4_000_000_000_u64,
        ) {
            let authority = authority(CredentialMode::Call);
            for username in [
                format!("{expiry}:{name}"),
                format!("{name}:{expiry}"),
                name.clone(),
            ] {
                let read = authority.read(&username);
                prop_assert!(!read.holder.is_page(), "{}", username);
                prop_assert!(authority.may_relay(&read.holder, read.expires, at(1000), |_, _| false));
            }
        }
    }

    #[test]
    fn a_visitor_relays_while_in_a_room_or_setting_out() {
        let authority = authority(CredentialMode::Call);
        let minted = 10_000;
        let named = page("v-1", minted + 3600);
        let left = |now| {
            let mut told = None;
            let admitted =
                authority.may_relay(&named.holder, named.expires, at(now), |visitor, left| {
                    assert_eq!(visitor, "v-1");
                    told = Some(left.as_secs());
                    false
                });
            assert!(!admitted, "as it was said");
            told.unwrap()
        };
        assert_eq!(left(minted - 1), 0, "of the future");
        assert_eq!(left(minted), 60);
        assert_eq!(left(minted + 59), 1);
        assert_eq!(left(minted + 60), 0);
        assert!(authority.may_relay(&named.holder, named.expires, at(minted + 9000), |_, _| true));
    }

    #[test]
    fn a_check_relays_until_its_credential_ends_whatever_visitors_may() {
        for mode in [CredentialMode::Call, CredentialMode::Timed] {
            let authority = authority(mode);
            let page = page("c-1", 10_120);
            let left = |now| {
                let mut told = None;
                authority.may_relay(&page.holder, page.expires, at(now), |name, left| {
                    assert_eq!(name, "c-1");
                    told = Some(left.as_secs());
                    true
                });
                told.unwrap()
            };
            assert_eq!(left(10_000), 120);
            assert_eq!(left(10_119), 1);
            assert_eq!(left(10_120), 0);
            assert_eq!(left(9_000), 120, "never for longer");
        }
    }

    #[test]
    fn visitors_are_bound_to_a_call_and_others_by_time_alone() {
        let may_relay = |authority: &Authority, named: &Named| {
            authority.may_relay(&named.holder, named.expires, at(1000), |_, _| false)
        };
        let call = authority(CredentialMode::Call);
        for other in [
            "90000:other-program",
            "90000:v-anna",
            "c-3po:90000",
            "alice",
        ] {
            assert!(may_relay(&call, &call.read(other)), "{other}");
        }
        let visitor = page("v-1", 90_000);
        assert!(!may_relay(&call, &visitor));
        let timed = authority(CredentialMode::Timed);
        assert!(may_relay(&timed, &visitor));
    }
}
