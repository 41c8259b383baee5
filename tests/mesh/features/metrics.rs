//! Counters of calls: Envoy's own, by service, which a sidecar keeps that is told to; and Istio's, whose
//! filter is in istio-proxy alone.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use support::{EnvoySettings, isolated};

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
        let kept = |settings: EnvoySettings| settings.section("stats_config", statistics());
        let (caller, measured) = futures::join!(
            Caller::with("caller", 1, kept),
            Caller::start("measured", 2)
        );
        let consumer = caller.consumer("a");
        let greeted = consumer.tally(3, &call("counted", "greet", "")).await;
        assert_eq!(greeted, tally(&[("a", 3)]));
        let failed = consumer.call("counted", "fail", "a").await;
        assert_eq!(failed.status, 80, "{failed:?}");
        becomes("the counters", counters(), async || {
            let page = caller.envoy.page("/stats/prometheus").await?;
            let named = |line: &&str| COUNTERS.iter().any(|name| is_of(line, name));
            Ok(page.lines().filter(named).map(str::to_owned).collect())
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

/// How Istio's proxies name what they count, from the template of their bootstrap; and the prefixes that
/// the guide to an installation has them keep.
fn statistics() -> Value {
    let prefixes = [
        "dynamicmodulescustom",
        "cluster.outbound|20880|",
        "cluster.dubbo-original-dst",
    ];
    json!({
        "use_all_default_tags": false,
        "stats_tags": [
            {"tag_name": "cluster_name", "regex": r"^cluster(\.(.+);)"},
            {"tag_name": "response_code", "regex": r"_rq(_(\d{3}))$"},
        ],
        "stats_matcher": {"inclusion_list": {"patterns": prefixes.map(|it| json!({"prefix": it}))}},
    })
}

const COUNTERS: [&str; 4] = [
    "envoy_cluster_upstream_rq",
    "envoy_cluster_upstream_rq_time_count",
    "envoy_cluster_upstream_cx_total",
    "envoy_dynamicmodulescustom_dubbo_requests_two_way",
];

/// Whether a line of Prometheus's is of this counter.
fn is_of(line: &str, name: &str) -> bool {
    line.strip_prefix(name)
        .is_some_and(|rest| rest.starts_with('{'))
}

/// Those of the service, after three calls that were answered and one that has failed, and no others.
fn counters() -> BTreeSet<String> {
    let cluster = "cluster_name=\"outbound|20880||com.acme.counted.dubbo\"";
    [
        format!("envoy_cluster_upstream_rq{{{cluster},response_code=\"200\"}} 3"),
        format!("envoy_cluster_upstream_rq{{{cluster},response_code=\"500\"}} 1"),
        format!("envoy_cluster_upstream_rq_time_count{{{cluster}}} 4"),
        format!("envoy_cluster_upstream_cx_total{{{cluster}}} 1"),
        "envoy_dynamicmodulescustom_dubbo_requests_two_way{} 4".to_owned(),
    ]
    .into()
}
