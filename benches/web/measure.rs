//! Measures one row on one server, which is started for it and ended afterwards.

use std::fmt;
use std::time::{Duration, Instant};

use tokio::runtime::{self, Runtime};
use tokio::time::sleep;

use crate::cpu::Spent;
use crate::http_load::{self, Wanted};
use crate::kind::Kind;
use crate::people::{Door, pair};
use crate::process::resident;
use crate::rows::{Coding, Row, Version};
use crate::servers::{Server, Setting};
use crate::stats::percentile;
use crate::talk::{Pace, Talk, talk};

/// As much as a call that is being set up sends at once.
const BUSY: Pace = Pace::Ahead(32);
const QUIET: Pace = Pace::Rate(500);
const IDLE: usize = 1000;
/// People before those whose memory is measured: they fault in code and tables that the others share.
const FIRST: usize = 50;
const SETTLE: Duration = Duration::from_millis(1500);
const WARM_UP: Duration = Duration::from_secs(1);

#[derive(Debug, Clone, Copy)]
pub(crate) struct Lengths {
    pub http: Duration,
    pub talk: Duration,
    pub latency: Duration,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Outcome {
    pub figure: f64,
    /// CPU microseconds per request or message.
    pub cpu: Option<f64>,
    /// Percent of its core that the server took.
    pub core: Option<f64>,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.2}", self.figure)?;
        if let (Some(cpu), Some(core)) = (self.cpu, self.core) {
            write!(f, " ({cpu:.1} us of CPU each, {core:.0} % of the core)")?;
        }
        Ok(())
    }
}

pub(crate) fn measure(
    row: Row,
    kind: Kind,
    setting: &Setting,
    lengths: Lengths,
) -> anyhow::Result<Outcome> {
    let server = Server::start(kind, setting)?;
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    match row {
        Row::Kept {
            file,
            coding,
            version,
        } => fetching(&server, file, coding, version, false, lengths.http),
        Row::Fresh | Row::FreshCpu => {
            let (coding, version) = (Coding::Identity, Version::One);
            let mut outcome = fetching(&server, "room.js", coding, version, true, lengths.http)?;
            if let (Row::FreshCpu, Some(cpu)) = (row, outcome.cpu) {
                outcome.figure = cpu;
            }
            Ok(outcome)
        }
        Row::Talk => talking(&runtime, &server, kind, setting, BUSY, lengths.talk, 0)
            .map(|talk| by_cpu(&talk)),
        Row::TalkAmongIdle => talking(&runtime, &server, kind, setting, BUSY, lengths.talk, IDLE)
            .map(|talk| by_cpu(&talk)),
        Row::Latency => {
            let time = lengths.latency;
            let mut talk = talking(&runtime, &server, kind, setting, QUIET, time, 0)?;
            let p99 = percentile(&mut talk.latencies, 99).map_or(f64::NAN, f64::from);
            Ok(Outcome {
                figure: p99,
                ..by_cpu(&talk)
            })
        }
        Row::IdleMemory => runtime.block_on(memory(&server, kind, setting)),
    }
}

fn fetching(
    server: &Server,
    file: &'static str,
    coding: Coding,
    version: Version,
    fresh: bool,
    time: Duration,
) -> anyhow::Result<Outcome> {
    let wanted = Wanted {
        server: server.address,
        file,
        coding,
        version,
        fresh,
    };
    http_load::run(&wanted, WARM_UP)?;
    let (begun, before) = (Instant::now(), Spent::read(server.pid));
    let answered = http_load::run(&wanted, time)?;
    let cpu = Spent::read(server.pid).since(&before).as_secs_f64();
    Ok(Outcome {
        figure: answered.requests / answered.seconds / 1000.0,
        cpu: Some(1e6 * cpu / answered.requests),
        core: Some(100.0 * cpu / begun.elapsed().as_secs_f64()),
    })
}

fn by_cpu(talk: &Talk) -> Outcome {
    let cpu = talk.cpu.as_secs_f64();
    let each = 1e6 * cpu / talk.messages as f64;
    Outcome {
        figure: each,
        cpu: Some(each),
        core: Some(100.0 * cpu / talk.elapsed.as_secs_f64()),
    }
}

fn talking(
    runtime: &Runtime,
    server: &Server,
    kind: Kind,
    setting: &Setting,
    pace: Pace,
    time: Duration,
    idle: usize,
) -> anyhow::Result<Talk> {
    runtime.block_on(async {
        let mut door = Door::open(kind.into(), server.address, &setting.connector).await?;
        let crowd = door.idle(idle).await?;
        let two = pair(&mut door).await?;
        let talk = talk(two, kind.into(), pace, time, || Spent::read(server.pid)).await?;
        crowd.all_there()?;
        Ok(talk)
    })
}

async fn memory(server: &Server, kind: Kind, setting: &Setting) -> anyhow::Result<Outcome> {
    let mut door = Door::open(kind.into(), server.address, &setting.connector).await?;
    let first = door.idle(FIRST).await?;
    sleep(SETTLE).await;
    let before = resident(server.pid)?;
    let others = door.idle(IDLE).await?;
    sleep(SETTLE).await;
    let grown = resident(server.pid)?.saturating_sub(before);
    first.all_there()?;
    others.all_there()?;
    Ok(Outcome {
        figure: grown as f64 / 1024.0 / IDLE as f64,
        cpu: None,
        core: None,
    })
}
