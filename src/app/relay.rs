//! The relay as a part of the program: from its configuration to its stop.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use callbox_turn::{PeerPolicy, PolicySettings};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::STOP_WITHIN;
use crate::config::Config;
use crate::front::Front;
use crate::ice::TurnService;
use crate::listen::TurnListeners;
use crate::net::Machine;
use crate::net::changes::{Change, Changes};
use crate::presence::Presence;
use crate::tls::Trust;
use crate::turn::credentials::{Authority, Issuer};
use crate::turn::{Relay, Setup, StreamLimits};

const ADDRESS_CHECK: Duration = Duration::from_secs(10);
/// A burst of changes is looked at when it begins and when it is over.
const SETTLE: Duration = Duration::from_secs(1);

/// The relay, and its TCP ports that are not served yet.
pub(super) struct ReadyRelay {
    pub relay: Relay,
    tcp: std::net::TcpListener,
    pub tls: Option<std::net::TcpListener>,
    machine: Machine,
    policy: PolicyFor,
}

/// Which peers may be relayed to, on a machine with these addresses.
type PolicyFor = Box<dyn Fn(&Machine) -> PeerPolicy + Send + Sync>;

/// What the relay has to know of where it runs.
pub(super) struct Surroundings<'a> {
    pub machine: &'a Machine,
    pub public: &'a [IpAddr],
    pub https_port: u16,
    pub presence: &'a Presence,
    pub trust: Trust,
}

/// Starts the relay's threads.
///
/// # Errors
/// When the kernel refuses one.
pub(super) fn start(
    config: &Config,
    turn: &crate::config::Turn,
    listeners: TurnListeners,
    issuer: &Issuer,
    around: &Surroundings<'_>,
) -> anyhow::Result<(TurnService, ReadyRelay)> {
    let guessable = turn.guessable_users();
    if !guessable.is_empty() {
        tracing::warn!(
            "passwords of fewer than 16 characters can be guessed; give longer ones under [turn.users] to {}",
            guessable.join(", ")
        );
    }
    let TurnListeners { udp, tcp, tls } = listeners;
    let port = tcp.local_addr()?.port();
    let loopback = config.is_loopback_only();
    let tls_port = tls
        .as_ref()
        .and_then(|listener| Some(listener.local_addr().ok()?.port()));
    let mut ports = vec![around.https_port, port];
    ports.extend(config.redirect.map(|address| address.port()));
    ports.extend(tls_port);
    let (public, peers) = (around.public.to_vec(), turn.peers.clone());
    let proxies = config.trusted_proxies.clone();
    let policy: PolicyFor = Box::new(move |machine: &Machine| {
        let peers = peers.as_deref();
        PeerPolicy::new(&PolicySettings {
            addresses: &machine.addresses,
            gateways: &machine.gateways,
            public: &public,
            peers,
            loopback,
            listeners: &ports,
            proxies: &proxies,
        })
    });
    let relay = Relay::start(Setup {
        sockets: udp,
        authority: Authority {
            realm: turn.realm.clone(),
            issuer: issuer.clone(),
            users: turn.users.clone(),
            mode: turn.credentials,
            ttl: turn.credential_ttl,
        },
        relay_ports: turn.relay_ports,
        policy: policy(around.machine),
        public: around.public.to_vec(),
        local: relay_addresses(around.machine, loopback),
        presence: around.presence.clone(),
        limits: turn.limits,
        streams: StreamLimits {
            message_within: config.server.handshake_timeout,
            idle: config.server.idle_timeout,
            queue: turn.limits.stream_queue,
        },
    })?;
    let (limits, slow) = (turn.limits, turn.limits.check_bytes_per_second);
    let service = TurnService {
        host: turn.host.clone(),
        port,
        tls_port,
        issuer: issuer.clone(),
        ttl: turn.credential_ttl,
        check_bitrate: 8 * limits.bytes_per_second.map_or(slow, |all| all.min(slow)),
        trust: around.trust.clone(),
    };
    let machine = around.machine.clone();
    let ready = ReadyRelay {
        relay,
        tcp,
        tls,
        machine,
        policy,
    };
    Ok((service, ready))
}

/// The relay while the program serves.
pub(super) struct ServedRelay {
    relay: Arc<Relay>,
    /// They end only where something has failed.
    pub tasks: JoinSet<()>,
}

/// Serves its ports and looks after it.
pub(super) fn serve(ready: ReadyRelay, front: &Front) -> ServedRelay {
    let ReadyRelay {
        relay,
        tcp,
        tls,
        machine,
        policy,
    } = ready;
    let relay = Arc::new(relay);
    let mut tasks = JoinSet::new();
    for listener in std::iter::once(tcp).chain(tls) {
        let front = front.clone();
        tasks.spawn(async move {
            if let Err(error) = front.serve_turn(listener).await {
                tracing::error!("TURN over TCP is not served: {error}");
            }
        });
    }
    let attended = Arc::clone(&relay);
    tasks.spawn(async move { attended.attend().await });
    tasks.spawn(watch_addresses(Arc::clone(&relay), machine, policy));
    ServedRelay { relay, tasks }
}

impl ServedRelay {
    pub(super) fn relay(&self) -> Arc<Relay> {
        Arc::clone(&self.relay)
    }

    /// Ends all allocations, within the time that stopping may take.
    pub(super) async fn stop(mut self) {
        self.tasks.shutdown().await;
        let stopped = tokio::task::spawn_blocking(move || self.relay.stop());
        if timeout(STOP_WITHIN, stopped).await.is_err() {
            tracing::warn!("the relay did not end in time");
        }
    }
}

/// An address that the machine gets while callbox runs is its own from then on, and so is what a route leads to it:
/// nobody is to reach its other services through the relay.
async fn watch_addresses(relay: Arc<Relay>, mut known: Machine, policy: PolicyFor) {
    let mut changes = Changes::watch().ok();
    // What changed before somebody listened.
    let mut change = Change::Address;
    loop {
        if let Ok(machine) = Machine::inspect() {
            let moved = machine != known;
            if moved || change == Change::Route {
                relay.set_policy(policy(&machine));
            }
            if moved {
                tracing::warn!(
                    "the machine's addresses have changed; restart callbox to relay on new ones"
                );
            }
            known = machine;
        }
        tokio::time::sleep(SETTLE).await;
        change = next_change(&mut changes).await;
    }
}

/// Waits until something may have changed: as the kernel says, or, where it says nothing, for a while.
async fn next_change(changes: &mut Option<Changes>) -> Change {
    let news = async {
        match changes {
            Some(changes) => changes.next().await,
            None => std::future::pending().await,
        }
    };
    match timeout(ADDRESS_CHECK, news).await {
        Ok(Ok(change)) => return change,
        Ok(Err(_)) => *changes = None,
        Err(_) => {}
    }
    Change::Address
}

/// Addresses that relay sockets may bind to.
fn relay_addresses(machine: &Machine, loopback: bool) -> Vec<IpAddr> {
    if loopback {
        return machine
            .addresses
            .iter()
            .map(|a| a.ip)
            .filter(IpAddr::is_loopback)
            .collect();
    }
    machine.stable().collect()
}
