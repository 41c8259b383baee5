//! Instructions for one time of something, counted by valgrind's callgrind, and whether they are more
//! than a file of bounds allows. Counts are the same on every run, whatever else the machine does.
//!
//! ```text
//! PROGRAM                   counts, compares, ends with 1 if a bound is exceeded
//! PROGRAM --set             counts, and writes bounds that are 3 % above what was counted
//! PROGRAM ROW SAMPLE TIMES  is what is run under valgrind
//! ```

#![expect(clippy::print_stdout, reason = "it says what it counted")]

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use crate::samples::{Sample, samples};

/// What a program counts.
pub(crate) struct Counted {
    /// Row, sample, and how often: enough that one time is exact.
    pub(crate) rows: &'static [(&'static str, &'static str, u32)],
    /// The file of bounds.
    pub(crate) bounds: &'static str,
    /// Does what a row says with a sample so many times.
    pub(crate) run: fn(&str, &Sample, u32),
}

impl Counted {
    pub(crate) fn main(&self) -> ExitCode {
        let arguments: Vec<String> = std::env::args().skip(1).collect();
        match &arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            [] => self.compare(&self.counts()),
            ["--set"] => self.set(&self.counts()),
            [row, sample, times] => {
                let all = samples();
                let sample = all.iter().find(|known| known.name == *sample);
                (self.run)(
                    row,
                    sample.expect("a sample"),
                    times.parse().expect("a number"),
                );
                ExitCode::SUCCESS
            }
            _ => panic!("no such arguments: {arguments:?}"),
        }
    }

    /// Instructions for one time of each: what a run of twice as many times takes more.
    fn counts(&self) -> Vec<(String, u64)> {
        let counted = self.rows.iter().map(|(row, sample, times)| {
            let [once, twice] = [*times, times * 2].map(|times| count(row, sample, times));
            (
                format!("{row} {sample}"),
                (twice - once) / u64::from(*times),
            )
        });
        counted.collect()
    }

    fn file(&self) -> PathBuf {
        [env!("CARGO_MANIFEST_DIR"), self.bounds].iter().collect()
    }

    fn bounds(&self) -> Vec<Vec<String>> {
        let text = std::fs::read_to_string(self.file()).unwrap_or_default();
        let rows = text.lines().filter(|line| !line.starts_with('#'));
        rows.map(|line| line.split('\t').map(String::from).collect())
            .collect()
    }

    fn compare(&self, counts: &[(String, u64)]) -> ExitCode {
        let bounds = self.bounds();
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

    fn set(&self, counts: &[(String, u64)]) -> ExitCode {
        let before = self.bounds();
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
        std::fs::write(self.file(), text).expect("the file of bounds");
        ExitCode::SUCCESS
    }
}

/// A vector unit is used or not: that makes two programs, each with bounds of its own.
const COLUMN: usize = if cfg!(feature = "simd") { 2 } else { 1 };

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
