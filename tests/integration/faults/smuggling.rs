//! Requests inside of others, and one protocol inside of another: whatever is smuggled past the first bytes of a connection is
//! read by the same rules, or not at all.

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::support::{Client, PATIENCE, Server, get, tls};

/// A STUN binding request (RFC 8489 §5).
const BINDING: &[u8] = b"\0\x01\0\0\x21\x12\xa4\x42callbox-test";
const SECRET: &str = "smuggled-in";

/// All that the server says to these bytes, until it closes; the connection is not closed from here.
async fn answer(mut stream: impl AsyncRead + AsyncWrite + Unpin, bytes: &[u8]) -> String {
    // It may be closed before all is written.
    let _ = stream.write_all(bytes).await;
    let _ = stream.flush().await;
    let mut said = Vec::new();
    let _ = timeout(PATIENCE, stream.read_to_end(&mut said))
        .await
        .expect("it is closed");
    String::from_utf8_lossy(&said).into_owned()
}

/// The same where the server may wait for more: there is none.
async fn answer_to_all(mut stream: impl AsyncRead + AsyncWrite + Unpin, bytes: &[u8]) -> String {
    stream.write_all(bytes).await.unwrap();
    stream.shutdown().await.unwrap();
    answer(stream, b"").await
}

async fn plain(server: &Server) -> TcpStream {
    TcpStream::connect(server.https).await.unwrap()
}

/// The status of each answer.
fn statuses(said: &str) -> Vec<u16> {
    said.split("HTTP/1.1 ")
        .skip(1)
        .map(|answer| answer[..3].parse().unwrap())
        .collect()
}

fn start(config: &str) -> Server {
    Server::start(&format!("[server]\nheader_timeout = \"1s\"\n{config}"))
}

/// Requests whose length two servers could understand in two ways (RFC 9112 §6.1, §11.2).
fn ambiguous(host: &str) -> Vec<(&'static str, String)> {
    let head = format!("POST /access/login HTTP/1.1\r\nHost: {host}\r\n");
    let inner = format!("GET /{SECRET} HTTP/1.1\r\nHost: {host}\r\n\r\n");
    let chunked = format!("0\r\n\r\n{inner}");
    let length = chunked.len();
    [
        (
            "both lengths",
            format!(
                "{head}Content-Length: {length}\r\nTransfer-Encoding: chunked\r\n\r\n{chunked}"
            ),
        ),
        (
            "both, the other way round",
            format!(
                "{head}Transfer-Encoding: chunked\r\nContent-Length: {length}\r\n\r\n{chunked}"
            ),
        ),
        (
            "two lengths",
            format!(
                "{head}Content-Length: 0\r\nContent-Length: {}\r\n\r\n{inner}",
                inner.len()
            ),
        ),
        (
            "a length with a sign",
            format!("{head}Content-Length: +0\r\n\r\n{inner}"),
        ),
        (
            "a list of lengths",
            format!("{head}Content-Length: 0, {}\r\n\r\n{inner}", inner.len()),
        ),
        (
            "a coding that is not the last",
            format!("{head}Transfer-Encoding: chunked, identity\r\n\r\n{chunked}"),
        ),
        (
            "a coding that is none",
            format!("{head}Transfer-Encoding: xchunked\r\n\r\n{chunked}"),
        ),
        (
            "a space before the colon",
            format!("{head}Transfer-Encoding : chunked\r\n\r\n{chunked}"),
        ),
        (
            "a folded header",
            format!("{head}X: y\r\n Transfer-Encoding: chunked\r\n\r\n{chunked}"),
        ),
        (
            "a chunk of a length that is none",
            format!("{head}Transfer-Encoding: chunked\r\n\r\n0x1\r\nx\r\n{chunked}"),
        ),
        (
            "a chunk's length beyond all numbers",
            format!(
                "{head}Transfer-Encoding: chunked\r\n\r\n1{}\r\n{inner}",
                "0".repeat(17)
            ),
        ),
        (
            "a bare line feed in a header",
            format!("{head}X: y\nTransfer-Encoding: chunked\r\r\n\r\n{chunked}"),
        ),
        ("no version", format!("GET /\r\n\r\n{inner}")),
    ]
    .into()
}

#[tokio::test]
async fn a_request_of_two_lengths_is_the_last_of_its_connection() {
    let server = start("");
    for (what, text) in ambiguous(&server.https.to_string()) {
        for over_tls in [true, false] {
            let said = if over_tls {
                answer(tls(server.https).await, text.as_bytes()).await
            } else {
                answer(plain(&server).await, text.as_bytes()).await
            };
            let statuses = statuses(&said);
            assert!(statuses.len() <= 1, "{what}, TLS {over_tls}: {said}");
            assert!(!said.contains(SECRET), "{what}, TLS {over_tls}: {said}");
        }
    }
    assert_eq!(get(server.https, "/healthz").await.status, 200);
}

#[tokio::test]
async fn what_is_glued_to_a_plain_request_is_plain_too() {
    let server = start("[access]\nmode = \"invite\"\n");
    let host = server.https;
    let one = format!("GET /r/team HTTP/1.1\r\nHost: {host}\r\n");
    // Each is redirected, whatever it says of itself.
    let claims = [
        "X-Forwarded-Proto: https\r\n",
        "Forwarded: proto=https\r\n",
        "Upgrade: TLS/1.0\r\nConnection: Upgrade\r\n",
        "Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n",
    ];
    let text: String = claims
        .iter()
        .map(|claim| format!("{one}{claim}\r\n"))
        .collect();
    let last = format!("{text}{one}Connection: close\r\n\r\n");
    let said = answer(plain(&server).await, last.as_bytes()).await;
    assert_eq!(statuses(&said), [307; 5], "{said}");
    // An address in place of the path does not lead elsewhere, and opens nothing.
    for target in [
        format!("https://{host}/config.js"),
        "http://evil.example/config.js".to_owned(),
    ] {
        let text = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        let said = answer(plain(&server).await, text.as_bytes()).await;
        let statuses = statuses(&said);
        assert!(matches!(statuses[..], [307 | 400]), "{said}");
        assert!(!said.contains("PC_CONFIG"), "{said}");
        let said = answer(tls(host).await, text.as_bytes()).await;
        assert!(!said.contains("PC_CONFIG"), "nobody is let in: {said}");
    }
}

#[tokio::test]
async fn a_connection_stays_what_its_first_byte_made_it() {
    let server = start("[signaling]\nvisitors_per_minute = 1\n");
    let mut ana = Client::join(server.https, "a", "Ana").await;
    let host = server.https;
    let request = format!("GET /healthz HTTP/1.1\r\nHost: {host}\r\n\r\n");
    let hello = b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00";

    // STUN and TLS behind HTTP are no request.
    for glued in [BINDING, hello] {
        let bytes = [request.as_bytes(), glued].concat();
        for over_tls in [true, false] {
            let said = if over_tls {
                answer(tls(host).await, &bytes).await
            } else {
                answer(plain(&server).await, &bytes).await
            };
            let expected = if over_tls { 200 } else { 307 };
            let found = statuses(&said);
            assert!(
                found == [expected] || found == [expected, 400],
                "{glued:?}: {said}"
            );
            assert!(!said.contains("callbox-test"), "no answer to STUN");
        }
    }

    // HTTP behind STUN is no request either, but the beginning of a long message.
    let bytes = [BINDING, request.as_bytes()].concat();
    for over_tls in [true, false] {
        let said = if over_tls {
            answer_to_all(tls(host).await, &bytes).await
        } else {
            answer_to_all(plain(&server).await, &bytes).await
        };
        assert!(said.contains("callbox-test"), "STUN is answered");
        assert!(!said.contains("HTTP/1.1"), "{said}");
    }

    // Whom a stranger says that it speaks for, by either version, before or within TLS.
    let mut version_2 = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c".to_vec();
    version_2.extend([203, 0, 113, 9, 192, 0, 2, 1, 4, 0, 1, 187]);
    let version_1 = b"PROXY TCP4 203.0.113.9 192.0.2.1 1024 443\r\n".to_vec();
    let visit = format!("GET /config.js HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    for claim in [version_1, version_2] {
        let bytes = [claim.as_slice(), visit.as_bytes()].concat();
        for said in [
            answer(plain(&server).await, &bytes).await,
            answer(tls(host).await, &bytes).await,
        ] {
            assert!(!said.contains("PC_CONFIG"), "{said}");
            assert!(
                statuses(&said).iter().all(|status| *status == 400),
                "{said}"
            );
        }
    }
    let headers = "X-Forwarded-For: 203.0.113.9\r\nForwarded: for=203.0.113.9\r\n\r\n";
    let visit = visit.replacen("\r\n\r\n", &format!("\r\n{headers}"), 1);
    let said = answer(tls(host).await, visit.as_bytes()).await;
    assert_eq!(statuses(&said), [429], "Ana's address is its own: {said}");

    // HTTP/2 without TLS is not spoken before the redirect, and gives nothing.
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    let said = answer(plain(&server).await, preface).await;
    assert!(!said.contains("PC_CONFIG"), "{said}");
    ana.expect_nothing().await;
}
