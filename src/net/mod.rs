//! The machine's addresses and routes, and what kind of address an address is.

pub(crate) mod changes;
mod dns;
mod kinds;
mod machine;
pub(crate) mod route;

pub(crate) use dns::public_addresses;
pub(crate) use kinds::{canonical, embedded_ipv4, is_global, is_link_local, is_private};
#[cfg(test)]
pub(crate) use machine::LocalAddress;
pub(crate) use machine::Machine;
