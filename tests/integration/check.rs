//! `callbox check`, run against servers that are well and against such that are not.

use std::process::Output;

use serde_json::Value;

use crate::support::{Server, program};

/// What the check printed with `--json`.
struct Checked {
    code: i32,
    json: Value,
}

impl Checked {
    fn read(output: &Output) -> Self {
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(errors.is_empty(), "{errors}");
        let json = serde_json::from_slice(&output.stdout).unwrap();
        let code = output.status.code().unwrap();
        Self { code, json }
    }

    fn of(url: &str, arguments: &[&str]) -> Self {
        let mut command = program();
        command.args(["check", "--json", url]).args(arguments);
        Self::read(&command.output().unwrap())
    }

    fn rows(&self) -> &Vec<Value> {
        self.json["rows"].as_array().unwrap()
    }

    fn row(&self, name: &str) -> &Value {
        let found = self.rows().iter().find(|row| row["name"] == name);
        found.unwrap_or_else(|| panic!("no row {name}: {:#}", self.json))
    }

    fn status(&self, name: &str) -> &str {
        self.row(name)["status"].as_str().unwrap()
    }

    /// Names of rows with this status.
    fn with(&self, status: &str) -> Vec<&str> {
        let rows = self.rows().iter().filter(|row| row["status"] == status);
        rows.map(|row| row["name"].as_str().unwrap()).collect()
    }
}

#[tokio::test]
async fn a_server_that_is_well_passes() {
    let server = Server::start("");
    let url = format!("https://{}", server.https);
    let checked = Checked::of(&url, &[]);
    assert_eq!(checked.code, 0, "{:#}", checked.json);
    assert_eq!(checked.json["ok"], true);
    assert_eq!(checked.json["url"], format!("{url}/"));
    assert_eq!(checked.with("failed"), [""; 0]);
    // Nothing is wrong, but browsers do ask.
    assert_eq!(checked.with("warning"), ["certificate: chain"]);
    let authority = server.path("certs/cert.pem");
    let checked = Checked::of(&url, &["--ca", authority.to_str().unwrap()]);
    assert_eq!(checked.with("warning"), [""; 0], "{:#}", checked.json);
    for name in [
        "certificate: chain",
        "certificate: names",
        "certificate: days left",
        "clock",
        "configuration of the page",
        "WebSocket",
        "STUN",
        &format!("TURN over UDP on {}/udp", server.turn.port()),
        "TURN over TCP on the HTTPS port",
        "TURN over TLS on the HTTPS port",
        "public address",
        "a packet through two relays",
        "a packet to the relay from outside",
    ] {
        assert_eq!(checked.status(name), "ok", "{:#}", checked.row(name));
    }
}
