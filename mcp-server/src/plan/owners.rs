//! Who has the number, the host and the address: what the mesh would know and what not. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use dubbo_codec::ServiceKey;
use dubbo_registry::installation::ClusterMatch;
use dubbo_registry::mesh::Mesh;
use dubbo_registry::ports::Mode;
use dubbo_registry::provider::{Protocol, Provider};
use dubbo_registry::resource::Reason;
use dubbo_registry::resource::service_entry::export_to;

use super::estate::{Estate, Service, party};
use super::finding::{Finding, Topic};
use super::judge::Found;
use super::neighbours::{Neighbour, Speaks};

/// Looks through the providers; `meshes` are the configuration before and after the switch.
pub(super) fn find(estate: &Estate<'_>, meshes: (&Mesh, &Mesh), found: &mut Found) {
    find_foreign(estate, found);
    for (key, service) in &estate.services {
        find_refused(estate, service, found);
        find_other_ports(service, meshes.1, found);
        find_names(key, service, meshes, found);
    }
    let mut note = |topic, finding| found.entry(topic).or_default().insert(finding);
    for (ip, applications) in estate.addresses() {
        let says = |application: &Arc<str>| meshes.0.workloads.in_mesh(ip, application).is_none();
        let unknown: BTreeSet<String> = applications
            .iter()
            .filter(|application| says(application))
            .map(|application| application.to_string())
            .collect();
        if !unknown.is_empty() {
            let finding = Finding::Address {
                address: ip.to_string(),
                applications: unknown,
            };
            note(Topic::UnknownWorkloads, finding);
        }
    }
}

/// What is not Dubbo: at an address of Dubbo's own it is port unification, else it is in the way.
fn find_foreign(estate: &Estate<'_>, found: &mut Found) {
    let dubbo: BTreeSet<_> = estate
        .providers()
        .map(|p| (&p.id.service, &p.id.host))
        .collect();
    for provider in &estate.foreign {
        let unified = dubbo.contains(&(&provider.id.service, &provider.id.host));
        let topic = match unified {
            true => Topic::SharedPorts,
            false => Topic::OtherProtocols,
        };
        let reason = provider.id.protocol.to_string();
        note_provider(topic, provider, reason, found);
    }
    for provider in estate.providers() {
        if let Some(also) = &provider.also_speaks {
            note_provider(Topic::SharedPorts, provider, also.to_string(), found);
        }
    }
}

/// Dubbo providers of the number that are not published after the switch.
fn find_refused(estate: &Estate<'_>, service: &Service<'_>, found: &mut Found) {
    let here = service
        .providers
        .iter()
        .filter(|p| p.id.port == estate.number);
    for provider in here {
        match estate.refused.get(&provider.id) {
            // Only who has the host too can get its calls.
            Some(Reason::HostTaken { host, by }) if estate.services.contains_key(&**by) => {
                let finding = Finding::SharedHost {
                    service: provider.id.service.to_string(),
                    host: host.to_string(),
                    owner: by.to_string(),
                };
                found.entry(Topic::SharedHosts).or_default().insert(finding);
            }
            Some(reason) => note_provider(Topic::NotPublished, provider, reason.to_string(), found),
            None => {}
        }
    }
}

/// Dubbo providers of the same service on numbers that stay as they are.
fn find_other_ports(service: &Service<'_>, after: &Mesh, found: &mut Found) {
    for provider in &service.providers {
        let number = provider.id.port;
        if matches!(after.ports.mode(number), Mode::Http2(_)) {
            continue;
        }
        let reason = match after.ports.check(number) {
            Ok(()) => format!("port {number} is not in ports.http2"),
            Err(refused) => refused.to_string(),
        };
        note_provider(Topic::OtherPorts, provider, reason, found);
    }
}

fn find_names(
    key: &ServiceKey,
    service: &Service<'_>,
    (before, after): (&Mesh, &Mesh),
    found: &mut Found,
) {
    let host = key.host();
    let named = || Finding::Host {
        service: key.to_string(),
        host: host.clone(),
    };
    if host != unaltered(key) {
        found
            .entry(Topic::AlteredNames)
            .or_default()
            .insert(named());
    }
    let seen_by = |mesh: &Mesh| {
        let numbers = service.providers.iter().map(|p| p.id.port);
        let numbers: BTreeSet<u16> = numbers.filter(|n| mesh.ports.check(*n).is_ok()).collect();
        let published = !numbers.is_empty();
        let ports = BTreeMap::from([(Protocol::Dubbo, numbers)]);
        published.then(|| export_to(key, &ports, mesh))
    };
    if let (Some(before), Some(after)) = (seen_by(before), seen_by(after))
        && sees_less(&before, &after)
    {
        found
            .entry(Topic::FewerNamespaces)
            .or_default()
            .insert(named());
    }
}

/// The host if DNS could carry everything: to be compared with, never to be used.
fn unaltered(key: &ServiceKey) -> String {
    let label = |prefix: &str, text: &str| match text {
        "" => String::new(),
        text => format!("{prefix}{}.", text.replace('.', "-")),
    };
    let (version, group) = (label("v", key.version()), label("g-", key.group()));
    format!(
        "{version}{group}{}.dubbo",
        key.interface().to_ascii_lowercase()
    )
}

/// Nothing, and `*`, are all namespaces.
fn sees_less(before: &[String], after: &[String]) -> bool {
    let all = |names: &[String]| names.is_empty() || names.iter().any(|name| name == "*");
    !all(after) && (all(before) || before.iter().any(|name| !after.contains(name)))
}

fn note_provider(topic: Topic, provider: &Provider, reason: String, found: &mut Found) {
    let by = party(provider);
    let finding = Finding::Provider { by, reason };
    found.entry(topic).or_default().insert(finding);
}

/// Looks through the Kubernetes services of the number. One that says `http2` is taken for the Dubbo
/// application's own, which is how it gets its inbound chain.
pub(super) fn find_neighbours(
    number: u16,
    namespaces: &[Arc<str>],
    neighbours: &[Neighbour],
    mesh: &Mesh,
    found: &mut Found,
) {
    let installation = mesh.installation.as_ref();
    let by_port =
        installation.map_or_else(ClusterMatch::default, |i| i.cluster_match) == ClusterMatch::Port;
    for neighbour in neighbours {
        if neighbour.port != number || !neighbour.is_seen_by(namespaces) {
            continue;
        }
        let topic = match (&neighbour.speaks, neighbour.headless) {
            (Speaks::Http2, _) => continue,
            (_, _) if by_port => Topic::BrokenServices,
            (Speaks::Opaque(_) | Speaks::Auto, true) => Topic::HeadlessServices,
            (_, _) => continue,
        };
        let finding = Finding::Service {
            namespace: neighbour.namespace.clone(),
            name: neighbour.name.clone(),
            headless: neighbour.headless,
            protocol: neighbour.speaks.as_str().to_owned(),
        };
        found.entry(topic).or_default().insert(finding);
    }
}
