//! Start and stop.

use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use rustix::process::Signal;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{Client, PATIENCE, Server, program, tls};

#[tokio::test]
async fn sigterm_and_sigint_stop_in_order() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut server = Server::start("");
        let mut ana = Client::join(server.https, "a", "Ana").await;
        server.signal(signal);
        assert_eq!(ana.close_code().await, 1001);
        let (status, took) = server.wait();
        assert_eq!(status.code(), Some(0));
        assert!(took < Duration::from_secs(5), "{took:?}");
        assert!(
            server.log().trim_end().ends_with("stopped"),
            "{}",
            server.log()
        );
    }
}

#[tokio::test]
async fn it_stops_in_time_even_if_nobody_listens() {
    let mut server = Server::start("");
    let _deaf = Client::join(server.https, "a", "Deaf").await;
    let _raw = tokio::net::TcpStream::connect(server.https).await.unwrap();
    server.signal(Signal::TERM);
    let (status, took) = server.wait();
    assert_eq!(status.code(), Some(0));
    assert!(took < Duration::from_secs(5), "{took:?}");
}

/// A Binding request; the whole of its answer over IPv4 has 32 bytes.
const BINDING: [u8; 20] = *b"\0\x01\0\0\x21\x12\xa4\x42transaction1";

#[tokio::test]
async fn turn_clients_on_streams_are_told_of_the_end() {
    let mut server = Server::start("");
    let mut plain = TcpStream::connect(server.turn).await.unwrap();
    let mut over_tls = tls(server.https).await;
    let mut answer = [0; 32];
    plain.write_all(&BINDING).await.unwrap();
    plain.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer[8..20], BINDING[8..]);
    over_tls.write_all(&BINDING).await.unwrap();
    over_tls.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer[8..20], BINDING[8..]);
    server.signal(Signal::TERM);
    let mut rest = Vec::new();
    plain.read_to_end(&mut rest).await.unwrap();
    // Without close_notify this is an error.
    over_tls.read_to_end(&mut rest).await.unwrap();
    assert!(rest.is_empty());
    assert_eq!(server.wait().0.code(), Some(0));
    assert!(server.log().contains("relayed in all:"), "{}", server.log());
}

#[tokio::test]
async fn systemd_is_told_when_it_is_ready() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let config = "listen = \"127.0.0.1:0\"\n[turn]\nlisten = \"127.0.0.1:0\"\ntls_listen = \"127.0.0.1:0\"\n";
    std::fs::write(dir.path().join("callbox.toml"), config).unwrap();
    let mut child = program()
        .args(["--config", "callbox.toml"])
        .env("NOTIFY_SOCKET", &path)
        .env("STATE_DIRECTORY", dir.path().join("kept"))
        .current_dir(dir.path())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let mut message = [0; 256];
    let length = socket.recv(&mut message).unwrap();
    assert!(message[..length].starts_with(b"READY=1"));
    assert!(dir.path().join("kept/turn-secret").exists());
    child.kill().unwrap();
    child.wait().unwrap();
}

#[tokio::test]
async fn the_log_is_for_operators() {
    let mut server = Server::start("[log]\nformat = \"json\"\n");
    let ana = Client::join(server.https, "a-secret-room", "Ana-Private").await;
    let ticket = ana.ticket.clone();
    drop(ana);
    server.signal(Signal::TERM);
    server.wait();
    let log = server.log();
    assert!(
        log.lines()
            .all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok())
    );
    assert!(
        log.contains("room opened") && log.contains("callbox 0.1.0 started"),
        "{log}"
    );
    let secret = std::fs::read_to_string(server.path("state/turn-secret")).unwrap();
    for private in ["a-secret-room", "Ana-Private", &ticket, &secret] {
        assert!(!log.contains(private), "{private}");
    }
}
