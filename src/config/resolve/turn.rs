//! `[turn]`.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use ipnet::IpNet;

use super::Context;
use crate::config::file::File;
use crate::config::{ConfigError, PortRange, Secret, Turn};

const MIN_SECRET: usize = 16;
const MIN_TTL: Duration = Duration::from_secs(10);

impl Context<'_> {
    pub(super) fn turn(&self, file: &File) -> Result<Turn, ConfigError> {
        let turn = &file.turn;
        if turn.realm.is_empty() || turn.realm.len() > 127 || turn.realm.contains(['"', ':']) {
            return Err(self.error(
                "turn.realm",
                "must be 1 to 127 characters without quotes and colons; write a name such as \"callbox\"",
            ));
        }
        Ok(Turn {
            listen: self.turn_listen(&turn.listen)?,
            realm: turn.realm.clone(),
            host: turn
                .host
                .as_ref()
                .map(|host| self.turn_host(host))
                .transpose()?,
            relay_ports: self.relay_ports(&turn.relay_ports)?,
            secret: self.turn_secret(file)?,
            credential_ttl: self.credential_ttl(&turn.credential_ttl)?,
            peers: self.peers(file)?,
            users: self.users(file)?,
        })
    }

    /// Chromium's list of ports that TURN may use is stricter than its list for pages (`webrtc`'s `TurnPort`).
    fn turn_listen(&self, text: &str) -> Result<SocketAddr, ConfigError> {
        let key = "turn.listen";
        let listen = self.address(key, text)?;
        match listen.port() {
            0 | 53 | 80 | 443 | 1024.. => Ok(listen),
            port => Err(self.error(
                key,
                format!("Chromium refuses TURN on port {port}; choose 53, 80, 443 or one from 1024, such as 3478"),
            )),
        }
    }

    fn turn_host(&self, text: &str) -> Result<String, ConfigError> {
        match text.trim().trim_matches(['[', ']']).parse::<IpAddr>() {
            Ok(IpAddr::V6(address)) => Ok(format!("[{address}]")),
            Ok(IpAddr::V4(address)) => Ok(address.to_string()),
            Err(_) => self.host("turn.host", text),
        }
    }

    fn relay_ports(&self, text: &str) -> Result<PortRange, ConfigError> {
        let key = "turn.relay_ports";
        let range = text.split_once('-').and_then(|(low, high)| {
            Some(PortRange {
                low: low.trim().parse().ok()?,
                high: high.trim().parse().ok()?,
            })
        });
        match range {
            Some(range) if range.low > range.high => Err(self.error(
                key,
                format!("\"{text}\" is reversed; write the lower port first: \"{}-{}\"", range.high, range.low),
            )),
            Some(range) if range.low >= 1024 => Ok(range),
            _ => Err(self.error(
                key,
                format!("\"{text}\" is not a range of ports from 1024 to 65535; write one such as \"49152-65535\""),
            )),
        }
    }

    fn turn_secret(&self, file: &File) -> Result<Option<Secret>, ConfigError> {
        match &file.turn.secret {
            Some(secret) if secret.expose().len() < MIN_SECRET => Err(self.error(
                "turn.secret",
                format!("is shorter than {MIN_SECRET} characters; write a longer one, or remove it to have one made"),
            )),
            other => Ok(other.clone()),
        }
    }

    fn credential_ttl(&self, text: &str) -> Result<Duration, ConfigError> {
        let ttl = self.duration("turn.credential_ttl", text)?;
        if ttl < MIN_TTL {
            return Err(self.error(
                "turn.credential_ttl",
                format!("\"{text}\" is too short for a call to be set up; write at least \"10s\", such as \"1h\""),
            ));
        }
        Ok(ttl)
    }

    fn peers(&self, file: &File) -> Result<Option<Vec<IpNet>>, ConfigError> {
        let Some(values) = file.turn.peers.values() else {
            return Ok(None);
        };
        values
            .into_iter()
            .filter(|text| !text.is_empty())
            .map(|text| {
                text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from)).map_err(|_| {
                    self.error(
                        "turn.peers",
                        format!("\"{text}\" is not a network; write \"auto\" or networks such as \"192.168.1.0/24\""),
                    )
                })
            })
            .collect::<Result<_, _>>()
            .map(Some)
    }

    fn users(&self, file: &File) -> Result<BTreeMap<String, Secret>, ConfigError> {
        for (name, password) in &file.turn.users {
            let key = format!("turn.users.{name}");
            if name.is_empty() || name.len() > 128 || name.contains(':') {
                return Err(self.error(
                    &key,
                    "is not a user name; use 1 to 128 characters without a colon",
                ));
            }
            if password.expose().is_empty() {
                return Err(self.error(&key, "has an empty password; write one"));
            }
        }
        Ok(file.turn.users.clone())
    }
}
