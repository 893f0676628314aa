//! STUN and TURN, by webrtc-rs's client.

use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::time::{Instant, timeout_at};
use turn::Error;
use turn::client::{Client, ClientConfig};
use webrtc_util::Conn;

use super::super::fault::Fault;
use super::super::ice::{IceUrl, Login, Transport};
use super::super::report::quote;
use super::super::target::bare;
use super::connect::{self, BoxedStream};
use super::link::Link;
use super::{Budget, tls};

/// On streams nothing is repeated (RFC 8489 §6.2.2); longer than anything waits here.
const NEVER: u16 = 30_000;
/// Freeing an allocation is a courtesy.
const FREE_WITHIN: Duration = Duration::from_millis(300);

/// Where a STUN or TURN server is tried.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    pub url: IceUrl,
    pub ip: IpAddr,
}

/// A relayed address that is ours until it is closed.
pub(crate) struct Relayed {
    pub address: SocketAddr,
    pub conn: Box<dyn Conn + Send + Sync>,
    client: Client,
}

impl Relayed {
    /// Frees it.
    pub(crate) async fn close(self) {
        let free = async {
            drop(self.conn.close().await);
            drop(self.client.close().await);
        };
        drop(tokio::time::timeout(FREE_WITHIN, free).await);
    }
}

/// The address under which the server sees this machine.
///
/// # Errors
/// Where no answer comes.
pub(crate) async fn binding(budget: Budget, server: &Server) -> Result<SocketAddr, Fault> {
    let nobody = Login {
        username: String::new(),
        password: String::new(),
    };
    let end = budget.step();
    let (client, link) = open(end, server, &nobody).await?;
    let seen = answered(end, &link, client.send_binding_request()).await;
    drop(client.close().await);
    seen
}

/// A relayed address.
///
/// # Errors
/// Where none is given.
pub(crate) async fn allocate(
    budget: Budget,
    server: &Server,
    login: &Login,
) -> Result<Relayed, Fault> {
    let end = budget.step();
    let (client, link) = open(end, server, login).await?;
    let conn = answered(end, &link, client.allocate()).await?;
    let address = conn
        .local_addr()
        .map_err(|error| Fault::Other(error.to_string()))?;
    Ok(Relayed {
        address,
        conn: Box::new(conn),
        client: client.clone(),
    })
}

async fn open(
    end: Instant,
    server: &Server,
    login: &Login,
) -> Result<(Client, Arc<Link<BoxedStream>>), Fault> {
    let address = SocketAddr::new(server.ip, server.url.port);
    let linked = timeout_at(end, link(server, address)).await;
    let link = Arc::new(linked.unwrap_or(Err(Fault::Silent))?);
    let client = Client::new(ClientConfig {
        stun_serv_addr: address.to_string(),
        turn_serv_addr: address.to_string(),
        username: login.username.clone(),
        password: login.password.clone(),
        realm: String::new(),
        software: String::new(),
        rto_in_ms: if server.url.transport == Transport::Udp {
            0
        } else {
            NEVER
        },
        conn: Arc::<Link<BoxedStream>>::clone(&link),
        vnet: None,
    })
    .await
    .map_err(fault)?;
    client.listen().await.map_err(fault)?;
    Ok((client, link))
}

async fn link(server: &Server, address: SocketAddr) -> Result<Link<BoxedStream>, Fault> {
    if server.url.transport == Transport::Udp {
        let socket = UdpSocket::bind((unspecified(address.ip()), 0)).await?;
        // Connected, so that the machine tells where nothing listens.
        socket.connect(address).await?;
        return Ok(Link::datagrams(socket, address)?);
    }
    let stream = connect::connect(address).await?;
    let local = stream.local_addr()?;
    let mut stream: BoxedStream = Box::new(stream);
    if server.url.transport == Transport::Tls {
        let name = bare(&server.url.host).to_owned();
        let name = name.try_into().map_err(|_| Fault::Unresolved)?;
        let (secure, _) = tls::shake(stream, name, &[]).await?;
        stream = Box::new(secure);
    }
    Ok(Link::stream(stream, address, local))
}

/// The address to bind for sending to this one.
pub(crate) fn unspecified(peer: IpAddr) -> IpAddr {
    match peer {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    }
}

/// The client does not hear of a link that broke.
async fn answered<T>(
    end: Instant,
    link: &Link<BoxedStream>,
    asking: impl Future<Output = Result<T, Error>>,
) -> Result<T, Fault> {
    let asking = async {
        tokio::select! {
            // The client's own words hide what became of the link.
            answer = asking => answer.map_err(|error| link.known_fault().unwrap_or_else(|| fault(error))),
            broken = link.broken() => Err(broken),
        }
    };
    match timeout_at(end, asking).await {
        Ok(answer) => answer,
        Err(_) if link.heard_nonsense() => Err(Fault::Foreign),
        Err(_) => Err(Fault::Silent),
    }
}

fn fault(error: Error) -> Fault {
    match error {
        Error::Other(text) => denied(&text),
        other => Fault::Other(format!("an odd answer: {}", quote(&other.to_string()))),
    }
}

/// The client tells code and words of an error response in a text.
pub(crate) fn denied(text: &str) -> Fault {
    let found = text
        .split_once("(error ")
        .and_then(|(_, rest)| rest.split_once(':'));
    let code = found.and_then(|(code, words)| Some((code.parse().ok()?, words)));
    match code {
        Some((code, words)) => {
            Fault::Denied(code, quote(words.strip_suffix(')').unwrap_or(words).trim()))
        }
        None => Fault::Other(quote(text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_read_from_what_the_client_says() {
        let text = "Allocate error response (error 486: Allocation Quota (Reached))";
        let expected = Fault::Denied(486, "Allocation Quota (Reached)".to_owned());
        assert_eq!(denied(text), expected);
        assert_eq!(denied("(error 403: )"), Fault::Denied(403, String::new()));
        for other in ["", "(error", "(error x: y)", "(error 99999: y)"] {
            assert_eq!(denied(other), Fault::Other(other.to_owned()));
        }
    }
}
