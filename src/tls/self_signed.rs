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

use super::provided::pair;
use super::{Facts, Identity};
use crate::clock::Reading;
use crate::net::Machine;
use crate::state::{self, PRIVATE, PUBLIC};

/// Tells certificates of callbox's making from others.
pub const ORGANIZATION: &str = "callbox self-signed";
const DAY: Duration = Duration::from_secs(86_400);
/// Browsers refuse certificates that are valid for more than 398 days.
const LIFETIME: Duration = Duration::from_secs(397 * 86_400);
const KEY_BEGINS: &str = "-----BEGIN PRIVATE KEY-----";
/// Clocks of phones and servers differ.
const BACKDATE: Duration = Duration::from_secs(3600);
const RENEW_BEFORE_END: Duration = Duration::from_secs(30 * 86_400);

/// The names that a certificate should be valid for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// From the configuration: without one of them a certificate is made anew.
    pub configured: Vec<String>,
    /// Found on the machine: worth having, not worth a new certificate.
    pub found: Vec<String>,
}

impl Wanted {
    pub fn all(&self) -> impl Iterator<Item = &String> {
        self.configured.iter().chain(&self.found)
    }

    pub fn new(domains: &[String], public_ip: Option<&[IpAddr]>, machine: &Machine) -> Self {
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
pub fn load_or_make(dir: &Path, wanted: &Wanted, now: SystemTime) -> anyhow::Result<Identity> {
    let files = Files::new(dir);
    let clock = Reading::new(now);
    let Some(identity) = files.load()? else {
        tracing::info!("making a self-signed certificate in {}", dir.display());
        return files.make(wanted, clock.now);
    };
    let reason = why_renew(&identity.facts, wanted, clock);
    // Of those that are good the youngest, which a clock that was ahead, or behind, may have put aside.
    let than = reason.is_none().then_some(identity.facts.not_before);
    if let Some(earlier) = files.bring_back(wanted, clock, than)? {
        tracing::warn!(
            "brought back the self-signed certificate of earlier: {}",
            reason
                .as_deref()
                .unwrap_or("the clock was behind when the other one was made")
        );
        return Ok(earlier);
    }
    if let Some(reason) = reason {
        tracing::warn!(
            "making a new self-signed certificate, which browsers will ask about: {reason}"
        );
        files.put_aside()?;
        return files.make(wanted, clock.now);
    }
    let lacking: Vec<_> = wanted
        .found
        .iter()
        .filter(|name| !identity.facts.names.contains(name))
        .cloned()
        .collect();
    if !lacking.is_empty() {
        tracing::info!(
            "the self-signed certificate does not name {}; delete {} and {} to have one made that does",
            lacking.join(", "),
            files.cert.display(),
            files.key.display()
        );
    }
    Ok(identity)
}

/// The pair in `dir`, as long as it is good, where no other can be kept.
pub fn still_good(dir: &Path, now: SystemTime) -> Option<Identity> {
    let identity = Files::new(dir).load().ok()??;
    (Reading::new(now).now < identity.facts.not_after).then_some(identity)
}

/// Where the certificate lies.
pub fn certificate_file(dir: &Path) -> PathBuf {
    Files::new(dir).cert
}

fn why_renew(facts: &Facts, wanted: &Wanted, clock: Reading) -> Option<String> {
    let now = clock.now;
    if clock.is_from_the_future(facts.not_before) {
        let begin = humantime::format_rfc3339_seconds(facts.not_before);
        return Some(format!("the old one was made by a wrong clock, at {begin}"));
    }
    if facts.not_after < now + RENEW_BEFORE_END {
        return Some(format!(
            "the old one has {} days left",
            facts.days_left(now)
        ));
    }
    let missing = wanted
        .configured
        .iter()
        .find(|name| !facts.names.contains(name))?;
    Some(format!("the old one does not name {missing}"))
}

/// Where the pair lies.
struct Files {
    dir: PathBuf,
    cert: PathBuf,
    key: PathBuf,
    /// The new certificate before its key is in place; lets a start after a crash between the two finish the exchange.
    pending: PathBuf,
    /// Certificate and key of before, which a clock that was ahead may have ended.
    earlier: PathBuf,
}

impl Files {
    fn new(dir: &Path) -> Self {
        Self {
            dir: dir.to_owned(),
            cert: dir.join("cert.pem"),
            key: dir.join("key.pem"),
            pending: dir.join("cert.pem.next"),
            earlier: dir.join("earlier.pem"),
        }
    }

    fn load(&self) -> anyhow::Result<Option<Identity>> {
        let read = |path: &Path| match fs::read(path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
        };
        let key = read(&self.key)?;
        if let (Some(key), Some(next)) = (&key, read(&self.pending)?)
            && let Ok(identity) = pair(&next, key)
        {
            fs::rename(&self.pending, &self.cert)?;
            return Ok(Some(identity));
        }
        match (read(&self.cert)?, key) {
            (None, None) => Ok(None),
            (Some(cert), Some(key)) => pair(&cert, &key).map(Some).with_context(|| {
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

    fn put_aside(&self) -> anyhow::Result<()> {
        let both = [fs::read(&self.cert)?, fs::read(&self.key)?].concat();
        state::replace(&self.earlier, &both, PRIVATE)
            .map_err(|error| state::unwritable(&self.dir, "tls.dir", error))
    }

    /// The pair of before, in its place again, if it serves and is younger.
    fn bring_back(
        &self,
        wanted: &Wanted,
        clock: Reading,
        than: Option<SystemTime>,
    ) -> anyhow::Result<Option<Identity>> {
        let both = fs::read_to_string(&self.earlier).unwrap_or_default();
        // Only the key is a secret.
        let Some((cert, key)) = both.find(KEY_BEGINS).map(|at| both.split_at(at)) else {
            return Ok(None);
        };
        let Ok(identity) = pair(cert.as_bytes(), key.as_bytes()) else {
            return Ok(None);
        };
        let facts = &identity.facts;
        if why_renew(facts, wanted, clock).is_some() || Some(facts.not_before) <= than {
            return Ok(None);
        }
        self.put_aside()?;
        self.write(cert, key)?;
        Ok(Some(identity))
    }

    fn make(&self, wanted: &Wanted, now: SystemTime) -> anyhow::Result<Identity> {
        let (cert, key) = generate(wanted, now)?;
        self.write(&cert, &key)?;
        pair(cert.as_bytes(), key.as_bytes())
    }

    fn write(&self, cert: &str, key: &str) -> anyhow::Result<()> {
        let write = || {
            fs::DirBuilder::new()
                .recursive(true)
                .mode(0o755)
                .create(&self.dir)?;
            state::replace(&self.pending, cert.as_bytes(), PUBLIC)?;
            state::replace(&self.key, key.as_bytes(), PRIVATE)?;
            fs::rename(&self.pending, &self.cert)
        };
        write().map_err(|error| state::unwritable(&self.dir, "tls.dir", error))
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
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn wanted(configured: &[&str]) -> Wanted {
        let own = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Wanted {
            configured: own(configured),
            found: own(&["localhost", "127.0.0.1", "fd00::2"]),
        }
    }

    fn now() -> SystemTime {
        // Whole seconds, as certificates count.
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000)
    }

    #[test]
    fn a_new_pair_is_what_browsers_accept() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().join("certs");
        let identity = load_or_make(&dir, &wanted(&["call.example.com"]), now()).unwrap();
        assert_eq!(
            identity.facts.names,
            ["call.example.com", "localhost", "127.0.0.1", "fd00::2"]
        );
        assert_eq!(identity.facts.days_left(now()), 396);
        assert_eq!(identity.facts.fingerprint.len(), 32 * 3 - 1);
        assert!(!identity.chains_to_public_root(now()));
        let mode = |name| fs::metadata(dir.join(name)).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode("key.pem"), 0o600);
        assert_eq!(mode("cert.pem"), 0o644);
        assert_eq!(
            fs::read_dir(&dir).unwrap().count(),
            2,
            "nothing is left beside"
        );
    }

    #[test]
    fn it_is_kept_until_near_its_end_or_until_a_configured_name_is_missing() {
        let dir = tempfile::tempdir().unwrap();
        let fingerprint = |wanted: &Wanted, at| {
            load_or_make(dir.path(), wanted, at)
                .unwrap()
                .facts
                .fingerprint
        };
        let first = fingerprint(&wanted(&[]), now());
        assert_eq!(fingerprint(&wanted(&[]), now() + 300 * DAY), first);

        let mut moved = wanted(&[]);
        moved.found.push("192.168.1.9".to_owned());
        assert_eq!(
            fingerprint(&moved, now()),
            first,
            "another address is only logged"
        );

        let second = fingerprint(&wanted(&["call.example.com"]), now());
        assert_ne!(second, first);
        assert_eq!(
            fingerprint(&wanted(&["call.example.com"]), now() + 366 * DAY),
            second
        );
        assert_ne!(
            fingerprint(&wanted(&["call.example.com"]), now() + 368 * DAY),
            second
        );
    }

    #[test]
    fn a_crash_between_key_and_certificate_is_finished_at_the_next_start() {
        let dir = tempfile::tempdir().unwrap();
        load_or_make(dir.path(), &wanted(&[]), now()).unwrap();
        let (cert, key) = generate(&wanted(&["new.example.com"]), now()).unwrap();
        fs::write(dir.path().join("cert.pem.next"), &cert).unwrap();
        fs::write(dir.path().join("key.pem"), &key).unwrap();
        let identity = load_or_make(dir.path(), &wanted(&["new.example.com"]), now()).unwrap();
        assert!(identity.facts.names.contains(&"new.example.com".to_owned()));
        assert_eq!(
            fs::read_to_string(dir.path().join("cert.pem")).unwrap(),
            cert
        );
    }

    #[test]
    fn damaged_or_half_pairs_are_refused_and_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        load_or_make(dir.path(), &wanted(&[]), now()).unwrap();
        let key = dir.path().join("key.pem");
        let (_, other_key) = generate(&wanted(&[]), now()).unwrap();
        fs::write(&key, &other_key).unwrap();
        let error = format!(
            "{:#}",
            load_or_make(dir.path(), &wanted(&[]), now()).unwrap_err()
        );
        assert!(
            error.contains("delete both to have a new pair made"),
            "{error}"
        );
        assert!(error.contains("does not fit"), "{error}");
        assert_eq!(fs::read_to_string(&key).unwrap(), other_key);

        fs::remove_file(&key).unwrap();
        let error = format!(
            "{:#}",
            load_or_make(dir.path(), &wanted(&[]), now()).unwrap_err()
        );
        assert!(error.contains("cert.pem is there without"), "{error}");
    }
}
