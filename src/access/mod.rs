//! Who may call: everybody, those with the password, or those who were invited. One gate stands before the pages, their
//! configuration (and so before credentials of the relay), and signaling.

mod pass;
mod used;
mod verifier;

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant, SystemTime};

use anyhow::Context;
use axum::http::HeaderMap;
use axum::http::header::COOKIE;
use ring::digest::{SHA256, digest};

use crate::config::{self, AccessMode};
use crate::limits::AddressRate;
use crate::refused::Refused;
use crate::state::{self, PRIVATE, State};
use crate::words::names::RoomName;
use crate::words::password::PasswordHash;
use crate::words::secret::{hex, random_hex};
use pass::{Invitation, PassKey};
use used::Used;
use verifier::{Verdict, Verifier};

pub(crate) use pass::Scope;

/// Browsers send it to this very host only, and over HTTPS only (RFC 6265bis §4.1.3.2).
const COOKIE_NAME: &str = "__Host-callbox";

const KEY: &str = "access-key";
const EPOCH: &str = "access-epoch";
const USED: &str = "access-used.json";

/// How long a check may take.
const CHECK_LIFE: Duration = Duration::from_secs(60);

/// What programs are told before the gate.
pub(crate) const SHUT: &str = "Only for those who were let in; open the page.";
/// The path of invitations, behind `https://host/`.
const INVITATIONS: &str = "access/i/";

/// Why somebody may not pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Nothing was shown, or nothing that counts here.
    Shut,
    WrongPassword,
    TooOften,
    /// Too many others are let in at this moment, or the disk does not take it.
    Busy,
    InvitationVoid,
    InvitationUsed,
}

/// How soon another program's revocation is heard of.
pub(crate) const LOOK: Duration = Duration::from_secs(2);

/// Decides who may call.
#[derive(Debug)]
pub(crate) struct Access {
    settings: config::Access,
    key: PassKey,
    epoch_file: PathBuf,
    /// All that was issued in another one is void.
    epoch: RwLock<String>,
    verifier: Option<Verifier>,
    used: Arc<Used>,
    attempts: AddressRate,
}

impl Access {
    /// # Errors
    /// When what is kept in the state directory cannot be read or made.
    pub(crate) fn open(settings: &config::Access, state: &State) -> anyhow::Result<Self> {
        let epoch_file = state.path(EPOCH);
        Ok(Self {
            key: PassKey::new(&state.secret(KEY)?),
            epoch: RwLock::new(epoch(&epoch_file, settings)?),
            epoch_file,
            verifier: settings.password_hash.clone().map(Verifier::new),
            used: Arc::new(Used::open(&state.path(USED))?),
            attempts: AddressRate::per_minute(settings.attempts_per_minute),
            settings: settings.clone(),
        })
    }

    pub(crate) fn mode(&self) -> AccessMode {
        self.settings.mode
    }

    /// Where whoever sends these headers may call; `None` for nowhere.
    pub(crate) fn scope(&self, headers: &HeaderMap, now: SystemTime) -> Option<Scope> {
        if self.settings.mode == AccessMode::Open {
            return Some(Scope::EveryRoom);
        }
        let session = session(headers)?;
        self.key.read_session(session, &self.epoch(), now)
    }

    /// A link to a room for any number of people, to stand behind `https://host/`.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub(crate) fn invite(&self, room: RoomName, now: SystemTime) -> anyhow::Result<String> {
        self.invite_for(room, self.settings.invitation, None, now)
    }

    /// The same for so long and so many.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub(crate) fn invite_for(
        &self,
        room: RoomName,
        ttl: Duration,
        uses: Option<u32>,
        now: SystemTime,
    ) -> anyhow::Result<String> {
        let invitation = Invitation {
            room,
            id: random_hex::<8>()?,
            uses,
            expiry: now + ttl,
        };
        let token = self.key.invitation(&invitation, &self.epoch());
        Ok(path_of(&token))
    }

    /// Where such a link leads, behind `https://host/`; `None` if it is none of this server's.
    pub(crate) fn invitation_path(&self, token: &str, now: SystemTime) -> Option<String> {
        self.read_invitation(token, now).ok()?;
        Some(path_of(token))
    }

    /// The cookie of somebody at `from` who knows the password.
    ///
    /// # Errors
    /// [`Refusal`], which is counted.
    pub(crate) async fn log_in(&self, from: IpAddr, password: String) -> Result<String, Refusal> {
        let verifier = self.verifier.as_ref().ok_or(Refusal::Shut)?;
        if !self.attempts.allows(from, Instant::now()) {
            Refused::Passwords.count();
            return Err(Refusal::TooOften);
        }
        let verdict = verifier.verify(password).await;
        let result = match verdict {
            Verdict::Right => "right",
            Verdict::Wrong => "wrong",
            Verdict::Busy => "busy",
        };
        metrics::counter!("callbox_access_logins_total", "result" => result).increment(1);
        match verdict {
            Verdict::Right => Ok(self.session(&Scope::EveryRoom, SystemTime::now())),
            Verdict::Wrong => Err(Refusal::WrongPassword),
            Verdict::Busy => {
                Refused::PasswordsAtOnce.count();
                Err(Refusal::Busy)
            }
        }
    }

    /// The room of an invitation that can still be accepted.
    ///
    /// # Errors
    /// [`Refusal::InvitationVoid`] or [`Refusal::InvitationUsed`].
    pub(crate) fn invited_to(&self, token: &str, now: SystemTime) -> Result<RoomName, Refusal> {
        let invitation = self.read_invitation(token, now)?;
        if self.used.is_used_up(&invitation) {
            return Err(Refusal::InvitationUsed);
        }
        Ok(invitation.room)
    }

    /// Uses an invitation once: the room, and the cookie for it. Whoever has one for that room already, by these headers, gets
    /// no other and uses nothing.
    ///
    /// # Errors
    /// [`Refusal`]
    pub(crate) async fn accept(
        &self,
        token: &str,
        headers: &HeaderMap,
        now: SystemTime,
    ) -> Result<(RoomName, Option<String>), Refusal> {
        let invitation = self.read_invitation(token, now)?;
        let room = invitation.room.clone();
        let scope = Scope::Room(room.clone());
        if self.scope(headers, now).is_some_and(|own| own == scope) {
            return Ok((room, None));
        }
        let used = Arc::clone(&self.used);
        match tokio::task::spawn_blocking(move || used.take(&invitation, now)).await {
            Ok(Ok(true)) => Ok((room, Some(self.session(&scope, now)))),
            Ok(Ok(false)) => Err(Refusal::InvitationUsed),
            Ok(Err(error)) => {
                tracing::error!("an invitation cannot be used: {error:#}");
                Err(Refusal::Busy)
            }
            Err(_) => Err(Refusal::Busy),
        }
    }

    fn read_invitation(&self, token: &str, now: SystemTime) -> Result<Invitation, Refusal> {
        let read = self.key.read_invitation(token, &self.epoch(), now);
        read.map_err(|_| Refusal::InvitationVoid)
    }

    /// A cookie for somebody who may call there, and how long it is good.
    fn session(&self, scope: &Scope, now: SystemTime) -> String {
        let life = self.settings.session;
        let value = self.key.session(scope, &self.epoch(), now + life);
        format!(
            "{COOKIE_NAME}={value}; Path=/; Max-Age={}; Secure; HttpOnly; SameSite=Lax",
            life.as_secs()
        )
    }

    fn epoch(&self) -> String {
        let epoch = self.epoch.read().unwrap_or_else(PoisonError::into_inner);
        epoch.clone()
    }

    /// Has everything been revoked since the last look? Blocks on the disk.
    ///
    /// # Errors
    /// When the state directory cannot be read.
    pub(crate) fn look(&self) -> anyhow::Result<bool> {
        let found = epoch(&self.epoch_file, &self.settings)?;
        let mut current = self.epoch.write().unwrap_or_else(PoisonError::into_inner);
        let revoked = *current != found;
        *current = found;
        Ok(revoked)
    }
}

/// Voids every session and invitation. A server that runs hears of it within [`LOOK`].
///
/// # Errors
/// When the state directory cannot be written to.
pub(crate) fn revoke_all(state: &State) -> anyhow::Result<()> {
    let path = state.path(EPOCH);
    state::replace(&path, random_hex::<8>()?.as_bytes(), PRIVATE)
        .map_err(|error| state::unwritable(&path, "state", error))
}

/// The `Cookie` header of somebody who may call everywhere, for a check on this machine; `None` where nobody is asked, or the
/// server has made no key yet.
///
/// # Errors
/// When the state directory cannot be read.
pub(crate) fn cookie_for_check(
    settings: &config::Access,
    state: &State,
    now: SystemTime,
) -> anyhow::Result<Option<String>> {
    if settings.mode == AccessMode::Open || !state.path(KEY).try_exists()? {
        return Ok(None);
    }
    let key = PassKey::new(&state.secret(KEY)?);
    let epoch = epoch(&state.path(EPOCH), settings)?;
    let value = key.session(&Scope::EveryRoom, &epoch, now + CHECK_LIFE);
    Ok(Some(format!("{COOKIE_NAME}={value}")))
}

/// Another password is another epoch, too.
fn epoch(path: &Path, settings: &config::Access) -> anyhow::Result<String> {
    let number = match std::fs::read_to_string(path) {
        Ok(text) => text.trim().to_owned(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => "0".to_owned(),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
    };
    let hash = settings
        .password_hash
        .as_ref()
        .map_or("", PasswordHash::expose);
    let text = format!("{number} {:?} {hash}", settings.mode);
    Ok(hex(&digest(&SHA256, text.as_bytes()).as_ref()[..8]))
}

fn path_of(token: &str) -> String {
    format!("{INVITATIONS}{token}")
}

/// Is this `name=value` a session's?
pub(crate) fn is_session(pair: &str) -> bool {
    pair.split_once('=')
        .is_some_and(|(name, _)| name == COOKIE_NAME)
}

/// The session in a request's cookies.
fn session(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get_all(COOKIE).iter();
    let pairs = cookies
        .filter_map(|value| value.to_str().ok())
        .flat_map(|text| text.split(';'));
    pairs
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(name, value)| (name == COOKIE_NAME).then_some(value))
}
