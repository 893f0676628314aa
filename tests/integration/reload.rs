//! Certificates that are exchanged while the server runs.

use std::net::SocketAddr;
use std::path::Path;

use rustix::process::Signal;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{Server, tls_with_certificate, wait_for};

/// Writes a pair for these names to `cert.pem` and `key.pem`, each beside its place first; the certificate's DER.
fn bring(
    dir: &Path,
    names: &[&str],
    change: impl FnOnce(&mut rcgen::CertificateParams),
) -> Vec<u8> {
    let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = rcgen::CertificateParams::new(names).unwrap();
    change(&mut params);
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    for (name, text) in [
        ("cert.pem", certificate.pem()),
        ("key.pem", key.serialize_pem()),
    ] {
        let beside = dir.join(format!("{name}.new"));
        std::fs::write(&beside, text).unwrap();
        std::fs::rename(beside, dir.join(name)).unwrap();
    }
    certificate.der().to_vec()
}

const CONFIG: &str = "listen = \"127.0.0.1:0\"\n[turn]\nlisten = \"127.0.0.1:0\"\ntls_listen = \"127.0.0.1:0\"\n\
    [tls]\ncert = \"cert.pem\"\nkey = \"key.pem\"\n";

/// A server with a certificate for `call.example.com`, and that certificate.
fn start() -> (Server, Vec<u8>) {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("callbox.toml"), CONFIG).unwrap();
    let first = bring(dir.path(), &["call.example.com"], |_| {});
    (Server::start_in(dir, &[]), first)
}

/// Gives a pair the names that certbot does.
fn rename_as_certbot(dir: &Path) {
    for (from, to) in [("cert.pem", "fullchain.pem"), ("key.pem", "privkey.pem")] {
        std::fs::rename(dir.join(from), dir.join(to)).unwrap();
    }
}

async fn shown(address: SocketAddr) -> Vec<u8> {
    tls_with_certificate(address).await.1
}

async fn until(what: &str, server: &Server, mut done: impl AsyncFnMut() -> bool) {
    wait_for(what, server, async || done().await.then_some(())).await;
}

#[tokio::test]
async fn a_changed_pair_is_taken_over_at_once_on_sighup_and_open_connections_stay() {
    let (server, first) = start();
    let (mut open, certificate) = tls_with_certificate(server.https).await;
    assert_eq!(certificate, first);
    let second = bring(server.dir.path(), &["call.example.com"], |_| {});
    server.signal(Signal::HUP);
    until("the new one on HTTPS", &server, async || {
        shown(server.https).await == second
    })
    .await;
    let turn_tls = turn_tls(&server);
    assert_eq!(shown(turn_tls).await, second, "on TURN over TLS too");
    open.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        .await
        .unwrap();
    let mut answer = String::new();
    open.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

/// Where TURN over TLS has a port of its own: the address before "(TLS)".
fn turn_tls(server: &Server) -> SocketAddr {
    let before = server.banner.split("(TLS)").next().unwrap();
    before.split_whitespace().last().unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_changed_pair_is_taken_over_without_a_signal() {
    let (server, _) = start();
    let second = bring(server.dir.path(), &["call.example.com"], |_| {});
    until("the new one", &server, async || {
        shown(server.https).await == second
    })
    .await;
}

#[tokio::test]
async fn a_pair_that_cannot_be_served_is_refused_with_a_sentence() {
    type Spoil = fn(&Path);
    let cases: [(&str, Spoil); 5] = [
        ("holds no PEM certificate", |dir| {
            let whole = std::fs::read_to_string(dir.join("cert.pem")).unwrap();
            std::fs::write(dir.join("cert.pem"), &whole[..whole.len() / 2]).unwrap();
        }),
        ("cannot be used together", |dir| {
            let key = rcgen::KeyPair::generate().unwrap();
            std::fs::write(dir.join("key.pem"), key.serialize_pem()).unwrap();
        }),
        ("it has expired", |dir| {
            bring(dir, &["call.example.com"], |params| {
                params.not_after = rcgen::date_time_ymd(2020, 1, 1);
            });
        }),
        ("nothing that the old one does", |dir| {
            bring(dir, &["other.example.com"], |_| {});
        }),
        ("cannot be read", |dir| {
            std::fs::remove_file(dir.join("cert.pem")).unwrap();
        }),
    ];
    let (server, first) = start();
    for (sentence, spoil) in cases {
        bring(server.dir.path(), &["call.example.com"], |_| {});
        spoil(server.dir.path());
        server.signal(Signal::HUP);
        until(sentence, &server, async || server.log().contains(sentence)).await;
    }
    assert_eq!(
        server.log().matches("stays as it is").count(),
        cases.len(),
        "each is said once"
    );
    assert_eq!(shown(server.https).await, first);
    let last = bring(server.dir.path(), &["call.example.com"], |_| {});
    server.signal(Signal::HUP);
    until("one that can be served", &server, async || {
        shown(server.https).await == last
    })
    .await;
}

#[tokio::test]
async fn the_hook_for_certbot_hands_a_renewed_certificate_over() {
    let dir = tempfile::tempdir().unwrap();
    let config = CONFIG
        .replace("cert.pem", "fullchain.pem")
        .replace("key.pem", "privkey.pem");
    std::fs::write(dir.path().join("callbox.toml"), config).unwrap();
    bring(dir.path(), &["call.example.com"], |_| {});
    rename_as_certbot(dir.path());
    let server = Server::start_in(dir, &[]);
    let lineage = tempfile::tempdir().unwrap();
    let renewed = bring(lineage.path(), &["call.example.com"], |_| {});
    rename_as_certbot(lineage.path());
    run_hook(lineage.path(), server.dir.path());
    server.signal(Signal::HUP);
    until("the renewed one", &server, async || {
        shown(server.https).await == renewed
    })
    .await;

    // The machine has a certificate for something else, too.
    let other = tempfile::tempdir().unwrap();
    bring(other.path(), &["mail.example.com"], |_| {});
    rename_as_certbot(other.path());
    let pair =
        || ["fullchain.pem", "privkey.pem"].map(|name| std::fs::read(server.path(name)).unwrap());
    let before = pair();
    run_hook(other.path(), server.dir.path());
    assert!(pair() == before);
}

/// As certbot does once it has renewed what lies there.
fn run_hook(lineage: &Path, dir: &Path) {
    let hook = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/certbot-deploy-hook");
    let group = std::process::Command::new("id")
        .arg("-gn")
        .output()
        .unwrap();
    let status = std::process::Command::new(hook)
        .env("RENEWED_LINEAGE", lineage)
        .env("CALLBOX_DIR", dir)
        .env(
            "CALLBOX_GROUP",
            String::from_utf8(group.stdout).unwrap().trim(),
        )
        .status()
        .unwrap();
    assert!(status.success());
}
