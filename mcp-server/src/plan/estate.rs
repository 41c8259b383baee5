//! What Dubbo has on one port number. Pure.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use dubbo_codec::ServiceKey;
use dubbo_registry::consumer::Consumer;
use dubbo_registry::mesh::{Mesh, Pick};
use dubbo_registry::provider::{Identity, Protocol, Provider};
use dubbo_registry::resource::Reason;
use dubbo_registry::resource::service_entry::Member;
use dubbo_registry::services::Services;

use super::finding::{Counts, Party, Side, Topic};

/// The services of a port.
pub(super) struct Estate<'a> {
    pub(super) number: u16,
    /// Services with a Dubbo provider there that takes calls, by key.
    pub(super) services: BTreeMap<&'a ServiceKey, Service<'a>>,
    /// The same keys by interface.
    interfaces: HashMap<&'a str, Vec<&'a ServiceKey>>,
    /// Providers there that are not Dubbo.
    pub(super) foreign: Vec<&'a Arc<Provider>>,
    /// Why providers of any port are not published after the switch.
    pub(super) refused: &'a BTreeMap<Identity, Reason>,
}

/// One of them.
pub(super) struct Service<'a> {
    /// Its Dubbo providers that take calls, on all ports.
    pub(super) providers: Vec<&'a Arc<Provider>>,
    /// They and all others at their addresses.
    pub(super) members: Vec<Member>,
    /// Whose choice the provider of a call is after the switch.
    pub(super) pick: Picks,
}

/// Whose choice it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Picks {
    /// The mesh's.
    Mesh,
    /// The SDK's, by configuration; calls are requests of their own all the same.
    Sdk,
    /// The SDK's, and connections are what they were: all providers are at addresses that are left alone.
    LeftAlone,
}

impl Picks {
    /// Whether nothing of this topic changes for a service.
    pub(super) fn spare(self, topic: Topic) -> bool {
        match self {
            Self::Mesh => false,
            Self::Sdk => topic != Topic::Callbacks,
            Self::LeftAlone => true,
        }
    }
}

impl<'a> Estate<'a> {
    pub(super) fn new(
        number: u16,
        services: &'a Services,
        refused: &'a BTreeMap<Identity, Reason>,
        after: &Mesh,
    ) -> Self {
        let mut estate = Self {
            number,
            services: BTreeMap::new(),
            interfaces: HashMap::new(),
            foreign: Vec::new(),
            refused,
        };
        for key in services.keys() {
            let serving = services
                .providers(key)
                .filter(|p| p.weight > 0 && p.enabled);
            let (dubbo, other): (Vec<_>, Vec<_>) =
                serving.partition(|p| p.id.protocol == Protocol::Dubbo);
            let there = |p: &&Arc<Provider>| p.id.port == number;
            estate.foreign.extend(other.into_iter().filter(there));
            if dubbo.iter().any(there) {
                let same = estate.interfaces.entry(key.interface()).or_default();
                same.push(key);
                let members = services.members(key).0;
                let service = Service {
                    providers: dubbo,
                    pick: picks(key, number, &members, after),
                    members,
                };
                estate.services.insert(key, service);
            }
        }
        estate.foreign.sort_unstable();
        estate
    }

    /// The Dubbo providers on the port.
    pub(super) fn providers(&self) -> impl Iterator<Item = &'a Arc<Provider>> {
        let services = self.services.values();
        services.flat_map(|service| self.providers_of(service))
    }

    /// Those of one service.
    pub(super) fn providers_of(
        &self,
        service: &Service<'a>,
    ) -> impl Iterator<Item = &'a Arc<Provider>> {
        let all = service.providers.iter().copied();
        all.filter(|p| p.id.port == self.number)
    }

    /// Addresses at which Dubbo listens on the port.
    pub(super) fn addresses(&self) -> BTreeMap<IpAddr, BTreeSet<Arc<str>>> {
        let mut addresses: BTreeMap<IpAddr, BTreeSet<Arc<str>>> = BTreeMap::new();
        for member in self.services.values().flat_map(|s| &s.members) {
            let provider = &member.provider;
            let serves = provider.weight > 0 && provider.enabled;
            let Identity { protocol, port, .. } = &provider.id;
            if serves && *protocol == Protocol::Dubbo && *port == self.number {
                let applications = addresses.entry(member.ip).or_default();
                applications.insert(provider.application.clone());
            }
        }
        addresses
    }

    /// The services that a consumer calls.
    pub(super) fn called_by(&self, consumer: &Consumer) -> impl Iterator<Item = &Service<'a>> {
        let same = self.interfaces.get(&*consumer.interface).into_iter();
        let called = same.flatten().filter(|key| consumer.calls(key));
        called.filter_map(|key| self.services.get(key))
    }

    /// Whether a service of this interface is here for which something of this topic can change.
    pub(super) fn has_interface(&self, interface: &str, topic: Topic) -> bool {
        let keys = self.interfaces.get(interface).into_iter().flatten();
        keys.filter_map(|key| self.services.get(key))
            .any(|service| !service.pick.spare(topic))
    }

    pub(super) fn counts(&self, consumers: usize) -> Counts {
        Counts {
            services: self.services.len(),
            providers: self.providers().count(),
            consumers,
        }
    }

    /// Clusters that a sidecar gets for the port, and endpoints in them: istiod puts every endpoint
    /// of an entry into the cluster of each of its ports.
    pub(super) fn clusters(&self) -> (usize, usize) {
        let published = |p: &&&Arc<Provider>| !self.refused.contains_key(&p.id);
        let (mut clusters, mut endpoints) = (0, 0);
        for service in self.services.values() {
            let all = || service.providers.iter().filter(published);
            if all().any(|p| p.id.port == self.number) {
                clusters += 1;
                endpoints += match service.pick {
                    Picks::Sdk => 0,
                    Picks::Mesh | Picks::LeftAlone => all().count(),
                };
            }
        }
        (clusters, endpoints)
    }
}

fn picks(key: &ServiceKey, number: u16, members: &[Member], after: &Mesh) -> Picks {
    let there = |m: &&Member| m.provider.id.port == number;
    let left_alone = |m: &Member| after.ports.except(number).any(|net| net.contains(&m.ip));
    match after.pick(key) {
        // Who has no address yet could be anywhere.
        _ if members.iter().any(|m| there(&m)) && members.iter().filter(there).all(left_alone) => {
            Picks::LeftAlone
        }
        Pick::Sdk => Picks::Sdk,
        Pick::Mesh => Picks::Mesh,
    }
}

/// A provider, by name.
pub(super) fn party(provider: &Provider) -> Party {
    Party {
        service: provider.id.service.to_string(),
        side: Side::Provider,
        application: provider.application.to_string(),
        address: format!("{}:{}", provider.id.host, provider.id.port),
    }
}
