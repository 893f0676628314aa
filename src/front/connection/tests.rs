use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::front::crowd::Crowd;
use crate::front::crowd::tests::config;

const IDLE: Duration = Duration::from_millis(300);
const LONG: Duration = Duration::from_secs(60);

fn deadlines() -> Deadlines {
    Deadlines {
        idle: IDLE,
        answer: LONG,
        age: LONG,
    }
}

async fn pair(prefix: &[u8]) -> (Connection, TcpStream) {
    pair_with(prefix, deadlines()).await
}

async fn pair_with(prefix: &[u8], deadlines: Deadlines) -> (Connection, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let far = TcpStream::connect(listener.local_addr().unwrap())
        .await
        .unwrap();
    let (near, _) = listener.accept().await.unwrap();
    let transport = Transport::Plain(Replayed::new(prefix.to_vec(), near));
    let crowd = Crowd::new(&config(8, 8));
    let spot = crowd.admit(None).unwrap();
    (Connection::new(transport, deadlines, spot), far)
}

#[tokio::test]
async fn what_was_read_before_is_given_out_again() {
    let (mut near, mut far) = pair(b"GET ").await;
    far.write_all(b"/").await.unwrap();
    let mut all = [0; 5];
    near.read_exact(&mut all).await.unwrap();
    assert_eq!(&all, b"GET /");
}

#[tokio::test]
async fn a_reader_that_stops_reading_ends_the_connection() {
    let short = Deadlines {
        idle: LONG,
        answer: IDLE,
        age: LONG,
    };
    let (mut near, _far) = pair_with(b"", short).await;
    let chunk = vec![0; 1 << 20];
    let error = loop {
        if let Err(error) = near.write_all(&chunk).await {
            break error;
        }
    };
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
}

#[tokio::test]
async fn silence_ends_a_connection_and_traffic_either_way_keeps_it() {
    let (mut near, mut far) = pair(b"").await;
    let start = Instant::now();
    for _ in 0..4 {
        tokio::time::sleep(IDLE / 2).await;
        far.write_all(b"x").await.unwrap();
        near.read_u8().await.unwrap();
    }
    for _ in 0..4 {
        let waited = tokio::time::timeout(IDLE / 2, near.read_u8()).await;
        assert!(waited.is_err(), "still open");
        near.write_all(b"y").await.unwrap();
    }
    assert!(start.elapsed() >= IDLE * 4);
    let quiet = Instant::now();
    let error = near.read_u8().await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    assert!(quiet.elapsed() >= IDLE / 2 && quiet.elapsed() < IDLE * 3);
}

/// A client's first bytes over HTTP/2, with a request for each of these streams.
fn asking(streams: &[u32]) -> Vec<u8> {
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec();
    for stream in streams {
        bytes.extend(b"\0\0\x01\x01\x05");
        bytes.extend(stream.to_be_bytes());
        bytes.push(0x82);
    }
    bytes
}

const PING: &[u8] = b"\0\0\x08\x06\0\0\0\0\0--------";

/// Sends PINGs, and has each answered by one, until the connection ends.
async fn ping(near: &mut Connection, far: &mut TcpStream) -> io::ErrorKind {
    loop {
        far.write_all(PING).await.unwrap();
        let mut ping = [0; PING.len()];
        let answered = async {
            near.read_exact(&mut ping).await?;
            near.write_all(PING).await
        };
        if let Err(error) = answered.await {
            return error.kind();
        }
        tokio::time::sleep(IDLE / 10).await;
    }
}

#[tokio::test]
async fn pings_do_not_keep_a_connection() {
    let (mut near, mut far) = pair(b"").await;
    let asked = asking(&[]);
    far.write_all(&asked).await.unwrap();
    near.read_exact(&mut vec![0; asked.len()]).await.unwrap();
    // The reader has to wait for the end once: an idle connection is looked at when there is nothing to read.
    assert_eq!(ping(&mut near, &mut far).await, io::ErrorKind::TimedOut);
}

#[tokio::test]
async fn an_answer_that_does_not_move_ends_the_connection_whatever_else_passes() {
    let short = Deadlines {
        idle: LONG,
        answer: IDLE,
        age: LONG,
    };
    let (mut near, mut far) = pair_with(b"", short).await;
    let asked = asking(&[1]);
    far.write_all(&asked).await.unwrap();
    near.read_exact(&mut vec![0; asked.len()]).await.unwrap();
    assert_eq!(ping(&mut near, &mut far).await, io::ErrorKind::TimedOut);
}

#[tokio::test]
async fn a_connection_has_an_age_unless_it_carries_a_call() {
    let short = Deadlines {
        idle: LONG,
        answer: LONG,
        age: IDLE,
    };
    let (mut near, _far) = pair_with(b"", short).await;
    let in_use = near.worth.in_use();
    let waited = tokio::time::timeout(3 * IDLE, near.read_u8()).await;
    assert!(waited.is_err(), "a call goes on");
    drop(in_use);
    let error = near.read_u8().await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
}

#[tokio::test]
async fn who_reads_without_end_is_stopped_before_the_handshake_is_done() {
    let (mut writer, reader) = tokio::io::duplex(64);
    let mut reader = Replayed::new(b"1234".to_vec(), reader).up_to(8);
    writer.write_all(b"56789").await.unwrap();
    let mut bytes = Vec::new();
    let error = reader.read_to_end(&mut bytes).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    let mut reader = Replayed::new(b"1234".to_vec(), &b"5678"[..]).up_to(8);
    reader.read_to_end(&mut bytes).await.unwrap();
    let mut reader = Replayed::new(b"1234".to_vec(), &b"56789"[..]).up_to(8);
    reader.unbounded();
    reader.read_to_end(&mut bytes).await.unwrap();
}

#[tokio::test]
async fn a_request_that_comes_late_is_answered() {
    let (mut near, mut far) = pair(b"").await;
    let settings = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    far.write_all(settings).await.unwrap();
    let mut all = vec![0; settings.len()];
    near.read_exact(&mut all).await.unwrap();
    tokio::time::sleep(IDLE * 2 / 3).await;
    // HEADERS of one byte that end headers and stream.
    far.write_all(b"\0\0\x01\x01\x05\0\0\0\x01\x82")
        .await
        .unwrap();
    near.read_exact(&mut [0; 10]).await.unwrap();
    // Whoever makes the answer takes longer than what was left.
    let waited = tokio::time::timeout(IDLE, near.read_u8()).await;
    assert!(waited.is_err(), "still open");
}
