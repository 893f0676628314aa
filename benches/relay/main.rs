//! `cargo bench --bench relay`: callbox's relay beside coturn, webrtc-rs's server, and bare UDP forwarders.
//!
//! Each server runs on one core, for one row of the table at a time; the load generator has the other core and never
//! sleeps. docs/turn.md tells how to run it and how to read it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a benchmark that cannot go on may say so and stop"
)]
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "counts become figures for people, and sizes are small"
)]

mod clients;
mod forwarder;
mod link;
mod load;
mod measure;
mod packets;
mod process;
mod rows;
mod search;
mod servers;
mod setup;
mod stats;
mod stun;
mod sys;
mod table;
mod turn_client;
mod webrtc_rs;

use std::fs::File;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::bail;
use clap::Parser;

use measure::{Lengths, measure};
use process::Ticks;
use rows::Row;
use servers::{Kind, Setting};
use table::Run;

/// Compares callbox's relay with others, on this machine, over loopback.
#[derive(Parser)]
struct Arguments {
    /// One short run, in two minutes.
    #[arg(long)]
    quick: bool,
    /// Only rows whose title contains this.
    #[arg(long, value_name = "SUBSTRING", default_value = "")]
    only: String,
    /// The servers to compare.
    #[arg(long, value_delimiter = ',', value_enum, default_values_t = ALL_KINDS)]
    peers: Vec<Kind>,
    /// How often everything is measured.
    #[arg(long, value_name = "N")]
    runs: Option<usize>,
    /// The callbox to measure.
    #[arg(long, value_name = "PATH", default_value = env!("CARGO_BIN_EXE_callbox"))]
    callbox: PathBuf,
    /// Another callbox to measure beside it.
    #[arg(long, value_name = "PATH")]
    before: Option<PathBuf>,
    /// The cores of the server and of the load generator.
    #[arg(long, value_delimiter = ',', num_args = 1, default_values_t = [1, 0])]
    cores: Vec<usize>,
    /// Be one of the servers.
    #[arg(long, requires = "listen", hide = true)]
    serve: Option<Kind>,
    #[arg(long, hide = true)]
    listen: Option<SocketAddr>,
    /// Passed by `cargo bench`.
    #[arg(long, hide = true)]
    bench: bool,
}

const ALL_KINDS: [Kind; 5] = [
    Kind::Callbox,
    Kind::Coturn,
    Kind::WebrtcRs,
    Kind::ForwarderPlain,
    Kind::ForwarderMmsg,
];

/// Percent of one core from which on others spoil the figures.
const DISTURBED: f64 = 15.0;

const FULL: Lengths = Lengths {
    slices: 7,
    search: Duration::from_secs(8),
};
const QUICK: Lengths = Lengths {
    slices: 4,
    search: Duration::from_secs(5),
};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = match (arguments.serve, arguments.listen) {
        (Some(kind), Some(listen)) => serve(kind, listen),
        _ => compare(&arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn serve(kind: Kind, listen: SocketAddr) -> anyhow::Result<()> {
    match kind {
        Kind::WebrtcRs => webrtc_rs::serve(listen)?,
        Kind::ForwarderPlain => forwarder::serve_plain(listen)?,
        Kind::ForwarderMmsg => forwarder::serve_batches(listen)?,
        Kind::Callbox | Kind::Before | Kind::Coturn => {
            bail!("{} is a program of its own", kind.name())
        }
    }
    Ok(())
}

fn compare(arguments: &Arguments) -> anyhow::Result<()> {
    let [server_core, load_core] = arguments.cores[..] else {
        bail!("--cores takes two: the server's and the load generator's");
    };
    let before = arguments.before.as_ref().map(|path| path.canonicalize());
    let mut kinds = arguments.peers.clone();
    if before.is_some() && !kinds.contains(&Kind::Before) {
        kinds.push(Kind::Before);
    }
    let setting = Setting {
        callbox: arguments.callbox.canonicalize()?,
        before: before.transpose()?,
        server_core,
        load_core,
    };
    let wanted = arguments.only.to_lowercase();
    let rows: Vec<Row> = Row::ALL
        .into_iter()
        .filter(|row| row.title().to_lowercase().contains(&wanted))
        .collect();
    let runs = arguments
        .runs
        .unwrap_or(if arguments.quick { 1 } else { 5 });
    let lengths = if arguments.quick { QUICK } else { FULL };
    let _alone = wait_for_others()?;
    sys::pin(load_core)?;
    let (begun, ticks) = (Instant::now(), Ticks::read());
    let runs: Vec<Run> = (0..runs)
        .map(|number| run(number, &rows, &kinds, &setting, lengths))
        .collect();
    println!(
        "Runs: {}. Servers on core {server_core}, load on core {load_core}.",
        runs.len()
    );
    table::print(&runs, &rows, &kinds);
    let disturbance = Ticks::read().disturbance(ticks);
    println!(
        "\nTook {} s. Of one core, other programs took {:.1} % and the machine's host {:.1} %.",
        begun.elapsed().as_secs(),
        disturbance.others,
        disturbance.stolen
    );
    if disturbance.others + disturbance.stolen > DISTURBED {
        println!("That is too much to rely on these figures: measure again on a quiet machine.");
    }
    Ok(())
}

/// Two benchmarks at a time would measure each other.
fn wait_for_others() -> anyhow::Result<File> {
    let lock = File::create(std::env::temp_dir().join("callbox-bench-relay.lock"))?;
    if lock.try_lock().is_err() {
        eprintln!("waiting for another benchmark to end");
        lock.lock()?;
    }
    Ok(lock)
}

/// Measures every row on every server, a different one first in every run.
fn run(number: usize, rows: &[Row], kinds: &[Kind], setting: &Setting, lengths: Lengths) -> Run {
    let mut kinds = kinds.to_vec();
    let first = number % kinds.len();
    kinds.rotate_left(first);
    let mut outcomes = Run::new();
    for &row in rows {
        let able = kinds.iter().copied();
        let able: Vec<Kind> = able.filter(|&kind| row.runs_on(kind)).collect();
        for (kind, outcome) in measure(row, &able, setting, lengths) {
            let what = format!("run {}: {}: {}", number + 1, row.title(), kind.name());
            match outcome {
                Ok(outcome) => {
                    eprintln!("{what} {:.2}", outcome.figure);
                    outcomes.insert((row, kind), outcome);
                }
                Err(error) => eprintln!("{what} failed: {error:#}"),
            }
        }
    }
    outcomes
}
