//! What waits for one person, who is there or absent. Pure.
//!
//! The sender pays: each has a share of its own in everybody's backlog, and what does not fit into it is not taken. What the
//! server tells of a room does not grow while it waits: who came and went again, unseen, is not told at all, and of a lock only
//! the last is. So nobody fills what waits for somebody else.

use std::collections::VecDeque;

use super::message::{PeerId, ServerMessage};

/// Signals of one sender that may wait.
const SHARE_MESSAGES: usize = 256;
/// Bytes that they may take. A page offers again each 5 seconds and restarts ICE each 8: in the 30 seconds of an absence that
/// is less than 200 KiB, even of offers of 30 KiB.
const SHARE_BYTES: usize = 256 * 1024;
/// Answers to the person's own messages that may wait, and what the server tells it alone.
const OWN_MESSAGES: usize = 256;

/// What waits, in order.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    queue: VecDeque<ServerMessage>,
    shares: Vec<Share>,
    /// How many are for the person alone.
    own: usize,
    /// Of whom a `welcome` tells that was put in since it was empty: such people are known without a message of their own.
    listed: Vec<PeerId>,
}

/// What one sender takes.
#[derive(Debug)]
struct Share {
    from: PeerId,
    messages: usize,
    bytes: usize,
}

/// Whose share is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Full {
    /// The sender's: the signal was not taken.
    Sender,
    /// Of the person for whom it waits, who asks for more than it reads.
    Own,
}

/// At whose expense something waits.
enum Payer<'a> {
    Sender(&'a PeerId, usize),
    Own,
    /// Nobody's: it is bounded by how many have a seat.
    Room,
}

impl Backlog {
    /// # Errors
    /// When a share is used up; nothing has changed then.
    pub(super) fn push(&mut self, message: ServerMessage) -> Result<(), Full> {
        self.charge(&message)?;
        match &message {
            ServerMessage::PeerLeft { id } => {
                self.forget_signals(id);
                let came = |other: &ServerMessage| matches!(other, ServerMessage::PeerJoined { peer } if peer.id == *id);
                if self.take_back(id, &message, came) {
                    return Ok(());
                }
            }
            ServerMessage::KnockEnded { id } => {
                let came = |other: &ServerMessage| matches!(other, ServerMessage::Knock { peer } if peer.id == *id);
                if self.take_back(id, &message, came) {
                    return Ok(());
                }
            }
            ServerMessage::Locked { .. } => self
                .queue
                .retain(|other| !matches!(other, ServerMessage::Locked { .. })),
            ServerMessage::Welcome(welcome) => {
                let listed = welcome.peers.iter().chain(&welcome.knocks);
                self.listed = listed.map(|info| info.id.clone()).collect();
            }
            _ => {}
        }
        self.queue.push_back(message);
        Ok(())
    }

    /// The next one to be written.
    pub(super) fn pop(&mut self) -> Option<ServerMessage> {
        let message = self.queue.pop_front()?;
        self.discharge(&message);
        if self.queue.is_empty() {
            self.listed = Vec::new();
            self.queue.shrink_to(4);
        }
        Some(message)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// The signals of somebody who is no longer there are good for nothing.
    pub(super) fn forget_signals(&mut self, from: &PeerId) {
        if !self.shares.iter().any(|share| share.from == *from) {
            return;
        }
        self.queue.retain(
            |message| !matches!(message, ServerMessage::Signal { from: sender, .. } if sender == from),
        );
        self.shares.retain(|share| share.from != *from);
    }

    /// Who came or knocked, and is gone before that was told, need not be told of, and nobody twice. `true` if there is nothing
    /// to tell.
    fn take_back(
        &mut self,
        id: &PeerId,
        gone: &ServerMessage,
        came: impl Fn(&ServerMessage) -> bool,
    ) -> bool {
        let before = self.queue.len();
        self.queue.retain(|message| !came(message));
        if let Some(index) = self.listed.iter().position(|other| other == id) {
            self.listed.swap_remove(index);
            return false;
        }
        self.queue.len() < before || self.queue.contains(gone)
    }

    fn charge(&mut self, message: &ServerMessage) -> Result<(), Full> {
        match payer(message) {
            Payer::Room => {}
            Payer::Own if self.own >= OWN_MESSAGES => return Err(Full::Own),
            Payer::Own => self.own += 1,
            Payer::Sender(from, bytes) => {
                let index = self.shares.iter().position(|share| share.from == *from);
                let index = index.unwrap_or_else(|| {
                    self.shares.push(Share {
                        from: from.clone(),
                        messages: 0,
                        bytes: 0,
                    });
                    self.shares.len() - 1
                });
                let share = &mut self.shares[index];
                if share.messages >= SHARE_MESSAGES || share.bytes + bytes > SHARE_BYTES {
                    if share.messages == 0 {
                        self.shares.swap_remove(index);
                    }
                    return Err(Full::Sender);
                }
                share.messages += 1;
                share.bytes += bytes;
            }
        }
        Ok(())
    }

    fn discharge(&mut self, message: &ServerMessage) {
        match payer(message) {
            Payer::Room => {}
            Payer::Own => self.own -= 1,
            Payer::Sender(from, bytes) => {
                let Some(index) = self.shares.iter().position(|share| share.from == *from) else {
                    return;
                };
                let share = &mut self.shares[index];
                share.messages -= 1;
                share.bytes -= bytes;
                if share.messages == 0 {
                    self.shares.swap_remove(index);
                }
            }
        }
    }
}

fn payer(message: &ServerMessage) -> Payer<'_> {
    match message {
        ServerMessage::Signal { from, data } => Payer::Sender(from, data.len()),
        ServerMessage::PeerJoined { .. }
        | ServerMessage::PeerLeft { .. }
        | ServerMessage::Locked { .. }
        | ServerMessage::Knock { .. }
        | ServerMessage::KnockEnded { .. } => Payer::Room,
        ServerMessage::Welcome(_)
        | ServerMessage::Knocking
        | ServerMessage::PcConfig { .. }
        | ServerMessage::Draining { .. }
        | ServerMessage::Pong
        | ServerMessage::Error { .. } => Payer::Own,
    }
}

#[cfg(test)]
mod tests;
