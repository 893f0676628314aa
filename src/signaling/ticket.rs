//! Signed tickets. Pure: key and time are arguments.
//!
//! A *visitor ticket* proves who a page is to signaling; it comes with `SETTINGS`. A *resume ticket* is the right to a
//! seat in a room; it comes with `welcome`. Both are text, `kind.field.….expiry.mac`, with an HMAC-SHA256 over all
//! before it, under a key that nothing else uses: TURN usernames travel in clear, so they prove nothing here.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;

use super::RoomName;
use super::message::PeerId;

/// Longer than any call; a page is not reloaded in the middle of one.
pub const LIFETIME: Duration = Duration::from_secs(24 * 3600);

const VISITOR: &str = "v1v";
const RESUME: &str = "v1r";

/// The key that signs tickets.
#[derive(Clone)]
pub struct TicketKey(hmac::Key);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TicketError {
    #[error("the ticket was not issued by this server")]
    Invalid,
    #[error("the ticket has expired")]
    Expired,
}

/// The right to a seat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resume {
    pub id: PeerId,
    pub room: RoomName,
    pub visitor: String,
    /// Names the run of the server that issued it.
    pub boot: String,
}

impl TicketKey {
    pub fn new(secret: &str) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()))
    }

    pub fn visitor(&self, visitor: &str, now: SystemTime) -> String {
        self.seal(&[VISITOR, visitor], now)
    }

    /// The visitor that a ticket names.
    ///
    /// # Errors
    /// When it was not issued under this key, or has expired.
    pub fn read_visitor(&self, ticket: &str, now: SystemTime) -> Result<String, TicketError> {
        match self.open(ticket, now)?.as_slice() {
            [VISITOR, visitor] => Ok((*visitor).to_owned()),
            _ => Err(TicketError::Invalid),
        }
    }

    pub fn resume(&self, seat: &Resume, now: SystemTime) -> String {
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
    pub fn read_resume(&self, ticket: &str, now: SystemTime) -> Result<Resume, TicketError> {
        match self.open(ticket, now)?.as_slice() {
            [RESUME, id, room, visitor, boot] => Ok(Resume {
                id: PeerId((*id).to_owned()),
                room: RoomName::parse(room).ok_or(TicketError::Invalid)?,
                visitor: (*visitor).to_owned(),
                boot: (*boot).to_owned(),
            }),
            _ => Err(TicketError::Invalid),
        }
    }

    /// No field may hold a dot.
    fn seal(&self, fields: &[&str], now: SystemTime) -> String {
        debug_assert!(fields.iter().all(|field| !field.contains('.')));
        let expiry = seconds(now + LIFETIME);
        let body = format!("{}.{expiry}", fields.join("."));
        let mac = URL_SAFE_NO_PAD.encode(hmac::sign(&self.0, body.as_bytes()));
        format!("{body}.{mac}")
    }

    fn open<'a>(&self, ticket: &'a str, now: SystemTime) -> Result<Vec<&'a str>, TicketError> {
        let (body, mac) = ticket.rsplit_once('.').ok_or(TicketError::Invalid)?;
        let mac = URL_SAFE_NO_PAD
            .decode(mac)
            .map_err(|_| TicketError::Invalid)?;
        hmac::verify(&self.0, body.as_bytes(), &mac).map_err(|_| TicketError::Invalid)?;
        let (fields, expiry) = body.rsplit_once('.').ok_or(TicketError::Invalid)?;
        let expiry: u64 = expiry.parse().map_err(|_| TicketError::Invalid)?;
        if expiry <= seconds(now) {
            return Err(TicketError::Expired);
        }
        Ok(fields.split('.').collect())
    }
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs()
}

#[cfg(test)]
mod tests {
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
            Err(TicketError::Expired)
        );
    }

    #[test]
    fn forged_foreign_and_mixed_up_tickets_are_invalid() {
        let key = TicketKey::new("north");
        let ticket = key.visitor("v-1", now());
        let invalid = |ticket: &str| key.read_visitor(ticket, now()) == Err(TicketError::Invalid);
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
        assert_eq!(key.read_resume(&ticket, now()), Err(TicketError::Invalid));
        for garbage in ["", ".", "..", "v1v.v-1.99999999999", "\u{0}", "é.é.é"] {
            assert!(invalid(garbage), "{garbage}");
        }
    }
}
