//! From what people write to types that cannot be wrong.

mod access;
mod tls;
mod turn;

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use crate::config::file::File;
use crate::config::{Admin, Config, ConfigError, Log, Origins, Server, Signaling, Web};
use crate::words::site::Site;
use crate::words::site::is_host_name;
use axum::http::{HeaderValue, Uri};
use ipnet::IpNet;

const MAX_PEERS: u16 = 64;
const MAX_DRAIN: Duration = Duration::from_secs(3600);
const LEVELS: [&str; 5] = ["error", "warn", "info", "debug", "trace"];

pub(super) fn resolve(file: &File, origins: Origins) -> Result<Config, ConfigError> {
    let at = Context { origins: &origins };
    Ok(Config {
        listen: at.address("listen", &file.listen)?,
        public_ip: at.public_ip(file)?,
        domains: at.domains(file)?,
        state: file.state.clone(),
        redirect: at.redirect(file)?,
        trusted_proxies: at.trusted_proxies(file)?,
        server: at.server(file)?,
        web: at.web(file)?,
        tls: at.tls(file)?,
        signaling: at.signaling(file)?,
        turn: if file.turn.enabled {
            Some(at.turn(file)?)
        } else {
            None
        },
        access: at.access(file)?,
        admin: at.admin(file)?,
        log: at.log(file)?,
        origins,
    })
}

/// A network, or an address as one of its own.
fn network(text: &str) -> Option<IpNet> {
    let text = text.trim();
    let network = text.parse::<IpNet>();
    network
        .or_else(|_| text.parse::<IpAddr>().map(IpNet::from))
        .ok()
}

/// Turns values into domain types and knows whom to blame.
struct Context<'a> {
    origins: &'a Origins,
}

impl Context<'_> {
    fn error(&self, key: &str, problem: impl Into<String>) -> ConfigError {
        ConfigError::new(self.origins, key, problem)
    }

    fn address(&self, key: &str, text: &str) -> Result<SocketAddr, ConfigError> {
        text.trim().parse().map_err(|_| {
            self.error(
                key,
                format!(
                    "\"{text}\" is not an address with a port; write \"[::]:8443\" for all \
                     addresses, \"127.0.0.1:8443\" or \"[fd00::1]:8443\" for one"
                ),
            )
        })
    }

    fn admin(&self, file: &File) -> Result<Option<Admin>, ConfigError> {
        let key = "admin.hosts";
        let hosts: Result<Vec<_>, _> = file
            .admin
            .hosts
            .iter()
            .map(|name| match name.parse::<IpAddr>() {
                Ok(_) => Err(self.error(
                    key,
                    format!(
                        "\"{name}\" is an address, to all of which it answers anyhow; remove it"
                    ),
                )),
                Err(_) => self.host(key, name),
            })
            .collect();
        let hosts = hosts?;
        match file.admin.listen.as_str() {
            "off" => Ok(None),
            text => {
                let listen = self.address("admin.listen", text)?;
                Ok(Some(Admin { listen, hosts }))
            }
        }
    }

    fn redirect(&self, file: &File) -> Result<Option<SocketAddr>, ConfigError> {
        let key = "http.redirect";
        let Some(text) = &file.http.redirect else {
            return Ok(None);
        };
        let redirect = self.address(key, text)?;
        let main = self.address("listen", &file.listen)?;
        if redirect.port() == main.port() && main.port() != 0 {
            let problem = format!(
                "port {} is that of `listen`, which redirects http:// already; choose another one, such as 80, or remove it",
                main.port()
            );
            return Err(self.error(key, problem));
        }
        Ok(Some(redirect))
    }

    fn trusted_proxies(&self, file: &File) -> Result<Vec<IpNet>, ConfigError> {
        let networks = file.http.trusted_proxies.iter();
        networks
            .map(|text| {
                let problem = format!("\"{text}\" is not an address or a network; write those of the proxy, such as \"127.0.0.1\" or \"10.0.0.0/8\"");
                network(text).ok_or_else(|| self.error("http.trusted_proxies", problem))
            })
            .collect()
    }

    fn duration(&self, key: &str, text: &str) -> Result<Duration, ConfigError> {
        match humantime::parse_duration(text.trim()) {
            Ok(duration) if duration > Duration::ZERO => Ok(duration),
            _ => Err(self.error(
                key,
                format!(
                    "\"{text}\" is not a duration above zero; write \"30s\", \"10m\" or \"1h\""
                ),
            )),
        }
    }

    fn count(&self, key: &str, value: u32) -> Result<usize, ConfigError> {
        match usize::try_from(value) {
            Ok(count) if count > 0 => Ok(count),
            _ => Err(self.error(key, "must be at least 1")),
        }
    }

    fn host(&self, key: &str, text: &str) -> Result<String, ConfigError> {
        let name = text.trim().trim_end_matches('.').to_ascii_lowercase();
        if is_host_name(&name) {
            return Ok(name);
        }
        Err(self.error(
            key,
            format!("\"{text}\" is not a host name; write one such as \"call.example.com\""),
        ))
    }

    fn public_ip(&self, file: &File) -> Result<Option<Vec<IpAddr>>, ConfigError> {
        let key = "public_ip";
        let Some(values) = file.public_ip.values() else {
            return Ok(None);
        };
        let mut addresses = Vec::new();
        for text in values {
            let address: IpAddr = text.parse().map_err(|_| {
                self.error(
                    key,
                    format!("\"{text}\" is not an IP address; write one such as \"203.0.113.7\", or \"auto\""),
                )
            })?;
            if address.is_unspecified() || address.is_multicast() {
                return Err(self.error(key, format!("{address} cannot be reached by anybody; write the address that others use, or \"auto\"")));
            }
            if addresses
                .iter()
                .any(|other: &IpAddr| other.is_ipv4() == address.is_ipv4())
            {
                return Err(self.error(key, "names two addresses of one family; keep one IPv4 and one IPv6 address at the most"));
            }
            addresses.push(address);
        }
        Ok(Some(addresses))
    }

    fn domains(&self, file: &File) -> Result<Vec<String>, ConfigError> {
        file.domains
            .iter()
            .map(|name| self.host("domains", name))
            .collect()
    }

    fn server(&self, file: &File) -> Result<Server, ConfigError> {
        let server = &file.server;
        Ok(Server {
            max_connections: self.count("server.max_connections", server.max_connections)?,
            max_connections_per_ip: self.count(
                "server.max_connections_per_ip",
                server.max_connections_per_ip,
            )?,
            handshakes_per_second_per_ip: self.positive(
                "server.handshakes_per_second_per_ip",
                server.handshakes_per_second_per_ip,
            )?,
            handshake_timeout: self
                .duration("server.handshake_timeout", &server.handshake_timeout)?,
            header_timeout: self.duration("server.header_timeout", &server.header_timeout)?,
            answer_timeout: self.duration("server.answer_timeout", &server.answer_timeout)?,
            idle_timeout: self.idle_timeout(&server.idle_timeout)?,
            max_age: self.duration("server.max_age", &server.max_age)?,
            drain: self.drain(&server.drain)?,
        })
    }

    fn drain(&self, text: &str) -> Result<Duration, ConfigError> {
        match humantime::parse_duration(text.trim()) {
            Ok(drain) if drain <= MAX_DRAIN => Ok(drain),
            _ => Err(self.error(
                "server.drain",
                format!("\"{text}\" is not a duration up to an hour; write \"10m\", or \"0s\" to stop at once"),
            )),
        }
    }

    /// Below the interval of the server's own pings, healthy WebSockets would be cut off.
    fn idle_timeout(&self, text: &str) -> Result<Duration, ConfigError> {
        let key = "server.idle_timeout";
        let idle = self.duration(key, text)?;
        let least = crate::config::PING_INTERVAL * 2;
        if idle < least {
            return Err(self.error(
                key,
                format!(
                    "\"{text}\" would cut healthy WebSockets; write at least \"{}s\"",
                    least.as_secs()
                ),
            ));
        }
        Ok(idle)
    }

    fn web(&self, file: &File) -> Result<Web, ConfigError> {
        if let Some(root) = &file.web.root {
            if !root.is_dir() {
                return Err(self.error(
                    "web.root",
                    format!(
                        "{} is not a folder; name the one that holds index.html",
                        root.display()
                    ),
                ));
            }
            self.keeps_secrets(file, root)?;
        } else if file.web.csp.is_some() {
            return Err(self.error(
                "web.csp",
                "applies to a folder of your own only; set web.root too, or remove it",
            ));
        }
        let csp = file.web.csp.as_ref().map(|text| {
            HeaderValue::from_str(text).map_err(|_| {
                self.error(
                    "web.csp",
                    "holds characters that a header cannot; write one line of ASCII",
                )
            })
        });
        Ok(Web {
            root: file.web.root.clone(),
            csp: csp.transpose()?,
        })
    }

    /// A served folder that holds keys or secrets would publish them.
    fn keeps_secrets(&self, file: &File, root: &Path) -> Result<(), ConfigError> {
        let real = |path: &Path| {
            path.canonicalize()
                .or_else(|_| std::path::absolute(path))
                .ok()
        };
        let root = real(root);
        let private = [
            ("state", Some(&file.state)),
            ("tls.dir", Some(&file.tls.dir)),
            ("tls.key", file.tls.key.as_ref()),
        ];
        for (key, path) in private {
            let Some(path) = path else { continue };
            if let (Some(root), Some(inner)) = (&root, real(path))
                && inner.starts_with(root)
            {
                let problem = format!(
                    "{} holds {key} ({}), which would be served to everybody; name a folder with nothing but web pages",
                    root.display(),
                    path.display()
                );
                return Err(self.error("web.root", problem));
            }
        }
        Ok(())
    }

    fn signaling(&self, file: &File) -> Result<Signaling, ConfigError> {
        let signaling = &file.signaling;
        if !(2..=MAX_PEERS).contains(&signaling.max_peers) {
            return Err(self.error(
                "signaling.max_peers",
                format!("{} is not from 2 to {MAX_PEERS}", signaling.max_peers),
            ));
        }
        Ok(Signaling {
            origins: signaling
                .origins
                .iter()
                .map(|origin| self.origin(origin))
                .collect::<Result<_, _>>()?,
            max_peers: usize::from(signaling.max_peers),
            max_rooms: self.count("signaling.max_rooms", signaling.max_rooms)?,
            max_rooms_per_ip: self
                .count("signaling.max_rooms_per_ip", signaling.max_rooms_per_ip)?,
            max_connections_per_ip: self.count(
                "signaling.max_connections_per_ip",
                signaling.max_connections_per_ip,
            )?,
            message_limit: self.message_limit(&signaling.message_limit)?,
            message_rate: self.positive("signaling.message_rate", signaling.message_rate)?,
            resume: self.duration("signaling.resume", &signaling.resume)?,
            knock: self.duration("signaling.knock", &signaling.knock)?,
            visitors_per_minute: self.positive(
                "signaling.visitors_per_minute",
                signaling.visitors_per_minute,
            )?,
        })
    }

    fn positive(&self, key: &str, value: u32) -> Result<u32, ConfigError> {
        self.count(key, value).map(|_| value)
    }

    fn origin(&self, text: &str) -> Result<String, ConfigError> {
        let wrong = || {
            self.error(
                "signaling.origins",
                format!("\"{text}\" is not an origin; write one such as \"https://app.example.com\" or \"http://localhost:3000\""),
            )
        };
        let origin = text.trim().trim_end_matches('/').to_ascii_lowercase();
        let uri: Uri = origin.parse().map_err(|_| wrong())?;
        let default_port = match uri.scheme_str() {
            Some("https") => ":443",
            Some("http") => ":80",
            _ => return Err(wrong()),
        };
        let host = uri
            .authority()
            .map(axum::http::uri::Authority::as_str)
            .and_then(Site::parse);
        if host.is_none() || uri.path() != "/" || uri.query().is_some() {
            return Err(wrong());
        }
        // Browsers leave the default port out.
        Ok(origin
            .strip_suffix(default_port)
            .map_or(origin.clone(), str::to_owned))
    }

    fn message_limit(&self, text: &str) -> Result<usize, ConfigError> {
        self.size("signaling.message_limit", text, "4 KiB", "1 MiB", "64 KiB")
    }

    /// Bytes, from `low` to `high`.
    fn size(
        &self,
        key: &str,
        text: &str,
        low: &str,
        high: &str,
        example: &str,
    ) -> Result<usize, ConfigError> {
        let parse = |text: &str| {
            let size = text.trim().parse::<bytesize::ByteSize>().ok()?;
            usize::try_from(size.as_u64()).ok()
        };
        parse(text)
            .filter(|bytes| Some(*bytes) >= parse(low) && Some(*bytes) <= parse(high))
            .ok_or_else(|| {
                self.error(
                    key,
                    format!("\"{text}\" is not a size from \"{low}\" to \"{high}\"; write one such as \"{example}\""),
                )
            })
    }

    fn log(&self, file: &File) -> Result<Log, ConfigError> {
        let level = file.log.level.trim();
        let known = LEVELS.contains(&level) || level.contains(['=', ',']);
        if !known
            || level
                .parse::<tracing_subscriber::filter::Targets>()
                .is_err()
        {
            return Err(self.error(
                "log.level",
                format!("\"{level}\" is not a level; write error, warn, info, debug, trace, or a filter such as \"info,callbox::signaling=debug\""),
            ));
        }
        let json = match file.log.format.as_str() {
            "text" => false,
            "json" => true,
            other => {
                return Err(self.error(
                    "log.format",
                    format!("\"{other}\" is not a format; write text or json"),
                ));
            }
        };
        Ok(Log {
            level: level.to_owned(),
            json,
        })
    }
}
