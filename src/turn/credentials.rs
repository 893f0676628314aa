//! Long-term credentials (RFC 8489 §9.2) of two kinds: named users from the configuration, and time-limited ones,
//! `expiry:visitor` with base64(HMAC-SHA1(secret, username)) as the password, as coturn's `use-auth-secret` and the
//! TURN REST API (draft-uberti-behave-turn-rest) have them.
//!
//! Minting and verifying are pure: secret and time are arguments. Only [`Authority`], which webrtc-rs calls, reads the
//! clock.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use turn::auth::{AuthHandler, generate_auth_key};

use crate::config::Secret;

/// A running client refreshes its permissions every five minutes.
const RUNNING_FOR: Duration = Duration::from_secs(11 * 60);
const MAX_RUNNING: usize = 4096;

/// A username and its password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    pub username: String,
    pub password: String,
}

/// Credentials for `visitor`, valid until `expiry` (whole seconds).
pub fn mint(secret: &Secret, visitor: &str, expiry: SystemTime) -> Credentials {
    let username = format!("{}:{visitor}", seconds(expiry));
    let password = password(secret, &username);
    Credentials { username, password }
}

/// When the time-limited `username` ends; `None` if it is not of that form.
pub fn expiry(username: &str) -> Option<SystemTime> {
    let (expiry, visitor) = username.split_once(':')?;
    let digits = !expiry.is_empty() && expiry.bytes().all(|byte| byte.is_ascii_digit());
    let expiry = expiry
        .parse()
        .ok()
        .filter(|_| digits && !visitor.is_empty())?;
    UNIX_EPOCH.checked_add(Duration::from_secs(expiry))
}

/// The password of a time-limited username.
pub fn password(secret: &Secret, username: &str) -> String {
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

/// Answers webrtc-rs's question for the key of a username.
pub struct Authority {
    secret: Secret,
    users: BTreeMap<String, Secret>,
    running: Mutex<Running>,
}

impl Authority {
    pub fn new(secret: &Secret, users: BTreeMap<String, Secret>) -> Self {
        Self {
            secret: secret.clone(),
            users,
            running: Mutex::default(),
        }
    }

    /// The server has answered the request that `client` was last asked about.
    pub fn answered(&self, client: SocketAddr, success: bool) {
        self.running().answered(client, success, Instant::now());
    }

    fn password(&self, username: &str, client: SocketAddr) -> Option<String> {
        if let Some(password) = self.users.get(username) {
            return Some(password.expose().to_owned());
        }
        let valid = expiry(username)? > SystemTime::now();
        let allowed = self
            .running()
            .asked(username, client, valid, Instant::now());
        allowed.then(|| password(&self.secret, username))
    }

    fn running(&self) -> MutexGuard<'_, Running> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AuthHandler for Authority {
    fn auth_handle(
        &self,
        username: &str,
        realm: &str,
        client: SocketAddr,
    ) -> Result<Vec<u8>, turn::Error> {
        match self.password(username, client) {
            Some(password) => Ok(generate_auth_key(username, realm, &password)),
            None => Err(turn::Error::ErrNoSuchUser),
        }
    }
}

/// Clients in the middle of something: theirs is not ended when the credential that began it expires. Bounded; when it
/// is full, further clients have to bring fresh credentials.
#[derive(Default)]
struct Running {
    clients: HashMap<SocketAddr, (String, Instant)>,
    /// Asked for a key, but not answered yet: webrtc-rs asks before it has checked the password. A listener handles one
    /// request after the other, so there are no more of these than listeners.
    asked: HashMap<SocketAddr, String>,
}

impl Running {
    /// May `client` go on as `username`, whose credential is `valid` by its time?
    fn asked(&mut self, username: &str, client: SocketAddr, valid: bool, now: Instant) -> bool {
        let runs = self
            .clients
            .get(&client)
            .is_some_and(|(name, at)| name == username && now.duration_since(*at) < RUNNING_FOR);
        let allowed = valid || runs;
        if allowed {
            self.asked.insert(client, username.to_owned());
        }
        allowed
    }

    fn answered(&mut self, client: SocketAddr, success: bool, now: Instant) {
        let Some(username) = self.asked.remove(&client) else {
            return;
        };
        if !success {
            return;
        }
        if self.clients.len() >= MAX_RUNNING && !self.clients.contains_key(&client) {
            self.clients
                .retain(|_, (_, at)| now.duration_since(*at) < RUNNING_FOR);
        }
        if self.clients.len() < MAX_RUNNING || self.clients.contains_key(&client) {
            self.clients.insert(client, (username, now));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret() -> Secret {
        Secret::new("north")
    }

    fn client(port: u16) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 1], port))
    }

    /// Computed with `printf 1790000000:v-1 | openssl dgst -sha1 -hmac north -binary | base64`.
    #[test]
    fn mints_what_coturn_computes() {
        let expiry = UNIX_EPOCH + Duration::from_secs(1_790_000_000);
        let minted = mint(&secret(), "v-1", expiry);
        assert_eq!(minted.username, "1790000000:v-1");
        assert_eq!(minted.password, "BQWtL8qu2mVtUZJBrxNSUdlUjgo=");
    }

    #[test]
    fn reads_the_expiry_of_a_username() {
        let at = |seconds| Some(UNIX_EPOCH + Duration::from_secs(seconds));
        assert_eq!(expiry("1790000000:v-1"), at(1_790_000_000));
        assert_eq!(expiry("5:a:b"), at(5));
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
            assert_eq!(expiry(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn named_users_and_live_credentials_are_known_and_no_others() {
        let users = BTreeMap::from([("alice".to_owned(), Secret::new("wonder"))]);
        let authority = Authority::new(&secret(), users);
        let known = |name: &str| authority.auth_handle(name, "callbox", client(1)).ok();
        assert_eq!(
            known("alice"),
            Some(generate_auth_key("alice", "callbox", "wonder"))
        );
        assert_eq!(known("bob"), None);
        assert_eq!(known("1:v-1"), None, "expired");
        let live = mint(
            &secret(),
            "v-1",
            SystemTime::now() + Duration::from_secs(60),
        );
        assert_eq!(
            known(&live.username),
            Some(generate_auth_key(&live.username, "callbox", &live.password))
        );
    }

    /// A request of this client, whose password is right.
    fn request(running: &mut Running, name: &str, port: u16, valid: bool, now: Instant) -> bool {
        let allowed = running.asked(name, client(port), valid, now);
        running.answered(client(port), allowed, now);
        allowed
    }

    #[test]
    fn a_running_client_outlives_its_credential_and_nobody_else_does() {
        let mut running = Running::default();
        let start = Instant::now();
        let minutes = |n: u64| start + Duration::from_secs(60 * n);
        assert!(request(&mut running, "1:v", 1, true, minutes(0)));
        assert!(request(&mut running, "1:v", 1, false, minutes(5)));
        assert!(request(&mut running, "1:v", 1, false, minutes(15)));
        assert!(
            !request(&mut running, "1:v", 2, false, minutes(15)),
            "another address"
        );
        assert!(
            !request(&mut running, "1:w", 1, false, minutes(15)),
            "another user"
        );
        assert!(
            !request(&mut running, "1:v", 1, false, minutes(27)),
            "silent for too long"
        );
    }

    #[test]
    fn wrong_passwords_leave_no_trace() {
        let mut running = Running::default();
        let now = Instant::now();
        assert!(request(&mut running, "9:v", 1, true, now));
        for port in 1..1000 {
            assert!(running.asked("9:other", client(port), true, now));
            running.answered(client(port), false, now);
        }
        assert!(running.asked.is_empty());
        assert_eq!(running.clients.len(), 1);
        assert!(
            request(&mut running, "9:v", 1, false, now),
            "nobody else's packet ends it"
        );
    }

    #[test]
    fn running_clients_are_bounded() {
        let mut running = Running::default();
        let now = Instant::now();
        for i in 0..2 * u32::try_from(MAX_RUNNING).unwrap() {
            let [_, a, b, c] = i.to_be_bytes();
            let client = SocketAddr::from(([10, a, b, c], 1));
            assert!(running.asked("9:v", client, true, now));
            running.answered(client, true, now);
        }
        assert_eq!(running.clients.len(), MAX_RUNNING);
        assert!(request(&mut running, "9:v", 1, true, now + RUNNING_FOR));
        assert_eq!(running.clients.len(), 1);
    }
}
