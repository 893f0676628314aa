//! What is given to those who may call. Pure: key, epoch and time are arguments.
//!
//! An *invitation* is a link to one room. A *session* is the cookie of somebody who has shown a password or an invitation.
//! Both hold the epoch in which they were issued: a new epoch revokes all of them.

use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::sealed::{SealError, SealKey};
use crate::words::names::RoomName;

const SESSION: &str = "a1s";
const INVITATION: &str = "a1i";
const EVERY_ROOM: &str = "*";

/// Where somebody may call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Scope {
    EveryRoom,
    Room(RoomName),
}

impl Scope {
    pub(crate) fn allows(&self, room: &RoomName) -> bool {
        match self {
            Self::EveryRoom => true,
            Self::Room(own) => own == room,
        }
    }
}

/// A link to a room, for so many who open it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Invitation {
    pub room: RoomName,
    pub id: String,
    /// `None` for any number.
    pub uses: Option<u32>,
    pub expiry: SystemTime,
}

/// Issues and reads both.
#[derive(Debug, Clone)]
pub(super) struct PassKey(SealKey);

impl PassKey {
    pub(super) fn new(secret: &str) -> Self {
        Self(SealKey::new(secret))
    }

    pub(super) fn session(&self, scope: &Scope, epoch: &str, expiry: SystemTime) -> String {
        let scope = match scope {
            Scope::EveryRoom => EVERY_ROOM.to_owned(),
            Scope::Room(room) => coded(room),
        };
        self.0.seal(&[SESSION, &scope, epoch], expiry)
    }

    /// What a session allows; `None` if it is none of this epoch, or has expired.
    pub(super) fn read_session(&self, text: &str, epoch: &str, now: SystemTime) -> Option<Scope> {
        match self.0.open(text, now).ok()?.as_slice() {
            [SESSION, EVERY_ROOM, issued] if *issued == epoch => Some(Scope::EveryRoom),
            [SESSION, room, issued] if *issued == epoch => decoded(room).map(Scope::Room),
            _ => None,
        }
    }

    pub(super) fn invitation(&self, invitation: &Invitation, epoch: &str) -> String {
        let uses = invitation.uses.unwrap_or(0).to_string();
        let fields = [
            INVITATION,
            &coded(&invitation.room),
            &invitation.id,
            &uses,
            epoch,
        ];
        self.0.seal(&fields, invitation.expiry)
    }

    /// # Errors
    /// When it was not issued in this epoch, or has expired.
    pub(super) fn read_invitation(
        &self,
        text: &str,
        epoch: &str,
        now: SystemTime,
    ) -> Result<Invitation, SealError> {
        let fields = self.0.open(text, now)?;
        let [INVITATION, room, id, uses, issued] = fields.as_slice() else {
            return Err(SealError::Invalid);
        };
        if *issued != epoch {
            return Err(SealError::Expired);
        }
        let uses: u32 = uses.parse().map_err(|_| SealError::Invalid)?;
        let expiry = text.rsplit('.').nth(1).and_then(|text| text.parse().ok());
        let expiry = Duration::from_secs(expiry.ok_or(SealError::Invalid)?);
        Ok(Invitation {
            room: decoded(room).ok_or(SealError::Invalid)?,
            id: (*id).to_owned(),
            uses: Some(uses).filter(|uses| *uses > 0),
            expiry: SystemTime::UNIX_EPOCH + expiry,
        })
    }
}

/// Room names are of any script; cookies and links are not.
fn coded(room: &RoomName) -> String {
    URL_SAFE_NO_PAD.encode(room.as_str())
}

fn decoded(text: &str) -> Option<RoomName> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    RoomName::parse(std::str::from_utf8(&bytes).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn now() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_790_000_000)
    }

    fn room(name: &str) -> RoomName {
        RoomName::parse(name).unwrap()
    }

    fn invitation(uses: Option<u32>) -> Invitation {
        Invitation {
            room: room("bücher-otter"),
            id: "1f".to_owned(),
            uses,
            expiry: now() + HOUR,
        }
    }

    #[test]
    fn a_session_allows_what_it_was_issued_for_in_its_epoch_and_time() {
        let key = PassKey::new("north");
        for scope in [Scope::EveryRoom, Scope::Room(room("team"))] {
            let text = key.session(&scope, "e1", now() + HOUR);
            assert!(text.is_ascii());
            assert_eq!(key.read_session(&text, "e1", now()), Some(scope.clone()));
            assert_eq!(key.read_session(&text, "e2", now()), None, "revoked");
            assert_eq!(key.read_session(&text, "e1", now() + HOUR), None);
            assert_eq!(PassKey::new("south").read_session(&text, "e1", now()), None);
        }
        assert!(Scope::EveryRoom.allows(&room("any")));
        assert!(Scope::Room(room("team")).allows(&room("Team")));
        assert!(!Scope::Room(room("team")).allows(&room("other")));
    }

    #[test]
    fn an_invitation_says_what_was_put_in() {
        let key = PassKey::new("north");
        for given in [invitation(None), invitation(Some(1))] {
            let text = key.invitation(&given, "e1");
            assert!(text.is_ascii());
            assert_eq!(key.read_invitation(&text, "e1", now()), Ok(given));
            let expired = Err(SealError::Expired);
            assert_eq!(key.read_invitation(&text, "e2", now()), expired);
            assert_eq!(key.read_invitation(&text, "e1", now() + HOUR), expired);
        }
    }

    #[test]
    fn one_is_never_taken_for_the_other() {
        let key = PassKey::new("north");
        let link = key.invitation(&invitation(None), "e1");
        let session = key.session(&Scope::EveryRoom, "e1", now() + HOUR);
        assert_eq!(key.read_session(&link, "e1", now()), None);
        let wrong = key.read_invitation(&session, "e1", now());
        assert_eq!(wrong, Err(SealError::Invalid));
        for garbage in ["", ".", "a1s.*.e1.99999999999", "a1s.*.e1.99999999999.AAAA"] {
            assert_eq!(key.read_session(garbage, "e1", now()), None, "{garbage}");
        }
    }
}
