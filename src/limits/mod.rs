//! What strangers may take: simultaneous things (connections, rooms, allocations), and things in a time.
//!
//! An IPv6 client owns a /64 at least, a customer a /56 or a /48, so what is counted by address is counted by those. Whoever
//! holds a bound in full is refused alone: no address and no network has more than a quarter of anything.

mod network;
mod rate;
mod tally;

pub(crate) use network::{AddressKey, Network};
pub(crate) use rate::{AddressRate, KeyedRate};
pub(crate) use tally::{Bounds, Full, PerAddress, Place, SHARE, Tally};
