//! Servers that do not let everybody in.

use std::path::Path;

use super::inside::{check_in, server_with};
use super::{Checked, url};
use crate::access::{by_invitation, command};
use crate::support::fake::{Fake, response};
use crate::support::{Server, exported_authority};

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
    let (file, authority) = (file.to_str().unwrap(), exported_authority(server));
    let arguments = ["--password", file, "--ca", authority.to_str().unwrap()];
    Checked::of(&url(server.https), &arguments).await
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
    let path = server.path("callbox.toml");
    let config = std::fs::read_to_string(&path).unwrap();
    let other = command(server.dir.path(), &["hash"], "another horse\n");
    let changed = config.split_once("password_hash").unwrap().0;
    std::fs::write(&path, format!("{changed}password_hash = {other:?}\n")).unwrap();
    let stale = check_in(server.dir.path()).await;
    stale.expect_failed("access", "does not take a pass", "restart the server");
    std::fs::write(&path, config).unwrap();
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
    let unproved = Checked::of(&link, &[]).await;
    unproved.expect_failed("access", "the invitation was not sent", "--ca FILE");
    let authority = exported_authority(&server);
    let arguments = ["--ca", authority.to_str().unwrap()];
    let checked = Checked::of(&link, &arguments).await;
    assert_eq!(checked.row("access")["found"], "the invitation lets one in");
    is_open(&checked);
    let again = Checked::of(&link, &arguments).await;
    again.expect_failed(
        "access",
        "the invitation lets nobody in",
        "callbox access invite",
    );
}

#[tokio::test]
async fn a_password_goes_to_a_server_that_proves_who_it_is_and_to_no_other() {
    let asked = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let seen = std::sync::Arc::clone(&asked);
    let fake = Fake::https(move |path| {
        seen.lock().unwrap().push(path.to_owned());
        response(
            "403 Forbidden",
            "Only for those who were let in; open the page.\n",
        )
    })
    .await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("password");
    std::fs::write(&file, "correct horse").unwrap();
    let arguments = ["--password", file.to_str().unwrap()];
    let checked = Checked::of(&url(fake.address), &arguments).await;
    checked.expect_failed(
        "access",
        "the password was not sent",
        "rows of the certificate",
    );
    let asked = asked.lock().unwrap();
    assert!(
        !asked.is_empty() && !asked.iter().any(|path| path.contains("login")),
        "{asked:?}"
    );
}
