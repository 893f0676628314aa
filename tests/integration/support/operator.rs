//! What the operator sees of a server.

use std::net::SocketAddr;

use super::ports::free_port;
use super::{Server, plain};

/// A server with this configuration more, and where its metrics are.
pub(crate) fn start(config: &str) -> (Server, SocketAddr) {
    let admin = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let dir = tempfile::tempdir().unwrap();
    let listen = format!("[admin]\nlisten = \"{admin}\"\n");
    let config = match config.split_once("[admin]\n") {
        Some((before, after)) => format!("{before}{listen}{after}"),
        None => format!("{config}{listen}"),
    };
    let config = format!(
        "listen = \"127.0.0.1:0\"\n{config}\n[turn]\nlisten = \"127.0.0.1:0\"\ntls_listen = \"127.0.0.1:0\"\n"
    );
    std::fs::write(dir.path().join("callbox.toml"), config).unwrap();
    (
        Server::start_with(dir, &[], &[("CALLBOX__ADMIN__LISTEN", "")]),
        admin,
    )
}

pub(crate) async fn metrics(admin: SocketAddr) -> String {
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
pub(crate) fn value<'a>(metrics: &'a str, series: &str) -> &'a str {
    let line = metrics
        .lines()
        .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {series} in\n{metrics}"))
}
