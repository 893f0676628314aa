//! Signed tickets. Pure: key and time are arguments.
//!
//! A *visitor ticket* proves who a page is to signaling; it comes with `SETTINGS`. A *resume ticket* is the right to a
//! seat in a room; it comes with `welcome`. Both are sealed under a key that nothing else uses: TURN usernames travel in
//! clear, so they prove nothing here.

use std::time::{Duration, SystemTime};

use super::message::PeerId;
use crate::sealed::{SealError, SealKey};
use crate::words::names::RoomName;

/// Longer than any call; a page is not reloaded in the middle of one.
pub(crate) const LIFETIME: Duration = Duration::from_secs(24 * 3600);

const VISITOR: &str = "v1v";
const RESUME: &str = "v1r";

/// The key that signs tickets.
#[derive(Clone)]
pub(crate) struct TicketKey(SealKey);

/// The right to a seat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Resume {
    pub id: PeerId,
    pub room: RoomName,
    pub visitor: String,
    /// Names the run of the server that issued it.
    pub boot: String,
}

impl TicketKey {
    pub(crate) fn new(secret: &str) -> Self {
        Self(SealKey::new(secret))
    }

    pub(crate) fn visitor(&self, visitor: &str, now: SystemTime) -> String {
        self.seal(&[VISITOR, visitor], now)
    }

    /// The visitor that a ticket names.
    ///
    /// # Errors
    /// When it was not issued under this key, or has expired.
    pub(crate) fn read_visitor(&self, ticket: &str, now: SystemTime) -> Result<String, SealError> {
        match self.0.open(ticket, now)?.as_slice() {
            [VISITOR, visitor] => Ok((*visitor).to_owned()),
            _ => Err(SealError::Invalid),
        }
    }

    pub(crate) fn resume(&self, seat: &Resume, now: SystemTime) -> String {
        let fields = [
            RESUME,
            &seat.id.0,
            seat.room.as_str(),
            &seat.visitor,
            &seat.boot,
        ];
        self.seal(&fields, now)
    }

    /// The seat that a ticket is for.
    ///
    /// # Errors
    /// When it was not issued under this key, or has expired.
    pub(crate) fn read_resume(&self, ticket: &str, now: SystemTime) -> Result<Resume, SealError> {
        match self.0.open(ticket, now)?.as_slice() {
            [RESUME, id, room, visitor, boot] => Ok(Resume {
                id: PeerId((*id).to_owned()),
                room: RoomName::parse(room).ok_or(SealError::Invalid)?,
                visitor: (*visitor).to_owned(),
                boot: (*boot).to_owned(),
            }),
            _ => Err(SealError::Invalid),
        }
    }

    fn seal(&self, fields: &[&str], now: SystemTime) -> String {
        self.0.seal(fields, now + LIFETIME)
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    fn now() -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_790_000_000)
    }

    fn seat() -> Resume {
        Resume {
            id: PeerId("p7".into()),
            room: RoomName::parse("bücher-otter").unwrap(),
            visitor: "v-1".into(),
            boot: "b0".into(),
        }
    }

    #[test]
    fn tickets_say_what_was_put_in() {
        let key = TicketKey::new("north");
        assert_eq!(
            key.read_visitor(&key.visitor("v-1", now()), now()).unwrap(),
            "v-1"
        );
        assert_eq!(
            key.read_resume(&key.resume(&seat(), now()), now()).unwrap(),
            seat()
        );
    }

    #[test]
    fn tickets_expire() {
        let key = TicketKey::new("north");
        let ticket = key.visitor("v-1", now());
        let almost = now() + LIFETIME - Duration::from_secs(1);
        assert!(key.read_visitor(&ticket, almost).is_ok());
        assert_eq!(
            key.read_visitor(&ticket, now() + LIFETIME),
            Err(SealError::Expired)
        );
    }

    #[test]
    fn forged_foreign_and_mixed_up_tickets_are_invalid() {
        let key = TicketKey::new("north");
        let ticket = key.visitor("v-1", now());
        let invalid = |ticket: &str| key.read_visitor(ticket, now()) == Err(SealError::Invalid);
        for i in 0..ticket.len() {
            let mut bytes = ticket.clone().into_bytes();
            bytes[i] = if bytes[i] == b'0' { b'1' } else { b'0' };
            assert!(invalid(&String::from_utf8(bytes).unwrap()), "byte {i}");
        }
        assert!(invalid(&TicketKey::new("south").visitor("v-1", now())));
        assert!(
            invalid(&key.resume(&seat(), now())),
            "a resume ticket is no visitor ticket"
        );
        assert_eq!(key.read_resume(&ticket, now()), Err(SealError::Invalid));
        for garbage in ["", ".", "..", "v1v.v-1.99999999999", "\u{0}", "é.é.é"] {
            assert!(invalid(garbage), "{garbage}");
        }
    }
}
