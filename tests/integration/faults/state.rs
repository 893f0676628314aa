//! The state directory: two processes on one.

use std::os::unix::fs::PermissionsExt;

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
