//! Requests for what is not theirs to have, and requests that are too big.

use std::os::unix::fs::symlink;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::support::{PATIENCE, Server, get, tls};

const SECRET: &str = "nobody's business";

/// Ways to `name` beside the folder that is served.
fn ways_out(name: &str) -> Vec<String> {
    [
        "/../",
        "/%2e%2e/",
        "/%2E%2E%2F",
        "/..%2f",
        "/%2e%2e%5c",
        "/..\\",
        "/..%5c",
        "/a/../../",
        "/./../",
        "/.%2e/",
        "/%2e./",
        "/..;/",
        "/%252e%252e%252f",
        "/%c0%ae%c0%ae/",
        "/%u002e%u002e/",
        "/..%00/",
        "/r/../../",
        "/r/..%2f..%2f",
        "/check/../../",
        "/out/",
        "/out/../",
        "//../",
        "/%2f../",
    ]
    .iter()
    .map(|way| format!("{way}{name}"))
    .collect()
}

#[tokio::test]
async fn no_path_leads_out_of_the_folder_that_is_served() {
    let outer = tempfile::tempdir().unwrap();
    let root = outer.path().join("web");
    std::fs::create_dir_all(root.join("a")).unwrap();
    std::fs::create_dir_all(root.join("linked")).unwrap();
    let write = |path: std::path::PathBuf, text: &str| std::fs::write(path, text).unwrap();
    write(outer.path().join("secret.txt"), SECRET);
    write(root.join(".env"), SECRET);
    write(root.join("index.html"), "<p>mine</p>");
    write(root.join("a/b.txt"), "inside");
    symlink(outer.path(), root.join("out")).unwrap();
    symlink("../secret.txt", root.join("link.txt")).unwrap();
    symlink(".env", root.join("env.txt")).unwrap();
    symlink("../../secret.txt", root.join("linked/index.html")).unwrap();
    symlink("a/b.txt", root.join("c.txt")).unwrap();
    symlink("../secret.txt", root.join("check.html")).unwrap();
    // As Kubernetes mounts files.
    std::fs::create_dir(root.join("..2026")).unwrap();
    write(root.join("..2026/d.txt"), "inside");
    symlink("..2026", root.join("..data")).unwrap();
    symlink("..data/d.txt", root.join("d.txt")).unwrap();
    // A folder that is itself reached by a link is what was named.
    symlink("web", outer.path().join("current")).unwrap();
    let named = outer.path().join("current");
    let absolute = outer.path().join("secret.txt");
    let absolute = absolute.to_str().unwrap();

    let own = Server::start(&format!("[web]\nroot = \"{}\"\n", named.display()));
    let built_in = Server::start("");
    let mut paths = ways_out("secret.txt");
    paths.extend(ways_out("state/turn-secret"));
    paths.extend([
        "/check".to_owned(),
        "/..data/d.txt".to_owned(),
        "/link.txt".to_owned(),
        "/env.txt".to_owned(),
        "/linked/".to_owned(),
        "/linked/index.html".to_owned(),
        "/.env".to_owned(),
        "/%2eenv".to_owned(),
        "/.env%00.txt".to_owned(),
        "/index.html%00".to_owned(),
        "/a\0b".to_owned(),
        format!("/{absolute}"),
        format!("/%2f{}", &absolute[1..]),
        format!("/{}", absolute.replace('/', "%2f")),
        format!("/file:{absolute}"),
    ]);
    for path in &paths {
        for server in [&own, &built_in] {
            let response = get(server.https, path).await;
            // What stands behind /r/ is a room, if a strange one.
            let built_in_check = path == "/check" && server.https == built_in.https;
            let refused = response.status >= 400 || path.starts_with("/r/") || built_in_check;
            assert!(refused, "{path}: {}", response.status);
            let body = String::from_utf8_lossy(&response.body).into_owned();
            assert!(!body.contains(SECRET), "{path}");
        }
    }
    assert_eq!(get(own.https, "/").await.text(), "<p>mine</p>");
    assert_eq!(get(own.https, "/r/team").await.text(), "<p>mine</p>");
    for path in ["/a/b.txt", "/c.txt", "/a/%62.txt", "/d.txt"] {
        assert_eq!(get(own.https, path).await.text(), "inside", "{path}");
    }
    // Nobody learns what there is on the machine.
    let there = get(own.https, &format!("/%2f{}", &absolute[1..])).await;
    for nowhere in ["/nowhere", "/%2fnowhere", "/link.txt"] {
        let nowhere = get(own.https, nowhere).await;
        assert_eq!((there.status, &there.body), (nowhere.status, &nowhere.body));
    }
    let log = own.log();
    assert_eq!(
        log.matches("is not served").count(),
        1,
        "told, and once: {log}"
    );
}

#[tokio::test]
async fn no_path_leads_around_the_gate() {
    let server = Server::start("[access]\nmode = \"invite\"\n");
    for file in ["config.js", "config.global.js", "ws", "call.js"] {
        for way in [
            "/",
            "//",
            "/./",
            "/%2e/",
            "/access/../",
            "/access/%2e%2e/",
            "/access/i/../../",
            "/access/i/..%2f..%2f",
            "/access/style.css/../../",
            "/access/style.css%2f..%2f..%2f",
            "/ca/../",
            "/ca/%2e%2e/",
            "/healthz/../",
            "/healthz%2f..%2f",
            "/;/",
            "/access/login?/../",
        ] {
            let path = format!("{way}{file}");
            let response = get(server.https, &path).await;
            assert!(response.status >= 400, "{path}: {}", response.status);
            let body = String::from_utf8_lossy(&response.body).into_owned();
            assert!(!body.contains("credential"), "{path}");
        }
    }
}

/// The status that the server answers with before it closes; `None` if it only closes.
async fn refusal(server: &Server, over_tls: bool, request: &[u8]) -> Option<u16> {
    let mut said = Vec::new();
    let talk = async {
        if over_tls {
            let mut stream = tls(server.https).await;
            let _ = stream.write_all(request).await;
            let _ = stream.flush().await;
            let _ = stream.read_to_end(&mut said).await;
        } else {
            let mut stream = TcpStream::connect(server.https).await.unwrap();
            let _ = stream.write_all(request).await;
            let _ = stream.read_to_end(&mut said).await;
        }
    };
    timeout(PATIENCE, talk).await.expect("it is closed");
    let text = String::from_utf8_lossy(&said);
    text.split(' ').nth(1).map(|status| status.parse().unwrap())
}

#[tokio::test]
async fn heads_that_are_too_big_are_refused_and_take_no_memory() {
    let server = Server::start("[server]\nheader_timeout = \"2s\"\n");
    let begin = format!("GET /config.js HTTP/1.1\r\nHost: {}\r\n", server.https);
    let big = "x".repeat(1 << 20);
    let one = format!("{begin}X: {big}\r\n\r\n");
    let cookie = format!("{begin}Cookie: __Host-callbox={big}\r\n\r\n");
    let many: String = (0..20_000).map(|n| format!("X-{n}: y\r\n")).collect();
    let many = format!("{begin}{many}\r\n");
    let few: String = (0..150).map(|n| format!("X-{n}: y\r\n")).collect();
    let few = format!("{begin}{few}\r\n");
    let line = format!("GET /{big} HTTP/1.1\r\nHost: x\r\n\r\n");
    let query = format!("GET /r/team?name={big} HTTP/1.1\r\nHost: x\r\n\r\n");
    let method = format!("{}\r\n", "G".repeat(1 << 20));
    let endless = format!("{begin}X: {big}");
    let before = server.resident();
    for (what, request) in [
        ("one header", one),
        ("a cookie", cookie),
        ("20,000 headers", many),
        ("150 headers", few),
        ("the path", line),
        ("the query", query),
        ("the method", method),
        ("one without an end", endless),
    ] {
        for over_tls in [true, false] {
            let all = (0..8).map(|_| refusal(&server, over_tls, request.as_bytes()));
            for status in futures_util::future::join_all(all).await {
                let refused = matches!(status, None | Some(400 | 414 | 431));
                assert!(refused, "{what}, TLS {over_tls}: {status:?}");
            }
        }
    }
    let grown = server.resident().saturating_sub(before);
    assert!(grown < 24 << 20, "{grown} bytes more");
    assert_eq!(get(server.https, "/healthz").await.status, 200);
}
