//! Does the name lead to the server? Pure.

use std::net::IpAddr;

use super::fault::Fault;
use super::report::Row;
use callbox_turn::is_link_local;

/// What a resolver said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lookup {
    pub host: String,
    pub addresses: Result<Vec<IpAddr>, Fault>,
}

/// `own`: the addresses of the server, where they are known. `proxied`: a proxy resolves names in our place.
pub(super) fn row(lookup: &Lookup, own: Option<&[IpAddr]>, proxied: bool) -> Row {
    let host = &lookup.host;
    let name = format!("DNS of {host}");
    if host.parse::<IpAddr>().is_ok() {
        return Row::skipped("DNS", format!("{host} is an address"));
    }
    let addresses = match &lookup.addresses {
        Ok(addresses) if !addresses.is_empty() => addresses,
        _ if proxied => {
            return Row::warning(
                name,
                "does not resolve here; the proxy resolves it",
                "TURN is reached without the proxy: let this machine resolve names",
            );
        }
        Err(Fault::Silent) => {
            return Row::failed(
                name,
                "the resolver does not answer",
                "see /etc/resolv.conf of this machine",
            );
        }
        _ => {
            return Row::failed(
                name,
                "does not resolve",
                format!(
                    "add an A or AAAA record for {host} where the domain is managed; a new one takes some minutes"
                ),
            );
        }
    };
    let Some(own) = own else {
        return Row::ok(name, list(addresses));
    };
    let foreign: Vec<_> = addresses
        .iter()
        .filter(|ip| !own.contains(ip))
        .copied()
        .collect();
    if foreign.is_empty() {
        return Row::ok(name, list(addresses));
    }
    Row::warning(
        name,
        format!(
            "{} is not an address of this machine and not `public_ip`",
            list(&foreign)
        ),
        format!(
            "let the record of {host} name this machine ({}); where a router or the provider translates addresses, set \
             `public_ip` to the one that the world sees",
            list(&nameable(own))
        ),
    )
}

/// Those that a record can name to others.
fn nameable(own: &[IpAddr]) -> Vec<IpAddr> {
    let others = |ip: &&IpAddr| !ip.is_loopback() && !is_link_local(**ip);
    let mut found: Vec<_> = own.iter().filter(others).copied().collect();
    found.sort();
    found.dedup();
    found
}

fn list(addresses: &[IpAddr]) -> String {
    let texts: Vec<_> = addresses.iter().map(IpAddr::to_string).collect();
    texts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::report::Status;

    fn lookup(host: &str, addresses: Result<&[&str], Fault>) -> Lookup {
        Lookup {
            host: host.to_owned(),
            addresses: addresses
                .map(|list| list.iter().map(|text| text.parse().unwrap()).collect()),
        }
    }

    const HOST: &str = "call.example.com";

    #[test]
    fn a_name_has_to_resolve() {
        let found = row(
            &lookup(HOST, Ok(&["192.0.2.7", "2001:db8::7"])),
            None,
            false,
        );
        assert_eq!(
            (found.status, found.found.as_str()),
            (Status::Ok, "192.0.2.7, 2001:db8::7")
        );
        for missing in [Err(Fault::Unresolved), Ok(&[][..])] {
            let failed = row(&lookup(HOST, missing), None, false);
            assert_eq!(failed.status, Status::Failed);
            assert!(
                failed
                    .remedy
                    .unwrap()
                    .contains("add an A or AAAA record for call.example.com")
            );
        }
        let silent = row(&lookup(HOST, Err(Fault::Silent)), None, false);
        assert!(silent.remedy.unwrap().contains("resolv.conf"));
        let proxied = row(&lookup(HOST, Err(Fault::Unresolved)), None, true);
        assert_eq!(proxied.status, Status::Warning);
        assert_eq!(
            row(&lookup("::1", Ok(&["::1"])), None, false).status,
            Status::Skipped
        );
    }

    #[test]
    fn it_has_to_lead_to_this_machine() {
        let own = [
            "192.0.2.7".parse().unwrap(),
            "10.0.0.5".parse().unwrap(),
            "192.0.2.7".parse().unwrap(),
            "::1".parse().unwrap(),
        ];
        let there = lookup(HOST, Ok(&["192.0.2.7"]));
        assert_eq!(row(&there, Some(&own), false).status, Status::Ok);
        let elsewhere = row(
            &lookup(HOST, Ok(&["192.0.2.7", "2001:db8::9"])),
            Some(&own),
            false,
        );
        assert_eq!(elsewhere.status, Status::Warning);
        assert!(
            elsewhere.found.starts_with("2001:db8::9 is not an address"),
            "{}",
            elsewhere.found
        );
        let remedy = elsewhere.remedy.unwrap();
        assert!(
            remedy.contains("this machine (10.0.0.5, 192.0.2.7)") && remedy.contains("`public_ip`")
        );
    }
}
