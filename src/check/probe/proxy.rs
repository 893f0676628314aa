//! The HTTP proxy that the environment names, as browsers of this network would use it.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::super::fault::Fault;
use super::super::report::quote;
use super::super::target::{Target, bare};
use crate::words::site::Site;

/// Bytes of a proxy's answer.
const MAX_HEAD: usize = 8 * 1024;

/// A proxy that tunnels with `CONNECT` (RFC 9110 §9.3.6).
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Proxy {
    host: String,
    port: u16,
    /// `user:password`
    login: Option<String>,
}

impl Proxy {
    /// The one for `target`, if any.
    ///
    /// # Errors
    /// A sentence with the remedy where the environment names none that can be used.
    pub(crate) fn from_environment(
        target: &Target,
        get: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<Self>, String> {
        let first = |names: [&str; 2]| {
            names
                .into_iter()
                .find_map(|name| get(name).filter(|text| !text.is_empty()))
        };
        let Some(text) = first(["https_proxy", "HTTPS_PROXY"]) else {
            return Ok(None);
        };
        let exceptions = first(["no_proxy", "NO_PROXY"]).unwrap_or_default();
        if exceptions
            .split(',')
            .any(|exception| is_exempt(target.name(), exception.trim()))
        {
            return Ok(None);
        }
        Self::parse(&text).map(Some).ok_or_else(|| {
            "HTTPS_PROXY is not the address of an HTTP proxy; write http://HOST:PORT, or unset it".to_owned()
        })
    }

    fn parse(text: &str) -> Option<Self> {
        let rest = match text.split_once("://") {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => rest,
            Some(_) => return None,
            None => text,
        };
        let rest = rest.trim_end_matches('/');
        let (login, authority) = match rest.rsplit_once('@') {
            Some((login, authority)) => {
                let login = percent_decode_str(login).decode_utf8_lossy();
                (Some(login.into_owned()), authority)
            }
            None => (None, rest),
        };
        let Site { host, port } = Site::parse(authority)?;
        let has_port = !authority.ends_with(']') && bare(authority).contains(':');
        Some(Self {
            host,
            port: if has_port { port } else { 80 },
            login,
        })
    }

    /// A connection to the target through the proxy.
    ///
    /// # Errors
    /// Of the proxy; has no deadline of its own.
    pub(crate) async fn tunnel(&self, target: &Target) -> Result<TcpStream, Fault> {
        let via = |fault: Fault| Fault::Other(format!("the proxy {self}: {fault}"));
        let mut stream = TcpStream::connect((bare(&self.host), self.port))
            .await
            .map_err(|error| via(error.into()))?;
        let to = format!("{}:{}", target.host(), target.port());
        let login = self.login.as_ref().map_or_else(String::new, |login| {
            format!("Proxy-Authorization: Basic {}\r\n", STANDARD.encode(login))
        });
        let request = format!("CONNECT {to} HTTP/1.1\r\nHost: {to}\r\n{login}\r\n");
        stream
            .write_all(request.as_bytes())
            .await
            .map_err(|error| via(error.into()))?;
        let head = read_head(&mut stream).await.map_err(via)?;
        match status(&head) {
            Some(200..=299) => Ok(stream),
            Some(code) => {
                let words = head.lines().next().unwrap_or_default();
                Err(via(Fault::Denied(code, quote(words))))
            }
            None => Err(via(Fault::Foreign)),
        }
    }
}

/// Without the password.
impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proxy({self})")
    }
}

/// Byte by byte up to the empty line: what follows belongs to the tunnel.
async fn read_head(stream: &mut TcpStream) -> Result<String, Fault> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() == MAX_HEAD {
            return Err(Fault::Foreign);
        }
        head.push(stream.read_u8().await?);
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}

fn status(head: &str) -> Option<u16> {
    let (version, rest) = head.split_once(' ')?;
    version.starts_with("HTTP/1.").then_some(())?;
    rest.get(..3)?.parse().ok()
}

/// `example.com` and `.example.com` mean the domain and what is below it, `*` everything.
fn is_exempt(name: &str, exception: &str) -> bool {
    let exception = exception.trim_start_matches('.').to_ascii_lowercase();
    if exception.is_empty() {
        return false;
    }
    let below = name
        .strip_suffix(&exception)
        .is_some_and(|rest| rest.ends_with('.'));
    exception == "*" || name == bare(&exception) || below
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(target: &str, proxy: &str, exceptions: &str) -> Result<Option<Proxy>, String> {
        let target: Target = target.parse().unwrap();
        Proxy::from_environment(&target, |name| match name {
            "HTTPS_PROXY" => Some(proxy.to_owned()),
            "no_proxy" => Some(exceptions.to_owned()),
            _ => None,
        })
    }

    #[test]
    fn the_environment_names_a_proxy_and_its_exceptions() {
        let target = "https://call.example.com";
        let proxy = chosen(target, "http://ana:a%40b@proxy.lan:3128/", "")
            .unwrap()
            .unwrap();
        assert_eq!(proxy.to_string(), "proxy.lan:3128");
        assert_eq!(proxy.login.as_deref(), Some("ana:a@b"));
        assert_eq!(format!("{proxy:?}"), "Proxy(proxy.lan:3128)", "no password");
        assert_eq!(chosen(target, "[fd00::1]", "").unwrap().unwrap().port, 80);
        assert_eq!(chosen(target, "", "").unwrap(), None);
        for exempt in ["*", "example.com", " .example.com", "x, call.example.com"] {
            assert_eq!(
                chosen(target, "http://p:1", exempt).unwrap(),
                None,
                "{exempt}"
            );
        }
        for other in ["ample.com", "example.org", ","] {
            assert!(
                chosen(target, "http://p:1", other).unwrap().is_some(),
                "{other}"
            );
        }
        for wrong in ["socks5://p:1", "https://p:1", "http://", "http://a b"] {
            assert!(
                chosen(target, wrong, "")
                    .unwrap_err()
                    .contains("http://HOST:PORT"),
                "{wrong}"
            );
        }
    }

    #[test]
    fn a_status_is_read_from_anything() {
        assert_eq!(
            status("HTTP/1.1 200 Connection established\r\n\r\n"),
            Some(200)
        );
        assert_eq!(status("HTTP/1.0 407\r\n\r\n"), Some(407));
        for odd in [
            "",
            "HTTP/1.1",
            "HTTP/1.1 é",
            "SSH-2.0 200 x",
            "HTTP/1.1 2x0 OK",
        ] {
            assert_eq!(status(odd), None, "{odd}");
        }
    }
}
