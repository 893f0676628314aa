//! Rows 10, 15 and 30: Refresh (RFC 8656 §7.3), and requests that are heard twice.

use crate::client::{Client, channel_bind, permission, refresh};
use crate::link::{Frame, Received, Via};
use crate::peer::Peer;
use crate::support::PATIENCE;
use crate::target::Target;
use crate::wire::{Draft, attribute as a};

stories! {
    row_10_lifetime_of_a_refresh: udp tcp tls;
    row_15_refresh_with_lifetime_zero: udp tcp tls;
    row_30_retransmitted_requests: udp tcp tls;
    row_30_retransmitted_deletion: udp;
}

fn row_10_lifetime_of_a_refresh(via: Via) {
    let server = Target::start();
    let (mut client, _) = server.allocated(via);
    for (asked, given) in [(60, 600), (600, 600), (1800, 1800), (99999, 3600)] {
        let answer = client.granted(&refresh().lifetime(asked));
        assert_eq!(answer.lifetime(), given, "{asked} asked for");
    }
    assert_eq!(client.granted(&refresh()).lifetime(), 600);
    client.free();
}

/// A client whose allocation lives is the control: what its peer sends after the other peer arrives.
fn row_15_refresh_with_lifetime_zero(via: Via) {
    let server = Target::start();
    let (peer, control_peer) = (Peer::new(), Peer::new());
    let (mut client, relayed) = server.allocated(via);
    client.permit(&[peer.address()]);
    peer.send(relayed, b"while it lives");
    assert_eq!(client.receive_data().1, b"while it lives");
    let (mut control, control_relayed) = server.allocated(via);
    control.permit(&[control_peer.address()]);

    client.free();
    peer.send(relayed, b"into the void");
    control_peer.send(control_relayed, b"to the living");
    assert_eq!(control.receive_data().1, b"to the living");
    if client.link.is_stream() {
        check_freed_stream(&mut client);
    } else {
        client.refused(&refresh().lifetime(0), 437);
        client.expect_nothing();
    }
}

/// A server may close a stream whose allocation has been deleted, after the answer; or keep it for the next.
fn check_freed_stream(client: &mut Client) {
    let draft = client.login().sign(refresh().lifetime(0));
    if client.link.send(&draft.bytes()).is_err() {
        return;
    }
    match client.wait(PATIENCE) {
        Received::Closed => {}
        Received::Frame(Frame::Message(answer)) => {
            assert_eq!(answer.transaction, draft.transaction);
            assert_eq!(answer.error(), Some(437));
            assert!(answer.is_signed_with(&client.login().key));
        }
        other => panic!("neither closed nor refused: {other:?}"),
    }
}

fn row_30_retransmitted_requests(via: Via) {
    let server = Target::start();
    let peer = Peer::new().address();
    let (mut client, _) = server.allocated(via);
    for draft in [channel_bind(0x4000, peer), permission(&[peer]), refresh()] {
        check_twice(&mut client, draft);
    }
}

fn check_twice(client: &mut Client, draft: Draft) {
    let signed = client.login().sign(draft);
    for time in ["first", "second", "third"] {
        let answer = client.exchange(&signed);
        assert!(answer.is_success(), "the {time}: {:?}", answer.error());
        assert!(answer.is_signed_with(&client.login().key));
        assert_eq!(answer.get(a::ERROR_CODE), None);
    }
}

/// The answer to a deletion may get lost like any other. A client takes a 437 for success (RFC 8656 §8.3).
fn row_30_retransmitted_deletion(via: Via) {
    let server = Target::start();
    let (mut client, _) = server.allocated(via);
    let signed = client.login().sign(refresh().lifetime(0));
    assert!(client.exchange(&signed).is_success());
    let again = client.exchange(&signed);
    assert!(again.is_success() || again.error() == Some(437));
}
