//! No file descriptors left: whoever is there goes on, others wait or are refused, and nothing has to be restarted.

use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use webrtc_util::Conn;

use crate::relay::{client, credentials, receive};
use crate::support::{Client, PATIENCE, Server, get, program, tls_with_certificate, wait_for};

const LIMIT: usize = 96;
/// More than it can take at once.
const FLOOD: usize = 3 * LIMIT;

fn start() -> Server {
    let dir = tempfile::tempdir().unwrap();
    let config = "listen = \"127.0.0.1:0\"\n\
        [turn]\nlisten = \"127.0.0.1:0\"\ntls_listen = \"127.0.0.1:0\"\nshards = 1\n\
        [server]\nhandshake_timeout = \"5m\"\nidle_timeout = \"10m\"\n";
    std::fs::write(dir.path().join("callbox.toml"), config).unwrap();
    let callbox = program();
    let mut command = std::process::Command::new("/bin/sh");
    command
        .args(["-c", &format!("ulimit -n {LIMIT}; exec \"$0\" \"$@\"")])
        .arg(callbox.get_program())
        .args(["--config", "callbox.toml"])
        .env_clear()
        .env("CALLBOX__ADMIN__LISTEN", "off")
        .current_dir(dir.path());
    Server::launch(dir, command)
}

fn descriptors(server: &Server) -> usize {
    let path = format!("/proc/{}/fd", server.id());
    std::fs::read_dir(path).unwrap().count()
}

/// Time that the process's threads have used of the processor.
fn used(server: &Server) -> Duration {
    let tasks = std::fs::read_dir(format!("/proc/{}/task", server.id())).unwrap();
    let of_one = |task: std::fs::DirEntry| {
        let text = std::fs::read_to_string(task.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<u64>().ok()
    };
    let sum = tasks.filter_map(|task| of_one(task.unwrap())).sum();
    Duration::from_nanos(sum)
}

/// Connections that say nothing, to one port.
async fn flood(address: std::net::SocketAddr) -> Vec<TcpStream> {
    let mut held = Vec::new();
    for _ in 0..FLOOD {
        held.push(TcpStream::connect(address).await.unwrap());
    }
    held
}

async fn is_served(address: std::net::SocketAddr) -> bool {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
    stream.write_all(request).await.unwrap();
    let read = timeout(Duration::from_millis(300), stream.read(&mut [0; 16])).await;
    matches!(read, Ok(Ok(length)) if length > 0)
}

fn files(dir: &Path) -> Vec<Vec<u8>> {
    ["local-ca/ca.pem", "local-ca/server.pem", "turn-secret"]
        .map(|name| std::fs::read(dir.join("state").join(name)).unwrap())
        .to_vec()
}

#[tokio::test]
async fn without_descriptors_running_calls_live_and_the_listeners_recover() {
    let server = start();
    let mut ana = Client::join(server.https, "a", "Ana").await;
    let mut bo = Client::join(server.https, "a", "Bo").await;
    ana.expect("peer-joined").await;
    let mut relayed = Vec::new();
    for _ in 0..2 {
        let (name, password) = credentials(&server).await;
        let client = client(server.turn, &name, &password).await;
        let conn = client.allocate().await.unwrap();
        relayed.push((client, conn));
    }
    let (one, other) = (&relayed[0].1, &relayed[1].1);
    let (here, there) = (one.local_addr().unwrap(), other.local_addr().unwrap());
    one.send_to(b"open", there).await.unwrap();
    other.send_to(b"open", here).await.unwrap();
    receive(one).await;
    let (_, certificate) = tls_with_certificate(server.https).await;
    let kept = files(server.dir.path());
    let (name, password) = credentials(&server).await;

    for address in [server.https, server.turn] {
        let held = flood(address).await;
        wait_for("no descriptor left", &server, async || {
            (descriptors(&server) >= LIMIT).then_some(())
        })
        .await;
        let lines = server.log().lines().count();
        let (before, begun) = (used(&server), Instant::now());
        for round in 0..20 {
            ana.signal(&bo.id, json!(round)).await;
            assert_eq!(bo.expect("signal").await["data"]["candidate"], round);
            one.send_to(b"media", there).await.unwrap();
            while receive(other).await.0 != b"media" {}
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert!(!is_served(server.https).await, "there is none for it");
        let share =
            used(&server).saturating_sub(before).as_secs_f64() / begun.elapsed().as_secs_f64();
        assert!(share < 0.3, "it turns in circles: {share}");
        // No room for another relayed address, either.
        let another = client(server.turn, &name, &password).await;
        assert!(another.allocate().await.is_err());
        // What is on the disk cannot be looked at, and is not given up for that.
        server.signal(Signal::HUP);
        ana.expect_nothing().await;
        let said = server.log().lines().count() - lines;
        assert!(said < 5, "{}", server.log());

        drop(held);
        // Long before any deadline of those that were held.
        let answer = timeout(PATIENCE, get(server.https, "/healthz")).await;
        assert_eq!(answer.expect("an answer").status, 200);
        wait_for("the flood is gone", &server, async || {
            (descriptors(&server) < LIMIT / 2).then_some(())
        })
        .await;
    }

    assert_eq!(tls_with_certificate(server.https).await.1, certificate);
    assert_eq!(files(server.dir.path()), kept);
    let mut cy = Client::join(server.https, "a", "Cy").await;
    ana.expect("peer-joined").await;
    cy.signal(&ana.id, json!("hello")).await;
    ana.expect("signal").await;
    client(server.turn, &name, &password)
        .await
        .allocate()
        .await
        .unwrap();
    assert!(is_served(server.https).await);
}
