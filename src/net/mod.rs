//! The machine's addresses and routes.

pub(crate) mod changes;
mod dns;
mod machine;
pub(crate) mod route;

pub(crate) use dns::public_addresses;
pub(crate) use machine::Machine;

use std::net::SocketAddr;

/// Strips an IPv4-mapped IPv6 address, as dual-stack sockets show IPv4 clients.
pub(crate) fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}
