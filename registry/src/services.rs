//! All registries as one set of services: the state of the adapter.
//!
//! ```text
//! Event ─apply→ claims of each source ─→ providers of each service ─→ Changes (which services)
//!                                                 ↑
//!                              tick: departures that are due
//! ```
//!
//! Owns who is there, and when somebody is believed to be gone. Knows nothing of Istio. Time is an
//! argument. The result depends on what the registries say, never on the order in which they said
//! it.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use dubbo_codec::ServiceKey;

use crate::event::{Event, News, ProviderList, Rejection, SourceId, SourceState};
use crate::names::Names;
use crate::provider::{Host, Identity, Provider};
use crate::removal::{Departures, Policy, Time};
use crate::resource::service_entry::Member;
use crate::resource::{Reason, Refusal};

/// Every service of every registry.
#[derive(Debug)]
pub struct Services {
    policy: Policy,
    sources: BTreeMap<SourceId, Source>,
    services: HashMap<Arc<ServiceKey>, BTreeMap<Identity, Known>>,
    departures: Departures,
    names: Names,
    refuse_names: bool,
}

/// What an event or the passing of time changed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Changes {
    /// Services whose providers are different now.
    pub services: BTreeSet<Arc<ServiceKey>>,
    /// Entries that are refused and were not before.
    pub rejected: Vec<Rejection>,
    /// The set of refused entries and unreadable lists is another one, be it by some that went.
    pub rejections_changed: bool,
    /// Providers that are there and were not before.
    pub arrived: usize,
    /// Providers that were there and are not any more.
    pub left: usize,
    /// The set of host names to be resolved is another one.
    pub names: bool,
}

/// One registry.
#[derive(Debug)]
struct Source {
    state: SourceState,
    /// Was read completely at least once.
    complete: bool,
    lists: HashMap<Arc<str>, Arc<ProviderList>>,
    /// Lists that cannot be read, and why.
    unreadable: BTreeMap<Arc<str>, Arc<str>>,
    /// What a reading under way has brought so far.
    reading: Option<HashMap<Arc<str>, Read>>,
    /// Departures that fell due while this source was not live.
    waiting: Vec<(Arc<ServiceKey>, Identity)>,
}

#[derive(Debug)]
enum Read {
    Providers(ProviderList),
    Unreadable(Arc<str>),
}

/// A provider, as every source that has it describes it.
#[derive(Debug)]
struct Known {
    /// The description that holds: the latest start, then the largest, whoever said it first.
    shown: Arc<Provider>,
    claims: Vec<(SourceId, Arc<Provider>)>,
    /// The last source that had it, while nobody has it.
    left: Option<SourceId>,
}

impl Services {
    /// Nothing known yet of these registries.
    pub fn new(sources: impl IntoIterator<Item = SourceId>, policy: Policy) -> Self {
        let sources = sources.into_iter().map(|id| (id, Source::new())).collect();
        Self {
            policy,
            sources,
            services: HashMap::new(),
            departures: Departures::default(),
            names: Names::default(),
            refuse_names: false,
        }
    }

    /// Providers that registered a host name are refused instead of resolved.
    pub fn refusing_names(self) -> Self {
        Self {
            refuse_names: true,
            ..self
        }
    }

    /// Whether every registry was read completely at least once. Before that nothing may be
    /// published: what is not known yet would look as if it were gone.
    pub fn complete(&self) -> bool {
        self.sources.values().all(|source| source.complete)
    }

    /// The state of each registry.
    pub fn states(&self) -> impl Iterator<Item = (&SourceId, &SourceState)> {
        self.sources.iter().map(|(id, source)| (id, &source.state))
    }

    /// Every entry that is refused.
    pub fn rejected(&self) -> impl Iterator<Item = (&SourceId, &Rejection)> {
        self.sources.iter().flat_map(|(id, source)| {
            source
                .lists
                .values()
                .flat_map(move |list| list.rejected.iter().map(move |r| (id, r)))
        })
    }

    /// Every list that cannot be read, with the reason.
    pub fn unreadable(&self) -> impl Iterator<Item = (&Arc<str>, &Arc<str>)> {
        self.sources.values().flat_map(|source| &source.unreadable)
    }

    /// Every service that has a provider, in no order.
    pub fn keys(&self) -> impl Iterator<Item = &Arc<ServiceKey>> {
        self.services.keys()
    }

    /// Whether a service has a provider.
    pub fn contains(&self, key: &ServiceKey) -> bool {
        self.services.contains_key(key)
    }

    /// The providers of a service, sorted.
    pub fn providers(&self, key: &ServiceKey) -> impl Iterator<Item = &Arc<Provider>> {
        let known = self
            .services
            .get(key)
            .into_iter()
            .flat_map(BTreeMap::values);
        known.map(|known| &known.shown)
    }

    /// The providers of a service at their addresses, sorted, and those without an address.
    pub fn members(&self, key: &ServiceKey) -> (Vec<Member>, Vec<Refusal>) {
        let (mut members, mut refused) = (Vec::new(), Vec::new());
        for known in self
            .services
            .get(key)
            .into_iter()
            .flat_map(BTreeMap::values)
        {
            let provider = &known.shown;
            let mut at = |ip: IpAddr| {
                members.push(Member {
                    provider: provider.clone(),
                    ip,
                })
            };
            match &provider.id.host {
                Host::Ip(ip) => at(*ip),
                Host::Name(name) => match self.names.addresses(name) {
                    Ok(ips) => ips.for_each(at),
                    Err(reason) => refused.push(Refusal {
                        provider: provider.id.clone(),
                        reason: match self.refuse_names {
                            true => Reason::HostName,
                            false => Reason::Unresolved(reason),
                        },
                    }),
                },
            }
        }
        (members, refused)
    }

    /// Whether some host name was not answered yet, neither with addresses nor with a failure.
    pub fn awaits_names(&self) -> bool {
        self.names.awaits_answers()
    }

    /// Host names that providers registered and that are to be resolved.
    pub fn names(&self) -> BTreeSet<Arc<str>> {
        self.names.wanted()
    }

    /// What a host name resolved to, or why it could not be. A failure takes nothing away.
    pub fn resolved(&mut self, name: &str, answer: Result<Vec<IpAddr>, Arc<str>>) -> Changes {
        Changes {
            services: self.names.answered(name, answer),
            ..Changes::default()
        }
    }

    /// Takes in what a registry says. Events of a registry that is not configured are ignored.
    pub fn apply(&mut self, event: Event, now: Time) -> Changes {
        let mut changes = Changes::default();
        let Some(source) = self.sources.get_mut(&event.source) else {
            return changes;
        };
        match event.news {
            News::State(state) => self.turn(&event.source, state, now),
            News::Restarted => source.reading = Some(HashMap::new()),
            News::Providers(list) => match &mut source.reading {
                Some(reading) => {
                    reading.insert(list.list.clone(), Read::Providers(list));
                }
                None => self.replace(&event.source, list, now, &mut changes),
            },
            News::Unreadable { list, reason } => match &mut source.reading {
                Some(reading) => {
                    reading.insert(list, Read::Unreadable(reason));
                }
                None => changes.rejections_changed |= source.cannot_read(list, reason),
            },
            News::Synced => self.finish_reading(&event.source, now, &mut changes),
        }
        changes
    }

    /// Lets time pass: believes the departures that are due.
    pub fn tick(&mut self, now: Time) -> Changes {
        let mut changes = Changes::default();
        for (key, id) in self.departures.take_due(now) {
            let Some(members) = self.services.get_mut(&key) else {
                continue;
            };
            // Back while its departure waited for a source.
            let Some(left) = members.get(&id).and_then(|known| known.left.clone()) else {
                continue;
            };
            if let Some(source) = self.sources.get_mut(&left)
                && source.state != SourceState::Live
            {
                source.waiting.push((key, id));
                continue;
            }
            members.remove(&id);
            if members.is_empty() {
                self.services.remove(&key);
            }
            changes.names |= self.names.forget(&id);
            changes.left += 1;
            changes.services.insert(key);
        }
        changes
    }

    /// When [`tick`](Self::tick) has something to do next.
    pub fn next_wake(&self) -> Option<Time> {
        self.departures.next()
    }

    /// A source that is live again gives what waited for it a whole delay to come back.
    fn turn(&mut self, id: &SourceId, state: SourceState, now: Time) {
        let Some(source) = self.sources.get_mut(id) else {
            return;
        };
        source.state = state;
        if source.state == SourceState::Live {
            for departure in std::mem::take(&mut source.waiting) {
                self.departures
                    .schedule(departure, now.after(self.policy.delay));
            }
        }
    }

    /// Everything that the reading brought is now so; what it did not name is gone.
    fn finish_reading(&mut self, id: &SourceId, now: Time, changes: &mut Changes) {
        let Some(source) = self.sources.get_mut(id) else {
            return;
        };
        let Some(reading) = source.reading.take() else {
            return;
        };
        source.complete = true;
        let unreadable = std::mem::take(&mut source.unreadable);
        let gone: Vec<_> = source
            .lists
            .keys()
            .filter(|list| !reading.contains_key(*list))
            .cloned()
            .collect();
        let mut lists = Vec::new();
        for (name, read) in reading {
            match read {
                Read::Providers(list) => lists.push(list),
                Read::Unreadable(reason) => drop(source.cannot_read(name, reason)),
            }
        }
        changes.rejections_changed |= source.unreadable != unreadable;
        for list in lists {
            self.replace(id, list, now, changes);
        }
        for list in gone {
            let nothing = ProviderList {
                list,
                providers: Vec::new(),
                rejected: Vec::new(),
            };
            self.replace(id, nothing, now, changes);
        }
    }

    /// One list of one source is now this: first what is there, then what is not there any more, so
    /// that a provider whose entry was written anew never seems to have gone.
    fn replace(&mut self, id: &SourceId, mut list: ProviderList, now: Time, changes: &mut Changes) {
        let Some(source) = self.sources.get_mut(id) else {
            return;
        };
        list.providers.sort_unstable();
        list.providers.dedup();
        list.rejected.sort_unstable();
        changes.rejections_changed |= source.unreadable.remove(&list.list).is_some();
        let list = Arc::new(list);
        let old = if list.providers.is_empty() && list.rejected.is_empty() {
            source.lists.remove(&list.list)
        } else {
            source.lists.insert(list.list.clone(), list.clone())
        };
        let (old, old_rejected) = old
            .as_ref()
            .map(|old| (&*old.providers, &*old.rejected))
            .unwrap_or_default();
        changes.rejections_changed |= list.rejected != old_rejected;
        let news = list
            .rejected
            .iter()
            .filter(|r| old_rejected.binary_search(r).is_err());
        changes.rejected.extend(news.cloned());
        let of_one_service = |a: &Arc<Provider>, b: &Arc<Provider>| a.id.service == b.id.service;
        for providers in list.providers.chunk_by(of_one_service) {
            let came = providers.iter().filter(|p| old.binary_search(p).is_err());
            self.claim(id, &providers[0].id.service, came, changes);
        }
        let gone = old
            .iter()
            .filter(|p| list.providers.binary_search(p).is_err());
        for provider in gone {
            self.disclaim(id, provider, now, changes);
        }
    }

    /// `source` has these providers of the service `key`.
    fn claim<'p>(
        &mut self,
        source: &SourceId,
        key: &Arc<ServiceKey>,
        providers: impl Iterator<Item = &'p Arc<Provider>>,
        changes: &mut Changes,
    ) {
        let mut providers = providers.peekable();
        if providers.peek().is_none() {
            return;
        }
        let members = self.services.entry(key.clone()).or_default();
        let mut different = false;
        for provider in providers {
            match members.entry(provider.id.clone()) {
                Entry::Occupied(mut known) => {
                    self.departures.cancel(&(key.clone(), provider.id.clone()));
                    different |= known.get_mut().claimed(source.clone(), provider);
                }
                Entry::Vacant(place) => {
                    place.insert(Known {
                        shown: provider.clone(),
                        claims: vec![(source.clone(), provider.clone())],
                        left: None,
                    });
                    changes.names |= self.names.want(&provider.id);
                    changes.arrived += 1;
                    different = true;
                }
            }
        }
        if different {
            changes.services.insert(key.clone());
        }
    }

    fn disclaim(
        &mut self,
        source: &SourceId,
        provider: &Arc<Provider>,
        now: Time,
        changes: &mut Changes,
    ) {
        let key = &provider.id.service;
        let members = self.services.get_mut(key);
        let Some(known) = members.and_then(|m| m.get_mut(&provider.id)) else {
            return;
        };
        let changed = known.disclaimed(source, provider);
        if known.claims.is_empty() {
            known.left = Some(source.clone());
            let due = now.after(self.policy.delay);
            self.departures
                .schedule((key.clone(), provider.id.clone()), due);
        } else if changed {
            changes.services.insert(key.clone());
        }
    }
}

impl Source {
    fn new() -> Self {
        Self {
            state: SourceState::Connecting("not tried yet".into()),
            complete: false,
            lists: HashMap::new(),
            unreadable: BTreeMap::new(),
            reading: None,
            waiting: Vec::new(),
        }
    }

    /// True if that is news.
    fn cannot_read(&mut self, list: Arc<str>, reason: Arc<str>) -> bool {
        self.unreadable.insert(list, reason.clone()) != Some(reason)
    }
}

impl Known {
    /// One more source describes it so. True if what is published of it is another one.
    fn claimed(&mut self, source: SourceId, provider: &Arc<Provider>) -> bool {
        let holds = self.claims.is_empty() || *provider > self.shown;
        self.claims.push((source, provider.clone()));
        self.left = None;
        holds && self.show(provider.clone())
    }

    /// A source describes it so no more. True if what is published of it is another one.
    fn disclaimed(&mut self, source: &SourceId, provider: &Arc<Provider>) -> bool {
        let is_it = |(by, what): &(SourceId, Arc<Provider>)| by == source && what == provider;
        if let Some(at) = self.claims.iter().position(is_it) {
            self.claims.remove(at);
        }
        if *provider != self.shown {
            return false;
        }
        // Of one identity, the order of providers is that of their starts.
        match self.claims.iter().map(|(_, provider)| provider).max() {
            Some(best) => self.show(best.clone()),
            None => false,
        }
    }

    fn show(&mut self, provider: Arc<Provider>) -> bool {
        let but_for_the_start = |provider: &Provider| Provider {
            timestamp: 0,
            ..provider.clone()
        };
        let same = but_for_the_start(&provider) == but_for_the_start(&self.shown);
        self.shown = provider;
        !same
    }
}

#[cfg(test)]
mod tests;
