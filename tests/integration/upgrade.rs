//! Exchanging the program for another version: ports that stay open, and calls that get their time.

use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tokio::time::timeout;

use crate::support::{Client, PATIENCE, Server, get};

/// callbox with this listener as its only inherited one, as systemd starts it.
fn activated(dir: &std::path::Path, listener: &TcpListener) -> Child {
    // $$ is the shell's process, which callbox takes over.
    let script =
        "exec 3<&0 </dev/null; LISTEN_FDS=1 LISTEN_PID=$$ exec \"$0\" --config callbox.toml";
    Command::new("/bin/sh")
        .args(["-c", script, env!("CARGO_BIN_EXE_callbox")])
        .current_dir(dir)
        .stdin(Stdio::from(OwnedFd::from(listener.try_clone().unwrap())))
        .stdout(Stdio::null())
        .stderr(std::fs::File::create(dir.join("log")).unwrap())
        .spawn()
        .unwrap()
}

#[tokio::test]
async fn with_ports_from_systemd_an_upgrade_refuses_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let config =
        format!("listen = \"{address}\"\n[turn]\nenabled = false\n[admin]\nlisten = \"off\"\n");
    std::fs::write(dir.path().join("callbox.toml"), config).unwrap();
    let mut first = activated(dir.path(), &listener);
    assert_eq!(get(address, "/healthz").await.status, 200);
    kill_process(Pid::from_child(&first), Signal::TERM).unwrap();
    assert!(first.wait().unwrap().success());
    // Nobody serves now, and still nobody is refused.
    let waiting = tokio::spawn(get(address, "/healthz"));
    tokio::task::yield_now().await;
    let mut second = activated(dir.path(), &listener);
    let answer = timeout(PATIENCE, waiting)
        .await
        .expect("an answer")
        .unwrap();
    assert_eq!(answer.text(), "ok\n");
    second.kill().unwrap();
    second.wait().unwrap();
}

#[tokio::test]
async fn a_port_from_systemd_that_no_key_names_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let config = "listen = \"127.0.0.1:0\"\n[turn]\nenabled = false\n[admin]\nlisten = \"off\"\n";
    std::fs::write(dir.path().join("callbox.toml"), config).unwrap();
    let mut child = activated(dir.path(), &listener);
    let sentence = format!("no key names port {port}; remove it from callbox.socket or set listen");
    let told = async {
        while !std::fs::read_to_string(dir.path().join("log"))
            .unwrap()
            .contains(&sentence)
        {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, told).await.expect("the sentence");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn the_units_name_the_ports_of_the_configuration() {
    let read = |name: &str| {
        std::fs::read_to_string(format!("{}/deploy/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
    };
    let socket = read("callbox.socket");
    let ports: Vec<_> = socket
        .lines()
        .filter_map(|line| line.strip_prefix("ListenStream="))
        .collect();
    assert_eq!(ports, ["443", "80", "3478", "5349"]);
    let config = read("callbox.toml");
    assert!(
        config.contains("listen = \"[::]:443\"") && config.contains("redirect = \"[::]:80\""),
        "{config}"
    );
}

fn draining(time: &str) -> Server {
    Server::start(&format!("[server]\ndrain = \"{time}\"\n"))
}

async fn joined(server: &Server, room: &str, name: &str) -> Client {
    Client::join(server.https, room, name).await
}

#[tokio::test]
async fn a_draining_server_tells_those_in_rooms_and_opens_no_more() {
    let mut server = draining("1h");
    let mut ana = joined(&server, "a", "Ana").await;
    server.signal(Signal::TERM);
    let told = ana.expect("draining").await;
    assert!(
        (3590..=3600).contains(&told["seconds"].as_u64().unwrap()),
        "{told}"
    );
    assert_eq!(get(server.https, "/healthz").await.status, 503);

    let mut bo = Client::connect(server.https).await;
    let join = |room: &str| serde_json::json!({"type": "join", "room": room, "name": "Bo", "ticket": bo.ticket});
    let (other, same) = (join("b"), join("a"));
    bo.send(&other).await;
    assert_eq!(bo.expect("error").await["code"], "draining");
    bo.send(&same).await;
    bo.expect("welcome").await;
    bo.expect("draining").await;
    ana.expect("peer-joined").await;

    // Once both have left, the server does not wait any longer.
    for client in [&mut ana, &mut bo] {
        client.send(&serde_json::json!({"type": "leave"})).await;
        assert_eq!(client.close_code().await, 1000);
    }
    let (status, _) = server.wait();
    assert!(status.success());
}

#[tokio::test]
async fn when_the_time_is_over_calls_are_closed() {
    let mut server = draining("2s");
    let mut ana = joined(&server, "a", "Ana").await;
    let start = Instant::now();
    server.signal(Signal::TERM);
    ana.expect("draining").await;
    assert_eq!(ana.close_code().await, 1001);
    assert!(start.elapsed() >= Duration::from_secs(2));
    assert!(server.wait().0.success());
}

#[tokio::test]
async fn without_anybody_it_stops_at_once_and_a_second_signal_does_not_wait() {
    let mut empty = draining("1h");
    empty.signal(Signal::TERM);
    assert!(empty.wait().0.success());

    let mut busy = draining("1h");
    let mut ana = joined(&busy, "a", "Ana").await;
    busy.signal(Signal::TERM);
    ana.expect("draining").await;
    busy.signal(Signal::TERM);
    assert_eq!(busy.wait().0.code(), Some(1));
}
