//! The shape of the configuration as people write it: every key, its type and its default.
//!
//! Values that need interpretation (addresses, ports, durations, sizes) are strings here and become
//! domain types in [`super::resolve`].

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::words::secret::Secret;

/// One value or a list of them: `"auto"`, `"a"` or `["a", "b"]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, expecting = "expected a string or a list of strings")]
pub(super) enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl OneOrMany {
    /// The listed values; `None` stands for `"auto"`.
    pub(super) fn values(&self) -> Option<Vec<&str>> {
        match self {
            Self::One(value) if value.trim() == "auto" => None,
            Self::One(value) => Some(value.split(',').map(str::trim).collect()),
            Self::Many(values) => Some(values.iter().map(|v| v.trim()).collect()),
        }
    }
}

impl Default for OneOrMany {
    fn default() -> Self {
        Self::One("auto".to_owned())
    }
}

/// `"auto"`, or a plain yes or no.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "BoolOrText", into = "BoolOrText")]
pub enum AutoBool {
    #[default]
    Auto,
    Yes,
    No,
}

#[derive(Serialize, Deserialize)]
#[serde(untagged, expecting = "expected \"auto\", true or false")]
enum BoolOrText {
    Bool(bool),
    Text(String),
}

impl TryFrom<BoolOrText> for AutoBool {
    type Error = String;

    fn try_from(value: BoolOrText) -> Result<Self, Self::Error> {
        match value {
            BoolOrText::Bool(true) => Ok(Self::Yes),
            BoolOrText::Bool(false) => Ok(Self::No),
            BoolOrText::Text(text) => match text.as_str() {
                "auto" => Ok(Self::Auto),
                "true" => Ok(Self::Yes),
                "false" => Ok(Self::No),
                other => Err(format!("\"{other}\", expected \"auto\", true or false")),
            },
        }
    }
}

impl From<AutoBool> for BoolOrText {
    fn from(value: AutoBool) -> Self {
        match value {
            AutoBool::Auto => Self::Text("auto".to_owned()),
            AutoBool::Yes => Self::Bool(true),
            AutoBool::No => Self::Bool(false),
        }
    }
}

/// `"auto"`, or a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "NumberOrText", into = "NumberOrText")]
pub(super) enum AutoNumber {
    #[default]
    Auto,
    Number(u16),
}

#[derive(Serialize, Deserialize)]
#[serde(untagged, expecting = "expected \"auto\" or a number")]
enum NumberOrText {
    Number(u16),
    Text(String),
}

impl TryFrom<NumberOrText> for AutoNumber {
    type Error = String;

    fn try_from(value: NumberOrText) -> Result<Self, Self::Error> {
        match value {
            NumberOrText::Number(number) => Ok(Self::Number(number)),
            NumberOrText::Text(text) if text == "auto" => Ok(Self::Auto),
            NumberOrText::Text(text) => text
                .parse()
                .map(Self::Number)
                .map_err(|_| format!("\"{text}\", expected \"auto\" or a number")),
        }
    }
}

impl From<AutoNumber> for NumberOrText {
    fn from(value: AutoNumber) -> Self {
        match value {
            AutoNumber::Auto => Self::Text("auto".to_owned()),
            AutoNumber::Number(number) => Self::Number(number),
        }
    }
}

/// Declares a table of the configuration file together with its defaults.
macro_rules! table {
    ($(#[$doc:meta])* $name:ident { $($key:ident: $type:ty = $default:expr,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub(crate) struct $name { $(pub(crate) $key: $type,)* }

        impl Default for $name {
            fn default() -> Self {
                Self { $($key: $default,)* }
            }
        }
    };
}

table! {
    /// The whole file.
    File {
        listen: String = "[::]:8443".into(),
        public_ip: OneOrMany = OneOrMany::default(),
        domains: Vec<String> = Vec::new(),
        state: PathBuf = "./state".into(),
        http: Http = Http::default(),
        server: Server = Server::default(),
        web: Web = Web::default(),
        tls: Tls = Tls::default(),
        signaling: Signaling = Signaling::default(),
        turn: Turn = Turn::default(),
        access: Access = Access::default(),
        admin: Admin = Admin::default(),
        log: Log = Log::default(),
    }
}

table! {
    Http {
        redirect: Option<String> = None,
        trusted_proxies: Vec<String> = Vec::new(),
    }
}

table! {
    Server {
        max_connections: u32 = 4096,
        max_connections_per_ip: u32 = 1024,
        handshakes_per_second_per_ip: u32 = 250,
        handshake_timeout: String = "10s".into(),
        header_timeout: String = "20s".into(),
        answer_timeout: String = "30s".into(),
        idle_timeout: String = "75s".into(),
        max_age: String = "15m".into(),
        drain: String = "0s".into(),
    }
}

table! {
    Web {
        root: Option<PathBuf> = None,
        csp: Option<String> = None,
    }
}

table! {
    Tls {
        cert: Option<PathBuf> = None,
        key: Option<PathBuf> = None,
        acme: Option<Acme> = None,
        dir: PathBuf = "certs".into(),
        trusted: AutoBool = AutoBool::Auto,
        local_ca: AutoBool = AutoBool::Auto,
    }
}

table! {
    Acme {
        directory: String = "letsencrypt".into(),
        email: Option<String> = None,
        ca: Option<PathBuf> = None,
        challenge: String = "auto".into(),
        retry: String = "2m".into(),
    }
}

table! {
    Signaling {
        origins: Vec<String> = Vec::new(),
        max_peers: u16 = 8,
        max_rooms: u32 = 1000,
        max_rooms_per_ip: u32 = 32,
        max_connections_per_ip: u32 = 64,
        message_limit: String = "64 KiB".into(),
        message_rate: u32 = 100,
        resume: String = "30s".into(),
        knock: String = "5m".into(),
        visitors_per_minute: u32 = 60,
    }
}

table! {
    Turn {
        enabled: bool = true,
        listen: String = "[::]:3478".into(),
        tls_listen: String = "[::]:5349".into(),
        realm: String = "callbox".into(),
        host: Option<String> = None,
        relay_ports: String = "49152-65535".into(),
        secret: Option<Secret> = None,
        credentials: String = "call".into(),
        credential_ttl: String = "1h".into(),
        peers: OneOrMany = OneOrMany::default(),
        shards: AutoNumber = AutoNumber::Auto,
        users: BTreeMap<String, Secret> = BTreeMap::new(),
        limits: TurnLimits = TurnLimits::default(),
    }
}

table! {
    TurnLimits {
        allocations: u32 = 8192,
        allocations_per_visitor: u32 = 128,
        allocations_per_ip: u32 = 1024,
        allocations_per_minute: u32 = 1024,
        permissions: u32 = 256,
        channels: u32 = 256,
        unauthenticated_per_second: u32 = 200,
        stream_queue: String = "256 KiB".into(),
        bitrate: String = "10 Mbit/s".into(),
        check_bitrate: String = "1 Mbit/s".into(),
        total_bitrate: String = "500 Mbit/s".into(),
    }
}

table! {
    Access {
        mode: String = "open".into(),
        password_hash: Option<Secret> = None,
        session: String = "30d".into(),
        invitation: String = "7d".into(),
        attempts_per_minute: u32 = 10,
    }
}

table! {
    Admin {
        listen: String = "127.0.0.1:9480".into(),
        hosts: Vec<String> = Vec::new(),
    }
}

table! {
    Log {
        level: String = "info".into(),
        format: String = "text".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REFERENCE: &str = include_str!("../../config/callbox.toml");

    #[test]
    fn the_reference_file_equals_the_built_in_defaults() {
        let parsed: File = toml::from_str(REFERENCE).unwrap();
        assert_eq!(parsed, File::default());
    }

    /// Keys without a default stand in the reference as comments, and `listen`, whose default is another one with
    /// `--domain`: a file that sets it would decide it.
    fn uncommented() -> String {
        REFERENCE
            .lines()
            .map(|line| match line.strip_prefix("# ") {
                Some(rest) if is_assignment(rest) || is_table(rest) => rest,
                _ => line,
            })
            .collect::<Vec<_>>()
            .join("\n")
    }

    /// Uncommented, the file must still parse and set every one of them.
    #[test]
    fn the_reference_file_shows_every_optional_key() {
        let file: File = toml::from_str(&uncommented()).unwrap();
        assert_eq!(file.listen, File::default().listen);
        assert!(file.http.redirect.is_some());
        assert!(file.web.root.is_some() && file.web.csp.is_some());
        assert!(file.tls.cert.is_some() && file.tls.key.is_some());
        let acme = file.tls.acme.unwrap();
        assert!(acme.email.is_some() && acme.ca.is_some());
        let shown = Acme {
            email: None,
            ca: None,
            ..acme
        };
        assert_eq!(shown, Acme::default());
        assert!(file.turn.host.is_some() && file.turn.secret.is_some());
        assert!(!file.turn.users.is_empty());
        assert!(file.access.password_hash.is_some());
    }

    #[test]
    fn the_reference_file_shows_every_key() {
        let shown: toml::Table = toml::from_str(&uncommented()).unwrap();
        let all = toml::Table::try_from(File::default()).unwrap();
        for (key, value) in all {
            // A table without keys that have a default need not be there.
            if value.as_table().is_some_and(toml::Table::is_empty) {
                continue;
            }
            let there = shown
                .get(&key)
                .unwrap_or_else(|| panic!("{key} is missing"));
            if let (toml::Value::Table(wanted), toml::Value::Table(there)) = (value, there) {
                for inner in wanted.keys() {
                    assert!(there.contains_key(inner), "{key}.{inner} is missing");
                }
            }
        }
    }

    fn is_table(line: &str) -> bool {
        line.starts_with('[') && line.ends_with(']')
    }

    fn is_assignment(line: &str) -> bool {
        line.split_once(" = ").is_some_and(|(key, _)| {
            !key.is_empty() && key.chars().all(|c| c.is_ascii_lowercase() || c == '_')
        })
    }
}
