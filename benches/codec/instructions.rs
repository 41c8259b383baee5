//! How many instructions the codec takes, counted by valgrind's callgrind, and whether that is more
//! than `instructions.tsv` allows. Counts are the same on every run, whatever else the machine does.
//!
//! ```text
//! instructions                   counts, compares, ends with 1 if a bound is exceeded
//! instructions --set             counts, and writes bounds that are 3 % above what was counted
//! instructions ROW SAMPLE TIMES  is what is run under valgrind
//! ```

mod counted;
#[allow(dead_code, reason = "values are counted by the other program")]
mod rows;
mod samples;

use std::process::ExitCode;

use rows::{Prepared, Row};
use samples::{Sample, samples};

/// What is counted, and how often: enough that one time is exact.
const COUNTED: [(Row, &str, u32); 9] = [
    (Row::Head, "small", 2000),
    (Row::Peek, "small", 2000),
    (Row::Peek, "typical", 2000),
    (Row::Index, "small", 2000),
    (Row::Index, "typical", 1000),
    (Row::Index, "large", 20),
    (Row::Index, "cjk", 20),
    (Row::Attachments, "small", 2000),
    (Row::Patch, "64k", 1000),
];

const BOUNDS: &str = "instructions.tsv";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match &arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => counted::compare(BOUNDS, &counts()),
        ["--set"] => counted::set(BOUNDS, &counts()),
        [row, sample, times] => run(row, sample, times.parse().expect("a number")),
        _ => panic!("no such arguments: {arguments:?}"),
    }
}

fn run(row: &str, sample: &str, times: u32) -> ExitCode {
    let row = Row::ALL.into_iter().find(|known| known.name() == row);
    let all = samples();
    let sample = find(&all, sample);
    Prepared::new(sample).run(row.expect("a row"), times);
    ExitCode::SUCCESS
}

fn find<'a>(samples: &'a [Sample], name: &str) -> &'a Sample {
    let found = samples.iter().find(|sample| sample.name == name);
    found.expect("a sample")
}

fn counts() -> Vec<(String, u64)> {
    let rows = COUNTED.map(|(row, sample, times)| (row.name(), sample, times));
    counted::counts(&rows)
}
