//! Row 1: Binding; and row 31: ALPN in front of it.

use crate::client::Client;
use crate::link::{Link, Via};
use crate::target::{Setup, Target};
use crate::wire::{BINDING, Draft, SUCCESS, attribute as a};

stories! {
    row_01_binding: udp tcp tls front_tcp front_tls;
    row_01_binding_over_ipv6: udp tcp tls;
    row_31_alpn_is_accepted: tls front_tls;
    row_31_alpn_is_not_required: tls front_tls;
    row_31_alpn_beside_http: tls front_tls;
}

fn check_binding(client: &mut Client) {
    let answer = client.exchange(&Draft::new(BINDING));
    assert_eq!(answer.kind, BINDING | SUCCESS);
    let mapped = answer.address(a::XOR_MAPPED_ADDRESS);
    assert_eq!(mapped, Some(client.local_addr()));
    assert_eq!(answer.get(a::MAPPED_ADDRESS), None);
    assert_eq!(answer.get(a::SOFTWARE), None);
    assert!(!answer.has_integrity());
}

fn row_01_binding(via: Via) {
    check_binding(&mut Target::start().stranger(via));
}

fn row_01_binding_over_ipv6(via: Via) {
    let Some(server) = Setup::default().on("[::1]").start() else {
        return;
    };
    check_binding(&mut server.stranger(via));
}

fn row_31_alpn_is_accepted(via: Via) {
    let server = Target::start();
    let (link, chosen) = Link::over_tls(server.address(via), &["stun.turn"]);
    assert_eq!(chosen.as_deref(), Some(&b"stun.turn"[..]));
    let mut client = Client::new(link);
    client.log_in(&server.alice);
    client.allocate();
}

/// As coturn's client has it. Who names TURN at all is no browser.
fn row_31_alpn_beside_http(via: Via) {
    let server = Target::start();
    let offered = ["http/1.1", "stun.turn", "stun.nat-discovery"];
    let (link, chosen) = Link::over_tls(server.address(via), &offered);
    assert_eq!(chosen.as_deref(), Some(&b"stun.turn"[..]));
    Client::new(link).expect_nothing();
}

fn row_31_alpn_is_not_required(via: Via) {
    let server = Target::start();
    let (link, chosen) = Link::over_tls(server.address(via), &[]);
    assert_eq!(chosen, None);
    let mut client = Client::new(link);
    client.log_in(&server.alice);
    client.allocate();
}
