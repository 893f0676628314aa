//! What stands before the operator's listener: pages of others by a name that leads there, and those who hold it open.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::support::operator::{metrics, start, value};
use crate::support::{PATIENCE, plain, program};

/// What is answered to these bytes, until the server closes.
async fn said(admin: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(admin).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    let reading = stream.read_to_string(&mut answer);
    timeout(PATIENCE, reading).await.expect("an end").unwrap();
    answer
}

#[tokio::test]
async fn a_name_of_somebody_else_that_leads_to_it_is_told_nothing() {
    let (_server, admin) = start("[admin]\nhosts = [\"Status.home.arpa\"]\n");
    for path in ["/", "/metrics", "/healthz", "/nothing"] {
        let refused = plain(admin, path, "evil.example:9480").await;
        assert_eq!(refused.status, 421, "{path}");
        assert!(
            refused.text().contains("[admin] hosts"),
            "{}",
            refused.text()
        );
    }
    for host in [
        "127.0.0.1:9480",
        "[::1]:9480",
        "localhost.:9480",
        "10.0.0.7",
        "status.home.arpa:9480",
    ] {
        assert_eq!(plain(admin, "/metrics", host).await.status, 200, "{host}");
    }
    for (request, status) in [
        ("GET / HTTP/1.0\r\n\r\n", "421"),
        ("GET / HTTP/1.1\r\nConnection: close\r\n\r\n", "400"),
        (
            "GET / HTTP/1.1\r\nHost: a b\r\nConnection: close\r\n\r\n",
            "400",
        ),
        (
            "GET / HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\nConnection: close\r\n\r\n",
            "400",
        ),
        // What the target names counts.
        (
            "GET http://evil.example/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
            "421",
        ),
        ("GET /healthz HTTP/1.0\r\nHost: localhost\r\n\r\n", "200"),
    ] {
        let answer = said(admin, request).await;
        assert_eq!(
            answer.split(' ').nth(1),
            Some(status),
            "{request}: {answer}"
        );
    }
    let text = metrics(admin).await;
    let series = "callbox_refused_total{door=\"admin\",bound=\"hosts\"}";
    assert_eq!(value(&text, series), "6");
}

#[tokio::test]
async fn no_page_of_another_origin_may_frame_or_embed_it() {
    let (_server, admin) = start("");
    for (path, host) in [
        ("/", "localhost"),
        ("/metrics", "localhost"),
        ("/", "evil.example"),
    ] {
        let answer = plain(admin, path, host).await;
        for (name, wanted) in [
            ("x-content-type-options", "nosniff"),
            ("cross-origin-resource-policy", "same-origin"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "no-referrer"),
            ("cache-control", "no-store"),
        ] {
            assert_eq!(answer.header(name), wanted, "{name} of {path}");
        }
        let policy = answer.header("content-security-policy");
        assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
    }
}

#[tokio::test]
async fn half_a_request_is_not_waited_for() {
    let (_server, admin) = start("");
    let mut stream = TcpStream::connect(admin).await.unwrap();
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: loc")
        .await
        .unwrap();
    let begun = Instant::now();
    let ended = timeout(2 * PATIENCE, stream.read_to_end(&mut Vec::new())).await;
    assert!(ended.is_ok(), "it is ended");
    assert!(begun.elapsed() > Duration::from_secs(5));
}

#[tokio::test]
async fn those_who_hold_it_open_are_bounded_and_make_way() {
    let (_server, admin) = start("");
    let mut held = Vec::new();
    for _ in 0..64 {
        let mut stream = TcpStream::connect(admin).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
        held.push(stream);
    }
    for _ in 0..4 {
        let mut stream = TcpStream::connect(admin).await.unwrap();
        let end = timeout(PATIENCE / 2, stream.read(&mut [0; 1])).await;
        assert_eq!(end.expect("it is ended at once").unwrap_or(0), 0);
    }
    // Once their time is over, there is a place again.
    let begun = Instant::now();
    let text = loop {
        let answer = async {
            let mut stream = TcpStream::connect(admin).await.ok()?;
            let request = "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
            stream.write_all(request.as_bytes()).await.ok()?;
            let mut text = String::new();
            stream.read_to_string(&mut text).await.ok()?;
            text.starts_with("HTTP/1.1 200").then_some(text)
        };
        if let Some(text) = answer.await {
            break text;
        }
        assert!(begun.elapsed() < 3 * PATIENCE, "a place");
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    let series = "callbox_refused_total{door=\"admin\",bound=\"connections\"} ";
    let line = text.lines().find_map(|line| line.strip_prefix(series));
    assert!(line.unwrap().parse::<u32>().unwrap() >= 4, "{text}");
}

#[test]
fn a_name_that_is_none_is_named_with_the_remedy() {
    for (host, part) in [("10.0.0.7", "is an address"), ("a b", "is not a host name")] {
        let dir = tempfile::tempdir().unwrap();
        let config = format!("[admin]\nhosts = [\"{host}\"]\n");
        std::fs::write(dir.path().join("callbox.toml"), config).unwrap();
        let output = program()
            .args(["config", "--config", "callbox.toml"])
            .current_dir(dir.path())
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{text}");
        assert!(
            text.contains("admin.hosts") && text.contains(part),
            "{text}"
        );
    }
}
