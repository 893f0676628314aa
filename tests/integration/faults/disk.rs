//! A disk that is full, or read-only.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::json;

use crate::support::authority::{Authority, Ports};
use crate::support::clock::Clock;
use crate::support::disk::Disk;
use crate::support::http::Response;
use crate::support::{Client, Server, get, post, request, tls_with_certificate, wait_for};

const CONFIG: &str =
    "listen = \"127.0.0.1:0\"\n[turn]\nlisten = \"127.0.0.1:0\"\ntls_listen = \"127.0.0.1:0\"\n";
const BY_INVITATION: &str = "[access]\nmode = \"invite\"\n";

fn folder(config: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("callbox.toml"), config).unwrap();
    dir
}

/// A start that has to fail: the last line of what it says.
fn refused(mut command: Command) -> String {
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(output.stdout.is_empty(), "nothing is served");
    said.lines().last().unwrap().to_owned()
}

/// Every file below a folder, but what fills the disk and who serves.
fn contents(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(contents(&path));
        } else if !path.ends_with("rubbish") && !path.ends_with("lock") {
            found.insert(path.clone(), std::fs::read(path).unwrap());
        }
    }
    found
}

/// Where a link into the room "team" leads that a command beside the server prints.
fn invitation(disk: &Disk, more: &[&str]) -> String {
    let invite = ["access", "invite", "--room", "team"];
    let output = disk.program().args(invite).args(more).output().unwrap();
    let link = String::from_utf8(output.stdout).unwrap();
    let (_, rest) = link.trim().split_once("/access/").unwrap();
    format!("/access/{rest}")
}

fn cookie(response: &Response) -> &str {
    response.header("set-cookie").split(';').next().unwrap()
}

async fn shown(server: &Server) -> Vec<u8> {
    tls_with_certificate(server.https).await.1
}

#[tokio::test]
async fn a_first_start_without_room_says_so_and_leaves_nothing_half() {
    let dir = folder(CONFIG);
    let disk = Disk::new(dir.path());
    disk.fill();
    let said = refused(disk.program());
    let sentence = "state: cannot write to ./state/local-ca; make room on its disk: No space left";
    assert!(said.contains(sentence), "{said}");
    assert_eq!(contents(&disk.state()), BTreeMap::new());
    disk.make_room();
    let program = disk.program();
    let server = Server::launch(dir, program);
    assert_eq!(get(server.https, "/healthz").await.status, 200);
}

#[tokio::test]
async fn a_server_whose_disk_is_full_keeps_what_it_has_until_there_is_room_again() {
    let dir = folder(&format!("{CONFIG}{BY_INVITATION}"));
    let disk = Disk::new(dir.path());
    let clock = Clock::new(dir.path(), "+0");
    let mut program = disk.program();
    program.envs(clock.environment());
    let server = Server::launch(dir, program);
    let first = shown(&server).await;
    let path = invitation(&disk, &["--uses", "1"]);
    let entered = post(server.https, &invitation(&disk, &[]), &[], "").await;
    let headers = [("Cookie", cookie(&entered))];
    let mut ana = Client::connect_with(server.https, &headers).await;
    ana.enter("team", "Ana", None).await;
    let mut bo = Client::connect_with(server.https, &headers).await;
    bo.enter("team", "Bo", None).await;
    ana.expect("peer-joined").await;

    disk.fill();
    let before = contents(&disk.state());
    // What was signed for 90 days is due.
    clock.set("+70d");
    server.signal(Signal::HUP);
    let sentence = "the certificate stays as it is: ";
    let told = wait_for(sentence, &server, async || {
        let log = server.log();
        log.lines()
            .find(|line| line.contains(sentence))
            .map(str::to_owned)
    })
    .await;
    assert!(told.contains("make room on its disk"), "{told}");
    clock.set("+0");
    let unused = post(server.https, &path, &[], "").await;
    assert_eq!((unused.status, unused.header("set-cookie")), (503, ""));
    assert_eq!(contents(&disk.state()), before);
    assert_eq!(shown(&server).await, first);
    ana.signal(&bo.id, json!("still here")).await;
    assert_eq!(bo.expect("signal").await["data"]["candidate"], "still here");

    disk.make_room();
    assert_eq!(post(server.https, &path, &[], "").await.status, 303);
    assert_eq!(post(server.https, &path, &[], "").await.status, 403);
    clock.set("+70d");
    server.signal(Signal::HUP);
    wait_for("another certificate", &server, async || {
        (shown(&server).await != first).then_some(())
    })
    .await;
    bo.signal(&ana.id, json!("and here")).await;
    assert_eq!(ana.expect("signal").await["data"]["candidate"], "and here");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_ordered_from_an_authority_that_could_not_be_kept() {
    let ports = Ports::free();
    let authority = Authority::start(ports, Duration::from_secs(8)).await;
    let dir = folder(&format!(
        "listen = \"127.0.0.1:{}\"\ndomains = [\"call.example.com\"]\n[turn]\nenabled = false\n\
         [http]\nredirect = \"127.0.0.1:{}\"\n{}",
        ports.tls,
        ports.http,
        authority.config("")
    ));
    let disk = Disk::new(dir.path());
    let program = disk.program();
    let server = Server::launch(dir, program);
    let account = authority_file(&disk.state(), "account.json");
    let certificate = authority_file(&disk.state(), "certificate.pem");
    wait_for("a certificate", &server, async || {
        (account.exists() && certificate.exists()).then_some(())
    })
    .await;
    disk.fill();
    wait_for("the sentence", &server, async || {
        let log = server.log();
        log.contains("room; make room on its disk").then_some(())
    })
    .await;
    let before = (contents(&disk.state()), authority.orders());
    assert_ne!(before.1, 0);
    let attempts = || server.log().matches("no certificate for").count();
    let enough = attempts() + 2;
    wait_for("more attempts", &server, async || {
        (attempts() >= enough).then_some(())
    })
    .await;
    assert_eq!((contents(&disk.state()), authority.orders()), before);
    let kept = std::fs::read(&certificate).unwrap();
    let last = shown(&server).await;
    disk.make_room();
    wait_for("another certificate", &server, async || {
        (shown(&server).await != last).then_some(())
    })
    .await;
    assert_ne!(std::fs::read(&certificate).unwrap(), kept);
}

fn authority_file(state: &Path, name: &str) -> PathBuf {
    let acme = state.join("acme");
    let folder = std::iter::repeat_with(|| {
        std::thread::sleep(Duration::from_millis(20));
        std::fs::read_dir(&acme).ok()?.next()?.ok()
    });
    let folder = folder.take(500).flatten().next().unwrap();
    folder.path().join(name)
}

#[tokio::test]
async fn from_a_read_only_disk_what_is_there_is_served() {
    let dir = folder(&format!("{CONFIG}{BY_INVITATION}"));
    let empty = Disk::new(dir.path());
    empty.make_read_only();
    let said = refused(empty.program());
    let sentence = "cannot write to ./state/local-ca; make it writable, or set `state` to a folder that is: Read-only";
    assert!(said.contains(sentence), "{said}");
    drop(empty);
    std::fs::remove_dir(dir.path().join("state")).unwrap();

    let disk = Disk::new(dir.path());
    let clock = Clock::new(dir.path(), "+0");
    let program = || {
        let mut program = disk.program();
        program.envs(clock.environment());
        program
    };
    let server = Server::launch(dir, program());
    let first = shown(&server).await;
    let dir = server.stop();
    disk.make_read_only();
    let before = contents(&disk.state());

    let server = Server::launch(dir, program());
    assert_eq!(shown(&server).await, first);
    let log = server.log();
    let warning = "what is kept is served, and nothing is added to it: cannot write to ./state;";
    assert_eq!(log.matches(warning).count(), 1, "{log}");
    let entered = post(server.https, &invitation(&disk, &[]), &[], "").await;
    let page = request(server.https, "/r/team", &[("Cookie", cookie(&entered))]).await;
    assert_eq!(page.status, 200);
    // It can be held there, too.
    assert!(refused(program()).contains("serves from ./state already"));
    let dir = server.stop();

    // Due, but good.
    clock.set("+70d");
    let server = Server::launch(dir, program());
    assert_eq!(shown(&server).await, first);
    let log = server.log();
    assert!(log.contains("the certificate stays as it is: "), "{log}");
    let _dir = server.stop();
    // Good no longer.
    clock.set("+100d");
    let said = refused(program());
    assert!(said.contains("make it writable"), "{said}");
    assert_eq!(contents(&disk.state()), before);
}
