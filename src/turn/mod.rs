//! The STUN/TURN server (RFC 8489, RFC 8656).
//!
//! ```text
//!  UDP client ──┐                       ┌── shard: sockets, streams ── engine (pure) ── relay sockets ── peers
//!               ├─ SO_REUSEPORT ────────┤
//!  UDP client ──┘                       └── shard: ...          both ask the registry: quotas, reservations
//!  TCP, TLS ──── front (sniffed) ── handed over to a shard
//! ```

pub(crate) mod counters;
pub(crate) mod credentials;
mod directory;
mod evictions;
mod registry;
mod routes;
mod settings;
mod shard;
mod sockets;
mod stream;
mod streams;
pub(crate) mod usernames;

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Context;
use callbox_turn::{
    FailedLogin, LoginLimit, Nonces, PeerPolicy, PortRange, RelayedAddresses, Rules, Unanswered,
};
use ring::rand::SystemRandom;
use tokio::sync::Notify;

use crate::presence::Presence;
use counters::{Counters, Totals};
use credentials::{Authority, Holder};
use directory::Directory;
use registry::Registry;
use shard::{Command, Shard, ShardHandle};

pub(crate) use settings::{CredentialMode, Limits};
pub(crate) use sockets::{LISTENER_BUFFER, set_receive_buffer};
pub(crate) use stream::{Handover, Place};
pub(crate) use streams::StreamLimits;

/// What the threads of the relay are called, before their number.
pub(crate) const THREAD_PREFIX: &str = "relay-";
const SUM_UP_EVERY: Duration = Duration::from_secs(60);
const COMPLAIN_EVERY: Duration = Duration::from_secs(3600);
const FAR_EXPIRY: &str = "a program made credentials for the relay that expire in more than a year, which are refused; \
    it has to count the expiry in seconds since 1970, not in milliseconds";
const SWEEP_EVERY: Duration = Duration::from_secs(5);

/// Has what is rare counted from zero: what appears only with its first event has no increase.
pub(crate) fn count_from_zero() {
    metrics::counter!(evictions::EVICTED).absolute(0);
}

/// What the relay needs to run.
pub(crate) struct Setup {
    /// For each shard a bound socket per local address.
    pub sockets: Vec<Vec<UdpSocket>>,
    pub authority: Authority,
    pub relay_ports: PortRange,
    pub policy: PeerPolicy,
    /// The addresses under which relayed addresses are advertised, one of each family at the most.
    pub public: Vec<IpAddr>,
    /// The machine's addresses that relay sockets may bind to.
    pub local: Vec<IpAddr>,
    pub presence: Presence,
    pub limits: Limits,
    pub streams: StreamLimits,
}

/// The running relay.
pub(crate) struct Relay {
    handles: StreamSink,
    threads: Mutex<Vec<JoinHandle<()>>>,
    counters: Vec<Arc<Counters>>,
    registry: Arc<Registry>,
    /// Do the allocations of visitors end when they leave?
    bound_to_calls: bool,
    /// A thread has ended that should not have.
    failed: Arc<Notify>,
    pub listening: Vec<SocketAddr>,
}

impl Relay {
    /// Starts to serve, one thread for each shard.
    ///
    /// # Errors
    /// When the kernel refuses a thread or a poll.
    pub(crate) fn start(setup: Setup) -> anyhow::Result<Self> {
        let now = Instant::now();
        let addresses = RelayedAddresses::new(setup.relay_ports, &setup.public, &setup.local);
        let limits = setup.limits;
        let shards = u32::try_from(setup.sockets.len()).unwrap_or(1).max(1);
        let bound_to_calls = setup.authority.mode == CredentialMode::Call;
        let nonces = Nonces::new(&SystemRandom::new(), now)
            .map_err(|_| anyhow::anyhow!("the operating system has no randomness"))?;
        let rules = Rules {
            users: Arc::new(Directory {
                authority: setup.authority,
                presence: setup.presence.clone(),
                bytes_per_second: limits.bytes_per_second,
                check_bytes_per_second: limits.check_bytes_per_second,
                unanswered: Unanswered::new(now),
                logins: LoginLimit::new(now),
            }),
            policy: Arc::new(setup.policy),
            nonces,
            max_permissions: limits.permissions,
            max_channels: limits.channels,
            // Clients of one address are spread over the shards.
            unauthenticated_per_second: (limits.unauthenticated_per_second / shards).max(1),
        };
        let registry = Arc::new(Registry::new(addresses, setup.presence, limits, now));
        let first = setup.sockets.first().map_or(&[][..], Vec::as_slice);
        let listening = first
            .iter()
            .map(UdpSocket::local_addr)
            .collect::<io::Result<_>>()?;
        let mut relay = Self {
            handles: StreamSink::default(),
            threads: Mutex::default(),
            counters: Vec::new(),
            registry,
            listening,
            bound_to_calls,
            failed: Arc::default(),
        };
        for (index, listeners) in setup.sockets.into_iter().enumerate() {
            relay.start_shard(index, listeners, rules.clone(), setup.streams)?;
        }
        Ok(relay)
    }

    fn start_shard(
        &mut self,
        index: usize,
        listeners: Vec<UdpSocket>,
        rules: Rules<Directory>,
        streams: StreamLimits,
    ) -> anyhow::Result<()> {
        let counters = Arc::new(Counters::default());
        let failed = Arc::clone(&self.failed);
        let (shard, handle) = Shard::new(shard::Setup {
            listeners,
            registry: Arc::clone(&self.registry),
            rules,
            counters: Arc::clone(&counters),
            streams,
        })
        .context("cannot set a relay thread up")?;
        let thread = std::thread::Builder::new()
            .name(format!("{THREAD_PREFIX}{index}"))
            .spawn(move || {
                let _telling = TellEnd(failed);
                shard.run();
            })
            .context("cannot start a relay thread")?;
        self.handles.shards.push(handle);
        let threads = self.threads.get_mut();
        threads.unwrap_or_else(PoisonError::into_inner).push(thread);
        self.counters.push(counters);
        Ok(())
    }

    /// Where TCP and TLS clients are handed over.
    pub(crate) fn streams(&self) -> StreamSink {
        self.handles.clone()
    }

    /// Ends the allocations of visitors who have left, gives reservations up, and tells the operator what was dropped.
    /// Ends only when a relay thread has failed.
    pub(crate) async fn attend(&self) {
        let presence = &self.registry.presence;
        let watch = presence.watch(|visitor| {
            let holder = Holder::own(visitor);
            if self.bound_to_calls || matches!(holder, Holder::Check(_)) {
                self.handles.revoke(&holder);
            }
        });
        tokio::select! {
            () = watch => {}
            () = self.sweep() => {}
            () = self.sum_up() => {}
            () = self.failed.notified() => {}
        }
    }

    /// The machine's addresses or routes have changed: peers are judged by this policy and anew from now on.
    pub(crate) fn set_policy(&self, policy: PeerPolicy) {
        let policy = Arc::new(policy);
        for shard in &self.handles.shards {
            shard.tell(Command::Policy(Arc::clone(&policy)));
        }
    }

    async fn sweep(&self) {
        let mut ticks = tokio::time::interval(SWEEP_EVERY);
        loop {
            ticks.tick().await;
            self.registry.expire(Instant::now());
        }
    }

    async fn sum_up(&self) {
        let mut before = Totals::default();
        let mut complained: Option<Instant> = None;
        let mut ticks = tokio::time::interval(SUM_UP_EVERY);
        loop {
            ticks.tick().await;
            let totals = self.totals();
            if let Some(dropped) = totals.drops_since(&before) {
                tracing::info!(
                    allocations = self.registry.allocations(),
                    "relay dropped: {dropped}"
                );
            }
            let far = FailedLogin::ExpiryTooFar as usize;
            let is_new = totals.failed_logins[far] > before.failed_logins[far];
            if is_new && complained.is_none_or(|at| at.elapsed() > COMPLAIN_EVERY) {
                complained = Some(Instant::now());
                tracing::warn!("{FAR_EXPIRY}");
            }
            before = totals;
        }
    }

    pub(crate) fn allocations(&self) -> usize {
        self.registry.allocations()
    }

    /// What all shards have counted so far.
    pub(crate) fn totals(&self) -> Totals {
        Totals::of(self.counters.iter().map(|counters| &**counters))
    }

    /// Ends all allocations and closes the sockets.
    pub(crate) fn stop(&self) {
        for shard in &self.handles.shards {
            shard.tell(Command::Stop);
        }
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        for thread in threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a relay thread has failed");
            }
        }
        tracing::info!("{}", self.totals());
    }
}

/// Tells of the end of a thread, however it comes.
struct TellEnd(Arc<Notify>);

impl Drop for TellEnd {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

/// Gives each stream to the next shard. Clones take turns together.
#[derive(Clone, Default)]
pub(crate) struct StreamSink {
    shards: Vec<ShardHandle>,
    next: Arc<AtomicUsize>,
}

impl StreamSink {
    pub(crate) fn hand_over(&self, stream: Handover) {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        if let Some(shard) = self.shards.get(turn % self.shards.len().max(1)) {
            shard.tell(Command::Stream(Box::new(stream)));
        }
    }

    fn revoke(&self, holder: &Holder) {
        for shard in &self.shards {
            shard.tell(Command::Revoke(holder.clone()));
        }
    }
}
