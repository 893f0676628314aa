//! What a page that comes in proves, and what it is told.

use std::sync::{Arc, OnceLock};
use std::time::{Instant, SystemTime};

use super::codes::ErrorCode;
use super::message::{ServerMessage, Welcome};
use super::rooms::{Claim, Joined};
use super::ticket::{Resume, TicketKey};
use crate::ice::IceServers;
use crate::sealed::SealError;
use crate::words::names::RoomName;
use crate::words::secret::random_hex;
use crate::words::visitor::Visitor;

pub(super) struct Greeter {
    tickets: TicketKey,
    pub ice: Arc<IceServers>,
    /// Names this run of the server in resume tickets.
    boot: String,
    /// Until when, once the server is about to stop.
    pub draining: OnceLock<Instant>,
}

/// Somebody who wants in.
#[derive(Debug)]
pub(super) struct Guest {
    pub visitor: String,
    pub room: RoomName,
    /// Who has opened the page, and where.
    pub from: Visitor,
}

impl Greeter {
    /// # Errors
    /// When the operating system has no randomness.
    pub(super) fn new(tickets: TicketKey, ice: Arc<IceServers>) -> anyhow::Result<Self> {
        Ok(Self {
            tickets,
            ice,
            boot: random_hex::<8>()?,
            draining: OnceLock::new(),
        })
    }

    /// Whom a visitor ticket names.
    ///
    /// # Errors
    /// When it is not of this server, or too old.
    pub(super) fn visitor(&self, ticket: &str, now: SystemTime) -> Result<String, ErrorCode> {
        let read = self.tickets.read_visitor(ticket, now);
        read.map_err(|e| match e {
            SealError::Invalid => ErrorCode::BadTicket,
            SealError::Expired => ErrorCode::TicketExpired,
        })
    }

    /// The seat that a resume ticket is for, if it is this visitor's in this room.
    pub(super) fn claim(
        &self,
        ticket: &str,
        room: &RoomName,
        visitor: &str,
        now: SystemTime,
    ) -> Option<Claim> {
        let seat = self.tickets.read_resume(ticket, now).ok()?;
        let matches = seat.room == *room && seat.visitor == visitor;
        matches.then(|| Claim {
            id: seat.id,
            before_start: seat.boot != self.boot,
        })
    }

    /// What somebody is told who is in now. Whom it has to begin anew with leaves, for it, before the `welcome` that lists them.
    pub(super) fn welcome(
        &self,
        guest: &Guest,
        joined: Joined,
        now: SystemTime,
    ) -> Vec<ServerMessage> {
        let seat = Resume {
            id: joined.id.clone(),
            room: guest.room.clone(),
            visitor: guest.visitor.clone(),
            boot: self.boot.clone(),
        };
        let anew = joined.anew.into_iter();
        let gone = anew.map(|id| ServerMessage::PeerLeft { id });
        let welcome = ServerMessage::Welcome(Box::new(Welcome {
            id: joined.id,
            resume: self.tickets.resume(&seat, now),
            resumed: joined.resumed,
            peers: joined.peers,
            locked: joined.locked,
            knocks: joined.knocks,
            pc_config: self.ice.for_visitor(&guest.from, &guest.visitor, now),
        }));
        let farewell = self.draining.get().map(|end| ServerMessage::stopping(*end));
        gone.chain([welcome]).chain(farewell).collect()
    }
}
