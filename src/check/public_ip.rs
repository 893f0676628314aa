//! Does the relay give out addresses that others can reach, and is `public_ip` right? Pure.

use std::net::IpAddr;

use super::report::Row;
use callbox_turn::is_global;

const NAME: &str = "public address";

/// What there is to compare.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Observed {
    /// Under which the relay was reached.
    pub server: IpAddr,
    /// What it gave out.
    pub relayed: IpAddr,
    /// As what it saw this machine.
    pub seen: Option<IpAddr>,
    /// Where this machine is the server: `public_ip` or what was found in its place, and its own addresses.
    pub here: Option<Here>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Here {
    pub public: Vec<IpAddr>,
    pub own: Vec<IpAddr>,
}

pub(super) fn row(observed: &Observed) -> Row {
    match &observed.here {
        Some(here) => row_here(observed, here),
        None => row_elsewhere(observed),
    }
}

/// Whoever reaches the server at one address should be relayed at one that is as reachable.
fn row_elsewhere(observed: &Observed) -> Row {
    let Observed {
        server, relayed, ..
    } = *observed;
    let found = format!("the relay gives out {relayed}, and was reached at {server}");
    let same_family = server.is_ipv4() == relayed.is_ipv4();
    if is_global(server) && !is_global(relayed) {
        Row::failed(
            NAME,
            format!("{found}: nobody outside can send there"),
            format!("set `public_ip = \"{server}\"` on the server and restart callbox"),
        )
    } else if relayed.is_loopback() && !server.is_loopback() {
        Row::failed(
            NAME,
            found,
            "let `listen` and `turn.listen` name all addresses: \"[::]:8443\", \"[::]:3478\"",
        )
    } else if is_global(server) && same_family && server != relayed {
        Row::warning(
            NAME,
            found,
            format!("where {relayed} is not the server's address, set `public_ip = \"{server}\"`"),
        )
    } else {
        Row::ok(NAME, found)
    }
}

fn row_here(observed: &Observed, here: &Here) -> Row {
    let public = list(&here.public);
    let same_family = |ip: &IpAddr| {
        here.public
            .iter()
            .any(|other| other.is_ipv4() == ip.is_ipv4())
    };
    match observed.seen {
        // The way to the own address led around through a translation, whose outer side was seen.
        Some(seen)
            if is_global(seen) && !here.own.contains(&seen) && !here.public.contains(&seen) =>
        {
            Row::warning(
                NAME,
                format!("the world sees {seen}, and `public_ip` is {public}"),
                format!(
                    "set `public_ip = \"{seen}\"` and restart callbox, if others reach this machine there"
                ),
            )
        }
        Some(seen) if here.public.contains(&seen) => Row::ok(NAME, format!("{public}, as is seen")),
        _ if here.public.is_empty() => Row::ok(
            NAME,
            "none: calls work within this network; set `public_ip` to change that",
        ),
        _ if same_family(&observed.relayed) && !here.public.contains(&observed.relayed) => {
            Row::failed(
                NAME,
                format!(
                    "the relay gives out {}, and `public_ip` is {public}",
                    observed.relayed
                ),
                "restart callbox: it runs with another configuration or with addresses that the machine no longer has",
            )
        }
        _ if here.public.iter().all(|ip| here.own.contains(ip)) => {
            Row::ok(NAME, format!("{public}, an address of this machine"))
        }
        _ => foreign_row(here, &public),
    }
}

/// `public_ip` names no address of this machine.
fn foreign_row(here: &Here, public: &str) -> Row {
    let foreign = here.public.iter().filter(|ip| !here.own.contains(ip));
    let is_v4: Vec<_> = foreign.map(IpAddr::is_ipv4).collect();
    let mut own = here.own.iter();
    match own.find(|ip| is_global(**ip) && is_v4.contains(&ip.is_ipv4())) {
        Some(own) => Row::warning(
            NAME,
            format!("{public}, while this machine has {own} of its own"),
            format!(
                "remove `public_ip`, or set it to \"{own}\", unless others do reach this machine at {public}"
            ),
        ),
        None => Row::skipped(
            NAME,
            format!(
                "{public}; from this machine nobody can tell whether others reach it there: run `callbox check https://HOST/` elsewhere"
            ),
        ),
    }
}

fn list(addresses: &[IpAddr]) -> String {
    if addresses.is_empty() {
        return "not set".to_owned();
    }
    let texts: Vec<_> = addresses.iter().map(IpAddr::to_string).collect();
    texts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::report::Status;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn outside(server: &str, relayed: &str) -> Row {
        row(&Observed {
            server: ip(server),
            relayed: ip(relayed),
            seen: None,
            here: None,
        })
    }

    #[test]
    fn from_outside_the_relayed_address_has_to_be_reachable() {
        assert_eq!(outside("5.6.7.8", "5.6.7.8").status, Status::Ok);
        assert_eq!(outside("192.168.1.5", "192.168.1.5").status, Status::Ok);
        assert_eq!(outside("127.0.0.1", "127.0.0.1").status, Status::Ok);
        assert_eq!(
            outside("127.0.0.1", "5.6.7.8").status,
            Status::Ok,
            "from the server itself"
        );
        let private = outside("5.6.7.8", "10.0.0.5");
        assert_eq!(private.status, Status::Failed);
        assert!(
            private
                .remedy
                .unwrap()
                .contains("`public_ip = \"5.6.7.8\"`")
        );
        assert!(
            outside("192.168.1.5", "127.0.0.1")
                .remedy
                .unwrap()
                .contains("`listen`")
        );
        assert_eq!(outside("5.6.7.8", "5.6.7.9").status, Status::Warning);
        assert_eq!(
            outside("2606:4700::1", "5.6.7.9").status,
            Status::Ok,
            "the other family"
        );
    }

    fn here(public: &[&str], own: &[&str], relayed: &str, seen: &str) -> Row {
        let ips = |list: &[&str]| list.iter().map(|text| ip(text)).collect();
        row(&Observed {
            server: ip("127.0.0.1"),
            relayed: ip(relayed),
            seen: Some(ip(seen)),
            here: Some(Here {
                public: ips(public),
                own: ips(own),
            }),
        })
    }

    #[test]
    fn on_the_server_public_ip_is_compared_with_what_is_seen() {
        assert_eq!(
            here(&["5.6.7.8"], &["5.6.7.8"], "5.6.7.8", "5.6.7.8").status,
            Status::Ok
        );
        assert_eq!(
            here(&["5.6.7.8"], &["5.6.7.8"], "5.6.7.8", "127.0.0.1").status,
            Status::Ok
        );
        assert_eq!(
            here(&[], &["192.168.1.5"], "192.168.1.5", "127.0.0.1").status,
            Status::Ok
        );
        let wrong = here(&["5.6.7.8"], &["10.0.0.5"], "5.6.7.8", "9.9.9.9");
        assert_eq!(wrong.status, Status::Warning);
        assert!(wrong.remedy.unwrap().contains("`public_ip = \"9.9.9.9\"`"));
        assert_eq!(
            here(&["5.6.7.8"], &["10.0.0.5"], "5.6.7.8", "127.0.0.1").status,
            Status::Skipped
        );
        let other = here(
            &["5.6.7.8"],
            &["10.0.0.5", "9.9.9.9"],
            "5.6.7.8",
            "127.0.0.1",
        );
        assert_eq!(other.status, Status::Warning);
        assert!(other.remedy.unwrap().contains("set it to \"9.9.9.9\""));
        let family = here(&["5.6.7.8"], &["2606:4700::1"], "5.6.7.8", "127.0.0.1");
        assert_eq!(family.status, Status::Skipped);
        let stale = here(&["5.6.7.8"], &["10.0.0.5"], "10.0.0.5", "127.0.0.1");
        assert_eq!(stale.status, Status::Failed);
        assert!(stale.remedy.unwrap().contains("restart callbox"));
    }
}
