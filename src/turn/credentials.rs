//! Long-term credentials (RFC 8489 §9.2) of two kinds: named users from the configuration, and time-limited ones,
//! `expiry:name` with base64(HMAC-SHA1(secret, username)) as the password, as coturn's `use-auth-secret` and the
//! TURN REST API (draft-uberti-behave-turn-rest) have them. Pure: secret and time are arguments.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;

use super::wire::{self, Key};
use crate::config::{CredentialMode, Secret};

/// Names of visitors begin with this; others that were signed with the secret are not bound to a call.
pub const VISITOR: &str = "v-";
/// Names of pages that try the relay without a call begin with this.
pub const CHECK: &str = "c-";
/// How long such a page may relay.
pub const CHECK_TTL: Duration = Duration::from_secs(120);
/// From opening the page to being in a room.
const SETTING_OUT: Duration = Duration::from_secs(60);

/// A username and its password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    pub username: String,
    pub password: String,
}

/// Credentials for `name`, valid until `expiry` (whole seconds).
pub fn mint(secret: &Secret, name: &str, expiry: SystemTime) -> Credentials {
    let username = format!("{}:{name}", seconds(expiry));
    let password = password(secret, &username);
    Credentials { username, password }
}

/// Whom a time-limited username names: what follows the expiry. Named users are their own holders.
pub fn holder(username: &str) -> &str {
    split(username).map_or(username, |(_, name)| name)
}

/// When the time-limited `username` ends, and whom it names; `None` if it is not of that form.
fn split(username: &str) -> Option<(SystemTime, &str)> {
    let (expiry, name) = username.split_once(':')?;
    let digits = !expiry.is_empty() && expiry.bytes().all(|byte| byte.is_ascii_digit());
    let expiry = expiry.parse().ok().filter(|_| digits && !name.is_empty())?;
    Some((UNIX_EPOCH.checked_add(Duration::from_secs(expiry))?, name))
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
pub struct Authority {
    pub realm: String,
    pub secret: Secret,
    pub users: BTreeMap<String, Secret>,
    pub mode: CredentialMode,
    /// How long credentials of visitors live.
    pub ttl: Duration,
}

impl Authority {
    /// The key of a username whose time is not over.
    pub fn key(&self, username: &str, now: SystemTime) -> Option<Key> {
        let password = if let Some(password) = self.users.get(username) {
            password.expose().to_owned()
        } else {
            let (expiry, _) = split(username)?;
            (expiry > now).then(|| password(&self.secret, username))?
        };
        Some(wire::key(username, &self.realm, &password))
    }

    /// May the holder of a username, whose password was right, relay? A call outlives its credential, but not its room:
    /// `is_admitted` is asked about visitors, and told for how long this one may set out without being in a room. A check
    /// sets out until its credential ends, and what it began ends with it.
    pub fn may_relay(
        &self,
        username: &str,
        now: SystemTime,
        is_admitted: impl FnOnce(&str, Duration) -> bool,
    ) -> bool {
        let bound = |name: &str| self.mode == CredentialMode::Call && name.starts_with(VISITOR);
        match split(username) {
            Some((expiry, name)) if bound(name) => {
                let age = (now + self.ttl).duration_since(expiry);
                // What was minted in the future was not minted here.
                let left = age.map_or(Duration::ZERO, |age| SETTING_OUT.saturating_sub(age));
                is_admitted(name, left)
            }
            Some((expiry, name)) if name.starts_with(CHECK) => {
                let left = expiry.duration_since(now).unwrap_or_default();
                is_admitted(name, left.min(CHECK_TTL))
            }
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests {
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
            secret: secret(),
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
    fn reads_expiry_and_holder_of_a_username() {
        assert_eq!(split("1790000000:v-1"), Some((at(1_790_000_000), "v-1")));
        assert_eq!(split("5:a:b"), Some((at(5), "a:b")));
        assert_eq!(holder("5:a:b"), "a:b");
        for wrong in [
            "",
            ":",
            "alice",
            "5",
            "5:",
            ":v",
            "-5:v",
            "+5:v",
            "5x:v",
            "99999999999999999999:v",
        ] {
            assert_eq!(split(wrong), None, "{wrong}");
            assert_eq!(holder(wrong), wrong);
        }
    }

    #[test]
    fn named_users_and_live_credentials_are_known_and_no_others() {
        let authority = authority(CredentialMode::Timed);
        let known = |name: &str| authority.key(name, at(1000));
        let key = |name: &str, password: &str| Some(wire::key(name, "callbox", password));
        assert_eq!(known("alice"), key("alice", "wonder"));
        assert_eq!(known("bob"), None);
        assert_eq!(known("1000:v-1"), None, "expired");
        let live = mint(&secret(), "v-1", at(1001));
        assert_eq!(known(&live.username), key(&live.username, &live.password));
    }

    #[test]
    fn a_visitor_relays_while_in_a_room_or_setting_out() {
        let authority = authority(CredentialMode::Call);
        let minted = 10_000;
        let name = format!("{}:v-1", minted + 3600);
        let left = |now| {
            let mut told = None;
            let admitted = authority.may_relay(&name, at(now), |visitor, left| {
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
        assert!(authority.may_relay(&name, at(minted + 9000), |_, _| true));
    }

    #[test]
    fn a_check_relays_until_its_credential_ends_whatever_visitors_may() {
        for mode in [CredentialMode::Call, CredentialMode::Timed] {
            let authority = authority(mode);
            let left = |now| {
                let mut told = None;
                authority.may_relay("10120:c-1", at(now), |name, left| {
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
    fn what_was_minted_for_another_program_is_valid_by_time_alone() {
        let call = authority(CredentialMode::Call);
        let nobody = |_: &str, _| false;
        assert!(call.may_relay("90000:other-program", at(1000), nobody));
        assert!(call.may_relay("alice", at(1000), nobody));
        assert!(!call.may_relay("90000:v-1", at(1000), nobody));
        let timed = authority(CredentialMode::Timed);
        assert!(timed.may_relay("90000:v-1", at(1000), nobody));
    }
}
