//! What the operator sees.

use std::io::Write;
use std::net::SocketAddr;
use std::process::{Command, Stdio};

use crate::support::authority::free_port;
use crate::support::{Client, Server, plain};

/// A server, and where its metrics are.
fn start() -> (Server, SocketAddr) {
    let admin = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let dir = tempfile::tempdir().unwrap();
    let config = format!(
        "listen = \"127.0.0.1:0\"\n[turn]\nlisten = \"127.0.0.1:0\"\ntls_listen = \"127.0.0.1:0\"\n\
         [admin]\nlisten = \"{admin}\"\n"
    );
    std::fs::write(dir.path().join("callbox.toml"), config).unwrap();
    (
        Server::start_with(dir, &[], &[("CALLBOX__ADMIN__LISTEN", "")]),
        admin,
    )
}

async fn metrics(admin: SocketAddr) -> String {
    let response = plain(admin, "/metrics", "localhost").await;
    assert_eq!(response.status, 200);
    assert!(
        response
            .header("content-type")
            .starts_with("text/plain; version=0.0.4")
    );
    response.text().to_owned()
}

/// The value of a series, as it is written.
fn value<'a>(metrics: &'a str, series: &str) -> &'a str {
    let line = metrics
        .lines()
        .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {series} in\n{metrics}"))
}

#[tokio::test]
async fn metrics_tell_what_goes_on_and_name_nobody() {
    let (server, admin) = start();
    assert_eq!(plain(admin, "/healthz", "localhost").await.status, 200);
    let ana = Client::join(server.https, "secret-room", "Ana Lytics").await;
    let before = metrics(admin).await;
    assert_eq!(value(&before, "callbox_rooms"), "1");
    assert_eq!(value(&before, "callbox_calls"), "0");
    let mut bo = Client::join(server.https, "secret-room", "Bo").await;
    bo.send_text("rubbish").await;
    bo.expect("error").await;
    let text = metrics(admin).await;
    for (series, wanted) in [
        ("callbox_rooms", "1"),
        ("callbox_calls", "1"),
        ("callbox_people", "2"),
        ("callbox_websockets", "2"),
        ("callbox_certificate_trusted", "0"),
        ("callbox_websocket_messages_total{way=\"in\"}", "3"),
        (
            "callbox_signaling_refusals_total{code=\"bad-message\"}",
            "1",
        ),
        ("callbox_turn_relayed_bytes_total{way=\"to_peers\"}", "0"),
        (
            "callbox_turn_dropped_packets_total{reason=\"no_permission\"}",
            "0",
        ),
    ] {
        assert_eq!(value(&text, series), wanted, "{series}");
    }
    for personal in ["secret-room", "Ana", "127.0.0.1", &ana.id, &ana.ticket] {
        assert!(!text.contains(personal), "{personal} in\n{text}");
    }
    drop(ana);
}

#[tokio::test]
async fn prometheus_own_tool_finds_nothing_to_say() {
    let (server, admin) = start();
    let _ana = Client::join(server.https, "team", "Ana").await;
    let text = metrics(admin).await;
    let mut tool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool is installed");
    tool.stdin
        .take()
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
    let output = tool.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{said}\n{text}");
}

#[tokio::test]
async fn a_port_that_is_taken_is_an_error_only_where_it_was_asked_for() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = crate::support::program()
        .args(["--listen", "127.0.0.1:0"])
        .env("CALLBOX__ADMIN__LISTEN", &address)
        .env("CALLBOX__TURN__ENABLED", "false")
        .current_dir(tempfile::tempdir().unwrap().path())
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(
        said.contains("admin.listen") && said.contains("used by another program"),
        "{said}"
    );
}
