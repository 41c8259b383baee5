//! When a removal is believed.
//!
//! A registry entry that goes is often on its way back: Dubbo writes a weight change as delete and
//! create, a restart takes the old entry away and brings a new one, a session that expires is made
//! again. So a provider that is gone stays for [`Policy::delay`]; if it is back by then, nothing
//! has happened but an update. Only a registry that is followed may remove: what falls due while
//! its source is not live waits for the source.
//!
//! Pure: time is an argument. What would take much of a service or of a registry at once is to be
//! held here as well.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use dubbo_codec::ServiceKey;

use crate::provider::Identity;

/// Time since some fixed moment, on a clock that never goes back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(pub Duration);

impl Time {
    /// This much later.
    pub fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration))
    }
}

/// What is configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// How long a provider that is gone stays published. A provider that is shut down in order
    /// waits ten seconds after it took its entry away (Dubbo's `dubbo.service.shutdown.wait`).
    pub delay: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            delay: Duration::from_secs(1),
        }
    }
}

/// Providers that are gone from their registries and not yet from the mesh.
#[derive(Clone, Debug, Default)]
pub struct Departures {
    due: BTreeSet<(Time, Departure)>,
    of: BTreeMap<Departure, Time>,
}

/// A provider of a service.
pub type Departure = (Arc<ServiceKey>, Identity);

impl Departures {
    /// `who` is gone and will be believed to be at `due`.
    pub fn schedule(&mut self, who: Departure, due: Time) {
        self.cancel(&who);
        self.of.insert(who.clone(), due);
        self.due.insert((due, who));
    }

    /// `who` is back. True if it was on its way out.
    pub fn cancel(&mut self, who: &Departure) -> bool {
        match self.of.remove(who) {
            Some(due) => self.due.remove(&(due, who.clone())),
            None => false,
        }
    }

    /// Takes out those that are due at `now`.
    pub fn take_due(&mut self, now: Time) -> Vec<Departure> {
        let mut taken = Vec::new();
        while let Some((due, _)) = self.due.first()
            && *due <= now
            && let Some((_, who)) = self.due.pop_first()
        {
            self.of.remove(&who);
            taken.push(who);
        }
        taken
    }

    /// When the next one is due.
    pub fn next(&self) -> Option<Time> {
        self.due.first().map(|(due, _)| *due)
    }
}
