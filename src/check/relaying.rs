//! Asks the STUN and TURN servers that a page is told of, and those that are there without being told.

use std::net::{IpAddr, SocketAddr};

use tokio::task::JoinSet;

use super::fault::Fault;
use super::ice::{IceUrl, Servers, Transport};
use super::packets::{self, Passage};
use super::probe::turn::{Relayed, Server};
use super::probe::{Budget, connect, passage, turn};
use super::public_ip::{self, Observed};
use super::relay::{self, Attempt};
use super::report::Row;
use super::stun;
use super::subject::Subject;

/// `page`: the addresses at which the page was reached.
pub(super) async fn rows(
    subject: &Subject,
    mut servers: Servers,
    page: &[IpAddr],
    budget: Budget,
) -> Vec<Row> {
    let port = subject.target.port();
    servers.add_unlisted(&subject.target, Transport::Tls, port);
    for (transport, port) in subject.local.iter().flat_map(|local| &local.relay_ports) {
        servers.add_unlisted(&subject.target, *transport, *port);
    }
    let place = Place {
        subject,
        page,
        budget,
    };
    let stun = async {
        match servers.stun() {
            Some(url) => {
                let seen = binding(&place, url).await;
                (stun::row(url, &seen), seen.ok())
            }
            None => (stun::missing(), None),
        }
    };
    let (tried, (stun, seen), other, by_public) = tokio::join!(
        allocate_all(&place, &servers),
        stun,
        other_family(&place, &servers),
        seen_by_public(&place, &servers)
    );
    let seen = by_public.or(seen);
    let mut rows = vec![stun];
    rows.extend(other);
    rows.extend(tried.iter().map(|tried| relay::row(&tried.attempt(), port)));
    rows.extend(through(&place, &servers, tried, seen).await);
    rows
}

/// Where the relay is looked for.
struct Place<'a> {
    subject: &'a Subject,
    page: &'a [IpAddr],
    budget: Budget,
}

impl Place<'_> {
    /// The page's host is where the page was reached; others are resolved. This machine's relay is on this machine,
    /// under whatever name.
    async fn locate(&self, url: &IceUrl) -> Result<Server, Fault> {
        let is_page = url.host == self.subject.target.host();
        let known = match &self.subject.local {
            Some(local) => Some(local.turn),
            _ if is_page => self.page.first().copied(),
            _ => None,
        };
        let ip = if let Some(ip) = known {
            ip
        } else {
            let lookup = connect::resolve(self.budget, url.name()).await;
            *lookup.addresses?.first().ok_or(Fault::Unresolved)?
        };
        let url = url.clone();
        Ok(Server { url, ip })
    }
}

async fn binding(place: &Place<'_>, url: &IceUrl) -> Result<SocketAddr, Fault> {
    let server = place.locate(url).await?;
    turn::binding(place.budget, &server).await
}

/// Where the page answers over IPv4 and IPv6, firewalls often pass the one and not the other.
async fn other_family(place: &Place<'_>, servers: &Servers) -> Option<Row> {
    let url = servers.stun()?;
    let first = place.page.first()?;
    let ip = *place
        .page
        .iter()
        .find(|ip| ip.is_ipv4() != first.is_ipv4())?;
    if place.subject.local.is_some() || url.host != place.subject.target.host() {
        return None;
    }
    let server = Server {
        url: url.clone(),
        ip,
    };
    let seen = turn::binding(place.budget, &server).await;
    Some(stun::other_row(url, ip, &seen))
}

/// As what this machine's server sees it where it goes by the public address: as others do, where that leads back in.
async fn seen_by_public(place: &Place<'_>, servers: &Servers) -> Option<SocketAddr> {
    let public = &place.subject.local.as_ref()?.addresses.public;
    let server = Server {
        url: servers.stun()?.clone(),
        ip: *public.first()?,
    };
    turn::binding(place.budget, &server).await.ok()
}

/// One way to the relay, and what came of it.
struct Tried {
    url: IceUrl,
    result: Result<(Server, Relayed), Fault>,
}

impl Tried {
    fn attempt(&self) -> Attempt {
        let result = self.result.as_ref().map(|(_, relayed)| relayed.address);
        Attempt {
            url: self.url.clone(),
            result: result.map_err(Clone::clone),
        }
    }
}

/// Allocates on all ways at once; in the order of the list.
async fn allocate_all(place: &Place<'_>, servers: &Servers) -> Vec<Tried> {
    let Some(login) = &servers.login else {
        return Vec::new();
    };
    let mut tasks = JoinSet::new();
    let mut tried = Vec::new();
    for (index, url) in servers.turn().enumerate() {
        let located = place.locate(url).await;
        tried.push(Tried {
            url: url.clone(),
            result: Err(located.as_ref().err().cloned().unwrap_or(Fault::Foreign)),
        });
        if let Ok(server) = located {
            let (budget, login) = (place.budget, login.clone());
            tasks.spawn(async move {
                let relayed = turn::allocate(budget, &server, &login).await;
                (index, relayed.map(|relayed| (server, relayed)))
            });
        }
    }
    while let Some(ended) = tasks.join_next().await {
        // A task that failed leaves what stands there: something answers that is no TURN server.
        if let Ok((index, result)) = ended
            && let Some(tried) = tried.get_mut(index)
        {
            tried.result = result;
        }
    }
    tried
}

/// What goes through the relay, on the first way that leads to it: UDP if it does.
async fn through(
    place: &Place<'_>,
    servers: &Servers,
    tried: Vec<Tried>,
    seen: Option<SocketAddr>,
) -> Vec<Row> {
    let mut open: Vec<_> = tried
        .into_iter()
        .filter_map(|tried| tried.result.ok())
        .collect();
    let (Some(login), false) = (&servers.login, open.is_empty()) else {
        return packets::skipped("no relayed address was given out").to_vec();
    };
    open.sort_by_key(|(server, _)| server.url.transport != Transport::Udp);
    let (server, ana) = open.swap_remove(0);
    let mut rows = vec![public_ip::row(&Observed {
        server: server.ip,
        relayed: ana.address.ip(),
        seen: seen.map(|seen| seen.ip()),
        here: place
            .subject
            .local
            .as_ref()
            .map(|local| local.addresses.clone()),
    })];
    let bo = turn::allocate(place.budget, &server, login).await;
    rows.push(pair(place, &ana, bo.as_ref()).await);
    rows.push(outside(place, &ana, seen).await);
    open.extend(bo.ok().map(|bo| (server.clone(), bo)));
    open.push((server, ana));
    close_all(open).await;
    rows
}

async fn pair(place: &Place<'_>, ana: &Relayed, bo: Result<&Relayed, &Fault>) -> Row {
    match bo {
        Ok(bo) => packets::pair_row(&Passage {
            to: bo.address,
            result: passage::between(place.budget, ana, bo).await,
        }),
        Err(fault) => packets::pair_skipped(&format!("no second relayed address: {fault}")),
    }
}

async fn outside(place: &Place<'_>, ana: &Relayed, seen: Option<SocketAddr>) -> Row {
    let seen = match seen {
        _ if place.subject.local.is_some() => {
            return packets::outside_skipped(
                "no firewall is between a machine and itself: run `callbox check https://HOST/` elsewhere",
            );
        }
        Some(seen) if seen.is_ipv4() == ana.address.is_ipv4() => seen.ip(),
        _ => return packets::outside_skipped("the address of this machine is not known"),
    };
    packets::outside_row(&Passage {
        to: ana.address,
        result: passage::from_outside(place.budget, ana, seen).await,
    })
}

async fn close_all(open: Vec<(Server, Relayed)>) {
    let mut closing: JoinSet<()> = JoinSet::new();
    for (_, relayed) in open {
        closing.spawn(relayed.close());
    }
    while closing.join_next().await.is_some() {}
}
