//! How many instructions the codec and the filter's translators take, counted by valgrind's callgrind, and whether that is more
//! than `instructions.tsv` allows. Counts are the same on every run, whatever else the machine does.
//!
//! ```text
//! instructions                   counts, compares, ends with 1 if a bound is exceeded
//! instructions --set             counts, and writes bounds that are 3 % above what was counted
//! instructions ROW SAMPLE TIMES  is what is run under valgrind
//! ```

#![expect(clippy::print_stdout, reason = "it says what it counted")]

#[allow(dead_code, reason = "values are counted by the other program")]
mod rows;
mod samples;
mod translators;

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use rows::{Prepared, Row};
use samples::{Sample, samples};

/// What is counted, and how often: enough that one time is exact.
const COUNTED: [(&str, &str, u32); 12] = [
    ("head", "small", 2000),
    ("peek", "small", 2000),
    ("peek", "typical", 2000),
    ("index", "small", 2000),
    ("index", "typical", 1000),
    ("index", "large", 20),
    ("index", "cjk", 20),
    ("attachments", "small", 2000),
    ("patch", "64k", 1000),
    ("to_headers", "small", 2000),
    ("caller", "small", 2000),
    ("provider", "small", 2000),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match &arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => compare(&counts()),
        ["--set"] => set(&counts()),
        [row, sample, times] => run(row, sample, times.parse().expect("a number")),
        _ => panic!("no such arguments: {arguments:?}"),
    }
}

fn run(row: &str, sample: &str, times: u32) -> ExitCode {
    let all = samples();
    let sample = find(&all, sample);
    if let Some((_, translate)) = translators::ALL.iter().find(|known| known.0 == row) {
        translate(&sample.frame, times);
        return ExitCode::SUCCESS;
    }
    let row = Row::ALL.into_iter().find(|known| known.name() == row);
    Prepared::new(sample).run(row.expect("a row"), times);
    ExitCode::SUCCESS
}

fn find<'a>(samples: &'a [Sample], name: &str) -> &'a Sample {
    let found = samples.iter().find(|sample| sample.name == name);
    found.expect("a sample")
}

/// Instructions for one time of each: what a run of twice as many times takes more.
fn counts() -> Vec<(String, u64)> {
    let counted = COUNTED.iter().map(|(row, sample, times)| {
        let [once, twice] = [*times, times * 2].map(|times| count(row, sample, times));
        (
            format!("{row} {sample}"),
            (twice - once) / u64::from(*times),
        )
    });
    counted.collect()
}

fn count(row: &str, sample: &str, times: u32) -> u64 {
    let itself = std::env::current_exe().expect("a path");
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(itself)
        .args([row, sample, &times.to_string()])
        .output()
        .expect("valgrind: the Debian package of that name");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let collected = said
        .lines()
        .find_map(|line| line.split("Collected : ").nth(1));
    let collected = collected.and_then(|count| count.trim().parse().ok());
    collected.unwrap_or_else(|| panic!("no count in what valgrind said: {said}"))
}

fn bounds_file() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/instructions.tsv"))
}

/// A vector unit is used or not: that makes two programs, each with bounds of its own.
const COLUMN: usize = if cfg!(feature = "simd") { 2 } else { 1 };

fn bounds() -> Vec<Vec<String>> {
    let text = std::fs::read_to_string(bounds_file()).unwrap_or_default();
    let rows = text.lines().filter(|line| !line.starts_with('#'));
    rows.map(|line| line.split('\t').map(String::from).collect())
        .collect()
}

fn compare(counts: &[(String, u64)]) -> ExitCode {
    let bounds = bounds();
    let mut exceeded = false;
    println!("{:18} {:>10} {:>10}", "instructions", "counted", "at most");
    for (name, count) in counts {
        let bound = bounds.iter().find(|row| row[0] == *name);
        let bound = bound.and_then(|row| row.get(COLUMN)?.parse().ok());
        let bound: u64 = bound.unwrap_or_else(|| panic!("no bound for {name}: see --set"));
        let note = if *count > bound { "  EXCEEDED" } else { "" };
        exceeded |= *count > bound;
        println!("{name:18} {count:10} {bound:10}{note}");
    }
    ExitCode::from(u8::from(exceeded))
}

fn set(counts: &[(String, u64)]) -> ExitCode {
    let before = bounds();
    let mut text = String::from(
        "# Instructions for one time: row and sample, without SIMD, with. `instructions --set` writes a column.\n",
    );
    for (name, count) in counts {
        let row = before.iter().find(|row| row[0] == *name);
        let mut columns = row.cloned().unwrap_or_else(|| vec![name.clone()]);
        columns.resize(3, "-".into());
        columns[COLUMN] = (count + count * 3 / 100 + 1).to_string();
        text += &(columns.join("\t") + "\n");
        println!("{name:18} {count:10}");
    }
    std::fs::write(bounds_file(), text).expect("the file of bounds");
    ExitCode::SUCCESS
}
