//! At a provider's: the chains of its port, and the cluster to its application.

use std::collections::BTreeMap;
use std::fs;
use std::net::Ipv4Addr;

use futures::future::join_all;
use serde_json::{Value, json};
use support::{EnvoySettings, Istiod, isolated, pod, service_of_pod, work_dir};

use super::super::{becomes, serve};
use super::{HCM, istiod, names};

/// A provider's namespace is named after its policy and after what istiod makes its chains of. No name
/// is part of another: istiod shows the sidecar of any name that has the one asked for in it.
struct Case {
    namespace: &'static str,
    /// A Kubernetes Service with `appProtocol: http2`; else a Sidecar `ingress`.
    service: bool,
    strict: bool,
}

const CASES: [Case; 4] = [
    Case {
        namespace: "permissive-service",
        service: true,
        strict: false,
    },
    Case {
        namespace: "strict-service",
        service: true,
        strict: true,
    },
    Case {
        namespace: "permissive-ingress",
        service: false,
        strict: false,
    },
    Case {
        namespace: "strict-ingress",
        service: false,
        strict: true,
    },
];

const CONFIG: &str = "
filter:
  providers: [{ports: [20880], namespaces: [permissive-service, strict-service, permissive-ingress, strict-ingress]}]
  options: {attachments: [region]}
";

impl Case {
    fn address(&self) -> Ipv4Addr {
        let at = CASES
            .iter()
            .position(|case| case.namespace == self.namespace);
        Ipv4Addr::new(10, 0, 1, u8::try_from(at.unwrap()).unwrap())
    }

    fn objects(&self) -> Vec<Value> {
        let mut objects = pod("provider", self.namespace, self.address());
        if self.service {
            let (name, namespace) = ("provider", self.namespace);
            objects.extend(service_of_pod(
                name,
                namespace,
                self.address(),
                &[20880],
                "http2",
            ));
        }
        objects
    }

    fn resources(&self) -> String {
        let namespace = self.namespace;
        let mut resources = String::new();
        if self.strict {
            resources += &format!(
                "
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {{name: default, namespace: {namespace}}}
spec: {{mtls: {{mode: STRICT}}}}
---"
            );
        }
        if !self.service {
            resources += &format!(
                "
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {{name: provider, namespace: {namespace}}}
spec:
  workloadSelector: {{labels: {{app: provider}}}}
  ingress: [{{port: {{number: 20880, protocol: HTTP2, name: dubbo}}, defaultEndpoint: \"0.0.0.0:20880\"}}]
  egress: [{{hosts: [\"*/*\"]}}]
---"
            );
        }
        resources
    }

    /// Which connections the chains of the port take, as Istio's own sources have it for a port that is
    /// known to be HTTP/2: whatever is sent in mutual TLS of the mesh, and in plain text if that is allowed.
    fn matches(&self) -> Value {
        let port =
            |transport: &str| json!({"destinationPort": 20880, "transportProtocol": transport});
        if self.strict {
            return json!([port("tls")]);
        }
        let mut tls = port("tls");
        tls["applicationProtocols"] = json!([
            "istio",
            "istio-peer-exchange",
            "istio-http/1.0",
            "istio-http/1.1",
            "istio-h2"
        ]);
        json!([tls, port("raw_buffer")])
    }

    /// The kind of the cluster to the application.
    fn kind(&self) -> &str {
        if self.service {
            "ORIGINAL_DST"
        } else {
            "STATIC"
        }
    }
}

/// A sidecar's listeners and clusters, by name.
type Sent = BTreeMap<String, Value>;

/// Everything that istiod sends to the sidecars of all cases, with this value of `DUBBO_MESH`.
async fn sent(istiod: &Istiod, metadata: &str) -> Vec<Sent> {
    let envoys = CASES
        .iter()
        .zip((15000..).step_by(100))
        .map(|(case, admin)| {
            EnvoySettings::sidecar("provider", case.namespace, istiod.xds_address())
                .at(case.address())
                .admin_port(admin)
                .metadata("DUBBO_MESH", json!(metadata))
                .start()
        });
    let _envoys = join_all(envoys).await;
    let mut sent = Vec::new();
    for case in &CASES {
        let page = format!("/debug/config_dump?proxyID=provider.{}", case.namespace);
        becomes(case.namespace, true, async || {
            let sent = listeners_and_clusters(&istiod.json(&page).await?);
            Ok(sent.contains_key("virtualInbound") && sent.contains_key("inbound|20880||"))
        })
        .await;
        let dump = istiod.json(&page).await.unwrap();
        let name = format!("{}-{metadata}.json", case.namespace);
        fs::write(work_dir().join(name), dump.to_string()).unwrap();
        sent.push(listeners_and_clusters(&dump));
    }
    sent
}

fn listeners_and_clusters(dump: &Value) -> Sent {
    let sections = dump["configs"].as_array().map_or(&[][..], Vec::as_slice);
    let all = |list: &str, of: fn(&Value) -> Value| -> Vec<Value> {
        let lists = sections
            .iter()
            .filter_map(|section| section[list].as_array());
        lists.flatten().map(of).collect()
    };
    let listeners = all("dynamicListeners", |it| {
        it["activeState"]["listener"].clone()
    });
    let clusters = all("dynamicActiveClusters", |it| it["cluster"].clone());
    let named = |it: Value| (it["name"].as_str().unwrap().to_owned(), it);
    listeners.into_iter().chain(clusters).map(named).collect()
}

/// The chains of a provider's port among those of `virtualInbound`.
fn of_port(listener: &mut Value) -> impl Iterator<Item = &mut Value> {
    let chains = listener["filterChains"].as_array_mut().unwrap();
    chains
        .iter_mut()
        .filter(|chain| chain["filterChainMatch"]["destinationPort"] == 20880)
}

/// Our network filter, as Envoy's own documentation has it.
fn network_filter() -> Value {
    json!({
        "name": "dubbo_to_http2",
        "typedConfig": {
            "@type": "type.googleapis.com/envoy.extensions.filters.network.dynamic_modules.v3.DynamicModuleNetworkFilter",
            "dynamicModuleConfig": {"name": "dubbo_proxy_filter"},
            "filterName": "dubbo_to_http2",
            "filterConfig": options(),
        },
    })
}

/// The bridge; its type is one that istiod need not know.
fn bridge() -> Value {
    json!({
        "name": "envoy.upstreams.http.dynamic_modules",
        "typedConfig": {
            "@type": "type.googleapis.com/xds.type.v3.TypedStruct",
            "typeUrl": "type.googleapis.com/envoy.extensions.upstreams.http.dynamic_modules.v3.Config",
            "value": {
                "dynamic_module_config": {"name": "dubbo_proxy_filter"},
                "bridge_name": "http_to_dubbo",
                "bridge_config": options(),
            },
        },
    })
}

fn options() -> Value {
    json!({
        "@type": "type.googleapis.com/google.protobuf.Struct",
        "value": {"attachments": ["region"]},
    })
}

/// What istiod sends without ours, and what ours adds to it.
fn patched(case: &Case, mut sent: Sent) -> Sent {
    let cluster = sent.get_mut("inbound|20880||").unwrap();
    assert_eq!(cluster["type"], case.kind(), "{}", case.namespace);
    assert!(cluster["upstreamConfig"].is_null());
    cluster["upstreamConfig"] = bridge();
    let mut matches = Vec::new();
    for chain in of_port(sent.get_mut("virtualInbound").unwrap()) {
        matches.push(chain["filterChainMatch"].clone());
        let tls = chain["filterChainMatch"]["transportProtocol"] == "tls";
        let socket = if tls {
            json!("envoy.transport_sockets.tls")
        } else {
            Value::Null
        };
        assert_eq!(
            chain["transportSocket"]["name"], socket,
            "{}",
            case.namespace
        );
        // The first takes off what a peer's metadata exchange writes before the first byte of a call.
        assert_eq!(names(&chain["filters"]), ["istio.metadata_exchange", HCM]);
        let filters = chain["filters"].as_array_mut().unwrap();
        filters.insert(1, network_filter());
    }
    assert_eq!(Value::Array(matches), case.matches(), "{}", case.namespace);
    sent
}

#[test]
fn the_providers_half_stands_before_every_connection_manager_of_its_port() {
    isolated(async || {
        let registry = work_dir().join("providers.yaml");
        fs::write(&registry, "- dubbo://10.0.0.1:20880/com.acme.Greeter\n").unwrap();
        let config = work_dir().join("config.yaml");
        fs::write(&config, CONFIG).unwrap();
        let registry = format!("file:{}", registry.display());
        let config = config.to_str().unwrap();
        let _mesh = serve(&["--registry", &registry, "--config", config]).await;
        let resources = work_dir().join("resources");
        fs::create_dir(&resources).unwrap();
        let text: String = CASES.iter().map(Case::resources).collect();
        fs::write(resources.join("own.yaml"), text).unwrap();
        let istiod = istiod(&[&format!("fs://{}", resources.display())])
            .kubernetes(CASES.iter().flat_map(Case::objects).collect())
            .start()
            .await;

        let without = sent(&istiod, "another").await;
        let with = sent(&istiod, "1").await;
        for ((case, without), with) in CASES.iter().zip(without).zip(with) {
            let expected = patched(case, without);
            // Everything else is as it was: what else is there, and what else is in these.
            assert_eq!(with, expected, "{}", case.namespace);
        }
    });
}
