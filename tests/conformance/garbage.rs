//! Row 28: what is no request is met with silence.

use crate::client::{Client, allocation, refresh};
use crate::link::{Frame, Received, Via};
use crate::support::PATIENCE;
use crate::target::Target;
use crate::wire::{
    ALLOCATE, BINDING, DATA, Draft, ERROR, INDICATION, SEND, SUCCESS, attribute as a,
    unpadded_channel_data,
};

stories! {
    row_28_garbage_is_met_with_silence: udp;
    row_28_garbage_on_a_stream_is_not_answered: tcp tls;
    row_28_what_is_no_request_is_met_with_silence: udp;
    row_28_what_is_no_request_is_not_answered_on_a_stream: tcp tls;
    row_28_keepalives_keep_a_stream: tcp tls front_tcp front_tls;
    row_28_garbage_leaves_an_allocation_alone: udp;
    row_28_no_log_line_each: udp;
}

/// A Binding request after something has been done to its bytes.
fn spoiled(spoil: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut bytes = Draft::new(BINDING).bytes();
    spoil(&mut bytes);
    bytes
}

/// Datagrams that no server should take for anything.
fn garbage() -> Vec<Vec<u8>> {
    let mut list = vec![
        Vec::new(),
        vec![0],
        vec![0x40],
        vec![0xff; 4],
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        // The first two bits are not 00.
        spoiled(|bytes| bytes[0] |= 0x80),
        spoiled(|bytes| bytes[0] |= 0xc0),
        // RFC 3489 had no cookie.
        spoiled(|bytes| bytes[4] ^= 1),
        spoiled(|bytes| bytes[4..8].fill(0)),
        // The length and the bytes do not agree, or are not of four.
        spoiled(|bytes| bytes[3] = 4),
        spoiled(|bytes| bytes.extend([0; 4])),
        spoiled(|bytes| bytes.extend([0; 3])),
        spoiled(|bytes| {
            bytes[3] = 3;
            bytes.extend([0; 3]);
        }),
        spoiled(|bytes| bytes[2] = 0xff),
        // A method that does not exist.
        Draft::new(0x0aa).bytes(),
        Draft::new(0x0aa | INDICATION).bytes(),
        // ChannelData of a longer message.
        unpadded_channel_data(0x4000, b"cut off here")[..8].to_vec(),
        vec![0x40, 0, 0xff, 0xff],
        vec![0x40, 0, 0],
        // Channel numbers that RFC 8656 §12 reserves.
        unpadded_channel_data(0x5000, b"reserved"),
        unpadded_channel_data(0x7fff, b"reserved"),
    ];
    let whole = Draft::new(BINDING).bytes();
    list.extend((1..whole.len()).map(|length| whole[..length].to_vec()));
    list
}

/// Well-formed messages that ask for nothing.
fn no_requests() -> Vec<Vec<u8>> {
    let kinds = [
        BINDING | SUCCESS,
        BINDING | ERROR,
        BINDING | INDICATION,
        ALLOCATE | SUCCESS,
        ALLOCATE | ERROR,
        ALLOCATE | INDICATION,
        SEND | INDICATION,
        DATA | INDICATION,
        // Methods of indications, as requests.
        DATA | SUCCESS,
    ];
    let bare = kinds.map(|kind| Draft::new(kind).bytes());
    let dressed = kinds.map(|kind| Draft::new(kind).with(a::DATA, b"data").lifetime(0).bytes());
    bare.into_iter().chain(dressed).collect()
}

fn row_28_garbage_is_met_with_silence(via: Via) {
    let server = Target::start();
    let mut client = server.stranger(via);
    for bytes in garbage() {
        println!("{bytes:02x?}");
        client.send(&bytes);
        client.expect_nothing();
    }
}

fn row_28_what_is_no_request_is_met_with_silence(via: Via) {
    let server = Target::start();
    let mut client = server.stranger(via);
    for bytes in no_requests() {
        println!("{bytes:02x?}");
        client.send(&bytes);
        client.expect_nothing();
    }
}

/// What is not framed as a message ends the stream, or it is skipped; nobody answers it. (`GET ` would begin a long
/// `ChannelData`.)
fn row_28_garbage_on_a_stream_is_not_answered(via: Via) {
    let server = Target::start();
    let lost: [&[u8]; 4] = [
        &[0xff; 64],
        b"SSH-2.0-OpenSSH_9.2\r\n",
        &spoiled(|bytes| bytes[4] ^= 1),
        &spoiled(|bytes| bytes[4..8].fill(0)),
    ];
    for bytes in lost {
        println!("{bytes:02x?}");
        let mut client = server.stranger(via);
        client.expect_nothing();
        client.send(bytes);
        check_closed_or_skipped(&mut client);
    }
}

fn row_28_what_is_no_request_is_not_answered_on_a_stream(via: Via) {
    let server = Target::start();
    for bytes in no_requests() {
        println!("{bytes:02x?}");
        let mut client = server.stranger(via);
        client.expect_nothing();
        client.send(&bytes);
        check_closed_or_skipped(&mut client);
    }
}

/// Binding indications are what keeps a NAT's mapping alive (RFC 8489 §6.2).
fn row_28_keepalives_keep_a_stream(via: Via) {
    let server = Target::start();
    let (mut client, _) = server.allocated(via);
    for _ in 0..3 {
        client.send(&Draft::new(BINDING | INDICATION).bytes());
        client.expect_nothing();
    }
    client.granted(&refresh());
}

fn check_closed_or_skipped(client: &mut Client) {
    let control = Draft::new(BINDING);
    if client.link.send(&control.bytes()).is_err() {
        return;
    }
    match client.wait(PATIENCE) {
        Received::Closed => {}
        Received::Frame(Frame::Message(answer)) => {
            assert_eq!(answer.transaction, control.transaction);
        }
        other => panic!("neither closed nor skipped: {other:?}"),
    }
}

fn row_28_garbage_leaves_an_allocation_alone(via: Via) {
    let server = Target::start();
    let (mut client, _) = server.allocated(via);
    for bytes in garbage().into_iter().chain(no_requests()) {
        client.send(&bytes);
    }
    client.expect_nothing();
    client.granted(&refresh());
    client.refused(&allocation(), 437);
}

fn row_28_no_log_line_each(via: Via) {
    let server = Target::start();
    let Some(callbox) = &server.callbox else {
        println!("needs callbox");
        return;
    };
    let mut client = server.stranger(via);
    let lines = || callbox.log().lines().count();
    let before = lines();
    for _ in 0..20 {
        for bytes in garbage().into_iter().chain(no_requests()) {
            client.send(&bytes);
        }
        client.expect_nothing();
    }
    let written = lines() - before;
    assert!(written < 5, "{written} lines:\n{}", callbox.log());
}
