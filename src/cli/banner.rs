//! What is printed at the start: where to go, and what cannot be reached and why. Pure: facts in, text out.

use std::fmt::Write;
use std::net::{IpAddr, SocketAddr};
use std::time::SystemTime;

use callbox_turn::is_global;
use fast_qr::QRBuilder;

use crate::net::Machine;
use crate::tls::Facts;
use crate::words::site::url_host;

const HTTPS_PORT: u16 = 443;

/// What there is to say.
pub(crate) struct Banner<'a> {
    pub https: SocketAddr,
    pub machine: &'a Machine,
    pub domains: &'a [String],
    /// Addresses under which the world reaches this machine.
    pub public: &'a [IpAddr],
    /// Where the relay listens; empty without one.
    pub turn: &'a [SocketAddr],
    /// Where TURN over TLS has a port of its own.
    pub turn_tls: Option<SocketAddr>,
    pub certificate: &'a Facts,
    pub trusted: bool,
    /// The authority of this machine's own that has signed it.
    pub authority: Option<&'a Facts>,
    /// Draw a QR code of the address that other devices can open.
    pub qr: bool,
}

impl Banner<'_> {
    pub(crate) fn text(&self, now: SystemTime) -> String {
        let mut text = format!(
            "\n  callbox {} is ready. Open\n\n",
            env!("CARGO_PKG_VERSION")
        );
        let addresses = self.addresses();
        for (url, whence) in &addresses {
            let _ = writeln!(text, "    {url:<44} {whence}");
        }
        text.push('\n');
        self.write_turn(&mut text);
        self.write_certificate(&mut text, &addresses, now);
        for note in self.notes() {
            let _ = writeln!(text, "  Note         {note}");
        }
        if self.qr
            && let Some(url) = widest(&addresses)
            && let Ok(code) = QRBuilder::new(url).build()
        {
            write_qr(&mut text, &code.to_str(), url);
        }
        text
    }

    /// URLs and who can open them; the widest reach comes last.
    fn addresses(&self) -> Vec<(String, &'static str)> {
        let listens_on = |ip: IpAddr| {
            let all = self.https.ip().is_unspecified() && (self.https.is_ipv6() || ip.is_ipv4());
            all || self.https.ip() == ip
        };
        let mut list = Vec::new();
        if self.https.ip().is_loopback() {
            list.push((self.url(&url_host(self.https.ip())), THIS_MACHINE));
        } else if self.https.ip().is_unspecified() {
            list.push((self.url("localhost"), THIS_MACHINE));
        }
        let own = self
            .machine
            .stable()
            .filter(|ip| listens_on(*ip) && !self.public.contains(ip));
        list.extend(own.map(|ip| (self.url(&url_host(ip)), NETWORK)));
        let far = !self.https.ip().is_loopback();
        let public = self.public.iter().filter(|_| far);
        list.extend(public.map(|ip| (self.url(&url_host(*ip)), INTERNET)));
        let domains = self.domains.iter().filter(|_| far);
        list.extend(domains.map(|name| (self.url(name), NAME)));
        list
    }

    fn url(&self, host: &str) -> String {
        match self.https.port() {
            HTTPS_PORT => format!("https://{host}/"),
            port => format!("https://{host}:{port}/"),
        }
    }

    fn write_turn(&self, text: &mut String) {
        let show = |address: &SocketAddr| format!("{}:{}", url_host(address.ip()), address.port());
        let listed: Vec<_> = self.turn.iter().map(show).collect();
        if listed.is_empty() {
            text.push_str("  STUN/TURN    off\n");
            return;
        }
        let _ = write!(text, "  STUN/TURN    {}  (UDP, TCP)", listed.join("  "));
        if let Some(tls) = &self.turn_tls {
            let _ = write!(text, "  {}  (TLS)", show(tls));
        }
        text.push('\n');
    }

    fn write_certificate(&self, text: &mut String, addresses: &[(String, &str)], now: SystemTime) {
        let days = self.certificate.days_left(now);
        let shown = if let Some(authority) = self.authority {
            let url = widest(addresses).or_else(|| addresses.first().map(|(url, _)| url.as_str()));
            let url = url.unwrap_or("https://HOST:PORT/");
            let _ = writeln!(
                text,
                "  Certificate  signed by this machine's own authority; {days} days left. Devices that have installed\n\
                 {INDENT}the authority from {url}ca trust it; others show a warning first. Its SHA-256 fingerprint"
            );
            authority
        } else {
            let kind = if self.trusted {
                "trusted by browsers"
            } else {
                "not trusted by browsers: they will ask once"
            };
            let _ = writeln!(
                text,
                "  Certificate  {kind}; {days} days left; SHA-256 fingerprint"
            );
            self.certificate
        };
        let fingerprint = &shown.fingerprint;
        // 16 pairs and the colon between the lines.
        let (first, second) = fingerprint.split_at(fingerprint.len().min(48));
        let _ = writeln!(text, "{INDENT}{first}\n{INDENT}{second}");
    }

    /// What is not reachable, and why.
    fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if self.https.ip().is_loopback() {
            notes.push("only this machine can open it: `listen` is a loopback address".to_owned());
        } else {
            if self.machine.stable().next().is_none() {
                notes.push(
                    "other devices cannot open it: this machine has no network address".to_owned(),
                );
            }
            let v4_only_private = self.machine.stable().any(|ip| ip.is_ipv4())
                && !self.public.iter().any(IpAddr::is_ipv4);
            if !self.public.is_empty() && v4_only_private {
                notes.push(
                    "no public IPv4 address was found, so the relay serves the Internet over IPv6 only; \
                     set `public_ip` to both"
                        .to_owned(),
                );
            }
            if self.public.is_empty() {
                notes.push(
                    "not reachable from the Internet as far as callbox can see: no public address was found; \
                     set `public_ip` where a router or cloud forwards one to this machine"
                        .to_owned(),
                );
            }
        }
        if self.turn.is_empty() {
            notes.push("calls connect by direct paths only: [turn] enabled = false".to_owned());
        } else if self.turn.iter().all(|address| address.ip().is_loopback())
            && !self.https.ip().is_loopback()
        {
            notes.push(
                "other devices cannot use the relay: `[turn] listen` is a loopback address"
                    .to_owned(),
            );
        }
        for ip in self.public.iter().filter(|ip| !is_global(**ip)) {
            notes.push(format!(
                "`public_ip` {ip} is not an address of the Internet"
            ));
        }
        notes
    }
}

const INDENT: &str = "               ";
const THIS_MACHINE: &str = "this machine";
const NETWORK: &str = "your network";
const INTERNET: &str = "the Internet";
const NAME: &str = "by name";

/// The address that most devices can open.
fn widest<'a>(addresses: &'a [(String, &str)]) -> Option<&'a str> {
    [NAME, INTERNET, NETWORK]
        .iter()
        .find_map(|reach| addresses.iter().find(|(_, whence)| whence == reach))
        .map(|(url, _)| url.as_str())
}

/// White on black with a margin, whatever the terminal's colours are: cameras want it so.
fn write_qr(text: &mut String, code: &str, url: &str) {
    let width = code.lines().next().map_or(0, |line| line.chars().count());
    let margin = "\u{2588}".repeat(width + 4);
    let line = |text: &mut String, cells: &str| {
        let _ = writeln!(text, "  \x1b[97;40m{cells}\x1b[0m");
    };
    text.push('\n');
    line(text, &margin);
    for row in code.lines() {
        line(text, &format!("\u{2588}\u{2588}{row}\u{2588}\u{2588}"));
    }
    line(text, &margin);
    let _ = writeln!(text, "\n  {url}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use callbox_turn::LocalAddress;

    fn machine(addresses: &[&str]) -> Machine {
        let address = |text: &&str| LocalAddress {
            ip: text.parse().unwrap(),
            prefix: 24,
            interface: "eth0".to_owned(),
            stable: !text.starts_with("127."),
        };
        Machine {
            addresses: addresses.iter().map(address).collect(),
            ..Machine::default()
        }
    }

    fn text(https: &str, machine: &Machine, public: &[&str], turn: &[&str], qr: bool) -> String {
        let public: Vec<_> = public.iter().map(|ip| ip.parse().unwrap()).collect();
        let turn: Vec<_> = turn
            .iter()
            .map(|address| address.parse().unwrap())
            .collect();
        let certificate = facts();
        let banner = Banner {
            public: &public,
            turn: &turn,
            qr,
            ..banner(https, machine, &certificate)
        };
        banner.text(SystemTime::UNIX_EPOCH)
    }

    fn banner<'a>(https: &str, machine: &'a Machine, certificate: &'a Facts) -> Banner<'a> {
        Banner {
            turn_tls: "[::]:5349".parse().ok(),
            https: https.parse().unwrap(),
            machine,
            domains: &[],
            public: &[],
            turn: &[],
            certificate,
            trusted: false,
            authority: None,
            qr: false,
        }
    }

    fn facts() -> Facts {
        Facts {
            not_before: SystemTime::UNIX_EPOCH,
            names: Vec::new(),
            not_after: SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(864_000),
            fingerprint: vec!["AB"; 32].join(":"),
        }
    }

    #[test]
    fn on_a_lan() {
        let lan = machine(&["127.0.0.1", "192.168.1.5"]);
        let text = text("[::]:8443", &lan, &[], &["192.168.1.5:3478"], true);
        assert!(text.contains("https://localhost:8443/ "), "{text}");
        assert!(text.contains("https://192.168.1.5:8443/ "), "{text}");
        let turn = "192.168.1.5:3478  (UDP, TCP)  [::]:5349  (TLS)";
        assert!(text.contains(turn), "{text}");
        assert!(text.contains("10 days left"), "{text}");
        assert!(text.contains("set `public_ip`"), "{text}");
        assert!(text.contains('█'), "a QR code: {text}");
        let pairs = text.matches("AB").count();
        assert_eq!(pairs, 32);
    }

    #[test]
    fn under_an_authority_of_its_own() {
        let lan = machine(&["127.0.0.1", "192.168.1.5"]);
        let authority = Facts {
            fingerprint: vec!["CD"; 32].join(":"),
            ..facts()
        };
        let facts = facts();
        let banner = Banner {
            authority: Some(&authority),
            ..banner("[::]:8443", &lan, &facts)
        };
        let text = banner.text(SystemTime::UNIX_EPOCH);
        assert!(text.contains("from https://192.168.1.5:8443/ca "), "{text}");
        assert_eq!(
            (text.matches("CD").count(), text.matches("AB").count()),
            (32, 0)
        );
        let loopback = Banner {
            https: ([127, 0, 0, 1], 8443).into(),
            ..banner
        };
        let text = loopback.text(SystemTime::UNIX_EPOCH);
        assert!(text.contains("from https://127.0.0.1:8443/ca "), "{text}");
    }

    #[test]
    fn on_a_public_server() {
        let vps = machine(&["127.0.0.1", "5.6.7.8"]);
        let text = text("[::]:443", &vps, &["5.6.7.8"], &["5.6.7.8:3478"], false);
        assert!(text.contains("https://5.6.7.8/ "), "{text}");
        assert_eq!(text.matches("https://5.6.7.8/").count(), 1);
        assert!(!text.contains("Note") && !text.contains('█'), "{text}");
    }

    #[test]
    fn on_loopback() {
        let lan = machine(&["127.0.0.1", "192.168.1.5"]);
        let text = text("127.0.0.1:8443", &lan, &[], &[], true);
        assert!(text.contains("https://127.0.0.1:8443/ "), "{text}");
        assert!(
            !text.contains("192.168.1.5") && !text.contains('█'),
            "{text}"
        );
        assert!(
            text.contains("only this machine") && text.contains("direct paths only"),
            "{text}"
        );
    }
}
