//! What a certificate authority asks for while an order is open: a file over HTTP (RFC 8555 §8.3), or a certificate over
//! TLS (RFC 8737). Nothing is kept for longer than its order.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use rcgen::{CertificateParams, CustomExtension, KeyPair, PKCS_ECDSA_P256_SHA256};
use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

/// Names the protocol of validation over TLS.
pub(crate) const ACME_ALPN: &[u8] = b"acme-tls/1";

/// All that can be asked for now. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Challenges(Arc<Mutex<Table>>);

#[derive(Debug, Default)]
struct Table {
    /// Key authorization by token.
    files: HashMap<String, String>,
    /// By the name that stands in the handshake.
    certificates: HashMap<String, Arc<CertifiedKey>>,
}

/// Something that can be asked for until this is dropped.
#[derive(Debug)]
pub(crate) struct Offer {
    challenges: Challenges,
    key: String,
}

impl Challenges {
    /// http-01: the file of this name.
    pub(crate) fn offer_file(&self, token: &str, key_authorization: &str) -> Offer {
        self.with(|table| {
            table
                .files
                .insert(token.to_owned(), key_authorization.to_owned())
        });
        self.offer(token)
    }

    /// tls-alpn-01: a certificate for `identifier`, a name or an address, that holds the digest of the key authorization.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(crate) fn offer_certificate(
        &self,
        identifier: &str,
        digest: &[u8],
    ) -> anyhow::Result<Offer> {
        let mut params = CertificateParams::new(vec![identifier.to_owned()])?;
        params.custom_extensions = vec![CustomExtension::new_acme_identifier(digest)];
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let certificate = CertificateDer::from(params.self_signed(&key)?);
        let private = PrivateKeyDer::try_from(key.serialize_der()).map_err(anyhow::Error::msg)?;
        let certified = CertifiedKey::new(vec![certificate], any_supported_type(&private)?);
        let name = name_in_handshake(identifier);
        self.with(|table| table.certificates.insert(name.clone(), Arc::new(certified)));
        Ok(self.offer(&name))
    }

    /// The contents of an offered file.
    pub(crate) fn file(&self, token: &str) -> Option<String> {
        self.with(|table| table.files.get(token).cloned())
    }

    /// An offered certificate.
    pub(crate) fn certificate(&self, server_name: &str) -> Option<Arc<CertifiedKey>> {
        let name = server_name.to_ascii_lowercase();
        self.with(|table| table.certificates.get(&name).cloned())
    }

    fn offer(&self, key: &str) -> Offer {
        Offer {
            challenges: self.clone(),
            key: key.to_owned(),
        }
    }

    fn with<T>(&self, f: impl FnOnce(&mut Table) -> T) -> T {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Offer {
    fn drop(&mut self) {
        self.challenges.with(|table| {
            table.files.remove(&self.key);
            table.certificates.remove(&self.key);
        });
    }
}

/// Addresses cannot stand in a handshake; their reverse names do (RFC 8738 §6).
fn name_in_handshake(identifier: &str) -> String {
    match identifier.parse() {
        Ok(IpAddr::V4(v4)) => {
            let [a, b, c, d] = v4.octets();
            format!("{d}.{c}.{b}.{a}.in-addr.arpa")
        }
        Ok(IpAddr::V6(v6)) => {
            let digits = format!("{:032x}", u128::from(v6));
            let reversed: Vec<_> = digits.chars().rev().map(String::from).collect();
            format!("{}.ip6.arpa", reversed.join("."))
        }
        Err(_) => identifier.to_ascii_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_there_as_long_as_it_is_offered() {
        let challenges = Challenges::default();
        let offer = challenges.offer_file("token", "token.thumbprint");
        assert_eq!(challenges.file("token").unwrap(), "token.thumbprint");
        assert_eq!(challenges.file("other"), None);
        drop(offer);
        assert_eq!(challenges.file("token"), None);
    }

    #[test]
    fn a_certificate_is_found_by_its_name_and_holds_the_digest() {
        let challenges = Challenges::default();
        let digest = [7; 32];
        let offer = challenges
            .offer_certificate("Call.Example.com", &digest)
            .unwrap();
        let found = challenges.certificate("call.example.COM").unwrap();
        let der = found.cert.first().unwrap();
        let holds = der.windows(digest.len()).any(|window| window == digest);
        assert!(holds);
        drop(offer);
        assert!(challenges.certificate("call.example.com").is_none());
    }

    #[test]
    fn addresses_stand_in_a_handshake_by_their_reverse_names() {
        assert_eq!(name_in_handshake("192.0.2.7"), "7.2.0.192.in-addr.arpa");
        let v6 = name_in_handshake("2001:db8::1");
        assert!(v6.starts_with("1.0.0.0.") && v6.ends_with(".8.b.d.0.1.0.0.2.ip6.arpa"));
        assert_eq!(v6.matches('.').count(), 33);
    }
}
