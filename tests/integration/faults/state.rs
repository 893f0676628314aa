//! The state directory: two processes on one, and one of a newer program.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustix::process::Signal;

use super::{refused, run};
use crate::support::{Server, get, tls_with_certificate};

#[tokio::test]
async fn a_second_process_on_one_state_directory_says_so_and_stops() {
    let server = Server::start("[access]\nmode = \"invite\"\n");
    let lock = std::fs::metadata(server.path("state/lock")).unwrap();
    assert_eq!(lock.permissions().mode() & 0o777, 0o600);
    let (_, certificate) = tls_with_certificate(server.https).await;
    let secret = std::fs::read(server.path("state/turn-secret")).unwrap();

    // On any free port, so that nothing but the folder is in its way.
    let said = refused(server.dir.path());
    let sentence = format!(
        "another callbox (process {}) serves from ./state already; end that one first",
        server.id()
    );
    assert!(said.contains(&sentence), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");

    // What is run beside a server still is.
    for arguments in [
        &["access", "invite", "--room", "team"][..],
        &["access", "revoke-all"],
        &["credentials"],
        &["cert"],
        &["config"],
    ] {
        let output = run(server.dir.path(), arguments);
        assert!(output.status.success(), "{arguments:?}: {output:?}");
    }
    let check = run(server.dir.path(), &["check", "--json"]);
    assert!(check.status.code() != Some(2), "{check:?}");

    assert_eq!(get(server.https, "/healthz").await.status, 200);
    assert_eq!(tls_with_certificate(server.https).await.1, certificate);
    let kept = std::fs::read(server.path("state/turn-secret")).unwrap();
    assert_eq!(kept, secret);
}

#[tokio::test]
async fn the_state_directory_is_free_again_however_a_process_ends() {
    let server = Server::start("");
    // Killed without a word, and started on the same ports.
    let mut server = server.restart();
    server.signal(Signal::TERM);
    assert!(server.wait().0.success());
    let server = server.start_again();
    assert_eq!(get(server.https, "/healthz").await.status, 200);
}

/// Every file below a folder, with what is in it and when that was written.
fn contents(dir: &Path) -> BTreeMap<PathBuf, (Vec<u8>, SystemTime)> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(contents(&path));
        } else {
            let changed = path.metadata().unwrap().modified().unwrap();
            found.insert(path.clone(), (std::fs::read(path).unwrap(), changed));
        }
    }
    found
}

#[tokio::test]
async fn the_state_of_a_newer_program_is_left_alone() {
    let mut server = Server::start("[access]\nmode = \"invite\"\n");
    server.signal(Signal::TERM);
    assert!(server.wait().0.success());
    let version = server.path("state/version");
    assert_eq!(std::fs::read_to_string(&version).unwrap(), "1\n");
    let mode = version.metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    std::fs::write(&version, "2\n").unwrap();
    let before = contents(&server.path("state"));
    let said = refused(server.dir.path());
    let sentence = "state: ./state was written by a newer callbox (its version is 2";
    assert!(said.contains(sentence), "{said}");
    assert!(said.contains("move ./state away"), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    for arguments in [
        &["access", "revoke-all"][..],
        &["access", "invite", "--room", "team"],
        &["credentials"],
    ] {
        let output = run(server.dir.path(), arguments);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
    }
    assert_eq!(contents(&server.path("state")), before);

    // One from before there was such a mark is of the first version.
    std::fs::remove_file(&version).unwrap();
    let secret = std::fs::read(server.path("state/turn-secret")).unwrap();
    let server = server.start_again();
    let kept = std::fs::read(server.path("state/turn-secret")).unwrap();
    assert_eq!(kept, secret);
    assert_eq!(
        std::fs::read_to_string(server.path("state/version")).unwrap(),
        "1\n"
    );
}

#[test]
fn where_no_server_has_served_nothing_is_made_or_said_to_be_done() {
    for arguments in [
        &["access", "revoke-all"][..],
        &["access", "invite", "--room", "team"],
        &["credentials"],
    ] {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(
            dir.path().join("callbox.toml"),
            "[access]\nmode = \"invite\"",
        )
        .unwrap();
        let output = run(dir.path(), arguments);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains("no server has served from ./state"), "{said}");
        assert!(said.contains("STATE_DIRECTORY=/var/lib/callbox"), "{said}");
        assert!(output.stdout.is_empty());
        assert!(!dir.path().join("state").exists());
    }
}
