//! Under which addresses the world reaches this machine.

use std::net::IpAddr;
use std::time::Duration;

use callbox_turn::is_global;

use super::machine::{Machine, one_of_each_family};

const RESOLVE_TIMEOUT: Duration = Duration::from_secs(5);

/// The configured ones, else those: configured, of an interface, or of the domains.
pub(crate) async fn public_addresses(
    configured: Option<&[IpAddr]>,
    loopback_only: bool,
    domains: &[String],
    machine: &Machine,
) -> Vec<IpAddr> {
    if let Some(configured) = configured {
        return configured.to_vec();
    }
    if loopback_only {
        return Vec::new();
    }
    let mut found = machine.global();
    // Behind 1:1 NAT an interface may have a public IPv6 address and a private IPv4 one.
    for ip in resolve_domains(domains).await {
        if found.iter().all(|other| other.is_ipv4() != ip.is_ipv4()) {
            found.push(ip);
        }
    }
    found
}

/// The addresses of `domains`, one of each family; what does not resolve in time is left out.
async fn resolve_domains(domains: &[String]) -> Vec<IpAddr> {
    let mut lookups = tokio::task::JoinSet::new();
    for domain in domains.iter().cloned() {
        lookups.spawn(async move {
            let lookup = tokio::net::lookup_host((domain, 0));
            tokio::time::timeout(RESOLVE_TIMEOUT, lookup).await
        });
    }
    let answers = lookups.join_all().await;
    let found: Vec<_> = answers
        .into_iter()
        .filter_map(|answer| answer.ok()?.ok())
        .flatten()
        .map(|address| address.ip())
        .collect();
    one_of_each_family(found.into_iter().filter(|ip| is_global(*ip)))
}
