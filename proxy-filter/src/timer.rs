//! Deadlines: Envoy gives modules no timer, so one thread of ours waits for all of them.
//!
//! ```text
//! connection's thread ─wake(at)→ channel → timer thread: sleeps until the next ─commit→ Envoy's own loop
//!       ▲                                                                                   │
//!       └───────────────── on_network_filter_scheduled, on_http_filter_scheduled ────────────┘
//! ```
//! A wake-up may come late, twice, or for a deadline that is no longer wanted: who is woken looks at
//! the clock. Envoy drops none while the filter lives; should one be lost all the same, by a panic say,
//! then whatever happens next on the connection asks for another. The thread starts with the first
//! deadline and lives as long as the process (`build.rs` keeps its code in place).

use std::cell::Cell;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SendError, Sender, channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};

use crate::envoy::{Level, Scheduler, log};
use crate::guard::guard;

/// The event that a filter's hook `scheduled` gets for a deadline.
pub(crate) const DEADLINE: u64 = 1;
/// How late a wake-up is, in milliseconds, when it is taken for lost.
const LOST: u64 = 1000;

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

/// The next wake-up of one connection, of one kind.
#[derive(Debug, Default)]
pub(crate) struct Alarm(Cell<Option<u64>>);

impl Alarm {
    /// Has the filter woken at `deadline`, unless it will be woken by then anyway.
    pub(crate) fn set(&self, deadline: Option<u64>, now: u64, scheduler: &Arc<Scheduler>) {
        if let Some(deadline) = deadline {
            self.ask(deadline, now, || wake(deadline, scheduler));
        }
    }

    /// Has the filter woken with `event` as soon as what is on the stack has returned.
    pub(crate) fn set_now(&self, now: u64, event: u64, scheduler: &Scheduler) {
        self.ask(now, now, || {
            scheduler.commit(event);
            true
        });
    }

    /// Asks for a wake-up unless one is to come by `deadline`; `post` says whether it will.
    fn ask(&self, deadline: u64, now: u64, post: impl FnOnce() -> bool) {
        let comes = |set: u64| set <= deadline && now < set.saturating_add(LOST);
        if !self.0.get().is_some_and(comes) {
            self.0.set(post().then_some(deadline));
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
    let body = move || {
        let mut waiting = BinaryHeap::new();
        let mut turn = || wait(&receiver, &mut waiting, |who| who.commit(DEADLINE));
        // A panic costs the one wake-up that it happened in.
        while !guard(&mut turn, || false, false) {}
    };
    match thread.spawn(body) {
        Ok(_) => Some(sender),
        Err(error) => {
            log(Level::Error, || {
                format!("dubbo: no thread for timers: {error}")
            });
            None
        }
    }
}

/// Waits for what is in `waiting` and what comes, until nobody can ask for anything any longer: then it
/// returns true.
fn wait(
    wakes: &Receiver<Wake>,
    waiting: &mut BinaryHeap<Reverse<Wake>>,
    ring: impl Fn(&Scheduler),
) -> bool {
    loop {
        let now = now();
        while waiting.peek().is_some_and(|Reverse(wake)| wake.at <= now) {
            if let Some(scheduler) = waiting.pop().and_then(|Reverse(wake)| wake.who.upgrade()) {
                ring(&scheduler);
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
            Err(RecvTimeoutError::Disconnected) => return true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Which of these the alarm asks for, each a deadline and what time it is.
    fn asked(alarm: &Alarm, deadlines: &[(u64, u64)]) -> Vec<u64> {
        let mut posted = vec![];
        for (deadline, now) in deadlines {
            alarm.ask(*deadline, *now, || {
                posted.push(*deadline);
                true
            });
        }
        posted
    }

    #[test]
    fn one_wake_up_is_asked_for_and_another_if_it_is_lost() {
        let alarm = Alarm::default();
        // A later one need not be asked for until the earlier has come; an earlier one must.
        assert_eq!(
            asked(&alarm, &[(500, 0), (900, 1), (300, 2), (300, 3)]),
            [500, 300]
        );
        // It is late, which happens; then it is lost.
        assert_eq!(asked(&alarm, &[(5000, 300), (5000, 1299)]), [0; 0]);
        assert_eq!(asked(&alarm, &[(5000, 1300), (5000, 1301)]), [5000]);
        // The lost one comes after all.
        alarm.went_off(1400);
        assert_eq!(asked(&alarm, &[(5000, 1400)]), [0; 0]);
        alarm.went_off(5000);
        assert_eq!(asked(&alarm, &[(9000, 5000)]), [9000]);
    }

    #[test]
    fn what_could_not_be_asked_for_is_asked_for_again() {
        let alarm = Alarm::default();
        alarm.ask(500, 0, || false);
        assert_eq!(asked(&alarm, &[(500, 0)]), [500]);
    }

    #[test]
    fn a_panic_costs_one_wake_up() {
        let (sender, receiver) = channel();
        let schedulers = [Arc::new(Scheduler::gone()), Arc::new(Scheduler::gone())];
        for scheduler in &schedulers {
            let who = Arc::downgrade(scheduler);
            sender.send(Wake { at: 0, who }).unwrap();
        }
        drop(sender);
        let (mut waiting, rung) = (BinaryHeap::new(), Cell::new(0));
        let mut turn = || {
            wait(&receiver, &mut waiting, |_| {
                rung.set(rung.get() + 1);
                assert!(rung.get() > 1, "as intended");
            })
        };
        assert!(!guard(&mut turn, || false, false));
        assert!(guard(&mut turn, || false, false));
        assert_eq!(rung.get(), 2);
    }
}
