//! Servers that send nonsense, or nothing: the check survives them and ends in time.

use std::net::UdpSocket;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{check, page, script};
use crate::support::fake::{Fake, response};

/// Bytes that are nothing in any protocol.
fn garbage(length: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_u32;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_le_bytes()[1]
    };
    (0..length).map(|_| next()).collect()
}

#[tokio::test]
async fn garbage_instead_of_tls_ends_the_check() {
    let fake =
        Fake::tcp(
            |mut stream| async move { while stream.write_all(&garbage(4096)).await.is_ok() {} },
        )
        .await;
    check(fake.address)
        .await
        .expect_failed("TLS", "no TLS", "callbox speaks TLS on its port");
}

#[tokio::test]
async fn garbage_behind_tls_is_survived() {
    let endless = || format!("PC_CONFIG = {}", "[".repeat(1 << 20)).into_bytes();
    for answer in [
        garbage(70_000),
        response("200 OK", "PC_CONFIG = {}"),
        endless(),
        response("302 Found", ""),
    ] {
        let fake = Fake::https(move |_| answer.clone()).await;
        let checked = check(fake.address).await;
        assert_eq!(
            checked.status("configuration of the page"),
            "failed",
            "{:#}",
            checked.json
        );
        assert_eq!(checked.status("WebSocket"), "failed");
        assert_eq!(checked.code, 1);
    }
}

/// An answer of STUN to a request, of this type and with these attributes.
fn stun(request: &[u8], kind: u16, attributes: &[u8]) -> Vec<u8> {
    let mut answer = kind.to_be_bytes().to_vec();
    answer.extend(u16::try_from(attributes.len()).unwrap().to_be_bytes());
    answer.extend(request.get(4..20).unwrap_or(&[0; 16]));
    answer.extend(attributes);
    answer
}

/// To a datagram or what was read of a stream.
type Answer = fn(&[u8]) -> Vec<u8>;

#[tokio::test]
async fn garbage_instead_of_stun_and_turn_is_survived() {
    const UNAUTHORIZED: &[u8] = b"\0\x09\0\x08\0\0\x04\x01\xff\xfe\xfd\xfc";
    const CHALLENGE: &[u8] = b"\0\x14\0\x04aaaa\0\x15\0\x04bbbb";
    // A relayed address for no time at all.
    const GRANTED: &[u8] =
        b"\0\x16\0\x08\0\x01\x11\x11\x5e\x12\xa4\x43\0\x0d\0\x04\0\0\0\0\0\x14\0\x04aaaa\0\x15\0\x04bbbb";
    let answers: [Answer; 6] = [
        |_| garbage(1200),
        |request| request.to_vec(),
        |request| stun(request, 0x0113, UNAUTHORIZED),
        |request| stun(request, 0x0113, CHALLENGE),
        |request| stun(request, 0x0103, GRANTED),
        |request| stun(request, 0x0101, b"\0\x20\0\x04\0\x07ab"),
    ];
    let mut checks = tokio::task::JoinSet::new();
    for answer in answers {
        checks.spawn(async move {
            let udp = Fake::udp(answer).await;
            let tcp = Fake::tcp(move |mut stream| async move {
                let mut buffer = [0; 2048];
                while let Ok(length @ 1..) = stream.read(&mut buffer).await {
                    if stream.write_all(&answer(&buffer[..length])).await.is_err() {
                        break;
                    }
                }
            })
            .await;
            let page = page(script(udp.address.port(), tcp.address.port())).await;
            check(page.address).await
        });
    }
    for checked in checks.join_all().await {
        assert_eq!(checked.code, 1);
        assert_eq!(checked.status("STUN"), "failed", "{:#}", checked.json);
        assert_ne!(checked.status("a packet through two relays"), "ok");
    }
}

#[tokio::test]
async fn silence_ends_the_check_in_time() {
    let silent = || {
        Fake::tcp(|stream| async move {
            let _stream = stream;
            std::future::pending::<()>().await;
        })
    };
    let deaf = silent().await;
    let deaf_to_http = Fake::https(|_| Vec::new()).await;
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let (udp_port, tcp) = (udp.local_addr().unwrap().port(), silent().await);
    let configured = script(udp_port, tcp.address.port());
    let deaf_relay = Fake::https(move |path| match path {
        "/config.js" => response("200 OK", &configured),
        _ => Vec::new(),
    })
    .await;

    let (nothing, no_page, no_relay) = tokio::join!(
        check(deaf.address),
        check(deaf_to_http.address),
        check(deaf_relay.address)
    );
    nothing.expect_failed("TLS", "no answer in time", "does not answer");
    let log = "journalctl -u callbox";
    no_page.expect_failed("configuration of the page", "no answer in time", log);
    no_page.expect_failed("WebSocket", "no answer in time", log);
    no_relay.expect_failed(
        "STUN",
        "no answer in time",
        &format!("ufw allow {udp_port}/udp"),
    );
    let name = format!("TURN over TCP on {}/tcp", tcp.address.port());
    no_relay.expect_failed(&name, "no answer in time", "ufw allow");
}
