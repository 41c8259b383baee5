//! Deadlines: Envoy gives modules no timer, so one thread of ours waits for all of them.
//!
//! ```text
//! connection's thread ─wake(at)→ channel → timer thread: sleeps until the next ─commit→ Envoy's own loop
//!       ▲                                                                                   │
//!       └───────────────── on_network_filter_scheduled, on_http_filter_scheduled ────────────┘
//! ```
//! A wake-up may come late, twice, or for a deadline that is no longer wanted: who is woken looks at
//! the clock. The thread starts with the first deadline and lives as long as the process (`build.rs`
//! keeps its code in place).

use std::cell::Cell;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SendError, Sender, channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};

use crate::envoy::{Level, Scheduler, log};

/// The event that a filter's hook `scheduled` gets for a deadline.
pub(crate) const DEADLINE: u64 = 1;

/// Milliseconds since this module first looked at the clock; it never goes back.
pub(crate) fn now() -> u64 {
    millis(Instant::now())
}

fn start() -> Instant {
    static START: OnceLock<Instant> = OnceLock::new();
    *START.get_or_init(Instant::now)
}

fn millis(at: Instant) -> u64 {
    at.saturating_duration_since(start()).as_millis() as u64
}

/// The next wake-up of one connection.
#[derive(Debug, Default)]
pub(crate) struct Alarm(Cell<Option<u64>>);

impl Alarm {
    /// Has the filter woken at `deadline`, unless it will be woken by then anyway.
    pub(crate) fn set(&self, deadline: Option<u64>, scheduler: &Arc<Scheduler>) {
        let Some(deadline) = deadline else { return };
        if self.0.get().is_none_or(|set| deadline < set) && wake(deadline, scheduler) {
            self.0.set(Some(deadline));
        }
    }

    /// To be called when one has gone off at `now`. One that an earlier one took the place of may still
    /// be to come: it is not the end of that.
    pub(crate) fn went_off(&self, now: u64) {
        if self.0.get().is_some_and(|at| at <= now) {
            self.0.set(None);
        }
    }
}

/// A deadline of a connection that may be gone by then. Ordered by time alone.
struct Wake {
    at: u64,
    who: Weak<Scheduler>,
}

impl PartialEq for Wake {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at
    }
}
impl Eq for Wake {}
impl PartialOrd for Wake {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Wake {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.at.cmp(&other.at)
    }
}

/// Has the filter woken once, at `at`. False if there is no thread and none can be started now: whoever
/// asks next tries again.
pub(crate) fn wake(at: u64, scheduler: &Arc<Scheduler>) -> bool {
    static THREAD: Mutex<Option<Sender<Wake>>> = Mutex::new(None);
    let mut thread = THREAD.lock().unwrap_or_else(PoisonError::into_inner);
    let who = Arc::downgrade(scheduler);
    let mut wake = Wake { at, who };
    if let Some(there) = &*thread {
        match there.send(wake) {
            Ok(()) => return true,
            Err(SendError(unsent)) => wake = unsent,
        }
    }
    *thread = begin();
    thread.as_ref().is_some_and(|new| new.send(wake).is_ok())
}

fn begin() -> Option<Sender<Wake>> {
    let (sender, receiver) = channel();
    let thread = std::thread::Builder::new().name("dubbo_timer".to_owned());
    match thread.spawn(move || wait(&receiver)) {
        Ok(_) => Some(sender),
        Err(error) => {
            log(Level::Error, || {
                format!("dubbo: no thread for timers: {error}")
            });
            None
        }
    }
}

fn wait(wakes: &Receiver<Wake>) {
    let mut waiting = BinaryHeap::new();
    loop {
        let now = now();
        while waiting
            .peek()
            .is_some_and(|Reverse(wake): &Reverse<Wake>| wake.at <= now)
        {
            if let Some(scheduler) = waiting.pop().and_then(|Reverse(wake)| wake.who.upgrade()) {
                scheduler.commit(DEADLINE);
            }
        }
        let next = waiting
            .peek()
            .map(|Reverse(wake)| wake.at.saturating_sub(now));
        let received = match next {
            Some(left) => wakes.recv_timeout(Duration::from_millis(left)),
            None => wakes.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        match received {
            Ok(wake) => waiting.push(Reverse(wake)),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}
