//! How many instructions the codec takes, and whether that is more than `instructions.tsv` allows.

mod counted;
#[allow(dead_code, reason = "values are counted by the other program")]
mod rows;
mod samples;

use std::process::ExitCode;

use counted::Counted;
use rows::{Prepared, Row};
use samples::Sample;

const CODEC: Counted = Counted {
    rows: &[
        ("head", "small", 2000),
        ("peek", "small", 2000),
        ("peek", "typical", 2000),
        ("index", "small", 2000),
        ("index", "typical", 1000),
        ("index", "large", 20),
        ("index", "cjk", 20),
        ("attachments", "small", 2000),
        ("patch", "64k", 1000),
    ],
    bounds: "instructions.tsv",
    run,
};

fn main() -> ExitCode {
    CODEC.main()
}

fn run(row: &str, sample: &Sample, times: u32) {
    let row = Row::ALL.into_iter().find(|known| known.name() == row);
    Prepared::new(sample).run(row.expect("a row"), times);
}
