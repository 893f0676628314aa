//! Rows 6 to 8, 10 and 11: Allocate (RFC 8656 §7).

use std::net::SocketAddr;

use crate::client::{UDP, allocation, relayed};
use crate::link::Via;
use crate::target::{Setup, Target};
use crate::wire::{ALLOCATE, Draft, SUCCESS, attribute as a};

stories! {
    row_06_allocate: udp tcp tls front_tcp front_tls;
    row_06_relayed_port_is_of_the_range: udp tcp tls;
    row_07_retransmitted_allocate: udp tcp tls;
    row_07_another_allocate: udp tcp tls;
    row_08_requested_transport: udp tcp tls;
    row_10_lifetime_of_an_allocation: udp tcp tls;
    row_11_ipv6_where_there_may_be_none: udp tcp tls;
    row_11_ipv6_where_there_is_one: udp tcp tls;
    row_11_unknown_family: udp tcp tls;
    row_11_family_beside_a_token: udp tcp tls;
}

const IPV4: [u8; 4] = [1, 0, 0, 0];
const IPV6: [u8; 4] = [2, 0, 0, 0];

fn of_family(family: [u8; 4]) -> Draft {
    allocation().with(a::REQUESTED_ADDRESS_FAMILY, &family)
}

fn row_06_allocate(via: Via) {
    let server = Target::start();
    let mut client = server.client(via);
    let answer = client.granted(&allocation());
    assert_eq!(answer.kind, ALLOCATE | SUCCESS);
    assert_eq!(relayed(&answer).ip(), server.turn.ip());
    let mapped = answer.address(a::XOR_MAPPED_ADDRESS);
    assert_eq!(mapped, Some(client.local_addr()));
    assert_eq!(answer.lifetime(), 600);
    assert_eq!(answer.get(a::RESERVATION_TOKEN), None);
}

fn row_06_relayed_port_is_of_the_range(via: Via) {
    let range = "relay_ports = \"23000-23999\"";
    let Some(server) = Setup::default().turn(range).start() else {
        return;
    };
    for _ in 0..4 {
        let (_client, relayed) = server.allocated(via);
        assert!((23000..24000).contains(&relayed.port()), "{relayed}");
    }
}

fn row_07_retransmitted_allocate(via: Via) {
    let server = Target::start();
    let mut client = server.client(via);
    let signed = client.login().sign(allocation());
    let first = client.exchange(&signed);
    let second = client.exchange(&signed);
    for answer in [&first, &second] {
        assert!(answer.is_success(), "refused with {:?}", answer.error());
        assert!(answer.is_signed_with(&client.login().key));
        // The time that is left, or the time that was granted (RFC 8656 §7.2).
        assert!((590..=600).contains(&answer.lifetime()));
    }
    assert_eq!(relayed(&first), relayed(&second));
    let mapped = second.address(a::XOR_MAPPED_ADDRESS);
    assert_eq!(mapped, Some(client.local_addr()));
}

fn row_07_another_allocate(via: Via) {
    let server = Target::start();
    let (mut client, _) = server.allocated(via);
    client.refused(&allocation(), 437);
}

fn row_08_requested_transport(via: Via) {
    let server = Target::start();
    let mut client = server.client(via);
    client.refused(&Draft::new(ALLOCATE), 400);
    for protocol in [0, 1, 6, 33, 132, 255] {
        let draft = Draft::new(ALLOCATE).with(a::REQUESTED_TRANSPORT, &[protocol, 0, 0, 0]);
        client.refused(&draft, 442);
    }
    // The other three bytes are to be ignored (RFC 8656 §18.7).
    let reserved = Draft::new(ALLOCATE).with(a::REQUESTED_TRANSPORT, &[UDP[0], 1, 2, 3]);
    client.granted(&reserved);
}

fn row_10_lifetime_of_an_allocation(via: Via) {
    let server = Target::start();
    for (asked, given) in [(0, 600), (60, 600), (600, 600), (1800, 1800), (99999, 3600)] {
        let mut client = server.client(via);
        let answer = client.granted(&allocation().lifetime(asked));
        assert_eq!(answer.lifetime(), given, "{asked} asked for");
        client.free();
    }
}

fn row_11_ipv6_where_there_may_be_none(via: Via) {
    let server = Target::start();
    let mut client = server.client(via);
    let answer = client.ask(&of_family(IPV6));
    assert!(answer.is_signed_with(&client.login().key));
    match answer.error() {
        Some(code) => assert_eq!(code, 440),
        None => assert!(relayed(&answer).is_ipv6()),
    }
    let is_ipv4 = |draft| relayed(&server.client(via).granted(&draft)).is_ipv4();
    assert!(is_ipv4(of_family(IPV4)), "asked for");
    assert!(is_ipv4(allocation()), "the default");
}

fn row_11_ipv6_where_there_is_one(via: Via) {
    let Some(server) = Setup::default().on("[::1]").start() else {
        return;
    };
    let answer = server.client(via).granted(&of_family(IPV6));
    let relayed: SocketAddr = relayed(&answer);
    assert_eq!(relayed.ip(), server.turn.ip());
}

fn row_11_unknown_family(via: Via) {
    let server = Target::start();
    let mut client = server.client(via);
    for family in [0, 3, 7, 255] {
        client.refused(&of_family([family, 0, 0, 0]), 440);
    }
    client.allocate();
}

fn row_11_family_beside_a_token(via: Via) {
    let server = Target::start();
    let mut client = server.client(via);
    for family in [IPV4, IPV6] {
        let draft = of_family(family).with(a::RESERVATION_TOKEN, b"12345678");
        client.refused(&draft, 400);
    }
}
