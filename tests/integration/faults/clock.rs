//! Clocks that are years off, and set while the server runs or between two starts.

use std::path::Path;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::json;
use tokio::net::TcpListener;

use crate::support::authority::{Authority, Ports};
use crate::support::clock::Clock;
use crate::support::{Client, Server, get, post, program, tls_with_certificate, wait_for};

const CONFIG: &str =
    "listen = \"127.0.0.1:0\"\n[turn]\nlisten = \"127.0.0.1:0\"\ntls_listen = \"127.0.0.1:0\"\n";
const BY_INVITATION: &str = "[access]\nmode = \"invite\"\n";
const SELF_SIGNED: &str = "[tls]\nlocal_ca = false\n";
/// Before this program was made.
const BEFORE: [&str; 2] = ["@1970-01-02 00:00:00", "@2019-05-06 07:08:09"];

fn folder(config: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("callbox.toml"), config).unwrap();
    dir
}

/// A server that goes by this clock.
fn start(dir: tempfile::TempDir, clock: &Clock) -> Server {
    let mut command = program();
    command
        .args(["--config", "callbox.toml"])
        .env("CALLBOX__ADMIN__LISTEN", "off")
        .envs(clock.environment())
        .current_dir(dir.path());
    Server::launch(dir, command)
}

async fn shown(server: &Server) -> Vec<u8> {
    tls_with_certificate(server.https).await.1
}

/// Is the certificate good by the clock of this test?
fn is_good(der: &[u8]) -> bool {
    let (_, certificate) = x509_parser::parse_x509_certificate(der).unwrap();
    certificate.validity().is_valid()
}

async fn authority(server: &Server) -> Vec<u8> {
    get(server.https, "/ca.crt").await.body
}

/// What callbox makes once, and people rely on.
fn secrets(dir: &Path) -> [Vec<u8>; 4] {
    ["turn-secret", "ticket-key", "access-key", "version"]
        .map(|name| std::fs::read(dir.join("state").join(name)).unwrap())
}

/// Where a link for one person into the room "team" leads that a command by this clock prints.
fn invitation(dir: &Path, clock: &Clock) -> String {
    let output = program()
        .args(["--config", "callbox.toml", "access", "invite"])
        .args(["--room", "team", "--uses", "1"])
        .envs(clock.environment())
        .current_dir(dir)
        .output()
        .unwrap();
    let link = String::from_utf8(output.stdout).unwrap();
    let (_, rest) = link.trim().split_once("/access/").unwrap();
    format!("/access/{rest}")
}

#[tokio::test]
async fn a_first_start_by_a_clock_of_long_ago_is_good_once_the_clock_is_set() {
    tokio::join!(
        first_start(BEFORE[0], BY_INVITATION),
        first_start(BEFORE[1], BY_INVITATION),
        first_start(BEFORE[0], SELF_SIGNED),
        first_start(BEFORE[1], SELF_SIGNED),
    );
}

async fn first_start(time: &str, config: &str) {
    let dir = folder(&format!("{CONFIG}{config}"));
    let clock = Clock::new(dir.path(), time);
    let server = start(dir, &clock);
    let log = server.log();
    let complaint = format!("the clock says {}", &time[1..11]);
    assert_eq!(log.matches(&complaint).count(), 1, "{log}");
    let ca = authority(&server).await;
    let kept = secrets(server.dir.path());
    let mut call = Vec::new();
    if config == BY_INVITATION {
        assert!(is_good_authority(&server));
    } else {
        for name in ["Ana", "Bo"] {
            call.push(Client::join(server.https, "a", name).await);
        }
        call[0].expect("peer-joined").await;
    }

    clock.set("+0");
    wait_for("a certificate that is good", &server, async || {
        is_good(&shown(&server).await).then_some(())
    })
    .await;
    assert_eq!(authority(&server).await, ca);
    if let [ana, bo] = call.as_mut_slice() {
        ana.signal(&bo.id, json!("what year is it?")).await;
        bo.expect("signal").await;
    }
    let good = shown(&server).await;
    let dir = server.stop();
    let server = start(dir, &clock);
    assert_eq!(shown(&server).await, good);
    assert_eq!(authority(&server).await, ca);
    assert_eq!(secrets(server.dir.path()), kept);
}

fn is_good_authority(server: &Server) -> bool {
    let pem = std::fs::read(server.path("state/local-ca/ca.pem")).unwrap();
    let (_, pem) = x509_parser::pem::parse_x509_pem(&pem).unwrap();
    is_good(&pem.contents)
}

#[tokio::test]
async fn by_a_clock_of_long_ago_what_is_there_is_served_and_kept() {
    let made = rcgen::generate_simple_self_signed(vec!["call.example.com".to_owned()]).unwrap();
    let provided = "[tls]\ncert = \"c.pem\"\nkey = \"k.pem\"\n";
    for config in [BY_INVITATION, SELF_SIGNED, provided] {
        let dir = folder(&format!("{CONFIG}{config}"));
        std::fs::write(dir.path().join("c.pem"), made.cert.pem()).unwrap();
        std::fs::write(dir.path().join("k.pem"), made.signing_key.serialize_pem()).unwrap();
        let clock = Clock::new(dir.path(), "+0");
        let server = start(dir, &clock);
        let first = shown(&server).await;
        let kept = secrets(server.dir.path());
        let mut dir = server.stop();
        for time in BEFORE {
            clock.set(time);
            let server = start(dir, &clock);
            assert_eq!(shown(&server).await, first, "{time}: {config}");
            assert!(server.log().contains("the clock says"));
            server.signal(Signal::HUP);
            server.signal(Signal::HUP);
            assert_eq!(get(server.https, "/healthz").await.status, 200);
            clock.set("+0");
            dir = server.stop();
            let server = start(dir, &clock);
            assert_eq!(shown(&server).await, first, "{time}: {config}");
            dir = server.stop();
        }
        assert_eq!(secrets(dir.path()), kept);
    }
}

#[tokio::test]
async fn a_clock_that_was_years_ahead_costs_no_certificate_and_no_invitation_is_used_twice() {
    for config in [BY_INVITATION, SELF_SIGNED] {
        let dir = folder(&format!("{CONFIG}{config}"));
        let clock = Clock::new(dir.path(), "+0");
        let server = start(dir, &clock);
        let invites = config == BY_INVITATION;
        let first = shown(&server).await;
        let ca = authority(&server).await;
        let kept = secrets(server.dir.path());
        let used = invites.then(|| invitation(server.dir.path(), &clock));
        if let Some(used) = &used {
            assert_eq!(post(server.https, used, &[], "").await.status, 303);
        }
        let dir = server.stop();

        clock.set("+20y");
        let server = start(dir, &clock);
        assert_ne!(shown(&server).await, first);
        if let Some(used) = &used {
            assert_eq!(post(server.https, used, &[], "").await.status, 403);
            let path = invitation(server.dir.path(), &clock);
            assert_eq!(post(server.https, &path, &[], "").await.status, 303);
        }
        clock.set("+0");
        server.signal(Signal::HUP);
        wait_for("a certificate that is good", &server, async || {
            is_good(&shown(&server).await).then_some(())
        })
        .await;
        assert_eq!(authority(&server).await, ca);
        if invites {
            assert!(is_good_authority(&server));
        } else {
            assert_eq!(shown(&server).await, first, "the very one");
        }
        if let Some(used) = &used {
            assert_eq!(post(server.https, used, &[], "").await.status, 403);
        }
        assert_eq!(secrets(server.dir.path()), kept);
    }
}

#[tokio::test]
async fn a_clock_that_stands_where_the_machine_was_switched_off_is_told() {
    let dir = folder(CONFIG);
    let clock = Clock::new(dir.path(), "+0");
    let server = start(dir, &clock);
    assert!(!server.log().contains("the clock says"), "{}", server.log());
    let dir = server.stop();
    clock.set("-20h");
    let server = start(dir, &clock);
    let log = server.log();
    assert!(log.contains("and ./state/version (`touch` it"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authoritys_certificate_outlives_a_wrong_clock_without_the_authority() {
    let ports = Ports::free();
    let mut authority = Authority::start(ports, Duration::from_secs(90 * 86_400)).await;
    let dir = folder(&certified_by(&authority, ports));
    let clock = Clock::new(dir.path(), "+0");
    let server = start(dir, &clock);
    let first = issued(&server).await;
    authority.stop();
    let mut dir = server.stop();
    for time in BEFORE {
        clock.set(time);
        let server = start(dir, &clock);
        assert_eq!(shown(&server).await, first, "{time}");
        dir = server.stop();
    }
    clock.set("+2y");
    let server = start(dir, &clock);
    wait_for("an attempt", &server, async || {
        server.log().contains("no certificate for").then_some(())
    })
    .await;
    assert_ne!(shown(&server).await, first);
    clock.set("+0");
    wait_for("the certificate of earlier", &server, async || {
        (shown(&server).await == first).then_some(())
    })
    .await;

    // The attempt hangs while the clock is set.
    let dir = server.stop();
    let listener = TcpListener::bind(authority.address()).await.unwrap();
    clock.set("+2y");
    let server = start(dir, &clock);
    let _attempt = listener.accept().await.unwrap();
    assert_ne!(shown(&server).await, first);
    clock.set("+0");
    wait_for("the certificate of earlier", &server, async || {
        (shown(&server).await == first).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn neither_a_clock_that_is_ahead_nor_a_signal_orders_another_certificate() {
    let ports = Ports::free();
    let week = Duration::from_secs(570_000);
    // Pebble refuses good nonces now and then, and with too many in a row an order is begun anew.
    let patient = ("PEBBLE_WFE_NONCEREJECT", "0");
    let authority = Authority::start_with(ports, week, patient).await;
    let dir = folder(&certified_by(&authority, ports));
    // By it, what is issued now is due.
    let clock = Clock::new(dir.path(), "+4d");
    let server = start(dir, &clock);
    let first = issued(&server).await;
    let logged = async |sentence: &str, times: usize| {
        wait_for(sentence, &server, async || {
            (server.log().matches(sentence).count() >= times).then_some(())
        })
        .await;
    };
    for time in 1..=5 {
        server.signal(Signal::HUP);
        logged("the authority is asked for a certificate in", time).await;
    }
    clock.set("+0");
    logged("the clock was set", 1).await;
    for time in 6..=10 {
        server.signal(Signal::HUP);
        logged("the authority is asked for a certificate in", time).await;
    }
    assert_eq!(authority.orders(), 1, "{}", server.log());
    assert_eq!(shown(&server).await, first);

    // Nor does a file that cannot be read, while what was read is served.
    let dir = server.stop();
    let server = start(dir, &clock);
    let folder = server.path("state/acme").read_dir().unwrap().next();
    let file = folder.unwrap().unwrap().path().join("certificate.pem");
    std::fs::write(file, "rubbish").unwrap();
    server.signal(Signal::HUP);
    wait_for("a look", &server, async || {
        let log = server.log();
        log.contains("asked for a certificate in").then_some(())
    })
    .await;
    assert_eq!(authority.orders(), 1, "{}", server.log());
    assert_eq!(shown(&server).await, first);
}

fn certified_by(authority: &Authority, ports: Ports) -> String {
    format!(
        "listen = \"127.0.0.1:{}\"\ndomains = [\"call.example.com\"]\n[turn]\nenabled = false\n\
         [http]\nredirect = \"127.0.0.1:{}\"\n{}",
        ports.tls,
        ports.http,
        authority.config("")
    )
}

/// Waits for an authority's certificate.
async fn issued(server: &Server) -> Vec<u8> {
    wait_for("a certificate", server, async || {
        let shown = shown(server).await;
        let (_, certificate) = x509_parser::parse_x509_certificate(&shown).unwrap();
        let issued = certificate.issuer().to_string().contains("Pebble");
        issued.then_some(shown)
    })
    .await
}
