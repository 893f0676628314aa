//! The certificate that is served at the moment. It is exchanged while connections are open; these stay as they are.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

use anyhow::Context;
use rustls::ServerConfig;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::CertificateDer;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::acme::{ACME_ALPN, Challenges};
use super::{Authority, Facts, Identity, STUN_ALPN, TURN_ALPN};
use crate::config::AutoBool;

/// Will browsers trust the certificate without anybody clicking? Changes when another one is served.
#[derive(Debug, Clone, Default)]
pub(crate) struct Trust(Arc<AtomicBool>);

impl Trust {
    pub(crate) fn get(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    pub(crate) fn set(&self, trusted: bool) {
        self.0.store(trusted, Ordering::Relaxed);
    }
}

/// Clones serve the same.
#[derive(Debug, Clone)]
pub(crate) struct Served(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    identity: RwLock<Arc<Identity>>,
    trusted: AutoBool,
    trust: Trust,
    challenges: Challenges,
}

impl Served {
    /// `trusted` is what the operator says of it.
    pub(crate) fn new(identity: Identity, trusted: AutoBool, now: SystemTime) -> Self {
        let served = Self(Arc::new(Inner {
            trust: Trust::default(),
            trusted,
            challenges: Challenges::default(),
            identity: RwLock::new(Arc::new(identity)),
        }));
        served.judge(now);
        served
    }

    /// From the next handshake on.
    pub(crate) fn exchange(&self, identity: Identity, now: SystemTime) {
        let mut current = self
            .0
            .identity
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        *current = Arc::new(identity);
        drop(current);
        self.judge(now);
    }

    pub(crate) fn facts(&self) -> Facts {
        self.0.identity().facts.clone()
    }

    /// Until an authority's is there.
    pub(crate) fn stands_in(&self) -> bool {
        self.0.identity().stands_in
    }

    /// The certificate first, then those that vouch for it.
    pub(crate) fn chain(&self) -> Vec<CertificateDer<'static>> {
        self.0.identity().chain().to_vec()
    }

    /// The one of this machine's own that has signed it.
    pub(crate) fn authority(&self) -> Option<Arc<Authority>> {
        self.0.identity().authority.clone()
    }

    pub(crate) fn trust(&self) -> Trust {
        self.0.trust.clone()
    }

    /// What a certificate authority may ask for.
    pub(crate) fn challenges(&self) -> &Challenges {
        &self.0.challenges
    }

    /// For HTTPS and for TURN over TLS.
    ///
    /// # Errors
    /// When rustls refuses its own defaults.
    pub(crate) fn server_config(&self) -> anyhow::Result<Arc<ServerConfig>> {
        let resolver: Arc<dyn ResolvesServerCert> = self.0.clone();
        let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .context("TLS cannot be set up")?
            .with_no_client_auth()
            .with_cert_resolver(resolver);
        // In the order of preference: who names TURN, as coturn's client does beside http/1.1, is no browser.
        let protocols = [TURN_ALPN, STUN_ALPN, b"h2", b"http/1.1", ACME_ALPN];
        config.alpn_protocols = protocols.map(<[u8]>::to_vec).to_vec();
        Ok(Arc::new(config))
    }

    /// The same certificate is another thing at another time.
    pub(crate) fn judge(&self, now: SystemTime) {
        let identity = self.0.identity();
        let trusted = match self.0.trusted {
            // Of the one that stands in until the authority's is there, nobody means that.
            AutoBool::Yes => !identity.stands_in,
            AutoBool::No => false,
            AutoBool::Auto => identity.chains_to_public_root(now),
        };
        self.0.trust.set(trusted);
    }
}

impl Inner {
    fn identity(&self) -> Arc<Identity> {
        let current = self.identity.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&current)
    }
}

impl ResolvesServerCert for Inner {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let mut protocols = hello.alpn().into_iter().flatten();
        // Who validates offers that protocol alone (RFC 8737 §3).
        if protocols.next() == Some(ACME_ALPN) && protocols.next().is_none() {
            return self.challenges.certificate(hello.server_name()?);
        }
        Some(Arc::clone(&self.identity().key))
    }
}
