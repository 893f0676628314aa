//! The printed result, as a Markdown table that lines up.

use std::collections::HashMap;

use crate::kind::Kind;
use crate::measure::Outcome;
use crate::rows::Row;
use crate::servers::Setting;
use crate::stats::Summary;

/// What was measured in one round.
pub(crate) type Round = HashMap<(Row, Kind), Outcome>;

/// Below this part of its core a server was not what bounded a rate.
const FULL: f64 = 90.0;

pub(crate) fn print(rounds: &[Round], rows: &[Row], setting: &Setting) {
    println!(
        "\nMedians, with minimum and maximum; ratios are within the round. `~`: the load generator was the bound.\n"
    );
    print_table(&figures(rounds, rows, setting));
    println!("\nCPU microseconds of the server per request or message:\n");
    print_table(&costs(rounds, rows));
}

fn figures(rounds: &[Round], rows: &[Row], setting: &Setting) -> Vec<Vec<String>> {
    let before = rows
        .iter()
        .any(|&row| setting.kinds(row).contains(&Kind::Before));
    let mut header = vec!["row", "callbox", "the other", "ratio", "target", "met"];
    if before {
        header.extend(["before", "ratio to it"]);
    }
    let mut table = vec![header.into_iter().map(str::to_owned).collect()];
    for &row in rows {
        let own = summary(rounds, row, Kind::Callbox, |outcome| Some(outcome.figure));
        let ratio = ratio(rounds, row, row.other(), |outcome| Some(outcome.figure));
        let met = own.and_then(|own| row.target().is_met(own.median, ratio.map(|r| r.median)));
        let figure = |kind| {
            let figures = summary(rounds, row, kind, |outcome| Some(outcome.figure));
            let mark = if generator_bound(rounds, row, kind) {
                "~"
            } else {
                ""
            };
            format!("{mark}{}", cell(figures, row.decimals(), rounds.len()))
        };
        let mut line = vec![
            row.title(),
            figure(Kind::Callbox),
            figure(row.other()),
            cell(ratio, 2, rounds.len()),
            row.target().describe(),
            met.map_or("-", |met| if met { "yes" } else { "no" })
                .to_owned(),
        ];
        if before {
            let than = self::ratio(rounds, row, Kind::Before, |outcome| Some(outcome.figure));
            line.extend([figure(Kind::Before), cell(than, 2, rounds.len())]);
        }
        table.push(line);
    }
    table
}

fn costs(rounds: &[Round], rows: &[Row]) -> Vec<Vec<String>> {
    let header = ["row", "callbox", "the other", "ratio"];
    let mut table = vec![header.map(str::to_owned).to_vec()];
    for &row in rows {
        let own = summary(rounds, row, Kind::Callbox, |outcome| outcome.cpu);
        if own.is_none() || !row.has_a_cost_beside() {
            continue;
        }
        let title = row.title();
        let subject = title.split(": ").next().unwrap_or(&title).to_owned();
        let other = summary(rounds, row, row.other(), |outcome| outcome.cpu);
        table.push(vec![
            subject,
            cell(own, 1, rounds.len()),
            cell(other, 1, rounds.len()),
            cell(
                ratio(rounds, row, row.other(), |outcome| outcome.cpu),
                2,
                rounds.len(),
            ),
        ]);
    }
    table
}

type Part = fn(&Outcome) -> Option<f64>;

fn summary(rounds: &[Round], row: Row, kind: Kind, part: Part) -> Option<Summary> {
    let outcomes = rounds.iter().filter_map(|round| round.get(&(row, kind)));
    Summary::of(outcomes.filter_map(part))
}

/// callbox's figure in proportion to the other's in the same round.
fn ratio(rounds: &[Round], row: Row, other: Kind, part: Part) -> Option<Summary> {
    let within = |round: &Round| {
        let own = part(round.get(&(row, Kind::Callbox))?)?;
        let other = part(round.get(&(row, other))?)?;
        Some(own / other)
    };
    Summary::of(rounds.iter().filter_map(within))
}

fn generator_bound(rounds: &[Round], row: Row, kind: Kind) -> bool {
    let core = summary(rounds, row, kind, |outcome| outcome.core);
    matches!(row, Row::Kept { .. } | Row::Fresh) && core.is_some_and(|core| core.median < FULL)
}

fn cell(summary: Option<Summary>, decimals: usize, rounds: usize) -> String {
    match summary {
        None => "-".to_owned(),
        Some(Summary { median, .. }) if rounds == 1 => format!("{median:.decimals$}"),
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
