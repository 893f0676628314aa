//! Behind other servers: nginx for HTTPS and for bytes, and PROXY headers written by hand.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::support::http::{Anything, trusting};
use crate::support::nginx::{ADDRESS, Nginx};
use crate::support::{Client, PATIENCE, Server, json_of, plain, request};

const TRUSTING: &str = "[http]\ntrusted_proxies = [\"127.0.0.1\"]\n";
/// One address may become a visitor once.
const ONCE: &str = "[signaling]\nvisitors_per_minute = 1\n";

/// A server that believes nginx.
fn behind_nginx() -> Server {
    Server::start(&format!(
        "[http]\ntrusted_proxies = [\"{ADDRESS}\"]\n{ONCE}"
    ))
}

fn proxied() -> Server {
    Server::start(&format!("{TRUSTING}{ONCE}"))
}

/// May `client` become a visitor, if `server` is told that it is asked for it?
async fn is_let_in(server: SocketAddr, client: &str) -> bool {
    let headers = [("X-Forwarded-For", client), ("X-Forwarded-Proto", "https")];
    match request(server, "/config.js", &headers).await.status {
        200 => true,
        429 => false,
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn each_client_of_a_trusted_proxy_is_one_of_its_own() {
    let server = proxied();
    assert!(is_let_in(server.https, "203.0.113.1").await);
    assert!(is_let_in(server.https, "203.0.113.2").await);
    assert!(!is_let_in(server.https, "203.0.113.1").await);
    // What stands before the last address that is not a proxy's was written by anybody.
    assert!(!is_let_in(server.https, "203.0.113.3, 203.0.113.2, 127.0.0.1").await);
}

#[tokio::test]
async fn others_are_not_believed() {
    let server = Server::start(&format!(
        "[http]\ntrusted_proxies = [\"10.0.0.0/8\"]\n{ONCE}"
    ));
    assert!(is_let_in(server.https, "203.0.113.1").await);
    assert!(!is_let_in(server.https, "203.0.113.2").await);
    let answer = request_plain(server.https, "X-Forwarded-Proto: https\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 307"), "{answer}");
    // A PROXY header is nothing that is spoken here.
    let mut stream = TcpStream::connect(server.https).await.unwrap();
    stream
        .write_all(&header_v2("203.0.113.9:1000"))
        .await
        .unwrap();
    assert_eq!(stream.read(&mut [0; 16]).await.unwrap_or(0), 0);
}

#[tokio::test]
async fn behind_nginx_for_https_calls_work_and_clients_cannot_lie() {
    let server = behind_nginx();
    for upstream in [
        format!("https://{}", server.https),
        format!("http://{}", server.https),
    ] {
        let nginx = Nginx::https(&upstream);
        let page = request(nginx.address, "/", &[]).await;
        assert_eq!(page.status, 200, "{}", page.head);
    }
    let nginx = Nginx::https(&format!("http://{}", server.https));
    let lie = [
        ("X-Forwarded-For", "203.0.113.7"),
        ("Forwarded", "for=203.0.113.8"),
    ];
    let script = request(nginx.address, "/config.js", &lie).await;
    assert_eq!(script.status, 200);
    let urls = json_of(script.text(), "PC_CONFIG")["iceServers"][1]["urls"].clone();
    // nginx passes HTTP on and no TURN.
    let tcp = format!("turn:127.0.0.1:{}?transport=tcp", server.turn.port());
    assert_eq!(urls[1], serde_json::json!(tcp));
    let again = [("X-Forwarded-For", "203.0.113.9")];
    assert_eq!(
        request(nginx.address, "/config.js", &again).await.status,
        429
    );
    let ticket = json_of(script.text(), "SETTINGS")["ticket"].clone();
    let own = format!("https://{}", nginx.address);
    let socket = Client::try_open(nginx.address, Some(&own)).await.unwrap();
    let mut ana = Client {
        socket,
        ticket: ticket.as_str().unwrap().to_owned(),
        id: String::new(),
        resume: String::new(),
    };
    let welcome = ana.enter("nginx", "Ana", None).await;
    assert_eq!(welcome["pc_config"]["iceServers"][1]["urls"], urls);
    let foreign = Client::try_open(nginx.address, Some("https://evil.example")).await;
    assert!(foreign.is_err());
}

/// What a client may claim, to a proxy that passes it on.
const LIES: [(&str, &str); 5] = [
    ("X-Forwarded-For", "203.0.113.7"),
    ("X-Forwarded-Host", "evil.example"),
    ("X-Forwarded-Port", "6666"),
    ("X-Forwarded-Proto", "gopher"),
    (
        "Forwarded",
        "for=203.0.113.8;host=evil.example;proto=gopher",
    ),
];

#[tokio::test]
async fn the_documented_nginx_passes_on_nothing_that_a_client_says_of_itself() {
    let upstream = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nginx = Nginx::https(&format!("http://{}", upstream.local_addr().unwrap()));
    let passed_on = async {
        let (mut stream, _) = upstream.accept().await.unwrap();
        let mut text = Vec::new();
        while !text.ends_with(b"\r\n\r\n") {
            text.push(stream.read_u8().await.unwrap());
        }
        let answer = b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n";
        stream.write_all(answer).await.unwrap();
        String::from_utf8(text).unwrap()
    };
    let (text, answer) = tokio::join!(passed_on, request(nginx.address, "/", &LIES));
    assert_eq!(answer.status, 204);
    for (name, lie) in LIES {
        assert!(!text.contains(lie), "{name}: {text}");
    }
    for line in [
        format!("X-Forwarded-Host: {}\r\n", nginx.address),
        format!("X-Forwarded-Port: {}\r\n", nginx.address.port()),
        "X-Forwarded-Proto: https\r\n".to_owned(),
        "X-Forwarded-For: 127.0.0.1\r\n".to_owned(),
    ] {
        assert!(text.contains(&line), "{line}: {text}");
    }
}

#[tokio::test]
async fn behind_the_documented_nginx_a_link_leads_where_the_page_was_opened() {
    let server = behind_nginx();
    let nginx = Nginx::https(&format!("http://{}", server.https));
    let path = "/qr.svg?room=team";
    let honest = request(nginx.address, path, &[]).await;
    let lying = request(nginx.address, path, &LIES).await;
    assert_eq!((honest.status, lying.status), (200, 200));
    let link = format!("https://{}/r/team", nginx.address);
    assert_eq!(crate::qr::decode(honest.text()), link);
    assert_eq!(crate::qr::decode(lying.text()), link);
}

#[tokio::test]
async fn behind_nginx_for_bytes_everything_works_and_has_the_clients_address() {
    let server = Server::start(&format!("[http]\ntrusted_proxies = [\"{ADDRESS}\"]\n"));
    let nginx = Nginx::stream(server.https);
    let script = request(nginx.address, "/config.js", &[]).await;
    let urls = json_of(script.text(), "PC_CONFIG")["iceServers"][1]["urls"].clone();
    let tcp = format!("turn:{}?transport=tcp", nginx.address);
    assert_eq!(urls[1], serde_json::json!(tcp), "TURN is passed on too");
    let mut ana = Client::join(nginx.address, "stream", "Ana").await;
    let mut bo = Client::join(nginx.address, "stream", "Bo").await;
    ana.expect("peer-joined").await;
    bo.expect_nothing().await;

    let mut stream = TcpStream::connect(nginx.address).await.unwrap();
    let own = stream.local_addr().unwrap();
    assert_eq!(seen_address(&mut stream).await, own);

    let stream = TcpStream::connect(nginx.address).await.unwrap();
    let own = stream.local_addr().unwrap();
    let tls = TlsConnector::from(Arc::new(trusting(Arc::new(Anything::default()))));
    let name = ServerName::from(nginx.address.ip());
    let mut stream = tls.connect(name, stream).await.unwrap();
    assert_eq!(seen_address(&mut stream).await, own);
}

#[tokio::test]
async fn the_binary_proxy_header_names_the_client_in_one_piece_or_in_many() {
    let server = proxied();
    for pause in [false, true] {
        let mut stream = TcpStream::connect(server.https).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let header = header_v2("203.0.113.9:1000");
        for part in header.chunks(if pause { 3 } else { header.len() }) {
            stream.write_all(part).await.unwrap();
            tokio::task::yield_now().await;
        }
        assert_eq!(
            seen_address(&mut stream).await.to_string(),
            "203.0.113.9:1000"
        );
    }
    // And on the port for TURN alone.
    let mut stream = TcpStream::connect(server.turn).await.unwrap();
    stream
        .write_all(&header_v2("203.0.113.9:1001"))
        .await
        .unwrap();
    assert_eq!(
        seen_address(&mut stream).await.to_string(),
        "203.0.113.9:1001"
    );
}

#[tokio::test]
async fn broken_and_endless_proxy_headers_end_the_connection() {
    let server = proxied();
    let mut huge = header_v2("203.0.113.9:1000");
    huge[14..16].copy_from_slice(&u16::MAX.to_be_bytes());
    huge.resize(4096, 0);
    for broken in [
        &b"PROXY TCP4 nobody at all\r\n"[..],
        &[b"PROXY ", &[b'x'; 4096][..]].concat(),
        &huge,
    ] {
        let mut stream = TcpStream::connect(server.https).await.unwrap();
        let _ = stream.write_all(broken).await;
        let end = timeout(PATIENCE, stream.read(&mut [0; 16])).await;
        assert_eq!(end.expect("an end").unwrap_or(0), 0);
    }
    // A client behind the proxy has its own bound.
    assert!(is_let_in(server.https, "203.0.113.1").await);
}

#[tokio::test]
async fn clients_of_one_proxy_are_counted_by_their_own_addresses() {
    let config = format!("{TRUSTING}[server]\nmax_connections_per_ip = 2\n");
    let server = Server::start(&config);
    let connect = async |client: &str| {
        let mut stream = TcpStream::connect(server.https).await.unwrap();
        stream.write_all(&header_v2(client)).await.unwrap();
        stream.write_all(&BINDING).await.unwrap();
        let mut answer = [0; 8];
        let there = timeout(PATIENCE, stream.read(&mut answer)).await.unwrap();
        (there.unwrap_or(0) > 0).then_some(stream)
    };
    let held = [
        connect("203.0.113.1:1").await,
        connect("203.0.113.1:2").await,
    ];
    assert!(held.iter().all(Option::is_some));
    let third = connect("203.0.113.1:3").await;
    assert!(connect("203.0.113.2:1").await.is_some());
    // It was refused, or came in place of one that had been of no use for a while.
    let mut open = 0;
    for mut stream in held.into_iter().chain([third]).flatten() {
        let mut rest = Vec::new();
        let read = timeout(Duration::from_millis(200), stream.read_to_end(&mut rest));
        open += usize::from(read.await.is_err());
    }
    assert_eq!(open, 2);
}

/// Version 2, TCP over IPv4.
fn header_v2(client: &str) -> Vec<u8> {
    let SocketAddr::V4(client) = client.parse().unwrap() else {
        panic!("IPv4");
    };
    let mut bytes = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c".to_vec();
    bytes.extend(client.ip().octets());
    bytes.extend([192, 0, 2, 1]);
    bytes.extend(client.port().to_be_bytes());
    bytes.extend(443_u16.to_be_bytes());
    bytes
}

/// A STUN binding request (RFC 8489 §5).
const BINDING: [u8; 20] = *b"\0\x01\0\0\x21\x12\xa4\x42callbox-test";

/// The address that a binding request comes from, as the server sees it (XOR-MAPPED-ADDRESS, RFC 8489 §14.2).
async fn seen_address<S>(stream: &mut S) -> SocketAddr
where
    S: AsyncReadExt + AsyncWriteExt + Unpin,
{
    stream.write_all(&BINDING).await.unwrap();
    let mut header = [0; 20];
    timeout(PATIENCE, stream.read_exact(&mut header))
        .await
        .expect("an answer")
        .unwrap();
    let mut body = vec![0; usize::from(u16::from_be_bytes([header[2], header[3]]))];
    stream.read_exact(&mut body).await.unwrap();
    let at = body
        .windows(4)
        .position(|four| four == [0, 0x20, 0, 8])
        .unwrap()
        + 6;
    let port = u16::from_be_bytes([body[at], body[at + 1]]) ^ 0x2112;
    let ip: Vec<u8> = body[at + 2..at + 6]
        .iter()
        .zip([0x21, 0x12, 0xa4, 0x42])
        .map(|(byte, mask)| byte ^ mask)
        .collect();
    SocketAddr::from(([ip[0], ip[1], ip[2], ip[3]], port))
}

/// `GET /` over plain HTTP with a header more.
async fn request_plain(server: SocketAddr, header: &str) -> String {
    let mut stream = TcpStream::connect(server).await.unwrap();
    let text = format!("GET / HTTP/1.1\r\nHost: {server}\r\nConnection: close\r\n{header}\r\n");
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn plain_http_from_a_proxy_that_has_https_is_served() {
    let server = proxied();
    let answer = request_plain(server.https, "X-Forwarded-Proto: https\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let other = plain(server.https, "/", "call.example.com").await;
    assert_eq!(other.status, 307);
    assert_eq!(other.header("location"), "https://call.example.com/");
}
