//! Checks a server as a browser meets it, step by step: what a step needs has been found by the one before.

use std::time::SystemTime;

use rustls::pki_types::CertificateDer;

use super::admission::{self, Admission};
use super::certificate::{self, Certificate};
use super::certificate_file::{self};
use super::fault::Fault;
use super::ice::Servers;
use super::page::Answer;
use super::probe::connect::{self, BoxedStream, Way};
use super::probe::http::Http;
use super::probe::proxy::Proxy;
use super::probe::tls::{self, Chain};
use super::probe::{Budget, websocket as open_websocket};
use super::report::Row;
use super::subject::{OwnFile, Roots, Subject};
use super::target::Target;
use super::{clock, dns, page, ports, relaying, websocket};

const HTTP1: &[&[u8]] = &[b"http/1.1"];
const SCRIPTS: [&str; 2] = ["/config.js", "/config.global.js"];

/// Looks at everything that can be seen from here.
pub(super) async fn check(subject: &Subject, roots: &Roots, budget: Budget) -> Vec<Row> {
    let mut rows = Vec::new();
    let way = find_way(subject, budget, &mut rows).await;
    if way.proxy.is_none() && way.addresses.is_empty() {
        rows.extend(skip(
            "the page's port cannot be reached",
            &["TLS", "certificate", "clock"],
        ));
        rows.extend(skip("the page's port cannot be reached", AFTER_TLS));
        return rows;
    }
    let (stream, chain) = match shake(subject, &way, budget).await {
        Ok(shaken) => shaken,
        Err(fault) => {
            rows.push(tls_row(subject, &fault));
            rows.extend(skip("there is no TLS", AFTER_TLS));
            return rows;
        }
    };
    rows.extend(certificate_rows(
        names(subject),
        roots,
        &chain,
        SystemTime::now(),
    ));
    rows.extend(file_row(subject, &chain));
    let proved = certificate::proves(
        &chain,
        &roots.given,
        subject.target.name(),
        SystemTime::now(),
    );
    let loaded = load(subject, stream, proved, budget, &mut rows).await;
    let Loaded {
        servers, cookie, ..
    } = loaded;
    if loaded.shut {
        rows.extend(skip(
            "it is behind the password or the invitation",
            AFTER_TLS,
        ));
        return rows;
    }
    let upgrade = budget.within(async {
        let (stream, _) = shake_within(subject, &way).await?;
        open_websocket::ping(stream, &subject.target, cookie.as_deref()).await
    });
    let relaying = async {
        match servers {
            Some(servers) => relaying::rows(subject, servers, &way.addresses, budget).await,
            None => skip("the page's configuration is not known", &["STUN", "TURN"]),
        }
    };
    let (upgraded, relaying) = tokio::join!(upgrade, relaying);
    let proxy = way.proxy.as_ref().map(ToString::to_string);
    rows.push(websocket::row(&upgraded, proxy.as_deref()));
    rows.extend(relaying);
    rows
}

const AFTER_TLS: &[&str] = &["configuration of the page", "WebSocket", "STUN", "TURN"];

/// A row for each of what cannot be looked at.
pub(super) fn skip(why: &str, names: &[&str]) -> Vec<Row> {
    names.iter().map(|name| Row::skipped(*name, why)).collect()
}

/// Resolves the name and tries the port, unless a proxy does that.
async fn find_way(subject: &Subject, budget: Budget, rows: &mut Vec<Row>) -> Way {
    let target = &subject.target;
    let port = target.port();
    if let Some(local) = &subject.local {
        let dialed = connect::dial_all(budget, &[local.https], port).await;
        rows.push(ports::row(ports::page_name(port), port, &dialed));
        return way(&dialed, None);
    }
    let proxy = match Proxy::from_environment(target, |name| std::env::var(name).ok()) {
        Ok(proxy) => proxy,
        Err(problem) => {
            let (found, remedy) = problem.split_once("; ").unwrap_or((&problem, "unset it"));
            rows.push(Row::failed("proxy", found, remedy));
            None
        }
    };
    let lookup = connect::resolve(budget, target.name()).await;
    rows.push(dns::row(&lookup, None, proxy.is_some()));
    let addresses = lookup.addresses.unwrap_or_default();
    if let Some(proxy) = proxy {
        rows.push(Row::skipped(
            ports::page_name(port),
            format!("reached through the proxy {proxy}"),
        ));
        return Way {
            addresses,
            proxy: Some(proxy),
        };
    }
    if addresses.is_empty() {
        return Way::default();
    }
    let dialed = connect::dial_all(budget, &addresses, port).await;
    rows.push(ports::row(ports::page_name(port), port, &dialed));
    way(&dialed, proxy)
}

fn way(dialed: &[ports::Dialed], proxy: Option<Proxy>) -> Way {
    let open = dialed.iter().filter(|dial| dial.result.is_ok());
    Way {
        addresses: open.map(|dial| dial.address.ip()).collect(),
        proxy,
    }
}

async fn shake(
    subject: &Subject,
    way: &Way,
    budget: Budget,
) -> Result<(BoxedStream, Chain), Fault> {
    budget.within(shake_within(subject, way)).await
}

async fn shake_within(subject: &Subject, way: &Way) -> Result<(BoxedStream, Chain), Fault> {
    let name = subject.target.server_name().ok_or(Fault::Unresolved)?;
    let stream = connect::to_page(&subject.target, way).await?;
    let (stream, chain) = tls::shake(stream, name, HTTP1).await?;
    Ok((Box::new(stream), chain))
}

fn tls_row(subject: &Subject, fault: &Fault) -> Row {
    let port = subject.target.port();
    let remedy = match fault {
        Fault::Silent => "something takes connections there and does not answer: restart it, and see its log (`journalctl -u callbox`)".to_owned(),
        Fault::Other(_) => "see the proxy's log, or set NO_PROXY".to_owned(),
        _ => format!("see what answers on {port}/tcp there (`ss -lntp` names it): callbox speaks TLS on its port"),
    };
    Row::failed("TLS", fault.to_string(), remedy)
}

/// Those that the certificate has to have.
fn names(subject: &Subject) -> Vec<String> {
    match &subject.local {
        Some(local) => local.names.clone(),
        None => vec![subject.target.name().to_owned()],
    }
}

/// Who vouches for the certificate, whether it has the names, and how long it is good for.
pub(super) fn certificate_rows(
    names: Vec<String>,
    roots: &Roots,
    chain: &[CertificateDer<'_>],
    now: SystemTime,
) -> Vec<Row> {
    let certificate = match Certificate::read(chain, &roots.given, now) {
        Ok(certificate) => certificate,
        Err(error) => return vec![certificate::unreadable(&format!("{error:#}"))],
    };
    let covered = |name: String| {
        let covers = chain
            .first()
            .is_some_and(|leaf| certificate::covers(leaf, &name));
        (name, covers)
    };
    let names: Vec<_> = names.into_iter().map(covered).collect();
    vec![
        certificate::chain_row(&certificate),
        certificate::names_row(&certificate, &names),
        certificate::time_row(&certificate, now),
    ]
}

/// Is it the one on this machine's disk?
fn file_row(subject: &Subject, chain: &Chain) -> Option<Row> {
    let OwnFile { path, disk, maker } = &subject.local.as_ref()?.certificate;
    let leaf = chain.first()?;
    let shown = certificate_file::Shown {
        fingerprint: &crate::tls::facts(leaf).ok()?.fingerprint,
        made_here: certificate::made_here(leaf),
    };
    Some(certificate_file::row(disk, path, Some(shown), *maker))
}

/// What the page gave.
#[derive(Default)]
struct Loaded {
    servers: Option<Servers>,
    /// Of somebody who was let in.
    cookie: Option<String>,
    /// Was nobody let in?
    shut: bool,
}

/// Goes past the gate, if there is one, and loads the page's configuration. `proved`: this is the server that was named.
async fn load(
    subject: &Subject,
    stream: BoxedStream,
    proved: bool,
    budget: Budget,
    rows: &mut Vec<Row>,
) -> Loaded {
    let mut admission = Admission::default();
    let loading = async {
        let mut http = Http::over(stream).await?;
        admission = admission::enter(&mut http, &subject.target, &subject.key, proved).await?;
        script(&mut http, &subject.target, admission.cookie.as_deref()).await
    };
    let off = subject.local.as_ref().is_some_and(|local| local.relay_off);
    let loaded = budget.within(loading).await;
    let Admission { cookie, row } = admission;
    rows.extend(row);
    let answer = match loaded {
        Ok(answer) => answer,
        Err(fault) => {
            rows.push(page::row(SCRIPTS[0], &Err(fault), off));
            return Loaded {
                cookie,
                ..Loaded::default()
            };
        }
    };
    rows.push(clock::row(answer.date, SystemTime::now()));
    if admission::is_shut(&answer) {
        let local = subject.local.is_some();
        rows.extend(admission::shut_row(&subject.key, local, cookie.is_some()));
        let shut = true;
        return Loaded {
            shut,
            ..Loaded::default()
        };
    }
    let servers = page::read(&answer);
    rows.push(page::row(answer.path, &servers, off));
    Loaded {
        servers: servers.ok(),
        cookie,
        shut: false,
    }
}

/// The page's configuration; where a folder of its own keeps the module, the classic script may still be there.
async fn script(http: &mut Http, target: &Target, cookie: Option<&str>) -> Result<Answer, Fault> {
    let answer = http.get(target, SCRIPTS[0], cookie).await?;
    if page::read(&answer).is_err()
        && let Ok(other) = http.get(target, SCRIPTS[1], cookie).await
        && page::read(&other).is_ok()
    {
        return Ok(other);
    }
    Ok(answer)
}
