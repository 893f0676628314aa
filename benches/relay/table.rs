//! The printed result: figures, targets, and what helps to read them, as Markdown tables that line up.

use std::collections::HashMap;

use crate::measure::{Outcome, Traffic};
use crate::rows::{Row, Target, Than};
use crate::servers::Kind;
use crate::stats::Summary;

/// What was measured in one run.
pub(crate) type Run = HashMap<(Row, Kind), Outcome>;

pub(crate) fn print(runs: &[Run], rows: &[Row], kinds: &[Kind]) {
    println!("\nMedians, with minimum and maximum:\n");
    print_table(&figures(runs, rows, kinds));
    if kinds.contains(&Kind::Callbox) {
        println!("\ncallbox against its targets, ratios within the run:\n");
        print_table(&targets(runs, rows));
    }
    println!("\nThe traffic behind the figures, medians:\n");
    print_table(&traffic(runs, rows, kinds));
}

fn figures(runs: &[Run], rows: &[Row], kinds: &[Kind]) -> Vec<Vec<String>> {
    let mut header = vec!["row".to_owned()];
    header.extend(kinds.iter().map(|kind| kind.name().to_owned()));
    let mut table = vec![header];
    for &row in rows {
        let mut line = vec![row.title().to_owned()];
        for &kind in kinds {
            let outcomes = || runs.iter().filter_map(|run| run.get(&(row, kind)));
            let bound = outcomes().any(|o| o.traffic.is_some_and(|t| t.generator_bound));
            let summary = Summary::of(outcomes().map(|outcome| outcome.figure));
            let cell = cell(summary, row.decimals(), runs.len());
            line.push(if bound { format!(">{cell}") } else { cell });
        }
        table.push(line);
    }
    table
}

fn targets(runs: &[Run], rows: &[Row]) -> Vec<Vec<String>> {
    let header = ["row", "target", "reached", "verdict"];
    let mut table = vec![header.map(str::to_owned).to_vec()];
    for &row in rows {
        for target in row.targets() {
            let reached = Summary::of(runs.iter().filter_map(|run| reached(run, row, target)));
            let decimals = if target.than == Than::Nothing { 0 } else { 2 };
            table.push(vec![
                row.title().to_owned(),
                target.describe(),
                cell(reached, decimals, runs.len()),
                reached
                    .map_or("-", |r| target.verdict(r.median).name())
                    .to_owned(),
            ]);
        }
    }
    table
}

/// The figure of callbox that a target is about: its ratio to the other's in the same run, or itself.
fn reached(run: &Run, row: Row, target: Target) -> Option<f64> {
    let figure = |row, kind| {
        run.get(&(row, kind))
            .map(|outcome: &Outcome| outcome.figure)
    };
    let forwarders = || {
        Kind::FORWARDERS
            .into_iter()
            .filter_map(|kind| figure(row, kind))
    };
    let own = figure(row, Kind::Callbox)?;
    let other = match target.than {
        Than::Nothing => return Some(own),
        Than::Coturn => figure(row, Kind::Coturn),
        Than::OwnChannels => figure(Row::UdpChannels, Kind::Callbox),
        Than::BetterForwarder if target.more_is_better => forwarders().reduce(f64::max),
        Than::BetterForwarder => forwarders().reduce(f64::min),
    };
    Some(own / other?)
}

fn traffic(runs: &[Run], rows: &[Row], kinds: &[Kind]) -> Vec<Vec<String>> {
    let header = [
        "row",
        "server",
        "p50 us",
        "p99 us",
        "loss %",
        "server's core %",
        "CPU us",
    ];
    let mut table = vec![header.map(str::to_owned).to_vec()];
    for &row in rows {
        for &kind in kinds {
            let seen: Vec<Traffic> = runs
                .iter()
                .filter_map(|run| run.get(&(row, kind))?.traffic)
                .collect();
            if seen.is_empty() {
                continue;
            }
            let median = |of: fn(&Traffic) -> f64, decimals| {
                cell(Summary::of(seen.iter().map(of)), decimals, 1)
            };
            table.push(vec![
                row.title().to_owned(),
                kind.name().to_owned(),
                median(|traffic| traffic.p50, 0),
                median(|traffic| traffic.p99, 0),
                median(|traffic| traffic.loss, 2),
                median(|traffic| traffic.core, 0),
                median(|traffic| traffic.cpu, 2),
            ]);
        }
    }
    table
}

fn cell(summary: Option<Summary>, decimals: usize, runs: usize) -> String {
    match summary {
        None => "-".to_owned(),
        Some(Summary { median, .. }) if runs == 1 => format!("{median:.decimals$}"),
        Some(Summary { median, min, max }) => {
            format!("{median:.decimals$} ({min:.decimals$}-{max:.decimals$})")
        }
    }
}

/// The first line is the header, the first column text.
fn print_table(table: &[Vec<String>]) {
    let columns = table.first().map_or(0, Vec::len);
    let width = |column: usize| table.iter().map(|line| line[column].len()).max();
    let widths: Vec<usize> = (0..columns).filter_map(width).collect();
    for (number, line) in table.iter().enumerate() {
        let cells = line.iter().zip(&widths).enumerate();
        let cells: Vec<String> = cells
            .map(|(column, (cell, &width))| match column {
                0 => format!("{cell:<width$}"),
                _ => format!("{cell:>width$}"),
            })
            .collect();
        println!("| {} |", cells.join(" | "));
        if number == 0 {
            let rules: Vec<String> = widths.iter().map(|&width| "-".repeat(width)).collect();
            println!("| {} |", rules.join(" | "));
        }
    }
}
