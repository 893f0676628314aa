//! The certificate that HTTPS shows: provided by the operator, issued by an authority, by one of this machine's own, or
//! self-signed.

mod acme;
mod aside;
mod fit;
mod local_ca;
mod provided;
mod renewal;
mod self_signed;
mod served;

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context;
use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, TrustAnchor, UnixTime};
use rustls::sign::CertifiedKey;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::config::{AutoBool, CertificateSource, Config, ConfigError};
use crate::net::Machine;

pub(crate) use acme::{ACME_ALPN, Acme, Challenges};
pub(crate) use local_ca::{Authority, Files as LocalCaFiles, ORGANIZATION as LOCAL_CA, TooWide};
pub(crate) use renewal::keep;
pub(crate) use self_signed::{ORGANIZATION, Wanted};
pub(crate) use served::{Served, Trust};

/// TURN and STUN over TLS (RFC 7443). Clients may name them and need not.
pub(crate) const TURN_ALPN: &[u8] = b"stun.turn";
pub(crate) const STUN_ALPN: &[u8] = b"stun.nat-discovery";

/// A certificate chain with its key, checked to fit each other.
#[derive(Debug)]
pub(crate) struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: Arc<CertifiedKey>,
    pub facts: Facts,
    /// Served only until an authority's is there.
    stands_in: bool,
    /// That of this machine's own which has signed it.
    authority: Option<Arc<Authority>>,
}

/// What people want to know of a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Facts {
    /// DNS names and IP addresses that it is valid for.
    pub names: Vec<String>,
    pub not_before: SystemTime,
    pub not_after: SystemTime,
    /// SHA-256 of the certificate, as browsers show it: `AB:CD:...`.
    pub fingerprint: String,
}

impl Facts {
    /// Days until it ends; 0 when it has.
    pub(crate) fn days_left(&self, now: SystemTime) -> u64 {
        self.not_after
            .duration_since(now)
            .unwrap_or_default()
            .as_secs()
            / 86_400
    }
}

impl Identity {
    /// # Errors
    /// When the key does not belong to the certificate, or either is not understood.
    fn new(
        chain: Vec<CertificateDer<'static>>,
        key: &PrivateKeyDer<'static>,
    ) -> anyhow::Result<Self> {
        let leaf = chain.first().context("there is no certificate in it")?;
        let facts = facts(leaf)?;
        let signing = any_supported_type(key).context("the key is of an unsupported kind")?;
        let key = CertifiedKey::new(chain.clone(), signing);
        key.keys_match()
            .context("the key does not fit the certificate")?;
        Ok(Self {
            chain,
            key: Arc::new(key),
            facts,
            stands_in: false,
            authority: None,
        })
    }

    pub(crate) fn certificate(&self) -> &CertificateDer<'static> {
        &self.chain[0]
    }

    pub(crate) fn chain(&self) -> &[CertificateDer<'static>] {
        &self.chain
    }

    /// Does the chain end in a root that browsers ship?
    pub(crate) fn chains_to_public_root(&self, now: SystemTime) -> bool {
        chains_to(webpki_roots::TLS_SERVER_ROOTS, &self.chain, now)
    }
}

/// Does an authority of this machine's own sign what is served? `public`: under which addresses the world reaches it.
pub(crate) fn has_local_ca(config: &Config, public: &[IpAddr]) -> bool {
    let own = matches!(config.tls.source, CertificateSource::SelfSigned { .. });
    own && match config.tls.local_ca {
        AutoBool::Yes => true,
        AutoBool::No => false,
        AutoBool::Auto => public.is_empty(),
    }
}

/// Who brings a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Maker {
    Operator,
    /// This program, whenever there is none.
    Callbox,
    /// An authority, when it is convinced.
    Authority,
}

/// Where the certificate lies that is served, and who brings it. `public` as in [`has_local_ca`].
pub(crate) fn served_file(config: &Config, public: &[IpAddr]) -> (PathBuf, Maker) {
    match &config.tls.source {
        CertificateSource::Provided { cert, .. } => (cert.clone(), Maker::Operator),
        CertificateSource::SelfSigned { .. } if has_local_ca(config, public) => {
            (LocalCaFiles::new(&config.state).served, Maker::Callbox)
        }
        CertificateSource::SelfSigned { dir } => {
            (self_signed::certificate_file(dir), Maker::Callbox)
        }
        CertificateSource::Acme(acme) => (
            acme::issued_file(&config.state, &acme.directory),
            Maker::Authority,
        ),
    }
}

/// Where that lies which is served until an authority has issued one.
pub(crate) fn stand_in_file(config: &Config) -> Option<PathBuf> {
    match &config.tls.source {
        CertificateSource::Acme(acme) => Some(self_signed::certificate_file(&acme.dir)),
        _ => None,
    }
}

/// Loads or makes the certificate that the configuration asks for. `public` as in [`has_local_ca`].
///
/// # Errors
/// [`ConfigError`] that names key and remedy.
pub(crate) fn load(
    config: &Config,
    machine: &Machine,
    public: &[IpAddr],
    now: SystemTime,
) -> Result<Identity, ConfigError> {
    if has_local_ca(config, public) {
        let signed = signed_here(config, machine, now).map(|signed| {
            renewal::tell_left_out(config, &signed.left_out);
            signed.identity
        });
        return signed.or_else(|error| rather(local_ca::still_good(&config.state, now), &error));
    }
    let own = |dir| {
        own(config, dir, machine, now)
            .or_else(|error| rather(self_signed::still_good(dir, now), &error))
    };
    match &config.tls.source {
        CertificateSource::Provided { cert, key } => provided::load(config, cert, key),
        CertificateSource::SelfSigned { dir } => own(dir),
        CertificateSource::Acme(acme) => Ok(Identity {
            stands_in: true,
            ..own(&acme.dir)?
        }),
    }
}

/// What is there, instead of what it should be and cannot.
fn rather(kept: Option<Identity>, error: &ConfigError) -> Result<Identity, ConfigError> {
    let identity = kept.ok_or_else(|| error.clone())?;
    tracing::warn!("the certificate stays as it is: {error}");
    Ok(identity)
}

fn signed_here(
    config: &Config,
    machine: &Machine,
    now: SystemTime,
) -> Result<local_ca::Signed, ConfigError> {
    let wanted = Wanted::new(&config.domains, config.public_ip.as_deref(), machine);
    local_ca::load_or_make(&config.state, &wanted, now).map_err(|error| {
        let named = error.is::<local_ca::Uncertifiable>();
        let key = if named { "domains" } else { "state" };
        config.error(key, format!("{error:#}"))
    })
}

fn own(
    config: &Config,
    dir: &Path,
    machine: &Machine,
    now: SystemTime,
) -> Result<Identity, ConfigError> {
    let wanted = Wanted::new(&config.domains, config.public_ip.as_deref(), machine);
    self_signed::load_or_make(dir, &wanted, now)
        .map_err(|error| config.error("tls.dir", format!("{error:#}")))
}

/// Is a server's chain, its own certificate first, valid at this time and vouched for by one of the roots?
pub(crate) fn chains_to(
    roots: &[TrustAnchor<'_>],
    chain: &[CertificateDer<'_>],
    now: SystemTime,
) -> bool {
    let Some((leaf, intermediates)) = chain.split_first() else {
        return false;
    };
    let Ok(leaf) = webpki::EndEntityCert::try_from(leaf) else {
        return false;
    };
    let since_epoch = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    leaf.verify_for_usage(
        rustls::crypto::ring::default_provider()
            .signature_verification_algorithms
            .all,
        roots,
        intermediates,
        UnixTime::since_unix_epoch(since_epoch),
        webpki::KeyUsage::server_auth(),
        None,
        None,
    )
    .is_ok()
}

/// # Errors
/// When it is not an X.509 certificate.
pub(crate) fn facts(leaf: &CertificateDer<'_>) -> anyhow::Result<Facts> {
    let (_, parsed) = X509Certificate::from_der(leaf).context("it is not an X.509 certificate")?;
    let names = match parsed.subject_alternative_name() {
        Ok(Some(san)) => san
            .value
            .general_names
            .iter()
            .filter_map(name_text)
            .collect(),
        _ => Vec::new(),
    };
    let time = |seconds: i64| UNIX_EPOCH + Duration::from_secs(seconds.try_into().unwrap_or(0));
    let validity = parsed.validity();
    let digest = ring::digest::digest(&ring::digest::SHA256, leaf);
    let bytes: Vec<_> = digest
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02X}"))
        .collect();
    Ok(Facts {
        names,
        not_before: time(validity.not_before.timestamp()),
        not_after: time(validity.not_after.timestamp()),
        fingerprint: bytes.join(":"),
    })
}

/// Who has signed a certificate, as one line.
///
/// # Errors
/// When it is not an X.509 certificate.
pub(crate) fn issuer(certificate: &CertificateDer<'_>) -> anyhow::Result<String> {
    let (_, parsed) =
        X509Certificate::from_der(certificate).context("it is not an X.509 certificate")?;
    Ok(parsed.issuer().to_string())
}

fn name_text(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
        GeneralName::IPAddress(bytes) => match bytes.len() {
            4 => <[u8; 4]>::try_from(*bytes)
                .ok()
                .map(|b| IpAddr::from(b).to_string()),
            16 => <[u8; 16]>::try_from(*bytes)
                .ok()
                .map(|b| IpAddr::from(b).to_string()),
            _ => None,
        },
        _ => None,
    }
}
