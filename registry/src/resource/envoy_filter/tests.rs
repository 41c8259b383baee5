//! The expected patches are those that ran in true sidecars, with the names of ours.

use serde_json::{Value, json};

use super::*;
use crate::installation::Upstream;
use crate::ports::{PortList, Ports};

fn list(ports: &[&str], namespaces: &[&str]) -> PortList {
    PortList {
        ports: ports.iter().map(|p| p.parse().unwrap()).collect(),
        namespaces: namespaces.iter().map(|n| (*n).into()).collect(),
        except: Vec::new(),
    }
}

fn mesh(http2: &[PortList], installation: Installation) -> Mesh {
    Mesh {
        ports: Ports::new(Ports::default_listen(), BTreeSet::new(), http2).unwrap(),
        installation: Some(installation),
        ..Mesh::default()
    }
}

/// Name and patches of each object, as a manifest would hold them.
fn shown(objects: &[Object<EnvoyFilter>]) -> Vec<(String, Value)> {
    let show = |object: &Object<EnvoyFilter>| {
        let name = format!("{}/{}", object.namespace, object.name);
        let spec = serde_json::to_value(&object.spec).unwrap();
        (name, spec["configPatches"].clone())
    };
    objects.iter().map(show).collect()
}

fn names(objects: &[Object<EnvoyFilter>]) -> Vec<String> {
    shown(objects).into_iter().map(|(name, _)| name).collect()
}

/// A match for proxies that have the module.
fn on(context: &str, key: &str, object: Value) -> Value {
    let mut on = json!({"context": context, "proxy": {"metadata": {"DUBBO_MESH": "1"}}});
    if !key.is_empty() {
        on[key] = object;
    }
    on
}

fn network_filter(name: &str) -> Value {
    json!({"name": name, "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.network.dynamic_modules.v3.DynamicModuleNetworkFilter",
        "dynamic_module_config": {"name": "dubbo_proxy_filter"},
        "filter_name": name,
    }})
}

/// Its connections are closed without the event of a provider that goes.
fn callers_filter() -> Value {
    let mut filter = network_filter("dubbo_to_http2");
    filter["typed_config"]["filter_config"] = json!({
        "@type": "type.googleapis.com/google.protobuf.Struct",
        "value": {"readonly_event": false},
    });
    filter
}

/// Directly in front of the router.
fn hold(options: Value) -> Value {
    let mut config = json!({"dynamic_module_config": {"name": "dubbo_proxy_filter"}, "filter_name": "dubbo_hold"});
    if !options.is_null() {
        config["filter_config"] =
            json!({"@type": "type.googleapis.com/google.protobuf.Struct", "value": options});
    }
    let filter = json!({"name": HCM, "subFilter": {"name": "envoy.filters.http.router"}});
    json!({
        "applyTo": "HTTP_FILTER",
        "match": on("SIDECAR_OUTBOUND", "listener", json!({
            "name": "0.0.0.0_20880", "filterChain": {"filter": filter},
        })),
        "patch": {"operation": "INSERT_BEFORE", "value": {"name": "dubbo_hold", "typed_config": {
            "@type": "type.googleapis.com/xds.type.v3.TypedStruct",
            "type_url": "type.googleapis.com/envoy.extensions.filters.http.dynamic_modules.v3.DynamicModuleFilter",
            "value": config,
        }}},
    })
}

/// Every route that leads to a cluster.
fn held() -> Value {
    json!({
        "applyTo": "HTTP_ROUTE",
        "match": on("SIDECAR_OUTBOUND", "routeConfiguration", json!({
            "name": "20880", "vhost": {"route": {"action": "ROUTE"}},
        })),
        "patch": {"operation": "MERGE", "value": {
            "metadata": {"filter_metadata": {"dubbo": {"hold": true}}},
        }},
    })
}

fn bridge() -> Value {
    json!({"name": "envoy.upstreams.http.dynamic_modules", "typed_config": {
        "@type": "type.googleapis.com/xds.type.v3.TypedStruct",
        "type_url": "type.googleapis.com/envoy.extensions.upstreams.http.dynamic_modules.v3.Config",
        "value": {"dynamic_module_config": {"name": "dubbo_proxy_filter"}, "bridge_name": "http_to_dubbo"},
    }})
}

const HCM: &str = "envoy.filters.network.http_connection_manager";
const TCP_PROXY: &str = "envoy.filters.network.tcp_proxy";

#[test]
fn a_callers_port_is_sniffed_translated_and_goes_out_as_dubbo() {
    let objects = render(&mesh(
        &[list(&["20880"], &["shop"])],
        Installation::default(),
    ));
    let side = |key, object| on("SIDECAR_OUTBOUND", key, object);
    let name = "0.0.0.0_20880";
    let expected = json!([
        {
            "applyTo": "LISTENER_FILTER",
            "match": side("listener", json!({"name": name})),
            "patch": {"operation": "INSERT_FIRST", "value": {"name": "dubbo_sniff", "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.filters.listener.dynamic_modules.v3.DynamicModuleListenerFilter",
                "dynamic_module_config": {"name": "dubbo_proxy_filter"},
                "filter_name": "dubbo_sniff",
            }}},
        },
        {
            "applyTo": "NETWORK_FILTER",
            "match": side("listener", json!({"name": name, "filterChain": {"filter": {"name": HCM}}})),
            "patch": {"operation": "INSERT_BEFORE", "value": callers_filter()},
        },
        {
            "applyTo": "HTTP_FILTER",
            "match": side("listener", json!({"name": name, "filterChain": {
                "filter": {"name": HCM, "subFilter": {"name": "istio.alpn"}},
            }})),
            "patch": {"operation": "REMOVE"},
        },
        hold(Value::Null),
        held(),
        {
            "applyTo": "HTTP_ROUTE",
            "match": side("routeConfiguration", json!({"name": "20880", "vhost": {"name": "allow_any"}})),
            "patch": {"operation": "INSERT_FIRST", "value": {
                "name": "dubbo-unpublished",
                "match": {"prefix": "/", "headers": [
                    {"name": "content-type", "string_match": {"exact": "application/x-dubbo2"}},
                ]},
                "route": {"cluster": "dubbo-original-dst", "timeout": "0s"},
            }},
        },
        {
            "applyTo": "CLUSTER",
            "match": side("cluster", json!({"portNumber": 20880})),
            "patch": {"operation": "MERGE", "value": {"upstream_config": bridge()}},
        },
        {
            "applyTo": "CLUSTER",
            "match": side("", Value::Null),
            "patch": {"operation": "ADD", "value": {
                "name": "dubbo-original-dst",
                "type": "ORIGINAL_DST",
                "lb_policy": "CLUSTER_PROVIDED",
                "connect_timeout": "10s",
                "upstream_config": bridge(),
            }},
        },
    ]);
    assert_eq!(
        shown(&objects),
        [("shop/dubbo-mesh-callers".to_owned(), expected)]
    );
}

/// Connections to a callback provider stay what they are; of the other parts nothing is different.
#[test]
fn addresses_that_are_left_alone_are_the_sniffs_business() {
    let options = json!({"deadline": false}).as_object().unwrap().clone();
    let installation = Installation {
        options,
        ..Installation::default()
    };
    let plain = list(&["20880", "20881"], &["shop"]);
    let http2 = |ports: &[&str], except: &[&str]| PortList {
        except: except.iter().map(|net| net.parse().unwrap()).collect(),
        ..list(ports, &["shop"])
    };
    let excepted = [
        http2(&["20880"], &["10.0.3.0/24", "10.0.4.7/32"]),
        http2(&["20881"], &[]),
    ];
    let of = |lists: &[PortList]| shown(&render(&mesh(lists, installation.clone())));
    let mut expected = of(&[plain]);
    let sniff = &mut expected[0].1[0]["patch"]["value"]["typed_config"]["filter_config"];
    assert_eq!(
        sniff["value"],
        json!({"deadline": false}),
        "it has the options of all parts"
    );
    sniff["value"] = json!({"deadline": false, "except": ["10.0.3.0/24", "10.0.4.7/32"]});
    assert_eq!(of(&excepted), expected);
}

#[test]
fn calls_wait_as_long_as_is_said_and_not_at_all_if_so() {
    let of = |options: Value| {
        let options = options.as_object().unwrap().clone();
        let installation = Installation {
            options,
            ..Installation::default()
        };
        let shown = shown(&render(&mesh(&[list(&["20880"], &["shop"])], installation)));
        shown[0].1.as_array().unwrap().clone()
    };
    let some = of(json!({"hold_ms": 300, "deadline": false}));
    assert_eq!(some[3..5], [hold(json!({"hold_ms": 300})), held()]);
    let none = of(json!({"hold_ms": 0}));
    assert!(none.iter().all(|patch| {
        patch["patch"]["value"]["name"] != "dubbo_hold"
            && patch["patch"]["value"]["metadata"].is_null()
    }));
    assert_eq!(none.len() + 2, some.len());
}

#[test]
fn a_providers_port_is_translated_on_both_sides_of_its_inbound_chain() {
    let providers = Reach::from([("pay".into(), BTreeSet::from([20880]))]);
    let objects = render(&mesh(
        &[],
        Installation {
            providers,
            ..Installation::default()
        },
    ));
    let side = |key, object| on("SIDECAR_INBOUND", key, object);
    let expected = json!([
        {
            "applyTo": "NETWORK_FILTER",
            "match": side("listener", json!({
                "portNumber": 20880, "name": "virtualInbound", "filterChain": {"filter": {"name": HCM}},
            })),
            "patch": {"operation": "INSERT_BEFORE", "value": network_filter("dubbo_to_http2")},
        },
        // Chains of TCP keep away from the cluster: its bridge lets nothing but HTTP out.
        {
            "applyTo": "NETWORK_FILTER",
            "match": side("listener", json!({
                "portNumber": 20880, "name": "virtualInbound", "filterChain": {"filter": {"name": TCP_PROXY}},
            })),
            "patch": {"operation": "MERGE", "value": {"name": TCP_PROXY, "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
                "cluster": "InboundPassthroughCluster",
            }}},
        },
        {
            "applyTo": "CLUSTER",
            "match": side("cluster", json!({"portNumber": 20880})),
            "patch": {"operation": "MERGE", "value": {"upstream_config": bridge()}},
        },
    ]);
    assert_eq!(
        shown(&objects),
        [("pay/dubbo-mesh-providers".to_owned(), expected)]
    );
}

#[test]
fn observed_calls_are_counted_where_they_pass_and_nothing_else_is_touched() {
    let observed = Reach::from([("*".into(), BTreeSet::from([20880]))]);
    let objects = render(&mesh(
        &[],
        Installation {
            observed,
            ..Installation::default()
        },
    ));
    let tcp_proxy = json!({"filter": {"name": TCP_PROXY}});
    let patch = |listener| {
        json!({
            "applyTo": "NETWORK_FILTER",
            "match": on("SIDECAR_OUTBOUND", "listener", listener),
            "patch": {"operation": "INSERT_BEFORE", "value": network_filter("dubbo_observe")},
        })
    };
    let expected = json!([
        patch(json!({"portNumber": 20880, "filterChain": tcp_proxy})),
        patch(json!({"name": "virtualOutbound", "filterChain": tcp_proxy})),
    ]);
    assert_eq!(
        shown(&objects),
        [("istio-system/dubbo-mesh-observed".to_owned(), expected)]
    );
}

#[test]
fn triple_gets_authorities_and_keeps_its_clusters() {
    let installation = Installation {
        triple: Reach::from([("shop".into(), BTreeSet::from([50051]))]),
        ..Installation::default()
    };
    let objects = render(&mesh(&[], installation));
    let mut filter = network_filter("dubbo_to_http2");
    filter["typed_config"]["filter_config"] = json!({
        "@type": "type.googleapis.com/google.protobuf.Struct",
        "value": {"authority_for_http2": true},
    });
    let listener = json!({"name": "0.0.0.0_50051", "filterChain": {"filter": {"name": HCM}}});
    let expected = json!([{
        "applyTo": "NETWORK_FILTER",
        "match": on("SIDECAR_OUTBOUND", "listener", listener),
        "patch": {"operation": "INSERT_BEFORE", "value": filter},
    }]);
    assert_eq!(
        shown(&objects),
        [("shop/dubbo-mesh-triple".to_owned(), expected)]
    );
}

#[test]
fn a_cluster_is_added_once_for_a_proxy() {
    let added = |http2: &[PortList]| -> Vec<(String, usize)> {
        let objects = render(&mesh(http2, Installation::default()));
        let count = |(name, patches): (String, Value)| {
            let adds = patches.as_array().unwrap().iter();
            (
                name,
                adds.filter(|p| p["patch"]["operation"] == "ADD").count(),
            )
        };
        shown(&objects).into_iter().map(count).collect()
    };
    let one = |name: &str, count| (name.to_owned(), count);
    assert_eq!(
        added(&[
            list(&["20880"], &["shop", "pay"]),
            list(&["20881"], &["pay"])
        ]),
        [
            one("pay/dubbo-mesh-callers", 1),
            one("shop/dubbo-mesh-callers", 1)
        ]
    );
    assert_eq!(
        added(&[list(&["20880"], &["*"]), list(&["20881"], &["pay"])]),
        [
            one("istio-system/dubbo-mesh-callers", 1),
            one("pay/dubbo-mesh-callers", 0)
        ]
    );
}

#[test]
fn the_bounds_are_told_to_both_ends() {
    let options = json!({"limits": {"worker_bytes": 1, "calls": 2}});
    let installation = Installation {
        options: options.as_object().unwrap().clone(),
        ..Installation::default()
    };
    let objects = render(&mesh(&[list(&["20880"], &["shop"])], installation));
    let callers = &shown(&objects)[0].1;
    let filter = &callers[1]["patch"]["value"]["typed_config"]["filter_config"]["value"];
    assert_eq!(filter["limits"], options["limits"]);
    let bridge = &callers[6]["patch"]["value"]["upstream_config"]["typed_config"]["value"];
    assert_eq!(bridge["bridge_config"]["value"], options);
}

/// Envoy's connection manager has five seconds from its goodbye to the end.
#[test]
fn a_long_drain_is_let_be() {
    let timeouts = |drain_ms: Value| {
        let mut installation = Installation {
            providers: Reach::from([("pay".into(), BTreeSet::from([20880]))]),
            ..Installation::default()
        };
        installation.options.insert("drain_ms".into(), drain_ms);
        let objects = render(&mesh(&[list(&["20880"], &["shop"])], installation));
        let merges = shown(&objects).into_iter().flat_map(|(name, patches)| {
            let merges = patches.as_array().unwrap().clone().into_iter();
            let of_filter = merges.filter(|it| {
                it["patch"]["operation"] == "MERGE"
                    && it["patch"]["value"]["name"]
                        == "envoy.filters.network.http_connection_manager"
            });
            of_filter.map(move |it| (name.clone(), it["patch"]["value"].clone()))
        });
        merges.collect::<Vec<_>>()
    };
    let manager = json!({
        "name": "envoy.filters.network.http_connection_manager",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
            "drain_timeout": "70.000s",
        },
    });
    assert_eq!(timeouts(json!(4000)), []);
    let both = ["shop/dubbo-mesh-callers", "pay/dubbo-mesh-providers"];
    let both = both.map(|name| (name.to_owned(), manager.clone()));
    assert_eq!(timeouts(json!(65_000.0)), both);
}

#[test]
fn the_socket_is_for_clusters_of_callers_and_options_reach_every_part() {
    let installation = Installation {
        upstream: Upstream::TransportSocket,
        block_all: true,
        providers: Reach::from([("shop".into(), BTreeSet::from([20880]))]),
        options: json!({"attachments": ["region"]})
            .as_object()
            .unwrap()
            .clone(),
        ..Installation::default()
    };
    let objects = render(&mesh(&[list(&["20880"], &["shop"])], installation));
    let shown = shown(&objects);
    let [(_, callers), (_, providers)] = &shown[..] else {
        panic!("{shown:#?}")
    };
    let options = json!({
        "@type": "type.googleapis.com/google.protobuf.Struct",
        "value": {"attachments": ["region"]},
    });
    let vhosts: Vec<&Value> = callers
        .as_array()
        .unwrap()
        .iter()
        .map(|p| &p["match"]["routeConfiguration"]["vhost"]["name"])
        .filter(|name| !name.is_null())
        .collect();
    assert_eq!(vhosts, ["allow_any", "block_all"]);
    assert_eq!(
        callers[7]["patch"]["value"],
        json!({"transport_socket": {"name": "envoy.transport_sockets.dynamic_modules", "typed_config": {
            "@type": "type.googleapis.com/xds.type.v3.TypedStruct",
            "type_url": "type.googleapis.com/envoy.extensions.transport_sockets.dynamic_modules.v3.DynamicModuleTransportSocket",
            "value": {
                "dynamic_module_config": {"name": "dubbo_proxy_filter"},
                "transport_socket_name": "http2_to_dubbo",
                "transport_socket_config": options,
            },
        }}})
    );
    let typed = |patch: &Value| patch["patch"]["value"]["typed_config"]["filter_config"].clone();
    let mut of_caller = options.clone();
    of_caller["value"]["readonly_event"] = false.into();
    assert_eq!(
        [typed(&callers[0]), typed(&callers[1]), typed(&providers[0])],
        [options.clone(), of_caller, options.clone()]
    );
    let inbound = &providers[2]["patch"]["value"]["upstream_config"]["typed_config"]["value"];
    assert_eq!(inbound["bridge_config"], options);
}

#[test]
fn clusters_can_be_found_by_host_and_then_by_nothing_else() {
    let installation = Installation {
        cluster_match: ClusterMatch::Host,
        ..Installation::default()
    };
    let mesh = mesh(&[list(&["20880"], &["shop"])], installation);
    let by_port = |(_, patches): &(String, Value)| {
        let of = |p: &Value| !p["match"]["cluster"].is_null();
        patches.as_array().unwrap().iter().any(of)
    };
    assert!(!shown(&render(&mesh)).iter().any(by_port));
    let key = ServiceKey::new("com.acme.Orders", "", "1.0.0").unwrap();
    let host = key.host();
    assert_eq!(names(&of_host(&host, &key, [20881], &mesh)), [""; 0]);
    let expected = json!([{
        "applyTo": "CLUSTER",
        "match": on("SIDECAR_OUTBOUND", "cluster", json!({"portNumber": 20880, "service": host})),
        "patch": {"operation": "MERGE", "value": {"upstream_config": bridge()}},
    }]);
    assert_eq!(
        shown(&of_host(&host, &key, [20880, 20881], &mesh)),
        [(format!("shop/{host}--clusters"), expected)]
    );
}

#[test]
fn without_a_section_there_are_none() {
    let mesh = Mesh {
        installation: None,
        ..mesh(&[list(&["20880"], &["shop"])], Installation::default())
    };
    assert_eq!(names(&render(&mesh)), [""; 0]);
}

#[test]
fn what_is_sent_reads_back_as_what_was_meant() {
    let objects = render(&mesh(
        &[list(&["20880"], &["shop"])],
        Installation::default(),
    ));
    for object in &objects {
        let resource = super::super::Resource::from(object);
        assert_eq!(Object::decode(&resource).as_ref(), Ok(object));
    }
}

/// The last route that is inserted first is the first: what is bypassed is before what is unpublished,
/// and what may not be called before both.
#[test]
fn bypassed_calls_go_where_they_were_dialled_with_and_without_a_listener() {
    let installation = |block_all| Installation {
        bypassed: Reach::from([("shop".into(), BTreeSet::from([20880]))]),
        block_all,
        ..Installation::default()
    };
    let first = |vhost: Value, value: Value| {
        let mut configuration = json!({"name": "20880"});
        if !vhost.is_null() {
            configuration["vhost"] = json!({"name": vhost});
        }
        json!({
            "applyTo": "HTTP_ROUTE",
            "match": on("SIDECAR_OUTBOUND", "routeConfiguration", configuration),
            "patch": {"operation": "INSERT_FIRST", "value": value},
        })
    };
    let ours = json!({"prefix": "/", "headers": [
        {"name": "content-type", "string_match": {"exact": "application/x-dubbo2"}},
    ]});
    let bypass = first(
        Value::Null,
        json!({"name": "dubbo-bypass", "match": ours, "route": {"cluster": "dubbo-original-dst", "timeout": "0s"}}),
    );
    let blocked = first(
        "block_all".into(),
        json!({"name": "dubbo-blocked", "match": ours, "direct_response": {"status": 502}}),
    );
    let patches = |http2: &[PortList], block_all| {
        let mut shown = shown(&render(&mesh(http2, installation(block_all))));
        assert_eq!(shown.len(), 1);
        let (name, patches) = shown.remove(0);
        assert_eq!(name, "shop/dubbo-mesh-callers");
        patches.as_array().unwrap().clone()
    };
    let gone = patches(&[], false);
    assert_eq!(gone[..2], [bypass.clone(), blocked.clone()]);
    assert_eq!(gone[2]["patch"]["value"]["name"], "dubbo-original-dst");
    assert_eq!(gone.len(), 3);
    let there = patches(&[list(&["20880"], &["shop"])], false);
    assert_eq!(there[7..9], [bypass.clone(), blocked]);
    assert_eq!(there.len(), 10);
    assert_eq!(patches(&[], true)[0], bypass);
    assert_eq!(patches(&[], true).len(), 2);
}
