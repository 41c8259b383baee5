//! Calls that go where the routes say, by what is in them.

use serde_json::json;
use std::sync::Arc;
use support::{
    Call, ConsumerSettings, Deed, DubboVersion, ProviderSettings, Service, WireConsumer,
    WireProvider, isolated, shipped,
};

use super::{
    DENIED, GREETER, ROUTES, WAYS, Way, answered, caller, cluster, echo, ended, envoy, lines,
    metric, set,
};

/// An unmodified consumer and two unmodified providers of Dubbo for Java.
#[test]
fn java_s_calls_are_routed_by_an_attachment() {
    isolated(async || {
        let provider = |name: &str, port| {
            ProviderSettings::new(DubboVersion::V3_3, "N/A")
                .named(name)
                .protocol("dubbo", port)
                .service(Service::new(GREETER))
        };
        let (_first, _second) = (
            provider("v1", 20881).start().await,
            provider("v2", 20882).start().await,
        );
        for way in WAYS {
            let envoy = envoy(&caller(way)).start().await;
            let mut consumer = ConsumerSettings::new(DubboVersion::V3_2, "N/A", GREETER)
                .set(
                    "reference.url",
                    format!("dubbo://127.0.0.1:20880/{GREETER}"),
                )
                .start()
                .await;
            assert_eq!(
                consumer.call("greet Ann").await,
                "RESULT hello Ann from v1",
                "{way:?}"
            );
            assert_eq!(
                consumer.call("greet Bob region=gray").await,
                "RESULT hello Bob from v2"
            );
            assert_eq!(
                consumer.call("fail nothing").await,
                "THROWN com.acme.Rejected: nothing"
            );
            let seen = consumer.call("attachments - colour=blue region=gray").await;
            assert!(
                seen.contains("colour=blue") && seen.contains("region=gray"),
                "{seen}"
            );
            let call = |method: &str, cluster: &str, exception: &str| {
                format!(
                    "call com.acme.greeter.dubbo /com.acme.Greeter/{method} cluster={cluster} code=200 dubbo=20 \
                     exception={exception} flags=- attempts=1 serialization=hessian2"
                )
            };
            assert_eq!(
                lines(&envoy, "call ", 4).await,
                [
                    call("greet", "v1", "-"),
                    call("greet", "v2", "-"),
                    call("fail", "v1", "com.acme.Rejected"),
                    call("attachments", "v2", "-"),
                ]
            );
            drop(consumer);
            metric(&envoy, "dubbo.connections.active", 0).await;
            envoy.stop().await;
        }
    });
}

/// Each version of Dubbo as it is, in each serialization that it prefers.
#[test]
fn each_dubbo_calls_each_other_through_envoy() {
    isolated(async || {
        for (provider, port) in [(DubboVersion::V3_2, 20881), (DubboVersion::V2_6, 20882)] {
            let settings = ProviderSettings::new(provider, "N/A")
                .named("it")
                .protocol("dubbo", port)
                .service(Service::new(GREETER));
            let _provider = settings.start().await;
            let mut bootstrap = caller(Way::Bridge);
            set(
                &mut bootstrap,
                "/static_resources/clusters/0",
                cluster(Way::Bridge, "v1", &[port]),
            );
            let envoy = envoy(&bootstrap).start().await;
            for consumer in DubboVersion::ALL {
                let url = match (provider, consumer) {
                    (DubboVersion::V3_2, DubboVersion::V3_2 | DubboVersion::V3_3) => {
                        format!(
                            "dubbo://127.0.0.1:20880/{GREETER}?prefer.serialization=fastjson2,hessian2"
                        )
                    }
                    _ => format!("dubbo://127.0.0.1:20880/{GREETER}"),
                };
                let mut java = ConsumerSettings::new(consumer, "N/A", GREETER)
                    .set("reference.url", url)
                    .start()
                    .await;
                let answer = java.call("greet Ann").await;
                assert_eq!(
                    answer, "RESULT hello Ann from it",
                    "{consumer:?} to {provider:?}"
                );
                let seen = java.call("attachments - colour=blue").await;
                assert!(
                    seen.contains("colour=blue"),
                    "{consumer:?} to {provider:?}: {seen}"
                );
            }
            let calls = lines(&envoy, "call ", 10).await;
            let fast = calls
                .iter()
                .filter(|line| line.contains("serialization=fastjson2"))
                .count();
            assert_eq!(
                fast,
                if provider == DubboVersion::V3_2 { 4 } else { 0 },
                "{calls:#?}"
            );
            assert!(
                calls
                    .iter()
                    .all(|line| line.contains("cluster=v1 code=200 dubbo=20")),
                "{calls:#?}"
            );
            envoy.stop().await;
        }
    });
}

#[test]
fn calls_of_one_connection_are_spread_by_weight() {
    isolated(async || {
        let _first = WireProvider::start(20881, echo("v1")).await;
        let _second = WireProvider::start(20882, echo("v2")).await;
        for way in WAYS {
            let mut bootstrap = caller(way);
            let weights =
                json!({"clusters": [{"name": "v1", "weight": 80}, {"name": "v2", "weight": 20}]});
            set(
                &mut bootstrap,
                ROUTES,
                json!([
                    {"match": {"prefix": "/"}, "route": {"weighted_clusters": weights}}
                ]),
            );
            let envoy = envoy(&bootstrap).start().await;
            let consumer = WireConsumer::connect(20880).await;
            let mut second = 0;
            for _ in 0..200 {
                let answer = consumer
                    .call(&Call::new(GREETER, "greet", "Ann"))
                    .await
                    .unwrap();
                second += usize::from(answer.text == "Ann from v2");
            }
            assert!((15..=70).contains(&second), "{way:?}: {second} of 200");
            let calls = lines(&envoy, "call ", 200).await;
            assert_eq!(
                calls
                    .iter()
                    .filter(|line| line.contains("cluster=v2 code=200"))
                    .count(),
                second
            );
            metric(&envoy, "dubbo.connections.dubbo", 1).await;
            envoy.stop().await;
        }
    });
}

#[test]
fn a_call_is_mirrored() {
    isolated(async || {
        let _first = WireProvider::start(20881, echo("v1")).await;
        let shadow = WireProvider::start(20882, echo("v2")).await;
        for (way, mirrored) in WAYS.into_iter().zip(1..) {
            let mut bootstrap = caller(way);
            let mirror = json!([{"cluster": "v2"}]);
            let route = json!({"cluster": "v1", "request_mirror_policies": mirror});
            set(
                &mut bootstrap,
                ROUTES,
                json!([{"match": {"prefix": "/"}, "route": route}]),
            );
            let envoy = envoy(&bootstrap).start().await;
            let consumer = WireConsumer::connect(20880).await;
            assert_eq!(
                consumer.call(&Call::new(GREETER, "greet", "Ann")).await,
                answered("Ann from v1")
            );
            support::wait_until("the mirrored call", super::SOON, async || {
                let seen = shadow.seen();
                let calls = seen.iter().filter(|frame| frame[2] & 0x20 == 0).count();
                if calls == mirrored {
                    Ok(())
                } else {
                    Err(format!("{way:?}: {seen:x?}"))
                }
            })
            .await;
            envoy.stop().await;
        }
    });
}

/// Large frames go in pieces through every buffer and window on the way.
#[test]
fn large_calls_pass() {
    isolated(async || {
        let large = "r".repeat(300_000);
        let answer = large.clone();
        let methods: support::Methods = Arc::new(move |method, argument| match method {
            "fetch" => Deed::Return(answer.clone()),
            _ => Deed::Return(argument.len().to_string()),
        });
        let _provider = WireProvider::start(20881, methods).await;
        for way in WAYS {
            let envoy = envoy(&caller(way)).start().await;
            let consumer = WireConsumer::connect(20880).await;
            assert!(
                consumer.call(&Call::new(GREETER, "fetch", "x")).await == answered(&large),
                "{way:?}"
            );
            let argument = "a".repeat(900_000);
            assert_eq!(
                consumer.call(&Call::new(GREETER, "store", &argument)).await,
                answered("900000")
            );
            metric(&envoy, "dubbo.requests.active", 0).await;
            envoy.stop().await;
        }
    });
}

/// The provider's side alone: a policy by method, and callers with and without the other half.
#[test]
fn a_policy_of_the_provider_s_side_holds_per_call() {
    isolated(async || {
        let provider = WireProvider::start(20881, echo("provider")).await;
        let envoy = envoy(&shipped("provider")).start().await;
        let consumer = WireConsumer::connect(20880).await;
        let refused = ended(40, DENIED);
        assert_eq!(
            consumer.call(&Call::new(GREETER, "greet", "Ann")).await,
            answered("Ann from provider")
        );
        assert_eq!(
            consumer.call(&Call::new(GREETER, "forbidden", "Ann")).await,
            refused
        );
        assert_eq!(
            consumer.call(&Call::new(GREETER, "greet", "Bob")).await,
            answered("Bob from provider")
        );
        assert_eq!(provider.seen().len(), 2);
        let calls = lines(&envoy, "call ", 3).await;
        assert!(
            calls[1].contains("/com.acme.Greeter/forbidden cluster=provider code=403 dubbo=- exception=- flags=- attempts=0"),
            "{calls:#?}"
        );
        metric(&envoy, "dubbo.exceptions.refused", 1).await;
    });
}
