//! What the packets of a load look like: the payload with its time stamp, and what TURN puts around it. Pure.

use std::net::SocketAddrV4;

use crate::stun::{self, Builder, Message};
use crate::turn_client::CHANNEL;

pub(crate) const PAYLOAD: usize = 1000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// Nothing around it: for forwarders.
    Raw,
    /// `ChannelData` (RFC 8656 §12.4).
    Channel,
    /// Send and Data indications (RFC 8656 §11).
    Indication,
}

/// What is said to a client's packet on its way.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stamp {
    /// Nanoseconds since the load began.
    pub sent: u64,
    /// Which spell of the load it belongs to.
    pub spell: u32,
}

/// One client's packet, ready but for its stamp.
pub(crate) struct Template {
    bytes: Vec<u8>,
    payload_at: usize,
}

impl Template {
    pub(crate) fn new(encoding: Encoding, peer: SocketAddrV4) -> Self {
        let payload = [0xa5; PAYLOAD];
        let bytes = match encoding {
            Encoding::Raw => payload.to_vec(),
            Encoding::Channel => {
                let mut bytes = CHANNEL.to_be_bytes().to_vec();
                bytes.extend((PAYLOAD as u16).to_be_bytes());
                bytes.extend(payload);
                bytes
            }
            Encoding::Indication => Builder::new(stun::SEND_INDICATION, *b"benchmarking")
                .xor_address(stun::XOR_PEER_ADDRESS, peer)
                .attribute(stun::DATA, &payload)
                .finish(),
        };
        Self {
            payload_at: bytes.len() - PAYLOAD,
            bytes,
        }
    }

    pub(crate) fn stamped(&mut self, stamp: Stamp) -> &[u8] {
        let payload = &mut self.bytes[self.payload_at..];
        payload[..8].copy_from_slice(&stamp.sent.to_be_bytes());
        payload[8..12].copy_from_slice(&stamp.spell.to_be_bytes());
        &self.bytes
    }
}

impl Stamp {
    /// The stamp of a packet that came back whole.
    pub(crate) fn read(encoding: Encoding, packet: &[u8]) -> Option<Self> {
        let payload = match encoding {
            Encoding::Raw => packet,
            Encoding::Channel => packet
                .strip_prefix(&CHANNEL.to_be_bytes())
                .and_then(|rest| rest.strip_prefix(&(PAYLOAD as u16).to_be_bytes()))?,
            Encoding::Indication => {
                let message = Message::parse(packet)?;
                let data = message.kind() == stun::DATA_INDICATION;
                message.attribute(stun::DATA).filter(|_| data)?
            }
        };
        let (sent, rest) = payload.split_first_chunk::<8>()?;
        let spell = rest.first_chunk::<4>()?;
        (payload.len() == PAYLOAD).then_some(Self {
            sent: u64::from_be_bytes(*sent),
            spell: u32::from_be_bytes(*spell),
        })
    }
}
