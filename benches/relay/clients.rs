//! The clients of a row: connected, allocated, and ready to send.

use std::net::{SocketAddr, SocketAddrV4};
use std::ops::Range;
use std::sync::Arc;

use anyhow::Context;
use rustls::ClientConfig;

use crate::forwarder::Hello;
use crate::link::{Link, tls_config};
use crate::load::{Load, Peer, Sender};
use crate::packets::{Encoding, Template};
use crate::rows::{Path, Row};
use crate::servers::{Kind, Server, Transport};
use crate::setup::{Client, Opening, complete};
use crate::turn_client::{Aim, Dialogue};

pub(crate) const CLIENTS: u32 = 50;
/// Clients whose requests are on their way at the same time.
const AT_ONCE: usize = 32;

/// A load whose clients have been set up.
pub(crate) fn ready_load(row: Row, kind: Kind, server: &Server) -> anyhow::Result<Load> {
    let encoding = row.encoding(kind);
    let tls = tls_config()?;
    let links = (0..CLIENTS).map(|_| connect(row.transport(), server, &tls));
    let links = links.collect::<anyhow::Result<Vec<_>>>()?;
    let (senders, peer) = match row.path() {
        Path::Echo => {
            let peer = Peer::new()?;
            let to = peer.address()?;
            (echoing(encoding, to, links)?, Some(peer))
        }
        Path::Pairs => (paired(encoding, links)?, None),
    };
    Ok(Load::new(encoding, senders, peer))
}

/// Clients with an address, a permission and a channel for a peer to which nothing is ever sent. Connected to the server,
/// but silent so far.
pub(crate) fn idle(server: SocketAddr, ids: Range<u32>) -> anyhow::Result<Vec<Client>> {
    let peer = Peer::new()?.address()?;
    let aim = Aim {
        peer,
        channel: true,
    };
    let client = |id| {
        Ok(Client {
            link: Link::udp(server)?,
            opening: Opening::Turn(Box::new(Dialogue::new(id, Some(aim)))),
        })
    };
    ids.map(client).collect()
}

/// Sends the requests of all clients.
pub(crate) fn set_up(clients: &mut [Client]) -> anyhow::Result<()> {
    complete(clients, AT_ONCE)
}

fn connect(transport: Transport, server: &Server, tls: &Arc<ClientConfig>) -> anyhow::Result<Link> {
    let address = server.address(transport);
    let link = match transport {
        Transport::Udp => Link::udp(address),
        Transport::Tcp => Link::tcp(address),
        Transport::Tls => Link::tls(address, tls),
    };
    link.with_context(|| format!("{transport:?} to {address}"))
}

fn echoing(
    encoding: Encoding,
    peer: SocketAddrV4,
    links: Vec<Link>,
) -> anyhow::Result<Vec<Sender>> {
    let aim = Aim {
        peer,
        channel: encoding == Encoding::Channel,
    };
    let opening = |id| match encoding {
        Encoding::Raw => Opening::Forwarder(Hello::new(peer)),
        _ => Opening::Turn(Box::new(Dialogue::new(id, Some(aim)))),
    };
    let mut clients = with_openings(links, opening);
    set_up(&mut clients)?;
    let senders = clients.into_iter().enumerate();
    let senders = senders.map(|(index, client)| Sender {
        link: client.link,
        template: Template::new(encoding, peer),
        arrives_at: index,
    });
    Ok(senders.collect())
}

/// Clients two by two, each of which sends to the relayed address of the other.
fn paired(encoding: Encoding, links: Vec<Link>) -> anyhow::Result<Vec<Sender>> {
    let opening = |id| Opening::Turn(Box::new(Dialogue::new(id, None)));
    let mut clients = with_openings(links, opening);
    set_up(&mut clients)?;
    let relayed: Option<Vec<_>> = clients.iter().map(|c| c.opening.relayed()).collect();
    let relayed = relayed.context("an allocation without a relayed IPv4 address")?;
    for (index, client) in clients.iter_mut().enumerate() {
        client.opening.aim(Aim {
            peer: relayed[other(index)],
            channel: true,
        });
    }
    set_up(&mut clients)?;
    let senders = clients.into_iter().enumerate();
    let senders = senders.map(|(index, client)| Sender {
        link: client.link,
        template: Template::new(encoding, relayed[other(index)]),
        arrives_at: other(index),
    });
    Ok(senders.collect())
}

/// The other client of a pair.
fn other(index: usize) -> usize {
    index ^ 1
}

fn with_openings(links: Vec<Link>, opening: impl Fn(u32) -> Opening) -> Vec<Client> {
    let ids = 0..;
    let clients = links.into_iter().zip(ids);
    let client = |(link, id)| Client {
        link,
        opening: opening(id),
    };
    clients.map(client).collect()
}
