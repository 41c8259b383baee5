//! The configurations of the two Envoys. What is ours is taken from the files that are shipped. Pure,
//! but for reading those.

use std::net::SocketAddr;

use serde_json::{Value, json};
use support::{Authority, shipped};

use crate::paths::Path;
use crate::payload::{HOST, INTERFACE, METHOD};
use crate::provider::{DUBBO, HTTP2, at};

/// What the provider's Envoy listens for.
const TRANSLATED: SocketAddr = at(22000);
const TRANSLATED_IN_TLS: SocketAddr = at(22001);
const TCP: SocketAddr = at(22002);
const DUBBO_PROXY: SocketAddr = at(22003);
/// Calls in flight, connections, …: a machine that others use as well may fall behind for a moment.
const MANY: u32 = 100_000;

/// The caller's Envoy: one listener for each path.
pub(crate) fn caller(tls: &Value) -> Value {
    let listener = |path: Path, filters| listener(&path.name(), path.entry(), filters);
    let listeners = [
        listener(Path::TcpProxy, vec![tcp_proxy("provider")]),
        listener(Path::Observe, vec![observe(), tcp_proxy("provider")]),
        listener(Path::DubboProxy, vec![dubbo_proxy("provider")]),
        listener(Path::GenericProxy, vec![generic_proxy("provider")]),
        listener(Path::Http2, vec![manager("http2")]),
        listener(Path::Socket, translated("socket")),
        listener(Path::Bridge, translated("bridge")),
        listener(Path::Both, translated("both")),
        listener(Path::BothHttp2, translated("both-http2")),
        listener(Path::BothMtls, translated("both-mtls")),
        listener(Path::BothHttp2Mtls, translated("both-http2-mtls")),
        listener(Path::TcpSidecars, vec![tcp_proxy("tcp-sidecars")]),
        listener(Path::DubboSidecars, vec![dubbo_proxy("dubbo-sidecars")]),
    ];
    let clusters = [
        cluster("provider", DUBBO),
        http2(cluster("http2", HTTP2)),
        socket(cluster("socket", DUBBO)),
        bridge(cluster("bridge", DUBBO)),
        bridge(cluster("both", TRANSLATED)),
        http2(cluster("both-http2", TRANSLATED)),
        in_tls(bridge(cluster("both-mtls", TRANSLATED_IN_TLS)), tls),
        in_tls(http2(cluster("both-http2-mtls", TRANSLATED_IN_TLS)), tls),
        cluster("tcp-sidecars", TCP),
        cluster("dubbo-sidecars", DUBBO_PROXY),
    ];
    json!({"static_resources": {"listeners": listeners, "clusters": clusters}})
}

/// The provider's Envoy.
pub(crate) fn provider(tls: &Value) -> Value {
    let mut mutual = listener("translated-in-tls", TRANSLATED_IN_TLS, translated("bridge"));
    mutual["filter_chains"][0]["transport_socket"] = tls_socket("Downstream", tls);
    mutual["filter_chains"][0]["transport_socket"]["typed_config"]["require_client_certificate"] =
        json!(true);
    let listeners = [
        listener("translated", TRANSLATED, translated("bridge")),
        mutual,
        listener("tcp", TCP, vec![tcp_proxy("provider")]),
        listener("dubbo", DUBBO_PROXY, vec![dubbo_proxy("provider")]),
    ];
    let clusters = [cluster("provider", DUBBO), bridge(cluster("bridge", DUBBO))];
    json!({"static_resources": {"listeners": listeners, "clusters": clusters}})
}

/// A certificate of a workload, and the authority that all are from: the `common_tls_context`.
pub(crate) fn tls(authority: &Authority, account: &str) -> Value {
    let certificate = authority.workload("bench", account);
    json!({
        "tls_certificates": [{
            "certificate_chain": {"inline_string": certificate.pem},
            "private_key": {"inline_string": certificate.key},
        }],
        "validation_context": {"trusted_ca": {"inline_string": authority.pem}},
    })
}

fn address(address: SocketAddr) -> Value {
    json!({"socket_address": {"address": address.ip().to_string(), "port_value": address.port()}})
}

fn listener(name: &str, at: SocketAddr, filters: Vec<Value>) -> Value {
    json!({"name": name, "address": address(at), "filter_chains": [{"filters": filters}]})
}

fn cluster(name: &str, at: SocketAddr) -> Value {
    json!({
        "name": name, "type": "STATIC", "connect_timeout": "5s",
        "circuit_breakers": {"thresholds": [
            {"max_connections": MANY, "max_pending_requests": MANY, "max_requests": MANY}
        ]},
        "load_assignment": {"cluster_name": name, "endpoints": [
            {"lb_endpoints": [{"endpoint": {"address": address(at)}}]}
        ]},
    })
}

/// A part of a configuration that is shipped.
fn part(file: &str, pointer: &str) -> Value {
    let part = shipped(file).pointer(pointer).cloned();
    part.unwrap_or_else(|| panic!("{file} has no {pointer}"))
}

fn bridge(mut cluster: Value) -> Value {
    cluster["upstream_config"] = part("caller", "/static_resources/clusters/0/upstream_config");
    cluster
}

fn socket(cluster: Value) -> Value {
    let mut cluster = http2(cluster);
    let mut socket = part("caller", "/static_resources/clusters/1/transport_socket");
    socket["typed_config"]["transport_socket_config"] = options();
    cluster["transport_socket"] = socket;
    cluster
}

fn http2(mut cluster: Value) -> Value {
    let options = "/static_resources/clusters/1/typed_extension_protocol_options";
    cluster["typed_extension_protocol_options"] = part("caller", options);
    cluster
}

fn in_tls(mut cluster: Value, tls: &Value) -> Value {
    cluster["transport_socket"] = tls_socket("Upstream", tls);
    cluster
}

fn tls_socket(direction: &str, tls: &Value) -> Value {
    let of_type = format!(
        "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.{direction}TlsContext"
    );
    json!({
        "name": "envoy.transport_sockets.tls",
        "typed_config": {"@type": of_type, "common_tls_context": tls},
    })
}

/// Our network filter, and the connection manager behind it.
fn translated(cluster: &str) -> Vec<Value> {
    let ours = "/static_resources/listeners/0/filter_chains/0/filters/0";
    let mut ours = part("caller", ours);
    ours["typed_config"]["filter_config"] = options();
    vec![ours, manager(cluster)]
}

/// Of ours: the defaults, but for the calls in flight.
fn options() -> Value {
    json!({
        "@type": "type.googleapis.com/google.protobuf.Struct",
        "value": {"limits": {"calls": MANY}},
    })
}

/// The HTTP connection manager as it is shipped, without a log, with one route.
fn manager(cluster: &str) -> Value {
    let manager = "/static_resources/listeners/0/filter_chains/0/filters/1";
    let mut manager = part("caller", manager);
    let config = manager["typed_config"].as_object_mut().expect("an object");
    config.remove("access_log").expect("one that is shipped");
    let mut route =
        json!({"match": {"prefix": "/"}, "route": {"cluster": cluster, "timeout": "0s"}});
    if cluster.starts_with("both-http2") {
        // What our halves tell each other within a process leaves none.
        route["request_headers_to_remove"] = json!(["dubbo-mesh-seal"]);
    }
    config["route_config"] = json!({
        "name": cluster,
        "virtual_hosts": [{"name": HOST, "domains": [HOST], "routes": [route]}],
    });
    manager
}

fn observe() -> Value {
    part(
        "observe",
        "/static_resources/listeners/0/filter_chains/0/filters/0",
    )
}

fn filter(name: &str, of_type: &str, mut config: Value) -> Value {
    config["@type"] = json!(format!("type.googleapis.com/envoy.extensions.{of_type}"));
    json!({"name": name, "typed_config": config})
}

fn tcp_proxy(cluster: &str) -> Value {
    filter(
        "envoy.filters.network.tcp_proxy",
        "filters.network.tcp_proxy.v3.TcpProxy",
        json!({"stat_prefix": cluster, "cluster": cluster}),
    )
}

fn dubbo_proxy(cluster: &str) -> Value {
    filter(
        "envoy.filters.network.dubbo_proxy",
        "filters.network.dubbo_proxy.v3.DubboProxy",
        json!({"stat_prefix": cluster, "multiple_route_config": {
            "name": cluster,
            "route_config": [{"name": cluster, "interface": INTERFACE, "routes": [{
                "match": {"method": {"name": {"exact": METHOD}}},
                "route": {"cluster": cluster},
            }]}],
        }}),
    )
}

fn generic_proxy(cluster: &str) -> Value {
    let generic = "filters.network.generic_proxy";
    let codec = format!("{generic}.codecs.dubbo.v3.DubboCodecConfig");
    let router = format!("{generic}.router.v3.Router");
    let input = filter(
        "host",
        &format!("{generic}.matcher.v3.HostMatchInput"),
        json!({}),
    );
    let action = filter(
        "route",
        &format!("{generic}.action.v3.RouteAction"),
        json!({"cluster": cluster}),
    );
    filter(
        "envoy.filters.network.generic_proxy",
        &format!("{generic}.v3.GenericProxy"),
        json!({
            "stat_prefix": cluster,
            "codec_config": filter("envoy.generic_proxy.codecs.dubbo", &codec, json!({})),
            "filters": [filter("envoy.filters.generic.router", &router, json!({}))],
            "route_config": {"name": cluster, "routes": {"matcher_tree": {
                "input": input,
                "exact_match_map": {"map": {INTERFACE: {"action": action}}},
            }}},
        }),
    )
}
