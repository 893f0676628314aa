//! What can be told while a server starts, and is worth a warning.

use std::net::IpAddr;
use std::time::SystemTime;

use rustls::pki_types::CertificateDer;

use super::probe::{Budget, connect, machine};
use super::report::{Row, Status};
use super::steps::certificate_rows;
use super::subject::Roots;
use super::{authority, certificate, dns, limits};
use crate::config::Config;
use crate::tls::LocalCaFiles;

/// What a server knows of itself when it starts.
#[derive(Debug, Clone)]
pub struct Start {
    pub config: Config,
    /// Own addresses, and those under which the world reaches this machine.
    pub addresses: Vec<IpAddr>,
    pub chain: Vec<CertificateDer<'static>>,
}

/// Logs a warning for each thing that is wrong.
pub async fn warn(start: Start) {
    let rows = rows(&start, SystemTime::now()).await;
    for row in rows {
        if let (Status::Warning | Status::Failed, Some(remedy)) = (row.status, &row.remedy) {
            tracing::warn!("{}: {}; {remedy}", row.name, row.found);
        }
    }
}

/// That browsers ask about a self-signed certificate is said by the banner, and what the kernel grants to sockets when
/// they are made.
async fn rows(start: &Start, now: SystemTime) -> Vec<Row> {
    let config = &start.config;
    let wanted = limits::wanted_files(config);
    let mut rows = vec![limits::files_row(
        machine::own_open_files(),
        wanted,
        "the server",
    )];
    let authorities = LocalCaFiles::new(&config.state);
    rows.extend(authority::row(authorities.too_wide()));
    let certificate =
        certificate_rows(config.domains.clone(), &Roots::default(), &start.chain, now);
    rows.extend(
        certificate
            .into_iter()
            .filter(|row| row.name != certificate::CHAIN),
    );
    let budget = Budget::start();
    let lookups = config
        .domains
        .iter()
        .map(|name| connect::resolve(budget, name));
    let lookups = futures_util::future::join_all(lookups).await;
    // Behind a proxy the names lead to that.
    let own = (!config.is_loopback_only()).then_some(&start.addresses[..]);
    rows.extend(lookups.iter().map(|lookup| dns::row(lookup, own, false)));
    rows
}
