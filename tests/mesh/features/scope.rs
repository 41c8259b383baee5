//! Which services a pod's sidecar knows: Istio's Sidecar, and a ServiceEntry of the operator's for a host
//! that is ours too.

use support::isolated;

use super::super::complaints;
use super::super::traffic::carried;
use super::{Caller, Registered, Stage, address, call, cluster, host, tally};

const SERVICES: &[Registered<'static>] = &[("known", &["a"]), ("other", &["a", "b"])];
const ORIGINAL: &str = "dubbo-original-dst";

/// Callers by the label `app`: one that knows a service, one that may call nothing else, one whose
/// Sidecar forgets our namespace.
const SIDECARS: &str = "
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: some, namespace: shop}
spec:
  workloadSelector: {labels: {app: some}}
  egress: [{hosts: [dubbo-mesh-services/com.acme.known.dubbo]}]
---
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: no-more, namespace: shop}
spec:
  workloadSelector: {labels: {app: no-more}}
  outboundTrafficPolicy: {mode: REGISTRY_ONLY}
  egress: [{hosts: [dubbo-mesh-services/com.acme.known.dubbo]}]
---
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: forgets, namespace: shop}
spec:
  workloadSelector: {labels: {app: forgets}}
  egress: [{hosts: [./*, istio-system/*]}]
";

#[test]
fn a_sidecar_resource_limits_the_services_that_calls_are_routed_to() {
    isolated(async || {
        let stage = Stage::start(SERVICES, SIDECARS, "").await;
        let callers = futures::join!(
            Caller::start("some", 1),
            Caller::start("no-more", 2),
            Caller::start("forgets", 3),
        );
        let (some, no_more, forgets) = callers;
        for caller in [&some, &no_more] {
            let answer = caller.consumer("b").call("known", "greet", "").await;
            assert_eq!((answer.status, &*answer.text), (20, "a"));
            assert_eq!(
                carried(&caller.envoy, &cluster("known"), "rq_total").await,
                1
            );
            assert_eq!(
                carried(&caller.envoy, &cluster("other"), "rq_total").await,
                0
            );
        }
        // Out of scope: where the SDK has dialled it, or nowhere.
        let other = call("other", "greet", "");
        assert_eq!(
            some.consumer("b").tally(6, &other).await,
            tally(&[("b", 6)])
        );
        assert_eq!(carried(&some.envoy, ORIGINAL, "rq_total").await, 6);
        let blocked = no_more.consumer("b").make(&other).await;
        assert_eq!(blocked.status, 80, "{blocked:?}");
        assert_eq!(carried(&no_more.envoy, ORIGINAL, "rq_total").await, 0);
        assert_eq!(stage.seen("b", "other").len(), 6);
        // Not even the port: bytes are passed on.
        for service in ["known", "other"] {
            let answer = forgets.consumer("b").call(service, "greet", "").await;
            assert_eq!((answer.status, &*answer.text), (20, "b"));
        }
        let passed = forgets
            .envoy
            .stat("cluster.PassthroughCluster;.upstream_cx_total");
        assert_eq!(passed.await, Ok(2));
        assert_eq!(complaints(&stage.control.istiod), [""; 0]);
    });
}

/// A ServiceEntry for a host of ours, with another provider.
fn own(service: &str, namespace: &str, export_to: &str) -> String {
    format!(
        "---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: {service}, namespace: {namespace}, creationTimestamp: 2026-01-01T00:00:00Z}}
spec:
  hosts: [{}]
  location: MESH_INTERNAL
  resolution: STATIC
  ports: [{{number: 20880, name: http2, protocol: HTTP2}}]
  endpoints: [{{address: {}}}]
  exportTo: [{export_to}]
",
        host(service),
        address("b")
    )
}

/// Who is asked first: what is in the callers' namespace; of the rest, what is exported to it by name, as
/// ours is; of that the oldest. What is exported to all comes last, however old.
#[test]
fn a_service_entry_of_the_operators_is_before_ours_where_it_is_nearer_or_older() {
    isolated(async || {
        let services = ["here", "there", "public", "ours"];
        let resources = [
            own("here", "shop", "\"*\""),
            own("there", "others", "shop"),
            own("public", "others", "\"*\""),
        ];
        let registered = services.map(|service| (service, &["a"][..]));
        let stage = Stage::start(&registered, &resources.concat(), "").await;
        let caller = Caller::start("caller", 1).await;
        let consumer = caller.consumer("a");
        let answered = [
            ("here", "b"),
            ("there", "b"),
            ("public", "a"),
            ("ours", "a"),
        ];
        for (service, provider) in answered {
            let greeted = consumer.tally(4, &call(service, "greet", "")).await;
            assert_eq!(greeted, tally(&[(provider, 4)]), "{service}");
            let calls = carried(&caller.envoy, &cluster(service), "rq_total").await;
            assert_eq!(calls, 4, "{service}");
        }
        assert_eq!(complaints(&stage.control.istiod), [""; 0]);
    });
}
