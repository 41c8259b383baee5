//! Many calls at a time, on one connection of the caller's.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use support::{Call, Deed, Methods, WireConsumer, WireProvider, isolated, wait_until};

use super::{GREETER, SOON, WAYS, Way, answered, caller, envoy, metric};

const CALLS: usize = 500;
/// After so long who stopped would be given up.
const STALLED: Duration = Duration::from_secs(5);

#[test]
fn five_hundred_calls_at_once_on_one_connection() {
    isolated(async || {
        for way in WAYS {
            let methods: Methods = Arc::new(|_, argument| {
                Deed::After(
                    Duration::from_millis(200),
                    Box::new(Deed::Return(argument.to_owned())),
                )
            });
            let port = if way == Way::Bridge { 20881 } else { 20882 };
            let provider = WireProvider::start(port, methods).await;
            let mut bootstrap = caller(way);
            let mut cluster = super::cluster(way, "v1", &[port]);
            cluster["circuit_breakers"] = serde_json::json!({"thresholds": [{
                "max_connections": 2000, "max_pending_requests": 2000, "max_requests": 2000
            }]});
            super::set(&mut bootstrap, "/static_resources/clusters/0", cluster);
            let envoy = envoy(&bootstrap).start().await;
            let consumer = Arc::new(WireConsumer::connect(20880).await);
            let calls = (0..CALLS).map(|n| {
                let consumer = Arc::clone(&consumer);
                tokio::spawn(async move {
                    let text = format!("call {n}");
                    (
                        consumer.call(&Call::new(GREETER, "echo", &text)).await,
                        answered(&text),
                    )
                })
            });
            for call in calls.collect::<Vec<_>>() {
                let (answer, expected) = call.await.unwrap();
                assert_eq!(answer, expected, "{way:?}");
            }
            match way {
                Way::Socket => assert_eq!(provider.opened(), 1),
                Way::Bridge => assert!(
                    (2..=CALLS).contains(&provider.opened()),
                    "{}",
                    provider.opened()
                ),
            }
            metric(&envoy, "dubbo.requests.two_way", CALLS as u64).await;
            metric(&envoy, "dubbo.responses.ok", CALLS as u64).await;
            metric(&envoy, "dubbo.connections.dubbo", 1).await;
            metric(&envoy, "dubbo.requests.active", 0).await;
            envoy.stop().await;
        }
    });
}

/// What the connection manager takes no stream for yet waits, and none is lost or refused.
#[test]
fn more_calls_than_streams() {
    isolated(async || {
        let methods: Methods = Arc::new(|_, argument| {
            Deed::After(
                Duration::from_millis(50),
                Box::new(Deed::Return(argument.to_owned())),
            )
        });
        let _provider = WireProvider::start(20881, methods).await;
        let mut bootstrap = caller(Way::Socket);
        let manager = "/static_resources/listeners/0/filter_chains/0/filters/1/typed_config";
        bootstrap.pointer_mut(manager).unwrap()["http2_protocol_options"] =
            serde_json::json!({"max_concurrent_streams": 20});
        let envoy = envoy(&bootstrap).start().await;
        let consumer = Arc::new(WireConsumer::connect(20880).await);
        let calls = (0..CALLS).map(|n| {
            let consumer = Arc::clone(&consumer);
            tokio::spawn(async move {
                let text = format!("call {n}");
                (
                    consumer.call(&Call::new(GREETER, "echo", &text)).await,
                    answered(&text),
                )
            })
        });
        for call in calls.collect::<Vec<_>>() {
            let (answer, expected) = call.await.unwrap();
            assert_eq!(answer, expected);
        }
        metric(&envoy, "dubbo.requests.active", 0).await;
        metric(&envoy, "dubbo.buffered_bytes", 0).await;
        let reset = envoy
            .stat("http.dubbo.downstream_rq_rx_reset")
            .await
            .unwrap();
        assert_eq!(reset, 0);
    });
}

/// One provider that stalls holds up none of the others of the same connection.
#[test]
fn a_stalled_provider_holds_up_its_own_calls_alone() {
    isolated(async || {
        let _stalled = WireProvider::start(20881, Arc::new(|_, _| Deed::Ignore)).await;
        let _other = WireProvider::start(20882, super::echo("v2")).await;
        for way in WAYS {
            let envoy = envoy(&caller(way)).start().await;
            let consumer = Arc::new(WireConsumer::connect(20880).await);
            for n in 0..50 {
                let consumer = Arc::clone(&consumer);
                let argument = "x".repeat(n * 100);
                tokio::spawn(async move {
                    consumer.call(&Call::new(GREETER, "greet", &argument)).await
                });
            }
            metric(&envoy, "dubbo.requests.active", 50).await;
            for _ in 0..50 {
                let call = Call::new(GREETER, "greet", "Ann").with("region", "gray");
                assert_eq!(
                    consumer.call(&call).await,
                    answered("Ann from v2"),
                    "{way:?}"
                );
            }
            envoy.stop().await;
        }
    });
}

/// Nor do two that send the beginnings of long answers and stop, however much that is.
#[test]
fn answers_that_stop_half_way_hold_up_no_others() {
    const LONG: usize = 8_000_000;
    isolated(async || {
        let stopped = Arc::new(AtomicUsize::new(0));
        let begun = Arc::clone(&stopped);
        let begin: Methods = Arc::new(move |_, _| {
            begun.fetch_add(1, Ordering::Relaxed);
            Deed::Begin(3_000_000, Box::new(Deed::Return("x".repeat(LONG))))
        });
        let _first = WireProvider::start(20881, Arc::clone(&begin)).await;
        let _second = WireProvider::start(20883, begin).await;
        let long: Methods = Arc::new(|_, length| Deed::Return("y".repeat(length.parse().unwrap())));
        let _third = WireProvider::start(20882, long).await;
        for way in WAYS {
            let mut bootstrap = caller(way);
            let cluster = super::cluster(way, "v1", &[20881, 20883]);
            super::set(&mut bootstrap, "/static_resources/clusters/0", cluster);
            let envoy = envoy(&bootstrap).start().await;
            let consumer = Arc::new(WireConsumer::connect(20880).await);
            stopped.store(0, Ordering::Relaxed);
            for _ in 0..2 {
                let consumer = Arc::clone(&consumer);
                tokio::spawn(
                    async move { consumer.call(&Call::new(GREETER, "greet", "Ann")).await },
                );
            }
            // Over the bridge all that came is in the caller's half; the socket's waits for the rest.
            // The heads of the calls come besides.
            let held = if way == Way::Bridge { 6_000_000 } else { 0 };
            wait_until("what came is held", SOON, async || {
                match envoy
                    .stat("dynamicmodulescustom.dubbo.buffered_bytes")
                    .await?
                {
                    seen if (held..held + 4096).contains(&seen) => Ok(()),
                    seen => Err(format!("{seen} bytes")),
                }
            })
            .await;
            wait_until("both have begun", SOON, async || {
                match stopped.load(Ordering::Relaxed) {
                    2 => Ok(()),
                    begun => Err(begun.to_string()),
                }
            })
            .await;
            for length in [200_000, LONG] {
                let call = Call::new(GREETER, "greet", &length.to_string()).with("region", "gray");
                let answer = tokio::time::timeout(STALLED, consumer.call(&call)).await;
                let text = answer
                    .expect("nobody waits for those that stopped")
                    .unwrap()
                    .text;
                assert!(text == "y".repeat(length), "{way:?}: {}", text.len());
            }
            metric(&envoy, "dubbo.requests.active", 2).await;
            envoy.stop().await;
        }
    });
}

/// Workers share nothing but what is counted, and all of it is.
#[test]
fn many_callers_on_several_workers() {
    const CALLERS: usize = 40;
    const EACH: usize = 25;
    isolated(async || {
        let _provider = WireProvider::start(20881, super::echo("v1")).await;
        for way in WAYS {
            let envoy = envoy(&caller(way)).workers(4).start().await;
            let callers = (0..CALLERS).map(|caller| {
                tokio::spawn(async move {
                    let consumer = WireConsumer::connect(20880).await;
                    for n in 0..EACH {
                        let text = format!("call {n} of {caller}");
                        let call = Call::new(GREETER, "greet", &text)
                            .with("timeout", "15000")
                            .with("remote.application", "shop");
                        let answer = consumer.call(&call).await;
                        assert_eq!(answer, answered(&format!("{text} from v1")));
                    }
                })
            });
            for caller in callers.collect::<Vec<_>>() {
                caller.await.unwrap();
            }
            let calls = (CALLERS * EACH) as u64;
            metric(&envoy, "dubbo.connections.dubbo", CALLERS as u64).await;
            metric(&envoy, "dubbo.requests.two_way", calls).await;
            metric(&envoy, "dubbo.responses.ok", calls).await;
            for gauge in [
                "dubbo.connections.active",
                "dubbo.requests.active",
                "dubbo.buffered_bytes",
            ] {
                metric(&envoy, gauge, 0).await;
            }
            envoy.stop().await;
        }
    });
}
