//! How the filter gets into sidecars, as configured: whose, on which ports, in which form.
//!
//! A caller's side follows from the http2 ports; the rest stands here. Plain values; what they become
//! is decided in `resource/envoy_filter.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Map, Value};

/// The key of node metadata that a proxy has if the module is mounted beside it. Every patch asks for
/// it: a proxy that is told to load a file that it lacks never becomes ready.
pub const METADATA_KEY: &str = "DUBBO_MESH";

/// The filter's option for how long a call waits for a cluster.
const HOLD: &str = "hold_ms";
/// Its options for how much it holds.
const LIMITS: &str = "limits";

/// The filter's option to set the authority of requests that come as HTTP/2.
pub const AUTHORITY: &str = "authority_for_http2";

/// All namespaces.
pub const EVERYWHERE: &str = "*";

/// What is installed, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installation {
    /// Istio's root namespace: what stands there holds in all.
    pub root_namespace: Arc<str>,
    /// The value of [`METADATA_KEY`] that a proxy must have.
    pub metadata: Arc<str>,
    /// What turns HTTP/2 into Dubbo again, in clusters.
    pub upstream: Upstream,
    /// Which clusters it is put into.
    pub cluster_match: ClusterMatch,
    /// Whether a sidecar that may only call what is published passes on Dubbo calls to what is not.
    pub block_all: bool,
    /// Options of the filter, as it reads them.
    pub options: Map<String, Value>,
    /// Ports and namespaces of providers.
    pub providers: Reach,
    /// Ports and namespaces of callers whose calls are counted where they pass. Such a port may be routed
    /// too: then these are the calls of connections that are older than that.
    pub observed: Reach,
    /// Ports and namespaces of callers whose translated calls go to where their SDK has dialled: the
    /// way out of http2 mode, on which connections that are open lose nothing.
    pub bypassed: Reach,
    /// Ports of Triple and gRPC, which no Dubbo2 is on, and namespaces of callers: requests there get
    /// the name of their service for an authority, and nothing else changes.
    pub triple: Reach,
}

/// Port numbers by namespace, [`EVERYWHERE`] for all.
pub type Reach = BTreeMap<Arc<str>, BTreeSet<u16>>;

/// Where Envoy lets Dubbo out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Upstream {
    /// One connection for each call under way; under TLS too.
    #[default]
    Bridge,
    /// One connection for all calls to a provider; plain text only, since istiod drops the patch
    /// where it lets a cluster choose between plain text and TLS.
    TransportSocket,
}

/// How a patch finds the clusters of Dubbo services.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ClusterMatch {
    /// Every cluster of the port number: constant, but nothing besides Dubbo may have that number in
    /// the callers' scope.
    #[default]
    Port,
    /// One EnvoyFilter for each service and namespace.
    Host,
}

impl Installation {
    /// The options of a caller's network filter. All its connections drain at once, to whatever
    /// provider: none of them is told that its provider goes, unless that is asked for.
    pub fn caller_options(&self) -> Map<String, Value> {
        let mut options = self.options.clone();
        options
            .entry("readonly_event")
            .or_insert(Value::Bool(false));
        options
    }

    /// The options where nothing but Triple and gRPC is.
    pub fn triple_options(&self) -> Map<String, Value> {
        let mut options = self.options.clone();
        options.insert(AUTHORITY.into(), Value::Bool(true));
        options
    }

    /// Whether Triple and gRPC on this port get the name of their service, for some namespace.
    pub fn names(&self, port: u16) -> bool {
        self.triple.values().any(|ports| ports.contains(&port))
    }

    /// Whether calls wait for clusters that routes name already, or still.
    pub fn holds(&self) -> bool {
        self.options.get(HOLD).and_then(Value::as_f64) != Some(0.0)
    }

    /// The options of the part that lets them wait.
    pub fn hold_options(&self) -> Map<String, Value> {
        self.only(HOLD)
    }

    /// The options of the part that counts, and no others: where one of them changes, Envoy closes all
    /// connections that pass.
    pub fn observer_options(&self) -> Map<String, Value> {
        self.only(LIMITS)
    }

    fn only(&self, name: &str) -> Map<String, Value> {
        let option = self.options.get_key_value(name).into_iter();
        option.map(|(k, v)| (k.clone(), v.clone())).collect()
    }

    /// The options of a provider's end (bridge, transport socket).
    pub const fn provider_options(&self) -> &Map<String, Value> {
        &self.options
    }
}

impl Default for Installation {
    fn default() -> Self {
        Self {
            root_namespace: "istio-system".into(),
            metadata: "1".into(),
            upstream: Upstream::default(),
            cluster_match: ClusterMatch::default(),
            block_all: false,
            options: Map::new(),
            providers: Reach::new(),
            observed: Reach::new(),
            bypassed: Reach::new(),
            triple: Reach::new(),
        }
    }
}
