//! One host of the catalog: what is published of it, and what outlives its providers.
//!
//! ```text
//! Host ─taken out→ Dirty ─render→ Rendered ─note_ports, publish→ Host, and changes
//! ```
//!
//! Must not know: other hosts. So any number of them can be rendered side by side.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::sync::Arc;

use dubbo_codec::ServiceKey;

use crate::mesh::Mesh;
use crate::provider::{Identity, Protocol};
use crate::removal::Time;
use crate::resource::service_entry::{self, Ports, Service};
use crate::resource::{Change, Kind, Refusal, Resource, envoy_filter, tag_routes};
use crate::services::Services;

/// One host, and the services that want it.
#[derive(Debug, Default)]
pub(super) struct Host {
    /// In byte order: the first one has it.
    pub(super) claimants: BTreeSet<Arc<ServiceKey>>,
    /// Whose entries are published.
    pub(super) shown: Option<Arc<ServiceKey>>,
    /// Protocols with their ports, and when each fell out of use.
    pub(super) ports: BTreeMap<(Protocol, u16), Option<Time>>,
    /// Since when nobody wants the host.
    pub(super) empty_since: Option<Time>,
    /// Versions of the published objects.
    pub(super) published: BTreeMap<(Kind, Arc<str>), u64>,
    pub(super) wake: Option<Time>,
}

/// A host that is taken out to be rendered.
pub(super) struct Dirty {
    pub(super) name: Arc<str>,
    pub(super) host: Host,
    pub(super) vip: Option<Ipv4Addr>,
}

/// A service, rendered and encoded.
pub(super) struct Rendered {
    pub(super) resources: Vec<Resource>,
    pub(super) ports: Ports,
    pub(super) refused: Vec<Refusal>,
    pub(super) unidentified: Vec<Identity>,
}

impl Dirty {
    /// None where no service ever had the host.
    pub(super) fn render(&self, services: &Services, mesh: &Mesh) -> Option<Rendered> {
        let key = self.host.shown.as_ref()?;
        let (members, mut refused) = services.members(key);
        let rendered = service_entry::render(
            Service {
                key,
                host: &self.name,
                vip: self.vip,
                members: &members,
                kept_ports: &self.host.kept_ports(),
            },
            mesh,
        );
        refused.extend(rendered.refused);
        let mut resources: Vec<Resource> = rendered.entries.values().map(Resource::from).collect();
        if rendered.entries.contains_key(&Protocol::Dubbo) {
            let ports = self.dubbo_ports(&rendered.ports);
            let filters = envoy_filter::of_host(&self.name, key, ports, mesh);
            resources.extend(filters.iter().map(Resource::from));
        }
        if let Some(tags) = tag_routes::render(key, &rendered.entries, &members, mesh) {
            resources.extend([Resource::from(&tags.rule), Resource::from(&tags.routes)]);
        }
        Some(Rendered {
            resources,
            ports: rendered.ports,
            refused,
            unidentified: rendered.unidentified,
        })
    }

    /// The ports that Dubbo has and those that it keeps.
    fn dubbo_ports(&self, in_use: &Ports) -> BTreeSet<u16> {
        let kept = self.host.kept_ports();
        let both = [in_use, &kept].map(|ports| ports.get(&Protocol::Dubbo));
        both.into_iter().flatten().flatten().copied().collect()
    }
}

impl Host {
    /// Ports that nobody uses now and that stay.
    fn kept_ports(&self) -> Ports {
        let mut kept = Ports::new();
        for (protocol, number) in self.ports.keys() {
            kept.entry(protocol.clone()).or_default().insert(*number);
        }
        kept
    }

    /// A number that is in use by one protocol is not kept for another one.
    pub(super) fn note_ports(&mut self, in_use: &Ports, now: Time) {
        let numbers: BTreeSet<u16> = in_use.values().flatten().copied().collect();
        self.ports
            .retain(|(_, number), _| !numbers.contains(number));
        for (protocol, numbers) in in_use {
            for number in numbers {
                self.ports.insert((protocol.clone(), *number), None);
            }
        }
        for (_, since) in self
            .ports
            .iter_mut()
            .filter(|((_, n), _)| !numbers.contains(n))
        {
            since.get_or_insert(now);
        }
    }

    /// These are its resources now; what differs from what was published.
    pub(super) fn publish(&mut self, resources: Vec<Resource>) -> Vec<Change> {
        let mut changes = Vec::new();
        let mut published = BTreeMap::new();
        for resource in resources {
            let id = (resource.kind, resource.name.clone());
            let known = self.published.get(&id) == Some(&resource.version);
            published.insert(id, resource.version);
            if !known {
                changes.push(Change::from(resource));
            }
        }
        let gone = self
            .published
            .keys()
            .filter(|id| !published.contains_key(*id));
        changes.extend(gone.map(|(kind, name)| Change {
            kind: *kind,
            name: name.clone(),
            resource: None,
        }));
        self.published = published;
        changes
    }
}
