//! What the operator sees.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::relay::{client, seconds_now, sign};
use crate::support::operator::{metrics, start, value};
use crate::support::{Client, PATIENCE, plain};

#[tokio::test]
async fn metrics_tell_what_goes_on_and_name_nobody() {
    let (server, admin) = start("");
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
    assert!(
        value(&text, "callbox_turn_shard_cpu_seconds{shard=\"0\"}")
            .parse::<f64>()
            .is_ok()
    );
    for personal in ["secret-room", "Ana", "127.0.0.1", &ana.id, &ana.ticket] {
        assert!(!text.contains(personal), "{personal} in\n{text}");
    }
    drop(ana);
}

/// An Allocate request without credentials (RFC 8656 §7.1).
const ALLOCATE: [u8; 28] = *b"\0\x03\0\x08\x21\x12\xa4\x42transaction1\0\x19\0\x04\x11\0\0\0";

#[tokio::test]
async fn refusals_of_the_relay_are_counted_by_code() {
    let (server, admin) = start("");
    let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    for _ in 0..2 {
        socket.send_to(&ALLOCATE, server.turn).await.unwrap();
        let received = tokio::time::timeout(PATIENCE, socket.recv(&mut [0; 512])).await;
        received.expect("an answer").unwrap();
    }
    let text = metrics(admin).await;
    assert_eq!(
        value(&text, "callbox_turn_refusals_total{code=\"401\"}"),
        "2"
    );
    assert_eq!(
        value(&text, "callbox_turn_refusals_total{code=\"486\"}"),
        "0"
    );
}

#[tokio::test]
async fn failed_logins_are_counted_by_reason() {
    let (server, admin) = start("[turn.users]\nalice = \"a-password-of-many-letters\"\n");
    let now = seconds_now();
    let (in_milliseconds, password) = sign(&server, &format!("{}:v-anna", (now + 60) * 1000));
    for (name, password) in [
        ("alice", "guess"),
        ("nobody", "guess"),
        (&format!("{}:v-anna", now + 60), "guess"),
        (&format!("{}:v-anna", now - 60), "guess"),
        (&in_milliseconds, &password),
    ] {
        let client = client(server.turn, name, password).await;
        assert!(client.allocate().await.is_err(), "{name}");
    }
    let text = metrics(admin).await;
    for reason in [
        "unknown_user",
        "wrong_password",
        "wrong_secret",
        "expired",
        "expiry_too_far",
    ] {
        let series = format!("callbox_turn_failed_logins_total{{reason=\"{reason}\"}}");
        assert_eq!(value(&text, &series), "1", "{series}");
    }
    assert!(!text.contains("anna"));
}

#[tokio::test]
async fn the_status_page_shows_what_goes_on_and_names_nobody() {
    let (mut server, admin) = start("");
    let empty = plain(admin, "/", "localhost").await;
    assert_eq!(empty.status, 200);
    assert!(
        empty
            .header("content-security-policy")
            .starts_with("default-src 'none'")
    );
    assert!(empty.text().contains("Nobody is in a room."));
    let _ana = Client::join(server.https, "secret-room", "Ana Lytics").await;
    let _bo = Client::join(server.https, "secret-room", "Bo").await;
    let _cy = Client::join(server.https, "another", "Cy").await;
    let page = plain(admin, "/", "localhost").await;
    let text = page.text();
    for there in [
        "running for 0 min; certificate for ",
        "not trusted by browsers",
        "<strong>3</strong> people",
        "<strong>2</strong> rooms",
        "<strong>1</strong> call<",
        "title=\"2 people\"",
        "title=\"1 person\"",
        "Relayed <strong>0 bit/s</strong>",
        "% of a core",
    ] {
        assert!(text.contains(there), "{there} in\n{text}");
    }
    for personal in ["secret-room", "another", "Ana", "127.0.0.1", "{"] {
        let body = text.split_once("</style>").unwrap().1;
        assert!(!body.contains(personal), "{personal} in\n{body}");
    }
    server.signal(rustix::process::Signal::TERM);
    server.wait();
}

#[tokio::test]
async fn prometheus_own_tool_finds_nothing_to_say() {
    let (server, admin) = start("");
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
