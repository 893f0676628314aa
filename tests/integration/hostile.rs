//! Strangers who mean no good.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::SinkExt;
use ring::hmac;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::support::operator::{metrics, start};
use crate::support::{Client, PATIENCE, Server, get, request, tls, wait_for};

fn status(result: Result<impl Sized, Error>) -> u16 {
    match result {
        Ok(_) => 101,
        Err(Error::Http(response)) => response.status().as_u16(),
        Err(other) => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_foreign_origin_is_refused() {
    let server = Server::start("[signaling]\norigins = [\"http://localhost:3000\"]\n");
    let own = format!("https://{}", server.https);
    for (origin, expected) in [
        (own.as_str(), 101),
        ("http://localhost:3000", 101),
        ("https://evil.example", 403),
        ("http://localhost:3001", 403),
        ("null", 403),
    ] {
        let opened = Client::try_open(server.https, Some(origin)).await;
        assert_eq!(status(opened), expected, "{origin}");
    }
}

/// A ticket as the server makes it, under a key of ours.
fn forge(key: &str, fields: &str, expiry: u64) -> String {
    let body = format!("{fields}.{expiry}");
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes());
    format!(
        "{body}.{}",
        URL_SAFE_NO_PAD.encode(hmac::sign(&key, body.as_bytes()))
    )
}

#[tokio::test]
async fn forged_and_expired_tickets_are_refused() {
    let server = Server::start("");
    let key = std::fs::read_to_string(server.path("state/ticket-key")).unwrap();
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let mut client = Client::connect(server.https).await;
    let genuine = client.ticket.clone();
    for (ticket, code) in [
        (forge("another key", "v1v.v-1", now + 60), "bad-ticket"),
        (forge(&key, "v1v.v-1", now - 1), "ticket-expired"),
        (forge(&key, "v1r.p1.a.v-1.boot", now + 60), "bad-ticket"),
        (genuine.replace("v-", "v-0"), "bad-ticket"),
        (String::new(), "bad-ticket"),
        ("x".repeat(5000), "bad-ticket"),
    ] {
        client
            .send(&json!({"type": "join", "room": "a", "name": "", "ticket": ticket}))
            .await;
        assert_eq!(client.expect("error").await["code"], code, "{ticket}");
    }
    let right = forge(&key, "v1v.v-1", now + 60);
    client
        .send(&json!({"type": "join", "room": "a", "name": "", "ticket": right}))
        .await;
    client.expect("welcome").await;
}

#[tokio::test]
async fn a_stolen_resume_ticket_gives_no_seat() {
    let server = Server::start("");
    let mut ana = Client::join(server.https, "a", "Ana").await;
    let mut thief = Client::connect(server.https).await;
    let welcome = thief.enter("a", "Ana", Some(&ana.resume)).await;
    assert_ne!(welcome["id"], json!(ana.id));
    assert_eq!(welcome["resumed"], false);
    ana.expect("peer-joined").await;
    ana.expect_nothing().await;
}

#[tokio::test]
async fn signals_do_not_leave_the_room() {
    let server = Server::start("");
    let mut ana = Client::join(server.https, "a", "Ana").await;
    let mut bo = Client::join(server.https, "b", "Bo").await;
    ana.signal(&bo.id, json!("through the wall")).await;
    ana.signal("p0", json!("to nobody")).await;
    ana.expect_nothing().await;
    bo.expect_nothing().await;

    let mut outside = Client::connect(server.https).await;
    outside.signal(&bo.id, json!("from the street")).await;
    assert_eq!(outside.expect("error").await["code"], "not-joined");
    bo.expect_nothing().await;
}

#[tokio::test]
async fn bad_room_names_are_refused() {
    let server = Server::start("");
    let mut client = Client::connect(server.https).await;
    let ticket = client.ticket.clone();
    for room in ["", "a b", "../etc", "a\u{0}", &"x".repeat(65)] {
        client
            .send(&json!({"type": "join", "room": room, "ticket": ticket}))
            .await;
        assert_eq!(client.expect("error").await["code"], "bad-room", "{room}");
    }
}

#[tokio::test]
async fn a_flood_is_cut_off() {
    let server = Server::start("");
    let mut ana = Client::join(server.https, "a", "Ana").await;
    let mut flood = Client::join(server.https, "a", "Flood").await;
    ana.expect("peer-joined").await;
    let signal = json!({"type": "signal", "to": "p0", "data": {"candidate": "x"}}).to_string();
    for _ in 0..2000 {
        if flood
            .socket
            .feed(Message::text(signal.as_str()))
            .await
            .is_err()
        {
            break;
        }
    }
    let _ = flood.socket.flush().await;
    assert_eq!(flood.close_code().await, 4003);
    ana.expect_nothing().await;
}

#[tokio::test]
async fn too_many_pings_are_a_flood() {
    let server = Server::start("[signaling]\nmessage_rate = 10\n");
    let mut flood = Client::join(server.https, "a", "Flood").await;
    for _ in 0..60 {
        let ping = Message::text(json!({"type": "ping"}).to_string());
        if flood.socket.send(ping).await.is_err() {
            break;
        }
    }
    assert_eq!(flood.close_code().await, 4003);
}

#[tokio::test]
async fn oversized_binary_and_broken_messages_are_closed_with_a_code_that_says_why() {
    let server = Server::start("[signaling]\nmessage_limit = \"16 KiB\"\n");
    let mut fits = Client::join(server.https, "a", "").await;
    fits.signal("p0", json!("x".repeat(16_000))).await;
    fits.expect_nothing().await;

    let mut big = Client::join(server.https, "a", "").await;
    big.signal("p0", json!("x".repeat(17_000))).await;
    assert_eq!(big.close_code().await, 1009);

    let mut binary = Client::join(server.https, "a", "").await;
    binary
        .socket
        .send(Message::binary(vec![0; 8]))
        .await
        .unwrap();
    assert_eq!(binary.close_code().await, 1003);

    let mut broken = Client::join(server.https, "a", "").await;
    for text in [
        "",
        "{",
        "[]",
        "null",
        "{\"type\":7}",
        "{\"type\":\"x\"}",
        "\u{0}",
    ] {
        broken.send_text(text).await;
        assert_eq!(
            broken.expect("error").await["code"],
            "bad-message",
            "{text}"
        );
    }
    let nested = "[".repeat(10_000);
    for _ in 0..3 {
        broken.send_text(&nested).await;
    }
    assert_eq!(broken.close_code().await, 4005);
    let log = server.log();
    assert!(!log.contains("ERROR") && log.lines().count() < 20, "{log}");
}

/// A masked text frame with this payload.
fn frame(payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![
        0x81,
        0x80 | u8::try_from(payload.len()).unwrap(),
        0,
        0,
        0,
        0,
    ];
    bytes.extend(payload);
    bytes
}

#[tokio::test]
async fn half_messages_and_noise_on_the_wire() {
    let server = Server::start("");
    let mut ana = Client::join(server.https, "a", "Ana").await;
    let key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
    let upgrade = format!(
        "GET /ws HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n{key}\r\n\
         Sec-WebSocket-Version: 13\r\n\r\n",
        server.https
    );
    let not_utf8 = frame(b"\xff\xfe");
    let reserved_bits = vec![0xf1, 0x80, 0, 0, 0, 0];
    let unmasked = vec![0x81, 0x01, b'x'];
    let half = frame(b"{\"type\":\"ping\"}")[..9].to_vec();
    for (bytes, code) in [
        (not_utf8, Some(1007)),
        (reserved_bits, Some(1002)),
        (unmasked, Some(1002)),
        (half, None),
    ] {
        let mut stream = tls(server.https).await;
        stream.write_all(upgrade.as_bytes()).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        assert!(head.starts_with(b"HTTP/1.1 101"));
        stream.write_all(&bytes).await.unwrap();
        if let Some(code) = code {
            let mut close = [0; 4];
            timeout(PATIENCE, stream.read_exact(&mut close))
                .await
                .unwrap()
                .unwrap();
            assert_eq!(close[0], 0x88, "a close frame");
            assert_eq!(u16::from_be_bytes([close[2], close[3]]), code);
        } else {
            let silent = timeout(Duration::from_millis(300), stream.read_u8()).await;
            assert!(
                silent.is_err(),
                "half a message is neither answered nor an error"
            );
        }
    }
    ana.expect_nothing().await;
}

#[tokio::test]
async fn a_reader_that_never_reads_is_cut_off_alone() {
    let (server, admin) = start("[signaling]\nmessage_rate = 1000\n");
    let mut ana = Client::join(server.https, "a", "Ana").await;
    let mut bo = Client::join(server.https, "a", "Bo").await;
    let deaf = Client::join(server.https, "a", "Deaf").await;
    for _ in 0..2 {
        ana.expect("peer-joined").await;
    }
    bo.expect("peer-joined").await;
    let before = server.resident();
    let big = "x".repeat(60_000);
    // Until the kernel's buffers and Ana's share are full.
    let mut refused = false;
    for round in 0.. {
        assert!(round < 300, "all is taken");
        if refused {
            break;
        }
        ana.signal(&deaf.id, json!(big)).await;
        ana.signal(&bo.id, json!(round)).await;
        assert_eq!(
            bo.expect("signal").await["data"]["candidate"],
            round,
            "Bo hears all"
        );
        ana.send(&json!({"type": "ping"})).await;
        refused = loop {
            let message = ana.next().await;
            match message["type"].as_str() {
                Some("pong") => break refused,
                Some("error") => assert_eq!(message["code"], "too-fast"),
                _ => panic!("{message}"),
            }
            refused = true;
        };
    }
    let grown = server.resident().saturating_sub(before);
    assert!(grown < 16 * 1024 * 1024, "{grown} bytes more");

    wait_for("its end", &server, async || {
        let metrics = metrics(admin).await;
        let ends = "callbox_websocket_closes_total{code=\"4002\"} 1";
        metrics.contains(ends).then_some(())
    })
    .await;
    ana.expect_nothing().await;
    bo.expect_nothing().await;
    let mut back = Client::connect_as(server.https, &deaf.ticket).await;
    let welcome = back.enter("a", "Deaf", Some(&deaf.resume)).await;
    assert_eq!(
        (&welcome["id"], &welcome["resumed"]),
        (&json!(deaf.id), &json!(true)),
        "the seat is kept"
    );
    assert_eq!(back.expect("signal").await["from"], json!(ana.id));
    bo.expect_nothing().await;
}

#[tokio::test]
async fn more_websockets_from_one_address_than_it_may_have() {
    let server = Server::start("[signaling]\nvisitors_per_minute = 1000\n");
    let mut ana = Client::join(server.https, "a", "Ana").await;
    let mut open = Vec::new();
    let mut refused = 0;
    // Few enough for the first ones not to be closed by then, since they join no room.
    for _ in 0..299 {
        match Client::try_open(server.https, None).await {
            Ok(socket) => open.push(socket),
            error => {
                assert_eq!(status(error), 429);
                refused += 1;
            }
        }
    }
    assert_eq!((open.len(), refused), (63, 236));
    ana.expect_nothing().await;
    drop(open);
    let reopened = async {
        while Client::try_open(server.https, None).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, reopened)
        .await
        .expect("places are given back");
}

#[tokio::test]
async fn a_thousand_connections_that_say_nothing() {
    let server =
        Server::start("[server]\nmax_connections_per_ip = 20\nhandshake_timeout = \"2s\"\n");
    let mut silent = Vec::new();
    for _ in 0..1000 {
        silent.push(TcpStream::connect(server.https).await.unwrap());
    }
    // All are closed: most at once, twenty at the deadline.
    for stream in &mut silent {
        let mut byte = [0];
        let read = timeout(PATIENCE, stream.read(&mut byte))
            .await
            .expect("closed in time");
        assert!(matches!(read, Ok(0) | Err(_)));
    }
    assert_eq!(get(server.https, "/healthz").await.status, 200);
}

#[tokio::test]
async fn new_visitors_are_limited_per_address() {
    let server = Server::start("[signaling]\nvisitors_per_minute = 5\n");
    let mut codes = Vec::new();
    for _ in 0..8 {
        codes.push(get(server.https, "/config.js").await.status);
    }
    assert_eq!(codes, [200, 200, 200, 200, 200, 429, 429, 429]);
    let refused = get(server.https, "/config.global.js").await;
    assert_eq!((refused.status, refused.header("retry-after")), (429, "60"));
    assert_eq!(get(server.https, "/").await.status, 200, "pages are not");
}

#[tokio::test]
async fn hosts_that_could_break_out_of_the_script_are_refused() {
    let server = Server::start("");
    for host in [
        "a\"b",
        "<script>",
        "a b",
        "x'y",
        "user@host",
        "",
        "-a",
        "host:port",
    ] {
        let response = request(server.https, "/config.js", &[("Host", host)]).await;
        assert_eq!(response.status, 400, "{host}");
    }
}
