//! `cargo bench --bench web`: callbox's pages beside nginx's, its signaling beside python-socketio's.
//!
//! Each server runs on one core, the load generator on the other; the servers take turns within a row, in another order with
//! every round. docs/speed.md tells how to run it and how to read it.

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

mod cpu;
mod dialect;
mod files;
mod http_load;
mod kind;
mod measure;
mod people;
#[allow(dead_code, reason = "the other benchmark needs the rest")]
#[path = "../relay/process.rs"]
mod process;
mod python;
mod quiet;
mod rows;
mod servers;
#[path = "../relay/stats.rs"]
mod stats;
mod table;
mod talk;
mod tls;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::bail;
use clap::Parser;

use kind::Kind;
use measure::{Lengths, measure};
use process::Ticks;
use rows::Row;
use servers::Setting;
use table::Round;

/// Compares callbox's web server and signaling with others, on this machine, over loopback.
#[derive(Parser)]
struct Arguments {
    /// One short round.
    #[arg(long)]
    quick: bool,
    /// Only rows whose title contains this.
    #[arg(long, value_name = "SUBSTRING", default_value = "")]
    only: String,
    /// How often everything is measured.
    #[arg(long, value_name = "N")]
    rounds: Option<usize>,
    /// The callbox to measure.
    #[arg(long, value_name = "PATH", default_value = env!("CARGO_BIN_EXE_callbox"))]
    callbox: PathBuf,
    /// Another callbox to measure beside it.
    #[arg(long, value_name = "PATH")]
    before: Option<PathBuf>,
    /// The cores of the server and of the load generator.
    #[arg(long, value_delimiter = ',', num_args = 1, default_values_t = [1, 0])]
    cores: Vec<usize>,
    /// Give nginx's answers the headers that callbox's have.
    #[arg(long)]
    same_headers: bool,
    /// Seconds to wait before each figure until other programs leave the machine alone.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    patience: u64,
    /// Passed by `cargo bench`.
    #[arg(long, hide = true)]
    bench: bool,
}

const FULL: Lengths = Lengths {
    http: Duration::from_secs(2),
    talk: Duration::from_secs(4),
    latency: Duration::from_secs(6),
};
const QUICK: Lengths = Lengths {
    http: Duration::from_secs(1),
    talk: Duration::from_secs(1),
    latency: Duration::from_secs(2),
};

fn main() -> ExitCode {
    match compare(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn compare(arguments: &Arguments) -> anyhow::Result<()> {
    let [server_core, load_core] = arguments.cores[..] else {
        bail!("--cores takes two: the server's and the load generator's");
    };
    let wanted = arguments.only.to_lowercase();
    let rows: Vec<Row> = Row::all()
        .into_iter()
        .filter(|row| row.title().to_lowercase().contains(&wanted))
        .collect();
    let lengths = if arguments.quick { QUICK } else { FULL };
    let rounds = arguments
        .rounds
        .unwrap_or(if arguments.quick { 1 } else { 5 });
    let patience = Duration::from_secs(arguments.patience);
    let _alone = quiet::alone()?;
    let setting = Setting::prepare(
        arguments.callbox.canonicalize()?,
        arguments.before.clone(),
        server_core,
        load_core,
        arguments.same_headers,
        rows.iter().any(|row| row.runs_on(Kind::SocketIo)),
    )?;
    servers::pin(load_core)?;
    let (begun, ticks) = (Instant::now(), Ticks::read());
    let rounds: Vec<Round> = (0..rounds)
        .map(|number| round(number, &rows, &setting, lengths, patience))
        .collect();
    println!(
        "Rounds: {}. Servers on core {server_core}, load on core {load_core}.",
        rounds.len()
    );
    table::print(&rounds, &rows, &setting);
    let disturbance = Ticks::read().disturbance(ticks);
    println!(
        "\nTook {} s. Of one core, other programs took {:.1} % and the machine's host {:.1} %.",
        begun.elapsed().as_secs(),
        disturbance.others,
        disturbance.stolen
    );
    if disturbance.others + disturbance.stolen > quiet::DISTURBED {
        println!("That is too much to rely on these figures: measure again on a quiet machine.");
    }
    Ok(())
}

/// Measures every row on every server, another one first in every round.
fn round(
    number: usize,
    rows: &[Row],
    setting: &Setting,
    lengths: Lengths,
    patience: Duration,
) -> Round {
    let mut round = Round::new();
    for &row in rows {
        let mut kinds = setting.kinds(row);
        let first = number % kinds.len();
        kinds.rotate_left(first);
        for kind in kinds {
            let noise = quiet::wait(patience);
            let what = format!("round {}: {}: {}", number + 1, row.title(), kind.name());
            match measure(row, kind, setting, lengths) {
                Ok(outcome) => {
                    eprintln!("{what} {outcome}{noise}");
                    round.insert((row, kind), outcome);
                }
                Err(error) => eprintln!("{what} failed: {error:#}"),
            }
        }
    }
    round
}
