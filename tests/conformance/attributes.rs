//! Rows 9 and 25: attributes that are unknown, or that stand where they do not count (RFC 8489 §6.3, §14.5 to §14.7).

use crate::client::{UDP, allocation, refresh, relayed, send_indication};
use crate::link::Via;
use crate::peer::Peer;
use crate::target::Target;
use crate::wire::{ALLOCATE, BINDING, Draft, Message, attribute as a};

stories! {
    row_09_unknown_required_attribute: udp tcp tls;
    row_09_unknown_required_attribute_of_a_binding: udp tcp tls;
    row_09_unknown_required_attribute_of_an_indication: udp tcp tls;
    row_09_unknown_optional_attribute: udp tcp tls;
    row_25_attributes_after_integrity: udp tcp tls;
    row_25_bad_fingerprint: udp tcp tls;
    row_25_good_fingerprint: udp tcp tls;
}

const UNKNOWN: u16 = 0x7ffe;
const ALSO_UNKNOWN: u16 = 0x7ffd;
const OPTIONAL: u16 = 0xfffe;

/// The attributes that an error 420 lists.
fn unknown(answer: &Message) -> Vec<u16> {
    answer
        .get(a::UNKNOWN_ATTRIBUTES)
        .expect("UNKNOWN-ATTRIBUTES")
        .chunks(2)
        .map(|pair| u16::from_be_bytes(pair.try_into().unwrap()))
        .collect()
}

fn row_09_unknown_required_attribute(via: Via) {
    let server = Target::start();
    let mut client = server.client(via);
    let answer = client.refused(&allocation().with(UNKNOWN, b"what?"), 420);
    assert_eq!(unknown(&answer), [UNKNOWN]);
    let two = allocation().with(UNKNOWN, b"").with(ALSO_UNKNOWN, b"this");
    let answer = client.refused(&two, 420);
    assert_eq!(unknown(&answer), [UNKNOWN, ALSO_UNKNOWN]);
    client.allocate();
    client.refused(&refresh().with(UNKNOWN, b"what?"), 420);
}

fn row_09_unknown_required_attribute_of_a_binding(via: Via) {
    let server = Target::start();
    let answer = server
        .stranger(via)
        .exchange(&Draft::new(BINDING).with(UNKNOWN, b"what?"));
    assert_eq!(answer.error(), Some(420));
    assert_eq!(unknown(&answer), [UNKNOWN]);
}

fn row_09_unknown_required_attribute_of_an_indication(via: Via) {
    let server = Target::start();
    let peer = Peer::new();
    let (mut client, relayed) = server.allocated(via);
    client.permit(&[peer.address()]);
    let strange = send_indication(peer.address(), b"strange").with(UNKNOWN, b"what?");
    client.send(&strange.bytes());
    client.send_to(peer.address(), b"plain");
    peer.expect(b"plain", relayed);
}

fn row_09_unknown_optional_attribute(via: Via) {
    let server = Target::start();
    let peer = Peer::new();
    let mut client = server.client(via);
    let answer = client.granted(&allocation().with(OPTIONAL, b"by the way"));
    let relayed = relayed(&answer);
    client.permit(&[peer.address()]);
    let indication = send_indication(peer.address(), b"data").with(OPTIONAL, b"by the way");
    client.send(&indication.bytes());
    peer.expect(b"data", relayed);
}

fn row_25_attributes_after_integrity(via: Via) {
    let server = Target::start();
    let mut client = server.client(via);
    // What was signed asks for nothing of the sort.
    let forged = client
        .login()
        .sign(Draft::new(ALLOCATE).lifetime(1800))
        .with(a::REQUESTED_TRANSPORT, &UDP);
    assert_eq!(client.exchange(&forged).error(), Some(400));
    let forged = client.login().sign(allocation()).lifetime(1800);
    assert_eq!(client.exchange(&forged).lifetime(), 600);
    for draft in [
        client.login().sign(refresh()).lifetime(0),
        client.login().sign(refresh()).lifetime(0).fingerprint(),
    ] {
        let answer = client.exchange(&draft);
        assert!(answer.is_success(), "refused with {:?}", answer.error());
        assert_eq!(answer.lifetime(), 600);
    }
    client.granted(&refresh());
}

/// The same message with a bit of its last attribute turned.
fn spoiled(draft: &Draft) -> Vec<u8> {
    let mut bytes = draft.bytes();
    *bytes.last_mut().unwrap() ^= 1;
    bytes
}

fn row_25_bad_fingerprint(via: Via) {
    let server = Target::start();
    let mut client = server.stranger(via);
    client.send(&spoiled(&Draft::new(BINDING).fingerprint()));
    client.expect_nothing();

    let peer = Peer::new();
    let (mut client, relayed) = server.allocated(via);
    let deletion = client.login().sign(refresh().lifetime(0)).fingerprint();
    client.send(&spoiled(&deletion));
    client.expect_nothing();
    client.permit(&[peer.address()]);
    client.send(&spoiled(
        &send_indication(peer.address(), b"spoiled").fingerprint(),
    ));
    client.send(
        &send_indication(peer.address(), b"sound")
            .fingerprint()
            .bytes(),
    );
    peer.expect(b"sound", relayed);
}

fn row_25_good_fingerprint(via: Via) {
    let server = Target::start();
    let mut client = server.client(via);
    let binding = Draft::new(BINDING).fingerprint();
    assert!(client.exchange(&binding).is_success());
    let allocate = client.login().sign(allocation()).fingerprint();
    assert!(client.exchange(&allocate).is_success());
}
