//! Keeps what is served up to date while the server runs: files that change, a self-signed certificate near its end, an
//! authority's, and what an authority of this machine's own signs.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use ring::digest::{SHA256, digest};
use tokio::sync::Notify;
use tokio::time::sleep;

use super::fit::why_unfit;
use super::{Acme, LocalCaFiles, Served, own, provided, signed_here};
use crate::clock::Watch;
use crate::config::{self, CertificateSource, Config};
use crate::net::Machine;

/// How soon a changed file is taken over. Files are read rather than watched: behind links and on network disks nothing is
/// heard of a change.
const LOOK: Duration = Duration::from_secs(10);
/// How soon a new address of the machine is certified.
const LOOK_AT_ADDRESSES: Duration = Duration::from_secs(30);
const SELF_SIGNED_CHECK: Duration = Duration::from_secs(24 * 3600);

/// Never ends. `hangup` asks to look at once.
pub(crate) async fn keep(
    config: Config,
    machine: Machine,
    acme: Option<Acme>,
    served: Served,
    hangup: Arc<Notify>,
) {
    // An authority is asked no sooner for it.
    let look = acme.is_none().then(|| Arc::clone(&hangup));
    tokio::select! {
        () = heed_clock(&served, look) => {}
        () = renew(config, machine, acme, served.clone(), hangup) => {}
    }
}

/// What was judged by a wrong clock is judged again, and what expires is trusted no longer.
async fn heed_clock(served: &Served, look: Option<Arc<Notify>>) {
    let mut clock = Watch::start();
    loop {
        sleep(LOOK).await;
        let now = SystemTime::now();
        served.judge(now);
        if clock.was_set() {
            let time = humantime::format_rfc3339_seconds(now);
            tracing::info!("the clock was set, and says {time}");
            if let Some(look) = &look {
                look.notify_one();
            }
        }
    }
}

async fn renew(
    config: Config,
    machine: Machine,
    acme: Option<Acme>,
    served: Served,
    hangup: Arc<Notify>,
) {
    match (&config.tls.source, acme) {
        (_, Some(acme)) => acme.keep(served, hangup).await,
        (CertificateSource::Provided { cert, key }, _) => {
            follow(&config, (cert, key), &served, &hangup).await;
        }
        _ if served.authority().is_some() => sign_anew(&config, &served, &hangup).await,
        (
            CertificateSource::SelfSigned { dir }
            | CertificateSource::Acme(config::Acme { dir, .. }),
            None,
        ) => remake(&config, dir, &machine, &served, &hangup).await,
    }
}

/// A self-signed certificate near its end is replaced.
async fn remake(config: &Config, dir: &Path, machine: &Machine, served: &Served, hangup: &Notify) {
    loop {
        tokio::select! {
            () = sleep(SELF_SIGNED_CHECK) => {}
            () = hangup.notified() => {}
        }
        let now = SystemTime::now();
        match own(config, dir, machine, now) {
            Ok(identity) => served.exchange(identity, now),
            Err(error) => tracing::error!("the certificate stays as it is: {error:#}"),
        }
    }
}

/// Under an authority of this machine's own: near its end, and when the machine has another name or address.
async fn sign_anew(config: &Config, served: &Served, hangup: &Notify) {
    let mut told = None;
    loop {
        tokio::select! {
            () = sleep(LOOK_AT_ADDRESSES) => {}
            () = hangup.notified() => {}
        }
        let now = SystemTime::now();
        let signed = Machine::inspect()
            .map_err(|error| format!("cannot list the machine's network addresses: {error}"))
            .and_then(|machine| {
                signed_here(config, &machine, now).map_err(|error| error.to_string())
            });
        match signed {
            Ok(signed) if signed.identity.facts != served.facts() => {
                tell_left_out(config, &signed.left_out);
                served.exchange(signed.identity, now);
                told = None;
            }
            Ok(_) => told = None,
            Err(problem) => {
                if told.as_ref() != Some(&problem) {
                    tracing::error!("the certificate stays as it is: {problem}");
                }
                told = Some(problem);
            }
        }
    }
}

/// Of names and addresses that the authority may not certify.
pub(super) fn tell_left_out(config: &Config, left_out: &[String]) {
    if !left_out.is_empty() {
        tracing::info!(
            "the machine's own authority may not certify {}; delete {} to have one made that may, which devices have to install",
            left_out.join(", "),
            LocalCaFiles::new(&config.state).authority.display()
        );
    }
}

/// Takes over certificate and key whenever the files have changed, if they can be served.
async fn follow(config: &Config, files: (&Path, &Path), served: &Served, hangup: &Notify) {
    // Not as they are: they may have changed since they were loaded.
    let mut seen = [None, None];
    loop {
        let asked = tokio::select! {
            () = sleep(LOOK) => false,
            () = hangup.notified() => true,
        };
        let found = contents(files);
        if found == seen && !asked {
            continue;
        }
        let unchanged = found == seen;
        seen = found;
        match take_over(config, files, served) {
            Ok(()) if unchanged => tracing::info!("the certificate is the same as before"),
            Ok(()) => {}
            Err(reason) => {
                tracing::error!("the certificate stays as it is: {reason}");
            }
        }
    }
}

fn take_over(config: &Config, (cert, key): (&Path, &Path), served: &Served) -> Result<(), String> {
    let now = SystemTime::now();
    let identity = provided::load(config, cert, key).map_err(|error| error.to_string())?;
    let old = served.facts();
    if let Some(why) = why_unfit(&identity.facts, &old, &config.domains, now) {
        let cert = cert.display();
        return Err(format!(
            "{cert} is not taken over, because {why}; bring one that fits"
        ));
    }
    if identity.facts.fingerprint != old.fingerprint {
        tracing::info!(
            days = identity.facts.days_left(now),
            names = identity.facts.names.join(", "),
            "another certificate is served"
        );
    }
    served.exchange(identity, now);
    Ok(())
}

/// What stands for the files' contents; files that cannot be read are alike.
fn contents((cert, key): (&Path, &Path)) -> [Option<Vec<u8>>; 2] {
    [cert, key].map(|path| {
        let bytes = std::fs::read(path).ok()?;
        Some(digest(&SHA256, &bytes).as_ref().to_vec())
    })
}
