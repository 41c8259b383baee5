//! Sidecars that may call only what is published.

use support::{
    Consumer, ConsumerSettings, DubboVersion, Namespace, Provider, ProviderSettings, Service,
    isolated,
};

use super::super::traffic::carried;
use super::{GREETING, OUTBOUND, Settings, Sidecars};

const REGISTRY_ONLY: &str = "outboundTrafficPolicy: {mode: REGISTRY_ONLY}";
/// The registry is what applications call too.
const REGISTRY: &str = "
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: zookeeper, namespace: istio-system}
spec:
  hosts: [zookeeper.example]
  addresses: [10.77.0.254]
  location: MESH_EXTERNAL
  resolution: STATIC
  ports: [{number: 2181, name: tcp, protocol: TCP}]
  endpoints: [{address: 10.77.0.254}]
";

async fn start(filter: &str) -> Sidecars {
    Sidecars::start(Settings {
        filter,
        mesh: REGISTRY_ONLY,
        resources: REGISTRY,
        ..Settings::default()
    })
    .await
}

/// A provider that no registry knows, and a caller in the pod that dials it.
async fn hidden(mesh: &Sidecars) -> (Provider, Consumer) {
    let hidden = Namespace::new("hidden", 9);
    let provider = ProviderSettings::new(DubboVersion::V2_7, "N/A")
        .named("hidden")
        .protocol("dubbo", 20880)
        .service(Service::new("com.acme.Orders"))
        .inside(&hidden)
        .start()
        .await;
    let url = format!("dubbo://{}:20880/com.acme.Orders", hidden.address());
    let caller = ConsumerSettings::new(DubboVersion::V2_7, "N/A", "com.acme.Orders")
        .set("reference.url", url)
        .inside(&mesh.caller.network)
        .start()
        .await;
    (provider, caller)
}

#[test]
fn what_is_not_published_is_reached_where_that_is_asked_for() {
    isolated(async || {
        let mesh = start("{blockAll: true}").await;
        let mut published = mesh.caller.calling(DubboVersion::V3_3).await;
        assert_eq!(published.call("greet World").await, GREETING);
        assert_eq!(carried(&mesh.caller.envoy, OUTBOUND, "rq_total").await, 1);
        let (_provider, mut caller) = hidden(&mesh).await;
        let answer = caller.call("place tea").await;
        assert!(answer.starts_with("RESULT "), "{answer}");
        let original = carried(&mesh.caller.envoy, "dubbo-original-dst", "rq_total").await;
        assert_eq!(original, 1);
    });
}

#[test]
fn what_is_not_published_is_blocked_otherwise() {
    isolated(async || {
        let mesh = start("{}").await;
        let mut published = mesh.caller.calling(DubboVersion::V3_3).await;
        assert_eq!(published.call("greet World").await, GREETING);
        let (_provider, mut caller) = hidden(&mesh).await;
        let answer = caller.call("place tea").await;
        assert!(answer.starts_with("THROWN "), "{answer}");
        let original = carried(&mesh.caller.envoy, "dubbo-original-dst", "cx_total").await;
        assert_eq!(original, 0);
    });
}
