//! The requests of a TURN client (RFC 8656) with long-term credentials, one after another. Pure.

use std::net::SocketAddrV4;

use anyhow::bail;
use ring::hmac;
use turn::auth::generate_auth_key;

use crate::stun::{self, Builder, Message, Transaction};

pub(crate) const USER: &str = "bench";
pub(crate) const PASSWORD: &str = "benchmark";
pub(crate) const REALM: &str = "bench";

/// The channel that every client binds: channels are numbered per client.
pub(crate) const CHANNEL: u16 = 0x4001;

const UDP: [u8; 4] = [17, 0, 0, 0];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Challenge,
    Allocate,
    Permission,
    Channel,
    Done,
}

/// Where packets go, and how.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Aim {
    pub peer: SocketAddrV4,
    pub channel: bool,
}

pub(crate) struct Dialogue {
    step: Step,
    aim: Option<Aim>,
    transaction: Transaction,
    realm: Vec<u8>,
    nonce: Vec<u8>,
    key: Option<hmac::Key>,
    relayed: Option<SocketAddrV4>,
}

impl Dialogue {
    /// Allocates, and with an `aim` goes on to the permission and the channel. `id` differs between clients.
    pub(crate) fn new(id: u32, aim: Option<Aim>) -> Self {
        let mut transaction = *b"callboxbench";
        transaction[..4].copy_from_slice(&id.to_be_bytes());
        Self {
            step: Step::Challenge,
            aim,
            transaction,
            realm: Vec::new(),
            nonce: Vec::new(),
            key: None,
            relayed: None,
        }
    }

    pub(crate) fn relayed(&self) -> Option<SocketAddrV4> {
        self.relayed
    }

    pub(crate) fn done(&self) -> bool {
        self.step == Step::Done
    }

    /// Goes on to the permission and the channel after allocating without an aim.
    pub(crate) fn aim(&mut self, aim: Aim) {
        self.aim = Some(aim);
        self.step = Step::Permission;
    }

    /// The request that is due, in a new transaction when it is not a `repeat`.
    pub(crate) fn request(&mut self, repeat: bool) -> Vec<u8> {
        if !repeat {
            let last = u32::from_be_bytes([
                self.transaction[8],
                self.transaction[9],
                self.transaction[10],
                self.transaction[11],
            ]);
            self.transaction[8..].copy_from_slice(&last.wrapping_add(1).to_be_bytes());
        }
        match (self.step, self.aim) {
            (Step::Permission, Some(aim)) => self.sign(
                Builder::new(stun::CREATE_PERMISSION, self.transaction)
                    .xor_address(stun::XOR_PEER_ADDRESS, aim.peer),
            ),
            (Step::Channel, Some(aim)) => {
                let [high, low] = CHANNEL.to_be_bytes();
                self.sign(
                    Builder::new(stun::CHANNEL_BIND, self.transaction)
                        .attribute(stun::CHANNEL_NUMBER, &[high, low, 0, 0])
                        .xor_address(stun::XOR_PEER_ADDRESS, aim.peer),
                )
            }
            _ => self.sign(
                Builder::new(stun::ALLOCATE, self.transaction)
                    .attribute(stun::REQUESTED_TRANSPORT, &UDP),
            ),
        }
    }

    fn sign(&self, message: Builder) -> Vec<u8> {
        match &self.key {
            None => message.finish(),
            Some(key) => message
                .attribute(stun::USERNAME, USER.as_bytes())
                .attribute(stun::REALM, &self.realm)
                .attribute(stun::NONCE, &self.nonce)
                .finish_signed(key),
        }
    }

    /// Takes a packet from the server; `true` when it moved the dialogue on.
    pub(crate) fn answer(&mut self, packet: &[u8]) -> anyhow::Result<bool> {
        let Some(message) = Message::parse(packet) else {
            return Ok(false);
        };
        if self.done() || message.transaction() != self.transaction {
            return Ok(false);
        }
        if message.is_error() {
            return self.challenged(message);
        }
        self.step = match (self.step, self.aim) {
            (Step::Challenge | Step::Allocate, aim) => {
                self.relayed = message.xor_address(stun::XOR_RELAYED_ADDRESS);
                aim.map_or(Step::Done, |_| Step::Permission)
            }
            (Step::Permission, Some(aim)) if aim.channel => Step::Channel,
            _ => Step::Done,
        };
        Ok(true)
    }

    /// 401 asks for credentials, 438 for the same again with a new nonce.
    fn challenged(&mut self, message: Message) -> anyhow::Result<bool> {
        let code = message.error_code();
        let first = code == 401 && self.key.is_none();
        let (Some(realm), Some(nonce), true) = (
            message.attribute(stun::REALM),
            message.attribute(stun::NONCE),
            first || code == 438,
        ) else {
            bail!("{:?} was answered with {code}", self.step);
        };
        self.realm = realm.to_vec();
        self.nonce = nonce.to_vec();
        if first {
            let key = generate_auth_key(USER, &String::from_utf8_lossy(realm), PASSWORD);
            self.key = Some(hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &key));
            self.step = Step::Allocate;
        }
        Ok(true)
    }
}
