//! Clients that ask and do not take the answers. What they cost is bounded, and their time is.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_rustls::client::TlsStream;

use crate::support::{Client, PATIENCE, Server, get, h2, request};

/// What a client may have unanswered at once, as the server lets it.
const STREAMS: u32 = 100;

fn ask_for(paths: impl Iterator<Item = (String, &'static str)>, window: u32) -> Vec<u8> {
    let mut bytes = h2::preface(window);
    for (stream, (path, coding)) in (1..).step_by(2).zip(paths) {
        bytes.extend(h2::get(stream, &path, coding));
    }
    bytes
}

/// Reads, and asks for signs of life, until the server ends the connection; how long that took.
async fn ping_until_the_end(mut stream: TlsStream<TcpStream>) -> Duration {
    let start = Instant::now();
    let (mut reader, mut writer) = tokio::io::split(&mut stream);
    let pinging = async {
        let ping = h2::frame(h2::PING, 0, 0, &[0; 8]);
        while writer.write_all(&ping).await.is_ok() && writer.flush().await.is_ok() {
            sleep(Duration::from_millis(100)).await;
        }
        std::future::pending::<()>().await;
    };
    let mut all = Vec::new();
    let ended = async {
        tokio::select! {
            _ = reader.read_to_end(&mut all) => {}
            () = pinging => {}
        }
    };
    timeout(6 * PATIENCE, ended).await.expect("it is ended");
    start.elapsed()
}

/// Each answer has a coding of its own to wait in, if the server compresses while it sends.
#[tokio::test]
async fn stalled_answers_of_what_lies_in_memory_take_none() {
    let server = Server::start("");
    let pages = |coding: &'static str| {
        let missing = (0..STREAMS / 2).map(move |n| (format!("/nothing-{n}"), coding));
        let there = ["/", "/style.css", "/main.js", "/r/team"].iter().cycle();
        let there = there.map(move |path| ((*path).to_owned(), coding));
        missing.chain(there.take(STREAMS as usize / 2))
    };
    for coding in ["br", "gzip"] {
        get(server.https, "/nothing").await;
        for path in ["/", "/style.css", "/main.js", "/nothing"] {
            request(server.https, path, &[("Accept-Encoding", coding)]).await;
        }
    }
    let before = server.resident();
    let mut held = Vec::new();
    for window in [0, 1] {
        for coding in ["br", "gzip"] {
            for _ in 0..2 {
                let mut stream = h2::open(server.https, &ask_for(pages(coding), window)).await;
                // Something has come back, and all that was asked before it has been looked at.
                stream
                    .write_all(&h2::frame(h2::PING, 0, 0, &[7; 8]))
                    .await
                    .unwrap();
                let mut seen = Vec::new();
                while !seen.windows(8).any(|bytes| bytes == [7; 8]) {
                    let mut some = [0; 4096];
                    let length = stream.read(&mut some).await.unwrap();
                    assert!(length > 0, "it is open");
                    seen.extend_from_slice(&some[..length]);
                }
                held.push(stream);
            }
        }
    }
    let grown = server.resident().saturating_sub(before);
    assert!(grown < 24 << 20, "{grown} bytes for 800 answers");
    assert_eq!(get(server.https, "/").await.status, 200);
}

#[tokio::test]
async fn a_missing_page_is_compressed_as_others_are() {
    let server = Server::start("");
    for path in ["/nothing", "/main.js"] {
        let plain = get(server.https, path).await;
        for coding in ["br", "gzip"] {
            let packed = request(server.https, path, &[("Accept-Encoding", coding)]).await;
            assert_eq!(packed.status, plain.status);
            assert_eq!(packed.header("content-encoding"), coding, "{path}");
            assert!(packed.body.len() < plain.body.len());
        }
    }
}

#[tokio::test]
async fn an_answer_that_does_not_move_ends_whatever_else_passes() {
    let server = Server::start("[server]\nanswer_timeout = \"2s\"\n");
    let mut ana = Client::join(server.https, "a", "Ana").await;
    for window in [0, 1] {
        let path = std::iter::once(("/main.js".to_owned(), "identity"));
        let stream = h2::open(server.https, &ask_for(path, window)).await;
        let took = ping_until_the_end(stream).await;
        assert!(took > Duration::from_millis(1500), "{took:?}");
        assert!(took < Duration::from_secs(9), "{took:?}");
    }
    ana.expect_nothing().await;
}

#[tokio::test]
async fn pings_alone_do_not_keep_a_connection() {
    let server = Server::start("[server]\nmax_age = \"3s\"\n");
    let mut ana = Client::join(server.https, "a", "Ana").await;
    let stream = h2::open(server.https, &h2::preface(65_535)).await;
    let took = ping_until_the_end(stream).await;
    assert!(took < Duration::from_secs(10), "{took:?}");
    // What carries a call has no age.
    ana.expect_nothing().await;
}

/// The server sends what it has and keeps nothing of it, so a client that reads nothing is seen by what cannot be sent.
#[tokio::test]
async fn a_client_that_reads_nothing_is_let_go() {
    let server = Server::start("[server]\nanswer_timeout = \"2s\"\n");
    let paths = (0..STREAMS).map(|_| ("/icons/512.png".to_owned(), "identity"));
    let mut stream = h2::open(server.https, &ask_for(paths, 1 << 24)).await;
    let start = Instant::now();
    let socket_is_gone = async {
        loop {
            let ping = h2::frame(h2::PING, 0, 0, &[0; 8]);
            if stream.write_all(&ping).await.is_err() || stream.flush().await.is_err() {
                break;
            }
            sleep(Duration::from_millis(100)).await;
        }
    };
    timeout(6 * PATIENCE, socket_is_gone)
        .await
        .expect("it is let go");
    assert!(start.elapsed() < Duration::from_secs(20));
}

#[tokio::test]
async fn requests_that_are_taken_back_at_once_write_no_log() {
    let server = Server::start("");
    for _ in 0..3 {
        let mut bytes = h2::preface(65_535);
        for stream in (1..400).step_by(2) {
            bytes.extend(h2::get(stream, "/main.js", "br"));
            bytes.extend(h2::frame(h2::RST_STREAM, 0, stream, &8_u32.to_be_bytes()));
        }
        let mut stream = h2::open(server.https, &bytes).await;
        let mut answers = Vec::new();
        let ended = stream.read_to_end(&mut answers);
        // It is told to go, or goes on; either way nobody hears of it.
        let _ = timeout(Duration::from_secs(1), ended).await;
    }
    assert_eq!(get(server.https, "/").await.status, 200);
    let log = server.log();
    let told = log.lines().filter(|line| !line.contains(" INFO ")).count();
    assert_eq!(told, 0, "{log}");
}
