//! Certificates from an authority (ACME, RFC 8555), for names and for bare addresses (RFC 8738): ordered in the background,
//! kept in the state directory, and renewed in time. Whatever fails, what is served goes on being served.

mod challenges;
mod client;
mod order;
pub(super) mod schedule;
mod store;

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::Context;
use instant_acme::{Account, Error, Identifier, NewAccount};
use ring::rand::{SecureRandom, SystemRandom};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tokio::sync::Notify;
use tokio::time::{sleep, sleep_until, timeout};

pub use challenges::{ACME_ALPN, Challenges};

use super::fit::missing_name;
use super::{Identity, Served};
use crate::clock::Watch;
use crate::config::{self, AcmeChallenge, Config, ConfigError};
use client::AuthorityClient;
use order::{Proof, name_of};
use store::Store;

/// An authority that answers, but never comes to an end, is given up after that.
const ORDER_WITHIN: Duration = Duration::from_secs(300);

const NO_ACCOUNT: &str = "urn:ietf:params:acme:error:accountDoesNotExist";

/// One authority, and what it shall certify.
#[derive(Debug)]
pub struct Acme {
    settings: config::Acme,
    names: Vec<String>,
    identifiers: Vec<Identifier>,
    roots: Vec<CertificateDer<'static>>,
    /// In the order in which they are tried.
    proofs: Vec<Proof>,
    store: Store,
}

impl Acme {
    /// For the configured domains, else for `public`, the addresses under which the world reaches this machine.
    ///
    /// # Errors
    /// Where there is neither, or the authority's own certificate cannot be read.
    pub fn new(
        config: &Config,
        settings: &config::Acme,
        public: &[IpAddr],
    ) -> Result<Self, ConfigError> {
        let identifiers: Vec<_> = if config.domains.is_empty() {
            public.iter().copied().map(Identifier::Ip).collect()
        } else {
            config
                .domains
                .iter()
                .cloned()
                .map(Identifier::Dns)
                .collect()
        };
        if identifiers.is_empty() {
            return Err(config.error(
                "tls.acme",
                "there is nothing to certify: no domain is configured and no public address was found; set `domains` (or --domain), or `public_ip`",
            ));
        }
        let names = identifiers.iter().map(name).collect();
        Ok(Self {
            roots: roots(config, settings)?,
            proofs: proofs(config, settings),
            store: Store::new(&config.state, &settings.directory),
            settings: settings.clone(),
            names,
            identifiers,
        })
    }

    /// What was issued before, if it still serves.
    pub fn stored(&self, now: SystemTime) -> Option<Identity> {
        let identity = match self.store.identity() {
            Ok(identity) => identity?,
            Err(error) => {
                tracing::warn!("{error:#}; another certificate is ordered");
                return None;
            }
        };
        let fits = missing_name(&identity.facts, &self.names).is_none();
        (fits && now < identity.facts.not_after).then_some(identity)
    }

    /// Keeps a certificate served that is fresh. Never ends. `hangup` asks not to wait any longer.
    pub async fn keep(self, served: Served, hangup: Arc<Notify>) {
        let mut due = match self.stored(SystemTime::now()) {
            Some(identity) => renewal(&identity),
            None => SystemTime::now(),
        };
        let mut failures = 0;
        let mut clock = Watch::start();
        loop {
            while SystemTime::now() < due {
                tokio::select! {
                    () = sleep(schedule::wait(SystemTime::now(), due)) => {}
                    () = hangup.notified() => break,
                }
            }
            if let Some(identity) = self.found_good(&served) {
                tracing::info!("by the clock as it was set, the certificate of earlier is good");
                due = renewal(&identity);
                failures = 0;
                served.exchange(identity, SystemTime::now());
                continue;
            }
            let proof = self.proofs[failures as usize % self.proofs.len()];
            let attempt = self.attempt(&served, proof).await;
            let result = if attempt.is_ok() { "issued" } else { "failed" };
            metrics::counter!("callbox_acme_orders_total", "result" => result).increment(1);
            match attempt {
                Ok(identity) => {
                    failures = 0;
                    due = renewal(&identity);
                    tracing::info!(
                        days = identity.facts.days_left(SystemTime::now()),
                        "the authority has certified {}",
                        self.names.join(", ")
                    );
                    served.exchange(identity, SystemTime::now());
                }
                Err(error) => {
                    failures += 1;
                    let pause = schedule::pause(self.settings.retry, failures, random());
                    tracing::warn!(
                        retry_in = %humantime::format_duration(Duration::from_secs(pause.as_secs())),
                        "no certificate for {} by {}: {error:#}",
                        self.names.join(", "),
                        name_of(proof),
                    );
                    let waiting = pause_until_set(pause, &mut clock);
                    let was_set = tokio::select! {
                        was_set = waiting => was_set,
                        () = hangup.notified() => false,
                    };
                    if was_set {
                        failures = 0;
                    }
                    due = SystemTime::now();
                }
            }
        }
    }

    /// What is kept, but was not served since the clock was ahead.
    fn found_good(&self, served: &Served) -> Option<Identity> {
        let identity = self.store.identity().ok()??;
        let facts = &identity.facts;
        let good = missing_name(facts, &self.names).is_none()
            && SystemTime::now() < schedule::renewal(facts.not_before, facts.not_after, 1.0);
        (good && facts.fingerprint != served.facts().fingerprint).then_some(identity)
    }

    async fn attempt(&self, served: &Served, proof: Proof) -> anyhow::Result<Identity> {
        let issue = async {
            self.store.check_room()?;
            let account = self.account().await?;
            let issued =
                order::obtain(&account, &self.identifiers, served.challenges(), proof).await;
            if issued.as_ref().is_err_and(is_unknown_account) {
                self.store.forget_account();
            }
            self.store.keep_identity(&issued?)
        };
        timeout(ORDER_WITHIN, issue)
            .await
            .context("the authority takes too long")?
    }

    /// The account of earlier, or a new one, kept before it is used.
    async fn account(&self) -> anyhow::Result<Account> {
        let directory = &self.settings.directory;
        let client = Box::new(AuthorityClient::new(&self.roots)?);
        let builder = Account::builder_with_http(client);
        let unreachable = || {
            format!(
                "the authority at {directory} gives no account; see that this machine reaches it"
            )
        };
        if let Some(credentials) = self.store.account()? {
            return builder
                .from_credentials(credentials)
                .await
                .with_context(unreachable);
        }
        let contact = self
            .settings
            .email
            .as_ref()
            .map(|email| format!("mailto:{email}"));
        let new = NewAccount {
            contact: &contact.iter().map(String::as_str).collect::<Vec<_>>(),
            terms_of_service_agreed: true,
            only_return_existing: false,
        };
        let (account, credentials) = builder
            .create(&new, directory.clone(), None)
            .await
            .with_context(unreachable)?;
        self.store.keep_account(&credentials)?;
        Ok(account)
    }
}

/// Ends early, and then says so, when the clock is set: an authority's certificate may be good then, and with it the next
/// attempt.
async fn pause_until_set(pause: Duration, clock: &mut Watch) -> bool {
    const LOOK: Duration = Duration::from_secs(5);
    let end = tokio::time::Instant::now() + pause;
    // Whatever happened to it before this attempt.
    clock.was_set();
    while tokio::time::Instant::now() < end {
        sleep_until(end.min(tokio::time::Instant::now() + LOOK)).await;
        if clock.was_set() {
            return true;
        }
    }
    false
}

/// Where the certificate of the authority with this directory lies, once there is one.
pub fn issued_file(state: &Path, directory: &str) -> PathBuf {
    Store::new(state, directory).certificate
}

fn roots(
    config: &Config,
    settings: &config::Acme,
) -> Result<Vec<CertificateDer<'static>>, ConfigError> {
    let Some(path) = &settings.ca else {
        return Ok(Vec::new());
    };
    let wrong = |what: String| {
        let path = path.display();
        config.error("tls.acme.ca", format!("{path} {what}; name the PEM file with the certificate that the authority's own server is certified by"))
    };
    let pem = std::fs::read(path).map_err(|error| wrong(format!("cannot be read: {error}")))?;
    let roots: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let roots = roots.ok().filter(|roots| !roots.is_empty());
    let roots = roots.ok_or_else(|| wrong("holds no PEM certificate".to_owned()))?;
    AuthorityClient::new(&roots).map_err(|error| wrong(format!("cannot be used: {error:#}")))?;
    Ok(roots)
}

fn proofs(config: &Config, settings: &config::Acme) -> Vec<Proof> {
    match settings.challenge {
        AcmeChallenge::Http => vec![Proof::Http],
        AcmeChallenge::Auto if config.redirect.is_some() => vec![Proof::Http, Proof::Tls],
        AcmeChallenge::Auto | AcmeChallenge::Tls => vec![Proof::Tls],
    }
}

fn name(identifier: &Identifier) -> String {
    match identifier {
        Identifier::Ip(ip) => ip.to_string(),
        Identifier::Dns(name) => name.clone(),
        other => format!("{other:?}"),
    }
}

fn renewal(identity: &Identity) -> SystemTime {
    schedule::renewal(
        identity.facts.not_before,
        identity.facts.not_after,
        random(),
    )
}

fn is_unknown_account(error: &anyhow::Error) -> bool {
    let problem = error.chain().find_map(|cause| match cause.downcast_ref() {
        Some(Error::Api(problem)) => problem.r#type.as_deref(),
        _ => None,
    });
    problem == Some(NO_ACCOUNT)
}

/// From 0 to 1; only spreads load, so the middle will do where the system gives none.
fn random() -> f64 {
    let mut bytes = [0; 4];
    match SystemRandom::new().fill(&mut bytes) {
        Ok(()) => f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX),
        Err(_) => 0.5,
    }
}
