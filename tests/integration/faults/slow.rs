//! Those who send a byte at a time, to hold a connection for as long as they like. Each has a deadline that bytes do not
//! move; who speaks at the usual pace is not kept waiting.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::support::{Client, PATIENCE, Server, get, json_of, tls};

const PACE: Duration = Duration::from_millis(150);

/// Sends these bytes one at a time, and then `x` for ever; how long it takes the server to end the connection, from `begun`
/// on, and what it said.
async fn dribble(
    begun: Instant,
    stream: impl AsyncRead + AsyncWrite + Unpin,
    bytes: &[u8],
    patience: Duration,
) -> (Duration, Vec<u8>) {
    let (mut reader, mut writer) = tokio::io::split(stream);
    let sending = async {
        for byte in bytes.iter().chain(std::iter::repeat(&b'x')) {
            if writer.write_all(&[*byte]).await.is_err() || writer.flush().await.is_err() {
                break;
            }
            sleep(PACE).await;
        }
        // That it is ended is for the reader to find.
        std::future::pending::<()>().await;
    };
    let mut said = Vec::new();
    let reading = reader.read_to_end(&mut said);
    let ended = async {
        tokio::select! {
            _ = reading => {}
            () = sending => {}
        }
    };
    timeout(patience, ended).await.expect("it is ended");
    (begun.elapsed(), said)
}

async fn plain(server: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(server).await.unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

#[track_caller]
fn within(took: Duration, seconds: u64, what: &str) {
    let deadline = Duration::from_secs(seconds);
    // The upper one for machines that are busy.
    let (early, late) = (Duration::from_millis(100), Duration::from_secs(7));
    assert!(
        deadline < took + early && took < deadline + late,
        "{what}: {took:?}"
    );
}

/// The beginning of a handshake record of 512 bytes.
const HELLO: &[u8] = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";

#[tokio::test]
async fn handshakes_and_heads_that_come_a_byte_at_a_time_have_a_deadline() {
    let server = Server::start("[server]\nhandshake_timeout = \"2s\"\nheader_timeout = \"3s\"\n");
    let mut ana = Client::join(server.https, "a", "Ana").await;
    let mut bo = Client::join(server.https, "a", "Bo").await;
    ana.expect("peer-joined").await;
    let at = server.https;
    let turn = server.turn;
    let request = b"GET /config.js HTTP/1.1\r\nHost: localhost\r\nX-Long: ".as_slice();
    let upgrade = b"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: ";
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\x12\x04\0\0\0\0\0";
    let stun = b"\0\x03\x01\x00\x21\x12\xa4\x42";
    let slow = async {
        let ends = async |address, bytes, seconds, what| {
            let begun = Instant::now();
            let (took, _) = dribble(begun, plain(address).await, bytes, PATIENCE).await;
            within(took, seconds, what);
        };
        let ends_tls = async |bytes, seconds, what| {
            let begun = Instant::now();
            let (took, _) = dribble(begun, tls(at).await, bytes, PATIENCE).await;
            within(took, seconds, what);
        };
        tokio::join!(
            ends(at, HELLO, 2, "TLS"),
            ends(turn, HELLO, 2, "TLS on the port of TURN"),
            ends(at, request, 3, "a head over plain HTTP"),
            ends(at, stun, 2, "STUN"),
            ends_tls(request, 3, "a head over TLS"),
            ends_tls(upgrade, 3, "half an upgrade"),
            ends_tls(preface, 3, "HTTP/2"),
            ends_tls(stun, 2, "STUN over TLS"),
        );
    };
    let usual = async {
        for round in 0..15 {
            assert_eq!(get(at, "/healthz").await.status, 200);
            ana.signal(&bo.id, json!(round)).await;
            bo.expect("signal").await;
            sleep(PACE).await;
        }
    };
    tokio::join!(slow, usual);
}

/// A masked text frame that announces so many bytes, with these of them.
fn frame(length: u16, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x81, 0xfe];
    bytes.extend(length.to_be_bytes());
    bytes.extend([0; 4]);
    bytes.extend(payload);
    bytes
}

/// The code of the close frame that ends what the server said.
fn close_code(said: &[u8]) -> u16 {
    let at = said.iter().rposition(|byte| *byte == 0x88);
    let frame = &said[at.expect("a close frame")..];
    u16::from_be_bytes([frame[2], frame[3]])
}

async fn upgraded(server: SocketAddr) -> tokio_rustls::client::TlsStream<TcpStream> {
    let mut stream = tls(server).await;
    let request = format!(
        "GET /ws HTTP/1.1\r\nHost: {server}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    assert!(head.starts_with(b"HTTP/1.1 101"));
    stream
}

#[tokio::test]
async fn messages_and_bodies_that_come_a_byte_at_a_time_have_a_deadline() {
    const MINUTE: Duration = Duration::from_secs(60);
    let server = Server::start("[access]\nmode = \"open\"\n");
    let at = server.https;
    let mut ana = Client::join(at, "a", "Ana").await;

    let outside = async {
        let (took, said) = dribble(
            Instant::now(),
            upgraded(at).await,
            &frame(60_000, b""),
            MINUTE,
        )
        .await;
        assert_eq!(close_code(&said), 4006);
        within(took, 20, "outside of a room");
    };
    let inside = async {
        let script = get(at, "/config.js").await;
        let ticket = json_of(script.text(), "SETTINGS")["ticket"].clone();
        let join = json!({"type": "join", "room": "b", "name": "Slow", "ticket": ticket});
        let join = join.to_string();
        let begun = Instant::now();
        let mut stream = upgraded(at).await;
        let whole = frame(u16::try_from(join.len()).unwrap(), join.as_bytes());
        stream.write_all(&whole).await.unwrap();
        let (took, said) = dribble(begun, stream, &frame(60_000, b""), 2 * MINUTE).await;
        assert_eq!(close_code(&said), 4004);
        within(took, 45, "in a room");
    };
    let body = async {
        let head = format!(
            "POST /access/login HTTP/1.1\r\nHost: {at}\r\nConnection: close\r\nContent-Length: 4000\r\n\r\n"
        );
        let begun = Instant::now();
        let mut stream = tls(at).await;
        stream.write_all(head.as_bytes()).await.unwrap();
        let (took, said) = dribble(begun, stream, b"password=", MINUTE).await;
        assert!(said.starts_with(b"HTTP/1.1 408"), "{said:?}");
        within(took, 30, "a form");
    };
    let usual = async {
        loop {
            ana.expect_nothing().await;
            sleep(PACE).await;
        }
    };
    let slow = async { tokio::join!(outside, inside, body) };
    tokio::select! {
        _ = slow => {}
        () = usual => {}
    }
}
