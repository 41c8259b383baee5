//! The provider's half comes first, then the chain of HTTP; and until then, and whatever istiod makes of
//! the port, calls go on.

use support::{Call, WireConsumer, isolated, pod, service_of_pod};

use super::super::traffic::carried;
use super::super::{becomes, complaints};
use super::{Settings, Sidecars, keep_pages};

/// What the provider answers.
const GREETING: &str = "hello World from greeter";
const PROVIDERS: &str = "{providers: [{ports: [20880], namespaces: [pay]}]}";
/// The cluster to the application, on a port that istiod knows.
const KNOWN: &str = "inbound|20880||";

/// Each call of the caller's on a connection of its own: one that is open keeps its chain.
const APART: &str = "
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: apart, namespace: shop}
spec:
  host: com.acme.greeter.dubbo
  trafficPolicy: {connectionPool: {http: {maxRequestsPerConnection: 1}}}
---";

/// What istiod knows of the provider's port, whatever its Kubernetes Service says.
fn sidecar(port: u16, protocol: &str) -> String {
    format!(
        "
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {{name: provider, namespace: pay}}
spec:
  workloadSelector: {{labels: {{app: provider}}}}
  ingress: [{{port: {{number: {port}, protocol: {protocol}, name: it}}, defaultEndpoint: \"0.0.0.0:{port}\"}}]
  egress: [{{hosts: [\"*/*\"]}}]
"
    )
}

/// The chains of the port at the provider's: the last filter of each.
async fn chains(mesh: &Sidecars) -> Result<Vec<String>, String> {
    let dump = mesh.provider.envoy.page("/config_dump").await?;
    let dump: serde_json::Value = serde_json::from_str(&dump).map_err(|error| error.to_string())?;
    let sections = dump["configs"].as_array().into_iter().flatten();
    let listeners = sections.flat_map(|section| section["dynamic_listeners"].as_array());
    let chains = listeners
        .flatten()
        .flat_map(|it| it["active_state"]["listener"]["filter_chains"].as_array())
        .flatten()
        .filter(|chain| chain["filter_chain_match"]["destination_port"] == 20880);
    let last = |chain: &serde_json::Value| {
        let filters = chain["filters"].as_array()?;
        let name = filters.last()?["name"].as_str()?;
        Some(name.rsplit('.').next()?.to_owned())
    };
    let mut last: Vec<_> = chains.filter_map(last).collect();
    last.sort();
    last.dedup();
    Ok(last)
}

/// The provider's Service as such Services usually are: no word of what is spoken there. Not headless,
/// since callers would be given a listener of TCP at the pod's address.
fn undeclared() -> Vec<serde_json::Value> {
    let address = "10.77.0.2".parse().unwrap();
    let mut objects = pod("provider", "pay", address);
    let mut service = service_of_pod("provider", "pay", address, &[20880], "");
    let spec = &mut service[0]["spec"];
    spec["clusterIP"] = "10.96.0.20".into();
    spec["clusterIPs"] = ["10.96.0.20"].into();
    objects.extend(service);
    objects
}

#[test]
fn calls_go_on_whatever_istiod_takes_the_port_for() {
    isolated(async || {
        let objects = undeclared();
        let mesh = Sidecars::start(Settings {
            filter: PROVIDERS,
            resources: APART,
            objects,
            provider_has_module: true,
            ..Settings::default()
        })
        .await;
        // It has no connection of its own to the provider, only to its sidecar.
        let caller = WireConsumer::connect_from(&mesh.caller.network, mesh.provider.dubbo());
        let greet = Call::new("com.acme.Greeter", "greet", "World");
        let (http, tcp) = ("http_connection_manager", "tcp_proxy");
        let mut inside = 0;
        for (name, resources, expected) in [
            (
                "a Service without a protocol",
                String::new(),
                &[http, tcp][..],
            ),
            ("a port of TCP", sidecar(20880, "TCP"), &[tcp]),
            ("a port that nobody knows", sidecar(20990, "TCP"), &[]),
            ("a port of HTTP/2", sidecar(20880, "HTTP2"), &[http]),
        ] {
            mesh.apply(&format!("{APART}{resources}"));
            let last: Vec<_> = expected.iter().map(ToString::to_string).collect();
            becomes(name, last, async || chains(&mesh).await).await;
            // In mutual TLS, and in plain text.
            let in_tls = caller.call(&greet).await;
            let in_plain = mesh.provider.plainly("greet", "World").await;
            keep_pages(&mesh).await;
            for answer in [in_tls, in_plain] {
                let answer = answer.unwrap_or_else(|error| panic!("{name}: {error}"));
                assert_eq!((answer.status, &*answer.text), (20, GREETING), "{name}");
            }
            // Calls are told apart where that is asked for, and nowhere else.
            inside += if expected == [http] { 2 } else { 0 };
            assert_eq!(
                carried(&mesh.provider.envoy, KNOWN, "rq_total").await,
                inside,
                "{name}"
            );
        }
        assert_eq!(complaints(&mesh.istiod), [""; 0]);
    });
}
