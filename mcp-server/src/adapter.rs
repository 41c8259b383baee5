//! Registries to resources, as one value: events in, outcomes out.
//!
//! ```text
//! Event ──→ Services ──→ changed services ──→ Catalog ──→ Outcome (changed resources, and what to say)
//!                          │ not complete yet: wait
//! ```
//!
//! Owns the order in which the pure stages run and the gate in front of them: nothing is rendered
//! before every registry was read completely once and every host name in them was asked for once,
//! or an endpoint would be gone for a moment at each restart. Pure: time is an argument; who waits, publishes
//! and logs is [`pipeline`](crate::pipeline).

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use dubbo_codec::ServiceKey;
use dubbo_registry::catalog::{Catalog, Update};
use dubbo_registry::event::{Event, Rejection};
use dubbo_registry::mesh::Mesh;
use dubbo_registry::provider::Identity;
use dubbo_registry::removal::Time;
use dubbo_registry::resource::{Change, Refusal, Resource, envoy_filter};
use dubbo_registry::services::{Changes, Services};
use dubbo_registry::vip::Move;

use crate::config::{Config, HostNames};

/// How long the first state waits for the answers to host names.
const NAMES_PATIENCE: Duration = Duration::from_secs(10);

/// The state of the adapter.
#[derive(Debug)]
pub struct Adapter {
    services: Services,
    catalog: Catalog,
    mesh: Arc<Mesh>,
    host_names: HostNames,
    /// Services that changed and are not rendered yet.
    dirty: BTreeSet<Arc<ServiceKey>>,
    news: Outcome,
    published: bool,
    /// When the first state is published without the answers that are missing then.
    names_due: Option<Time>,
}

/// What came of the inputs since the last outcome.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// The first complete state; it is to be published even if it changes nothing.
    pub first: bool,
    /// Resources that are new, different or gone.
    pub changes: Vec<Change>,
    /// Entries of registries that are refused and were not before.
    pub rejected: Vec<Rejection>,
    /// Providers that are refused and were not before.
    pub refused: Vec<Refusal>,
    /// Virtual addresses that changed, those of new hosts left out.
    pub moves: Vec<Move>,
    /// Providers that came.
    pub arrived: usize,
    /// Providers that left.
    pub left: usize,
    /// What is refused is something else now, be it by what went.
    pub refusals_changed: bool,
    /// Hosts whose providers of unknown identity are others now, and who they are.
    pub unidentified: Vec<(Arc<str>, Vec<Identity>)>,
    /// The host names to be resolved now, if they are others than before.
    pub names: Option<BTreeSet<Arc<str>>>,
}

impl Adapter {
    /// Nothing known of any registry yet.
    pub fn new(config: &Config) -> Self {
        let sources = config.registries.iter().map(|registry| registry.id());
        let services = Services::new(sources, config.removal);
        Self {
            services: match config.host_names {
                HostNames::Resolve(_) => services,
                HostNames::Refuse => services.refusing_names(),
            },
            catalog: Catalog::new(config.mesh.clone(), config.holds),
            mesh: config.mesh.clone(),
            host_names: config.host_names,
            dirty: BTreeSet::new(),
            news: Outcome::default(),
            published: false,
            names_due: None,
        }
    }

    /// The services behind it.
    pub fn services(&self) -> &Services {
        &self.services
    }

    /// Every provider that is refused now.
    pub fn refused(&self) -> impl Iterator<Item = &Refusal> {
        self.catalog.refused()
    }

    /// Every host whose callers do not check who answers, and the providers that this is due to.
    pub fn unidentified(&self) -> impl ExactSizeIterator<Item = (&Arc<str>, &Vec<Identity>)> {
        self.catalog.unidentified()
    }

    /// Takes in what a registry says.
    pub fn event(&mut self, event: Event, now: Time) {
        let changes = self.services.apply(event, now);
        self.note(changes);
    }

    /// Takes in what a host name resolved to.
    pub fn resolved(&mut self, name: &str, answer: Result<Vec<IpAddr>, Arc<str>>) {
        let changes = self.services.resolved(name, answer);
        self.note(changes);
    }

    /// Renders what changed and tells it.
    pub fn outcome(&mut self, now: Time) -> Outcome {
        let passed = self.services.tick(now);
        self.note(passed);
        if !self.services.complete() || self.awaits_names(now) {
            let names = self.news.names.take();
            return Outcome {
                names,
                ..Outcome::default()
            };
        }
        let mut outcome = std::mem::take(&mut self.news);
        outcome.first = !std::mem::replace(&mut self.published, true);
        if outcome.first {
            let filters = envoy_filter::render(&self.mesh);
            outcome.changes.extend(
                filters
                    .iter()
                    .map(|object| Change::from(Resource::from(object))),
            );
        }
        let dirty = std::mem::take(&mut self.dirty);
        outcome.add(self.catalog.update(&self.services, &dirty, now));
        outcome.add(self.catalog.tick(&self.services, now));
        outcome
    }

    /// When [`outcome`](Self::outcome) has something to tell without an input.
    pub fn next_wake(&self) -> Option<Time> {
        let names_due = self.names_due.filter(|_| !self.published);
        let stages = [self.services.next_wake(), self.catalog.next_wake()];
        stages.into_iter().chain([names_due]).flatten().min()
    }

    /// Whether the first state is held back for host names.
    fn awaits_names(&mut self, now: Time) -> bool {
        let resolves = matches!(self.host_names, HostNames::Resolve(_));
        if self.published || !resolves || !self.services.awaits_names() {
            return false;
        }
        let due = *self
            .names_due
            .get_or_insert_with(|| now.after(NAMES_PATIENCE));
        now < due
    }

    fn note(&mut self, changes: Changes) {
        self.dirty.extend(changes.services);
        self.news.rejected.extend(changes.rejected);
        self.news.arrived += changes.arrived;
        self.news.left += changes.left;
        self.news.refusals_changed |= changes.rejections_changed;
        if changes.names && matches!(self.host_names, HostNames::Resolve(_)) {
            self.news.names = Some(self.services.names());
        }
    }
}

impl Outcome {
    /// Whether there is nothing to publish and nothing to say.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    fn add(&mut self, update: Update) {
        self.changes.extend(update.changes);
        self.refused.extend(update.refused);
        self.refusals_changed |= update.refusals_changed;
        self.unidentified.extend(update.unidentified);
        self.moves
            .extend(update.moves.into_iter().filter(|m| m.from.is_some()));
    }
}

#[cfg(test)]
mod tests;
