//! Certificates from an authority.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::support::authority::{Authority, Ports, acme_config, make_server_certificate};
use crate::support::{Server, tls_with_certificate, wait_for};

const HOUR: Duration = Duration::from_secs(3600);

/// A server on these ports; `top` and `acme` are added to its configuration.
fn start(ports: Ports, top: &str, acme: &str) -> Server {
    Server::start_in(folder(ports, top, acme), &[])
}

fn folder(ports: Ports, top: &str, acme: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let text = format!(
        "listen = \"127.0.0.1:{}\"\n{top}\n[turn]\nenabled = false\n\
         [http]\nredirect = \"127.0.0.1:{}\"\n{acme}",
        ports.tls, ports.http
    );
    std::fs::write(dir.path().join("callbox.toml"), text).unwrap();
    dir
}

/// The names of the certificate that is served, and who issued it.
async fn served(server: &Server) -> (Vec<String>, String) {
    let (_, der) = tls_with_certificate(server.https).await;
    describe(&der)
}

fn describe(der: &[u8]) -> (Vec<String>, String) {
    let (_, parsed) = x509_parser::parse_x509_certificate(der).unwrap();
    let names = parsed
        .subject_alternative_name()
        .unwrap()
        .map_or_else(Vec::new, |san| {
            let names = san.value.general_names.iter();
            names
                .map(|name| match name {
                    x509_parser::extensions::GeneralName::DNSName(name) => (*name).to_owned(),
                    x509_parser::extensions::GeneralName::IPAddress(bytes) => {
                        format!("{bytes:?}")
                    }
                    other => format!("{other:?}"),
                })
                .collect()
        });
    (names, parsed.issuer().to_string())
}

/// Waits until an authority's certificate is served; its names.
async fn certified(server: &Server) -> Vec<String> {
    wait_for("a certificate of the authority", server, async || {
        let (names, issuer) = served(server).await;
        issuer.contains("Pebble").then_some(names)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn two_names_are_certified_over_either_port_and_kept_over_a_restart() {
    for challenge in ["http-01", "tls-alpn-01"] {
        let ports = Ports::free();
        let mut authority = Authority::start(ports, 90 * 24 * HOUR).await;
        let acme = authority.config(&format!(
            "challenge = \"{challenge}\"\nemail = \"ana@example.com\"\n"
        ));
        let domains = "domains = [\"call.example.com\", \"www.example.com\"]";
        let server = start(ports, domains, &acme);
        let mut names = certified(&server).await;
        names.sort();
        assert_eq!(names, ["call.example.com", "www.example.com"]);
        let log = server.log();
        assert!(log.contains("the authority has certified"), "{log}");

        let kept: Vec<_> = files_below(&server.path("state/acme"));
        for name in ["account.json", "certificate.pem"] {
            assert!(kept.iter().any(|file| file.ends_with(name)), "{kept:?}");
        }
        for file in kept {
            let mode = std::fs::metadata(&file).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{}", file.display());
        }

        let (_, first) = tls_with_certificate(server.https).await;
        authority.stop();
        let server = server.restart();
        let (_, again) = tls_with_certificate(server.https).await;
        assert_eq!(
            first, again,
            "served at once, whether the authority is there or not"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bare_address_is_certified_over_either_port() {
    for challenge in ["http-01", "tls-alpn-01"] {
        let ports = Ports::free();
        let authority = Authority::start(ports, 6 * 24 * HOUR).await;
        let acme = authority.config(&format!("challenge = \"{challenge}\"\n"));
        let server = start(ports, "public_ip = \"127.0.0.1\"", &acme);
        assert_eq!(certified(&server).await, ["[127, 0, 0, 1]"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_renewed_while_connections_go_on() {
    let ports = Ports::free();
    let authority = Authority::start(ports, Duration::from_secs(8)).await;
    let server = start(
        ports,
        "domains = [\"call.example.com\"]",
        &authority.config(""),
    );
    certified(&server).await;
    let (mut open, first) = tls_with_certificate(server.https).await;
    wait_for("another certificate", &server, async || {
        let (_, der) = tls_with_certificate(server.https).await;
        (der != first && describe(&der).1.contains("Pebble")).then_some(())
    })
    .await;
    open.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        .await
        .unwrap();
    let mut answer = String::new();
    open.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_authority_is_gone_the_page_is_served_and_it_is_tried_again() {
    let ports = Ports::free();
    let mut authority = Authority::start(ports, HOUR).await;
    authority.stop();
    let server = start(
        ports,
        "domains = [\"call.example.com\"]",
        &authority.config(""),
    );
    wait_for("two attempts", &server, async || {
        (server
            .log()
            .matches("no certificate for call.example.com")
            .count()
            >= 2)
            .then_some(())
    })
    .await;
    let log = server.log();
    assert!(log.contains("see that this machine reaches it"), "{log}");
    let ways = ["by http-01", "by tls-alpn-01"];
    assert!(
        ways.iter().all(|way| log.contains(way)),
        "each is tried: {log}"
    );
    let (_, issuer) = served(&server).await;
    assert!(issuer.contains("callbox self-signed"), "{issuer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_told_in_the_authoritys_words_with_a_remedy() {
    let ports = Ports::free();
    // Validation goes to ports at which nothing listens.
    let authority = Authority::start(Ports::free(), HOUR).await;
    let server = start(
        ports,
        "domains = [\"call.example.com\"]",
        &authority.config(""),
    );
    wait_for("the refusal of both ways", &server, async || {
        let log = server.log();
        let refused = log.contains("by http-01: ") && log.contains("by tls-alpn-01: ");
        (refused && log.matches("connection refused").count() >= 2).then_some(())
    })
    .await;
    assert!(
        server
            .log()
            .contains("port 80 ([http] redirect) must be open to the world")
    );

    let server = start(
        Ports::free(),
        "domains = [\"blocked.example.com\"]",
        &authority.config(""),
    );
    wait_for("the refusal of a name", &server, async || {
        server.log().contains("forbidden by policy").then_some(())
    })
    .await;
    let log = server.log();
    assert!(
        log.contains("let `domains` name what this authority certifies"),
        "{log}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_in_the_middle_of_a_slow_order_begins_another_with_the_same_account() {
    let ports = Ports::free();
    let authority = Authority::start_with(ports, HOUR, ("PEBBLE_VA_SLEEPTIME", "2")).await;
    let server = start(
        ports,
        "domains = [\"call.example.com\"]",
        &authority.config(""),
    );
    let pebble = || authority.log();
    wait_for("an order", &server, async || {
        pebble().contains("to the db").then_some(())
    })
    .await;
    wait_for("a validation", &server, async || {
        pebble().contains("Sleeping for").then_some(())
    })
    .await;
    let server = server.restart();
    assert_eq!(certified(&server).await, ["call.example.com"]);
    let accounts = pebble().matches("There are now 1 accounts").count();
    assert_eq!(accounts, 1, "{}", pebble());
    assert!(!pebble().contains("There are now 2 accounts"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authority_that_has_forgotten_the_account_gets_another_one() {
    let ports = Ports::free();
    let mut authority = Authority::start(ports, Duration::from_secs(6)).await;
    let server = start(
        ports,
        "domains = [\"call.example.com\"]",
        &authority.config(""),
    );
    certified(&server).await;
    authority.forget_all().await;
    wait_for("a new account", &server, async || {
        let log = authority.log();
        log.contains("Issued certificate").then_some(())
    })
    .await;
}

/// An authority that lists profiles and refuses each order; what the orders ask for.
async fn authority_with_profiles(dir: &std::path::Path) -> (u16, Arc<Mutex<Vec<String>>>) {
    make_server_certificate(dir);
    let chain = CertificateDer::from_pem_file(dir.join("server.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(dir.join("server.key")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![chain], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let orders = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&orders);
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let Ok(mut stream) = acceptor.accept(stream).await else {
                continue;
            };
            let mut request = vec![0; 16 * 1024];
            let length = stream.read(&mut request).await.unwrap_or(0);
            let mut text = String::from_utf8_lossy(&request[..length]).into_owned();
            if text.starts_with("POST") && text.ends_with("\r\n\r\n") {
                let length = stream.read(&mut request).await.unwrap_or(0);
                text.push_str(&String::from_utf8_lossy(&request[..length]));
            }
            let answer = answer(port, &text, &seen);
            let _ = stream.write_all(answer.as_bytes()).await;
            let _ = stream.shutdown().await;
        }
    });
    (port, orders)
}

fn answer(port: u16, request: &str, orders: &Mutex<Vec<String>>) -> String {
    let url = |path: &str| format!("https://127.0.0.1:{port}/{path}");
    let reply = |status: &str, body: &str| {
        format!(
            "HTTP/1.1 {status}\r\ncontent-length: {}\r\nreplay-nonce: n\r\nlocation: {}\r\nconnection: close\r\n\r\n{body}",
            body.len(),
            url("account/1")
        )
    };
    let path = request.split(' ').nth(1).unwrap_or_default();
    match path {
        "/dir" => reply(
            "200 OK",
            &serde_json::json!({
                "newNonce": url("nonce"), "newAccount": url("account"), "newOrder": url("order"),
                "meta": { "profiles": { "classic": "three months", "shortlived": "six days" } }
            })
            .to_string(),
        ),
        "/nonce" => reply("200 OK", ""),
        "/account" => reply("201 Created", r#"{"status":"valid"}"#),
        _ => {
            let body = request.split("\r\n\r\n").nth(1).unwrap_or_default();
            let jws: serde_json::Value = serde_json::from_str(body).unwrap_or_default();
            let payload = jws["payload"].as_str().unwrap_or_default();
            let payload = URL_SAFE_NO_PAD.decode(payload).unwrap_or_default();
            orders
                .lock()
                .unwrap()
                .push(String::from_utf8(payload).unwrap());
            let problem =
                r#"{"type":"urn:ietf:params:acme:error:rejectedIdentifier","detail":"not today"}"#;
            reply("403 Forbidden", problem)
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_is_ordered_with_the_profile_for_short_lives_and_a_name_without() {
    let dir = tempfile::tempdir().unwrap();
    let (port, orders) = authority_with_profiles(dir.path()).await;
    for (top, profile) in [
        ("public_ip = \"203.0.113.7\"", Some("shortlived")),
        ("domains = [\"call.example.com\"]", None),
    ] {
        let server = start(Ports::free(), top, &acme_config(dir.path(), port, ""));
        let order = wait_for("an order", &server, async || orders.lock().unwrap().pop()).await;
        let order: serde_json::Value = serde_json::from_str(&order).unwrap();
        assert_eq!(order["profile"].as_str(), profile, "{order}");
        wait_for("the refusal", &server, async || {
            server.log().contains("not today").then_some(())
        })
        .await;
        drop(server);
        orders.lock().unwrap().clear();
    }
}

fn files_below(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).unwrap();
    entries
        .map(|entry| entry.unwrap().path())
        .flat_map(|path| {
            if path.is_dir() {
                files_below(&path)
            } else {
                vec![path]
            }
        })
        .collect()
}
