//! Routes of the Gateway API: an HTTPRoute whose parent is a ServiceEntry. istiod looks for parents in
//! Kubernetes alone, where ours are not: one that nobody sees, of the same host, stands in for it there.

use serde_json::{Value, json};
use support::{attachment, isolated};

use super::super::traffic::carried;
use super::super::{becomes, complaints};
use super::{Caller, Consumer, Registered, Settings, Stage, call, cluster};

/// The service that has routes, and another one.
const SERVICES: &[Registered<'static>] = &[("routed", &["a"]), ("other", &["b"])];

/// What istiod finds in Kubernetes, which has filled in the defaults.
fn objects() -> Vec<Value> {
    let kind = |name: &str| {
        json!({"kind": "CustomResourceDefinition", "metadata": {
            "name": name, "uid": name, "resourceVersion": "1",
        }})
    };
    let metadata = |uid: &str| {
        json!({"name": "routed", "namespace": "shop", "uid": uid, "resourceVersion": "1",
            "creationTimestamp": "2026-01-01T00:00:00Z"})
    };
    let parent = json!({
        "kind": "ServiceEntry", "apiVersion": "networking.istio.io/v1", "metadata": metadata("entry"),
        "spec": {
            "hosts": ["com.acme.routed.dubbo"], "exportTo": ["~"], "resolution": "STATIC",
            "ports": [{"number": 20880, "name": "dubbo", "protocol": "HTTP2"}],
        },
    });
    let to = |service: &str, weight: u32| {
        json!({"group": "networking.istio.io", "kind": "Hostname", "name": super::host(service),
            "port": 20880, "weight": weight})
    };
    let (here, there) = (json!([to("routed", 1)]), json!([to("other", 1)]));
    let route = json!({
        "kind": "HTTPRoute", "apiVersion": "gateway.networking.k8s.io/v1", "metadata": metadata("route"),
        "spec": {
            "parentRefs": [{"group": "networking.istio.io", "kind": "ServiceEntry", "name": "routed"}],
            "rules": [
                {"matches": [{"path": {"type": "Exact", "value": "/com.acme.routed/list"}},
                    {"path": {"type": "PathPrefix", "value": "/"},
                        "headers": [{"type": "Exact", "name": "region", "value": "gray"}]}], "backendRefs": there},
                {"matches": [{"path": {"type": "Exact", "value": "/com.acme.routed/spread"}}],
                    "backendRefs": [to("routed", 80), to("other", 20)]},
                {"matches": [{"path": {"type": "Exact", "value": "/com.acme.routed/told"}}],
                    "filters": [{"type": "RequestHeaderModifier", "requestHeaderModifier":
                        {"set": [{"name": "region", "value": "blue"}], "remove": ["case"]}}],
                    "backendRefs": here},
                {"matches": [{"path": {"type": "Exact", "value": "/com.acme.routed/ignore"}}],
                    "timeouts": {"request": "300ms"}, "backendRefs": here},
                {"backendRefs": here},
            ],
        },
    });
    vec![
        kind("httproutes.gateway.networking.k8s.io"),
        kind("serviceentries.networking.istio.io"),
        parent,
        route,
    ]
}

#[test]
fn an_http_route_decides_as_a_virtual_service_does() {
    isolated(async || {
        let settings = Settings {
            objects: objects(),
            ..Settings::default()
        };
        let stage = Stage::with(SERVICES, settings).await;
        let caller = Caller::start("caller", 1).await;
        let consumer = caller.consumer("a");
        becomes("the route", "b".to_owned(), async || {
            Ok(consumer.call("routed", "list", "").await.text)
        })
        .await;
        let before = calls(&caller).await;
        let [to_routed, to_other] = routed(&consumer, &stage).await;
        let expected = [before[0] + to_routed, before[1] + to_other];
        assert_eq!(calls(&caller).await, expected);
        assert_eq!(complaints(&stage.control.istiod), [""; 0]);
    });
}

/// What the clusters of the two services have carried.
async fn calls(caller: &Caller) -> [u64; 2] {
    let total = async |service| carried(&caller.envoy, &cluster(service), "rq_total").await;
    [total("routed").await, total("other").await]
}

/// A call for each rule; how many were to go to the clusters of the two services.
async fn routed(consumer: &Consumer, stage: &Stage) -> [u64; 2] {
    let gray = call("routed", "greet", "").with("region", "gray");
    assert_eq!(consumer.make(&gray).await.text, "b");
    assert_eq!(consumer.call("routed", "greet", "").await.text, "a");
    let told = call("routed", "told", "")
        .with("region", "red")
        .with("case", "7");
    assert_eq!(consumer.make(&told).await.text, "a");
    let frame = stage.seen("a", "routed").pop().unwrap();
    assert_eq!(attachment(&frame, "region").as_deref(), Some("blue"));
    assert_eq!(attachment(&frame, "case"), None);
    let late = consumer.call("routed", "ignore", "a").await;
    assert_eq!(late.status, 31, "{late:?}");
    // A fifth, give or take five times the standard deviation.
    let spread = consumer.tally(200, &call("routed", "spread", "")).await;
    assert!((12..=68).contains(&spread["b"]), "{spread:?}");
    [3 + spread["a"] as u64, 1 + spread["b"] as u64]
}
