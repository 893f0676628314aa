//! Row 17: addresses that are the server's own, or nobody's, though no interface of it lists them.

use std::net::SocketAddr;

use crate::client::{Client, allocation, relayed};
use crate::link::Via;
use crate::netns::{Lan, OUTSIDE, OUTSIDE_V6};
use crate::peer::Peer;
use crate::policy::{at, check_forbidden, on_the_internet};
use crate::target::{Setup, external};
use crate::wire::attribute as a;

stories! {
    row_17_networks_that_a_route_gives_to_the_server: udp tcp tls;
    row_17_anycast_address_of_a_router: udp tcp tls;
    row_17_routes_that_lead_nowhere: udp;
}

/// A network that the server answers for as a whole, with an address of it.
const WHOLE: (&str, &str) = ("9.9.9.0/24", "9.9.9.9");
const WHOLE_V6: (&str, &str) = ("2620:fe:1::/64", "2620:fe:1::9");

/// A service of the server's machine is reached by the machine itself, and not through the relay.
fn check_hidden(client: &mut Client, lan: &Lan, ip: &str, permitted: &Peer) {
    let service = lan.inside(|| Peer::on("::"));
    let address = at(ip, service.address().port());
    lan.inside(|| {
        let any = if address.is_ipv4() { "0.0.0.0" } else { "::" };
        Peer::on(any).send(address, b"from inside");
    });
    assert_eq!(service.receive().0, b"from inside");
    check_forbidden(client, address, &[403]);
    client.send_to(address, b"must not pass");
    check_open(client, permitted.address());
    assert_eq!(permitted.receive().0, b"may pass");
    service.expect_nothing();
}

fn check_open(client: &mut Client, peer: SocketAddr) {
    client.permit(&[peer]);
    client.send_to(peer, b"may pass");
}

fn row_17_networks_that_a_route_gives_to_the_server(via: Via) {
    if external().is_some() {
        println!("needs callbox");
        return;
    }
    let lan = Lan::new();
    lan.change_server(&format!("route add local {} dev lo", WHOLE.0));
    lan.change_server(&format!("-6 route add local {} dev lo", WHOLE_V6.0));
    let server = lan.start(&on_the_internet()).unwrap();
    let (v4, v6) = lan.outside(|| (Peer::on(OUTSIDE), Peer::on(OUTSIDE_V6)));
    let (mut ana, mut bo) = lan.outside(|| (server.client(via), server.client(via)));
    ana.allocate();
    check_hidden(&mut ana, &lan, WHOLE.1, &v4);
    allocate_v6(&mut bo);
    check_hidden(&mut bo, &lan, WHOLE_V6.1, &v6);
    // A translator of this machine would find what is here.
    check_forbidden(&mut bo, at("64:ff9b::909:909", 9), &[403]);
}

fn allocate_v6(client: &mut Client) {
    let family = allocation().with(a::REQUESTED_ADDRESS_FAMILY, &[2, 0, 0, 0]);
    assert!(relayed(&client.granted(&family)).is_ipv6());
}

/// RFC 4291 §2.6.1: a router has the address of each of its networks whose last part is zero.
fn row_17_anycast_address_of_a_router(via: Via) {
    if external().is_some() {
        println!("needs callbox");
        return;
    }
    let lan = Lan::new();
    // Of the namespace that the thread is in.
    lan.inside(|| std::fs::write("/proc/sys/net/ipv6/conf/all/forwarding", "1"))
        .unwrap();
    lan.change_server("address add 2606:4700:77::1/64 dev wire nodad");
    let setup = Setup::default().on("0.0.0.0");
    let server = lan.start(&setup).unwrap();
    let permitted = lan.outside(|| Peer::on(OUTSIDE_V6));
    let mut client = lan.outside(|| server.client(via));
    allocate_v6(&mut client);
    check_hidden(&mut client, &lan, "2606:4700:77::", &permitted);
}

fn row_17_routes_that_lead_nowhere(via: Via) {
    if external().is_some() {
        println!("needs callbox");
        return;
    }
    let lan = Lan::new();
    for (kind, last) in [("unreachable", 1), ("prohibit", 2), ("blackhole", 3)] {
        lan.change_server(&format!("route add {kind} 9.9.{last}.0/24"));
        lan.change_server(&format!("-6 route add {kind} 2620:fe:{last}::/64"));
    }
    let server = lan.start(&on_the_internet()).unwrap();
    let (mut ana, mut bo) = lan.outside(|| (server.client(via), server.client(via)));
    ana.allocate();
    allocate_v6(&mut bo);
    for last in 1..4 {
        check_forbidden(&mut ana, at(&format!("9.9.{last}.9"), 9), &[403]);
        check_forbidden(&mut bo, at(&format!("2620:fe:{last}::9"), 9), &[403]);
    }
    check_open(&mut ana, at(OUTSIDE, 9));
    check_open(&mut bo, at(OUTSIDE_V6, 9));
}
