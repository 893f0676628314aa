//! From a configuration to a running server, and to its ordered stop.

mod http;
mod relay;

use std::io::IsTerminal;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::Context;
use axum_server::Handle;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tower::make::Shared;

use crate::access::{self, Access};
use crate::admin;
use crate::check;
use crate::cli::banner::Banner;
use crate::clock;
use crate::config::{AccessMode, CertificateSource, Config, ConfigError};
use crate::front::Front;
use crate::ice::IceServers;
use crate::limits::{AddressRate, Bounds, PerAddress};
use crate::listen::{self, Inherited, Listeners};
use crate::net::{self, Machine};
use crate::presence::Presence;
use crate::shutdown;
use crate::signaling::Hub;
use crate::signaling::ticket::TicketKey;
use crate::state::{self, Hold, State};
use crate::tls;
use crate::turn::credentials::Issuer;
use crate::web::{self, App};
use relay::{ReadyRelay, ServedRelay, Surroundings};

/// For each of the three: WebSockets, HTTP requests, the relay.
const STOP_WITHIN: Duration = Duration::from_millis(1500);

/// Serves until `shutdown` is cancelled.
///
/// # Errors
/// [`crate::config::ConfigError`] for what the operator has to change, before anything is served; others for what
/// fails at runtime.
pub async fn run(config: Config, shutdown: CancellationToken) -> anyhow::Result<()> {
    // First of all: until it is heard, SIGHUP ends a program.
    let hangup = shutdown::on_hangup()?;
    let server = prepare(config).await?;
    server.serve(shutdown, hangup).await
}

/// Everything that can fail has been done; nothing is served yet.
struct Server {
    config: Config,
    machine: Machine,
    public: Vec<IpAddr>,
    https: std::net::TcpListener,
    redirect: Option<std::net::TcpListener>,
    admin: Option<std::net::TcpListener>,
    relay: Option<ReadyRelay>,
    hub: Arc<Hub>,
    site: web::Website,
    access: Arc<Access>,
    served: tls::Served,
    acme: Option<tls::Acme>,
    _hold: Hold,
}

async fn prepare(config: Config) -> anyhow::Result<Server> {
    raise_descriptor_limit();
    config.own_folders()?;
    // Before the ports, which a second process finds taken as well. Where there is no directory yet, none is made for a
    // configuration that cannot be served.
    let held = config.state.is_dir().then(|| hold(&config)).transpose()?;
    let machine = Machine::inspect().context("cannot list the machine's network addresses")?;
    let mut inherited = Inherited::from_process();
    let Listeners {
        https,
        redirect,
        admin,
        turn: turn_listeners,
    } = listen::bind(&config, &machine, &mut inherited)?;
    inherited.report_rest();
    let now = SystemTime::now();
    let public = public_addresses(&config, &machine).await;
    let acme = match &config.tls.source {
        CertificateSource::Acme(settings) => Some(tls::Acme::new(&config, settings, &public)?),
        _ => None,
    };
    let issued = acme.as_ref().and_then(|acme| acme.stored(now));
    let identity = match issued {
        Some(identity) => identity,
        None => tls::load(&config, &machine, &public, now)?,
    };
    let served = tls::Served::new(identity, config.tls.trusted, now);
    let (state, hold) = match held {
        Some(held) => held,
        None => hold(&config)?,
    };
    let begin = ("the certificate", served.facts().not_before);
    let mark = state.path(state::MARK).display().to_string();
    let mark = format!("{mark} (`touch` it, if the clock is right now)");
    let made = state.made().map(|made| (mark.as_str(), made));
    let seen: Vec<_> = made.into_iter().chain([begin]).collect();
    if let Some(complaint) = clock::complaint(now, &seen) {
        tracing::warn!("{complaint}");
    }
    let unusable = |error: anyhow::Error| config.error("state", format!("{error:#}"));
    let access = Access::open(&config.access, &state).map_err(unusable)?;
    let access = Arc::new(access);
    let own = state.secret(state::TICKET_KEY).map_err(unusable)?;
    let tickets = TicketKey::new(&own);

    let presence = Presence::new(config.signaling.resume);
    let (turn, relay) = match config.turn.as_ref().zip(turn_listeners) {
        Some((turn, listeners)) => {
            let secret = match &turn.secret {
                Some(secret) => secret.clone(),
                None => state.turn_secret().map_err(unusable)?,
            };
            let issuer = Issuer::new(secret, &own);
            let surroundings = Surroundings {
                machine: &machine,
                public: &public,
                https_port: https.local_addr()?.port(),
                presence: &presence,
                trust: served.trust(),
            };
            let started = relay::start(&config, turn, listeners, &issuer, &surroundings)?;
            (Some(started.0), Some(started.1))
        }
        None => (None, None),
    };

    let ice = Arc::new(IceServers { turn });
    let settings = config.signaling.clone();
    let (total, each) = (
        config.server.max_connections,
        settings.max_connections_per_ip,
    );
    let websockets = PerAddress::new(Bounds::new(total, each));
    let hub = Hub::new(
        settings,
        websockets,
        tickets.clone(),
        Arc::clone(&ice),
        presence,
    )?;
    let app = Arc::new(App {
        hub: Arc::clone(&hub),
        access: Arc::clone(&access),
        served: served.clone(),
        ice,
        tickets,
        visitors: AddressRate::per_minute(config.signaling.visitors_per_minute),
        codes: web::codes(),
        origins: config.signaling.origins.clone(),
        max_peers: config.signaling.max_peers,
        resume: config.signaling.resume,
        message_limit: config.signaling.message_limit,
    });
    let site = web::site(app, &config, &served);
    Ok(Server {
        config,
        machine,
        public,
        https,
        redirect,
        admin,
        relay,
        hub,
        site,
        access,
        served,
        acme,
        _hold: hold,
    })
}

/// Opens the state directory and takes it for this process.
fn hold(config: &Config) -> Result<(State, Hold), ConfigError> {
    let unusable = |error: anyhow::Error| config.error("state", format!("{error:#}"));
    let state = State::open(&config.state).map_err(unusable)?;
    let hold = state.hold().map_err(unusable)?;
    Ok((state, hold))
}

impl Server {
    async fn serve(self, shutdown: CancellationToken, hangup: Arc<Notify>) -> anyhow::Result<()> {
        let https_address = self.https.local_addr()?;
        self.announce(https_address);
        let looking = tokio::spawn(check::warn(self.start()));
        let handle = Handle::new();
        let streams = self.relay.as_ref().map(|running| running.relay.streams());
        let front = Front::new(
            &self.config.server,
            &self.config.trusted_proxies,
            self.served.server_config()?,
            streams,
        );
        let drain = self.config.server.drain;
        let mut servers = JoinSet::new();
        let mut relay = self.relay.map(|ready| relay::serve(ready, &front));
        if let Some(listener) = self.admin {
            let sources = admin::Sources {
                hub: Arc::clone(&self.hub),
                relay: relay.as_ref().map(ServedRelay::relay),
                served: self.served.clone(),
            };
            let names = self.config.admin.as_ref().map(|admin| admin.hosts.clone());
            let names = names.unwrap_or_default();
            tokio::spawn(admin::serve(listener, names, admin::record()?, sources));
        }
        if let Some(listener) = self.redirect {
            let front = front.redirecting_to(https_address.port());
            let server = http::server(listener, front, &self.config, handle.clone())?;
            servers.spawn(server.serve(Shared::new(self.site.clone())));
        }
        let server = http::server(self.https, front, &self.config, handle.clone())?;
        servers.spawn(server.serve(Shared::new(self.site)));
        let renewal = tls::keep(self.config, self.machine, self.acme, self.served, hangup);
        let renewal = tokio::spawn(renewal);
        let revocation = tokio::spawn(heed_revocation(self.access, Arc::clone(&self.hub)));
        notify_systemd(sd_notify::NotifyState::Ready);

        tokio::select! {
            () = drained(shutdown, &self.hub, drain) => {}
            ended = servers.join_next() => {
                ended.context("nothing is served")?.context("a listener failed")??;
            }
            () = failure(&mut relay) => anyhow::bail!("the relay has failed"),
        }
        renewal.abort();
        revocation.abort();
        looking.abort();
        stop(&self.hub, &handle, servers, relay).await;
        Ok(())
    }

    fn start(&self) -> check::Start {
        let own = self.machine.addresses.iter().map(|address| address.ip);
        check::Start {
            config: self.config.clone(),
            addresses: own.chain(self.public.iter().copied()).collect(),
            chain: self.served.chain(),
        }
    }

    fn announce(&self, https: SocketAddr) {
        let running = self.relay.as_ref();
        let listening = running.map_or(&[][..], |running| &running.relay.listening);
        let turn_tls = running.and_then(|running| running.tls.as_ref()?.local_addr().ok());
        let certificate = self.served.facts();
        let trusted = self.served.trust().get();
        let authority = self.served.authority();
        let banner = Banner {
            https,
            machine: &self.machine,
            domains: &self.config.domains,
            public: &self.public,
            turn: listening,
            turn_tls,
            certificate: &certificate,
            trusted,
            authority: authority.as_ref().map(|authority| &authority.facts),
            qr: std::io::stdout().is_terminal(),
        };
        println!("{}", banner.text(SystemTime::now()));
        tracing::info!(
            https = %https,
            turn = listening.len(),
            certificate_days = certificate.days_left(SystemTime::now()),
            trusted,
            local_ca = authority.is_some(),
            "callbox {} started",
            env!("CARGO_PKG_VERSION"),
        );
    }
}

/// Ends when a part of the relay has ended that should not.
async fn failure(relay: &mut Option<ServedRelay>) {
    match relay {
        Some(served) => drop(served.tasks.join_next().await),
        None => std::future::pending().await,
    }
}

/// Ends once the server is told to stop, and its calls have had their time.
async fn drained(shutdown: CancellationToken, hub: &Hub, drain: Duration) {
    shutdown.cancelled().await;
    notify_systemd(sd_notify::NotifyState::Stopping);
    if drain.is_zero() || hub.census().rooms == 0 {
        return;
    }
    let patience = u32::try_from((drain + 4 * STOP_WITHIN).as_micros());
    let extension = sd_notify::NotifyState::ExtendTimeoutUsec(patience.unwrap_or(u32::MAX));
    notify_systemd(extension);
    tracing::info!(
        rooms = hub.census().rooms,
        "waiting up to {} for calls to end",
        humantime::format_duration(drain)
    );
    hub.drain(drain).await;
}

/// First the calls, so that pages hear of it; then requests under way; last the relay, which carries their farewells.
async fn stop(
    hub: &Hub,
    handle: &Handle<SocketAddr>,
    mut servers: JoinSet<std::io::Result<()>>,
    relay: Option<ServedRelay>,
) {
    hub.stop();
    handle.graceful_shutdown(Some(STOP_WITHIN));
    if timeout(STOP_WITHIN, hub.tasks.wait()).await.is_err() {
        tracing::warn!("{} WebSockets did not close in time", hub.tasks.len());
    }
    let ended = async { while servers.join_next().await.is_some() {} };
    if timeout(STOP_WITHIN, ended).await.is_err() {
        tracing::warn!("requests did not end in time");
    }
    if let Some(relay) = relay {
        relay.stop().await;
    }
    tracing::info!("stopped");
}

/// Under which addresses the world reaches this machine.
async fn public_addresses(config: &Config, machine: &Machine) -> Vec<IpAddr> {
    let configured = config.public_ip.as_deref();
    let loopback = config.is_loopback_only();
    let found = net::public_addresses(configured, loopback, &config.domains, machine).await;
    if found.is_empty() && configured.is_none() && !loopback {
        tracing::warn!(
            "no public address found, so calls work within this network; set public_ip to change that"
        );
    }
    found
}

/// `callbox access revoke-all` is another process.
async fn heed_revocation(access: Arc<Access>, hub: Arc<Hub>) {
    if access.mode() == AccessMode::Open {
        return;
    }
    let mut failed = false;
    loop {
        tokio::time::sleep(access::LOOK).await;
        let looking = Arc::clone(&access);
        match tokio::task::spawn_blocking(move || looking.look()).await {
            Ok(Ok(revoked)) => {
                failed = false;
                if revoked {
                    tracing::info!("all access was revoked");
                    hub.revoke();
                }
            }
            Ok(Err(error)) if !failed => {
                failed = true;
                tracing::error!("whether access was revoked is not known: {error:#}");
            }
            _ => {}
        }
    }
}

/// Each connection and each relayed address takes a file descriptor; the usual soft limit of 1024 is soon reached.
fn raise_descriptor_limit() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!("cannot raise the limit of open files: {error}");
    }
}

fn notify_systemd(state: sd_notify::NotifyState) {
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::debug!("cannot notify systemd: {error}");
    }
}
