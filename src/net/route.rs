//! What the kernel does with packets for an address, which the list of the machine's addresses does not tell: an
//! anycast address of a router and a network that a route gives to this machine ("`AnyIP`") are on no interface.

use std::io;
use std::net::IpAddr;

use netlink_packet_core::{NLM_F_REQUEST, NetlinkBuffer, NetlinkHeader};
use netlink_packet_core::{NetlinkMessage, NetlinkPayload};
use netlink_packet_route::route::{RouteAttribute, RouteHeader, RouteMessage, RouteType};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use netlink_sys::protocols::NETLINK_ROUTE;
use netlink_sys::{Socket, SocketAddr};
use rustix::io::Errno;

/// `NLMSG_ERROR`.
const ERROR: u16 = 2;
/// `RTM_NEWROUTE`, as which a route is told.
const ROUTE: u16 = 24;
/// One route with all that may belong to it.
pub(super) const ANSWER: usize = 8192;

/// Where a route leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// To one other machine.
    Elsewhere,
    /// To this machine, or to several at once, this one among them.
    Here,
    /// There is none, or one that says so.
    Nowhere,
}

/// A way to ask the kernel, which answers at once.
pub(crate) struct Routes {
    socket: Socket,
    asked: u32,
}

impl Routes {
    /// # Errors
    /// Where a sandbox forbids netlink.
    pub(crate) fn open() -> io::Result<Self> {
        let socket = Socket::new(NETLINK_ROUTE)?;
        socket.connect(&SocketAddr::new(0, 0))?;
        // The answer is there when the question has been sent.
        socket.set_non_blocking(true)?;
        Ok(Self { socket, asked: 0 })
    }

    /// The kind of the route that a packet takes to `to`, where its source is `from`.
    ///
    /// # Errors
    /// Where the kernel does not say.
    pub(crate) fn kind(&mut self, to: IpAddr, from: Option<IpAddr>) -> io::Result<Kind> {
        self.asked = self.asked.wrapping_add(1);
        self.socket.send(&question(to, from, self.asked), 0)?;
        loop {
            let mut received = Vec::with_capacity(ANSWER);
            self.socket.recv(&mut received, 0)?;
            // What is left of an earlier question is not wanted any more.
            if let Some(answer) = answer(&received, self.asked) {
                return answer;
            }
        }
    }
}

fn question(to: IpAddr, from: Option<IpAddr>, number: u32) -> Vec<u8> {
    let bits = |ip: IpAddr| if ip.is_ipv4() { 32 } else { 128 };
    let mut message = RouteMessage::default();
    message.header = RouteHeader {
        address_family: match to {
            IpAddr::V4(_) => AddressFamily::Inet,
            IpAddr::V6(_) => AddressFamily::Inet6,
        },
        destination_prefix_length: bits(to),
        source_prefix_length: from.map_or(0, bits),
        ..RouteHeader::default()
    };
    let source = from.map(|ip| RouteAttribute::Source(ip.into()));
    let destination = RouteAttribute::Destination(to.into());
    message.attributes = std::iter::once(destination).chain(source).collect();
    let message = RouteNetlinkMessage::GetRoute(message);
    let mut header = NetlinkHeader::default();
    header.flags = NLM_F_REQUEST;
    header.sequence_number = number;
    let mut request = NetlinkMessage::new(header, NetlinkPayload::from(message));
    request.finalize();
    let mut bytes = vec![0; request.buffer_len()];
    request.serialize(&mut bytes);
    bytes
}

/// `None` where it is of another question.
fn answer(bytes: &[u8], number: u32) -> Option<io::Result<Kind>> {
    let broken = || io::Error::from(io::ErrorKind::InvalidData);
    let Ok(message) = NetlinkBuffer::new_checked(bytes) else {
        return Some(Err(broken()));
    };
    if message.sequence_number() != number {
        return None;
    }
    let payload = message.payload();
    Some(match message.message_type() {
        ROUTE => RouteHeader::parse(payload)
            .map(|header| of_type(header.kind))
            .map_err(|_| broken()),
        ERROR => match payload.first_chunk() {
            Some(code) => of_error(i32::from_ne_bytes(*code)),
            None => Err(broken()),
        },
        _ => Err(broken()),
    })
}

pub(super) fn of_type(kind: RouteType) -> Kind {
    match kind {
        RouteType::Unicast => Kind::Elsewhere,
        RouteType::Local
        | RouteType::Broadcast
        | RouteType::Anycast
        | RouteType::Multicast
        | RouteType::Nat => Kind::Here,
        _ => Kind::Nowhere,
    }
}

/// For IPv4, routes that lead nowhere are told as what a packet would meet.
fn of_error(code: i32) -> io::Result<Kind> {
    const NOWHERE: [Errno; 5] = [
        Errno::NETUNREACH,
        Errno::HOSTUNREACH,
        // Prohibited.
        Errno::ACCESS,
        // A black hole; or packets have no such source.
        Errno::INVAL,
        Errno::AGAIN,
    ];
    let code = code.saturating_neg();
    if NOWHERE.iter().any(|nowhere| nowhere.raw_os_error() == code) {
        return Ok(Kind::Nowhere);
    }
    Err(io::Error::from_raw_os_error(code))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(to: &str) -> Kind {
        let mut routes = Routes::open().unwrap();
        routes.kind(to.parse().unwrap(), None).unwrap()
    }

    #[test]
    fn the_kernel_says_what_is_here() {
        assert_eq!(kind("127.0.0.1"), Kind::Here);
        assert_eq!(kind("127.9.9.9"), Kind::Here, "on no interface");
        assert_eq!(kind("255.255.255.255"), Kind::Here);
        assert_ne!(kind("192.0.2.77"), Kind::Here);
        let mut routes = Routes::open().unwrap();
        let own = Some("127.0.0.1".parse().unwrap());
        let to = "127.0.0.2".parse().unwrap();
        assert_eq!(routes.kind(to, own).unwrap(), Kind::Here);
        let foreign = Some("192.0.2.9".parse().unwrap());
        assert_eq!(routes.kind(to, foreign).unwrap(), Kind::Nowhere);
    }

    #[test]
    fn routes_that_lead_nowhere_and_failures_are_told_apart() {
        assert_eq!(of_type(RouteType::Unreachable), Kind::Nowhere);
        assert_eq!(of_type(RouteType::BlackHole), Kind::Nowhere);
        assert_eq!(of_type(RouteType::Anycast), Kind::Here);
        assert_eq!(of_error(-101).unwrap(), Kind::Nowhere);
        assert_eq!(of_error(-13).unwrap(), Kind::Nowhere);
        assert!(of_error(-105).is_err(), "no room");
        assert!(of_error(0).is_err(), "an acknowledgement nobody asked for");
        assert!(of_error(i32::MIN).is_err());
    }

    #[test]
    fn answers_to_other_questions_and_broken_ones_are_no_answers() {
        let asked = question("192.0.2.1".parse().unwrap(), None, 7);
        assert!(answer(&asked, 8).is_none());
        assert!(
            answer(&asked, 7).unwrap().is_err(),
            "no answer but a question"
        );
        assert!(answer(&asked[..10], 7).unwrap().is_err());
        assert!(answer(&[], 7).unwrap().is_err());
    }
}
