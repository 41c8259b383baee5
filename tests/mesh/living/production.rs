//! What istiod makes of our patches with the defaults of an installation, which a stock Envoy cannot
//! run: `istio.alpn`, metadata exchange, mutual TLS where both ends have it. Envoy asks for it, and istiod
//! shows what it sends.

use std::fs;

use serde_json::{Value, json};
use support::{EnvoySettings, IstiodSettings, isolated, work_dir};

use super::super::{SOURCE, becomes, serve};
use super::OUTBOUND;

const HCM: &str = "envoy.filters.network.http_connection_manager";
const CONFIG: &str = "
ports: {http2: [{ports: [20880], namespaces: [shop]}]}
workloads: [{cidrs: [10.0.0.0/8], inMesh: true}]
filter: {}
";

/// The names of what is in a list.
fn names(list: &Value) -> Vec<String> {
    let list = list.as_array().map_or(&[][..], Vec::as_slice);
    let name = |element: &Value| element["name"].as_str().unwrap_or("").to_owned();
    list.iter().map(name).collect()
}

/// The object of this name, however deep.
fn find<'a>(dump: &'a Value, name: &str, has: &str) -> Option<&'a Value> {
    if dump["name"] == name && !dump[has].is_null() {
        return Some(dump);
    }
    match dump {
        Value::Array(list) => list.iter().find_map(|inner| find(inner, name, has)),
        Value::Object(fields) => fields.values().find_map(|inner| find(inner, name, has)),
        _ => None,
    }
}

/// What stands in front of, and in, the connection manager of the port's listener.
fn chains(dump: &Value) -> (Vec<String>, Vec<String>, Vec<String>) {
    let listener = find(dump, "0.0.0.0_20880", "filterChains").expect("the listener");
    let chains = listener["filterChains"].as_array().unwrap();
    let manager = |chain: &&Value| names(&chain["filters"]).iter().any(|name| name == HCM);
    let chain = chains.iter().find(manager).expect("a chain for HTTP");
    let manager = find(&chain["filters"], HCM, "typedConfig").unwrap();
    (
        names(&listener["listenerFilters"]),
        names(&chain["filters"]),
        names(&manager["typedConfig"]["httpFilters"]),
    )
}

#[test]
fn the_filter_stands_where_it_should_among_filters_of_istios_own() {
    isolated(async || {
        let registry = work_dir().join("providers.yaml");
        fs::write(&registry, "- dubbo://10.0.0.1:20880/com.acme.Greeter\n").unwrap();
        let config = work_dir().join("config.yaml");
        fs::write(&config, CONFIG).unwrap();
        let registry = format!("file:{}", registry.display());
        let _mesh = serve(&[
            "--registry",
            &registry,
            "--config",
            config.to_str().unwrap(),
        ])
        .await;
        let istiod = IstiodSettings::new(&[SOURCE])
            .environment("PILOT_ENABLE_METADATA_EXCHANGE", "true")
            .environment("PILOT_ENABLE_ALPN_FILTER", "true")
            .mesh("enableAutoMtls: true")
            .start()
            .await;
        let sidecar = |name: &str| {
            EnvoySettings::sidecar(name, "shop", istiod.xds_address())
                .metadata("INTERCEPTION_MODE", json!("REDIRECT"))
        };
        let with = sidecar("with").metadata("DUBBO_MESH", json!("1"));
        let _with = with.start().await;
        let _without = sidecar("without").admin_port(15100).start().await;
        let mut dumps = Vec::new();
        for name in ["with", "without"] {
            let page = format!("/debug/config_dump?proxyID={name}.shop");
            becomes(name, true, async || {
                let dump = istiod.json(&page).await?;
                Ok(find(&dump, "0.0.0.0_20880", "filterChains").is_some())
            })
            .await;
            let dump = istiod.json(&page).await.unwrap();
            fs::write(work_dir().join(format!("{name}.json")), dump.to_string()).unwrap();
            dumps.push(dump);
        }
        let [with, without] = &dumps[..] else {
            unreachable!("two")
        };

        // As Istio has it, and as it is with ours.
        let (listener, chain, http) = chains(without);
        assert!(http.contains(&"istio.alpn".to_owned()), "{http:?}");
        let (patched_listener, patched_chain, patched_http) = chains(with);
        let mut expected = listener;
        expected.insert(0, "dubbo_sniff".to_owned());
        assert_eq!(patched_listener, expected);
        let manager = chain.iter().position(|name| name == HCM).unwrap();
        let mut expected = chain;
        expected.insert(manager, "dubbo_to_http2".to_owned());
        assert_eq!(patched_chain, expected);
        let left = http.into_iter().filter(|name| name != "istio.alpn");
        let mut expected: Vec<String> = left.collect();
        let router = expected.pop().unwrap();
        expected.extend(["dubbo_hold".to_owned(), router]);
        assert_eq!(patched_http, expected);

        // The bridge is added to what the cluster has: the choice of mutual TLS, and metadata exchange.
        let plain = find(without, OUTBOUND, "transportSocketMatches").expect("a choice");
        let bridged = find(with, OUTBOUND, "transportSocketMatches").expect("a choice");
        assert_eq!(names(&plain["filters"]), ["istio.metadata_exchange"]);
        assert!(plain["upstreamConfig"].is_null());
        assert_eq!(
            bridged["upstreamConfig"]["name"],
            "envoy.upstreams.http.dynamic_modules"
        );
        let mut rest = bridged.clone();
        rest.as_object_mut().unwrap().remove("upstreamConfig");
        assert_eq!(rest, *plain);
    });
}
