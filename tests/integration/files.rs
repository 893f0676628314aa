//! The built-in files.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{Server, request, tls};

/// Built-in files are answered before the routes are looked at; `HEAD` goes by the routes.
#[tokio::test]
async fn a_file_is_answered_as_its_route_would() {
    let server = Server::start("");
    let web = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("web");
    let mut folders = vec![web.clone()];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let path = format!("/{}", path.strip_prefix(&web).unwrap().display());
            let accept = [("Accept-Encoding", "br")];
            let file = request(server.https, &path, &accept).await;
            let mut stream = tls(server.https).await;
            let head = format!(
                "HEAD {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nAccept-Encoding: br\r\n\r\n",
                server.https
            );
            stream.write_all(head.as_bytes()).await.unwrap();
            let mut routed = Vec::new();
            let _ = stream.read_to_end(&mut routed).await;
            let headers = |text: &str| {
                let mut lines: Vec<_> = text.trim().lines().map(str::to_owned).collect();
                lines.retain(|line| !line.starts_with("date: "));
                lines.sort();
                lines
            };
            let routed = headers(std::str::from_utf8(&routed).unwrap());
            if path == "/config.js" {
                assert!(file.text().contains("PC_CONFIG ="), "it is made");
            } else {
                assert_eq!(headers(&file.head), routed, "{path}");
                files += 1;
            }
        }
    }
    assert!(files > 50);
}
