//! An authority of the server's own: what it signs, for whom, and how people come by it.

use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;

use rcgen::{CertificateParams, IsCa, Issuer, KeyPair};
use rustix::process::Signal;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::support::{Server, exported_authority, get, program, tls_with_certificate, wait_for};

const KEPT: &str = "state/local-ca/ca.pem";
const SERVED: &str = "state/local-ca/server.pem";

fn cert(dir: &Path, arguments: &[&str]) -> Output {
    let mut command = program();
    command.args(["cert", "--config", "callbox.toml"]);
    command.args(arguments).current_dir(dir).output().unwrap()
}

fn shown(dir: &Path) -> Value {
    let output = cert(dir, &["--json"]);
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn openssl(dir: &Path, arguments: &[&str]) -> (bool, String) {
    let output = Command::new("openssl")
        .args(arguments)
        .current_dir(dir)
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    (
        output.status.success(),
        String::from_utf8_lossy(&text).into_owned(),
    )
}

/// Speaks TLS as somebody who has installed the authority.
async fn trusting(server: &Server, authority: &Path, name: &str) -> std::io::Result<Vec<u8>> {
    let mut roots = RootCertStore::empty();
    let authority = CertificateDer::from_pem_file(authority).unwrap();
    roots.add(authority).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(server.https).await?;
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let connector = TlsConnector::from(Arc::new(config));
    let stream = connector.connect(name, stream).await?;
    Ok(stream.get_ref().1.peer_certificates().unwrap()[0].to_vec())
}

/// Signs with the stolen key of the authority.
fn sign(server: &Server, names: &[&str], change: impl FnOnce(&mut CertificateParams)) -> String {
    let kept = std::fs::read(server.path(KEPT)).unwrap();
    let key = KeyPair::try_from(&PrivateKeyDer::from_pem_slice(&kept).unwrap()).unwrap();
    let issuer =
        Issuer::from_ca_cert_der(&CertificateDer::from_pem_slice(&kept).unwrap(), key).unwrap();
    let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.use_authority_key_identifier_extension = true;
    change(&mut params);
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, &issuer).unwrap();
    format!("{}{}", certificate.pem(), key.serialize_pem())
}

#[tokio::test]
async fn who_has_installed_the_authority_trusts_the_server_and_nothing_else_by_it() {
    let server = Server::start("domains = [\"call.home.arpa\"]\n");
    let dir = server.dir.path();
    let authority = exported_authority(&server);
    for name in ["127.0.0.1", "localhost", "call.home.arpa", "::1"] {
        trusting(&server, &authority, name).await.unwrap();
    }
    assert!(trusting(&server, &authority, "example.com").await.is_err());
    for [option, name] in [
        ["-verify_ip", "127.0.0.1"],
        ["-verify_hostname", "call.home.arpa"],
    ] {
        let strict = ["verify", "-x509_strict", "-purpose", "sslserver"];
        let what = ["-CAfile", "ca.pem", option, name, SERVED];
        let (ok, text) = openssl(dir, &[&strict[..], &what].concat());
        assert!(ok, "{text}");
    }
    for inside in ["192.168.7.7", "fd12::1", "mail.call.home.arpa"] {
        std::fs::write(dir.join("forged.pem"), sign(&server, &[inside], |_| {})).unwrap();
        let (ok, text) = openssl(dir, &["verify", "-CAfile", "ca.pem", "forged.pem"]);
        assert!(ok, "{inside}: {text}");
    }
    for outside in ["bank.example", "home.arpa", "8.8.8.8", "2001:4860::1"] {
        std::fs::write(dir.join("forged.pem"), sign(&server, &[outside], |_| {})).unwrap();
        let (ok, text) = openssl(dir, &["verify", "-CAfile", "ca.pem", "forged.pem"]);
        assert!(
            !ok && text.contains("permitted subtree violation"),
            "{outside}: {text}"
        );
    }
    let (_, text) = openssl(dir, &["x509", "-in", "ca.pem", "-noout", "-text"]);
    for part in [
        "Name Constraints: critical",
        "CA:TRUE, pathlen:0",
        "Certificate Sign, CRL Sign",
        "DNS:call.home.arpa",
        "IP:192.168.0.0/255.255.0.0",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[tokio::test]
async fn a_machine_with_the_name_of_a_top_level_domain_gets_no_authority_for_that() {
    // A namespace of its own, in which the test may give the machine a name.
    for (host, certified, never) in [
        ("cloud", None, "bank.cloud"),
        ("co.uk", None, "bank.co.uk"),
        (
            "call.example.com",
            Some("call.example.com"),
            "bank.call.example.com",
        ),
    ] {
        let server = called(host);
        let names = shown(server.dir.path())["served"]["names"].clone();
        let names: Vec<String> = serde_json::from_value(names).unwrap();
        assert_eq!(names.contains(&host.to_owned()), certified.is_some());
        let authority = exported_authority(&server);
        for name in certified.into_iter().chain(["localhost"]) {
            trusting(&server, &authority, name).await.unwrap();
        }
        std::fs::write(server.path("forged.pem"), sign(&server, &[never], |_| {})).unwrap();
        let verify = ["verify", "-CAfile", "ca.pem", "forged.pem"];
        let (ok, text) = openssl(server.dir.path(), &verify);
        assert!(!ok && text.contains("subtree violation"), "{never}: {text}");
    }
}

/// A server on a machine of this name.
fn called(host: &str) -> Server {
    let dir = tempfile::tempdir().unwrap();
    let config = "listen = \"127.0.0.1:0\"\n[turn]\nenabled = false\n[admin]\nlisten = \"off\"\n";
    std::fs::write(dir.path().join("callbox.toml"), config).unwrap();
    let inside = format!("hostname {host} && exec \"$0\" --config callbox.toml");
    let mut command = Command::new("unshare");
    command
        .args(["--user", "--map-root-user", "--uts", "sh", "-c", &inside])
        .arg(env!("CARGO_BIN_EXE_callbox"))
        .current_dir(dir.path());
    Server::launch(dir, command)
}

#[test]
fn what_no_authority_may_be_good_for_is_not_configured() {
    let dir = tempfile::tempdir().unwrap();
    let config = "listen = \"127.0.0.1:0\"\ndomains = [\"cloud\"]\n[turn]\nenabled = false\n";
    std::fs::write(dir.path().join("callbox.toml"), config).unwrap();
    let output = program()
        .args(["--config", "callbox.toml"])
        .env("CALLBOX__ADMIN__LISTEN", "off")
        .current_dir(dir.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(
        said.contains("domains: cloud is a single label") && said.contains("\"cloud.local\""),
        "{said}"
    );
}

#[tokio::test]
async fn an_authority_of_earlier_that_promises_too_much_is_kept_and_named() {
    let server = Server::start("domains = [\"call.home.arpa\"]\n");
    let old = of_an_earlier_version(&["localhost", "call.home.arpa", "cloud"]);
    std::fs::write(server.path(KEPT), &old).unwrap();
    let server = server.restart();
    let authority = exported_authority(&server);
    assert_eq!(
        CertificateDer::from_pem_file(&authority).unwrap(),
        CertificateDer::from_pem_slice(old.as_bytes()).unwrap()
    );
    trusting(&server, &authority, "localhost").await.unwrap();
    let promise = "ca.pem for all names that end in .cloud";
    let warned = async || server.log().contains(promise).then_some(());
    wait_for("a warning", &server, warned).await;
    assert_eq!(server.log().matches(promise).count(), 1, "{}", server.log());

    let check = || {
        let mut command = program();
        command.args(["check", "--config", "callbox.toml", "--json"]);
        command.env("CALLBOX__ADMIN__LISTEN", "off");
        let output = command.current_dir(server.dir.path()).output().unwrap();
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        let rows = report["rows"].as_array().unwrap().clone();
        let mut rows = rows.into_iter();
        rows.find(|row| row["name"] == "certificate: authority")
    };
    let row = check().expect("a row");
    assert_eq!(row["status"], "warning");
    assert!(row["found"].as_str().unwrap().contains(promise), "{row}");
    assert!(row["remedy"].as_str().unwrap().contains("delete that file"));
    // The remedy is one.
    std::fs::remove_file(server.path(KEPT)).unwrap();
    server.signal(Signal::HUP);
    wait_for("another authority", &server, async || {
        server.path(KEPT).exists().then_some(())
    })
    .await;
    assert_eq!(check(), None);
}

/// Good for each of these names with all below it; certificate and key.
fn of_an_earlier_version(names: &[&str]) -> String {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Constrained(0));
    let names = names.iter().map(|name| (*name).to_owned());
    let permitted = names.map(rcgen::GeneralSubtree::DnsName);
    let loopback = rcgen::CidrSubnet::from_addr_prefix([127, 0, 0, 0].into(), 8);
    params.name_constraints = Some(rcgen::NameConstraints {
        permitted_subtrees: permitted
            .chain([rcgen::GeneralSubtree::IpAddress(loopback)])
            .collect(),
        excluded_subtrees: Vec::new(),
    });
    params.not_before = (std::time::SystemTime::now() - std::time::Duration::from_secs(60)).into();
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    format!("{}{}", certificate.pem(), key.serialize_pem())
}

#[tokio::test]
async fn the_authority_and_what_it_has_signed_outlive_a_restart() {
    let server = Server::start("");
    let authority = exported_authority(&server);
    let before = std::fs::read(&authority).unwrap();
    let certificate = trusting(&server, &authority, "127.0.0.1").await.unwrap();
    let server = server.restart();
    let authority = exported_authority(&server);
    assert_eq!(std::fs::read(&authority).unwrap(), before);
    let after = trusting(&server, &authority, "127.0.0.1").await.unwrap();
    assert_eq!(after, certificate);
}

#[tokio::test]
async fn a_certificate_near_its_end_is_exchanged_while_connections_stay() {
    let server = Server::start("");
    let names = shown(server.dir.path())["served"]["names"].clone();
    let names: Vec<_> = names.as_array().unwrap().iter().collect();
    let names: Vec<_> = names.iter().map(|name| name.as_str().unwrap()).collect();
    let old = sign(&server, &names, |params| {
        let day = std::time::Duration::from_secs(86_400);
        let now = std::time::SystemTime::now();
        params.not_before = (now - 70 * day).into();
        params.not_after = (now + 20 * day).into();
        params.is_ca = IsCa::ExplicitNoCa;
    });
    std::fs::write(server.path(SERVED), old).unwrap();
    let (mut open, first) = tls_with_certificate(server.https).await;
    server.signal(Signal::HUP);
    let second = wait_for("another certificate", &server, async || {
        let (_, certificate) = tls_with_certificate(server.https).await;
        (certificate != first).then_some(certificate)
    })
    .await;
    let authority = exported_authority(&server);
    let trusted = trusting(&server, &authority, "localhost").await.unwrap();
    assert_eq!(trusted, second);
    let found = shown(server.dir.path());
    assert_eq!(found["served"]["days_left"], 89);
    open.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        .await
        .unwrap();
    let mut answer = String::new();
    open.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[tokio::test]
async fn people_get_it_before_they_log_in_and_the_page_knows_of_it() {
    let server = Server::start("[access]\nmode = \"invite\"\n");
    let authority = get(server.https, "/ca.crt").await;
    assert_eq!(authority.status, 200);
    assert_eq!(
        authority.header("content-type"),
        "application/x-x509-ca-cert"
    );
    let kept = CertificateDer::from_pem_file(server.path(KEPT)).unwrap();
    assert_eq!(authority.body, kept.as_ref());
    for path in ["/ca", "/ca/page.js", "/ca/page.css", "/ca/system.js"] {
        assert_eq!(get(server.https, path).await.status, 200, "{path}");
    }
    assert_eq!(get(server.https, "/config.js").await.status, 403);

    let open = Server::start("");
    let config = get(open.https, "/config.js").await;
    assert!(String::from_utf8_lossy(&config.body).contains("\"localCa\": true"));
    let without = Server::start("[tls]\nlocal_ca = false\n");
    let config = get(without.https, "/config.js").await;
    assert!(String::from_utf8_lossy(&config.body).contains("\"localCa\": false"));
    for path in ["/ca", "/ca.crt"] {
        assert_eq!(get(without.https, path).await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn the_command_shows_and_exports_it() {
    let server = Server::start("");
    let dir = server.dir.path();
    let found = shown(dir);
    let fingerprint = found["authority"]["sha256"].as_str().unwrap();
    let (first, second) = fingerprint.split_at(48);
    assert!(server.banner.contains(first) && server.banner.contains(second));
    assert!(
        server
            .banner
            .contains(&format!("https://{}/ca ", server.https))
    );
    let text = String::from_utf8(cert(dir, &[]).stdout).unwrap();
    for part in [SERVED, KEPT, "callbox on ", "89 days left", first, second] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(cert(dir, &["--export-ca", "ca.crt"]).status.success());
    let der = std::fs::read(dir.join("ca.crt")).unwrap();
    let pem = cert(dir, &["--export-ca", "-"]).stdout;
    assert_eq!(CertificateDer::from_pem_slice(&pem).unwrap().as_ref(), der);
    assert!(!String::from_utf8(pem).unwrap().contains("PRIVATE"));
}

#[test]
fn wrong_use_ends_with_2_and_a_remedy() {
    let cases = [
        (
            "[tls]\nlocal_ca = false\n",
            "--export-ca=-",
            "set tls.local_ca = true",
        ),
        (
            "",
            "--export-ca=-",
            "ca.pem is not there yet; start callbox",
        ),
        ("", "--json", "server.pem is not there yet; start callbox"),
        (
            "[tls]\nlocal_ca = \"perhaps\"\n",
            "--json",
            "\"auto\", true or false",
        ),
        (
            "[tls]\nlocal_ca = true\ncert = \"c.pem\"\nkey = \"k.pem\"\n",
            "--json",
            "remove these, or tls.local_ca",
        ),
        ("[tls]\ntrusted = true\n", "--json", "tls.local_ca = true"),
    ];
    for (config, argument, remedy) in cases {
        let dir = tempfile::tempdir().unwrap();
        let config = format!("listen = \"127.0.0.1:0\"\npublic_ip = \"auto\"\n{config}");
        let config = format!("{config}[turn]\nenabled = false\n");
        std::fs::write(dir.path().join("callbox.toml"), config).unwrap();
        let output = cert(dir.path(), &[argument]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(remedy), "{said}");
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn a_state_directory_that_cannot_be_used_is_named_with_the_remedy() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("state")).unwrap();
    std::fs::write(dir.path().join("state/local-ca"), "in the way").unwrap();
    // Where not even root makes a folder.
    for (state, sentence) in [
        (
            "/proc/callbox",
            "cannot write to /proc/callbox/local-ca; make it writable, or set `state`",
        ),
        (
            "state",
            "cannot read state/local-ca/ca.pem; make it readable",
        ),
    ] {
        let config =
            format!("listen = \"127.0.0.1:0\"\nstate = \"{state}\"\n[turn]\nenabled = false\n");
        std::fs::write(dir.path().join("callbox.toml"), config).unwrap();
        let output = program()
            .args(["--config", "callbox.toml"])
            .env("CALLBOX__ADMIN__LISTEN", "off")
            .current_dir(dir.path())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(sentence), "{said}");
    }
}

#[tokio::test]
async fn an_address_that_the_machine_gets_is_certified_without_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let config = "listen = \"[::]:8443\"\n[turn]\nenabled = false\n[admin]\nlisten = \"off\"\n\
                  [tls]\nlocal_ca = true\n";
    std::fs::write(dir.path().join("callbox.toml"), config).unwrap();
    // A network namespace of its own, in which the test may add addresses.
    let inside = "ip link set lo up && exec \"$0\" \"$@\"";
    let started = Command::new("unshare")
        .args(["--user", "--map-root-user", "--net", "sh", "-c", inside])
        .arg(env!("CARGO_BIN_EXE_callbox"))
        .args(["--config", "callbox.toml"])
        .current_dir(dir.path())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn();
    let mut child = started.unwrap();
    let names = || {
        let output = cert(dir.path(), &["--json"]);
        let json: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        json["served"]["names"].to_string()
    };
    let begun = until(|| names().contains("localhost"));
    let pid = child.id().to_string();
    let add = [
        "-t",
        &pid,
        "--user",
        "--net",
        "ip",
        "address",
        "add",
        "10.77.0.5/24",
        "dev",
        "lo",
    ];
    let added = begun
        && Command::new("nsenter")
            .args(add)
            .status()
            .unwrap()
            .success();
    let before = names();
    let hangup = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(hangup, Signal::HUP).unwrap();
    let certified = added && until(|| names().contains("10.77.0.5"));
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(begun && added, "it starts in a network of its own");
    assert!(!before.contains("10.77.0.5"), "{before}");
    assert!(certified, "{}", names());
}

#[tokio::test]
async fn where_a_public_address_is_known_a_self_signed_certificate_stays_one() {
    let server = Server::start("public_ip = \"203.0.113.7\"\n");
    let (_, before) = tls_with_certificate(server.https).await;
    for file in ["cert.pem", "key.pem"] {
        std::fs::remove_file(server.path("certs").join(file)).unwrap();
    }
    server.signal(Signal::HUP);
    let after = wait_for("another certificate", &server, async || {
        let (_, shown) = tls_with_certificate(server.https).await;
        (shown != before).then_some(shown)
    });
    let after = after.await;
    let (_, certificate) = x509_parser::parse_x509_certificate(&after).unwrap();
    assert_eq!(certificate.issuer(), certificate.subject());
    assert!(!server.path("state").join("local-ca").exists());
}

fn until(mut done: impl FnMut() -> bool) -> bool {
    let begin = std::time::Instant::now();
    while !done() {
        if begin.elapsed() > crate::support::PATIENCE {
            return false;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    true
}
