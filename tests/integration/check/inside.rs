//! The check of this machine and of the server that the configuration describes; and what a server says at its start.

use std::net::UdpSocket;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use rustix::process::Signal;

use super::Checked;
use crate::support::fake::certificate;
use crate::support::ports::free_port;
use crate::support::{PATIENCE, Server, program};

const SELF_SIGNED: &str = "[tls]\nlocal_ca = false\n";

/// A server whose configuration names its ports.
fn server() -> Server {
    server_with("")
}

pub(super) fn server_with(more: &str) -> Server {
    let dir = tempfile::tempdir().unwrap();
    let (page, turn, tls) = (free_port(), free_port(), free_port());
    let config = format!(
        "listen = \"127.0.0.1:{page}\"\n[turn]\nlisten = \"127.0.0.1:{turn}\"\ntls_listen = \"127.0.0.1:{tls}\"\n{more}"
    );
    std::fs::write(dir.path().join("callbox.toml"), config).unwrap();
    Server::start_in(dir, &[])
}

pub(super) async fn check_in(dir: &Path) -> Checked {
    let mut command = program();
    command
        .args(["check", "--json", "--config", "callbox.toml"])
        .current_dir(dir);
    Checked::read(
        &tokio::process::Command::from(command)
            .output()
            .await
            .unwrap(),
    )
}

#[tokio::test]
async fn a_machine_whose_server_is_well_passes() {
    let server = server();
    let checked = check_in(server.dir.path()).await;
    assert_eq!(checked.code, 0, "{:#}", checked.json);
    assert_eq!(checked.json["url"], format!("https://{}/", server.https));
    for name in [
        "receive buffer",
        "state directory",
        "certificate: names",
        "certificate: file",
        "configuration of the page",
        "WebSocket",
        "STUN",
        &format!("TURN over UDP on {}/udp", server.turn.port()),
        &format!("TURN over TCP on {}/tcp", server.turn.port()),
        "TURN over TCP on the HTTPS port",
        "TURN over TLS on the HTTPS port",
        "public address",
        "a packet through two relays",
    ] {
        let allowed = ["ok", "warning"];
        assert!(
            allowed.contains(&checked.status(name)),
            "{:#}",
            checked.row(name)
        );
    }
    let tls = checked
        .rows()
        .iter()
        .filter(|row| row["name"].as_str().unwrap().starts_with("TURN over TLS"));
    assert_eq!(tls.count(), 2, "its own port, too");
}

#[tokio::test]
async fn a_server_that_does_not_run_is_one_failure_and_its_ports_are_tried() {
    let mut server = server();
    server.signal(Signal::TERM);
    server.wait();
    let checked = check_in(server.dir.path()).await;
    checked.expect_failed("server", "callbox does not run on 127.0.0.1", "start it");
    assert_eq!(checked.with("failed"), ["server"]);
    assert_eq!(checked.status("ports"), "ok");
    assert_eq!(checked.status("TURN"), "skipped");
    let _coturn = UdpSocket::bind(server.turn).unwrap();
    let checked = check_in(server.dir.path()).await;
    checked.expect_failed("ports", "is used by another program", "ss -lntup");
}

#[tokio::test]
async fn what_lies_on_the_disk_is_compared_with_the_server() {
    let server = server_with(SELF_SIGNED);
    let (other, _) = certificate("127.0.0.1", 100);
    std::fs::write(server.path("certs/cert.pem"), other).unwrap();
    let checked = check_in(server.dir.path()).await;
    assert_eq!(checked.code, 0);
    let row = checked.row("certificate: file");
    assert!(
        row["remedy"].as_str().unwrap().contains("reload callbox"),
        "{row:#}"
    );

    let open = |name: &str, mode| {
        std::fs::set_permissions(server.path(name), std::fs::Permissions::from_mode(mode)).unwrap();
    };
    open("state/turn-secret", 0o644);
    assert_eq!(
        check_in(server.dir.path()).await.status("state directory"),
        "ok",
        "behind a closed door"
    );
    open("state", 0o755);
    let checked = check_in(server.dir.path()).await;
    checked.expect_failed(
        "state directory",
        "others can read the secrets turn-secret",
        "chmod go=",
    );
}

/// A `systemctl` that knows of a unit whose server lives in this folder.
fn systemctl(dir: &Path) {
    let folder = dir.display();
    let script = format!(
        "#!/bin/sh\ncat <<END\nLoadState=loaded\nActiveState=active\nUnitFileState=enabled\nNeedDaemonReload=no\n\
         FragmentPath={folder}/callbox.service\nMainPID=0\nWorkingDirectory={folder}\nStateDirectory=callbox-test\nEND\n"
    );
    let path = dir.join("systemctl");
    std::fs::write(&path, script).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[tokio::test]
async fn the_folders_of_the_unit_are_meant_unless_another_configuration_is_named() {
    let server = server_with(SELF_SIGNED);
    systemctl(server.dir.path());
    let elsewhere = tempfile::tempdir().unwrap();
    let path = format!("{}:/bin:/usr/bin", server.dir.path().display());
    let run = async |arguments: &[&str]| {
        let mut command = program();
        command
            .args(["check", "--json", "--listen", &server.https.to_string()])
            .args(arguments);
        command
            .current_dir(elsewhere.path())
            .env("PATH", &path)
            .env("CALLBOX__TLS__LOCAL_CA", "false");
        Checked::read(
            &tokio::process::Command::from(command)
                .output()
                .await
                .unwrap(),
        )
    };
    let checked = run(&[]).await;
    let unit = format!(
        "{}/callbox.service is in effect",
        server.dir.path().display()
    );
    assert_eq!(checked.row("systemd unit")["found"], unit);
    let file = format!(
        "{} is what the server shows",
        server.path("certs/cert.pem").display()
    );
    assert_eq!(checked.row("certificate: file")["found"], file);
    let state = checked.row("state directory")["found"].as_str().unwrap();
    assert!(
        state.starts_with("/var/lib/callbox-test is not there"),
        "{state}"
    );

    std::fs::write(elsewhere.path().join("own.toml"), "").unwrap();
    let checked = run(&["--config", "own.toml"]).await;
    let state = checked.row("state directory")["found"].as_str().unwrap();
    assert!(
        state.starts_with(elsewhere.path().to_str().unwrap()),
        "{state}"
    );
}

#[tokio::test]
async fn a_wrong_configuration_ends_with_2() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("callbox.toml"), "listen = \"nowhere\"\n").unwrap();
    let mut command = program();
    command
        .args(["check", "--config", "callbox.toml"])
        .current_dir(dir.path());
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("callbox.toml: listen:"));
}

async fn wait_for_log(server: &Server, text: &str) {
    let found = async {
        while !server.log().contains(text) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, found).await.expect(text);
}

#[tokio::test]
async fn a_start_warns_of_what_is_wrong_with_the_remedy() {
    let dir = tempfile::tempdir().unwrap();
    let (cert, key) = certificate("call.example.com", -3);
    std::fs::write(dir.path().join("cert.pem"), cert).unwrap();
    std::fs::write(dir.path().join("key.pem"), key).unwrap();
    let config = "listen = \"127.0.0.1:0\"\ndomains = [\"nowhere.invalid\"]\n[server]\nmax_connections = 4000000000\n\
                  [tls]\ncert = \"cert.pem\"\nkey = \"key.pem\"\n\
                  [turn]\nlisten = \"127.0.0.1:0\"\ntls_listen = \"127.0.0.1:0\"\n";
    std::fs::write(dir.path().join("callbox.toml"), config).unwrap();
    let server = Server::start_in(dir, &[]);
    for text in [
        "limit of open files: ",
        "set `LimitNOFILE=4294967296`",
        "certificate: names: not valid for nowhere.invalid, only for call.example.com; get a certificate",
        "certificate: days left: expired 3 days ago; ",
        "DNS of nowhere.invalid: ",
    ] {
        wait_for_log(&server, text).await;
    }
}

#[tokio::test]
async fn a_start_where_nothing_is_wrong_does_not_warn() {
    let server = server();
    wait_for_log(&server, "started").await;
    // The check has looked at the same things.
    let checked = check_in(server.dir.path()).await;
    let warned = server.log().contains("limit of open files");
    assert_eq!(warned, checked.status("limit of open files") == "warning");
    assert!(!server.log().contains("certificate:"), "{}", server.log());
}
