//! What flows on a connection beside calls and answers: heartbeats, notices, one-way calls, requests
//! of a provider; and the end of a connection.

use std::sync::Arc;
use std::time::{Duration, Instant};

use dubbo_codec::FrameHead;
use support::{
    Call, ConsumerSettings, Deed, DubboVersion, Methods, WireConsumer, WireProvider, isolated,
    wait_until,
};

use super::{GREETER, SOON, WAYS, Way, answered, caller, cluster, echo, envoy, lines, metric};

/// A heartbeat request as Dubbo 2.7 sends it.
const HEARTBEAT: &[u8] = b"\xda\xbb\xe2\0\0\0\0\0\0\0\x01\x09\0\0\0\x01N";
/// What 2.6 to 3.1 send before they close.
const READ_ONLY: &[u8] = b"\xda\xbb\xa2\0\0\0\0\0\0\0\x01\x0a\0\0\0\x02\x01R";

#[test]
fn a_heartbeat_of_the_caller_is_answered_here() {
    isolated(async || {
        let provider = WireProvider::start(20881, echo("v1")).await;
        for way in WAYS {
            let envoy = envoy(&caller(way)).start().await;
            let consumer = WireConsumer::connect(20880).await;
            for _ in 0..3 {
                consumer.send(HEARTBEAT).await.unwrap();
                let answer = consumer.other().await.unwrap();
                assert_eq!(
                    answer, b"\xda\xbb\x22\x14\0\0\0\0\0\0\x01\x09\0\0\0\x01N",
                    "{way:?}"
                );
            }
            assert_eq!(
                consumer.call(&Call::new(GREETER, "greet", "Ann")).await,
                answered("Ann from v1")
            );
            metric(&envoy, "dubbo.requests.heartbeat", 3).await;
            envoy.stop().await;
        }
        assert_eq!(
            provider
                .seen()
                .iter()
                .filter(|frame| frame[2] & 0x20 != 0)
                .count(),
            0
        );
    });
}

/// A transport socket has no timer of its own: the caller's connection on the same worker wakes it.
#[test]
fn an_idle_connection_to_a_provider_gets_heartbeats() {
    isolated(async || {
        let provider = WireProvider::start(20881, echo("v1")).await;
        let mut bootstrap = caller(Way::Socket);
        let options = serde_json::json!({
            "@type": "type.googleapis.com/google.protobuf.Struct", "value": {"heartbeat_ms": 300}
        });
        bootstrap["static_resources"]["clusters"][0]["transport_socket"]["typed_config"]["transport_socket_config"] =
            options;
        let envoy = envoy(&bootstrap).start().await;
        let consumer = WireConsumer::connect(20880).await;
        let call = Call::new(GREETER, "greet", "Ann");
        // Before the call: what follows it may begin long before we hear of its answer.
        let began = Instant::now();
        assert_eq!(consumer.call(&call).await, answered("Ann from v1"));
        wait_until("three heartbeats", SOON, async || {
            let seen = provider
                .seen()
                .iter()
                .filter(|frame| frame[2] & 0xe0 == 0xe0)
                .count();
            if seen >= 3 {
                Ok(())
            } else {
                Err(seen.to_string())
            }
        })
        .await;
        assert!(
            began.elapsed() >= Duration::from_millis(800),
            "{:?}",
            began.elapsed()
        );
        assert_eq!(consumer.call(&call).await, answered("Ann from v1"));
        assert_eq!(provider.opened(), 1);
        metric(&envoy, "dubbo.provider.connections", 1).await;
    });
}

/// A real consumer whose heartbeats keep the connection: none of its calls fails.
#[test]
fn java_s_heartbeats_keep_a_connection() {
    isolated(async || {
        let _provider = WireProvider::start(20881, echo("v1")).await;
        let envoy = envoy(&caller(Way::Bridge)).start().await;
        let mut consumer = ConsumerSettings::new(DubboVersion::V3_3, "N/A", GREETER)
            .set(
                "reference.url",
                format!("dubbo://127.0.0.1:20880/{GREETER}?heartbeat=1000"),
            )
            .start()
            .await;
        assert_eq!(consumer.call("greet Ann").await, "RESULT Ann from v1");
        wait_until("two heartbeats", SOON, async || {
            let seen = envoy
                .stat("dynamicmodulescustom.dubbo.requests.heartbeat")
                .await?;
            if seen >= 2 {
                Ok(())
            } else {
                Err(seen.to_string())
            }
        })
        .await;
        assert_eq!(consumer.call("greet Bob").await, "RESULT Bob from v1");
        metric(&envoy, "dubbo.connections.dubbo", 1).await;
    });
}

#[test]
fn a_one_way_call_arrives_and_is_not_answered() {
    isolated(async || {
        for way in WAYS {
            let port = if way == Way::Bridge { 20881 } else { 20882 };
            let provider = WireProvider::start(port, echo("v1")).await;
            let mut bootstrap = caller(way);
            super::set(
                &mut bootstrap,
                "/static_resources/clusters/0",
                cluster(way, "v1", &[port]),
            );
            let envoy = envoy(&bootstrap).start().await;
            let consumer = WireConsumer::connect(20880).await;
            for id in 1..=5 {
                consumer
                    .send(&Call::new(GREETER, "notify", "Ann").one_way().frame(id))
                    .await
                    .unwrap();
            }
            assert_eq!(
                consumer.call(&Call::new(GREETER, "greet", "Ann")).await,
                answered("Ann from v1")
            );
            wait_until("all of them", SOON, async || {
                let one_way = provider
                    .seen()
                    .iter()
                    .filter(|frame| frame[2] == 0x82)
                    .count();
                if one_way == 5 {
                    Ok(())
                } else {
                    Err(one_way.to_string())
                }
            })
            .await;
            let calls = lines(&envoy, "call ", 6).await;
            assert!(
                calls[..5]
                    .iter()
                    .all(|call| call.contains("cluster=v1 code=204")),
                "{calls:#?}"
            );
            metric(&envoy, "dubbo.requests.one_way", 5).await;
            metric(&envoy, "dubbo.requests.active", 0).await;
            // The next frame is the answer to this, so nothing else came before it.
            consumer.send(HEARTBEAT).await.unwrap();
            assert_eq!(consumer.other().await.unwrap()[2], 0x22);
            envoy.stop().await;
        }
    });
}

/// Before its answer, in the same write, a provider sends what else a provider may send.
#[test]
fn what_a_provider_sends_beside_answers_disturbs_nothing() {
    isolated(async || {
        for way in WAYS {
            let port = if way == Way::Bridge { 20881 } else { 20882 };
            let methods: Methods = Arc::new(|method, argument| {
                let call_back = Call::new("com.acme.Callback", "changed", "x").frame(77);
                let late = b"\xda\xbb\x02\x14\x77\x77\x77\x77\x77\x77\x77\x77\0\0\0\x01\x92";
                let extra: &[u8] = match method {
                    "heartbeat" => HEARTBEAT,
                    "readonly" => READ_ONLY,
                    "callback" => &call_back,
                    _ => late,
                };
                Deed::Glued(extra.to_vec(), Box::new(Deed::Return(argument.to_owned())))
            });
            let provider = WireProvider::start(port, methods).await;
            let mut bootstrap = caller(way);
            super::set(
                &mut bootstrap,
                "/static_resources/clusters/0",
                cluster(way, "v1", &[port]),
            );
            let envoy = envoy(&bootstrap).start().await;
            let consumer = WireConsumer::connect(20880).await;
            for method in ["heartbeat", "callback", "late", "readonly", "heartbeat"] {
                let answer = consumer.call(&Call::new(GREETER, method, method)).await;
                assert_eq!(answer, answered(method), "{way:?}");
            }
            wait_until("the answers to the provider", SOON, async || {
                let seen = provider.seen();
                let heartbeats = seen
                    .iter()
                    .filter(|frame| frame[2..4] == [0x22, 20])
                    .count();
                let refused = seen
                    .iter()
                    .filter(|frame| frame[2] == 0x02 && frame[3] == 40)
                    .count();
                if (heartbeats, refused) == (2, 1) {
                    Ok(())
                } else {
                    Err(format!("{heartbeats} {refused}"))
                }
            })
            .await;
            if way == Way::Socket {
                // After the notice no call goes over the connection any more.
                assert_eq!(provider.opened(), 2);
            }
            metric(&envoy, "dubbo.responses.late", 1).await;
            metric(&envoy, "dubbo.requests.reverse", 1).await;
            envoy.stop().await;
        }
    });
}

/// A caller that makes no more calls is not kept until the proxy cuts it, and one that makes some gets
/// an answer to each until the connection ends.
#[test]
fn a_drained_connection_ends_when_its_time_is_over_and_not_with_a_call() {
    isolated(async || {
        let methods: Methods = Arc::new(|_, argument| Deed::Return(argument.to_owned()));
        let _provider = WireProvider::start(20881, methods).await;
        let mut bootstrap = caller(Way::Bridge);
        let filter = "/static_resources/listeners/0/filter_chains/0/filters";
        super::set(
            &mut bootstrap,
            &format!("{filter}/0/typed_config/filter_config/value"),
            serde_json::json!({"drain_ms": 500}),
        );
        let envoy = envoy(&bootstrap).drain_seconds(60).start().await;
        let (idle, busy) = (
            WireConsumer::connect(20880).await,
            WireConsumer::connect(20880).await,
        );
        let greet = Call::new(GREETER, "greet", "Ann").with("timeout", "5000");
        for consumer in [&idle, &busy] {
            assert_eq!(consumer.call(&greet).await, answered("Ann"));
        }
        envoy.post("/drain_listeners?graceful").await.unwrap();
        for consumer in [&idle, &busy] {
            assert_eq!(consumer.call(&greet).await, answered("Ann"));
        }
        let told = Instant::now();
        assert_eq!(&idle.other().await.unwrap()[16..], b"\x01R");
        assert_eq!(&busy.other().await.unwrap()[16..], b"\x01R");
        assert_eq!(idle.other().await, None, "the connection ends");
        let elapsed = told.elapsed();
        assert!(elapsed < Duration::from_secs(3), "{elapsed:?}");
    });
}

/// A listener that drains: the caller is told, calls under way are answered, then the connection ends.
#[test]
fn a_connection_that_drains_is_told_before_it_is_closed() {
    isolated(async || {
        let methods: Methods = Arc::new(|_, argument| {
            Deed::After(
                Duration::from_millis(1500),
                Box::new(Deed::Return(argument.to_owned())),
            )
        });
        let _provider = WireProvider::start(20881, methods).await;
        let mut bootstrap = caller(Way::Bridge);
        let filter = "/static_resources/listeners/0/filter_chains/0/filters";
        super::set(
            &mut bootstrap,
            &format!("{filter}/0/typed_config/filter_config/value"),
            serde_json::json!({"drain_ms": 1000}),
        );
        let envoy = envoy(&bootstrap).drain_seconds(1).start().await;
        let consumer = Arc::new(WireConsumer::connect(20880).await);
        let slow = Arc::clone(&consumer);
        let call =
            tokio::spawn(async move { slow.call(&Call::new(GREETER, "greet", "Ann")).await });
        metric(&envoy, "dubbo.requests.active", 1).await;
        envoy.post("/drain_listeners?graceful").await.unwrap();
        let notice = consumer.other().await.unwrap();
        let head = FrameHead::parse(&notice).unwrap().unwrap();
        assert!(head.event && !head.two_way, "{notice:x?}");
        assert_eq!(&notice[16..], b"\x01R");
        assert_eq!(call.await.unwrap(), answered("Ann"));
        assert_eq!(consumer.other().await, None, "the connection ends");
        metric(&envoy, "dubbo.connections.active", 0).await;
        metric(&envoy, "dubbo.drains", 1).await;
    });
}
