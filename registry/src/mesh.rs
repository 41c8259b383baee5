//! What the mesh is told about services, as configured: names, ports, modes, labels.
//!
//! Plain values without a clock or a socket; `mcp-server` reads them from its configuration file.

use std::collections::BTreeMap;
use std::sync::Arc;

use dubbo_codec::ServiceKey;
use serde::Deserialize;

use crate::installation::Installation;
use crate::pattern::Pattern;
use crate::ports::Ports;
use crate::provider::Protocol;
use crate::vip::Range;
use crate::workload::Workloads;

/// The namespace of our resources where none is configured. It has to hold no pods: in a pod's own
/// namespace istiod makes inbound chains of our entries, and loses them again.
pub const DEFAULT_NAMESPACE: &str = "dubbo-mesh-services";

/// URL parameters that become labels of endpoints where none are configured.
pub const DEFAULT_LABELS: [&str; 5] = ["revision", "region", "zone", "env", "environment"];

/// Everything that rendering depends on besides the providers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mesh {
    /// Namespace of every resource.
    pub namespace: Arc<str>,
    /// Which numbers listen, and how.
    pub ports: Ports,
    /// Where virtual addresses come from.
    pub vips: Range,
    /// Schemes that are published, and as what.
    pub schemes: BTreeMap<Protocol, IstioProtocol>,
    /// What is known of workloads.
    pub workloads: Workloads,
    /// Namespaces that see the services; all where there are none.
    pub export_to: Vec<Arc<str>>,
    /// What is different for some services; of two that match, the later one wins.
    pub overrides: Vec<Override>,
    /// How the filter gets into sidecars; where there is none, somebody else sees to it.
    pub installation: Option<Installation>,
}

/// What is different for the services that match.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Override {
    /// Interfaces, `*` for any part.
    pub interfaces: Vec<Pattern>,
    /// Labels of the ServiceEntry.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Namespaces that see the service. Ports in http2 mode go to the namespaces of their list
    /// whatever stands here.
    pub export_to: Option<Vec<Arc<str>>>,
    /// Whether Dubbo's tag rule is kept by routes of ours; it is unless somebody says no.
    pub tag_routes: Option<bool>,
    /// Who chooses the provider of a call on a port in http2 mode; the mesh unless somebody says
    /// otherwise.
    pub pick: Option<Pick>,
}

/// Who chooses the provider of a call that the mesh routes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Pick {
    /// The mesh, among all providers that a route allows.
    Mesh,
    /// The SDK of the caller: a call goes where it was dialled. For consumers that broadcast, fork,
    /// stick, hash, or obey rules of the registry.
    Sdk,
}

/// A protocol of Istio's that a scheme is published as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum IstioProtocol {
    /// Opaque; needs an address of its own.
    Tcp,
    /// HTTP/1.1.
    Http,
    /// HTTP/2.
    Http2,
    /// gRPC, and so Triple.
    Grpc,
}

impl Mesh {
    /// dubbo, tri, grpc, rest and http, as what they are.
    pub fn default_schemes() -> BTreeMap<Protocol, IstioProtocol> {
        BTreeMap::from([
            (Protocol::Dubbo, IstioProtocol::Tcp),
            (Protocol::Tri, IstioProtocol::Grpc),
            (Protocol::Grpc, IstioProtocol::Grpc),
            (Protocol::Rest, IstioProtocol::Http),
            (Protocol::Http, IstioProtocol::Http),
        ])
    }
}

impl Default for Mesh {
    fn default() -> Self {
        Self {
            namespace: DEFAULT_NAMESPACE.into(),
            ports: Ports::default(),
            vips: Range::default(),
            schemes: Self::default_schemes(),
            workloads: Workloads::default(),
            export_to: Vec::new(),
            overrides: Vec::new(),
            installation: None,
        }
    }
}

impl Mesh {
    /// What is different for a service, later entries last.
    pub fn overrides_of<'a>(&'a self, key: &'a ServiceKey) -> impl Iterator<Item = &'a Override> {
        let fits = |o: &&Override| o.interfaces.iter().any(|p| p.matches(key.interface()));
        self.overrides.iter().filter(fits)
    }

    /// Whether the tag rule of a service is kept by routes of ours.
    pub fn routes_tags(&self, key: &ServiceKey) -> bool {
        let said = self.overrides_of(key).filter_map(|o| o.tag_routes).last();
        said.unwrap_or(true)
    }

    /// Who chooses the provider of a call of a service, where the mesh routes it.
    pub fn pick(&self, key: &ServiceKey) -> Pick {
        let said = self.overrides_of(key).filter_map(|o| o.pick).last();
        said.unwrap_or(Pick::Mesh)
    }
}

impl IstioProtocol {
    /// As `protocol.Parse` of Istio reads it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "TCP",
            Self::Http => "HTTP",
            Self::Http2 => "HTTP2",
            Self::Grpc => "GRPC",
        }
    }
}
