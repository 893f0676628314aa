//! Brings many clients to where they can send: the requests of each in turn, those of several at a time.

use std::net::SocketAddrV4;
use std::time::{Duration, Instant};

use anyhow::bail;

use crate::forwarder::Hello;
use crate::link::Link;
use crate::sys::Batch;
use crate::turn_client::{Aim, Dialogue};

/// RFC 8489 §6.2.1 begins with 500 ms.
const REPEAT_AFTER: Duration = Duration::from_millis(500);
const PATIENCE: Duration = Duration::from_secs(20);

/// What is said to the server before packets flow.
pub(crate) enum Opening {
    Turn(Box<Dialogue>),
    Forwarder(Hello),
}

impl Opening {
    /// The address that a TURN server relays for this client.
    pub(crate) fn relayed(&self) -> Option<SocketAddrV4> {
        match self {
            Self::Turn(dialogue) => dialogue.relayed(),
            Self::Forwarder(_) => None,
        }
    }

    /// Goes on to another peer after the opening.
    pub(crate) fn aim(&mut self, aim: Aim) {
        if let Self::Turn(dialogue) = self {
            dialogue.aim(aim);
        }
    }

    fn request(&mut self, repeat: bool) -> Vec<u8> {
        match self {
            Self::Turn(dialogue) => dialogue.request(repeat),
            Self::Forwarder(hello) => hello.request(),
        }
    }

    fn answer(&mut self, packet: &[u8]) -> anyhow::Result<bool> {
        match self {
            Self::Turn(dialogue) => dialogue.answer(packet),
            Self::Forwarder(hello) => Ok(hello.answer(packet)),
        }
    }

    fn done(&self) -> bool {
        match self {
            Self::Turn(dialogue) => dialogue.done(),
            Self::Forwarder(hello) => hello.done(),
        }
    }
}

pub(crate) struct Client {
    pub link: Link,
    pub opening: Opening,
}

impl Client {
    /// Sends the request that is due. Streams repeat by themselves.
    fn ask(&mut self, repeat: bool) {
        if !repeat || matches!(self.link, Link::Udp(_)) {
            let request = self.opening.request(repeat);
            self.link.send(&request);
        }
    }

    /// Takes what has arrived; `true` when it moved the client on.
    fn hear(&mut self, batch: &mut Batch) -> anyhow::Result<bool> {
        let mut heard = Ok(false);
        let opening = &mut self.opening;
        self.link.receive(batch, &mut |packet| {
            if let Ok(moved) = heard {
                heard = opening.answer(packet).map(|now| moved || now);
            }
        });
        heard
    }
}

/// Completes the openings of all clients, `at_once` of them at a time.
pub(crate) fn complete(clients: &mut [Client], at_once: usize) -> anyhow::Result<()> {
    let mut batch = Batch::new(4);
    let begun = Instant::now();
    let mut next = 0;
    let mut asked: Vec<(usize, Instant)> = Vec::with_capacity(at_once);
    while next < clients.len() || !asked.is_empty() {
        if asked.len() < at_once && next < clients.len() {
            clients[next].ask(false);
            asked.push((next, Instant::now()));
            next += 1;
        }
        let mut at = 0;
        while at < asked.len() {
            let (index, since) = &mut asked[at];
            let client = &mut clients[*index];
            if client.hear(&mut batch)? {
                if client.opening.done() {
                    asked.swap_remove(at);
                    continue;
                }
                client.ask(false);
                *since = Instant::now();
            } else if since.elapsed() > REPEAT_AFTER {
                client.ask(true);
                *since = Instant::now();
            }
            at += 1;
        }
        if begun.elapsed() > PATIENCE {
            bail!("{} clients got no answer", asked.len());
        }
    }
    Ok(())
}
