//! Patches: what each side of a sidecar needs, as istiod takes it.
//!
//! Types that an istiod of 1.29 does not know stand in `xds.type.v3.TypedStruct`, which it passes on
//! as it is: a type that it does not know is refused with the whole object.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;
use serde_json::{Map, Value, json};

use crate::installation::{Installation, METADATA_KEY, Upstream};
use crate::proto::envoy_filter::{
    ApplyTo, ClusterMatch, ConfigPatch, FilterChainMatch, FilterMatch, ListenerMatch, ObjectMatch,
    ObjectTypes, Operation, Patch, PatchContext, ProxyMatch, RouteAction, RouteConfigurationMatch,
    RouteMatch, SubFilterMatch, VirtualHostMatch, to_struct,
};

/// `lib<name>.so` where Envoy looks for modules.
const MODULE: &str = "dubbo_proxy_filter";
/// What the filter's requests carry, and nobody else's.
const CONTENT_TYPE: &str = "application/x-dubbo2";
/// The cluster of calls that go where they were dialled.
const ORIGINAL_DESTINATION: &str = "dubbo-original-dst";
/// istiod's virtual host for what a sidecar may not call.
const BLOCK_ALL: &str = "block_all";

const HCM: &str = "envoy.filters.network.http_connection_manager";
const ROUTER: &str = "envoy.filters.http.router";
/// How long it lets a connection be to which it has said goodbye, unless it is told otherwise.
const HCM_DRAIN_MS: u64 = 5000;
/// For how much longer than `drain_ms` a connection may be there.
const MARGIN_MS: u64 = 5000;
const TCP_PROXY: &str = "envoy.filters.network.tcp_proxy";
/// istiod's cluster for inbound ports that it does not know: where the connection was going.
const INBOUND_PASSTHROUGH: &str = "InboundPassthroughCluster";

/// The patches of one object, all for proxies that have the module.
pub(super) struct Patches<'a> {
    installation: &'a Installation,
    patches: Vec<ConfigPatch>,
}

impl<'a> Patches<'a> {
    pub(super) fn new(installation: &'a Installation) -> Self {
        Self {
            installation,
            patches: Vec::new(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.patches.is_empty()
    }

    /// A caller's listener of this port: Dubbo is made h2c for istiod's own chain, and HTTP/2 in
    /// front of its connection manager. What is not published goes where the caller dialled.
    pub(super) fn caller<'n>(&mut self, port: u16, except: impl Iterator<Item = &'n IpNet>) {
        // By name: by number it would also be put into the listener of everything else.
        let listener = || ListenerMatch {
            name: format!("0.0.0.0_{port}"),
            ..ListenerMatch::default()
        };
        let in_chain = |filter, sub_filter: Option<&str>| ListenerMatch {
            filter_chain: Some(chain(filter, sub_filter)),
            ..listener()
        };
        self.outbound(
            ApplyTo::ListenerFilter,
            ObjectTypes::Listener(listener()),
            Operation::InsertFirst,
            self.sniff(except),
        );
        self.outbound(
            ApplyTo::NetworkFilter,
            ObjectTypes::Listener(in_chain(HCM, None)),
            Operation::InsertBefore,
            self.network_filter("dubbo_to_http2", &self.installation.caller_options()),
        );
        if let Some(patient) = self.patient_manager() {
            self.outbound(
                ApplyTo::NetworkFilter,
                ObjectTypes::Listener(in_chain(HCM, None)),
                Operation::Merge,
                Some(patient),
            );
        }
        // With it the peer would be offered HTTP/2 and take the connection into its HTTP chain.
        self.outbound(
            ApplyTo::HttpFilter,
            ObjectTypes::Listener(in_chain(HCM, Some("istio.alpn"))),
            Operation::Remove,
            None,
        );
        if self.installation.holds() {
            self.hold(port, in_chain(HCM, Some(ROUTER)));
        }
        let block_all = self.installation.block_all.then_some(BLOCK_ALL);
        for vhost in ["allow_any"].into_iter().chain(block_all) {
            self.first_route(port, Some(vhost), as_dialled("dubbo-unpublished"));
        }
    }

    /// Calls of this port wait for a cluster that their route names: directly in front of the router, so
    /// that nothing is asked twice. What has no cluster by intention says so by its kind of route.
    fn hold(&mut self, port: u16, router: ListenerMatch) {
        self.outbound(
            ApplyTo::HttpFilter,
            ObjectTypes::Listener(router),
            Operation::InsertBefore,
            Some(self.http_filter()),
        );
        let to_clusters = VirtualHostMatch {
            name: String::new(),
            route: Some(RouteMatch {
                action: RouteAction::Route.into(),
            }),
        };
        self.outbound(
            ApplyTo::HttpRoute,
            ObjectTypes::RouteConfiguration(RouteConfigurationMatch {
                vhost: Some(to_clusters),
                name: port.to_string(),
            }),
            Operation::Merge,
            Some(object(json!({"metadata": held()}))),
        );
    }

    /// A caller's listener of this port: requests of Triple and gRPC get the name of their service. They
    /// come as HTTP/2 and go out as they are, so that neither bytes are sniffed nor clusters patched.
    pub(super) fn triple(&mut self, port: u16) {
        let listener = ListenerMatch {
            name: format!("0.0.0.0_{port}"),
            filter_chain: Some(chain(HCM, None)),
            ..ListenerMatch::default()
        };
        self.outbound(
            ApplyTo::NetworkFilter,
            ObjectTypes::Listener(listener),
            Operation::InsertBefore,
            self.network_filter("dubbo_to_http2", &self.installation.triple_options()),
        );
    }

    /// Calls that were translated on this port go to where they were dialled, published or not, as
    /// long as there are any: on connections of a listener that has gone too. Who may only call what is
    /// published gets no further by that.
    pub(super) fn bypass(&mut self, port: u16) {
        self.first_route(port, None, as_dialled("dubbo-bypass"));
        if !self.installation.block_all {
            self.first_route(port, Some(BLOCK_ALL), blocked());
        }
    }

    /// A route of ours in front of all others, of one virtual host or of each.
    fn first_route(&mut self, port: u16, vhost: Option<&str>, route: Option<Map<String, Value>>) {
        self.outbound(
            ApplyTo::HttpRoute,
            ObjectTypes::RouteConfiguration(RouteConfigurationMatch {
                vhost: vhost.map(|name| VirtualHostMatch {
                    name: name.into(),
                    route: None,
                }),
                name: port.to_string(),
            }),
            Operation::InsertFirst,
            route,
        );
    }

    /// Clusters of this port number speak Dubbo.
    pub(super) fn cluster_of_port(&mut self, port: u16) {
        self.speaks_dubbo(PatchContext::SidecarOutbound, port, "");
    }

    /// The clusters of this service and port speak Dubbo.
    pub(super) fn cluster_of_host(&mut self, host: &str, port: u16) {
        self.speaks_dubbo(PatchContext::SidecarOutbound, port, host);
    }

    /// Where calls go that no published service takes.
    pub(super) fn original_destination(&mut self) {
        let mut cluster = self.bridge();
        cluster.extend(object(json!({
            "name": ORIGINAL_DESTINATION,
            "type": "ORIGINAL_DST",
            "lb_policy": "CLUSTER_PROVIDED",
            "connect_timeout": "10s",
        })));
        self.add(
            PatchContext::SidecarOutbound,
            ApplyTo::Cluster,
            None,
            Operation::Add,
            Some(cluster),
        );
    }

    /// A provider's inbound chains of this port and their cluster. Those that istiod made TCP ones, all
    /// or some of them, keep away from the cluster, which lets nothing but HTTP out as Dubbo: they go
    /// the way of ports that istiod does not know.
    pub(super) fn provider(&mut self, port: u16) {
        let options = &self.installation.options;
        let patches = [
            (
                HCM,
                Operation::InsertBefore,
                self.network_filter("dubbo_to_http2", options),
            ),
            (HCM, Operation::Merge, self.patient_manager()),
            (TCP_PROXY, Operation::Merge, passed_through()),
        ];
        for (filter, operation, value) in patches.into_iter().filter(|(.., value)| value.is_some())
        {
            let listener = ListenerMatch {
                port_number: port.into(),
                filter_chain: Some(chain(filter, None)),
                name: "virtualInbound".into(),
            };
            self.add(
                PatchContext::SidecarInbound,
                ApplyTo::NetworkFilter,
                Some(ObjectTypes::Listener(listener)),
                operation,
                value,
            );
        }
        self.speaks_dubbo(PatchContext::SidecarInbound, port, "");
    }

    /// Counts what passes: on the listeners of these ports, and on the way of all calls that no
    /// listener takes.
    pub(super) fn observed(&mut self, ports: &BTreeSet<u16>) {
        let of_port = |port: &u16| ListenerMatch {
            port_number: (*port).into(),
            filter_chain: Some(chain(TCP_PROXY, None)),
            ..ListenerMatch::default()
        };
        let passthrough = ListenerMatch {
            filter_chain: Some(chain(TCP_PROXY, None)),
            name: "virtualOutbound".into(),
            ..ListenerMatch::default()
        };
        for listener in ports.iter().map(of_port).chain([passthrough]) {
            self.outbound(
                ApplyTo::NetworkFilter,
                ObjectTypes::Listener(listener),
                Operation::InsertBefore,
                self.network_filter("dubbo_observe", &self.installation.observer_options()),
            );
        }
    }

    fn speaks_dubbo(&mut self, context: PatchContext, port: u16, host: &str) {
        let cluster = ClusterMatch {
            port_number: port.into(),
            service: host.into(),
        };
        let value = match (self.installation.upstream, context) {
            (Upstream::TransportSocket, PatchContext::SidecarOutbound) => self.transport_socket(),
            _ => self.bridge(),
        };
        self.add(
            context,
            ApplyTo::Cluster,
            Some(ObjectTypes::Cluster(cluster)),
            Operation::Merge,
            Some(value),
        );
    }

    fn outbound(
        &mut self,
        apply_to: ApplyTo,
        matches: ObjectTypes,
        operation: Operation,
        value: Option<Map<String, Value>>,
    ) {
        let context = PatchContext::SidecarOutbound;
        self.add(context, apply_to, Some(matches), operation, value);
    }

    fn add(
        &mut self,
        context: PatchContext,
        apply_to: ApplyTo,
        matches: Option<ObjectTypes>,
        operation: Operation,
        value: Option<Map<String, Value>>,
    ) {
        let metadata = (METADATA_KEY.into(), self.installation.metadata.to_string());
        self.patches.push(ConfigPatch {
            apply_to: apply_to.into(),
            matches: Some(ObjectMatch {
                context: context.into(),
                proxy: Some(ProxyMatch {
                    metadata: BTreeMap::from([metadata]),
                }),
                object: matches,
            }),
            patch: Some(Patch {
                operation: operation.into(),
                value: value.as_ref().map(to_struct),
            }),
        });
    }

    fn sniff<'n>(&self, except: impl Iterator<Item = &'n IpNet>) -> Option<Map<String, Value>> {
        let message =
            "envoy.extensions.filters.listener.dynamic_modules.v3.DynamicModuleListenerFilter";
        let mut options = self.installation.options.clone();
        let except: Vec<Value> = except.map(|net| net.to_string().into()).collect();
        if !except.is_empty() {
            options.insert("except".into(), Value::Array(except));
        }
        Some(object(json!({
            "name": "dubbo_sniff",
            "typed_config": typed(message, named("filter_name", "dubbo_sniff", "filter_config", &options)),
        })))
    }

    fn network_filter(
        &self,
        name: &str,
        options: &Map<String, Value>,
    ) -> Option<Map<String, Value>> {
        let message =
            "envoy.extensions.filters.network.dynamic_modules.v3.DynamicModuleNetworkFilter";
        Some(object(json!({
            "name": name,
            "typed_config": typed(message, named("filter_name", name, "filter_config", options)),
        })))
    }

    fn http_filter(&self) -> Map<String, Value> {
        let message = "envoy.extensions.filters.http.dynamic_modules.v3.DynamicModuleFilter";
        let options = self.installation.hold_options();
        object(json!({
            "name": "dubbo_hold",
            "typed_config": wrapped(message, named("filter_name", "dubbo_hold", "filter_config", &options)),
        }))
    }

    /// The connection manager, where by itself it would cut a connection before the filter is done with it.
    fn patient_manager(&self) -> Option<Map<String, Value>> {
        let drain_ms = self.installation.options.get("drain_ms")?;
        // The filter's own reader has it that this is a whole number, written as whatever.
        let drain_ms = drain_ms.as_f64()? as u64;
        (drain_ms >= HCM_DRAIN_MS).then(|| {
            let wanted = drain_ms + MARGIN_MS;
            let message =
                "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
            let time = format!("{}.{:03}s", wanted / 1000, wanted % 1000);
            object(json!({
                "name": HCM,
                "typed_config": typed(message, object(json!({"drain_timeout": time}))),
            }))
        })
    }

    fn bridge(&self) -> Map<String, Value> {
        let message = "envoy.extensions.upstreams.http.dynamic_modules.v3.Config";
        let options = self.installation.provider_options();
        let config = named("bridge_name", "http_to_dubbo", "bridge_config", options);
        object(json!({"upstream_config": {
            "name": "envoy.upstreams.http.dynamic_modules",
            "typed_config": wrapped(message, config),
        }}))
    }

    fn transport_socket(&self) -> Map<String, Value> {
        let message =
            "envoy.extensions.transport_sockets.dynamic_modules.v3.DynamicModuleTransportSocket";
        let config = named(
            "transport_socket_name",
            "http2_to_dubbo",
            "transport_socket_config",
            self.installation.provider_options(),
        );
        object(json!({"transport_socket": {
            "name": "envoy.transport_sockets.dynamic_modules",
            "typed_config": wrapped(message, config),
        }}))
    }
}

impl From<Patches<'_>> for Vec<ConfigPatch> {
    fn from(patches: Patches<'_>) -> Self {
        patches.patches
    }
}

/// The module, the part of it, and its options.
fn named(
    name_field: &str,
    name: &str,
    config_field: &str,
    options: &Map<String, Value>,
) -> Map<String, Value> {
    let mut config = object(json!({
        "dynamic_module_config": {"name": MODULE},
        name_field: name,
    }));
    if !options.is_empty() {
        let options = json!({
            "@type": "type.googleapis.com/google.protobuf.Struct",
            "value": options,
        });
        config.insert(config_field.into(), options);
    }
    config
}

fn chain(filter: &str, sub_filter: Option<&str>) -> FilterChainMatch {
    FilterChainMatch {
        name: String::new(),
        filter: Some(FilterMatch {
            name: filter.into(),
            sub_filter: sub_filter.map(|name| SubFilterMatch { name: name.into() }),
        }),
    }
}

/// A chain of TCP goes to where its connection was going.
fn passed_through() -> Option<Map<String, Value>> {
    let message = "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy";
    let config = object(json!({"cluster": INBOUND_PASSTHROUGH}));
    Some(object(json!({
        "name": TCP_PROXY,
        "typed_config": typed(message, config),
    })))
}

/// Calls of ours go to the address that the SDK has dialled.
fn as_dialled(name: &str) -> Option<Map<String, Value>> {
    Some(object(json!({
        "name": name,
        "match": ours(),
        "route": {"cluster": ORIGINAL_DESTINATION, "timeout": "0s"},
    })))
}

/// What `dubbo_hold` asks of a route.
fn held() -> Value {
    json!({"filter_metadata": {"dubbo": {"hold": true}}})
}

/// Calls of ours end here, as Istio has it for what a sidecar may not call.
fn blocked() -> Option<Map<String, Value>> {
    Some(object(json!({
        "name": "dubbo-blocked",
        "match": ours(),
        "direct_response": {"status": 502},
    })))
}

fn ours() -> Value {
    json!({
        "prefix": "/",
        "headers": [{"name": "content-type", "string_match": {"exact": CONTENT_TYPE}}],
    })
}

/// A message that istiod knows.
fn typed(message: &str, mut config: Map<String, Value>) -> Value {
    config.insert(
        "@type".into(),
        format!("type.googleapis.com/{message}").into(),
    );
    config.into()
}

/// A message that istiod need not know.
fn wrapped(message: &str, config: Map<String, Value>) -> Value {
    json!({
        "@type": "type.googleapis.com/xds.type.v3.TypedStruct",
        "type_url": format!("type.googleapis.com/{message}"),
        "value": config,
    })
}

/// What `json!` made of braces.
fn object(json: Value) -> Map<String, Value> {
    match json {
        Value::Object(object) => object,
        _ => Map::new(),
    }
}
