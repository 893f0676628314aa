//! The kernel's news of what addresses are this machine's.

use std::io;

use netlink_packet_core::NetlinkBuffer;
use netlink_packet_route::route::RouteHeader;
use netlink_sys::protocols::NETLINK_ROUTE;
use netlink_sys::{AsyncSocket, AsyncSocketExt, SocketAddr, TokioSocket};
use rustix::io::Errno;

use super::route::{ANSWER, Kind, of_type};

/// Messages that are read as one change.
const BURST: usize = 1024;

/// What has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Change {
    /// Perhaps an address.
    Address,
    /// Perhaps what leads to this machine, or nowhere.
    Route,
}

/// The kernel's news of addresses, and of routes that lead to no other machine.
pub(crate) struct Changes(TokioSocket);

impl Changes {
    /// # Errors
    /// Where a sandbox forbids netlink.
    pub(crate) fn watch() -> io::Result<Self> {
        // RTMGRP_IPV4_IFADDR, RTMGRP_IPV4_ROUTE, RTMGRP_IPV6_IFADDR, RTMGRP_IPV6_ROUTE
        const GROUPS: u32 = 0x10 | 0x40 | 0x100 | 0x400;
        let mut socket = TokioSocket::new(NETLINK_ROUTE)?;
        socket.socket_mut().bind(&SocketAddr::new(0, GROUPS))?;
        Ok(Self(socket))
    }

    /// Waits for the next change; several at once are one.
    ///
    /// # Errors
    /// Where the kernel tells no more.
    pub(crate) async fn next(&mut self) -> io::Result<Change> {
        let mut seen = loop {
            let mut received = Vec::with_capacity(ANSWER);
            let news = self.0.recv(&mut received).await;
            if let Some(change) = heard(news, &received)? {
                break change;
            }
        };
        for _ in 0..BURST {
            let mut received = Vec::with_capacity(ANSWER);
            match self.0.socket_ref().recv(&mut received, 0) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                news => seen = heard(news.map(drop), &received)?.map_or(seen, |new| new.max(seen)),
            }
        }
        Ok(seen)
    }
}

fn heard(news: io::Result<()>, received: &[u8]) -> io::Result<Option<Change>> {
    match news {
        Ok(()) => Ok(change(received)),
        // Some of the news is lost.
        Err(error) if error.raw_os_error() == Some(Errno::NOBUFS.raw_os_error()) => {
            Ok(Some(Change::Route))
        }
        Err(error) => Err(error),
    }
}

/// What the news of one datagram, which has one message, is about; `None` for a route to another machine.
fn change(bytes: &[u8]) -> Option<Change> {
    const ADDRESS: [u16; 2] = [20, 21];
    let message = NetlinkBuffer::new_checked(bytes).ok();
    let Some(message) = message else {
        return Some(Change::Route);
    };
    if ADDRESS.contains(&message.message_type()) {
        return Some(Change::Address);
    }
    let route = RouteHeader::parse(message.payload());
    let elsewhere = route.is_ok_and(|route| of_type(route.kind) == Kind::Elsewhere);
    (!elsewhere).then_some(Change::Route)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A message as the kernel sends it, of this type and with a route of this type.
    fn news(message: u16, route: u8) -> Vec<u8> {
        let mut bytes = 28_u32.to_ne_bytes().to_vec();
        bytes.extend(message.to_ne_bytes());
        bytes.extend([0; 10]);
        bytes.extend([2, 32, 0, 0, 255, 2, 0, route, 0, 0, 0, 0]);
        bytes
    }

    #[test]
    fn routes_to_other_machines_are_no_news() {
        const UNICAST: u8 = 1;
        const LOCAL: u8 = 2;
        const ANYCAST: u8 = 4;
        const BLACKHOLE: u8 = 6;
        assert_eq!(change(&news(24, UNICAST)), None);
        assert_eq!(change(&news(25, UNICAST)), None);
        for route in [LOCAL, ANYCAST, BLACKHOLE] {
            assert_eq!(change(&news(24, route)), Some(Change::Route));
            assert_eq!(change(&news(25, route)), Some(Change::Route));
        }
        assert_eq!(change(&news(20, 0)), Some(Change::Address));
        assert_eq!(change(&news(21, 0)), Some(Change::Address));
        assert_eq!(change(b"what is this"), Some(Change::Route));
    }

    #[tokio::test]
    async fn the_kernel_can_be_listened_to() {
        let mut changes = Changes::watch().unwrap();
        let silence = std::time::Duration::from_millis(50);
        // It may say something on a machine whose addresses change just now, and must not end.
        if let Ok(news) = tokio::time::timeout(silence, changes.next()).await {
            news.unwrap();
        }
    }
}
