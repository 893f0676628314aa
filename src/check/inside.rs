//! Checks this machine and the server that its configuration describes.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::admission::Key;
use super::certificate_file::{self, OnDisk};
use super::fault::Fault;
use super::ice::Transport;
use super::probe::{Budget, connect, machine};
use super::public_ip::Here;
use super::report::{Report, Row};
use super::steps;
use super::subject::{Local, OwnFile, Roots, Subject};
use super::target::Target;
use super::unit::{self, Unit};
use super::{authority, dns, limits, ports, running, state};
use crate::access;
use crate::config::Config;
use crate::listen;
use crate::net::{self, Machine};
use crate::state::State;
use crate::tls::{self, LocalCaFiles, Maker};
use crate::words::secret::Secret;

/// What is looked at, and where it lies.
pub(super) struct Inside {
    pub config: Config,
    pub unit: Option<Unit>,
    /// What relative paths begin at.
    pub folder: PathBuf,
}

impl Inside {
    /// Where the server has what the configuration calls so.
    fn place(&self, path: &Path) -> PathBuf {
        let path = self.folder.join(path);
        std::path::absolute(&path).unwrap_or(path)
    }
}

/// Looks at everything on this machine, and at its server from here.
pub(super) async fn check(inside: &Inside, roots: &Roots, budget: Budget) -> Report {
    let config = &inside.config;
    let machine = Machine::inspect().unwrap_or_default();
    let here = addresses(config, &machine, budget).await;
    let target = target(config);
    let url = target.url();
    let address = SocketAddr::new(own_ip(config.listen.ip()), config.listen.port());
    let found = find_server(address, budget).await;

    let mut rows = machine_rows(inside);
    let state = machine::state(inside.place(&config.state));
    rows.push(state::row(&state, found.is_ok()));
    let authorities = LocalCaFiles::new(&inside.place(&config.state));
    rows.extend(authority::row(authorities.too_wide()));
    let names = resolve(config, &here, budget, &mut rows).await;
    match found {
        Ok(()) => {
            rows.extend(way_rows(config, &here, names, budget).await);
            let local = Some(local(inside, address.ip(), here));
            let key = key(inside);
            rows.extend(steps::check(&Subject { target, key, local }, roots, budget).await);
        }
        Err(problem) => {
            rows.push(problem_row(inside, address, &problem));
            rows.extend(rows_without_server(inside, &machine, &here, roots));
        }
    }
    Report { url, rows }
}

/// Who can read the state directory need not know the password.
fn key(inside: &Inside) -> Key {
    let dir = inside.place(&inside.config.state);
    let cookie = || {
        // Looking at it must not make it.
        let state = dir.is_dir().then(|| State::open(&dir))?.ok()?;
        access::cookie_for_check(&inside.config.access, &state, SystemTime::now()).ok()?
    };
    cookie().map_or(Key::Nothing, |cookie| Key::Cookie(Secret::new(cookie)))
}

async fn addresses(config: &Config, machine: &Machine, budget: Budget) -> Here {
    let loopback = config.is_loopback_only();
    let public = net::public_addresses(
        config.public_ip.as_deref(),
        loopback,
        &config.domains,
        machine,
    );
    let public = budget.within(async { Ok(public.await) }).await;
    Here {
        own: machine.addresses.iter().map(|address| address.ip).collect(),
        public: public.unwrap_or_default(),
    }
}

/// Why there is no server to look at.
enum NoServer {
    UnknownPort,
    Fault(Fault),
}

async fn find_server(address: SocketAddr, budget: Budget) -> Result<(), NoServer> {
    if address.port() == 0 {
        return Err(NoServer::UnknownPort);
    }
    let connected = budget.within(connect::connect(address)).await;
    connected.map(drop).map_err(NoServer::Fault)
}

fn problem_row(inside: &Inside, address: SocketAddr, problem: &NoServer) -> Row {
    match problem {
        NoServer::UnknownPort => running::unknown_port(),
        NoServer::Fault(fault) => {
            let installed = inside.unit.as_ref().is_some_and(Unit::is_installed);
            running::row(address, fault, installed)
        }
    }
}

/// The page that people open: by name if there is one.
fn target(config: &Config) -> Target {
    let port = config.listen.port();
    let listen = config.listen.ip();
    let public = config.public_ip.as_ref().and_then(|list| list.first());
    match (config.domains.first(), public) {
        (Some(name), _) => Target::of_name(name, port),
        (None, Some(ip)) if !config.is_loopback_only() => Target::of_address(*ip, port),
        _ if listen.is_unspecified() => Target::of_name("localhost", port),
        _ => Target::of_address(listen, port),
    }
}

/// Where this machine reaches what listens there.
fn own_ip(listen: IpAddr) -> IpAddr {
    if listen.is_unspecified() {
        Ipv4Addr::LOCALHOST.into()
    } else {
        listen
    }
}

fn machine_rows(inside: &Inside) -> Vec<Row> {
    let pid = inside.unit.as_ref().and_then(|unit| unit.pid);
    let (allowed, whose) = machine::open_files(pid);
    let mut rows = vec![
        unit::row(inside.unit.as_ref()),
        limits::files_row(allowed, limits::wanted_files(&inside.config), whose),
    ];
    if inside.config.turn.is_some() {
        rows.extend(machine::receive_buffer().ok().map(limits::buffer_row));
    }
    rows
}

/// Do the names lead here? Gives their addresses.
async fn resolve(
    config: &Config,
    here: &Here,
    budget: Budget,
    rows: &mut Vec<Row>,
) -> Vec<(String, Vec<IpAddr>)> {
    let own: Vec<_> = here.own.iter().chain(&here.public).copied().collect();
    let lookups = config
        .domains
        .iter()
        .map(|name| connect::resolve(budget, name));
    let lookups = futures_util::future::join_all(lookups).await;
    rows.extend(
        lookups
            .iter()
            .map(|lookup| dns::row(lookup, Some(&own), false)),
    );
    let found = lookups
        .into_iter()
        .filter_map(|lookup| Some((lookup.host, lookup.addresses.ok()?)));
    found.collect()
}

/// Can this machine get to itself as others do? Many routers lead nobody back in.
async fn way_rows(
    config: &Config,
    here: &Here,
    mut ways: Vec<(String, Vec<IpAddr>)>,
    budget: Budget,
) -> Vec<Row> {
    if config.is_loopback_only() {
        // Others meet what stands in front, on whatever port.
        ways.clear();
    } else if config.domains.is_empty() && !here.public.is_empty() {
        ways.push(("its public address".to_owned(), here.public.clone()));
    }
    let port = config.listen.port();
    let ways = ways
        .iter()
        .map(|(name, addresses)| way_row(name, addresses, port, budget));
    let mut rows = futures_util::future::join_all(ways).await;
    if let Some(redirect) = config.redirect {
        let address = [own_ip(redirect.ip())];
        let dialed = connect::dial_all(budget, &address, redirect.port()).await;
        rows.push(ports::row(
            format!("redirect port {}/tcp", redirect.port()),
            redirect.port(),
            &dialed,
        ));
    }
    rows
}

async fn way_row(name: &str, addresses: &[IpAddr], port: u16, budget: Budget) -> Row {
    let dialed = connect::dial_all(budget, addresses, port).await;
    let row = ports::row(
        format!("{} by {name}", ports::page_name(port)),
        port,
        &dialed,
    );
    row.softened(
        "from outside it may be reached all the same: run `callbox check https://HOST/` there",
    )
}

fn local(inside: &Inside, https: IpAddr, addresses: Here) -> Local {
    let config = &inside.config;
    let turn = config.turn.as_ref();
    let mut relay_ports = Vec::new();
    relay_ports.extend(turn.map(|turn| (Transport::Tcp, turn.listen.port())));
    relay_ports.extend(turn.and_then(|turn| Some((Transport::Tls, turn.tls_listen?.port()))));
    // One that the system chose is not known.
    relay_ports.retain(|(_, port)| *port != 0);
    let (file, maker) = certificate_file(inside, &addresses);
    Local {
        https,
        turn: turn.map_or(https, |turn| own_ip(turn.listen.ip())),
        addresses,
        names: names(config),
        relay_ports,
        relay_off: turn.is_none(),
        certificate: OwnFile {
            disk: machine::certificates(&file),
            path: file,
            maker,
        },
    }
}

/// Those that the certificate has to have.
fn names(config: &Config) -> Vec<String> {
    match config.domains.as_slice() {
        [] => vec![target(config).name().to_owned()],
        domains => domains.to_vec(),
    }
}

/// Where the certificate is, and who brings it.
fn certificate_file(inside: &Inside, here: &Here) -> (PathBuf, Maker) {
    let (path, maker) = tls::served_file(&inside.config, &here.public);
    (inside.place(&path), maker)
}

/// What can be told of a server before it starts.
fn rows_without_server(inside: &Inside, machine: &Machine, here: &Here, roots: &Roots) -> Vec<Row> {
    let config = &inside.config;
    let bound = listen::bind(config, machine, &mut listen::Inherited::default())
        .map(drop)
        .map_err(|error| error.to_string());
    let mut rows = vec![running::ports_row(bound.err().as_deref())];
    let (file, maker) = certificate_file(inside, here);
    let disk = machine::certificates(&file);
    rows.push(certificate_file::row(&disk, &file, None, maker));
    if let OnDisk::There(chain) = &disk {
        rows.extend(steps::certificate_rows(
            names(config),
            roots,
            chain,
            SystemTime::now(),
        ));
    }
    rows.extend(steps::skip(
        "the server does not run",
        &["WebSocket", "STUN", "TURN"],
    ));
    rows
}
