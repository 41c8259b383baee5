//! What a DestinationRule says of the providers of a service: who gets a call, how many at once, and
//! who gets none for a while.

use std::collections::BTreeSet;

use support::isolated;
use tokio::task::JoinSet;

use super::super::{becomes, complaints};
use super::{Caller, Consumer, Registered, Stage, call, destination_rule, tally};

/// A service for each rule, with its providers.
const SERVICES: &[(Registered<'static>, &str)] = &[
    (
        ("turns", &["a", "b"]),
        "{loadBalancer: {simple: ROUND_ROBIN}}",
    ),
    (
        ("least", &["a", "b"]),
        "{loadBalancer: {simple: LEAST_REQUEST}}",
    ),
    (("random", &["a", "b"]), "{loadBalancer: {simple: RANDOM}}"),
    (
        ("hash", &["a", "b", "near"]),
        "{loadBalancer: {consistentHash: {httpHeaderName: region}}}",
    ),
    (
        ("picked", &["a", "b"]),
        "{loadBalancer: {simple: PASSTHROUGH}}",
    ),
    (
        ("pool", &["a"]),
        "{connectionPool: {tcp: {maxConnections: 2}, http: {http1MaxPendingRequests: 1}}}",
    ),
    (
        ("requests", &["a"]),
        "{connectionPool: {http: {http2MaxRequests: 1, maxRequestsPerConnection: 1}}}",
    ),
    (
        ("outlier", &["a", "b"]),
        "{loadBalancer: {simple: ROUND_ROBIN}, outlierDetection:
           {consecutive5xxErrors: 3, interval: 1s, baseEjectionTime: 1m, maxEjectionPercent: 50}}",
    ),
    (
        ("dead", &["a", "dead"]),
        "{loadBalancer: {simple: ROUND_ROBIN}, outlierDetection:
           {consecutive5xxErrors: 1, interval: 1s, baseEjectionTime: 1m, maxEjectionPercent: 50}}",
    ),
    (
        ("local", &["near", "far"]),
        "{outlierDetection:
           {consecutive5xxErrors: 2, interval: 1s, baseEjectionTime: 6s, maxEjectionPercent: 100}}",
    ),
];

#[test]
fn a_destination_rule_decides_who_gets_a_call() {
    isolated(async || {
        let services: Vec<Registered<'_>> = SERVICES.iter().map(|(service, _)| *service).collect();
        let rule = |((service, _), policy): &(Registered<'_>, &str)| {
            destination_rule(service, &format!("trafficPolicy: {policy}"))
        };
        let resources: String = SERVICES.iter().map(rule).collect();
        let stage = Stage::start(&services, &resources, "").await;
        let caller = Caller::start("caller", 1).await;
        caller.knows(&resources).await;
        let consumer = caller.consumer("a");
        balanced(&caller, &stage, &consumer).await;
        at_random(&caller, &consumer).await;
        hashed(&consumer).await;
        left_to_the_sdk(&caller).await;
        limited(&caller, &consumer).await;
        renewed(&caller, &consumer).await;
        ejected(&caller, &stage, &consumer).await;
        near_before_far(&caller, &stage, &services, &consumer).await;
        assert_eq!(complaints(&stage.control.istiod), [""; 0]);
    });
}

/// By turns whoever is busy, or fewer to the one that is.
async fn balanced(caller: &Caller, stage: &Stage, consumer: &Consumer) {
    let held = ["turns", "least"].map(|service| {
        let consumer = consumer.clone();
        tokio::spawn(async move { consumer.call(service, "ignore", "all").await })
    });
    for service in ["turns", "least"] {
        becomes("the held call", 1, async || {
            Ok(caller.stat(service, "upstream_rq_active").await)
        })
        .await;
    }
    let turns = consumer.tally(40, &call("turns", "greet", "")).await;
    assert_eq!(turns, tally(&[("a", 20), ("b", 20)]));
    let busy = ["a", "b"].map(|name| (stage.seen(name, "least").len(), name));
    let busy = busy.iter().max().unwrap().1;
    let least = consumer.tally(200, &call("least", "greet", "")).await;
    // Of two that are drawn the less busy one: a quarter to the busy one, and half if drawn blindly.
    assert!((20..80).contains(&least[busy]), "{busy}: {least:?}");
    for held in held {
        assert!(!held.is_finished());
        held.abort();
    }
}

/// By no turns: of forty calls two in a row go to the same one, but for one time in 2^39.
async fn at_random(caller: &Caller, consumer: &Consumer) {
    let mut answers = Vec::new();
    for _ in 0..40 {
        answers.push(consumer.call("random", "greet", "").await.text);
    }
    let providers: BTreeSet<&str> = answers.iter().map(String::as_str).collect();
    assert_eq!(providers, BTreeSet::from(["a", "b"]));
    assert!(
        answers.windows(2).any(|pair| pair[0] == pair[1]),
        "{answers:?}"
    );
    let page = "/config_dump?resource=dynamic_active_clusters&name_regex=.*random.*";
    let dump = caller.envoy.json(page).await.unwrap();
    assert_eq!(dump["configs"][0]["cluster"]["lb_policy"], "RANDOM");
}

/// One value of an attachment, one provider.
async fn hashed(consumer: &Consumer) {
    let mut providers = BTreeSet::new();
    for region in 0..20 {
        let call = call("hash", "greet", "").with("region", &region.to_string());
        let of_region = consumer.tally(5, &call).await;
        assert_eq!(of_region.len(), 1, "{region}: {of_region:?}");
        providers.extend(of_region.into_keys());
    }
    assert_eq!(providers.len(), 3, "{providers:?}");
}

/// Each call to the provider that was dialled, and by the mesh all the same.
async fn left_to_the_sdk(caller: &Caller) {
    for provider in ["a", "b"] {
        let consumer = caller.consumer(provider);
        let picked = consumer.tally(10, &call("picked", "greet", "")).await;
        assert_eq!(picked, tally(&[(provider, 10)]));
    }
    let completed = caller.stat("picked", "upstream_rq_completed").await;
    assert_eq!(completed, 20);
}

/// A connection for each call: as many calls as connections, and so many more that wait.
async fn limited(caller: &Caller, consumer: &Consumer) {
    // HTTP/2 ends at the bridge, so that its number of requests limits nothing.
    for (service, calls) in [
        ("pool", [(1, 0), (2, 0), (2, 1)]),
        ("requests", [(1, 0), (2, 0), (3, 0)]),
    ] {
        let busy = caller.consumer("a");
        let mut held = JoinSet::new();
        for expected in calls {
            let busy = busy.clone();
            held.spawn(async move { busy.call(service, "ignore", "a").await });
            becomes(
                "calls under way, and calls that wait",
                expected,
                async || {
                    let waiting = caller.stat(service, "upstream_rq_pending_active").await;
                    Ok((caller.stat(service, "upstream_rq_active").await, waiting))
                },
            )
            .await;
        }
        let answer = consumer.call(service, "greet", "").await;
        if service == "pool" {
            assert_eq!(answer.status, 80, "{answer:?}");
            assert!(answer.text.contains("overflow"), "{answer:?}");
            let overflow = caller.stat(service, "upstream_rq_pending_overflow").await;
            assert_eq!(overflow, 1);
        } else {
            assert_eq!(answer.status, 20, "{answer:?}");
        }
        drop((busy, held));
        becomes("calls are taken again", 20, async || {
            Ok(consumer.call(service, "greet", "").await.status)
        })
        .await;
    }
}

/// A connection is used again and again, or as often as the rule says.
async fn renewed(caller: &Caller, consumer: &Consumer) {
    let mut connections = Vec::new();
    for service in ["pool", "requests"] {
        let before = caller.stat(service, "upstream_cx_total").await;
        let greeted = consumer.tally(10, &call(service, "greet", "")).await;
        assert_eq!(greeted, tally(&[("a", 10)]));
        connections.push(caller.stat(service, "upstream_cx_total").await - before);
    }
    // The call before these has left one of `pool` open.
    assert_eq!(connections, [0, 10]);
}

/// A provider that fails, or is not there, is left alone.
async fn ejected(caller: &Caller, stage: &Stage, consumer: &Consumer) {
    let mut failures = 0;
    while failures < 3 {
        let answer = consumer.call("outlier", "fail", "a").await;
        failures += usize::from(answer.status == 80);
    }
    is_ejected(caller, "outlier").await;
    let left = consumer.tally(20, &call("outlier", "fail", "a")).await;
    assert_eq!(left, tally(&[("b", 20)]));
    assert_eq!(stage.seen("a", "outlier").len(), 3);
    let greet = call("dead", "greet", "");
    // The first two calls: one of them is the turn of the dead one, and made again.
    for _ in 0..2 {
        assert_eq!(consumer.tally(1, &greet).await, tally(&[("a", 1)]));
        if caller.stat("dead", "upstream_cx_connect_fail").await == 1 {
            break;
        }
    }
    is_ejected(caller, "dead").await;
    assert_eq!(consumer.tally(20, &greet).await, tally(&[("a", 20)]));
    assert_eq!(caller.stat("dead", "upstream_cx_connect_fail").await, 1);
}

/// Waits until one endpoint is ejected: Envoy's main thread does that, some time after the answers that it
/// does it for, and calls may go there until then.
async fn is_ejected(caller: &Caller, service: &str) {
    becomes(&format!("an ejection of {service}"), 1, async || {
        let ejected = "outlier_detection.ejections_active";
        Ok(caller.stat(service, ejected).await)
    })
    .await;
}

/// The near ones take all, while there are any.
async fn near_before_far(
    caller: &Caller,
    stage: &Stage,
    services: &[Registered<'_>],
    consumer: &Consumer,
) {
    let greet = call("local", "greet", "");
    assert_eq!(consumer.tally(20, &greet).await, tally(&[("near", 20)]));
    for _ in 0..2 {
        assert_eq!(consumer.call("local", "fail", "near").await.status, 80);
    }
    is_ejected(caller, "local").await;
    assert_eq!(consumer.tally(5, &greet).await, tally(&[("far", 5)]));
    let answer = async || Ok(consumer.make(&greet).await.text);
    becomes("near again after its ejection", "near".to_owned(), answer).await;
    assert_eq!(consumer.tally(20, &greet).await, tally(&[("near", 20)]));
    let far_alone = services.iter().map(|(service, at)| match *service {
        "local" => (*service, &["far"][..]),
        _ => (*service, *at),
    });
    stage.register(&far_alone.collect::<Vec<_>>());
    becomes("far once near is gone", "far".to_owned(), answer).await;
    assert_eq!(consumer.tally(20, &greet).await, tally(&[("far", 20)]));
}
