//! One service to its ServiceEntries: one for each protocol, all with one host.
//!
//! ```text
//! members ─ sort out ─→ by protocol ─ ports ─→ endpoints ─ validate ─→ entries
//!              └──────────── refusals (by name) ───────────┘
//! ```
//!
//! istiod concatenates the endpoints of all entries of one host and namespace and picks those of a
//! port by the port's *name*, so names differ between the entries of a host, and each endpoint maps
//! every port of its own entry to the port that it listens on. Labels and `exportTo` are equal in
//! all entries of a host, or istiod does not merge them.
//!
//! A service whose providers the SDK picks (`pick: sdk`) is one entry without endpoints, for its ports in
//! http2 mode: with resolution NONE a call is routed by its host and goes where it was dialled.

mod sorted;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use dubbo_codec::ServiceKey;

use self::sorted::sort_out;
use super::refusal::{Reason, Refusal};
use super::{Object, annotations, label, validate};
use crate::mesh::{IstioProtocol, Mesh};
use crate::ports::Mode;
use crate::proto::{Location, Resolution, ServiceEntry, ServicePort, WorkloadEntry};
use crate::provider::{Identity, Protocol, Provider};

/// Heaviest endpoint. Envoy adds the weights of a service up in 32 bits, and refuses all its
/// endpoints if they do not fit: 4,294 of these do, of more endpoints each may weigh less.
const MAX_WEIGHT: u32 = 1_000_000;
/// The label that istiod reads to send mutual TLS to an endpoint.
const TLS_MODE: &str = "security.istio.io/tlsMode";
/// The tag of providers without one, so that a subset can select them.
pub(super) const UNTAGGED: &str = "untagged";
/// The label of a provider's tag.
pub(super) const TAG: &str = "tag";

/// A provider at one address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Member {
    /// The provider.
    pub provider: Arc<Provider>,
    /// Its address, resolved where it registered a name.
    pub ip: IpAddr,
}

/// One service, ready to be rendered.
#[derive(Clone, Copy, Debug)]
pub struct Service<'a> {
    /// Its identity.
    pub key: &'a ServiceKey,
    /// Its host, `key.host()`.
    pub host: &'a str,
    /// Its virtual address, if the range had one.
    pub vip: Option<Ipv4Addr>,
    /// Its providers, sorted.
    pub members: &'a [Member],
    /// Ports that it had and keeps for a while.
    pub kept_ports: &'a Ports,
}

/// The port numbers of each protocol of a service.
pub type Ports = BTreeMap<Protocol, BTreeSet<u16>>;

/// What became of a service.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rendered {
    /// Its entries, by protocol.
    pub entries: BTreeMap<Protocol, Object<ServiceEntry>>,
    /// The ports in use now, those that are only kept left out.
    pub ports: Ports,
    /// Providers that are left out.
    pub refused: Vec<Refusal>,
    /// Providers in the mesh whose identity is not known though those of others are: as long as there is
    /// one, callers do not ask who any provider of the service is.
    pub unidentified: Vec<Identity>,
}

/// The name of the entry of `protocol`, without the namespace.
pub fn entry_name(host: &str, protocol: &Protocol) -> String {
    format!("{host}--{protocol}")
}

/// Renders one service.
pub fn render(service: Service<'_>, mesh: &Mesh) -> Rendered {
    let mut rendered = Rendered::default();
    let sorted = sort_out(service, mesh, &mut rendered.refused);
    for (protocol, members) in &sorted.members {
        let numbers = members.iter().map(|m| m.provider.id.port).collect();
        rendered.ports.insert(protocol.clone(), numbers);
    }
    let export_to = export_to(service.key, &sorted.ports, mesh);
    let (identities, unidentified) = identities(sorted.members.values().flatten(), mesh);
    rendered.unidentified = unidentified;
    for (protocol, numbers) in &sorted.ports {
        let ports = service_ports(protocol, numbers, mesh);
        let members = sorted.members.get(protocol).map_or(&[][..], Vec::as_slice);
        let addresses = service.vip.iter().map(Ipv4Addr::to_string);
        let (resolution, addresses, endpoints) = match sorted.sdk_picks {
            true => (Resolution::None, Vec::new(), Vec::new()),
            false => (
                Resolution::Static,
                addresses.collect(),
                endpoints(members, &ports, &sorted.also, mesh),
            ),
        };
        let spec = ServiceEntry {
            hosts: vec![service.host.to_owned()],
            addresses,
            ports,
            location: Location::MeshInternal.into(),
            resolution: resolution.into(),
            endpoints,
            export_to: export_to.clone(),
            subject_alt_names: identities.clone(),
        };
        if let Some(spec) = checked(spec, members, &mut rendered.refused) {
            let object = Object {
                namespace: mesh.namespace.clone(),
                name: entry_name(service.host, protocol).into(),
                labels: labels(service.key, mesh),
                annotations: annotations(service.key),
                spec,
            };
            rendered.entries.insert(protocol.clone(), object);
        }
    }
    rendered
}

fn service_ports(protocol: &Protocol, numbers: &BTreeSet<u16>, mesh: &Mesh) -> Vec<ServicePort> {
    let port = |number: &u16| {
        let istio = istio_protocol(protocol, *number, mesh);
        ServicePort {
            number: u32::from(*number),
            protocol: istio.as_str().to_owned(),
            name: format!(
                "{}-{protocol}-{number}",
                istio.as_str().to_ascii_lowercase()
            ),
            target_port: 0,
        }
    };
    numbers.iter().map(port).collect()
}

fn istio_protocol(protocol: &Protocol, number: u16, mesh: &Mesh) -> IstioProtocol {
    match mesh.ports.mode(number) {
        Mode::Http2(_) if *protocol == Protocol::Dubbo => IstioProtocol::Http2,
        _ => mesh
            .schemes
            .get(protocol)
            .copied()
            .unwrap_or(IstioProtocol::Tcp),
    }
}

/// The names that the certificates of a service's providers may have, whatever their protocol: to
/// istiod the entries of a host are one service. None if one provider's is not known, since it would
/// be refused; and those whose are not. Not told for each endpoint (`serviceAccount`): there istiod takes
/// the entry's namespace for the account's (`convertWorkloadEntryToWorkloadInstance`).
fn identities<'a>(
    members: impl Iterator<Item = &'a &'a Member>,
    mesh: &Mesh,
) -> (Vec<String>, Vec<Identity>) {
    let mut names = BTreeSet::new();
    let mut unknown = BTreeSet::new();
    if !mesh.workloads.identifies() {
        return (Vec::new(), Vec::new());
    }
    for member in members {
        let Provider {
            id, application, ..
        } = &*member.provider;
        let facts = mesh.workloads.facts(member.ip, application);
        if facts.in_mesh && facts.identity.is_empty() {
            unknown.insert(id);
        } else if facts.in_mesh {
            names.insert(facts.identity);
        }
    }
    let names = match unknown.is_empty() {
        true => names.iter().map(ToString::to_string).collect(),
        false => Vec::new(),
    };
    (names, unknown.into_iter().cloned().collect())
}

fn endpoints(
    members: &[&Member],
    ports: &[ServicePort],
    also: &BTreeMap<(IpAddr, u16), BTreeSet<Protocol>>,
    mesh: &Mesh,
) -> Vec<WorkloadEntry> {
    let count = u32::try_from(members.len()).unwrap_or(u32::MAX).max(1);
    let heaviest = MAX_WEIGHT.min(u32::MAX / count);
    let endpoint = |member: &&Member| {
        let Member { provider, ip } = *member;
        let own = u32::from(provider.id.port);
        let facts = mesh.workloads.facts(*ip, &provider.application);
        let mut labels = endpoint_labels(provider);
        // A scheme that we do not know could be spelled like any label, so it becomes none.
        let known = |p: &&Protocol| !matches!(p, Protocol::Other(_));
        for other in also
            .get(&(*ip, provider.id.port))
            .into_iter()
            .flatten()
            .filter(known)
        {
            labels.insert(other.to_string(), "true".to_owned());
        }
        if facts.in_mesh {
            labels.insert(TLS_MODE.to_owned(), "istio".to_owned());
        }
        WorkloadEntry {
            address: ip.to_string(),
            ports: ports.iter().map(|port| (port.name.clone(), own)).collect(),
            labels,
            network: facts.network.to_string(),
            locality: facts.locality.to_string(),
            weight: provider.weight.min(heaviest),
        }
    };
    members.iter().map(endpoint).collect()
}

fn endpoint_labels(provider: &Provider) -> BTreeMap<String, String> {
    let id = &provider.id;
    let tag = if provider.tag.is_empty() {
        UNTAGGED
    } else {
        &provider.tag
    };
    let known = [
        ("application", &*provider.application),
        ("group", id.service.group()),
        ("protocol", id.protocol.as_str()),
        (TAG, tag),
        ("version", id.service.version()),
    ];
    let asked = provider
        .labels
        .iter()
        .map(|(key, value)| (&**key, &**value));
    let label =
        |(key, original): (&str, &str)| (key.to_owned(), label::value(original).into_owned());
    asked
        .chain(known)
        .filter(|(_, value)| !value.is_empty())
        .map(label)
        .collect()
}

/// The namespaces that see a service with these ports, none for all: those of the http2 lists of all
/// ports, if there is such a port; else as configured.
pub fn export_to(key: &ServiceKey, ports: &Ports, mesh: &Mesh) -> Vec<String> {
    let dubbo = ports.get(&Protocol::Dubbo).into_iter().flatten();
    let mut namespaces: BTreeSet<Arc<str>> = BTreeSet::new();
    for number in dubbo {
        if let Mode::Http2(list) = mesh.ports.mode(*number) {
            namespaces.extend(list.iter().cloned());
        }
    }
    if namespaces.is_empty() {
        let own = mesh
            .overrides_of(key)
            .filter_map(|o| o.export_to.as_ref())
            .last();
        namespaces.extend(own.unwrap_or(&mesh.export_to).iter().cloned());
    }
    if namespaces.contains("*") {
        return vec!["*".to_owned()];
    }
    namespaces
        .iter()
        .map(|namespace| namespace.to_string())
        .collect()
}

fn labels(key: &ServiceKey, mesh: &Mesh) -> BTreeMap<String, String> {
    let ours = (
        "app.kubernetes.io/managed-by".to_owned(),
        "dubbo-mesh".to_owned(),
    );
    let configured = mesh.overrides_of(key).flat_map(|o| o.labels.clone());
    std::iter::once(ours).chain(configured).collect()
}

/// The entry as istiod would take it: endpoints that break a rule are refused alone; an entry that
/// breaks one itself is refused with all its providers.
fn checked(
    mut spec: ServiceEntry,
    members: &[&Member],
    refused: &mut Vec<Refusal>,
) -> Option<ServiceEntry> {
    let mut bad: BTreeMap<usize, validate::Violation> = BTreeMap::new();
    for violation in validate::violations(&spec) {
        match violation.endpoint {
            Some(index) => {
                bad.entry(index).or_insert(violation);
            }
            None => {
                refused.extend(members.iter().map(|member| Refusal {
                    provider: member.provider.id.clone(),
                    reason: Reason::InvalidService(violation.clone()),
                }));
                return None;
            }
        }
    }
    for (index, violation) in bad.into_iter().rev() {
        spec.endpoints.remove(index);
        let member = members[index];
        let reason = Reason::Invalid(member.ip, violation);
        refused.push(Refusal {
            provider: member.provider.id.clone(),
            reason,
        });
    }
    Some(spec)
}

#[cfg(test)]
mod tests;
