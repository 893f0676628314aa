//! `callbox check`, run against servers that are well and against such that are not.

mod gated;
mod hostile;
mod inside;
mod outside;

use std::net::SocketAddr;
use std::process::Output;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::fake::{Fake, response};
use crate::support::program;

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

    async fn of(url: &str, arguments: &[&str]) -> Self {
        Self::with_environment(url, arguments, &[]).await
    }

    async fn with_environment(url: &str, arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let mut command = program();
        command
            .args(["check", "--json", url])
            .args(arguments)
            .envs(environment.iter().copied());
        Self::read(
            &tokio::process::Command::from(command)
                .output()
                .await
                .unwrap(),
        )
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

    /// That row failed, and its remedy says so.
    fn expect_failed(&self, name: &str, found: &str, remedy: &str) {
        assert_eq!(self.code, 1);
        assert_eq!(self.json["ok"], false);
        let row = self.row(name);
        let has = |key: &str, part: &str| row[key].as_str().is_some_and(|text| text.contains(part));
        assert!(
            row["status"] == "failed" && has("found", found) && has("remedy", remedy),
            "{row:#}"
        );
    }

    /// Names of rows with this status.
    fn with(&self, status: &str) -> Vec<&str> {
        let rows = self.rows().iter().filter(|row| row["status"] == status);
        rows.map(|row| row["name"].as_str().unwrap()).collect()
    }
}

/// The whole of a check.
const LIMIT: Duration = Duration::from_secs(20);

fn url(address: SocketAddr) -> String {
    format!("https://{address}/")
}

/// Runs the check, which has to end in time.
async fn check(address: SocketAddr) -> Checked {
    let start = Instant::now();
    let checked = Checked::of(&url(address), &[]).await;
    assert!(start.elapsed() < LIMIT, "{:?}", start.elapsed());
    checked
}

/// What /config.js says where the relay is said to be on these ports.
fn script(udp: u16, tcp: u16) -> String {
    format!(
        "export const PC_CONFIG = {{\"iceServers\": [{{\"urls\": [\"stun:127.0.0.1:{udp}\"]}}, {{\"urls\": [\
         \"turn:127.0.0.1:{udp}?transport=udp\", \"turn:127.0.0.1:{tcp}?transport=tcp\"], \"username\": \"u\", \
         \"credential\": \"p\"}}]}};\nexport const SETTINGS = {{}};\n"
    )
}

/// A page with this configuration and without anything else.
async fn page(script: String) -> Fake {
    Fake::https(move |path| match path {
        "/config.js" => response("200 OK", &script),
        _ => response("403 Forbidden", "Not for you.\u{1b}[2J"),
    })
    .await
}
