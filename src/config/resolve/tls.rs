//! `[tls]`

use axum::http::Uri;

use super::Context;
use crate::config::file::{self, File};
use crate::config::{Acme, AcmeChallenge, AutoBool, CertificateSource, ConfigError, Tls};

/// Authorities by name.
const DIRECTORIES: [(&str, &str); 2] = [
    (
        "letsencrypt",
        "https://acme-v02.api.letsencrypt.org/directory",
    ),
    (
        "letsencrypt-staging",
        "https://acme-staging-v02.api.letsencrypt.org/directory",
    ),
];

impl Context<'_> {
    pub(super) fn tls(&self, file: &File) -> Result<Tls, ConfigError> {
        let source = self.source(file)?;
        let made_here = matches!(source, CertificateSource::SelfSigned { .. });
        let local_ca = file.tls.local_ca;
        if local_ca == AutoBool::Yes && !made_here {
            return Err(self.error(
                "tls.local_ca",
                "a certificate comes from elsewhere: tls.cert, or tls.acme; remove these, or tls.local_ca",
            ));
        }
        if file.tls.trusted == AutoBool::Yes && made_here && local_ca != AutoBool::Yes {
            return Err(self.error(
                "tls.trusted",
                "a self-signed certificate is trusted by no browser; remove it, set tls.cert and tls.key, or set \
                 tls.local_ca = true and install its authority on every device",
            ));
        }
        Ok(Tls {
            source,
            trusted: file.tls.trusted,
            local_ca,
        })
    }

    fn source(&self, file: &File) -> Result<CertificateSource, ConfigError> {
        match (&file.tls.cert, &file.tls.key, &file.tls.acme) {
            (Some(_), _, Some(_)) | (_, Some(_), Some(_)) => Err(self.error(
                "tls.acme",
                "a certificate is provided by tls.cert and tls.key already; remove these, or tls.acme",
            )),
            (Some(cert), Some(key), None) => Ok(CertificateSource::Provided {
                cert: cert.clone(),
                key: key.clone(),
            }),
            (None, None, Some(acme)) => self.acme(file, acme).map(CertificateSource::Acme),
            (None, None, None) => Ok(CertificateSource::SelfSigned {
                dir: file.tls.dir.clone(),
            }),
            (Some(_), None, None) => {
                Err(self.error("tls.cert", "comes without its key; set tls.key too"))
            }
            (None, Some(_), None) => {
                Err(self.error("tls.key", "comes without its certificate; set tls.cert too"))
            }
        }
    }

    fn acme(&self, file: &File, acme: &file::Acme) -> Result<Acme, ConfigError> {
        Ok(Acme {
            directory: self.directory(&acme.directory)?,
            email: acme
                .email
                .as_deref()
                .map(|text| self.email(text))
                .transpose()?,
            ca: acme.ca.clone(),
            challenge: self.challenge(file, &acme.challenge)?,
            retry: self.duration("tls.acme.retry", &acme.retry)?,
            dir: file.tls.dir.clone(),
        })
    }

    fn directory(&self, text: &str) -> Result<String, ConfigError> {
        if let Some((_, url)) = DIRECTORIES.iter().find(|(name, _)| *name == text) {
            return Ok((*url).to_owned());
        }
        let uri = text.parse::<Uri>().ok();
        match uri.filter(|uri| uri.scheme_str() == Some("https") && uri.host().is_some()) {
            Some(_) => Ok(text.to_owned()),
            None => Err(self.error(
                "tls.acme.directory",
                format!(
                    "\"{text}\" is not a certificate authority; write \"letsencrypt\", \"letsencrypt-staging\" or the https:// URL of a directory"
                ),
            )),
        }
    }

    fn email(&self, text: &str) -> Result<String, ConfigError> {
        let text = text.trim();
        let plain = text.bytes().all(|byte| byte.is_ascii_graphic());
        match text.split_once('@') {
            Some((user, host)) if plain && !user.is_empty() && !host.is_empty() => {
                Ok(text.to_owned())
            }
            _ => Err(self.error(
                "tls.acme.email",
                format!("\"{text}\" is not an email address; write one, or remove it"),
            )),
        }
    }

    fn challenge(&self, file: &File, text: &str) -> Result<AcmeChallenge, ConfigError> {
        let key = "tls.acme.challenge";
        match text {
            "auto" => Ok(AcmeChallenge::Auto),
            "http-01" if file.http.redirect.is_none() => Err(self.error(
                key,
                "http-01 comes over plain HTTP; set http.redirect = \"[::]:80\" too",
            )),
            "http-01" => Ok(AcmeChallenge::Http),
            "tls-alpn-01" => Ok(AcmeChallenge::Tls),
            _ => Err(self.error(
                key,
                format!(
                    "\"{text}\" is not a challenge; write \"auto\", \"http-01\" or \"tls-alpn-01\""
                ),
            )),
        }
    }
}
