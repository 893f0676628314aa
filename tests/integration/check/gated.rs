//! Servers that do not let everybody in.

use std::path::Path;

use super::inside::{check_in, server_with};
use super::{Checked, url};
use crate::access::{by_invitation, command};
use crate::support::Server;

fn with_password() -> (Server, std::path::PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let hash = command(dir.path(), &["hash"], "correct horse\n");
    let server = server_with(&format!(
        "[access]\nmode = \"password\"\npassword_hash = {:?}\n",
        hash.trim()
    ));
    let file = server.path("password");
    std::fs::write(&file, "correct horse\n").unwrap();
    (server, file)
}

async fn with_file(server: &Server, file: &Path) -> Checked {
    let file = file.to_str().unwrap();
    Checked::of(&url(server.https), &["--password", file]).await
}

const BEHIND: [&str; 4] = ["configuration of the page", "WebSocket", "STUN", "TURN"];

/// Everything else was looked at, and that could not be.
fn is_shut(checked: &Checked, remedy: &str) {
    assert_eq!(checked.code, 0, "nothing is known to be wrong");
    let row = checked.row("access");
    assert_eq!(row["status"], "warning");
    assert!(row["remedy"].as_str().unwrap().contains(remedy), "{row:#}");
    assert_eq!(checked.status("certificate: names"), "ok");
    for name in BEHIND {
        assert_eq!(checked.status(name), "skipped", "{name}");
    }
}

fn is_open(checked: &Checked) {
    assert_eq!(checked.code, 0, "{:#}", checked.json);
    for name in [
        "configuration of the page",
        "WebSocket",
        "STUN",
        "a packet through two relays",
    ] {
        assert_eq!(checked.status(name), "ok", "{:#}", checked.row(name));
    }
}

#[tokio::test]
async fn with_the_password_all_is_looked_at() {
    let (server, file) = with_password();
    is_shut(
        &Checked::of(&url(server.https), &[]).await,
        "--password FILE",
    );
    is_open(&with_file(&server, &file).await);
    std::fs::write(&file, "wrong\n").unwrap();
    let refused = with_file(&server, &file).await;
    refused.expect_failed("access", "the password lets nobody in", "the right one");
    for name in BEHIND {
        assert_eq!(refused.status(name), "skipped", "{name}");
    }
}

#[tokio::test]
async fn who_reads_the_state_directory_needs_no_password() {
    let (server, _) = with_password();
    is_open(&check_in(server.dir.path()).await);
    std::fs::rename(server.path("state"), server.path("elsewhere")).unwrap();
    is_shut(&check_in(server.dir.path()).await, "as root");
}

#[tokio::test]
async fn an_invitation_is_used_by_a_check_with_its_link() {
    let server = by_invitation();
    is_shut(
        &Checked::of(&url(server.https), &[]).await,
        "the link of an invitation",
    );
    let link = command(
        server.dir.path(),
        &["invite", "--room", "team", "--uses", "1"],
        "",
    );
    let path = link.trim().split_once("/access/").unwrap().1;
    let link = format!("{}access/{path}", url(server.https));
    let checked = Checked::of(&link, &[]).await;
    assert_eq!(checked.row("access")["found"], "the invitation lets one in");
    is_open(&checked);
    let again = Checked::of(&link, &[]).await;
    again.expect_failed(
        "access",
        "the invitation lets nobody in",
        "callbox access invite",
    );
}
