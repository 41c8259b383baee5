//! Calls that Envoy takes no stream for yet, in the order in which they came. They keep their frames and
//! their callers' deadlines; headers are made anew when a stream is there.

use std::collections::VecDeque;

use crate::request::Call;
use crate::translate::Millis;

/// A call that waits for a stream.
#[derive(Debug)]
pub(super) struct Queued {
    pub(super) call: Call,
    pub(super) frame: Vec<u8>,
    pub(super) since: Millis,
    pub(super) deadline: Option<Millis>,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Queue {
    calls: VecDeque<Queued>,
    bytes: usize,
    two_way: usize,
    /// No deadline is before this.
    earliest: Option<Millis>,
}

impl Queue {
    pub(super) fn push(&mut self, queued: Queued) {
        self.bytes += queued.frame.len();
        self.two_way += usize::from(queued.call.two_way());
        self.earliest = self.earliest.into_iter().chain(queued.deadline).min();
        self.calls.push_back(queued);
    }

    /// The one that came first.
    pub(super) fn pop(&mut self) -> Option<Queued> {
        let queued = self.calls.pop_front()?;
        self.left(&queued);
        Some(queued)
    }

    /// Those whose time is up.
    pub(super) fn expired(&mut self, now: Millis) -> Vec<Queued> {
        let is_up = |queued: &Queued| queued.deadline.is_some_and(|at| at <= now);
        let (up, rest): (Vec<_>, Vec<_>) = self.calls.drain(..).partition(is_up);
        self.calls = rest.into();
        up.iter().for_each(|queued| self.left(queued));
        self.earliest = self.calls.iter().filter_map(|queued| queued.deadline).min();
        up
    }

    fn left(&mut self, queued: &Queued) {
        self.bytes -= queued.frame.len();
        self.two_way -= usize::from(queued.call.two_way());
        if self.calls.is_empty() {
            self.earliest = None;
        }
    }

    pub(super) fn len(&self) -> usize {
        self.calls.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    /// Bytes of their frames.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Those whose caller waits.
    pub(super) const fn waiting(&self) -> usize {
        self.two_way
    }

    /// No deadline is before this.
    pub(super) const fn earliest(&self) -> Option<Millis> {
        self.earliest
    }
}
