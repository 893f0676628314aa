//! `[turn]`.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use callbox_turn::PortRange;
use ipnet::IpNet;

use super::Context;
use super::network;
use crate::config::file::AutoNumber;
use crate::config::file::File;
use crate::config::{ConfigError, Turn};
use crate::turn::{CredentialMode, Limits};
use crate::words::secret::Secret;

const MIN_SECRET: usize = 16;
/// With a longer one the answer to a stranger's Allocate could be more than three times the request.
const MAX_REALM: usize = 48;
const MAX_SHARDS: u16 = 256;
/// Of credentials that are not refused.
const MAX_TTL: Duration = crate::turn::credentials::MAX_TTL;
const MIN_TTL: Duration = Duration::from_secs(10);

impl Context<'_> {
    pub(super) fn turn(&self, file: &File) -> Result<Turn, ConfigError> {
        let turn = &file.turn;
        if turn.realm.is_empty() || turn.realm.len() > MAX_REALM || turn.realm.contains(['"', ':'])
        {
            return Err(self.error(
                "turn.realm",
                format!(
                    "must be 1 to {MAX_REALM} characters without quotes and colons; write a name such as \"callbox\""
                ),
            ));
        }
        Ok(Turn {
            listen: self.turn_listen("turn.listen", &turn.listen)?,
            tls_listen: match turn.tls_listen.trim() {
                "off" => None,
                text => Some(self.turn_listen("turn.tls_listen", text)?),
            },
            realm: turn.realm.clone(),
            host: turn
                .host
                .as_ref()
                .map(|host| self.turn_host(host))
                .transpose()?,
            relay_ports: self.relay_ports(&turn.relay_ports)?,
            secret: self.turn_secret(file)?,
            credentials: self.credential_mode(&turn.credentials)?,
            credential_ttl: self.credential_ttl(&turn.credential_ttl)?,
            peers: self.peers(file)?,
            shards: self.shards(turn.shards)?,
            users: self.users(file)?,
            limits: self.turn_limits(file)?,
        })
    }

    /// Chromium's list of ports that TURN may use is stricter than its list for pages (`webrtc`'s `TurnPort`).
    fn turn_listen(&self, key: &str, text: &str) -> Result<SocketAddr, ConfigError> {
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
        if ttl > MAX_TTL {
            return Err(self.error(
                "turn.credential_ttl",
                format!("\"{text}\" is more than a year, after which a credential is refused as a mistake; write less, such as \"1h\""),
            ));
        }
        Ok(ttl)
    }

    fn credential_mode(&self, text: &str) -> Result<CredentialMode, ConfigError> {
        match text {
            "call" => Ok(CredentialMode::Call),
            "timed" => Ok(CredentialMode::Timed),
            other => Err(self.error(
                "turn.credentials",
                format!("\"{other}\" is not known; write \"call\" (good while in a room) or \"timed\" (good until they expire)"),
            )),
        }
    }

    fn shards(&self, shards: AutoNumber) -> Result<usize, ConfigError> {
        match shards {
            AutoNumber::Auto => Ok(std::thread::available_parallelism()
                .map_or(1, usize::from)
                .min(MAX_SHARDS.into())),
            AutoNumber::Number(number @ 1..=MAX_SHARDS) => Ok(number.into()),
            AutoNumber::Number(number) => Err(self.error(
                "turn.shards",
                format!("{number} is not a number of threads from 1 to {MAX_SHARDS}; write \"auto\" for one per core"),
            )),
        }
    }

    fn turn_limits(&self, file: &File) -> Result<Limits, ConfigError> {
        let limits = &file.turn.limits;
        let positive = |key: &str, value: u32| match usize::try_from(value) {
            Ok(value) if value > 0 => Ok(value),
            _ => Err(self.error(
                &format!("turn.limits.{key}"),
                "must be at least 1; set `turn.enabled = false` to switch the relay off",
            )),
        };
        let stream_queue = self.size(
            "turn.limits.stream_queue",
            &limits.stream_queue,
            "16 KiB",
            "16 MiB",
            "256 KiB",
        )?;
        positive("allocations_per_minute", limits.allocations_per_minute)?;
        positive(
            "unauthenticated_per_second",
            limits.unauthenticated_per_second,
        )?;
        Ok(Limits {
            allocations: positive("allocations", limits.allocations)?,
            allocations_per_visitor: positive(
                "allocations_per_visitor",
                limits.allocations_per_visitor,
            )?,
            allocations_per_ip: positive("allocations_per_ip", limits.allocations_per_ip)?,
            allocations_per_minute: limits.allocations_per_minute,
            permissions: positive("permissions", limits.permissions)?,
            channels: positive("channels", limits.channels)?,
            unauthenticated_per_second: limits.unauthenticated_per_second,
            stream_queue,
            bytes_per_second: self.bitrate_or_off("turn.limits.bitrate", &limits.bitrate)?,
            check_bytes_per_second: self
                .bitrate("turn.limits.check_bitrate", &limits.check_bitrate)?,
            total_bytes_per_second: self
                .bitrate_or_off("turn.limits.total_bitrate", &limits.total_bitrate)?,
        })
    }

    fn bitrate_or_off(&self, key: &str, text: &str) -> Result<Option<u64>, ConfigError> {
        match text.trim() {
            "off" => Ok(None),
            "0" => Err(self.error(key, "\"0\" would relay nothing; write \"off\" for no limit")),
            text => self.bitrate(key, text).map(Some),
        }
    }

    /// Bits per second with a decimal prefix; gives bytes per second.
    fn bitrate(&self, key: &str, text: &str) -> Result<u64, ConfigError> {
        const MIN_BITS: u64 = 64_000;
        let number_end = text
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(text.len());
        let (number, unit) = text.split_at(number_end);
        let factor = match unit.trim() {
            "kbit/s" => Some(1_000),
            "Mbit/s" => Some(1_000_000),
            "Gbit/s" => Some(1_000_000_000),
            _ => None,
        };
        let bits = number
            .parse::<u64>()
            .ok()
            .zip(factor)
            .and_then(|(number, factor)| number.checked_mul(factor));
        match bits {
            Some(bits @ MIN_BITS..) => Ok(bits / 8),
            Some(_) => Err(self.error(
                key,
                format!("\"{text}\" is too little for a call; write at least \"64 kbit/s\""),
            )),
            None => Err(self.error(
                key,
                format!("\"{text}\" is not a bitrate; write one such as \"800 kbit/s\", \"5 Mbit/s\" or \"1 Gbit/s\""),
            )),
        }
    }

    fn peers(&self, file: &File) -> Result<Option<Vec<IpNet>>, ConfigError> {
        let Some(values) = file.turn.peers.values() else {
            return Ok(None);
        };
        values
            .into_iter()
            .filter(|text| !text.is_empty())
            .map(|text| {
                let problem = format!("\"{text}\" is not a network; write \"auto\" or networks such as \"192.168.1.0/24\"");
                network(text).ok_or_else(|| self.error("turn.peers", problem))
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
