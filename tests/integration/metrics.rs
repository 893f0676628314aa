//! What the operator sees.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::relay::{client, seconds_now, sign};
use crate::support::operator::{metrics, start, value};
use crate::support::{Client, PATIENCE, get, plain};

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

fn refused(metrics: &str, door: &str, bound: &str) -> String {
    let series = format!("callbox_refused_total{{door=\"{door}\",bound=\"{bound}\"}}");
    value(metrics, &series).to_owned()
}

const BOUNDS: [(&str, &str); 28] = [
    ("front", "max_connections"),
    ("front", "max_connections_per_ip"),
    ("front", "network"),
    ("websocket", "max_connections"),
    ("websocket", "max_connections_per_ip"),
    ("websocket", "network"),
    ("websocket", "origins"),
    ("page", "visitors_per_minute"),
    ("room", "max_peers"),
    ("room", "max_rooms"),
    ("room", "max_rooms_per_ip"),
    ("room", "network"),
    ("room", "seats"),
    ("lock", "rate"),
    ("knock", "waiting"),
    ("knock", "rate"),
    ("login", "attempts_per_minute"),
    ("login", "at_once"),
    ("qr", "rate"),
    ("qr", "at_once"),
    ("relay", "allocations"),
    ("relay", "allocations_per_visitor"),
    ("relay", "allocations_per_ip"),
    ("relay", "network"),
    ("relay", "allocations_per_minute"),
    ("relay", "relay_ports"),
    ("admin", "connections"),
    ("admin", "hosts"),
];

#[tokio::test]
async fn every_bound_is_counted_from_zero_and_documented() {
    let (_server, admin) = start("");
    let text = metrics(admin).await;
    let document = include_str!("../../docs/operating.md");
    for (door, bound) in BOUNDS {
        assert_eq!(refused(&text, door, bound), "0", "{door} {bound}");
        let row = format!("| `{door}` | ");
        let row = document.lines().find(|line| line.starts_with(&row));
        let row = row.unwrap_or_else(|| panic!("{door} is not documented"));
        assert!(row.contains(&format!("`{bound}`")), "{bound}: {row}");
    }
    let all = text.matches("callbox_refused_total{").count();
    assert_eq!(all, BOUNDS.len());
    for code in [1000, 1001, 1009, 4001, 4002, 4003, 4008] {
        let series = format!("callbox_websocket_closes_total{{code=\"{code}\"}}");
        assert_eq!(value(&text, &series), "0");
    }
    for reason in ["timeout", "not_understood", "broken"] {
        let series = format!("callbox_handshake_failures_total{{reason=\"{reason}\"}}");
        assert_eq!(value(&text, &series), "0");
    }
}

#[tokio::test]
async fn the_bound_that_was_reached_is_the_one_that_is_counted() {
    let (server, admin) = start(
        "[signaling]\nmax_peers = 2\nmax_rooms = 2\nmax_rooms_per_ip = 1\nmax_connections_per_ip = 3\n\
         visitors_per_minute = 3\n",
    );
    let _people = [
        Client::join(server.https, "team", "Ana").await,
        Client::join(server.https, "team", "Bo").await,
    ];
    let mut cy = Client::connect(server.https).await;
    for room in ["team", "another"] {
        let join = serde_json::json!({
            "type": "join", "room": room, "name": "Cy", "ticket": cy.ticket.clone()
        });
        cy.send(&join).await;
        cy.expect("error").await;
    }
    let foreign = Client::try_open(server.https, Some("https://evil.example")).await;
    assert!(foreign.is_err());
    assert!(
        Client::try_open(server.https, None).await.is_err(),
        "a fourth WebSocket"
    );
    assert_eq!(get(server.https, "/config.js").await.status, 429);
    assert_eq!(plain(admin, "/", "evil.example").await.status, 421);
    let text = metrics(admin).await;
    let reached = [
        ("room", "max_peers"),
        ("room", "max_rooms_per_ip"),
        ("websocket", "origins"),
        ("websocket", "max_connections_per_ip"),
        ("page", "visitors_per_minute"),
        ("admin", "hosts"),
    ];
    for (door, bound) in BOUNDS {
        let wanted = if reached.contains(&(door, bound)) {
            "1"
        } else {
            "0"
        };
        assert_eq!(refused(&text, door, bound), wanted, "{door} {bound}");
    }
}

#[tokio::test]
async fn why_a_websocket_was_closed_is_counted() {
    let (server, admin) = start("[signaling]\nmessage_rate = 1\n");
    let mut ana = Client::join(server.https, "team", "Ana").await;
    for _ in 0..10 {
        ana.send_text("{\"type\":\"ping\"}").await;
    }
    assert_eq!(ana.close_code().await, 4003);
    let text = metrics(admin).await;
    let closes = |code: u16| {
        let series = format!("callbox_websocket_closes_total{{code=\"{code}\"}}");
        value(&text, &series).to_owned()
    };
    assert_eq!(
        (closes(4003), closes(4002)),
        ("1".to_owned(), "0".to_owned())
    );
}

#[tokio::test]
async fn memory_is_told_with_what_may_be_taken() {
    let (server, admin) = start("");
    let text = metrics(admin).await;
    let number = |series| value(&text, series).parse::<f64>().unwrap();
    let resident = number("process_resident_memory_bytes");
    #[expect(clippy::cast_precision_loss, reason = "of a size")]
    let seen = server.resident() as f64;
    assert!((resident - seen).abs() < 16e6, "{resident} {seen}");
    assert!(number("callbox_memory_limit_bytes") > resident);
}

/// The rules of the documentation.
fn documented_rules() -> String {
    let document = include_str!("../../docs/operating.md");
    let file = "# /etc/prometheus/callbox.rules.yml\n";
    let (_, rest) = document.split_once(file).expect("rules");
    rest.split_once("```").unwrap().0.to_owned()
}

fn promtool(arguments: &[&str], dir: &std::path::Path) -> (bool, String) {
    let output = Command::new("promtool")
        .args(arguments)
        .current_dir(dir)
        .output()
        .expect("promtool is installed");
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(said).unwrap())
}

#[tokio::test]
async fn the_documented_alerts_are_about_what_there_is() {
    let (_server, admin) = start("");
    let text = metrics(admin).await;
    let rules = documented_rules();
    // What has not happened in this configuration has no series.
    let later = [
        "callbox_acme_orders_total",
        "callbox_turn_refused_allocations_total",
    ];
    let words = rules.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let names: std::collections::BTreeSet<_> = words
        .filter(|word| word.starts_with("callbox_") || word.starts_with("process_"))
        .collect();
    assert!(names.len() > 8, "{names:?}");
    for name in names {
        let there = text.contains(&format!("\n# TYPE {name} ")) || later.contains(&name);
        assert!(there, "{name} is in an alert and not in\n{text}");
    }
}

#[test]
fn the_documented_alerts_go_off_when_they_should() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("callbox.rules.yml"), documented_rules()).unwrap();
    let (ok, said) = promtool(&["check", "rules", "callbox.rules.yml"], dir.path());
    assert!(ok, "{said}");
    std::fs::write(dir.path().join("test.yml"), ALERTS).unwrap();
    let (ok, said) = promtool(&["test", "rules", "test.yml"], dir.path());
    assert!(ok, "{said}");
}

/// A server that is well for an hour, and one that is not.
const ALERTS: &str = r#"
rule_files: [callbox.rules.yml]
evaluation_interval: 1m
tests:
  - interval: 1m
    input_series:
      - {series: 'process_resident_memory_bytes{server="well"}', values: '40e6x600'}
      - {series: 'process_resident_memory_bytes{server="ill"}', values: '700e6x600'}
      - {series: 'callbox_memory_limit_bytes{server="well"}', values: '1e9x600'}
      - {series: 'callbox_memory_limit_bytes{server="ill"}', values: '1e9x600'}
      - {series: 'callbox_websocket_closes_total{server="well",code="4002"}', values: '0x120 1x480'}
      - {series: 'callbox_websocket_closes_total{server="ill",code="4002"}', values: '0+1x600'}
      - {series: 'callbox_websocket_closes_total{server="well",code="4003"}', values: '0x600'}
      - {series: 'callbox_websocket_closes_total{server="ill",code="4003"}', values: '0+1x600'}
      - {series: 'callbox_handshake_failures_total{reason="timeout"}', values: '0+900x600'}
      - {series: 'callbox_refused_total{door="qr",bound="rate"}', values: '0+10x600'}
    alert_rule_test:
      - eval_time: 4h
        alertname: CallboxTakesMuchMemory
        exp_alerts: [{exp_labels: {server: ill}}]
      - eval_time: 4h
        alertname: CallboxMemoryGrows
        exp_alerts: []
      - eval_time: 4h
        alertname: CallboxClosesSlowReaders
        exp_alerts: [{exp_labels: {server: ill, code: "4002"}}]
      - eval_time: 4h
        alertname: CallboxIsFlooded
        exp_alerts: [{exp_labels: {server: ill, code: "4003"}}]
      - eval_time: 4h
        alertname: CallboxHandshakesFail
        exp_alerts: [{exp_labels: {}}]
      - eval_time: 4h
        alertname: CallboxRefuses
        exp_alerts: [{exp_labels: {door: qr, bound: rate}}]
  - interval: 1m
    input_series:
      - {series: 'process_resident_memory_bytes', values: '40e6+500e3x600'}
      - {series: 'callbox_websockets', values: '3x600'}
      - {series: 'callbox_handshake_failures_total{reason="timeout"}', values: '0+60x600'}
    alert_rule_test:
      - eval_time: 9h
        alertname: CallboxMemoryGrows
        exp_alerts: [{exp_labels: {}}]
      - eval_time: 9h
        alertname: CallboxHandshakesFail
        exp_alerts: []
"#;

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
