//! How long a call waits for its cluster, when it looks again, and when it begins anew.
//!
//! This file owns the times alone; it must not know what a cluster is. Times are milliseconds of one
//! clock that never goes back, and are passed in.
//!
//! ```text
//! 0 2 4 6 9 13 19 28 42 63 … +50 …            looks: is the cluster there now?
//!                 28      … 3 times as late    beginnings anew: is there another route by now?
//!                                      1000   the last of both; what comes then is not held
//! ```
//! A request keeps the table of routes that it began with, so a look finds a cluster that came, and only
//! a beginning anew finds another route. Such a beginning is seen from outside (access log), so there
//! are few.

use crate::Millis;

/// The shortest and the longest time between two looks.
const BETWEEN_LOOKS: (Millis, Millis) = (2, 50);
/// A call that has not waited for this long does not begin anew.
const FIRST_ANEW: Millis = 25;
/// How much later it does so again.
const LATER: Millis = 3;
/// How much longer than the call did that waited in vain nobody else waits for the same host.
const UNHELD: Millis = 10;
/// Hosts that are remembered for that.
const HOSTS: usize = 64;

/// A call that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hold {
    since: Millis,
    until: Millis,
    anew_at: Millis,
}

impl Hold {
    /// For a call that waits from `now` on, for `patience` at most, or has begun anew and had waited
    /// from `since` on before. `None` if its time is up.
    pub fn new(now: Millis, since: Option<Millis>, patience: Millis) -> Option<Self> {
        let since = since.unwrap_or(now).min(now);
        let waited = now - since;
        let hold = Self {
            since,
            until: since.saturating_add(patience),
            anew_at: since + (LATER * waited).max(FIRST_ANEW),
        };
        (!hold.is_over(now)).then_some(hold)
    }

    /// When it began to wait.
    pub fn since(self) -> Millis {
        self.since
    }

    /// Whether its time is up.
    pub fn is_over(self, now: Millis) -> bool {
        now >= self.until
    }

    /// When to look again.
    pub fn next_look(self, now: Millis) -> Millis {
        let (shortest, longest) = BETWEEN_LOOKS;
        let step = (now.saturating_sub(self.since) / 2).clamp(shortest, longest);
        (now + step).min(self.until)
    }

    /// Whether it should begin anew, which is asked for once.
    pub fn takes_anew(&mut self, now: Millis) -> bool {
        let due = now >= self.anew_at;
        if due {
            self.anew_at = self.since + LATER * (now - self.since);
        }
        due
    }
}

/// Hosts that were waited for in vain: nobody waits for them for a while, so that what is wrong for
/// long fails at once.
#[derive(Debug)]
pub struct Vain {
    /// A hash of each, and until when it is not waited for.
    hosts: Vec<(u64, Millis)>,
}

impl Vain {
    /// None.
    pub const fn new() -> Self {
        Self { hosts: Vec::new() }
    }

    /// A call to `host` has waited for `patience` in vain, up to `now`.
    pub fn add(&mut self, host: u64, now: Millis, patience: Millis) {
        self.hosts
            .retain(|(other, until)| *other != host && *until > now);
        if self.hosts.len() == HOSTS {
            self.hosts.remove(0);
        }
        self.hosts.push((host, now + UNHELD * patience));
    }

    /// Whether `host` is not waited for.
    pub fn has(&self, host: u64, now: Millis) -> bool {
        let mut hosts = self.hosts.iter();
        hosts.any(|(other, until)| *other == host && *until > now)
    }
}

impl Default for Vain {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a call does whose cluster never comes, by when; `slow` is how late each wake-up is.
    fn waits(slow: Millis) -> (Vec<Millis>, Vec<Millis>) {
        let (mut looks, mut anew) = (Vec::new(), Vec::new());
        let mut now = 100;
        let mut hold = Hold::new(now, None, 1000).unwrap();
        loop {
            now = hold.next_look(now) + slow;
            if hold.is_over(now) {
                looks.push(now - 100);
                return (looks, anew);
            }
            if hold.takes_anew(now) {
                anew.push(now - 100);
                hold = Hold::new(now, Some(hold.since()), 1000).unwrap();
            }
            looks.push(now - 100);
        }
    }

    #[test]
    fn it_looks_often_at_first_and_begins_anew_a_few_times() {
        let (looks, anew) = waits(0);
        assert_eq!(looks[..10], [2, 4, 6, 9, 13, 19, 28, 42, 63, 94]);
        assert_eq!(looks.last(), Some(&1000));
        assert!(looks.len() < 32, "{looks:?}");
        assert_eq!(anew, [28, 94, 291, 891]);
    }

    #[test]
    fn a_slow_clock_ends_it_all_the_same() {
        let (looks, anew) = waits(700);
        assert_eq!((looks, anew), (vec![702, 1452], vec![702]));
    }

    #[test]
    fn its_time_runs_on_when_it_begins_anew() {
        assert_eq!(Hold::new(500, Some(100), 400), None);
        assert_eq!(Hold::new(500, None, 0), None);
        let hold = Hold::new(499, Some(100), 400).unwrap();
        assert_eq!((hold.since(), hold.next_look(499)), (100, 500));
        // A time to come is none of ours.
        assert_eq!(Hold::new(500, Some(9999), 400), Hold::new(500, None, 400));
    }

    #[test]
    fn what_could_not_begin_anew_asks_again_later() {
        let mut hold = Hold::new(0, None, 1000).unwrap();
        let asks = [24, 25, 26, 74, 75, 224, 225].map(|now| hold.takes_anew(now));
        assert_eq!(asks, [false, true, false, false, true, false, true]);
    }

    #[test]
    fn a_host_is_not_waited_for_after_it_was_in_vain() {
        let mut vain = Vain::new();
        vain.add(7, 1000, 100);
        assert!(vain.has(7, 1999) && !vain.has(7, 2000) && !vain.has(8, 1500));
        for host in 100..164 {
            vain.add(host, 1500, 100);
        }
        assert!(!vain.has(7, 1501) && vain.has(100, 1501) && vain.has(163, 1501));
        assert_eq!(vain.hosts.len(), HOSTS);
        vain.add(1, 9999, 100);
        assert_eq!(vain.hosts.len(), 1);
    }
}
