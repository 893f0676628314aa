//! Who is asking: stateless nonces and the long-term credential check (RFC 8489 §9.2).
//!
//! A nonce is a time and an HMAC over it and the client's address, so that none has to be remembered, and none is of
//! use to another client:
//!
//! ```text
//! base64( seconds since the start, 4 bytes | HMAC-SHA256(seconds | address | port), 14 bytes )
//! ```

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use ring::rand::SecureRandom;

use super::reply::Refusal;
use super::{Account, Client, Engine, NoAccount, Now, Users};
use crate::counts::{DropReason, FailedLogin};
use crate::wire::{Method, Request};

const TIME: usize = 4;
const MAC: usize = 14;
/// RFC 8489 §9.2 wants it to be limited; clients get a new one with 438.
const NONCE_LIFETIME: Duration = Duration::from_secs(3600);

/// Makes and checks nonces. Clones make the same.
#[derive(Clone)]
pub struct Nonces {
    key: hmac::Key,
    start: Instant,
}

impl fmt::Debug for Nonces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Nonces").finish_non_exhaustive()
    }
}

impl Nonces {
    /// # Errors
    /// When the operating system has no randomness.
    pub fn new(
        random: &dyn SecureRandom,
        start: Instant,
    ) -> Result<Self, ring::error::Unspecified> {
        let key = hmac::Key::generate(hmac::HMAC_SHA256, random)?;
        Ok(Self { key, start })
    }

    /// A nonce for the client at this address, good for an hour.
    pub fn issue(&self, client: SocketAddr, now: Instant) -> String {
        let time = self.seconds(now).to_be_bytes();
        let mut nonce = [0; TIME + MAC];
        nonce[..TIME].copy_from_slice(&time);
        nonce[TIME..].copy_from_slice(&self.tag(time, client).as_ref()[..MAC]);
        STANDARD.encode(nonce)
    }

    /// Was this nonce made for this client, within the last hour?
    pub fn holds(&self, nonce: &[u8], client: SocketAddr, now: Instant) -> bool {
        let Ok(bytes) = STANDARD.decode(nonce) else {
            return false;
        };
        let Some((time, mac)) = bytes
            .split_first_chunk::<TIME>()
            .filter(|(_, mac)| mac.len() == MAC)
        else {
            return false;
        };
        let age = u64::from(self.seconds(now)).checked_sub(u32::from_be_bytes(*time).into());
        let tag = self.tag(*time, client);
        // Guessing a tag byte by byte gains nothing but a nonce, which anybody is given for asking.
        age.is_some_and(|age| age < NONCE_LIFETIME.as_secs()) && tag.as_ref()[..MAC] == *mac
    }

    fn seconds(&self, now: Instant) -> u32 {
        let seconds = now.saturating_duration_since(self.start).as_secs();
        u32::try_from(seconds).unwrap_or(u32::MAX)
    }

    fn tag(&self, time: [u8; TIME], client: SocketAddr) -> hmac::Tag {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(&time);
        match client.ip() {
            IpAddr::V4(ip) => context.update(&ip.octets()),
            IpAddr::V6(ip) => context.update(&ip.octets()),
        }
        context.update(&client.port().to_be_bytes());
        context.sign()
    }
}

/// What becomes of a request whose credentials are not right.
pub(super) enum Denied {
    Refused(Refusal),
    /// It was not even looked at.
    Ignored(DropReason),
}

impl From<Refusal> for Denied {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl<U: Users> Engine<U> {
    /// Checks a request's credentials: whose they are.
    pub(super) fn authenticate(
        &mut self,
        client: Client,
        request: &mut Request,
        now: Now,
    ) -> Result<Account<U::User>, Denied> {
        if !request.signed {
            return Err(Refusal::unauthorized().into());
        }
        let (Some(username), Some(realm), Some(nonce)) =
            (&request.username, &request.realm, &request.nonce)
        else {
            return Err(Refusal::bad_request().into());
        };
        if !self.rules.nonces.holds(nonce, client.address, now.instant) {
            return Err(Refusal::stale_nonce().into());
        }
        let users = Arc::clone(&self.rules.users);
        if *realm != *users.realm() {
            return Err(self.failed(FailedLogin::WrongRealm));
        }
        let from = client.address.ip();
        let running = self
            .by_client
            .get(&client)
            .map(|id| &self.allocations[id.0 as usize])
            .filter(|allocation| *allocation.username == **username);
        let is_new = running.is_none();
        let account = match running {
            // Its credential may have ended since.
            Some(allocation) => allocation.account.clone(),
            None => match users.find(username, from, now) {
                Ok(account) => account,
                Err(NoAccount::Refused(why)) => return Err(self.failed(why)),
                Err(NoAccount::Ignored(why)) => return Err(Denied::Ignored(why)),
            },
        };
        if !request.holds(&account.key) {
            if is_new {
                users.wrong_password(&account, from, now);
            }
            return Err(self.failed(match account.expires {
                Some(_) => FailedLogin::WrongSecret,
                None => FailedLogin::WrongPassword,
            }));
        }
        // Asked last: only who knows the password may be on the way to somewhere.
        let asked = is_new || request.method == Method::Refresh;
        if asked && !users.may_relay(&account, now) {
            return Err(self.failed(FailedLogin::NotAdmitted));
        }
        Ok(account)
    }

    fn failed(&mut self, why: FailedLogin) -> Denied {
        self.failed_logins.count(why);
        Refusal::unauthorized().into()
    }
}

#[cfg(test)]
mod tests {
    use ring::rand::SystemRandom;

    use super::*;

    #[test]
    fn a_nonce_is_for_one_client_and_an_hour() {
        let start = Instant::now();
        let nonces = Nonces::new(&SystemRandom::new(), start).unwrap();
        let client = SocketAddr::from(([192, 0, 2, 1], 5000));
        let later = |seconds| start + Duration::from_secs(seconds);
        let nonce = nonces.issue(client, later(100));
        let holds = |nonce: &str, client, now| nonces.holds(nonce.as_bytes(), client, now);
        assert!(holds(&nonce, client, later(100)) && holds(&nonce, client, later(3699)));
        assert!(!holds(&nonce, client, later(3700)), "expired");
        assert!(!holds(&nonce, client, later(99)), "from the future");
        let port = SocketAddr::from(([192, 0, 2, 1], 5001));
        assert!(!holds(&nonce, port, later(100)), "another client's");
        let other = Nonces::new(&SystemRandom::new(), start).unwrap();
        assert!(!other.holds(nonce.as_bytes(), client, later(100)));
        for forged in ["", "AAAA", "x", &nonce[1..], &format!("{nonce}AAAA")] {
            assert!(!holds(forged, client, later(100)), "{forged}");
        }
    }
}
