//! What is wrong with a server, seen from outside.

use std::net::SocketAddr;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::{Checked, check, page, script, url};
use crate::support::fake::{Fake, certificate, read_head};
use crate::support::ports::free_port;
use crate::support::{Client, Server, exported_authority, program};

#[tokio::test]
async fn a_server_that_is_well_passes() {
    let server = Server::start("");
    let url = format!("https://{}", server.https);
    let checked = Checked::of(&url, &[]).await;
    assert_eq!(checked.code, 0, "{:#}", checked.json);
    assert_eq!(checked.json["ok"], true);
    assert_eq!(checked.json["url"], format!("{url}/"));
    assert_eq!(checked.with("failed"), [""; 0]);
    // Nothing is wrong, but browsers do ask.
    assert_eq!(checked.with("warning"), ["certificate: chain"]);
    let row = checked.row("certificate: chain");
    let remedy = row["remedy"].as_str().unwrap();
    assert!(remedy.contains("install the authority"), "{row:#}");
    let authority = exported_authority(&server);
    let checked = Checked::of(&url, &["--ca", authority.to_str().unwrap()]).await;
    assert_eq!(checked.with("warning"), [""; 0], "{:#}", checked.json);
    for name in [
        "certificate: chain",
        "certificate: names",
        "certificate: days left",
        "clock",
        "configuration of the page",
        "WebSocket",
        "STUN",
        &format!("TURN over UDP on {}/udp", server.turn.port()),
        "TURN over TCP on the HTTPS port",
        "TURN over TLS on the HTTPS port",
        "public address",
        "a packet through two relays",
        "a packet to the relay from outside",
    ] {
        assert_eq!(checked.status(name), "ok", "{:#}", checked.row(name));
    }
}

#[tokio::test]
async fn closed_relay_ports_are_named() {
    let (udp, tcp) = (free_port(), free_port());
    let fake = page(script(udp, tcp)).await;
    let checked = check(fake.address).await;
    checked.expect_failed("STUN", "nothing listens there", "turn.listen");
    checked.expect_failed(
        &format!("TURN over UDP on {udp}/udp"),
        "nothing listens there",
        "turn.listen",
    );
    checked.expect_failed(
        &format!("TURN over TCP on {tcp}/tcp"),
        "nothing listens there",
        "start callbox",
    );
    assert_eq!(checked.status("a packet through two relays"), "skipped");
}

#[tokio::test]
async fn a_relay_that_is_switched_off_is_named() {
    let server = Server::start("[turn]\nenabled = false\n");
    let checked = check(server.https).await;
    checked.expect_failed(
        "configuration of the page",
        "lists no TURN server",
        "turn.enabled = true",
    );
    assert_eq!(checked.with("failed").len(), 1, "{:#}", checked.json);
}

/// A server with a certificate for this name that ends so many days from now.
fn with_certificate(name: &str, days: i32) -> Server {
    let dir = tempfile::tempdir().unwrap();
    let (cert, key) = certificate(name, days);
    std::fs::write(dir.path().join("cert.pem"), cert).unwrap();
    std::fs::write(dir.path().join("key.pem"), key).unwrap();
    let config = "listen = \"127.0.0.1:0\"\n[tls]\ncert = \"cert.pem\"\nkey = \"key.pem\"\n\
                  [turn]\nlisten = \"127.0.0.1:0\"\ntls_listen = \"127.0.0.1:0\"\n";
    std::fs::write(dir.path().join("callbox.toml"), config).unwrap();
    Server::start_in(dir, &[])
}

#[tokio::test]
async fn an_expired_certificate_is_named_and_the_rest_is_looked_at() {
    let server = with_certificate("127.0.0.1", -3);
    let checked = check(server.https).await;
    checked.expect_failed(
        "certificate: days left",
        "expired 3 days ago",
        "certbot renew",
    );
    assert_eq!(checked.with("failed").len(), 1, "{:#}", checked.json);
    assert_eq!(checked.status("a packet through two relays"), "ok");
}

#[tokio::test]
async fn a_certificate_for_another_name_is_named() {
    let server = with_certificate("call.example.com", 5);
    let checked = check(server.https).await;
    checked.expect_failed(
        "certificate: names",
        "not valid for 127.0.0.1, only for call.example.com",
        "get a certificate",
    );
    assert_eq!(checked.status("certificate: chain"), "warning");
    assert_eq!(checked.row("certificate: days left")["found"], "4");
    assert_eq!(checked.status("certificate: days left"), "warning");
    assert_eq!(checked.with("failed").len(), 1, "{:#}", checked.json);
}

#[tokio::test]
async fn a_refused_websocket_is_named_with_what_the_server_says() {
    let (udp, tcp) = (free_port(), free_port());
    let fake = page(script(udp, tcp)).await;
    let checked = check(fake.address).await;
    checked.expect_failed(
        "WebSocket",
        "refused with 403 (Not for you.[2J)",
        "proxy_set_header Host",
    );
    let server = Server::start("[signaling]\nmax_connections_per_ip = 1\n");
    let _other = Client::connect(server.https).await;
    let checked = check(server.https).await;
    checked.expect_failed(
        "WebSocket",
        "refused with 429 (Too many WebSockets",
        "max_connections_per_ip",
    );
    assert_eq!(checked.with("failed").len(), 1, "{:#}", checked.json);
}

#[tokio::test]
async fn a_server_that_does_not_run_is_one_failure() {
    let tcp = free_port();
    let checked = check(SocketAddr::from(([127, 0, 0, 1], tcp))).await;
    checked.expect_failed(
        &format!("HTTPS port {tcp}/tcp"),
        "nothing listens there",
        "start callbox",
    );
    assert_eq!(checked.with("failed").len(), 1, "{:#}", checked.json);
    assert_eq!(checked.with("ok"), [""; 0]);
}

/// A proxy that tunnels, and one that does not let anybody.
async fn proxy(allows: bool) -> Fake {
    Fake::tcp(move |mut client| async move {
        let head = read_head(&mut client).await;
        let to = head
            .strip_prefix("CONNECT ")
            .and_then(|rest| rest.split(' ').next());
        if !allows {
            let _ = client.write_all(b"HTTP/1.1 407 Who are you?\r\n\r\n").await;
            return;
        }
        let mut server = TcpStream::connect(to.unwrap()).await.unwrap();
        let _ = client
            .write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")
            .await;
        let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
    })
    .await
}

#[tokio::test]
async fn the_proxy_of_the_network_is_used_and_named() {
    let server = Server::start("");
    let through = async |proxy: &str, exceptions: &str| {
        let environment = [("HTTPS_PROXY", proxy), ("no_proxy", exceptions)];
        Checked::with_environment(&url(server.https), &[], &environment).await
    };
    let good = proxy(true).await;
    let checked = through(&format!("http://{}", good.address), "").await;
    assert_eq!(checked.code, 0, "{:#}", checked.json);
    let expected = format!("/ws answers a ping through the proxy {}", good.address);
    assert_eq!(checked.row("WebSocket")["found"], expected);
    let port = format!("HTTPS port {}/tcp", server.https.port());
    assert_eq!(checked.status(&port), "skipped");

    let bad = proxy(false).await;
    let refused = through(&format!("http://{}", bad.address), "").await;
    refused.expect_failed("TLS", "refused with 407", "NO_PROXY");
    let direct = through(&format!("http://{}", bad.address), "127.0.0.1").await;
    assert_eq!((direct.code, direct.status(&port)), (0, "ok"));
    let odd = through("socks5://127.0.0.1:1", "").await;
    odd.expect_failed(
        "proxy",
        "not the address of an HTTP proxy",
        "http://HOST:PORT",
    );
}

#[tokio::test]
async fn wrong_usage_ends_with_2() {
    for arguments in [
        &["http://127.0.0.1/"][..],
        &["127.0.0.1"],
        &["https://127.0.0.1:1/", "--ca", "/nowhere.pem"],
        &["https://127.0.0.1:1/", "--ca", "/dev/null"],
    ] {
        let output = program().arg("check").args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(!output.stderr.is_empty() && output.stdout.is_empty());
    }
}
