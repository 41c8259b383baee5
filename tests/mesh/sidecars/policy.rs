//! Policies for each call, which the provider's half makes possible.

use serde_json::Value;
use support::{CallAnswer, DubboVersion, Namespace, isolated, pod, service_of_pod};

use super::super::complaints;
use super::super::traffic::carried;
use super::{GREETING, OUTBOUND, Settings, Sidecars, keep_pages, sidecar};

/// The provider's half at its pod.
const PROVIDERS: &str = "{providers: [{ports: [20880], namespaces: [pay]}]}";
/// The only method that nobody may call.
pub(super) const DENIED: &str = "
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: not-sleep, namespace: pay}
spec:
  selector: {matchLabels: {app: provider}}
  action: DENY
  rules: [{to: [{operation: {paths: [/com.acme.Greeter/sleep]}}]}]
";
/// The only one who may call.
const ALLOWED: &str = "
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: only-caller, namespace: pay}
spec:
  selector: {matchLabels: {app: provider}}
  action: ALLOW
  rules: [{from: [{source: {principals: [cluster.local/ns/shop/sa/caller]}}]}]
";

/// The application's own Service, by which istiod makes an HTTP chain of the port.
pub(in crate::mesh) fn service() -> Vec<Value> {
    let address = "10.77.0.2".parse().unwrap();
    let mut objects = pod("provider", "pay", address);
    objects.extend(service_of_pod(
        "provider",
        "pay",
        address,
        &[20880],
        "http2",
    ));
    objects
}

#[test]
fn a_policy_decides_by_method_and_by_caller() {
    isolated(async || {
        let resources = format!("{DENIED}{ALLOWED}");
        let mesh = Sidecars::start(Settings {
            filter: PROVIDERS,
            resources: &resources,
            objects: service(),
            provider_has_module: true,
            ..Settings::default()
        })
        .await;
        keep_pages(&mesh).await;
        for version in [DubboVersion::V2_7, DubboVersion::V3_3] {
            let mut caller = mesh.caller.calling(version).await;
            assert_eq!(caller.call("greet World").await, GREETING);
            denied(&caller.call("sleep 1").await);
            // The connection is as good as before.
            assert_eq!(caller.call("greet World").await, GREETING);
        }
        assert_eq!(carried(&mesh.caller.envoy, OUTBOUND, "rq_total").await, 6);
        // What was denied never left the provider's sidecar.
        let inside = "inbound|20880||";
        assert_eq!(carried(&mesh.provider.envoy, inside, "rq_total").await, 4);

        let network = Namespace::new("other", 3);
        let other = sidecar("other", "shop", network, true, &mesh.authority).await;
        let mut stranger = other.calling(DubboVersion::V3_3).await;
        denied(&stranger.call("greet World").await);
        denied(&stranger.call("sleep 1").await);
        assert_eq!(carried(&other.envoy, OUTBOUND, "rq_total").await, 2);
        let nobody = mesh.provider.plainly("greet", "World").await;
        let expected = CallAnswer {
            status: 40,
            text: "dubbo-mesh: HTTP status 403: RBAC: access denied".to_owned(),
        };
        assert_eq!(nobody, Ok(expected));
        assert_eq!(carried(&mesh.provider.envoy, inside, "rq_total").await, 4);
        keep_pages(&mesh).await;
        assert_eq!(complaints(&mesh.istiod), [""; 0]);
    });
}

/// Dubbo tells its application what the provider's sidecar said.
fn denied(answer: &str) {
    assert!(is_denied(answer), "{answer}");
}

pub(super) fn is_denied(answer: &str) -> bool {
    answer.starts_with("THROWN ") && answer.contains("RBAC: access denied")
}
