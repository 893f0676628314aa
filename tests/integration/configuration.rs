//! Wrong configurations end with code 2 and one sentence, before anything is served.

use std::net::{TcpListener, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::Output;

use crate::support::program;

struct Case {
    dir: tempfile::TempDir,
}

impl Case {
    fn new(config: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o755)).unwrap();
        std::fs::write(dir.path().join("callbox.toml"), config).unwrap();
        Self { dir }
    }

    fn run(&self, arguments: &[&str], environment: &[(&str, &str)], uid: Option<u32>) -> Output {
        let mut command = program();
        command
            .args(["--config", "callbox.toml"])
            .args(arguments)
            .current_dir(self.dir.path());
        command.envs(environment.iter().copied());
        if let Some(uid) = uid {
            command.uid(uid).gid(uid);
        }
        command.output().unwrap()
    }

    fn refused(
        &self,
        arguments: &[&str],
        environment: &[(&str, &str)],
        uid: Option<u32>,
    ) -> String {
        self.ended(2, arguments, environment, uid)
    }

    fn ended(
        &self,
        code: i32,
        arguments: &[&str],
        environment: &[(&str, &str)],
        uid: Option<u32>,
    ) -> String {
        let output = self.run(arguments, environment, uid);
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{error}");
        assert!(output.stdout.is_empty(), "nothing was served");
        assert!(
            !self.dir.path().join("state").exists(),
            "nothing was written"
        );
        error
    }
}

#[track_caller]
fn check(config: &str, expected: &[&str]) {
    let error = Case::new(config).refused(&[], &[], None);
    for part in expected {
        assert!(error.contains(part), "{error}\nlacks {part}");
    }
}

const QUIET_TURN: &str = "[turn]\nlisten = \"127.0.0.1:0\"\ntls_listen = \"127.0.0.1:0\"\n";

#[test]
fn the_file_is_named_with_key_and_remedy() {
    check(
        "lisen = \"x\"",
        &["callbox: callbox.toml: lisen: unknown key, expected one of listen"],
    );
    check(
        "[signaling]\nmax_peers = \"many\"",
        &["callbox.toml: signaling.max_peers: invalid type"],
    );
    check(
        "[turn]\nrelay_ports = \"9000-8000\"",
        &["turn.relay_ports", "\"8000-9000\""],
    );
    check(
        "[turn]\nlisten = \"[::]:99\"",
        &["turn.listen", "Chromium refuses TURN on port 99"],
    );
}

#[test]
fn the_variable_and_the_argument_are_named() {
    let case = Case::new("");
    let error = case.refused(&[], &[("CALLBOX__TURN__RELM", "x")], None);
    assert!(
        error.contains("environment variable CALLBOX__TURN__RELM: turn.relm: unknown key"),
        "{error}"
    );
    let error = case.refused(&["--public-ip", "here"], &[], None);
    assert!(
        error.contains("argument --public-ip: public_ip: \"here\" is not an IP address"),
        "{error}"
    );
}

#[test]
fn certificates_and_keys() {
    let first = rcgen::generate_simple_self_signed(vec!["a".to_owned()]).unwrap();
    let second = rcgen::generate_simple_self_signed(vec!["b".to_owned()]).unwrap();
    let with = |cert: &str, key: &str| {
        let case = Case::new(&format!(
            "listen = \"127.0.0.1:0\"\n[tls]\ncert = \"c.pem\"\nkey = \"k.pem\"\n{QUIET_TURN}"
        ));
        for (name, text) in [("c.pem", cert), ("k.pem", key)] {
            if !text.is_empty() {
                std::fs::write(case.dir.path().join(name), text).unwrap();
            }
        }
        case.refused(&[], &[], None)
    };
    let (cert, key) = (first.cert.pem(), first.signing_key.serialize_pem());
    assert!(with("", &key).contains("callbox.toml: tls.cert: c.pem cannot be read"));
    assert!(with("no PEM", &key).contains("tls.cert: c.pem holds no PEM certificate"));
    assert!(with(&cert, "no PEM").contains("tls.key: k.pem holds no unencrypted PEM private key"));
    let unfitting = with(&cert, &second.signing_key.serialize_pem());
    assert!(
        unfitting.contains("tls.key: k.pem and c.pem cannot be used together"),
        "{unfitting}"
    );
    check(
        "[tls]\ncert = \"c.pem\"",
        &["tls.cert: comes without its key; set tls.key too"],
    );
}

#[test]
fn addresses_and_ports_that_cannot_be_had() {
    // At boot it may come later, so the service is started again.
    let case = Case::new(&format!("listen = \"198.51.100.77:8443\"\n{QUIET_TURN}"));
    let error = case.ended(1, &[], &[], None);
    for part in [
        "callbox.toml: listen: 198.51.100.77 is not an address of this machine",
        "[::]:8443",
    ] {
        assert!(error.contains(part), "{error}\nlacks {part}");
    }
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    check(
        &format!("listen = \"127.0.0.1:{port}\"\n{QUIET_TURN}"),
        &[
            "callbox.toml: listen: port",
            "is used by another program",
            "choose another port",
        ],
    );
    check(
        &format!("listen = \"[::]:{port}\"\n{QUIET_TURN}"),
        &["listen: port", "is used by another program"],
    );
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    for ip in ["127.0.0.1", "0.0.0.0", "[::]"] {
        check(
            &format!("listen = \"127.0.0.1:0\"\n[turn]\nlisten = \"{ip}:{port}\""),
            &["turn.listen: port", "is used by another program"],
        );
    }
}

#[test]
fn a_port_that_needs_a_privilege() {
    const NOBODY: u32 = 65534;
    let case = Case::new(&format!("listen = \"127.0.0.1:443\"\n{QUIET_TURN}"));
    let root = rustix::process::getuid().is_root();
    let error = case.refused(&[], &[], root.then_some(NOBODY));
    assert!(
        error.contains("listen: port 443 needs a privilege"),
        "{error}"
    );
}

#[test]
fn config_prints_what_is_in_effect_without_secrets() {
    let case =
        Case::new("[turn]\nsecret = \"0123456789-secret\"\n[turn.users]\nalice = \"wonderland\"");
    let output = case.run(&["config"], &[("CALLBOX__TURN__REALM", "from-env")], None);
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.contains("# In effect, from built-in defaults < callbox.toml < environment variable")
    );
    assert!(
        text.contains("realm = \"from-env\"") && text.contains("alice = \"(redacted)\""),
        "{text}"
    );
    assert!(
        !text.contains("0123456789-secret") && !text.contains("wonderland"),
        "{text}"
    );
    let parsed: toml::Table = toml::from_str(&text).unwrap();
    assert_eq!(parsed["listen"].as_str(), Some("[::]:8443"));
}
