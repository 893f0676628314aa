//! Names to addresses, addresses to TCP connections.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio::task::JoinSet;

use super::super::dns::Lookup;
use super::super::fault::Fault;
use super::super::ports::Dialed;
use super::super::target::Target;
use super::proxy::Proxy;
use super::{Budget, STEP};

/// Addresses of one name that are looked at.
const MAX_ADDRESSES: usize = 8;

/// A connection, whatever it goes through.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}
pub(crate) type BoxedStream = Box<dyn Stream>;

/// The way to a server: by its name, to an address that is known already, or through a proxy.
#[derive(Debug, Clone, Default)]
pub(crate) struct Way {
    /// In the order in which they should be tried.
    pub addresses: Vec<IpAddr>,
    pub proxy: Option<Proxy>,
}

/// The addresses of a name, or the address that it is.
pub(crate) async fn resolve(budget: Budget, name: &str) -> Lookup {
    let found = budget
        .within(async { lookup_host((name, 0)).await.map_err(|_| Fault::Unresolved) })
        .await;
    let addresses = found.map(|found| {
        let mut addresses: Vec<IpAddr> = Vec::new();
        for ip in found.map(|address| address.ip()).take(MAX_ADDRESSES * 4) {
            if !addresses.contains(&ip) && addresses.len() < MAX_ADDRESSES {
                addresses.push(ip);
            }
        }
        addresses
    });
    Lookup {
        host: name.to_owned(),
        addresses,
    }
}

/// Which of the addresses take a connection?
pub(crate) async fn dial_all(budget: Budget, addresses: &[IpAddr], port: u16) -> Vec<Dialed> {
    let mut dials = JoinSet::new();
    for (index, ip) in addresses.iter().copied().enumerate() {
        dials.spawn(async move {
            let address = SocketAddr::new(ip, port);
            let result = budget.within(connect(address)).await.map(drop);
            (index, Dialed { address, result })
        });
    }
    let mut dialed = dials.join_all().await;
    dialed.sort_by_key(|(index, _)| *index);
    dialed.into_iter().map(|(_, dialed)| dialed).collect()
}

/// A TCP connection.
///
/// # Errors
/// As the operating system has it; has no deadline of its own.
pub(crate) async fn connect(address: SocketAddr) -> Result<TcpStream, Fault> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// A connection to the page's port, through the proxy where there is one.
///
/// # Errors
/// Of the last address that was tried; has no deadline of its own.
pub(crate) async fn to_page(target: &Target, way: &Way) -> Result<BoxedStream, Fault> {
    if let Some(proxy) = &way.proxy {
        return Ok(Box::new(proxy.tunnel(target).await?));
    }
    let mut last = Fault::Unresolved;
    for ip in &way.addresses {
        // One that does not answer must leave time for the next.
        let share = STEP / u32::try_from(way.addresses.len()).unwrap_or(1).max(1);
        match attempt(SocketAddr::new(*ip, target.port()), share).await {
            Ok(stream) => return Ok(Box::new(stream)),
            Err(fault) => last = fault,
        }
    }
    Err(last)
}

async fn attempt(address: SocketAddr, share: Duration) -> Result<TcpStream, Fault> {
    let connecting = tokio::time::timeout(share, connect(address));
    connecting.await.unwrap_or(Err(Fault::Silent))
}
