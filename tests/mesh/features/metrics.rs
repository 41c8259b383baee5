//! Counters of calls: Envoy's own, by service, which every sidecar has; and Istio's, whose filter is in
//! istio-proxy alone.

use support::isolated;

use super::super::{becomes, complaints};
use super::{Caller, Registered, Stage, call, tally};

const SERVICES: &[Registered<'static>] = &[("counted", &["a"])];

/// Istio's metrics for one of the pods.
const MEASURED: &str = "
apiVersion: telemetry.istio.io/v1
kind: Telemetry
metadata: {name: measured, namespace: shop}
spec:
  selector: {matchLabels: {app: measured}}
  metrics: [{providers: [{name: prometheus}]}]
";

#[test]
fn calls_are_counted_by_service_and_status() {
    isolated(async || {
        let stage = Stage::start(SERVICES, MEASURED, "").await;
        let (caller, measured) =
            futures::join!(Caller::start("caller", 1), Caller::start("measured", 2));
        let consumer = caller.consumer("a");
        let greeted = consumer.tally(3, &call("counted", "greet", "")).await;
        assert_eq!(greeted, tally(&[("a", 3)]));
        let failed = consumer.call("counted", "fail", "a").await;
        assert_eq!(failed.status, 80, "{failed:?}");
        becomes("the counters", Vec::<String>::new(), async || {
            let page = caller.envoy.page("/stats/prometheus").await?;
            let mut missing = counters();
            missing.retain(|counter| !page.lines().any(|line| line == counter));
            Ok(missing)
        })
        .await;
        // A stock Envoy has no such filter, and refuses each listener that it is to be in.
        let unknown = "Didn't find a registered implementation for 'istio.stats'";
        becomes("the refusal", true, async || {
            Ok(measured.envoy.process().log().contains(unknown))
        })
        .await;
        let listener = "0.0.0.0_20880";
        for (caller, expected) in [(&caller, true), (&measured, false)] {
            let listeners = caller.envoy.page("/listeners").await.unwrap();
            assert_eq!(listeners.contains(listener), expected, "{listeners}");
        }
        assert_eq!(complaints(&stage.control.istiod), [""; 0]);
    });
}

/// As Prometheus reads them, after three calls that were answered and one that has failed.
fn counters() -> Vec<String> {
    let cluster = "envoy_cluster_name=\"outbound|20880||com.acme.counted.dubbo;\"";
    vec![
        format!("envoy_cluster_upstream_rq{{envoy_response_code=\"200\",{cluster}}} 3"),
        format!("envoy_cluster_upstream_rq{{envoy_response_code=\"500\",{cluster}}} 1"),
        format!("envoy_cluster_upstream_rq_time_count{{{cluster}}} 4"),
        format!("envoy_cluster_upstream_cx_total{{{cluster}}} 1"),
        "envoy_dynamicmodulescustom_dubbo_requests_two_way{} 4".to_owned(),
    ]
}
