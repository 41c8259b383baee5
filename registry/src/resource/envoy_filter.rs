//! EnvoyFilters that put the filter into sidecars: they depend on the configuration alone, so that
//! no registry decides what a proxy loads, and nothing of them moves while services come and go.
//!
//! ```text
//! http2 ports ──────→ callers    sniff, dubbo_to_http2, no istio.alpn, clusters, what is unpublished
//! bypassed ports ───→ callers    every call to where it was dialled, before all other routes
//! providers' ports ─→ providers  dubbo_to_http2, inbound clusters
//! observed ports ───→ observed   dubbo_observe in front of tcp_proxy
//! Triple's ports ───→ triple     dubbo_to_http2 for the authority alone
//! ```
//! One object for each namespace and side. Only [`of_host`] speaks of a service, where clusters are
//! not to be found by their port number.

mod patch;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use dubbo_codec::ServiceKey;

use self::patch::Patches;
use super::Object;
use crate::installation::{ClusterMatch, EVERYWHERE, Installation, Reach};
use crate::mesh::Mesh;
use crate::proto::EnvoyFilter;

/// Names of the objects, in whatever namespace.
const CALLERS: &str = "dubbo-mesh-callers";
const PROVIDERS: &str = "dubbo-mesh-providers";
const OBSERVED: &str = "dubbo-mesh-observed";
const TRIPLE: &str = "dubbo-mesh-triple";

/// Every EnvoyFilter that the configuration asks for, whatever the services.
pub fn render(mesh: &Mesh) -> Vec<Object<EnvoyFilter>> {
    let Some(installation) = &mesh.installation else {
        return Vec::new();
    };
    let http2 = mesh.ports.http2_by_namespace();
    let mut callers = http2.clone();
    for (namespace, ports) in &installation.bypassed {
        callers.entry(namespace.clone()).or_default().extend(ports);
    }
    let listed = |reach: &Reach, namespace: &str| reach.get(namespace).cloned().unwrap_or_default();
    let mut objects = Vec::new();
    objects.extend(each(&callers, CALLERS, installation, |namespace, _| {
        let mut patches = Patches::new(installation);
        for port in listed(&http2, namespace) {
            patches.caller(port, mesh.ports.except(port));
            if installation.cluster_match == ClusterMatch::Port {
                patches.cluster_of_port(port);
            }
        }
        // Inserted first, and so after all that is inserted first.
        for port in listed(&installation.bypassed, namespace) {
            patches.bypass(port);
        }
        // A cluster may be added once only, and what stands for all namespaces is there already.
        if namespace == EVERYWHERE || !callers.contains_key(EVERYWHERE) {
            patches.original_destination();
        }
        patches
    }));
    let providers = &installation.providers;
    objects.extend(each(providers, PROVIDERS, installation, |_, ports| {
        let mut patches = Patches::new(installation);
        ports.iter().for_each(|port| patches.provider(*port));
        patches
    }));
    let observed = &installation.observed;
    objects.extend(each(observed, OBSERVED, installation, |_, ports| {
        let mut patches = Patches::new(installation);
        patches.observed(ports);
        patches
    }));
    objects.extend(each(
        &installation.triple,
        TRIPLE,
        installation,
        |_, ports| {
            let mut patches = Patches::new(installation);
            ports.iter().for_each(|port| patches.triple(*port));
            patches
        },
    ));
    objects
}

/// The EnvoyFilters of one service, for the namespaces that call its http2 ports: none but where
/// clusters are found by host.
pub fn of_host(
    host: &str,
    key: &ServiceKey,
    numbers: impl IntoIterator<Item = u16>,
    mesh: &Mesh,
) -> Vec<Object<EnvoyFilter>> {
    let Some(installation) = &mesh.installation else {
        return Vec::new();
    };
    if installation.cluster_match == ClusterMatch::Port {
        return Vec::new();
    }
    let name = format!("{host}--clusters");
    let numbers: BTreeSet<u16> = numbers.into_iter().collect();
    let callers = mesh.ports.http2_by_namespace().into_iter();
    let of_service = callers.filter_map(|(namespace, ports)| {
        let mut patches = Patches::new(installation);
        ports
            .intersection(&numbers)
            .for_each(|port| patches.cluster_of_host(host, *port));
        (!patches.is_empty()).then(|| Object {
            annotations: super::annotations(key),
            ..object(&namespace, &name, installation, patches)
        })
    });
    of_service.collect()
}

fn each<'a>(
    reach: &'a Reach,
    name: &'a str,
    installation: &'a Installation,
    patches: impl Fn(&str, &BTreeSet<u16>) -> Patches<'a> + 'a,
) -> impl Iterator<Item = Object<EnvoyFilter>> + 'a {
    reach.iter().map(move |(namespace, ports)| {
        object(namespace, name, installation, patches(namespace, ports))
    })
}

fn object(
    namespace: &Arc<str>,
    name: &str,
    installation: &Installation,
    patches: Patches<'_>,
) -> Object<EnvoyFilter> {
    let namespace = match &**namespace {
        EVERYWHERE => &installation.root_namespace,
        _ => namespace,
    };
    Object {
        namespace: namespace.clone(),
        name: name.into(),
        labels: BTreeMap::new(),
        annotations: BTreeMap::new(),
        spec: EnvoyFilter {
            config_patches: patches.into(),
        },
    }
}

#[cfg(test)]
mod tests;
