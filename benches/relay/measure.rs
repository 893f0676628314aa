//! Measures one row on the servers that are compared, each started for it and ended afterwards.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;

use crate::clients::{CLIENTS, idle, ready_load, set_up};
use crate::load::{Load, Spell, Tally};
use crate::process::{cpu_time, resident};
use crate::rows::{Path, Row, Test};
use crate::search::most;
use crate::servers::{Kind, Server, Setting, Transport};
use crate::stats::{Summary, percentile};

const ALLOCATIONS: u32 = 1000;
const SETTLE: Duration = Duration::from_millis(300);

/// What a fixed rate is measured by: the servers' slices alternate, so that a disturbance of the machine meets all of
/// them, and a server's figure is the median of its slices.
const SLICE: Spell = Spell {
    // 10k packets/s each way of an echo; 5k deliveries/s each way between pairs.
    rate: 10_000.0,
    warm_up: Duration::from_millis(30),
    window: Duration::from_millis(300),
    grace: Duration::from_millis(30),
};

#[derive(Debug, Clone, Copy)]
pub(crate) struct Lengths {
    /// Slices of every server at a fixed rate.
    pub slices: usize,
    /// Time to search for the highest rate.
    pub search: Duration,
}

pub(crate) struct Outcome {
    pub figure: f64,
    pub traffic: Option<Traffic>,
}

/// What helps to read a figure that came of relaying.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Traffic {
    pub p50: f64,
    pub p99: f64,
    pub loss: f64,
    /// CPU microseconds per packet.
    pub cpu: f64,
    /// Part of its core that the server took.
    pub core: f64,
    pub generator_bound: bool,
}

type Measured = (Kind, anyhow::Result<Outcome>);

/// Measures `row` on `kinds` in this order.
pub(crate) fn measure(
    row: Row,
    kinds: &[Kind],
    setting: &Setting,
    lengths: Lengths,
) -> Vec<Measured> {
    if row.test() == Test::Paced {
        return paced(row, kinds, setting, lengths.slices);
    }
    let one = |kind| {
        let server = Server::start(kind, setting)?;
        match row.test() {
            Test::Memory => memory(&server),
            Test::SetUp => setting_up(&server),
            _ => highest(row, kind, &server, lengths.search),
        }
    };
    kinds.iter().map(|&kind| (kind, one(kind))).collect()
}

fn paced(row: Row, kinds: &[Kind], setting: &Setting, slices: usize) -> Vec<Measured> {
    let ready = |kind| {
        let server = Server::start(kind, setting)?;
        let load = ready_load(row, kind, &server)?;
        Ok((server, load))
    };
    let mut running: Vec<anyhow::Result<(Server, Load)>> =
        kinds.iter().map(|&kind| ready(kind)).collect();
    let mut seen = vec![Vec::new(); kinds.len()];
    for slice in 0..=slices {
        for (running, seen) in running.iter_mut().zip(&mut seen) {
            let Ok((server, load)) = running else {
                continue;
            };
            let tally = load.run(&SLICE, || cpu_time(server.pid()));
            // The first slice warms up.
            if slice > 0 {
                seen.push(Traffic::of(tally, row.path()));
            }
        }
    }
    let outcomes = running.into_iter().zip(seen).map(|(running, seen)| {
        running?;
        let traffic = Traffic::median(&seen).context("nothing arrived")?;
        Ok(Outcome {
            figure: traffic.cpu,
            traffic: Some(traffic),
        })
    });
    kinds.iter().copied().zip(outcomes).collect()
}

fn highest(row: Row, kind: Kind, server: &Server, time: Duration) -> anyhow::Result<Outcome> {
    let mut load = ready_load(row, kind, server)?;
    let most = most(&mut load, time, || cpu_time(server.pid()));
    let best = most.best.context("every rate had losses")?;
    let figure = best.delivered_per_second() * row.path().packets() / 1000.0;
    let traffic = Traffic {
        generator_bound: most.generator_bound,
        ..Traffic::of(best, row.path())
    };
    Ok(Outcome {
        figure,
        traffic: Some(traffic),
    })
}

fn memory(server: &Server) -> anyhow::Result<Outcome> {
    let address = server.address(Transport::Udp);
    let resident = || {
        thread::sleep(SETTLE);
        resident(server.pid())
    };
    // The first ones fault in code and tables that the others share.
    let mut first = idle(address, 0..CLIENTS)?;
    set_up(&mut first)?;
    let before = resident()?;
    let mut others = idle(address, CLIENTS..CLIENTS + ALLOCATIONS)?;
    set_up(&mut others)?;
    let grown = resident()?.saturating_sub(before);
    Ok(Outcome {
        figure: grown as f64 / f64::from(ALLOCATIONS),
        traffic: None,
    })
}

fn setting_up(server: &Server) -> anyhow::Result<Outcome> {
    let mut clients = idle(server.address(Transport::Udp), 0..ALLOCATIONS)?;
    let begun = Instant::now();
    set_up(&mut clients)?;
    Ok(Outcome {
        figure: begun.elapsed().as_secs_f64() * 1000.0,
        traffic: None,
    })
}

impl Traffic {
    fn of(mut tally: Tally<Duration>, path: Path) -> Self {
        let (before, after) = tally.readings;
        let cpu = after.saturating_sub(before).as_secs_f64();
        let mut latency = |percent| {
            percentile(&mut tally.latencies, percent).map_or(f64::NAN, |ns| f64::from(ns) / 1000.0)
        };
        let (p50, p99) = (latency(50), latency(99));
        Self {
            p50,
            p99,
            loss: 100.0 * tally.loss(),
            cpu: 1e6 * cpu / (tally.delivered as f64 * path.packets()),
            core: 100.0 * cpu / tally.elapsed.as_secs_f64(),
            generator_bound: false,
        }
    }

    /// Medians of each part, but for the loss: that is what was lost altogether. `None` where nothing arrived.
    fn median(slices: &[Self]) -> Option<Self> {
        let all = |part: fn(&Self) -> f64| slices.iter().map(part);
        let median = |part| Some(Summary::of(all(part))?.median);
        let traffic = Self {
            p50: median(|slice| slice.p50)?,
            p99: median(|slice| slice.p99)?,
            loss: all(|slice| slice.loss).sum::<f64>() / slices.len() as f64,
            cpu: median(|slice| slice.cpu)?,
            core: median(|slice| slice.core)?,
            generator_bound: false,
        };
        traffic.cpu.is_finite().then_some(traffic)
    }
}
