//! The TCP port: certificate, headers, pages, deadlines.

use std::net::SocketAddr;
use std::time::Instant;

use rustix::process::Signal;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::support::ports::free_port;
use crate::support::{
    Client, PATIENCE, Server, get, json_of, plain, request, tls, tls_with_certificate,
};

#[tokio::test]
async fn every_response_carries_the_security_headers() {
    let server = Server::start("");
    for path in [
        "/",
        "/r/team",
        "/check",
        "/main.js",
        "/config.js",
        "/healthz",
        "/qr.svg?room=team",
        "/qr.svg",
        "/no/such",
        "/ws",
    ] {
        let response = get(server.https, path).await;
        let csp = response.header("content-security-policy");
        assert!(
            csp.contains("default-src 'none'") && csp.contains("script-src 'self';"),
            "{path}"
        );
        assert!(
            csp.contains("frame-ancestors 'none'") && !csp.contains("unsafe"),
            "{path}"
        );
        assert_eq!(
            response.header("x-content-type-options"),
            "nosniff",
            "{path}"
        );
        assert_eq!(response.header("referrer-policy"), "no-referrer", "{path}");
        assert_eq!(
            response.header("cross-origin-resource-policy"),
            "same-origin",
            "{path}"
        );
        let permissions = response.header("permissions-policy");
        for feature in [
            "camera",
            "microphone",
            "display-capture",
            "fullscreen",
            "picture-in-picture",
            "screen-wake-lock",
            "speaker-selection",
            "clipboard-write",
        ] {
            assert!(
                permissions.contains(&format!("{feature}=(self)")),
                "{path} {feature}"
            );
        }
        assert_eq!(
            response.header("strict-transport-security"),
            "",
            "not with a self-signed one"
        );
    }
}

#[tokio::test]
async fn routes() {
    let server = Server::start("");
    let start = get(server.https, "/").await;
    assert!(start.status == 200 && start.text().contains("<title>callbox</title>"));
    assert_eq!(get(server.https, "/r/any-room").await.body, start.body);
    let health = get(server.https, "/healthz").await;
    assert_eq!((health.status, health.text()), (200, "ok\n"));
    let missing = get(server.https, "/no/such/page").await;
    assert!(missing.status == 404 && missing.text().contains("nothing here"));
    assert_eq!(get(server.https, "/../../etc/passwd").await.status, 404);
    assert_eq!(get(server.https, "/%2e%2e/Cargo.toml").await.status, 404);
}

#[tokio::test]
async fn pages_are_revalidated_and_compressed() {
    let server = Server::start("");
    let fresh = get(server.https, "/style.css").await;
    assert_eq!(fresh.header("content-type"), "text/css; charset=utf-8");
    assert_eq!(fresh.header("cache-control"), "no-cache");
    let etag = fresh.header("etag");
    assert!(etag.starts_with("W/\""));
    let known = request(server.https, "/style.css", &[("If-None-Match", etag)]).await;
    assert_eq!((known.status, known.body.len()), (304, 0));
    let other = request(
        server.https,
        "/style.css",
        &[("If-None-Match", "\"other\"")],
    )
    .await;
    assert_eq!(other.status, 200);
    for encoding in ["br", "gzip"] {
        let packed = request(server.https, "/style.css", &[("Accept-Encoding", encoding)]).await;
        assert_eq!(packed.header("content-encoding"), encoding);
        assert!(packed.body.len() * 2 < fresh.body.len(), "{encoding}");
    }
}

#[tokio::test]
async fn configuration_is_made_for_the_host_that_was_reached() {
    let server = Server::start("");
    let port = server.turn.port();
    for (host, name) in [
        ("call.example.com", "call.example.com"),
        ("192.168.1.5:8443", "192.168.1.5"),
        ("[fd00::5]:8443", "[fd00::5]"),
        ("LOCALHOST:8443", "localhost"),
    ] {
        let named = host
            .rsplit_once(':')
            .and_then(|(_, port)| port.parse().ok());
        let page_port: u16 = named.unwrap_or(443);
        let module = request(server.https, "/config.js", &[("Host", host)]).await;
        assert_eq!(
            module.header("content-type"),
            "text/javascript; charset=utf-8"
        );
        assert_eq!(module.header("cache-control"), "no-store");
        let config = json_of(module.text(), "export const PC_CONFIG");
        let servers = &config["iceServers"];
        assert_eq!(servers[0]["urls"], json!([format!("stun:{name}:{port}")]));
        assert_eq!(
            servers[1]["urls"],
            json!([
                format!("turn:{name}:{port}?transport=udp"),
                format!("turn:{name}:{page_port}?transport=tcp")
            ])
        );
        assert_eq!(config["iceTransportPolicy"], "all");
        let username = servers[1]["username"].as_str().unwrap();
        assert!(username.split_once(":v-").is_some(), "{username}");
        let settings = json_of(module.text(), "export const SETTINGS");
        assert_eq!(settings["maxPeers"], 8);

        let classic = request(server.https, "/config.global.js", &[("Host", host)]).await;
        let global = json_of(classic.text(), "globalThis.PC_CONFIG");
        assert_eq!(global["iceServers"][1]["urls"], servers[1]["urls"]);
        assert_ne!(
            global["iceServers"][1]["username"], servers[1]["username"],
            "another visitor"
        );
    }
}

#[tokio::test]
async fn without_a_relay_there_are_no_ice_servers() {
    let server = Server::start("[turn]\nenabled = false\n");
    let script = get(server.https, "/config.js").await;
    assert_eq!(json_of(script.text(), "PC_CONFIG")["iceServers"], json!([]));
    assert!(server.banner.contains("direct paths only"));
}

#[tokio::test]
async fn plain_http_is_redirected_on_both_ports() {
    let redirect = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let server = Server::start(&format!("[http]\nredirect = \"{redirect}\"\n"));
    let same = plain(server.https, "/r/team?name=Ana", &server.https.to_string()).await;
    assert_eq!(same.status, 307);
    assert_eq!(
        same.header("location"),
        format!("https://{}/r/team?name=Ana", server.https)
    );
    let other = plain(redirect, "/r/team", "call.example.com").await;
    let port = server.https.port();
    assert_eq!(
        other.header("location"),
        format!("https://call.example.com:{port}/r/team")
    );
    assert_eq!(plain(server.https, "/", "a\"b").await.status, 400);
}

#[tokio::test]
async fn the_certificate_is_kept_and_its_fingerprint_printed() {
    let server = Server::start("[tls]\nlocal_ca = false\n");
    let fingerprint = |certificate: &[u8]| {
        let digest = ring::digest::digest(&ring::digest::SHA256, certificate);
        let pairs: Vec<_> = digest
            .as_ref()
            .iter()
            .map(|byte| format!("{byte:02X}"))
            .collect();
        pairs.join(":")
    };
    let (_, certificate) = tls_with_certificate(server.https).await;
    let shown: String = server
        .banner
        .split_whitespace()
        .filter(|word| word.contains(':'))
        .collect();
    assert!(
        shown.contains(&fingerprint(&certificate)),
        "{}",
        server.banner
    );
    let server = server.restart();
    assert_eq!(tls_with_certificate(server.https).await.1, certificate);
}

#[tokio::test]
async fn a_provided_certificate_is_served_and_hsts_sent_when_it_is_trusted() {
    let made = rcgen::generate_simple_self_signed(vec!["call.example.com".to_owned()]).unwrap();
    let pems = tempfile::tempdir().unwrap();
    let (cert, key) = (pems.path().join("c.pem"), pems.path().join("k.pem"));
    std::fs::write(&cert, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    for (trusted, hsts) in [("true", "max-age=86400"), ("\"auto\"", "")] {
        let (cert, key) = (cert.display(), key.display());
        let server = Server::start(&format!(
            "[tls]\ncert = \"{cert}\"\nkey = \"{key}\"\ntrusted = {trusted}\n"
        ));
        let (_, shown) = tls_with_certificate(server.https).await;
        assert_eq!(&shown, made.cert.der().as_ref());
        assert!(!server.path("certs").exists(), "nothing of its own is made");
        assert_eq!(
            get(server.https, "/")
                .await
                .header("strict-transport-security"),
            hsts
        );
    }
}

/// How long it takes until the server ends a connection on which these bytes were sent.
async fn ends_after(stream: &mut (impl AsyncReadExt + AsyncWriteExt + Unpin), bytes: &[u8]) -> u64 {
    let start = Instant::now();
    stream.write_all(bytes).await.unwrap();
    let mut rest = Vec::new();
    let _ = timeout(PATIENCE, stream.read_to_end(&mut rest))
        .await
        .expect("it ends");
    start.elapsed().as_secs()
}

#[tokio::test]
async fn handshakes_headers_and_idle_connections_have_deadlines() {
    let server = Server::start("[server]\nhandshake_timeout = \"1s\"\nheader_timeout = \"2s\"\n");
    let raw = async || TcpStream::connect(server.https).await.unwrap();
    assert_eq!(ends_after(&mut raw().await, b"").await, 1, "nothing said");
    assert_eq!(
        ends_after(&mut raw().await, b"\x16\x03\x01").await,
        1,
        "half a handshake"
    );
    assert_eq!(ends_after(&mut raw().await, b"\xff\0\0").await, 0, "noise");
    assert_eq!(
        ends_after(&mut raw().await, b"\0\x01\0").await,
        1,
        "half a STUN message"
    );
    let half = b"GET / HTTP/1.1\r\nHost:";
    assert_eq!(
        ends_after(&mut raw().await, half).await,
        2,
        "half a request"
    );
    assert_eq!(
        ends_after(&mut tls(server.https).await, half).await,
        2,
        "half a request"
    );
    let whole = format!("GET /healthz HTTP/1.1\r\nHost: {}\r\n\r\n", server.https);
    assert_eq!(
        ends_after(&mut tls(server.https).await, whole.as_bytes()).await,
        2,
        "idle"
    );
}

/// What is made for a visitor needs the host under which it came; files and health do not.
#[tokio::test]
async fn a_request_that_names_no_host_is_told_so() {
    let server = Server::start("");
    let status = async |line: &str, host: &str| {
        let text = format!("{line} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        let mut stream = tls(server.https).await;
        stream.write_all(text.as_bytes()).await.unwrap();
        let mut answer = String::new();
        // A server may end without saying so.
        let _ = stream.read_to_string(&mut answer).await;
        let code = answer.split(' ').nth(1).unwrap().to_owned();
        (code, answer.contains("names no host"))
    };
    for host in ["a_b.example", "1.2.3", "user@host", "host:99999"] {
        for line in [
            "GET /config.js",
            "GET /config.global.js",
            "GET /qr.svg?room=a",
            "GET /ws",
            "POST /access/login",
            "POST /access/invite",
        ] {
            let told = status(line, host).await;
            assert_eq!(told, ("400".to_owned(), true), "{line} at {host}");
        }
        assert_eq!(status("GET /healthz", host).await.0, "200", "{host}");
        assert_eq!(status("GET /style.css", host).await.0, "200", "{host}");
    }
}

#[tokio::test]
async fn connections_from_one_address_are_bounded() {
    let server = Server::start("[server]\nmax_connections_per_ip = 3\n");
    // Connections that are of no use would have to go.
    let held = [
        Client::try_open(server.https, None).await.unwrap(),
        Client::try_open(server.https, None).await.unwrap(),
        Client::try_open(server.https, None).await.unwrap(),
    ];
    let mut fourth = TcpStream::connect(server.https).await.unwrap();
    assert_eq!(ends_after(&mut fourth, b"").await, 0);
    drop(held);
    let freed = async {
        while ends_after(
            &mut TcpStream::connect(server.https).await.unwrap(),
            b"GET / HTTP/1.0\r\n\r\n",
        )
        .await
            > 5
        {}
    };
    timeout(PATIENCE, freed).await.unwrap();
    server.signal(Signal::TERM);
}

#[tokio::test]
async fn connections_are_bounded_in_total() {
    let server = Server::start("[server]\nmax_connections = 2\n");
    let _held = [
        Client::try_open(server.https, None).await.unwrap(),
        Client::try_open(server.https, None).await.unwrap(),
    ];
    let mut third = TcpStream::connect(server.https).await.unwrap();
    assert_eq!(ends_after(&mut third, b"").await, 0);
}

#[tokio::test]
async fn the_certificate_names_what_people_open() {
    let server = Server::start("public_ip = \"5.6.7.8\"\ndomains = [\"call.example.com\"]\n");
    let (_, certificate) = tls_with_certificate(server.https).await;
    for name in ["call.example.com", "localhost"] {
        let there = certificate
            .windows(name.len())
            .any(|window| window == name.as_bytes());
        assert!(there, "{name}");
    }
    for address in [[5u8, 6, 7, 8], [127, 0, 0, 1]] {
        // An iPAddress of four bytes in subjectAltName: tag 7, length 4.
        let encoded = [&[0x87, 4][..], &address].concat();
        assert!(
            certificate.windows(6).any(|window| window == encoded),
            "{address:?}"
        );
    }
}

#[tokio::test]
async fn a_listed_origin_may_read_the_configuration_and_no_other() {
    let server = Server::start("[signaling]\norigins = [\"http://localhost:3000\"]\n");
    let listed = request(
        server.https,
        "/config.js",
        &[("Origin", "http://localhost:3000")],
    )
    .await;
    assert_eq!(
        listed.header("access-control-allow-origin"),
        "http://localhost:3000"
    );
    assert_eq!(
        listed.header("cross-origin-resource-policy"),
        "cross-origin"
    );
    for other in ["https://evil.example", "null"] {
        let refused = request(server.https, "/config.js", &[("Origin", other)]).await;
        assert_eq!(refused.header("access-control-allow-origin"), "", "{other}");
        assert_eq!(
            refused.header("cross-origin-resource-policy"),
            "same-origin"
        );
    }
}
