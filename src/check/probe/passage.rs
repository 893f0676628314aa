//! Sends packets to relayed addresses and waits for them there.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::time::timeout;
use webrtc_util::{Conn, Error};

use super::super::fault::Fault;
use super::Budget;
use super::turn::{Relayed, denied, unspecified};

/// Between two tries: UDP tells nobody that a packet got lost.
const AGAIN: Duration = Duration::from_millis(250);
const BYTES: usize = 16;

/// Does a packet of `bo` reach `ana`, from one relayed address to the other?
///
/// # Errors
/// [`Fault::Denied`] where the relay permits no such peer, [`Fault::Silent`] where nothing arrives.
pub(crate) async fn between(budget: Budget, ana: &Relayed, bo: &Relayed) -> Result<(), Fault> {
    let packet = random()?;
    budget
        .within(async {
            loop {
                // Each has to permit the other before anything goes through.
                send(&*ana.conn, b"open", bo.address).await?;
                send(&*bo.conn, &packet, ana.address).await?;
                if arrives(&*ana.conn, &packet, Some(bo.address)).await? {
                    return Ok(());
                }
            }
        })
        .await
}

/// Does a packet from here reach `ana`, whose relay sees this machine as `seen`?
///
/// # Errors
/// As [`between`].
pub(crate) async fn from_outside(budget: Budget, ana: &Relayed, seen: IpAddr) -> Result<(), Fault> {
    let packet = random()?;
    budget
        .within(async {
            let socket = UdpSocket::bind((unspecified(seen), 0)).await?;
            // Permissions are for an address, whatever the port (RFC 8656 §9).
            let here = SocketAddr::new(seen, socket.local_addr()?.port());
            loop {
                send(&*ana.conn, b"open", here).await?;
                socket.send_to(&packet, ana.address).await?;
                if arrives(&*ana.conn, &packet, None).await? {
                    return Ok(());
                }
            }
        })
        .await
}

async fn send(conn: &(dyn Conn + Send + Sync), packet: &[u8], to: SocketAddr) -> Result<(), Fault> {
    conn.send_to(packet, to)
        .await
        .map(drop)
        .map_err(|error| fault(&error))
}

/// Waits for this packet until it is time to send it again.
async fn arrives(
    conn: &(dyn Conn + Send + Sync),
    packet: &[u8],
    from: Option<SocketAddr>,
) -> Result<bool, Fault> {
    let waiting = async {
        let mut buffer = [0; 2048];
        loop {
            let (length, sender) = conn
                .recv_from(&mut buffer)
                .await
                .map_err(|error| fault(&error))?;
            if buffer.get(..length) == Some(packet) && from.is_none_or(|from| from == sender) {
                return Ok(true);
            }
        }
    };
    timeout(AGAIN, waiting).await.unwrap_or(Ok(false))
}

fn fault(error: &Error) -> Fault {
    denied(&error.to_string())
}

/// Bytes that nobody else sends.
fn random() -> Result<Vec<u8>, Fault> {
    let text = crate::words::secret::random_hex::<{ BYTES / 2 }>();
    text.map(String::into_bytes)
        .map_err(|error| Fault::Other(error.to_string()))
}
