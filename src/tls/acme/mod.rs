//! Certificates from an authority (ACME, RFC 8555), for names and for bare addresses (RFC 8738): ordered in the background,
//! kept in the state directory, and renewed in time. Whatever fails, what is served goes on being served.

mod challenges;
mod client;
mod order;
mod plan;
mod remedy;
pub(super) mod schedule;
mod store;

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use anyhow::Context;
use instant_acme::{Account, Identifier, NewAccount};
use ring::rand::{SecureRandom, SystemRandom};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

pub(crate) use challenges::{ACME_ALPN, Challenges};

use super::fit::missing_name;
use super::{Facts, Identity, Served};
use crate::clock::Watch;
use crate::config::{self, AcmeChallenge, Config, ConfigError};
use client::AuthorityClient;
use plan::{Plan, Step};
use remedy::Proof;
use store::Store;

/// An authority that answers, but never comes to an end, is given up after that: longer than each step of an order waits,
/// since these say what they waited for.
const ORDER_WITHIN: Duration = Duration::from_secs(480);

/// What is kept may have been exchanged by somebody.
const LOOK_AGAIN: Duration = Duration::from_secs(3600);

const NO_ACCOUNT: &str = "urn:ietf:params:acme:error:accountDoesNotExist";

/// One authority, and what it shall certify.
#[derive(Debug)]
pub(crate) struct Acme {
    settings: config::Acme,
    names: Vec<String>,
    identifiers: Vec<Identifier>,
    roots: Vec<CertificateDer<'static>>,
    /// In the order in which they are tried.
    proofs: Vec<Proof>,
    store: Arc<Store>,
}

impl Acme {
    /// For the configured domains, else for `public`, the addresses under which the world reaches this machine.
    ///
    /// # Errors
    /// Where there is neither, or the authority's own certificate cannot be read.
    pub(crate) fn new(
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
            )
            .passing());
        }
        let names = identifiers.iter().map(name).collect();
        Ok(Self {
            roots: roots(config, settings)?,
            proofs: proofs(config, settings),
            store: Arc::new(Store::new(&config.state, &settings.directory)),
            settings: settings.clone(),
            names,
            identifiers,
        })
    }

    /// What was issued before, if it still serves.
    pub(crate) fn stored(&self, now: SystemTime) -> Option<Identity> {
        let identity = match self.store.identity() {
            Ok(identity) => identity?,
            Err(error) => {
                tracing::warn!("{error:#}; another certificate is ordered");
                return None;
            }
        };
        let serves = self.is_fitting(&identity) && now < identity.facts.not_after;
        serves.then_some(identity)
    }

    fn is_fitting(&self, identity: &Identity) -> bool {
        missing_name(&identity.facts, &self.names).is_none()
    }

    /// Keeps a certificate served that is fresh. Never ends. `hangup` asks to look again, and not to wait after a failure.
    pub(crate) async fn keep(self, served: Served, hangup: Arc<Notify>) {
        let mut plan = Plan::new(self.settings.retry, random());
        let mut clock = Watch::start();
        let mut asked = false;
        loop {
            let step = self.serve_kept(&plan, &served).await;
            let Step::Wait(pause) = step else {
                self.order(&mut plan, &served, &mut clock).await;
                continue;
            };
            if std::mem::take(&mut asked) {
                let pause = Duration::from_secs(pause.as_secs());
                let pause = humantime::format_duration(pause);
                tracing::info!("the authority is asked for a certificate in {pause}");
            }
            tokio::select! {
                () = sleep(pause.min(LOOK_AGAIN)) => {}
                () = until_set(&mut clock) => plan.clock_was_set(Instant::now()),
                () = hangup.notified() => {
                    plan.asked(Instant::now());
                    asked = true;
                }
            }
        }
    }

    /// Serves what is kept, if it is good; what is to be done besides.
    async fn serve_kept(&self, plan: &Plan, served: &Served) -> Step {
        let next = |facts: Option<&Facts>, is_served| {
            plan.next(facts, is_served, SystemTime::now(), Instant::now())
        };
        let shown = served.facts();
        let kept = match self.on_disk(Store::identity).await {
            Ok(kept) => kept.filter(|kept| self.is_fitting(kept)),
            Err(error) if !served.stands_in() => {
                tracing::warn!("{error:#}; what is served stays until it is due");
                return next(Some(&shown), true);
            }
            Err(_) => None,
        };
        let Some(kept) = kept else {
            return next(None, false);
        };
        let is_served = kept.facts.fingerprint == shown.fingerprint;
        let step = next(Some(&kept.facts), is_served);
        if step != Step::Serve {
            return step;
        }
        tracing::info!("the authority's certificate of earlier is good, and served");
        served.exchange(kept, SystemTime::now());
        next(Some(&served.facts()), true)
    }

    async fn order(&self, plan: &mut Plan, served: &Served, clock: &mut Watch) {
        plan.attempt_begins(Instant::now());
        let proof = self.proofs[plan.failures() as usize % self.proofs.len()];
        let (attempt, was_set) = self.attempt_and_watch(plan, served, proof, clock).await;
        let result = if attempt.is_ok() { "issued" } else { "failed" };
        metrics::counter!("callbox_acme_orders_total", "result" => result).increment(1);
        match attempt {
            Ok(identity) => {
                plan.succeeded(&identity.facts, Instant::now());
                tracing::info!(
                    days = identity.facts.days_left(SystemTime::now()),
                    "the authority has certified {}",
                    self.names.join(", ")
                );
                served.exchange(identity, SystemTime::now());
            }
            Err(error) => {
                let pause = plan.failed(Instant::now(), random());
                tracing::warn!(
                    retry_in = %humantime::format_duration(Duration::from_secs(pause.as_secs())),
                    "no certificate for {} by {}: {error:#}{}",
                    self.names.join(", "),
                    proof.name(),
                    remedy::for_refusal(&error).map_or_else(String::new, |remedy| format!("; {remedy}")),
                );
                if was_set {
                    plan.clock_was_set(Instant::now());
                }
            }
        }
    }

    /// An attempt may hang for minutes, in which the clock is set, and what is kept is good again. Also whether it was.
    async fn attempt_and_watch(
        &self,
        plan: &Plan,
        served: &Served,
        proof: Proof,
        clock: &mut Watch,
    ) -> (anyhow::Result<Identity>, bool) {
        let mut attempt = std::pin::pin!(self.attempt(served, proof));
        let mut was_set = false;
        loop {
            tokio::select! {
                result = &mut attempt => return (result, was_set || clock.was_set()),
                () = until_set(clock) => was_set = true,
            }
            self.serve_kept(plan, served).await;
        }
    }

    async fn attempt(&self, served: &Served, proof: Proof) -> anyhow::Result<Identity> {
        let issue = async {
            self.on_disk(Store::check_room).await?;
            let account = self.account().await?;
            let issued =
                order::obtain(&account, &self.identifiers, served.challenges(), proof).await;
            if issued.as_ref().is_err_and(is_unknown_account) {
                self.store.forget_account();
            }
            let issued = issued?;
            self.on_disk(move |store| store.keep_identity(&issued))
                .await
        };
        timeout(ORDER_WITHIN, issue)
            .await
            .context("the authority takes too long; it is asked again by itself")?
    }

    /// Disks may be slow, and calls go on meanwhile.
    async fn on_disk<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Store) -> anyhow::Result<T> + Send + 'static,
    ) -> anyhow::Result<T> {
        let store = Arc::clone(&self.store);
        tokio::task::spawn_blocking(move || work(&store)).await?
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
        if let Some(credentials) = self.on_disk(Store::account).await? {
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
        self.on_disk(move |store| store.keep_account(&credentials))
            .await?;
        Ok(account)
    }
}

/// Ends when the clock is set.
async fn until_set(clock: &mut Watch) {
    const LOOK: Duration = Duration::from_secs(5);
    while !clock.was_set() {
        sleep(LOOK).await;
    }
}

/// Where the certificate of the authority with this directory lies, once there is one.
pub(super) fn issued_file(state: &Path, directory: &str) -> PathBuf {
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

fn is_unknown_account(error: &anyhow::Error) -> bool {
    remedy::problem(error) == Some(NO_ACCOUNT)
}

/// From 0 to 1; only spreads load, so the middle will do where the system gives none.
fn random() -> f64 {
    let mut bytes = [0; 4];
    match SystemRandom::new().fill(&mut bytes) {
        Ok(()) => f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX),
        Err(_) => 0.5,
    }
}
