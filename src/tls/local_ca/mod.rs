//! An authority of this machine's own, for networks that no public one certifies: made once, installed by people on their
//! devices, and limited to the machine's full names and to private addresses. It signs the certificate that is served, anew near
//! its end and whenever the machine has another name or address.

mod issue;
mod limits;
mod names;

use std::fs;
use std::io;
use std::net::IpAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use anyhow::Context;
use rustls::pki_types::CertificateDer;

use super::acme::schedule;
use super::aside::{self, Kept as _, Shelf};
use super::provided::pair;
use super::{Facts, Identity, Wanted, chains_to, fit};
use crate::clock::Reading;
use crate::state::{self, PRIVATE};
use crate::words::site::is_host_name;
use limits::Limits;

pub(crate) use issue::ORGANIZATION;
pub(super) use limits::Uncertifiable;

/// The public part of an authority.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Authority {
    pub certificate: CertificateDer<'static>,
    pub facts: Facts,
}

/// What is served under an authority.
#[derive(Debug)]
pub(super) struct Signed {
    pub identity: Identity,
    /// Names and addresses of the machine that the authority may not certify, and another one might.
    pub left_out: Vec<String>,
}

/// An authority that is good for names of others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TooWide {
    pub path: PathBuf,
    /// What the names end with.
    pub names: Vec<String>,
}

/// Where both lie, under the state directory. Chain and key are in one file each, so that they are exchanged together.
#[derive(Debug, Clone)]
pub(crate) struct Files {
    dir: PathBuf,
    shelf: Shelf,
    pub authority: PathBuf,
    pub served: PathBuf,
}

impl Files {
    pub(crate) fn new(state: &Path) -> Self {
        let dir = state.join("local-ca");
        Self {
            authority: dir.join("ca.pem"),
            served: dir.join("server.pem"),
            shelf: Shelf::new(&dir, "ca-"),
            dir,
        }
    }

    /// The authority that is there.
    ///
    /// # Errors
    /// When it cannot be read or used.
    pub(crate) fn load_authority(&self) -> anyhow::Result<Option<Authority>> {
        Ok(self.load()?.map(|kept| kept.public()))
    }

    /// Those on the disk, kept aside or in use, that are good for names of others, as earlier versions have made them.
    ///
    /// # Errors
    /// When the folder cannot be looked into.
    pub(crate) fn too_wide(&self) -> io::Result<Vec<TooWide>> {
        if !self.dir.try_exists()? {
            return Ok(Vec::new());
        }
        let mut files = vec![self.authority.clone()];
        fs::read_dir(&self.dir)?;
        files.extend(self.shelf.files());
        let judged = files.into_iter().filter_map(|path| {
            let kept = Kept::new(read(&path).ok()??).ok()?;
            let names = kept.limits.excess();
            (!names.is_empty()).then_some(TooWide { path, names })
        });
        Ok(judged.collect())
    }

    fn load(&self) -> anyhow::Result<Option<Kept>> {
        let Some(pem) = read(&self.authority)? else {
            return Ok(None);
        };
        let kept = Kept::new(pem).with_context(|| {
            let path = self.authority.display();
            format!("{path} is damaged; bring it back, or delete it to have a new authority made, which devices have to install")
        })?;
        Ok(Some(kept))
    }

    fn make(&self, wanted: &Wanted, now: SystemTime) -> anyhow::Result<Kept> {
        let pem = generate(wanted, now)?;
        self.write(|| state::create(&self.authority, pem.as_bytes()))?;
        // Read back: another process may have been first.
        self.load()?.context("the authority is gone again")
    }

    /// The old one stays beside: devices have it. `back` is where the new one lay.
    fn replace(
        &self,
        old: &Kept,
        new: &Kept,
        back: Option<&Path>,
        by: (&Wanted, Reading),
    ) -> anyhow::Result<PathBuf> {
        let put = || state::replace(&self.authority, new.pem.as_bytes(), PRIVATE);
        self.write(|| self.shelf.exchange(old, back, by, put))
    }

    fn write<T>(&self, write: impl FnOnce() -> io::Result<T>) -> anyhow::Result<T> {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true).mode(0o700);
        let written = builder.create(&self.dir).and_then(|()| write());
        written.map_err(|error| state::unwritable(&self.dir, "state", error))
    }
}

fn generate(wanted: &Wanted, now: SystemTime) -> anyhow::Result<String> {
    let is_name = |name: &&String| name.as_str() != "localhost" && is_host_name(name);
    let host = wanted.all().find(is_name);
    let host = host.map_or("localhost", String::as_str);
    issue::authority(host, &Limits::around(wanted)?, now)
}

/// The authority with its key.
struct Kept {
    pem: String,
    identity: Identity,
    limits: Limits,
}

impl Kept {
    fn new(pem: Vec<u8>) -> anyhow::Result<Self> {
        let pem = String::from_utf8(pem).context("it is not PEM")?;
        let identity = pair(pem.as_bytes(), pem.as_bytes())?;
        let limits = Limits::of(identity.certificate())?;
        Ok(Self {
            pem,
            identity,
            limits,
        })
    }

    fn public(&self) -> Authority {
        Authority {
            certificate: self.identity.certificate().clone(),
            facts: self.identity.facts.clone(),
        }
    }

    fn has_signed(&self, identity: &Identity, clock: Reading) -> bool {
        let now = clock.for_what_begins(identity.facts.not_before);
        webpki::anchor_from_trusted_cert(self.identity.certificate())
            .is_ok_and(|anchor| chains_to(&[anchor], identity.chain(), now))
    }
}

impl aside::Kept for Kept {
    fn parse(pem: Vec<u8>) -> Option<Self> {
        Self::new(pem).ok()
    }

    fn pem(&self) -> Vec<u8> {
        self.pem.clone().into_bytes()
    }

    fn facts(&self) -> &Facts {
        &self.identity.facts
    }

    fn why_replace(&self, wanted: &Wanted, clock: Reading) -> Option<String> {
        // What it signs must not outlive it.
        aside::why_untimely(&self.identity.facts, issue::LIFETIME, clock).or_else(|| {
            let mut configured = wanted.configured.iter();
            let missing = configured.find(|name| !self.limits.permit(name))?;
            Some(format!("the old one may not certify {missing}"))
        })
    }
}

/// What is there and still serves; what is missing or does not is made.
///
/// # Errors
/// When the state directory cannot be read or written, or what is kept there is damaged: a sentence with the remedy.
pub(super) fn load_or_make(
    state: &Path,
    wanted: &Wanted,
    now: SystemTime,
) -> anyhow::Result<Signed> {
    let files = Files::new(state);
    let clock = Reading::new(now);
    let authority = authority(&files, wanted, clock)?;
    let (names, mut left_out): (Vec<_>, Vec<_>) = wanted
        .all()
        .cloned()
        .partition(|name| authority.limits.permit(name));
    left_out.retain(|name| name.parse::<IpAddr>().is_ok() || names::reach(name).is_ok());
    let mut identity = match served(&files, &authority, &names, clock)? {
        Some(identity) => identity,
        None => sign(&files, &authority, &names, clock.now)?,
    };
    identity.authority = Some(Arc::new(authority.public()));
    Ok(Signed { identity, left_out })
}

/// What was signed before, as long as it is good, where nothing else can be kept.
pub(super) fn still_good(state: &Path, now: SystemTime) -> Option<Identity> {
    let files = Files::new(state);
    let authority = files.load().ok()??;
    let pem = read(&files.served).ok()??;
    let mut identity = pair(&pem, &pem).ok()?;
    identity.authority = Some(Arc::new(authority.public()));
    let good = authority.has_signed(&identity, Reading::new(now));
    good.then_some(identity)
}

fn authority(files: &Files, wanted: &Wanted, clock: Reading) -> anyhow::Result<Kept> {
    let Some(old) = files.load()? else {
        let made = files.make(wanted, clock.now)?;
        tracing::info!(
            sha256 = made.identity.facts.fingerprint,
            "made an authority of this machine's own in {}",
            files.dir.display()
        );
        return Ok(made);
    };
    let reason = old.why_replace(wanted, clock);
    if let Some((path, earlier)) = files.shelf.better(&old, wanted, clock) {
        files.replace(&old, &earlier, Some(&path), (wanted, clock))?;
        tracing::warn!(
            sha256 = earlier.identity.facts.fingerprint,
            "brought back an authority of earlier: {}",
            reason
                .as_deref()
                .unwrap_or("the clock was behind when the other one was made")
        );
        return Ok(earlier);
    }
    let Some(reason) = reason else {
        files.shelf.settle(&old, clock);
        return Ok(old);
    };
    let new = Kept::new(generate(wanted, clock.now)?.into_bytes())?;
    let aside = files.replace(&old, &new, None, (wanted, clock))?;
    tracing::warn!(
        sha256 = new.identity.facts.fingerprint,
        "made a new authority, which each device has to install: {reason}; that one is kept as {}",
        aside.display()
    );
    Ok(new)
}

/// What was signed before, if it still serves.
fn served(
    files: &Files,
    authority: &Kept,
    names: &[String],
    clock: Reading,
) -> anyhow::Result<Option<Identity>> {
    let Some(pem) = read(&files.served)? else {
        return Ok(None);
    };
    let Ok(identity) = pair(&pem, &pem) else {
        tracing::warn!("{} is damaged and made anew", files.served.display());
        return Ok(None);
    };
    let facts = &identity.facts;
    let due = schedule::renewal(facts.not_before, facts.not_after, 0.0);
    let serves = clock.now < due
        && fit::missing_name(facts, names).is_none()
        && authority.has_signed(&identity, clock);
    Ok(serves.then_some(identity))
}

fn sign(
    files: &Files,
    authority: &Kept,
    names: &[String],
    now: SystemTime,
) -> anyhow::Result<Identity> {
    let pem = issue::server(&authority.pem, names, now)?;
    let identity = pair(pem.as_bytes(), pem.as_bytes())?;
    files.write(|| state::replace(&files.served, pem.as_bytes(), PRIVATE))?;
    tracing::info!(
        days = identity.facts.days_left(now),
        "the machine's own authority has certified {}",
        names.join(", ")
    );
    Ok(identity)
}

fn read(path: &Path) -> anyhow::Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| {
            let path = path.display();
            format!("cannot read {path}; make it readable for the user callbox runs as")
        }),
    }
}

#[cfg(test)]
mod tests;
