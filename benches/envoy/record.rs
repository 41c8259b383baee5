//! The answers of one connection: each call has exactly one. Pure.

use std::time::{Duration, Instant};

use crate::pace::Schedule;

/// How long each call took, by its number; from when it was due, not from when it was sent.
#[derive(Debug)]
pub(crate) struct Record {
    schedule: Schedule,
    took: Vec<Option<Duration>>,
    missing: usize,
}

impl Record {
    pub(crate) fn new(schedule: Schedule, calls: usize) -> Self {
        Self {
            schedule,
            took: vec![None; calls],
            missing: calls,
        }
    }

    /// Notes the answer to the `n`-th call.
    ///
    /// # Panics
    /// If nobody asked, or it is not the first.
    pub(crate) fn answered(&mut self, n: usize, now: Instant) {
        let calls = self.took.len();
        let took = self.took.get_mut(n);
        let took = took.unwrap_or_else(|| panic!("an answer to call {n} of {calls}"));
        let before = took.replace(now.saturating_duration_since(self.schedule.due(n)));
        assert!(before.is_none(), "a second answer to call {n}");
        self.missing -= 1;
    }

    /// Whether every call has its answer.
    pub(crate) fn is_complete(&self) -> bool {
        self.missing == 0
    }

    /// # Panics
    /// If an answer is missing.
    pub(crate) fn into_times(self) -> impl Iterator<Item = Duration> {
        assert!(self.is_complete(), "{} answers are missing", self.missing);
        self.took.into_iter().flatten()
    }
}
