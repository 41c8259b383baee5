//! The single writer: what the registries say becomes the snapshot that clients are served.
//!
//! ```text
//! events, answers, time ─→ Adapter ─Outcome→ Snapshot ─watch→ streams
//!                                    └→ telemetry, status
//! ```
//!
//! Owns the only task that changes anything. Whatever is ready when it wakes is one change: a burst
//! costs one rendering of each service and one snapshot, a lone event goes out at once.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use dubbo_registry::event::Event;
use dubbo_registry::removal::Time;
use futures::{FutureExt, Stream, StreamExt};
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use crate::adapter::{Adapter, Outcome};
use crate::snapshot::Snapshot;
use crate::status::Status;
use crate::telemetry::Telemetry;

/// Inputs that are taken in before anything is rendered, if that many are ready.
const BURST: usize = 8192;

/// Between two accounts of the refused providers while they keep changing: making one costs as much
/// as there are of them.
const STATUS_PAUSE: Duration = Duration::from_secs(1);

/// What the pipeline is told.
#[derive(Debug)]
pub enum Input {
    /// By a registry.
    Event(Event),
    /// By the resolver: the addresses of a host name, or why there are none.
    Resolved(Arc<str>, Result<Vec<IpAddr>, Arc<str>>),
}

/// Where it tells.
#[derive(Debug)]
pub struct Outputs {
    /// The published state; none until the registries were read completely.
    pub published: watch::Sender<Option<Arc<Snapshot>>>,
    /// Host names to be resolved.
    pub names: watch::Sender<BTreeSet<Arc<str>>>,
    /// The registries and what is refused, for people.
    pub status: watch::Sender<Arc<Status>>,
    /// Logs and metrics.
    pub telemetry: Telemetry,
}

/// Runs until the inputs end.
pub async fn run(adapter: Adapter, mut inputs: impl Stream<Item = Input> + Unpin, out: Outputs) {
    let mut pipeline = Pipeline {
        adapter,
        start: Instant::now(),
        snapshot: Snapshot::empty(),
        out,
        status_due: None,
    };
    loop {
        let input = match pipeline.next_wake() {
            Some(at) => timeout_at(at, inputs.next()).await.ok(),
            None => Some(inputs.next().await),
        };
        match input {
            Some(Some(input)) => pipeline.take(input),
            Some(None) => return,
            None => {}
        }
        for _ in 0..BURST {
            match inputs.next().now_or_never() {
                Some(Some(input)) => pipeline.take(input),
                _ => break,
            }
        }
        pipeline.turn();
    }
}

struct Pipeline {
    adapter: Adapter,
    start: Instant,
    snapshot: Snapshot,
    out: Outputs,
    /// When the status is to be told again, if it changed since.
    status_due: Option<Instant>,
}

impl Pipeline {
    fn now(&self) -> Time {
        Time(self.start.elapsed())
    }

    fn next_wake(&self) -> Option<Instant> {
        let adapter = self.adapter.next_wake().map(|at| self.start + at.0);
        adapter.into_iter().chain(self.status_due).min()
    }

    fn take(&mut self, input: Input) {
        match input {
            Input::Event(event) => {
                if self.out.telemetry.registry_said(&event) {
                    self.status_soon();
                }
                self.adapter.event(event, self.now());
            }
            Input::Resolved(name, answer) => self.adapter.resolved(&name, answer),
        }
    }

    fn turn(&mut self) {
        let outcome = self.adapter.outcome(self.now());
        if !outcome.is_empty() {
            self.publish(outcome);
        }
        if self.status_due.is_some_and(|due| due <= Instant::now()) {
            self.status_due = None;
            self.out
                .status
                .send_replace(Arc::new(Status::of(&self.adapter)));
        }
    }

    fn publish(&mut self, mut outcome: Outcome) {
        self.out.telemetry.outcome(&outcome);
        if let Some(names) = outcome.names.take() {
            self.out.names.send_replace(names);
        }
        if !outcome.unidentified.is_empty() {
            let hosts = self.adapter.unidentified().len();
            self.out.telemetry.unidentified(&outcome, hosts);
        }
        if outcome.refusals_changed || !outcome.unidentified.is_empty() {
            self.status_soon();
        }
        let (snapshot, counts) = self.snapshot.with(outcome.changes);
        if counts.is_empty() && !outcome.first {
            return;
        }
        self.snapshot = snapshot.clone();
        self.out.telemetry.published(&snapshot, counts);
        self.out.published.send_replace(Some(Arc::new(snapshot)));
    }

    /// At once after a quiet time, else when the pause is over.
    fn status_soon(&mut self) {
        let now = Instant::now();
        let told = self.out.status.borrow().told;
        let due = told.map_or(now, |told| (told + STATUS_PAUSE).max(now));
        self.status_due.get_or_insert(due);
    }
}
