//! The codec's own numbers.

use std::time::{Duration, Instant};

use allocation_counter::measure as allocations;

use crate::rows::{Prepared, Row};
use crate::samples::Sample;

/// What was measured.
pub(crate) struct Ours {
    /// Row, sample, nanoseconds.
    times: Vec<(Row, &'static str, f64)>,
    /// Sample, its bytes, its values.
    sizes: Vec<(&'static str, usize, usize)>,
    /// From the heap, for head, peek, index and attachments of all samples together.
    pub(crate) allocations: f64,
    /// Of a patched request of 64 KB: bytes beyond the head and the new entry.
    pub(crate) copied: f64,
}

/// The head, and the lengths and content of the entry that is set: more than that would be arguments.
const HEAD_AND_ENTRY: usize = 16 + 1 + "dubbo.tag".len() + 1 + "stable".len();

pub(crate) fn measure(samples: &[Sample]) -> Ours {
    let prepared: Vec<Prepared<'_>> = samples.iter().map(Prepared::new).collect();
    let rows = |prepared| Row::ALL.into_iter().map(move |row| (row, prepared));
    let times = prepared
        .iter()
        .flat_map(rows)
        .map(|(row, prepared): (Row, &Prepared<'_>)| {
            let ns = best(|rounds| prepared.run(row, rounds));
            (row, prepared.sample.name, ns)
        });
    let size = |p: &Prepared<'_>| (p.sample.name, p.sample.frame.len(), p.values());
    let reads = [Row::Head, Row::Peek, Row::Index, Row::Attachments];
    let read = |p: &Prepared<'_>| reads.into_iter().for_each(|row| p.run(row, 1));
    let large = prepared.iter().find(|p| p.sample.name == "64k");
    let patched = large.expect("that sample").patched_bytes();
    Ours {
        times: times.collect(),
        sizes: prepared.iter().map(size).collect(),
        allocations: allocations(|| prepared.iter().for_each(read)).count_total as f64,
        copied: patched.saturating_sub(HEAD_AND_ENTRY) as f64,
    }
}

/// Nanoseconds a round in the best of many short runs: what the code costs when nothing else runs.
fn best(mut run: impl FnMut(u32)) -> f64 {
    let mut timed = |rounds: u32| {
        let start = Instant::now();
        run(rounds);
        start.elapsed()
    };
    let mut rounds = 1;
    while timed(rounds) < Duration::from_millis(5) {
        rounds *= 2;
    }
    let best = (0..30).map(|_| timed(rounds)).min().unwrap_or_default();
    best.as_secs_f64() * 1e9 / f64::from(rounds)
}

impl Ours {
    pub(crate) fn time(&self, row: Row, sample: &str) -> Option<f64> {
        let mut times = self.times.iter();
        times
            .find(|(r, s, _)| *r == row && *s == sample)
            .map(|t| t.2)
    }

    pub(crate) fn expect(&self, row: Row, sample: &str) -> f64 {
        let time = self.time(row, sample);
        time.unwrap_or_else(|| panic!("{} of {sample} was not measured", row.name()))
    }

    fn size(&self, sample: &str) -> (usize, usize) {
        let size = self.sizes.iter().find(|size| size.0 == sample);
        size.map(|size| (size.1, size.2)).expect("a sample")
    }

    pub(crate) fn bytes(&self, sample: &str) -> f64 {
        self.size(sample).0 as f64
    }

    pub(crate) fn per_value(&self, sample: &str) -> f64 {
        self.expect(Row::Index, sample) / self.size(sample).1 as f64
    }
}
