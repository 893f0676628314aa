//! Makes the certificates: of the authority, and of the server under it.

use std::time::{Duration, SystemTime};

use anyhow::Context;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, SerialNumber,
};
use ring::rand::{SecureRandom, SystemRandom};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::limits::Limits;

/// Tells certificates under such an authority from others.
pub(crate) const ORGANIZATION: &str = "callbox local CA";
/// Installing it on each device is work: ten years.
const AUTHORITY_LIFETIME: Duration = Duration::from_secs(3650 * 86_400);
/// The authority's key lies beside the server's, so a shorter life would protect nobody, and those who went past the
/// browser's warning instead of installing the authority are asked again with each certificate. Apple's systems take up to
/// 825 days under an authority that was installed, others 398 or, as those of public authorities get shorter, less.
pub(super) const LIFETIME: Duration = Duration::from_secs(90 * 86_400);
/// Clocks of phones and servers differ.
const BACKDATE: Duration = Duration::from_secs(3600);
/// A common name has up to 64 characters (RFC 5280, appendix A.1).
const HOST_IN_NAME: usize = 40;

/// An authority for `host`: certificate and key as PEM.
///
/// # Errors
/// When there is no randomness.
pub(super) fn authority(host: &str, limits: &Limits, now: SystemTime) -> anyhow::Result<String> {
    let host: String = host.chars().take(HOST_IN_NAME).collect();
    let date = humantime::format_rfc3339_seconds(now).to_string();
    let day = date.get(..10).unwrap_or_default();
    // People find it by this name among the others on their devices; the day tells it from one made anew.
    let mut params = params(&format!("callbox on {host}, {day}"), Vec::new())?;
    params.not_before = (now - BACKDATE).into();
    params.not_after = (now + AUTHORITY_LIFETIME).into();
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.name_constraints = Some(limits.constraints());
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let certificate = params.self_signed(&key)?;
    Ok(format!("{}{}", certificate.pem(), key.serialize_pem()))
}

/// A server's certificate under the authority: certificate and key as PEM.
///
/// # Errors
/// When the authority cannot be used, or there is no randomness.
pub(super) fn server(
    authority_pem: &str,
    names: &[String],
    now: SystemTime,
) -> anyhow::Result<String> {
    let key = PrivateKeyDer::from_pem_slice(authority_pem.as_bytes())?;
    let certificate = CertificateDer::from_pem_slice(authority_pem.as_bytes())?;
    let issuer = KeyPair::try_from(&key)
        .and_then(|key| Issuer::from_ca_cert_der(&certificate, key))
        .context("the authority cannot sign")?;
    let common_name = names.first().map_or("callbox", String::as_str);
    let common_name: String = common_name.chars().take(64).collect();
    let mut params = params(&common_name, names.to_vec())?;
    params.not_before = (now - BACKDATE).into();
    params.not_after = (now + LIFETIME).into();
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.use_authority_key_identifier_extension = true;
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let certificate = params.signed_by(&key, &issuer)?;
    Ok(format!("{}{}", certificate.pem(), key.serialize_pem()))
}

fn params(common_name: &str, names: Vec<String>) -> anyhow::Result<CertificateParams> {
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name = DistinguishedName::new();
    for (kind, value) in [
        (DnType::CommonName, common_name),
        (DnType::OrganizationName, ORGANIZATION),
    ] {
        params.distinguished_name.push(kind, value);
    }
    // On the authority's own, it keeps it from certifying mail or programs.
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.serial_number = Some(serial_number()?);
    Ok(params)
}

/// Positive and not zero (RFC 5280 §4.1.2.2), and not to be guessed.
fn serial_number() -> anyhow::Result<SerialNumber> {
    let mut bytes = [0; 16];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| anyhow::anyhow!("the operating system gives no random numbers"))?;
    bytes[0] = bytes[0] & 0x7f | 0x40;
    Ok(SerialNumber::from_slice(&bytes))
}
