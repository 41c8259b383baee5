//! What a VirtualService does to calls: who gets them, again, twice or not at all.

use std::time::{Duration, Instant};

use dubbo_codec::FrameHead;
use futures::future::join_all;
use support::{Call, CallAnswer, isolated};

use super::super::complaints;
use super::super::traffic::carried;
use super::{
    Caller, Consumer, Registered, Stage, call, cluster, destination_rule, tally, virtual_service,
};

/// Every service of these tests, at a and b, in turns where nothing else is said.
const BOTH: &[&str] = &["a", "b"];
const SUBSETS: &str = "trafficPolicy: {loadBalancer: {simple: ROUND_ROBIN}},
  subsets: [{name: a, labels: {application: a}}, {name: b, labels: {application: b}}]";

/// A service for each feature, with its routes; `TO` stands for its own host, with a brace open.
const SERVICES: &[(&str, &str)] = &[
    (
        "again",
        "{retries: {attempts: 2, retryOn: 5xx}, route: [TO}}]}",
    ),
    (
        "sooner",
        "{timeout: 10s, retries: {attempts: 2, perTryTimeout: 1s, retryOn: 5xx}, route: [TO}}]}",
    ),
    (
        "aborted",
        "{fault: {abort: {httpStatus: 503, percentage: {value: 50}}}, route: [TO}}]}",
    ),
    (
        "delayed",
        "{fault: {delay: {fixedDelay: 1s, percentage: {value: 50}}}, route: [TO}}]}",
    ),
    (
        "mirrored",
        "{mirror: {host: com.acme.mirrored.dubbo, subset: b}, mirrorPercentage: {value: 100},
          route: [TO, subset: a}}]}",
    ),
    (
        "answered",
        "{match: [{headers: {region: {exact: ok}}}], directResponse: {status: 200, body: {string: made up}}},
         {match: [{headers: {region: {exact: busy}}}], directResponse: {status: 429, body: {string: too many}}},
         {match: [{headers: {region: {exact: moved}}}], redirect: {authority: elsewhere}},
         {route: [TO}}]}",
    ),
    (
        "rewritten",
        "{match: [{headers: {region: {exact: authority}}}], rewrite: {authority: elsewhere}, route: [TO}}]},
         {rewrite: {uri: /com.acme.rewritten/other}, route: [TO}}]}",
    ),
    (
        "matched",
        "{match: [{uri: {prefix: /com.acme.matched/get}}], route: [TO, subset: b}}]},
         {match: [{uri: {regex: \".*/(find|list)[A-Z].*\"}}], route: [TO, subset: b}}]},
         {match: [{headers: {region: {regex: \"eu-.*\"}}}], route: [TO, subset: b}}]},
         {match: [{authority: {exact: com.acme.matched.dubbo}, headers: {region: {prefix: us}},
           withoutHeaders: {region: {exact: us-2}}, sourceLabels: {app: caller}, method: {exact: POST}}],
           route: [TO, subset: b}}]},
         {route: [TO, subset: a}}]}",
    ),
];

#[test]
fn a_virtual_service_decides_what_becomes_of_a_call() {
    isolated(async || {
        let services: Vec<Registered<'_>> =
            SERVICES.iter().map(|(name, _)| (*name, BOTH)).collect();
        let resources = |(service, http): &(&str, &str)| {
            let to = format!("{{destination: {{host: {}", super::host(service));
            let routes = virtual_service(service, &http.replace("TO", &to));
            destination_rule(service, SUBSETS) + &routes
        };
        let resources: String = SERVICES.iter().map(resources).collect();
        let stage = Stage::start(&services, &resources, "").await;
        let caller = Caller::start("caller", 1).await;
        caller.knows(&resources).await;
        let consumer = caller.consumer("a");
        matched(&consumer).await;
        retried(&caller, &stage, &consumer).await;
        failed_on_purpose(&caller, &consumer).await;
        mirrored(&caller, &stage, &consumer).await;
        answered(&consumer).await;
        rewritten(&stage, &consumer).await;
        assert_eq!(complaints(&stage.control.istiod), [""; 0]);
    });
}

async fn matched(consumer: &Consumer) {
    let rows = [
        ("greet", "", "a"),
        ("getOrder", "", "b"),
        ("forget", "", "a"),
        ("findAll", "", "b"),
        ("find", "", "a"),
        ("greet", "eu-1", "b"),
        ("greet", "us-1", "b"),
        ("greet", "us-2", "a"),
    ];
    for (method, region, provider) in rows {
        let call = call("matched", method, "").with("region", region);
        let answer = consumer.make(&call).await;
        assert_eq!((answer.status, &*answer.text), (20, provider), "{call:?}");
    }
}

/// Whom the first provider has failed, the other one serves.
async fn retried(caller: &Caller, stage: &Stage, consumer: &Consumer) {
    for (service, method, calls) in [("again", "fail", 10), ("sooner", "ignore", 3)] {
        let served = consumer.tally(calls, &call(service, method, "a")).await;
        assert_eq!(served, tally(&[("b", calls)]), "{service}");
        // Each second try is the turn of b, so each first one is that of a, but for the very first.
        let tried = stage.seen("a", service).len();
        assert!((calls - 1..=calls).contains(&tried), "{service}: {tried}");
        let retries = caller.stat(service, "upstream_rq_retry_success").await;
        assert_eq!(retries, tried as u64, "{service}");
    }
    // A failure of all is the last one's.
    let failed = consumer.call("again", "fail", "all").await;
    assert_eq!((failed.status, &*failed.text), (80, "out of order"));
}

/// Half of the calls, give or take five times the standard deviation.
async fn failed_on_purpose(caller: &Caller, consumer: &Consumer) {
    let mut aborted = 0;
    for _ in 0..200 {
        let answer = consumer.call("aborted", "greet", "").await;
        if answer.status == 80 {
            assert!(answer.text.contains("fault filter abort"), "{answer:?}");
            aborted += 1;
        }
    }
    assert!((65..=135).contains(&aborted), "{aborted}");
    let delayed = |_| async {
        let began = Instant::now();
        assert_eq!(consumer.call("delayed", "greet", "").await.status, 20);
        // Envoy's timers count from when its loop last woke.
        began.elapsed() >= Duration::from_millis(500)
    };
    let slow = join_all((0..100).map(delayed)).await;
    let slow = slow.into_iter().filter(|slow| *slow).count() as u64;
    let delays = caller
        .envoy
        .page("/stats?filter=delays_injected")
        .await
        .unwrap();
    let value = |line: &str| line.rsplit_once(": ")?.1.parse::<u64>().ok();
    let injected: u64 = delays.lines().filter_map(value).sum();
    assert!((25..=75).contains(&injected), "{injected}");
    assert!(slow >= injected, "{slow} of {injected}");
}

/// Both providers get the call, and the caller one answer, whatever becomes of the other.
async fn mirrored(caller: &Caller, stage: &Stage, consumer: &Consumer) {
    let calls = [
        call("mirrored", "greet", ""),
        call("mirrored", "fail", "b"),
        call("mirrored", "ignore", "b"),
    ];
    for call in &calls {
        assert_eq!(consumer.make(call).await.text, "a", "{call:?}");
    }
    let one_way: Call = call("mirrored", "tell", "").one_way();
    consumer.0.send(&one_way.frame(77)).await.unwrap();
    super::becomes("both have all", (4, 4), async || {
        Ok((
            stage.seen("a", "mirrored").len(),
            stage.seen("b", "mirrored").len(),
        ))
    })
    .await;
    // The same frames, and so the flag whether it wants an answer; but each has an id of its connection.
    let frames = |provider| {
        let mut frames = stage.seen(provider, "mirrored");
        frames.iter_mut().for_each(|frame| frame[4..12].fill(0));
        frames
    };
    assert_eq!(frames("a"), frames("b"));
    assert_eq!(
        carried(&caller.envoy, &cluster("mirrored"), "rq_total").await,
        0
    );
}

/// What the sidecar says itself, in Dubbo's words.
async fn answered(consumer: &Consumer) {
    let rows = [
        ("ok", 50, "dubbo-mesh: HTTP status 200: made up"),
        ("busy", 100, "dubbo-mesh: HTTP status 429: too many"),
        ("moved", 80, "dubbo-mesh: HTTP status 301"),
        ("other", 20, ""),
    ];
    for (region, status, text) in rows {
        let call = call("answered", "greet", "").with("region", region);
        let answer = consumer.make(&call).await;
        let text = match status {
            20 => answer.text.clone(),
            _ => text.to_owned(),
        };
        assert_eq!(answer, CallAnswer { status, text });
    }
}

/// Interface and method stay what they are; the authority is the mesh's own.
async fn rewritten(stage: &Stage, consumer: &Consumer) {
    let refused = consumer.call("rewritten", "greet", "").await;
    assert_eq!(refused.status, 40, "{refused:?}");
    assert!(refused.text.contains("was changed to"), "{refused:?}");
    let call = call("rewritten", "greet", "").with("region", "authority");
    assert_eq!(consumer.make(&call).await.status, 20);
    let seen = ["a", "b"].map(|name| stage.seen(name, "rewritten"));
    let [frame] = &seen.concat()[..] else {
        panic!("{seen:x?}")
    };
    assert_eq!(frame[FrameHead::LEN..], call.frame(0)[FrameHead::LEN..]);
}
