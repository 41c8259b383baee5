//! What was seen, as tables. Pure.

use std::time::Duration;

use crate::load::Cell;
use crate::paths::{FILTER, Path, ROAD};
use crate::payload::{PAYLOADS, Payload, SMALL};
use crate::rounds::Seen;
use crate::table::Table;

/// The tables of the filter, one for each kind of call; and whether all bounds are met.
pub(crate) fn filter(seen: &Seen, rates: &[u32]) -> (Vec<Table<8>>, bool) {
    let mut all_met = true;
    let tables = PAYLOADS.map(|payload| {
        let rows = cells(payload, rates, &FILTER).filter_map(|cell| {
            let (row, met) = judged(seen, cell)?;
            all_met &= met;
            Some(row)
        });
        Table {
            title: format!("The filter, {}", payload.name),
            head: [
                "path",
                "calls/s",
                "CPU a call",
                "is",
                "bound",
                "met",
                "p50",
                "p99",
            ],
            rows: rows.collect(),
        }
    });
    (tables.into(), all_met)
}

/// The row of a cell, and whether its bound is met, if it has one.
fn judged(seen: &Seen, cell: Cell) -> Option<([String; 8], bool)> {
    let sample = seen.median(cell)?;
    let mut row = [const { String::new() }; 8];
    row[0] = cell.path.name();
    row[1] = cell.rate.to_string();
    row[2] = micros(sample.cpu);
    row[6] = micros(sample.p50);
    row[7] = micros(sample.p99);
    let Some((bound, other)) = cell.path.bound() else {
        return Some((row, true));
    };
    let reference = Cell {
        path: other,
        ..cell
    };
    let ratio = seen
        .ratio(cell, reference)
        .expect("a path comes with its reference");
    let met = ratio <= bound;
    row[3] = format!("{ratio:.2} x {}", other.name());
    row[4] = format!("{bound} x");
    row[5] = if met { "yes" } else { "NO" }.to_owned();
    Some((row, met))
}

/// The whole road of an ordinary call.
pub(crate) fn road(seen: &Seen, rates: &[u32]) -> Table<5> {
    let rows = cells(SMALL, rates, &ROAD).filter_map(|cell| {
        let sample = seen.median(cell)?;
        Some([
            cell.path.name(),
            cell.rate.to_string(),
            micros(sample.p50),
            micros(sample.p99),
            micros(sample.cpu),
        ])
    });
    Table {
        title: format!("The whole road, {}", SMALL.name),
        head: ["path", "calls/s", "p50", "p99", "CPU a call"],
        rows: rows.collect(),
    }
}

/// One kind of call on these paths, rate by rate.
pub(crate) fn cells(payload: Payload, rates: &[u32], paths: &[Path]) -> impl Iterator<Item = Cell> {
    let at = move |rate| {
        paths.iter().map(move |&path| Cell {
            payload,
            rate,
            path,
        })
    };
    rates.iter().flat_map(move |&rate| at(rate))
}

fn micros(duration: Duration) -> String {
    let micros = duration.as_secs_f64() * 1e6;
    match micros {
        ..10_000.0 => format!("{micros:.1} µs"),
        _ => format!("{:.1} ms", micros / 1e3),
    }
}
