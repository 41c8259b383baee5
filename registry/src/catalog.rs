//! Services to resources: what is decided for all services together, and what outlives a provider.
//!
//! ```text
//! changed services ─→ who has the host ─→ virtual addresses ─→ render each ─→ Update
//!                          kept ports, kept entries: tick ──────────┘
//! ```
//!
//! Owns the hosts: which service has which, its address, the ports that listen a while longer than
//! their last provider, the entries that stay when everybody has left. An endpoint that comes or
//! goes is cheap for istiod; a port or an entry that comes or goes makes every sidecar rebuild its
//! listeners, so those go late.

mod host;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use dubbo_codec::ServiceKey;

use self::host::{Dirty, Host};
use crate::mesh::Mesh;
use crate::parallel;
use crate::provider::Identity;
use crate::removal::Time;
use crate::resource::{Change, Reason, Refusal};
use crate::services::Services;
use crate::vip::{Move, Vips};

/// How long what istiod pays dearly for stays when nobody uses it any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holds {
    /// A port number without providers.
    pub port: Duration,
    /// An entry without endpoints.
    pub service: Duration,
}

impl Default for Holds {
    fn default() -> Self {
        Self {
            port: Duration::from_secs(24 * 3600),
            service: Duration::from_secs(3600),
        }
    }
}

/// Every service that has a host.
#[derive(Debug)]
pub struct Catalog {
    mesh: Arc<Mesh>,
    holds: Holds,
    hosts: HashMap<Arc<str>, Host>,
    vips: Vips,
    refused: BTreeMap<Arc<ServiceKey>, Vec<Refusal>>,
    /// By host: providers of unknown identity, which put out the check of all others.
    unidentified: BTreeMap<Arc<str>, Vec<Identity>>,
    wakes: BTreeSet<(Time, Arc<str>)>,
}

/// What became of a change.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Update {
    /// Objects that are new or different, and names of those that are gone.
    pub changes: Vec<Change>,
    /// Virtual addresses that changed.
    pub moves: Vec<Move>,
    /// Refusals that were not there before.
    pub refused: Vec<Refusal>,
    /// The set of refusals is another one, be it by some that went.
    pub refusals_changed: bool,
    /// Hosts whose providers of unknown identity are others now, and who they are.
    pub unidentified: Vec<(Arc<str>, Vec<Identity>)>,
}

impl Catalog {
    /// No services yet.
    pub fn new(mesh: Arc<Mesh>, holds: Holds) -> Self {
        Self {
            vips: Vips::new(mesh.vips.clone()),
            mesh,
            holds,
            hosts: HashMap::new(),
            refused: BTreeMap::new(),
            unidentified: BTreeMap::new(),
            wakes: BTreeSet::new(),
        }
    }

    /// Brings the resources of these services up to date.
    pub fn update(
        &mut self,
        services: &Services,
        changed: &BTreeSet<Arc<ServiceKey>>,
        now: Time,
    ) -> Update {
        let mut update = Update::default();
        let mut moves = Vec::new();
        let mut dirty: BTreeSet<Arc<str>> = BTreeSet::new();
        for key in changed {
            let name: Arc<str> = key.host().into();
            let wanted = services.contains(key);
            if !wanted && !self.hosts.contains_key(&name) {
                continue; // came and went before anybody looked
            }
            update.refusals_changed |= self.claim(&name, key, wanted);
            moves.extend(self.vips.insert(&name));
            dirty.insert(name);
        }
        update.moves = in_all(moves);
        dirty.extend(update.moves.iter().map(|m| m.host.clone()));
        self.show(dirty, services, now, &mut update);
        update
    }

    /// Lets time pass: drops the ports and the entries whose hold is over.
    pub fn tick(&mut self, services: &Services, now: Time) -> Update {
        let mut update = Update::default();
        let mut due = BTreeSet::new();
        while let Some((at, _)) = self.wakes.first()
            && *at <= now
            && let Some((_, host)) = self.wakes.pop_first()
        {
            due.insert(host);
        }
        let (mut gone, mut shown) = (Vec::new(), Vec::new());
        for name in due {
            let Some(host) = self.hosts.get_mut(&name) else {
                continue;
            };
            host.wake = None;
            if host
                .empty_since
                .is_some_and(|since| since.after(self.holds.service) <= now)
            {
                self.drop_host(&name, &mut update);
                gone.push(name);
            } else {
                shown.push(name);
            }
        }
        self.show(shown, services, now, &mut update);
        let moves = self.vips.remove(gone.iter().map(|name| &**name));
        let moved = moves.iter().map(|m| m.host.clone());
        self.show(moved, services, now, &mut update);
        update.moves = moves;
        update
    }

    /// When [`tick`](Self::tick) has something to do next.
    pub fn next_wake(&self) -> Option<Time> {
        self.wakes.first().map(|(at, _)| *at)
    }

    /// Every refusal.
    pub fn refused(&self) -> impl Iterator<Item = &Refusal> {
        self.refused.values().flatten()
    }

    /// Every host whose providers are not checked, since the identity of these is not known.
    pub fn unidentified(&self) -> impl ExactSizeIterator<Item = (&Arc<str>, &Vec<Identity>)> {
        self.unidentified.iter()
    }

    /// Takes note that a service wants its host, or does so no more. True if refusals went with it.
    fn claim(&mut self, name: &Arc<str>, key: &Arc<ServiceKey>, wanted: bool) -> bool {
        let host = self.hosts.entry(name.clone()).or_default();
        if wanted {
            host.claimants.insert(key.clone());
            return false;
        }
        host.claimants.remove(key);
        self.refused.remove(key).is_some()
    }

    /// Renders the services that have these hosts and publishes what is different.
    fn show(
        &mut self,
        names: impl IntoIterator<Item = Arc<str>>,
        services: &Services,
        now: Time,
        update: &mut Update,
    ) {
        let hosts = names.into_iter().filter_map(|name| self.begin(name, now));
        let hosts: Vec<Dirty> = hosts.collect();
        let rendered = parallel::map(&hosts, |dirty| dirty.render(services, &self.mesh));
        for (Dirty { name, mut host, .. }, rendered) in hosts.into_iter().zip(rendered) {
            if let (Some(key), Some(rendered)) = (host.shown.clone(), rendered) {
                host.note_ports(&rendered.ports, now);
                self.refuse(&key, rendered.refused, update);
                self.identify(&name, rendered.unidentified, update);
                update.changes.extend(host.publish(rendered.resources));
            }
            self.refuse_losers(&name, &host, services, update);
            self.schedule(&name, &mut host);
            self.hosts.insert(name, host);
        }
    }

    /// Takes a host out and settles who has it.
    fn begin(&mut self, name: Arc<str>, now: Time) -> Option<Dirty> {
        let mut host = self.hosts.remove(&name)?;
        let first = host.claimants.first().cloned();
        host.empty_since = if first.is_some() {
            None
        } else {
            host.empty_since.or(Some(now))
        };
        if let Some(first) = first
            && host.shown.as_ref() != Some(&first)
        {
            host.ports.clear();
            host.shown = Some(first);
        }
        host.ports
            .retain(|_, since| since.is_none_or(|since| since.after(self.holds.port) > now));
        let vip = self.vips.address(&name);
        Some(Dirty { name, host, vip })
    }

    /// The other services that want this host are refused with all their providers.
    fn refuse_losers(
        &mut self,
        name: &Arc<str>,
        host: &Host,
        services: &Services,
        update: &mut Update,
    ) {
        let Some(winner) = &host.shown else { return };
        for loser in host.claimants.iter().filter(|key| *key != winner) {
            let reason = Reason::HostTaken {
                host: name.clone(),
                by: winner.clone(),
            };
            let refusal = |id| Refusal {
                provider: id,
                reason: reason.clone(),
            };
            let refused = services
                .providers(loser)
                .map(|p| refusal(p.id.clone()))
                .collect();
            self.refuse(loser, refused, update);
        }
    }

    fn refuse(&mut self, key: &Arc<ServiceKey>, refused: Vec<Refusal>, update: &mut Update) {
        let old = self.refused.get(key).map_or(&[][..], Vec::as_slice);
        if *old != *refused {
            update.refusals_changed = true;
            let known: BTreeSet<&Refusal> = old.iter().collect();
            let news = refused.iter().filter(|refusal| !known.contains(refusal));
            update.refused.extend(news.cloned());
        }
        if refused.is_empty() {
            self.refused.remove(key);
        } else {
            self.refused.insert(key.clone(), refused);
        }
    }

    fn identify(&mut self, host: &Arc<str>, unknown: Vec<Identity>, update: &mut Update) {
        let old = self.unidentified.get(host).map_or(&[][..], Vec::as_slice);
        if *old == *unknown {
            return;
        }
        update.unidentified.push((host.clone(), unknown.clone()));
        if unknown.is_empty() {
            self.unidentified.remove(host);
        } else {
            self.unidentified.insert(host.clone(), unknown);
        }
    }

    /// Asks to be woken when the next hold of this host is over.
    fn schedule(&mut self, name: &Arc<str>, host: &mut Host) {
        if let Some(at) = host.wake.take() {
            self.wakes.remove(&(at, name.clone()));
        }
        let ports = host
            .ports
            .values()
            .flatten()
            .map(|since| since.after(self.holds.port))
            .min();
        let service = host
            .empty_since
            .map(|since| since.after(self.holds.service));
        host.wake = ports.into_iter().chain(service).min();
        if let Some(at) = host.wake {
            self.wakes.insert((at, name.clone()));
        }
    }

    fn drop_host(&mut self, name: &Arc<str>, update: &mut Update) {
        let Some(mut host) = self.hosts.remove(name) else {
            return;
        };
        update.changes.extend(host.publish(Vec::new()));
    }
}

/// Several moves of one host as one, from where it was before all of them: who joined and had to make
/// room in the same step has not moved for anybody.
fn in_all(moves: Vec<Move>) -> Vec<Move> {
    let mut net: BTreeMap<Arc<str>, Move> = BTreeMap::new();
    for m in moves {
        let known = net.entry(m.host.clone()).or_insert_with(|| m.clone());
        known.to = m.to;
    }
    net.into_values().filter(|m| m.from != m.to).collect()
}

#[cfg(test)]
mod tests;
