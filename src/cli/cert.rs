//! `callbox cert`: the certificate that is served, by whom, until when; and the authority of this machine's own.

use std::fmt::Write;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::Context;
use pem::{EncodeConfig, LineEnding, Pem};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde::Serialize;

use crate::config::{Config, ConfigError};
use crate::net::{self, Machine};
use crate::state::{PUBLIC, replace};
use crate::tls::{self, Authority, Facts, LocalCaFiles, Maker};

/// What is on the disk, which a server that runs takes over within seconds.
#[derive(Debug, Serialize)]
pub struct Report {
    served: Certificate,
    /// Of this machine's own, if one signs.
    authority: Option<Certificate>,
}

#[derive(Debug, Serialize)]
struct Certificate {
    file: PathBuf,
    names: Vec<String>,
    issuer: String,
    not_after: String,
    days_left: u64,
    sha256: String,
}

/// # Errors
/// [`ConfigError`] where there is none yet, or it cannot be read.
pub async fn report(config: &Config, now: SystemTime) -> anyhow::Result<Report> {
    config.own_folders()?;
    let public = public(config).await?;
    let (mut file, maker) = tls::served_file(config, &public);
    if let Some(stand_in) = tls::stand_in_file(config)
        && !file.exists()
    {
        file = stand_in;
    }
    let pem = std::fs::read(&file)
        .map_err(|error| unreadable(config, &file, maker != Maker::Operator, &error))?;
    let der = CertificateDer::from_pem_slice(&pem)
        .ok()
        .with_context(|| format!("{} holds no PEM certificate", file.display()))?;
    let authority = if tls::has_local_ca(config, &public) {
        let authority = authority(config)?;
        let file = LocalCaFiles::new(&config.state).authority;
        let der = &authority.certificate;
        Some(Certificate::new(file, der, authority.facts, now)?)
    } else {
        None
    };
    let facts = tls::facts(&der)?;
    Ok(Report {
        served: Certificate::new(file, &der, facts, now)?,
        authority,
    })
}

/// Writes the certificate of this machine's own authority: PEM, or DER where the file's name says so. `-` is standard
/// output. What there is to say of it.
///
/// # Errors
/// [`ConfigError`] where there is none.
pub async fn export(config: &Config, to: &Path) -> anyhow::Result<String> {
    config.own_folders()?;
    if !tls::has_local_ca(config, &public(config).await?) {
        let problem = "no authority of this machine's own signs the certificate, so there is none to export; set tls.local_ca = true to have one";
        return Err(config.error("tls.local_ca", problem).into());
    }
    let authority = authority(config)?;
    let pem = pem(&authority.certificate);
    if to == Path::new("-") {
        return Ok(pem);
    }
    let is_der = |extension: &std::ffi::OsStr| {
        extension == "crt" || extension == "cer" || extension == "der"
    };
    let contents = match to.extension() {
        Some(extension) if is_der(extension) => authority.certificate.to_vec(),
        _ => pem.into_bytes(),
    };
    replace(to, &contents, PUBLIC).with_context(|| format!("cannot write {}", to.display()))?;
    let fingerprint = authority.facts.fingerprint;
    Ok(format!(
        "{} has the SHA-256 fingerprint\n{fingerprint}\n",
        to.display()
    ))
}

impl Report {
    pub fn text(&self) -> String {
        let mut text = String::new();
        self.served.write(&mut text, "Certificate");
        if let Some(authority) = &self.authority {
            text.push('\n');
            authority.write(&mut text, "Authority of this machine's own");
            text.push_str(
                "\n  Devices that have installed it from /ca of the page trust this server. Compare the fingerprint there.\n",
            );
        }
        text
    }

    /// # Errors
    /// When a file's name is not UTF-8.
    pub fn json(&self) -> serde_json::Result<String> {
        serde_json::to_string_pretty(self)
    }
}

impl Certificate {
    fn new(
        file: PathBuf,
        der: &CertificateDer<'_>,
        facts: Facts,
        now: SystemTime,
    ) -> anyhow::Result<Self> {
        Ok(Self {
            file,
            issuer: tls::issuer(der)?,
            not_after: humantime::format_rfc3339_seconds(facts.not_after).to_string(),
            days_left: facts.days_left(now),
            names: facts.names,
            sha256: facts.fingerprint,
        })
    }

    fn write(&self, text: &mut String, title: &str) {
        let (first, second) = self.sha256.split_at(self.sha256.len().min(48));
        let _ = writeln!(text, "{title}: {}", self.file.display());
        if !self.names.is_empty() {
            let _ = writeln!(text, "  names    {}", self.names.join(", "));
        }
        let _ = writeln!(text, "  issuer   {}", self.issuer);
        let _ = writeln!(
            text,
            "  until    {}, {} days left",
            self.not_after, self.days_left
        );
        let _ = writeln!(text, "  SHA-256  {first}\n           {second}");
    }
}

async fn public(config: &Config) -> anyhow::Result<Vec<IpAddr>> {
    let machine = Machine::inspect().context("cannot list the machine's addresses")?;
    let configured = config.public_ip.as_deref();
    let loopback = config.is_loopback_only();
    Ok(net::public_addresses(configured, loopback, &config.domains, &machine).await)
}

fn authority(config: &Config) -> anyhow::Result<Authority> {
    let files = LocalCaFiles::new(&config.state);
    let wrong = |problem: String| config.error("state", problem);
    let found = files
        .load_authority()
        .map_err(|error| wrong(format!("{error:#}")))?;
    let file = files.authority.display();
    let found = found.ok_or_else(|| {
        wrong(format!(
            "{file} is not there yet; start callbox, which makes it"
        ))
    })?;
    Ok(found)
}

fn unreadable(config: &Config, file: &Path, made: bool, error: &std::io::Error) -> ConfigError {
    let missing = error.kind() == std::io::ErrorKind::NotFound;
    let key = if made { "state" } else { "tls.cert" };
    let file = file.display();
    config.error(
        key,
        if made && missing {
            format!("{file} is not there yet; start callbox, which makes it, and run this in the same folder and with the same configuration")
        } else {
            format!("{file} cannot be read: {error}; run this as the user callbox runs as, or as root")
        },
    )
}

fn pem(der: &CertificateDer<'_>) -> String {
    let unix = EncodeConfig::new().set_line_ending(LineEnding::LF);
    pem::encode_config(&Pem::new("CERTIFICATE", der.to_vec()), unix)
}
