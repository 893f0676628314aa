//! The page that is checked: `https://HOST[:PORT]/`. Pure.

use std::net::IpAddr;
use std::str::FromStr;

use rustls::pki_types::ServerName;

use crate::words::secret::Secret;
use crate::words::site::{Site, url_host};

const INVITATIONS: &str = "/access/i/";

/// A server as a browser would be sent to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    site: Site,
    /// The path of an invitation's link.
    invitation: Option<Secret>,
}

impl Target {
    pub fn of_address(ip: IpAddr, port: u16) -> Self {
        let host = url_host(ip);
        Self {
            site: Site { host, port },
            invitation: None,
        }
    }

    pub fn of_name(name: &str, port: u16) -> Self {
        Self {
            site: Site {
                host: name.to_owned(),
                port,
            },
            invitation: None,
        }
    }

    /// The path of the invitation that was named.
    pub fn invitation(&self) -> Option<&Secret> {
        self.invitation.as_ref()
    }

    /// As it stands in a URL: an IPv6 address in brackets.
    pub fn host(&self) -> &str {
        &self.site.host
    }

    /// As a resolver or a certificate has it: without brackets.
    pub fn name(&self) -> &str {
        bare(&self.site.host)
    }

    pub fn ip(&self) -> Option<IpAddr> {
        self.name().parse().ok()
    }

    pub fn port(&self) -> u16 {
        self.site.port
    }

    /// What a page of it sends as `Origin`.
    pub fn origin(&self) -> String {
        format!("https://{}", self.site.authority())
    }

    /// What `Host` says.
    pub fn authority(&self) -> String {
        self.site.authority()
    }

    pub fn url(&self) -> String {
        format!("{}/", self.origin())
    }

    /// `None` for what cannot stand in a certificate.
    pub fn server_name(&self) -> Option<ServerName<'static>> {
        ServerName::try_from(self.name().to_owned()).ok()
    }
}

/// An IPv6 address without its brackets; anything else as it is.
pub(super) fn bare(host: &str) -> &str {
    host.strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(host)
}

impl FromStr for Target {
    type Err = String;

    /// Of paths only an invitation's matters: people paste the link of a room.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || {
            format!(
                "\"{text}\" is not the address of a page; write https://HOST/ or https://HOST:PORT/"
            )
        };
        let (scheme, rest) = text.split_once("://").ok_or_else(wrong)?;
        if !scheme.eq_ignore_ascii_case("https") {
            return Err(wrong());
        }
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let site = Site::parse(&rest[..end]).ok_or_else(wrong)?;
        let path = rest[end..].split(['?', '#']).next().unwrap_or_default();
        let token = path.strip_prefix(INVITATIONS).unwrap_or_default();
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-*".contains(&byte);
        let invitation = !token.is_empty() && token.bytes().all(plain);
        Ok(Self {
            site,
            invitation: invitation.then(|| Secret::new(path)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_named_as_in_a_browser() {
        for (text, url, name) in [
            (
                "https://Call.example.com",
                "https://call.example.com/",
                "call.example.com",
            ),
            (
                "HTTPS://localhost:8443/r/blue-otter?x#y",
                "https://localhost:8443/",
                "localhost",
            ),
            (
                "https://[fd00::5]:8443",
                "https://[fd00::5]:8443/",
                "fd00::5",
            ),
            ("https://192.0.2.7:443", "https://192.0.2.7/", "192.0.2.7"),
        ] {
            let target: Target = text.parse().unwrap();
            assert_eq!((target.url().as_str(), target.name()), (url, name));
            assert!(target.server_name().is_some());
        }
    }

    #[test]
    fn the_link_of_an_invitation_is_one() {
        let of = |text: &str| {
            let target: Target = text.parse().unwrap();
            target.invitation().map(|path| path.expose().to_owned())
        };
        let link = "https://call.example.com/access/i/a1i.dGVhbQ.1f.0.e1.179.x_y-z";
        assert_eq!(
            of(link).as_deref(),
            link.strip_prefix("https://call.example.com")
        );
        assert_eq!(of(&format!("{link}?x#y")), of(link));
        for none in [
            "https://h/",
            "https://h/access/i/",
            "https://h/access/i/a b",
            "https://h/r/team",
        ] {
            assert_eq!(of(none), None, "{none}");
        }
    }

    #[test]
    fn everything_else_is_refused_with_the_remedy() {
        for text in [
            "",
            "call.example.com",
            "http://call.example.com",
            "https://",
            "https://a b",
            "https://u@h",
        ] {
            let error = text.parse::<Target>().unwrap_err();
            assert!(error.contains("write https://HOST/"), "{error}");
        }
    }
}
