//! What a caller sees when a call does not go well, and how often a provider got it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use support::{Call, Deed, Methods, WireConsumer, WireProvider, isolated, wait_until};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{
    DENIED, GREETER, ROUTES, SOON, WAYS, Way, add_http_filter, answered, caller, cluster, echo,
    ended, envoy, lines, metric, set,
};

/// Methods by name: what a provider does in these tests.
fn methods() -> Methods {
    Arc::new(|method, argument| match method {
        "slow" => Deed::After(
            Duration::from_secs(2),
            Box::new(Deed::Return("late".to_owned())),
        ),
        "close" => Deed::Close,
        "broken" => Deed::Fail(80, "out of order".to_owned()),
        "busy" => Deed::Fail(100, "no thread".to_owned()),
        "throw" => Deed::Throw(
            "java.lang.IllegalStateException".to_owned(),
            argument.to_owned(),
        ),
        _ => Deed::Return(format!("{argument} from v1")),
    })
}

fn call(method: &str) -> Call {
    Call::new(GREETER, method, "Ann")
}

#[test]
fn what_has_no_route_or_is_forbidden_is_told_so() {
    isolated(async || {
        let provider = WireProvider::start(20881, methods()).await;
        for way in WAYS {
            let mut bootstrap = caller(way);
            add_http_filter(
                &mut bootstrap,
                json!({
                    "name": "envoy.filters.http.rbac",
                    "typed_config": {
                        "@type": "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC",
                        "rules": {"action": "DENY", "policies": {"no": {
                            "permissions": [{"url_path": {"path": {"exact": "/com.acme.Greeter/forbidden"}}}],
                            "principals": [{"any": true}],
                        }}},
                    },
                }),
            );
            let envoy = envoy(&bootstrap).start().await;
            let consumer = WireConsumer::connect(20880).await;
            assert_eq!(consumer.call(&call("forbidden")).await, ended(40, DENIED));
            let unknown = consumer
                .call(&Call::new("com.acme.Unknown", "greet", "Ann"))
                .await
                .unwrap();
            let text = "dubbo-mesh: HTTP status 404: no route takes this call";
            assert_eq!(Ok(unknown), ended(60, text));
            assert_eq!(consumer.call(&call("greet")).await, answered("Ann from v1"));
            let calls = lines(&envoy, "call ", 3).await;
            let expected = [
                "cluster=v1 code=403 dubbo=- exception=- flags=- attempts=0",
                "cluster=- code=404",
                "cluster=v1 code=200 dubbo=20",
            ];
            assert!(
                calls
                    .iter()
                    .zip(expected)
                    .all(|(call, end)| call.contains(end)),
                "{calls:#?}"
            );
            metric(&envoy, "dubbo.local_replies", 2).await;
            envoy.stop().await;
        }
        assert_eq!(provider.seen().len(), 2);
    });
}

#[test]
fn a_call_that_takes_too_long_ends_with_a_timeout() {
    isolated(async || {
        let _provider = WireProvider::start(20881, methods()).await;
        for way in WAYS {
            let mut bootstrap = caller(way);
            set(
                &mut bootstrap,
                ROUTES,
                json!([
                    {"match": {"path": "/com.acme.Greeter/slow"},
                        "route": {"cluster": "v1", "timeout": "0.5s"}},
                    // What is not slow does not depend on how busy this machine is.
                    {"match": {"prefix": "/"}, "route": {"cluster": "v1"}},
                ]),
            );
            let envoy = envoy(&bootstrap).start().await;
            let consumer = WireConsumer::connect(20880).await;
            let late = consumer.call(&call("slow")).await.unwrap();
            assert_eq!(late.status, 31, "{way:?}: {late:?}");
            assert_eq!(
                consumer.call(&call("greet")).await,
                answered("Ann from v1"),
                "{way:?}"
            );
            let calls = lines(&envoy, "call ", 2).await;
            assert!(
                calls[0].contains("cluster=v1 code=504") && calls[0].contains("flags=UT"),
                "{calls:#?}"
            );
            metric(&envoy, "dubbo.requests.active", 0).await;
            envoy.stop().await;
        }
    });
}

/// No route says so: the caller's own time is up, and the timer says when.
#[test]
fn a_call_ends_when_its_caller_no_longer_waits() {
    isolated(async || {
        let ignored: Methods = Arc::new(|method, argument| match method {
            "greet" => Deed::Return(format!("{argument} from v1")),
            _ => Deed::Ignore,
        });
        let _provider = WireProvider::start(20881, ignored).await;
        for way in WAYS {
            let envoy = envoy(&caller(way)).start().await;
            let consumer = WireConsumer::connect(20880).await;
            let began = Instant::now();
            let late = consumer
                .call(
                    &call("lost")
                        .with("timeout", "700")
                        .with("remote.application", "shop"),
                )
                .await
                .unwrap();
            let took = began.elapsed();
            assert_eq!(late.status, 31, "{way:?}: {late:?}");
            // Nothing else would end it before the consumer gives up, which is an error.
            // The filter counts in whole milliseconds.
            assert!(took.as_millis() >= 690, "{way:?}: {took:?}");
            metric(&envoy, "dubbo.requests.active", 0).await;
            wait_until("the request is reset", SOON, async || {
                match envoy.stat("http.dubbo.downstream_rq_active").await? {
                    0 => Ok(()),
                    active => Err(active.to_string()),
                }
            })
            .await;
            assert_eq!(
                consumer.call(&call("greet")).await,
                answered("Ann from v1"),
                "{way:?}"
            );
            let calls = lines(&envoy, "call ", 2).await;
            assert!(
                calls[0].contains("/lost cluster=v1 code=0") && calls[0].contains("flags=DR"),
                "{calls:#?}"
            );
            envoy.stop().await;
        }
    });
}

#[test]
fn a_failure_is_retried_if_the_route_says_so_and_not_otherwise() {
    isolated(async || {
        let provider = WireProvider::start(20881, methods()).await;
        for way in WAYS {
            let mut bootstrap = caller(way);
            set(
                &mut bootstrap,
                ROUTES,
                json!([
                    {"match": {"path": "/com.acme.Greeter/broken"}, "route": {
                        "cluster": "v1", "retry_policy": {"retry_on": "5xx", "num_retries": 2}
                    }},
                    // What Istio does if nobody says anything else.
                    {"match": {"prefix": "/"}, "route": {"cluster": "v1", "retry_policy": {
                        "retry_on": "connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes",
                        "retriable_status_codes": [503], "num_retries": 2
                    }}},
                ]),
            );
            let envoy = envoy(&bootstrap).start().await;
            let consumer = WireConsumer::connect(20880).await;
            let before = provider.seen().len();
            assert_eq!(
                consumer.call(&call("broken")).await,
                ended(80, "out of order"),
                "{way:?}"
            );
            assert_eq!(provider.seen().len() - before, 3, "{way:?}");
            assert_eq!(
                consumer.call(&call("busy")).await,
                ended(100, "no thread"),
                "{way:?}"
            );
            let exception = answered("java.lang.IllegalStateException: Ann");
            assert_eq!(consumer.call(&call("throw")).await, exception, "{way:?}");
            assert_eq!(provider.seen().len() - before, 5, "{way:?}");
            let closed = consumer.call(&call("close")).await.unwrap();
            assert_eq!(closed.status, 80, "{way:?}: {closed:?}");
            assert_eq!(provider.seen().len() - before, 6, "{way:?}: executed once");
            let calls = lines(&envoy, "call ", 4).await;
            let gone = match way {
                Way::Bridge => "flags=UC attempts=1",
                Way::Socket => "flags=UR attempts=1",
            };
            assert!(
                calls[0].contains("code=500 dubbo=80") && calls[0].contains("flags=URX attempts=3"),
                "{calls:#?}"
            );
            assert!(
                calls[1].contains("code=429 dubbo=100") && calls[1].contains("attempts=1"),
                "{calls:#?}"
            );
            assert!(calls[3].contains(gone), "{calls:#?}");
            envoy.stop().await;
        }
    });
}

#[test]
fn a_provider_that_closes_ends_its_calls_and_no_others() {
    isolated(async || {
        let _first = WireProvider::start(20881, methods()).await;
        let _second = WireProvider::start(20882, echo("v2")).await;
        for way in WAYS {
            let envoy = envoy(&caller(way)).start().await;
            let consumer = WireConsumer::connect(20880).await;
            let (slow, other) = (call("close"), call("greet").with("region", "gray"));
            let (closed, fine) = tokio::join!(consumer.call(&slow), consumer.call(&other));
            assert_eq!(closed.unwrap().status, 80, "{way:?}");
            assert_eq!(fine, answered("Ann from v2"), "{way:?}");
            assert_eq!(
                consumer.call(&call("greet")).await,
                answered("Ann from v1"),
                "{way:?}"
            );
            metric(&envoy, "dubbo.requests.active", 0).await;
            envoy.stop().await;
        }
    });
}

#[test]
fn where_nobody_listens_a_call_fails_at_once() {
    isolated(async || {
        for way in WAYS {
            let envoy = envoy(&caller(way)).start().await;
            let consumer = WireConsumer::connect(20880).await;
            let failed = consumer.call(&call("greet")).await.unwrap();
            assert_eq!(failed.status, 80, "{way:?}: {failed:?}");
            let calls = lines(&envoy, "call ", 1).await;
            assert!(
                calls[0].contains("cluster=v1 code=503") && calls[0].contains("flags=UF"),
                "{calls:#?}"
            );
            envoy.stop().await;
        }
    });
}

/// The Dubbo status, seen as HTTP, ejects an endpoint.
#[test]
fn an_endpoint_that_fails_is_ejected() {
    isolated(async || {
        for way in WAYS {
            let bad: Methods = Arc::new(|_, _| Deed::Fail(80, "out of order".to_owned()));
            let (bad_port, good_port) = match way {
                Way::Bridge => (20881, 20882),
                Way::Socket => (20883, 20884),
            };
            let _bad = WireProvider::start(bad_port, bad).await;
            let _good = WireProvider::start(good_port, echo("good")).await;
            let mut bootstrap = caller(way);
            let mut both = cluster(way, "v1", &[bad_port, good_port]);
            both["outlier_detection"] = json!({
                "consecutive_5xx": 3, "interval": "0.2s", "base_ejection_time": "60s", "max_ejection_percent": 50
            });
            set(&mut bootstrap, "/static_resources/clusters/0", both);
            let envoy = envoy(&bootstrap).start().await;
            let consumer = WireConsumer::connect(20880).await;
            wait_until("the ejection", SOON, async || {
                consumer.call(&call("greet")).await.unwrap();
                match envoy
                    .stat("cluster.v1.outlier_detection.ejections_active")
                    .await?
                {
                    1 => Ok(()),
                    other => Err(other.to_string()),
                }
            })
            .await;
            for _ in 0..20 {
                assert_eq!(
                    consumer.call(&call("greet")).await,
                    answered("Ann from good"),
                    "{way:?}"
                );
            }
            envoy.stop().await;
        }
    });
}

/// What is no Dubbo costs its own connection, and nothing stays behind.
#[test]
fn garbage_leaves_nothing_behind() {
    isolated(async || {
        let _provider = WireProvider::start(20881, methods()).await;
        for way in WAYS {
            let envoy = envoy(&caller(way)).start().await;
            let frame = call("slow").frame(7);
            let cases: [Vec<u8>; 8] = [
                b"\xda\xbb".to_vec(),
                frame[..frame.len() / 2].to_vec(),
                frame.clone(),
                [&frame[..], b"garbage garbage garbage"].concat(),
                [&frame[..16], &vec![0xff; frame.len() - 16][..]].concat(),
                b"\xda\xbb\xc2\0\0\0\0\0\0\0\0\x07\xff\xff\xff\xff".to_vec(),
                b"\xda\xbb\xc2\0\0\0\0\0\0\0\0\x07\x7f\xff\xff\xff".to_vec(),
                b"GET / HTTP/1.1\r\n\r\n".to_vec(),
            ];
            for round in 0..1500 {
                let mut client = TcpStream::connect("127.0.0.1:20880").await.unwrap();
                // Envoy may have closed it already.
                let _ = client.write_all(&cases[round % cases.len()]).await;
                // Some are cut off at once, some after Envoy has read them, some with a reset.
                match round % 7 {
                    0 => tokio::time::sleep(Duration::from_millis(2)).await,
                    1 => client.set_zero_linger().unwrap(),
                    _ => {}
                }
            }
            let consumer = WireConsumer::connect(20880).await;
            assert_eq!(
                consumer.call(&call("greet")).await,
                answered("Ann from v1"),
                "{way:?}"
            );
            drop(consumer);
            for gauge in [
                "dubbo.connections.active",
                "dubbo.requests.active",
                "dubbo.buffered_bytes",
            ] {
                metric(&envoy, gauge, 0).await;
            }
            wait_until("no connection, no request", SOON, async || {
                let mut open = 0;
                for name in [
                    "http.dubbo.downstream_cx_active",
                    "http.dubbo.downstream_rq_active",
                    "cluster.v1.upstream_rq_active",
                ] {
                    open += envoy.stat(name).await?;
                }
                if open == 0 {
                    Ok(())
                } else {
                    Err(open.to_string())
                }
            })
            .await;
            metric(&envoy, "dubbo.panics", 0).await;
            envoy.stop().await;
        }
    });
}

/// Callers that send the beginnings of long calls and no ends: what all of them may hold is bounded.
#[test]
fn a_worker_holds_no_more_than_it_may() {
    isolated(async || {
        let _provider = WireProvider::start(20881, methods()).await;
        let mut bootstrap = caller(Way::Bridge);
        let options = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config/filter_config/value";
        let limits =
            json!({"call_bytes": 200_000, "connection_bytes": 200_000, "worker_bytes": 500_000});
        set(&mut bootstrap, options, json!({"limits": limits}));
        let envoy = envoy(&bootstrap).start().await;
        let frame = Call::new(GREETER, "greet", &"x".repeat(150_000)).frame(7);
        let mut stalled = Vec::new();
        for _ in 0..6 {
            let client = WireConsumer::connect(20880).await;
            let _ = client.send(&frame[..frame.len() - 1]).await;
            stalled.push(client);
        }
        // Three are what the worker may hold.
        metric(&envoy, "dubbo.connections.over_limit", 3).await;
        metric(&envoy, "dubbo.connections.active", 3).await;
        let consumer = WireConsumer::connect(20880).await;
        assert_eq!(consumer.call(&call("greet")).await, answered("Ann from v1"));
        // Who goes is who holds most, not who came last.
        let (short, rest) = {
            let frame = Call::new(GREETER, "greet", &"x".repeat(60_000)).frame(9);
            let (short, rest) = frame.split_at(frame.len() - 1);
            (short.to_vec(), rest.to_vec())
        };
        let small = WireConsumer::connect(20880).await;
        small.send(&short).await.unwrap();
        metric(&envoy, "dubbo.connections.over_limit", 4).await;
        small.send(&rest).await.unwrap();
        let answer = small.other().await.expect("an answer");
        assert_eq!((answer[3], answer[11]), (20, 9));
        metric(&envoy, "dubbo.connections.active", 4).await;
        drop((stalled, consumer, small));
        metric(&envoy, "dubbo.buffered_bytes", 0).await;
    });
}

/// Half a frame, or half of what says that it is one, and then nothing.
#[test]
fn whoever_sends_half_a_frame_and_nothing_more_is_closed() {
    isolated(async || {
        let _provider = WireProvider::start(20881, methods()).await;
        let mut bootstrap = caller(Way::Bridge);
        let options = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config/filter_config/value";
        set(&mut bootstrap, options, json!({"half_frame_ms": 1000}));
        let envoy = envoy(&bootstrap).start().await;
        let whole = WireConsumer::connect(20880).await;
        assert_eq!(whole.call(&call("greet")).await, answered("Ann from v1"));
        let frame = call("greet").frame(7);
        let mut halves = Vec::new();
        for length in [1, 2, 15, 16, 17, frame.len() - 1] {
            let mut client = TcpStream::connect("127.0.0.1:20880").await.unwrap();
            let began = Instant::now();
            client.write_all(&frame[..length]).await.unwrap();
            halves.push((client, began));
        }
        for (client, began) in &mut halves {
            let mut end = [0];
            let read = tokio::time::timeout(SOON, client.read(&mut end)).await;
            assert!(matches!(read.unwrap(), Ok(0) | Err(_)));
            assert!(began.elapsed() > Duration::from_millis(900));
        }
        metric(&envoy, "dubbo.connections.half_frame", 6).await;
        assert_eq!(whole.call(&call("greet")).await, answered("Ann from v1"));
        metric(&envoy, "dubbo.connections.active", 1).await;
    });
}
