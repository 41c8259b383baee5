//! Instructions for one time of something, counted by valgrind's callgrind, and bounds for them in a file.
//! Counts are the same on every run, whatever else the machine does. The program that counts runs itself
//! under valgrind, with row, sample and how many times as its arguments.

#![expect(clippy::print_stdout, reason = "it says what it counted")]

use std::path::PathBuf;
use std::process::{Command, ExitCode};

/// A vector unit is used or not: that makes two programs, each with bounds of its own.
const COLUMN: usize = if cfg!(feature = "simd") { 2 } else { 1 };

/// Instructions for one time of each row and sample: what a run of twice as many times takes more.
pub(crate) fn counts(rows: &[(&str, &str, u32)]) -> Vec<(String, u64)> {
    let counted = rows.iter().map(|(row, sample, times)| {
        let [once, twice] = [*times, times * 2].map(|times| count(row, sample, times));
        let one = (twice - once) / u64::from(*times);
        (format!("{row} {sample}"), one)
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

fn path(file: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), file].iter().collect()
}

fn bounds(file: &str) -> Vec<Vec<String>> {
    let text = std::fs::read_to_string(path(file)).unwrap_or_default();
    let rows = text.lines().filter(|line| !line.starts_with('#'));
    rows.map(|line| line.split('\t').map(String::from).collect())
        .collect()
}

/// Prints counts beside their bounds; 1 if one is exceeded.
pub(crate) fn compare(file: &str, counts: &[(String, u64)]) -> ExitCode {
    let bounds = bounds(file);
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

/// Writes bounds that are 3 % above the counts.
pub(crate) fn set(file: &str, counts: &[(String, u64)]) -> ExitCode {
    let before = bounds(file);
    let mut text = String::from(
        "# Instructions for one time: row and sample, without SIMD, with. `--set` writes a column.\n",
    );
    for (name, count) in counts {
        let row = before.iter().find(|row| row[0] == *name);
        let mut columns = row.cloned().unwrap_or_else(|| vec![name.clone()]);
        columns.resize(3, "-".into());
        columns[COLUMN] = (count + count * 3 / 100 + 1).to_string();
        text += &(columns.join("\t") + "\n");
        println!("{name:18} {count:10}");
    }
    std::fs::write(path(file), text).expect("the file of bounds");
    ExitCode::SUCCESS
}
