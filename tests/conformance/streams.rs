//! Row 27: messages on a stream, and how a stream ends.

use std::time::{Duration, Instant};

use socket2::SockRef;

use crate::client::{Client, allocation, refresh, relayed};
use crate::link::{Link, Received, Via};
use crate::peer::Peer;
use crate::support::PATIENCE;
use crate::target::{Setup, Target};
use crate::wire::{BINDING, Draft, channel_data};

stories! {
    row_27_one_byte_at_a_time: tcp tls front_tcp front_tls;
    row_27_many_frames_in_one_segment: tcp tls front_tcp front_tls;
    row_27_last_words_in_one_segment: tcp tls front_tcp front_tls;
    row_27_oversize_message: tcp tls front_tcp front_tls;
    row_27_half_a_frame_at_first: tcp tls front_tcp front_tls;
    row_27_half_a_frame_later: tcp tls front_tcp front_tls;
    row_27_silence_at_first: tcp tls front_tcp front_tls;
    row_27_silence_of_an_allocation: tcp tls front_tcp front_tls;
    row_27_disconnect_frees: tcp tls front_tcp front_tls;
    row_27_reset_frees: tcp tls front_tcp front_tls;
}

/// `[server] handshake_timeout` of the stories about silence.
const DEADLINE: Duration = Duration::from_secs(1);

fn impatient() -> Option<Target> {
    Setup::default()
        .server("handshake_timeout = \"1s\"")
        .start()
}

fn send_bytewise(client: &mut Client, bytes: &[u8]) {
    for byte in bytes {
        client.send(&[*byte]);
    }
}

fn row_27_one_byte_at_a_time(via: Via) {
    let server = Target::start();
    let peer = Peer::new();
    let mut client = server.stranger(via);
    let binding = Draft::new(BINDING);
    send_bytewise(&mut client, &binding.bytes());
    assert!(client.answer_to(&binding).is_success());
    client.log_in(&server.alice);
    let signed = client.login().sign(allocation());
    send_bytewise(&mut client, &signed.bytes());
    let relayed = relayed(&client.answer_to(&signed));
    client.bind(0x4000, peer.address());
    for data in [&b"hello"[..], b"", b"again"] {
        send_bytewise(&mut client, &channel_data(0x4000, data));
        peer.expect(data, relayed);
    }
}

fn row_27_many_frames_in_one_segment(via: Via) {
    let server = Target::start();
    let peer = Peer::new();
    let (mut client, relayed) = server.allocated(via);
    client.bind(0x4000, peer.address());
    let requests: Vec<Draft> = (0..50).map(|_| Draft::new(BINDING)).collect();
    let mut segment = Vec::new();
    for request in &requests {
        segment.extend(request.bytes());
        segment.extend(channel_data(0x4000, &request.transaction[..7]));
    }
    // The last one comes in two halves.
    let last = segment.len() - 5;
    client.send(&segment[..last]);
    client.send(&segment[last..]);
    for request in &requests {
        assert!(client.answer_to(request).is_success());
        peer.expect(&request.transaction[..7], relayed);
    }
    client.expect_nothing();
}

/// Data in front of the end of its allocation still leaves, through its own relayed address and not through that of
/// the allocation that comes next.
fn row_27_last_words_in_one_segment(via: Via) {
    let server = Target::start();
    let peer = Peer::new();
    let (mut client, relayed_before) = server.allocated(via);
    client.bind(0x4000, peer.address());
    let end = client.login().sign(refresh().lifetime(0));
    let begin = client.login().sign(allocation());
    let mut segment = channel_data(0x4000, b"last words");
    segment.extend(end.bytes());
    segment.extend(begin.bytes());
    client.send(&segment);
    assert!(client.answer_to(&end).is_success());
    assert_ne!(relayed(&client.answer_to(&begin)), relayed_before);
    peer.expect(b"last words", relayed_before);
}

/// The server has no room for a message of 64 KiB, and closes before a deadline would.
fn row_27_oversize_message(via: Via) {
    let server = Target::start();
    let mut message = Draft::new(BINDING).bytes();
    message[2..4].copy_from_slice(&[0xff, 0xfc]);
    let channel_data = [0x40, 0, 0xff, 0xfc].to_vec();
    for header in [message, channel_data] {
        println!("{header:02x?}");
        let (mut client, _) = server.allocated(via);
        let start = Instant::now();
        client.send(&header);
        // The server may be gone before all of it is written.
        let _ = client.link.send(&vec![0; 0xfffc]);
        client.expect_close();
        assert!(start.elapsed() < PATIENCE / 2);
    }
    server.client(via).allocate();
}

fn row_27_half_a_frame_at_first(via: Via) {
    let Some(server) = impatient() else { return };
    let whole = Draft::new(BINDING).bytes();
    for half in [&whole[..2], &whole[..10], &whole[..19]] {
        println!("{half:02x?}");
        // The deadline counts from the accept.
        let start = Instant::now();
        let mut client = server.stranger(via);
        client.send(half);
        client.expect_close();
        check_deadline(start);
    }
}

fn check_deadline(start: Instant) {
    let elapsed = start.elapsed();
    let expected = DEADLINE * 8 / 10..DEADLINE * 5;
    assert!(expected.contains(&elapsed), "closed after {elapsed:?}");
}

/// Also that of a client whose earlier messages were whole; what it held is free.
fn row_27_half_a_frame_later(via: Via) {
    let quota = "allocations_per_visitor = 1";
    let setup = Setup::default()
        .server("handshake_timeout = \"1s\"")
        .limit(quota);
    let Some(server) = setup.start() else { return };
    let (mut client, _) = server.allocated(via);
    let start = Instant::now();
    client.send(&channel_data(0x4000, b"data")[..6]);
    client.expect_close();
    check_deadline(start);
    allocate_soon(&server, via);
}

fn row_27_silence_at_first(via: Via) {
    let Some(server) = impatient() else { return };
    let start = Instant::now();
    let mut client = server.stranger(via);
    client.expect_close();
    check_deadline(start);
}

/// Between whole messages, a client with an allocation may be silent for longer.
fn row_27_silence_of_an_allocation(via: Via) {
    let Some(server) = impatient() else { return };
    let (mut client, _) = server.allocated(via);
    let nothing = client.wait(DEADLINE * 3);
    assert!(matches!(nothing, Received::Nothing), "{nothing:?}");
    client.granted(&refresh());
}

/// The quota is one, so this waits until the earlier allocation has been freed.
fn allocate_soon(server: &Target, via: Via) {
    let start = Instant::now();
    loop {
        let answer = server.client(via).ask(&allocation());
        if answer.is_success() {
            return;
        }
        assert_eq!(answer.error(), Some(486));
        assert!(start.elapsed() < PATIENCE / 5, "the allocation lives on");
    }
}

fn with_quota_of_one() -> Option<Target> {
    Setup::default()
        .limit("allocations_per_visitor = 1")
        .start()
}

fn row_27_disconnect_frees(via: Via) {
    let Some(server) = with_quota_of_one() else {
        return;
    };
    for _ in 0..3 {
        let (client, _) = server.allocated(via);
        server.client(via).refused(&allocation(), 486);
        drop(client);
        allocate_soon(&server, via);
        wait_until_free(&server, via);
    }
}

/// The client of [`allocate_soon`] has gone too.
fn wait_until_free(server: &Target, via: Via) {
    let start = Instant::now();
    loop {
        let mut client = server.client(via);
        if client.ask(&allocation()).is_success() {
            client.free();
            return;
        }
        assert!(start.elapsed() < PATIENCE, "the allocation lives on");
    }
}

/// A reset instead of a farewell.
fn row_27_reset_frees(via: Via) {
    let Some(server) = with_quota_of_one() else {
        return;
    };
    let (client, _) = server.allocated(via);
    let Link::Stream { socket, .. } = &client.link else {
        unreachable!("told over streams only");
    };
    SockRef::from(socket)
        .set_linger(Some(Duration::ZERO))
        .unwrap();
    drop(client);
    allocate_soon(&server, via);
}
