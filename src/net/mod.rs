//! The machine's addresses and routes, and what kind of address an address is.

pub mod changes;
mod dns;
mod kinds;
mod machine;
pub mod route;

pub use dns::public_addresses;
pub use kinds::{canonical, embedded_ipv4, is_global, is_link_local, is_private};
#[cfg(test)]
pub use machine::LocalAddress;
pub use machine::Machine;
