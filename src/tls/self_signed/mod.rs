//! A certificate of our own making, kept as long as it serves: people have told their browsers to accept this very one.

use std::fs;
use std::io;
use std::net::IpAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context, bail};
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256,
};

use super::aside::{Kept, Shelf, why_untimely};
use super::provided::pair;
use super::{Facts, Identity};
use crate::clock::Reading;
use crate::net::Machine;
use crate::state::{self, PRIVATE, PUBLIC};

/// Tells certificates of callbox's making from others.
pub(crate) const ORGANIZATION: &str = "callbox self-signed";
const DAY: Duration = Duration::from_secs(86_400);
/// Browsers refuse certificates that are valid for more than 398 days.
const LIFETIME: Duration = Duration::from_secs(397 * 86_400);
const KEY_BEGINS: &str = "-----BEGIN PRIVATE KEY-----";
/// Clocks of phones and servers differ.
const BACKDATE: Duration = Duration::from_secs(3600);
const RENEW_BEFORE_END: Duration = Duration::from_secs(30 * 86_400);

/// The names that a certificate should be valid for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// From the configuration: without one of them a certificate is made anew.
    pub configured: Vec<String>,
    /// Found on the machine: worth having, not worth a new certificate.
    pub found: Vec<String>,
}

impl Wanted {
    pub(crate) fn all(&self) -> impl Iterator<Item = &String> {
        self.configured.iter().chain(&self.found)
    }

    pub(crate) fn new(domains: &[String], public_ip: Option<&[IpAddr]>, machine: &Machine) -> Self {
        let public = public_ip.unwrap_or_default().iter().map(IpAddr::to_string);
        let configured: Vec<_> = domains.iter().cloned().chain(public).collect();
        let mut found = vec![
            "localhost".to_owned(),
            "127.0.0.1".to_owned(),
            "::1".to_owned(),
        ];
        if let Some(name) = &machine.host_name {
            found.push(name.clone());
            if !name.contains('.') && name != "localhost" {
                found.push(format!("{name}.local"));
            }
        }
        found.extend(machine.stable().map(|ip| ip.to_string()));
        found.retain(|name| !configured.contains(name));
        Self { configured, found }
    }
}

/// The pair in `dir`, or a new one where there is none that still serves.
pub(super) fn load_or_make(
    dir: &Path,
    wanted: &Wanted,
    now: SystemTime,
) -> anyhow::Result<Identity> {
    let files = Files::new(dir);
    let clock = Reading::new(now);
    let Some(old) = files.load()? else {
        tracing::info!("making a self-signed certificate in {}", dir.display());
        let made = Pair::make(wanted, clock.now)?;
        files.writing(|| files.put(&made))?;
        return Ok(made.identity);
    };
    let reason = old.why_replace(wanted, clock);
    if let Some((path, earlier)) = files.shelf.better(&old, wanted, clock) {
        files.exchange(&old, &earlier, Some(&path), (wanted, clock))?;
        tracing::warn!(
            "brought back the self-signed certificate of earlier: {}",
            reason
                .as_deref()
                .unwrap_or("the clock was behind when the other one was made")
        );
        return Ok(earlier.identity);
    }
    if let Some(reason) = reason {
        let made = Pair::make(wanted, clock.now)?;
        files.exchange(&old, &made, None, (wanted, clock))?;
        tracing::warn!(
            "made a new self-signed certificate, which browsers will ask about: {reason}"
        );
        return Ok(made.identity);
    }
    files.shelf.settle(&old, clock);
    files.tell_lacking(&old, wanted);
    Ok(old.identity)
}

/// The pair in `dir`, as long as it is good, where no other can be kept.
pub(super) fn still_good(dir: &Path, now: SystemTime) -> Option<Identity> {
    let identity = Files::new(dir).load().ok()??.identity;
    (Reading::new(now).now < identity.facts.not_after).then_some(identity)
}

/// Where the certificate lies.
pub(super) fn certificate_file(dir: &Path) -> PathBuf {
    Files::new(dir).cert
}

struct Pair {
    cert: Vec<u8>,
    key: Vec<u8>,
    identity: Identity,
}

impl Pair {
    fn new(cert: Vec<u8>, key: Vec<u8>) -> anyhow::Result<Self> {
        let identity = pair(&cert, &key)?;
        Ok(Self {
            cert,
            key,
            identity,
        })
    }

    fn make(wanted: &Wanted, now: SystemTime) -> anyhow::Result<Self> {
        let (cert, key) = generate(wanted, now)?;
        Self::new(cert.into_bytes(), key.into_bytes())
    }
}

impl Kept for Pair {
    fn parse(pem: Vec<u8>) -> Option<Self> {
        let both = String::from_utf8(pem).ok()?;
        // Only the key is a secret.
        let (cert, key) = both.split_at(both.find(KEY_BEGINS)?);
        Self::new(cert.into(), key.into()).ok()
    }

    fn pem(&self) -> Vec<u8> {
        [self.cert.as_slice(), &self.key].concat()
    }

    fn facts(&self) -> &Facts {
        &self.identity.facts
    }

    fn why_replace(&self, wanted: &Wanted, clock: Reading) -> Option<String> {
        let facts = self.facts();
        why_untimely(facts, RENEW_BEFORE_END, clock).or_else(|| {
            let mut configured = wanted.configured.iter();
            let missing = configured.find(|name| !facts.names.contains(name))?;
            Some(format!("the old one does not name {missing}"))
        })
    }
}

/// Where the pair lies.
struct Files {
    dir: PathBuf,
    cert: PathBuf,
    key: PathBuf,
    /// The new certificate before its key is in place; lets a start after a crash between the two finish the exchange.
    pending: PathBuf,
    shelf: Shelf,
}

impl Files {
    fn new(dir: &Path) -> Self {
        Self {
            dir: dir.to_owned(),
            cert: dir.join("cert.pem"),
            key: dir.join("key.pem"),
            pending: dir.join("cert.pem.next"),
            shelf: Shelf::new(dir, "earlier-"),
        }
    }

    fn load(&self) -> anyhow::Result<Option<Pair>> {
        let read = |path: &Path| match fs::read(path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
        };
        let key = read(&self.key)?;
        if let (Some(key), Some(next)) = (&key, read(&self.pending)?)
            && let Ok(whole) = Pair::new(next, key.clone())
        {
            if let Err(error) = fs::rename(&self.pending, &self.cert) {
                let [pending, cert] = [&self.pending, &self.cert].map(|path| path.display());
                tracing::warn!("{pending} is served, and cannot be renamed to {cert}: {error}");
            }
            return Ok(Some(whole));
        }
        match (read(&self.cert)?, key) {
            (None, None) => Ok(None),
            (Some(cert), Some(key)) => Pair::new(cert, key).map(Some).with_context(|| {
                format!(
                    "{} and {} are damaged; delete both to have a new pair made",
                    self.cert.display(),
                    self.key.display()
                )
            }),
            (cert, _) => {
                let (there, gone) = if cert.is_some() {
                    (&self.cert, &self.key)
                } else {
                    (&self.key, &self.cert)
                };
                bail!(
                    "{} is there without {}; bring the other one back, or delete it to have a new pair made",
                    there.display(),
                    gone.display()
                )
            }
        }
    }

    fn tell_lacking(&self, pair: &Pair, wanted: &Wanted) {
        let names = &pair.facts().names;
        let found = wanted.found.iter().filter(|name| !names.contains(name));
        let lacking: Vec<_> = found.cloned().collect();
        if !lacking.is_empty() {
            tracing::info!(
                "the self-signed certificate does not name {}; delete {} and {} to have one made that does",
                lacking.join(", "),
                self.cert.display(),
                self.key.display()
            );
        }
    }

    /// `back` is where the new one lay aside.
    fn exchange(
        &self,
        old: &Pair,
        new: &Pair,
        back: Option<&Path>,
        by: (&Wanted, Reading),
    ) -> anyhow::Result<()> {
        self.writing(|| self.shelf.exchange(old, back, by, || self.put(new)))?;
        Ok(())
    }

    fn put(&self, pair: &Pair) -> io::Result<()> {
        state::replace(&self.pending, &pair.cert, PUBLIC)?;
        state::replace(&self.key, &pair.key, PRIVATE)?;
        fs::rename(&self.pending, &self.cert)
    }

    fn writing<T>(&self, write: impl FnOnce() -> io::Result<T>) -> anyhow::Result<T> {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true).mode(0o755);
        let written = builder.create(&self.dir).and_then(|()| write());
        written.map_err(|error| state::unwritable(&self.dir, "tls.dir", error))
    }
}

/// Certificate and key as PEM.
fn generate(wanted: &Wanted, now: SystemTime) -> anyhow::Result<(String, String)> {
    let names: Vec<_> = wanted.all().cloned().collect();
    let common_name = names
        .first()
        .cloned()
        .unwrap_or_else(|| "callbox".to_owned());
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name = DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, common_name);
    params
        .distinguished_name
        .push(DnType::OrganizationName, ORGANIZATION);
    params.not_before = (now - BACKDATE).into();
    params.not_after = (now - BACKDATE + LIFETIME).into();
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let cert = params.self_signed(&key)?;
    debug_assert!(LIFETIME <= 398 * DAY);
    Ok((cert.pem(), key.serialize_pem()))
}

#[cfg(test)]
mod tests;
