//! Resources as Kubernetes manifests, read back from the very bytes that would be sent.

use std::collections::BTreeMap;

use dubbo_registry::proto::routing::{DestinationRule, VirtualService};
use dubbo_registry::proto::{EnvoyFilter, ServiceEntry};
use dubbo_registry::resource::{Body, Kind, Object, Resource};
use serde::Serialize;

/// Longest name of an object in Kubernetes.
const MAX_NAME: usize = 253;
/// Most endpoints that the CRD of ServiceEntry allows.
const MAX_ENDPOINTS: usize = 4096;
/// Most ports that the CRD of ServiceEntry allows.
const MAX_PORTS: usize = 256;

/// A Kubernetes object.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Manifest {
    api_version: &'static str,
    kind: &'static str,
    metadata: Metadata,
    spec: Spec,
}

#[derive(Serialize)]
struct Metadata {
    name: String,
    namespace: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    labels: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    annotations: BTreeMap<String, String>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Spec {
    ServiceEntry(ServiceEntry),
    EnvoyFilter(EnvoyFilter),
    DestinationRule(DestinationRule),
    VirtualService(VirtualService),
}

/// Several objects as one.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct List {
    api_version: &'static str,
    kind: &'static str,
    items: Vec<Manifest>,
}

impl From<Vec<Manifest>> for List {
    fn from(items: Vec<Manifest>) -> Self {
        Self {
            api_version: "v1",
            kind: "List",
            items,
        }
    }
}

/// A manifest of each resource, by kind, namespace and name.
pub(super) fn sorted(resources: impl Iterator<Item = Resource>) -> Result<Vec<Manifest>, String> {
    let mut manifests: Vec<Manifest> = resources.map(manifest).collect::<Result<_, String>>()?;
    let order = |m: &Manifest| {
        let Metadata {
            namespace, name, ..
        } = &m.metadata;
        (m.kind(), namespace.clone(), name.clone())
    };
    manifests.sort_by_cached_key(order);
    Ok(manifests)
}

fn manifest(resource: Resource) -> Result<Manifest, String> {
    match resource.kind {
        Kind::ServiceEntry => of(&resource, Spec::ServiceEntry),
        Kind::EnvoyFilter => of(&resource, Spec::EnvoyFilter),
        Kind::DestinationRule => of(&resource, Spec::DestinationRule),
        Kind::VirtualService => of(&resource, Spec::VirtualService),
    }
}

fn of<B: Body>(resource: &Resource, spec: impl FnOnce(B) -> Spec) -> Result<Manifest, String> {
    let object =
        Object::<B>::decode(resource).map_err(|error| format!("{}: {error}", resource.name))?;
    Ok(Manifest {
        api_version: B::KIND.api_version(),
        kind: B::KIND.name(),
        metadata: Metadata {
            name: object.name.to_string(),
            namespace: object.namespace.to_string(),
            labels: object.labels,
            annotations: object.annotations,
        },
        spec: spec(object.spec),
    })
}

impl Manifest {
    pub(super) fn kind(&self) -> Kind {
        match self.spec {
            Spec::ServiceEntry(_) => Kind::ServiceEntry,
            Spec::EnvoyFilter(_) => Kind::EnvoyFilter,
            Spec::DestinationRule(_) => Kind::DestinationRule,
            Spec::VirtualService(_) => Kind::VirtualService,
        }
    }

    /// What the Kubernetes API would not take. Over MCP none of these limits applies.
    pub(super) fn warnings(&self) -> Vec<String> {
        let name = &self.metadata.name;
        let mut warnings = Vec::new();
        let mut limit = |what: &str, has: usize, most: usize| {
            if has > most {
                warnings.push(format!(
                    "{name}: {has} {what}, the Kubernetes API takes {most} at most (served to \
                     istiod by `dubbo-mesh serve` there is no such limit)"
                ));
            }
        };
        if let Spec::ServiceEntry(entry) = &self.spec {
            limit("endpoints", entry.endpoints.len(), MAX_ENDPOINTS);
            limit("ports", entry.ports.len(), MAX_PORTS);
        }
        limit("bytes in the name", name.len(), MAX_NAME);
        warnings
    }
}
