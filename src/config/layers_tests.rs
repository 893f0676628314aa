use std::collections::BTreeMap;

use super::*;
use crate::config::{CertificateSource, Config};

/// A story: a file, some variables, some arguments.
struct Given {
    dir: tempfile::TempDir,
    sources: Sources,
}

fn given(file: &str, environment: &[(&str, &str)]) -> Given {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("callbox.toml");
    std::fs::write(&path, file).unwrap();
    let environment: BTreeMap<_, _> = environment
        .iter()
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
        .collect();
    let arguments = Overrides {
        config: Some(path),
        ..Overrides::default()
    };
    Given {
        dir,
        sources: Sources {
            arguments,
            environment,
        },
    }
}

impl Given {
    fn error(&self) -> String {
        let text = Config::load(&self.sources).unwrap_err().to_string();
        assert!(!text.contains('\n'), "one sentence: {text}");
        text.replace(&format!("{}/", self.dir.path().display()), "")
    }

    fn config(&self) -> Config {
        Config::load(&self.sources).unwrap()
    }
}

#[test]
fn later_sources_win() {
    let mut given = given(
        "listen = \"127.0.0.1:1111\"\n[turn]\nrealm = \"file\"\n[log]\nlevel = \"warn\"",
        &[
            ("CALLBOX__LISTEN", "127.0.0.1:2222"),
            ("CALLBOX__TURN__REALM", "env"),
            ("HOME", "/root"),
        ],
    );
    given.sources.arguments.listen = Some("127.0.0.1:3333".into());
    let config = given.config();
    assert_eq!(config.listen.port(), 3333);
    assert_eq!(config.turn.unwrap().realm, "env");
    assert_eq!(config.log.level, "warn");
    assert_eq!(config.origins.of("listen"), "argument --listen");
    assert_eq!(
        config.origins.of("turn.realm"),
        "environment variable CALLBOX__TURN__REALM"
    );
    assert!(config.origins.of("log.level").ends_with("callbox.toml"));
    assert_eq!(config.origins.of("turn.relay_ports"), "built-in default");
}

#[test]
fn the_logs_format_and_level_are_told_by_one_argument() {
    for (text, json, level) in [
        ("json", true, "warn"),
        ("text", false, "warn"),
        ("debug", false, "debug"),
        ("json,debug", true, "debug"),
        (
            "json,info,callbox::turn=debug",
            true,
            "info,callbox::turn=debug",
        ),
        (
            "info,callbox::turn=debug",
            false,
            "info,callbox::turn=debug",
        ),
    ] {
        let mut given = given("[log]\nlevel = \"warn\"", &[]);
        given.sources.arguments.log = Some(text.to_owned());
        let config = given.config();
        assert_eq!(
            (config.log.json, &*config.log.level),
            (json, level),
            "{text}"
        );
    }
    let mut given = given("", &[]);
    given.sources.arguments.log = Some("xml".to_owned());
    let error = Config::load(&given.sources).unwrap_err().to_string();
    assert!(
        error.starts_with("argument --log: log.level: \"xml\" is not a level"),
        "{error}"
    );
}

#[test]
fn the_state_directory_of_systemd_is_only_a_default() {
    let state = |file, variables: &[_]| given(file, variables).config().state;
    assert_eq!(state("", &[]), PathBuf::from("./state"));
    assert_eq!(
        state("", &[("STATE_DIRECTORY", "/var/lib/x")]),
        PathBuf::from("/var/lib/x")
    );
    assert_eq!(
        state("state = \"/y\"", &[("STATE_DIRECTORY", "/x")]),
        PathBuf::from("/y")
    );
}

#[test]
fn an_error_names_file_key_and_remedy() {
    let cases = [
        (
            "lisen = \"x\"",
            "callbox.toml: lisen: unknown key, expected one of listen",
        ),
        (
            "[turn]\nrelm = \"x\"",
            "callbox.toml: turn.relm: unknown key, expected one of enabled",
        ),
        (
            "[signaling]\nmax_peers = \"many\"",
            "callbox.toml: signaling.max_peers: invalid type: string \"many\", expected an integer",
        ),
        (
            "[signaling]\nmax_peers = 1",
            "callbox.toml: signaling.max_peers: 1 is not from 2 to 64",
        ),
        (
            "domains = \"a.example\"",
            "callbox.toml: domains: invalid type",
        ),
        (
            "domains = [\"a_b c\"]",
            "callbox.toml: domains: \"a_b c\" is not a host name",
        ),
        (
            "listen = \"8443\"",
            "callbox.toml: listen: \"8443\" is not an address with a port; write",
        ),
        ("listen = ", "callbox.toml: line 1, column 10: not TOML: "),
        (
            "public_ip = \"here\"",
            "callbox.toml: public_ip: \"here\" is not an IP address",
        ),
        (
            "public_ip = [\"1.2.3.4\", \"5.6.7.8\"]",
            "callbox.toml: public_ip: names two addresses of one family",
        ),
        (
            "[turn]\nrelay_ports = \"60000-50000\"",
            "callbox.toml: turn.relay_ports: \"60000-50000\" is reversed; write the lower port first: \"50000-60000\"",
        ),
        (
            "[turn]\nlisten = \"[::]:999\"",
            "callbox.toml: turn.listen: Chromium refuses TURN on port 999; choose 53, 80, 443",
        ),
        (
            "[turn]\nsecret = \"short\"",
            "callbox.toml: turn.secret: is shorter than 16 characters",
        ),
        (
            "[turn]\ncredential_ttl = \"2years\"",
            "callbox.toml: turn.credential_ttl: \"2years\" is more than a year",
        ),
        (
            "[http]\ntrusted_proxies = [\"nginx\"]",
            "callbox.toml: http.trusted_proxies: \"nginx\" is not an address or a network; write those of the proxy",
        ),
        (
            "[turn]\npeers = [\"lan\"]",
            "callbox.toml: turn.peers: \"lan\" is not a network",
        ),
        (
            "[turn.users]\n\"a:b\" = \"x\"",
            "callbox.toml: turn.users.a:b: is not a user name",
        ),
        (
            "[tls]\ncert = \"a.pem\"",
            "callbox.toml: tls.cert: comes without its key",
        ),
        (
            "[tls]\nkey = \"a.pem\"",
            "callbox.toml: tls.key: comes without its certificate",
        ),
        ("[tls]\ntrusted = \"maybe\"", "callbox.toml: tls.trusted: "),
        (
            "[tls]\ntrusted = true",
            "callbox.toml: tls.trusted: a self-signed certificate is trusted by no browser",
        ),
        (
            "[server]\nidle_timeout = \"5s\"",
            "callbox.toml: server.idle_timeout: \"5s\" would cut healthy WebSockets",
        ),
        (
            "[server]\nmax_connections = 0",
            "callbox.toml: server.max_connections: must be at least 1",
        ),
        (
            "[server]\nmax_connections = -4",
            "callbox.toml: server.max_connections: ",
        ),
        (
            "[signaling]\nmessage_limit = \"1 GB\"",
            "callbox.toml: signaling.message_limit: \"1 GB\" is not a size",
        ),
        (
            "[signaling]\nresume = \"soon\"",
            "callbox.toml: signaling.resume: \"soon\" is not a duration",
        ),
        (
            "[signaling]\norigins = [\"app.example.com\"]",
            "callbox.toml: signaling.origins: \"app.example.com\" is not an origin",
        ),
        (
            "[web]\nroot = \"/no/such/folder\"",
            "callbox.toml: web.root: /no/such/folder is not a folder",
        ),
        (
            "[web]\ncsp = \"x\"",
            "callbox.toml: web.csp: applies to a folder of your own only",
        ),
        (
            "[log]\nlevel = \"loud\"",
            "callbox.toml: log.level: \"loud\" is not a level",
        ),
        (
            "[log]\nformat = \"xml\"",
            "callbox.toml: log.format: \"xml\" is not a format; write text or json",
        ),
    ];
    for (file, expected) in cases {
        let error = given(file, &[]).error();
        assert!(
            error.starts_with(expected),
            "{file}\n  got      {error}\n  expected {expected}"
        );
    }
}

#[test]
fn an_error_names_the_variable_or_argument() {
    let error = given("", &[("CALLBOX__TURN__RELAY_PORTS", "9-8")]).error();
    assert!(
        error.starts_with("environment variable CALLBOX__TURN__RELAY_PORTS: turn.relay_ports: "),
        "{error}"
    );
    let error = given("", &[("CALLBOX__TRUN__REALM", "x")]).error();
    assert!(
        error.starts_with("environment variable CALLBOX__TRUN__REALM: trun: unknown key"),
        "{error}"
    );
    let error = given("", &[("CALLBOX__SIGNALING__MAX_PEERS", "many")]).error();
    assert!(
        error.starts_with(
            "environment variable CALLBOX__SIGNALING__MAX_PEERS: signaling.max_peers: invalid type"
        ),
        "{error}"
    );
    let error = given("", &[("CALLBOX__TURN__USERS__ALICE", "x")]).error();
    assert!(error.contains("read from a file only"), "{error}");

    let mut bad = given("", &[]);
    bad.sources.arguments.listen = Some("nowhere".into());
    assert!(
        bad.error()
            .starts_with("argument --listen: listen: \"nowhere\" is not an address")
    );
    bad.sources.arguments.listen = None;
    bad.sources.arguments.config = Some("/no/such.toml".into());
    assert!(
        bad.error()
            .starts_with("/no/such.toml: --config: cannot be read")
    );
}

#[test]
fn scalars_of_every_type_come_from_the_environment() {
    let config = given(
        "",
        &[
            ("CALLBOX__SIGNALING__MAX_PEERS", "4"),
            ("CALLBOX__TURN__ENABLED", "false"),
            ("CALLBOX__TLS__TRUSTED", "false"),
            ("CALLBOX__PUBLIC_IP", "203.0.113.7, 2001:db8::7"),
        ],
    )
    .config();
    assert_eq!(config.signaling.max_peers, 4);
    assert!(config.turn.is_none());
    assert_eq!(config.public_ip.unwrap().len(), 2);
}

#[test]
fn secrets_from_the_environment_are_taken_to_the_letter() {
    let secret = "00001234567890123456";
    let config = given("", &[("CALLBOX__TURN__SECRET", secret)]).config();
    assert_eq!(config.turn.unwrap().secret.unwrap().expose(), secret);
}

#[test]
fn errors_do_not_show_secrets() {
    for file in [
        "[turn.users]\nalice = wonderland",
        "[turn]\nsecret = \"wonderland",
        "[turn]\nusers = \"wonderland\"",
        "[turn]\nsecret = [\"wonderland\"]",
        "[turn]\nsecret = \"wonderland\"",
        "[turn.users]\nalice = [\"wonderland\"]",
    ] {
        let error = given(file, &[]).error();
        assert!(!error.contains("wonderland"), "{error}");
        assert!(
            error.contains("turn") || error.contains("line 2"),
            "{error}"
        );
    }
}

#[test]
fn a_served_folder_holds_no_secrets() {
    let error = given("state = \"/tmp/x/state\"\n[web]\nroot = \"/tmp\"", &[]).error();
    assert!(
        error.contains("web.root: /tmp holds state (/tmp/x/state), which would be served"),
        "{error}"
    );
    let error = given("state = \"/x\"\n[web]\nroot = \".\"", &[]).error();
    assert!(error.contains("holds tls.dir (certs)"), "{error}");
}

#[test]
fn origins_are_as_browsers_send_them() {
    let file =
        "[signaling]\norigins = [\"https://App.example.com:443/\", \"http://localhost:3000\"]";
    let origins = given(file, &[]).config().signaling.origins;
    assert_eq!(
        origins,
        ["https://app.example.com", "http://localhost:3000"]
    );
    for bad in [
        "https://*",
        "https://a_b",
        "ftp://a",
        "https://a/b",
        "https://u@a",
    ] {
        let error = given(&format!("[signaling]\norigins = [\"{bad}\"]"), &[]).error();
        assert!(error.contains("is not an origin"), "{error}");
    }
}

#[test]
fn show_prints_what_is_in_effect_without_secrets() {
    let given = given(
        "[turn]\nsecret = \"do-not-show-this-1\"\n[turn.users]\nalice = \"do-not-show-this-2\"",
        &[("CALLBOX__TURN__REALM", "shown")],
    );
    let shown = Config::show(&given.sources).unwrap();
    assert!(shown.contains("realm = \"shown\""));
    assert!(shown.contains("relay_ports = \"49152-65535\""));
    assert!(shown.contains("alice = \"(redacted)\""));
    assert!(!shown.contains("do-not-show"));
    assert!(!format!("{:?}", given.config()).contains("do-not-show"));
}

#[test]
fn one_argument_asks_for_a_certificate_on_the_usual_ports_and_all_else_may_differ() {
    let mut plain = given("", &[]);
    plain.sources.arguments.domains = vec!["call.example.com".into(), "b.example.com".into()];
    let config = plain.config();
    assert_eq!(config.domains, ["call.example.com", "b.example.com"]);
    assert_eq!(
        (config.listen.port(), config.redirect.unwrap().port()),
        (443, 80)
    );
    let CertificateSource::Acme(acme) = config.tls.source else {
        panic!("no authority");
    };
    assert!(
        acme.directory
            .starts_with("https://acme-v02.api.letsencrypt.org")
    );

    let mut configured = given(
        "listen = \"[::]:8443\"\n[tls.acme]\ndirectory = \"letsencrypt-staging\"\nemail = \"a@b.example\"",
        &[("CALLBOX__HTTP__REDIRECT", "[::]:8080")],
    );
    configured.sources.arguments.acme = true;
    let config = configured.config();
    assert_eq!(
        (config.listen.port(), config.redirect.unwrap().port()),
        (8443, 8080)
    );
    let CertificateSource::Acme(acme) = config.tls.source else {
        panic!("no authority");
    };
    assert!(acme.directory.contains("staging"));
    assert_eq!(acme.email.as_deref(), Some("a@b.example"));
}

/// It is the file of whoever starts callbox in the folder of its source.
#[test]
fn the_reference_file_leaves_the_ports_to_the_argument() {
    let mut given = given(include_str!("../../config/callbox.toml"), &[]);
    given.sources.arguments.acme = true;
    let config = given.config();
    assert_eq!(
        (config.listen.port(), config.redirect.unwrap().port()),
        (443, 80)
    );
}

#[test]
fn a_domain_is_only_a_name_where_a_certificate_is_provided() {
    let provided = "[tls]\ncert = \"c\"\nkey = \"k\"";
    let mut given = given(provided, &[]);
    given.sources.arguments.domains = vec!["call.example.com".into()];
    let config = given.config();
    assert!(matches!(
        config.tls.source,
        CertificateSource::Provided { .. }
    ));
    assert_eq!(config.listen.port(), 8443);
    given.sources.arguments.acme = true;
    assert!(given.error().contains("remove these, or tls.acme"));
}

#[test]
fn what_is_wrong_with_an_authority_is_said() {
    for (text, problem) in [
        (
            "directory = \"http://x/\"",
            "is not a certificate authority",
        ),
        ("directory = \"zerossl\"", "is not a certificate authority"),
        ("email = \"ana\"", "is not an email address"),
        ("challenge = \"dns-01\"", "is not a challenge"),
        ("challenge = \"http-01\"", "set http.redirect"),
        ("retry = \"0s\"", "is not a duration"),
        ("directry = \"x\"", "unknown key"),
    ] {
        let error = given(&format!("[tls.acme]\n{text}"), &[]).error();
        assert!(error.contains(problem), "{text}: {error}");
        assert!(error.contains("tls.acme"), "{text}: {error}");
    }
}
