//! A web app of one's own.

use crate::support::{Server, get};

#[tokio::test]
async fn a_folder_of_ones_own_replaces_the_pages_and_nothing_else() {
    let outer = tempfile::tempdir().unwrap();
    let root = outer.path().join("web");
    std::fs::create_dir_all(root.join(".git")).unwrap();
    std::fs::create_dir_all(root.join(".well-known")).unwrap();
    std::fs::write(outer.path().join("secret.txt"), "secret").unwrap();
    std::fs::write(root.join(".git/config"), "secret").unwrap();
    std::fs::write(root.join(".well-known/meant.txt"), "public").unwrap();
    std::fs::write(root.join("index.html"), "<p>mine</p>").unwrap();
    std::fs::write(root.join("config.js"), "shadowed").unwrap();
    let folder = root.display();
    let server = Server::start(&format!(
        "[web]\nroot = \"{folder}\"\ncsp = \"default-src 'self'\"\n"
    ));
    for path in ["/", "/r/team"] {
        let page = get(server.https, path).await;
        assert_eq!(page.text(), "<p>mine</p>");
        assert_eq!(page.header("content-security-policy"), "default-src 'self'");
        assert!(!page.header("etag").is_empty() || !page.header("last-modified").is_empty());
    }
    assert!(
        get(server.https, "/config.js")
            .await
            .text()
            .contains("PC_CONFIG")
    );
    assert_eq!(get(server.https, "/main.js").await.status, 404);
    assert_eq!(
        get(server.https, "/.well-known/meant.txt").await.text(),
        "public"
    );
    for path in [
        "/../secret.txt",
        "/%2e%2e/secret.txt",
        "/..%2fsecret.txt",
        "/a/../../secret.txt",
        "/.git/config",
        "/%2egit/config",
    ] {
        let response = get(server.https, path).await;
        assert!(
            response.status >= 400 && !response.text().contains("secret"),
            "{path}"
        );
    }
}
