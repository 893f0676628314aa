//! A certificate and key that the operator brings.

use std::path::Path;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::Identity;
use crate::config::{Config, ConfigError};

pub(super) fn load(config: &Config, cert: &Path, key: &Path) -> Result<Identity, ConfigError> {
    let cert_pem = read(config, "tls.cert", cert)?;
    let key_pem = read(config, "tls.key", key)?;
    let (chain, key_der) = parse(&cert_pem, &key_pem).map_err(|wrong| match wrong {
        Wrong::Certificate => config.error(
            "tls.cert",
            format!(
                "{} holds no PEM certificate; name the file with the whole chain",
                cert.display()
            ),
        ),
        Wrong::Key => config.error(
            "tls.key",
            format!(
                "{} holds no unencrypted PEM private key; name the key of tls.cert",
                key.display()
            ),
        ),
    })?;
    Identity::new(chain, &key_der).map_err(|error| {
        config.error(
            "tls.key",
            format!(
                "{} and {} cannot be used together: {error:#}; name the key that the certificate was issued for",
                key.display(),
                cert.display()
            ),
        )
    })
}

/// Which of the two files holds nothing usable.
#[derive(Debug)]
pub(super) enum Wrong {
    Certificate,
    Key,
}

/// Chain and key from PEM text.
pub(super) fn parse(
    cert_pem: &[u8],
    key_pem: &[u8],
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), Wrong> {
    let chain: Vec<_> = CertificateDer::pem_slice_iter(cert_pem)
        .collect::<Result<_, _>>()
        .map_err(|_| Wrong::Certificate)?;
    if chain.is_empty() {
        return Err(Wrong::Certificate);
    }
    let key = PrivateKeyDer::from_pem_slice(key_pem).map_err(|_| Wrong::Key)?;
    Ok((chain, key))
}

/// Chain and key, checked to fit each other.
///
/// # Errors
/// Which of both is not usable, or that they do not fit.
pub(super) fn pair(cert: &[u8], key: &[u8]) -> anyhow::Result<Identity> {
    let (chain, key) = parse(cert, key).map_err(|wrong| match wrong {
        Wrong::Certificate => anyhow::anyhow!("there is no certificate in it"),
        Wrong::Key => anyhow::anyhow!("there is no key in it"),
    })?;
    Identity::new(chain, &key)
}

fn read(config: &Config, key: &str, path: &Path) -> Result<Vec<u8>, ConfigError> {
    std::fs::read(path).map_err(|error| {
        config.error(
            key,
            format!(
                "{} cannot be read: {error}; make it readable for the user callbox runs as",
                path.display()
            ),
        )
    })
}
