#![doc = include_str!("../README.md")]
#![warn(missing_docs, missing_debug_implementations)]

mod address;
pub mod channel_data;
mod counts;
mod engine;
pub mod framing;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod indication;
#[cfg(all(feature = "linux", target_os = "linux"))]
pub mod linux;
mod login_limit;
mod passwords;
mod peer_policy;
mod ports;
mod rate;
mod recent;
mod unanswered;
mod wire;

pub use address::{embedded_ipv4, is_global, is_link_local, is_private};
pub use counts::{CODES, DropReason, FailedLogin, FailedLogins, Refusals};
pub use engine::{
    Account, AllocationId, Client, End, Ended, Engine, HEADROOM, Host, NoAccount, NoRelay, Nonces,
    Now, Order, Relayed, Rules, TAILROOM, Tally, Target, Transport, Usage, Users, Verdict, Wish,
    Withdrawn, is_data,
};
pub use login_limit::LoginLimit;
pub use passwords::Passwords;
pub use peer_policy::{LocalAddress, PeerPolicy, PolicySettings, Standing};
pub use ports::{Claim, Families, PortRange, RelayedAddresses};
pub use rate::SharedRate;
pub use unanswered::Unanswered;
pub use wire::{Key, MAX_REQUEST, is_request, key};
