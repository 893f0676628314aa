//! The STUN/TURN server: webrtc-rs's `turn::server::Server` over UDP, one per local address.
//!
//! A socket per address, rather than one for all, so that answers leave from the address that the client reached and
//! the relay socket binds to it.

pub mod credentials;
mod listener;
mod peer_policy;
mod relay;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use turn::server::Server;
use turn::server::config::{ConnConfig, ServerConfig};

use crate::config::{PortRange, Secret};
use credentials::Authority;
use listener::ListenerConn;
use relay::{Families, LivePorts, RelayPorts};

pub use peer_policy::PeerPolicy;

/// What the relay needs to run.
pub struct Setup {
    /// One bound socket per local address.
    pub sockets: Vec<UdpSocket>,
    pub realm: String,
    pub secret: Secret,
    pub users: BTreeMap<String, Secret>,
    pub relay_ports: PortRange,
    pub policy: PeerPolicy,
    /// The addresses under which relayed addresses are advertised, one of each family at the most.
    pub public: Vec<IpAddr>,
    /// The machine's addresses that relay sockets may bind to.
    pub local: Vec<IpAddr>,
}

/// The running relay.
pub struct Relay {
    server: Server,
    pub listening: Vec<SocketAddr>,
}

impl Relay {
    /// Starts to serve.
    ///
    /// # Errors
    /// When a socket cannot be registered with the runtime.
    pub async fn start(setup: Setup) -> anyhow::Result<Self> {
        let policy = Arc::new(setup.policy);
        let live = Arc::new(LivePorts::default());
        let authority = Arc::new(Authority::new(&setup.secret, setup.users));
        let mut listening = Vec::new();
        let mut conn_configs = Vec::new();
        for socket in setup.sockets {
            let address = socket.local_addr()?;
            let families = Families::new(address.ip(), &setup.public, &setup.local);
            listening.push(address);
            conn_configs.push(ConnConfig {
                conn: Arc::new(ListenerConn::new(socket, Arc::clone(&authority))?),
                relay_addr_generator: Box::new(RelayPorts::new(
                    setup.relay_ports,
                    families,
                    Arc::clone(&policy),
                    Arc::clone(&live),
                )),
            });
        }
        let server = Server::new(ServerConfig {
            conn_configs,
            realm: setup.realm,
            auth_handler: authority,
            channel_bind_timeout: Duration::ZERO,
            alloc_close_notify: None,
        })
        .await?;
        Ok(Self { server, listening })
    }

    /// Ends all allocations and closes the sockets.
    pub async fn stop(&self) {
        // The only error is that it has been closed already.
        let _ = self.server.close().await;
    }
}
