//! A tracer of Envoy's and what a provider gets of it.

use serde_json::json;
use support::{Call, WireConsumer, WireProvider, attachment, isolated};

use super::{GREETER, WAYS, Way, answered, caller, echo, envoy, set};

const MANAGER: &str = "/static_resources/listeners/0/filter_chains/0/filters/1/typed_config";

/// The trace's id, the parent's, and the flags, out of a `traceparent` (W3C Trace Context).
fn parts(traceparent: &str) -> [&str; 4] {
    let parts: Vec<_> = traceparent.split('-').collect();
    let parts: [&str; 4] = parts.try_into().unwrap();
    let is_hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    assert!(parts.iter().all(|part| is_hex(part)), "{traceparent}");
    assert_eq!(parts.map(str::len), [2, 32, 16, 2], "{traceparent}");
    parts
}

/// The collector is never there: the headers are what the calls are about.
#[test]
fn a_provider_is_told_the_span_that_envoy_made() {
    isolated(async || {
        for way in WAYS {
            let port = if way == Way::Bridge { 20881 } else { 20882 };
            let provider = WireProvider::start(port, echo("v1")).await;
            let mut bootstrap = caller(way);
            let clusters = json!([
                super::cluster(way, "v1", &[port]),
                super::cluster(way, "v2", &[port]),
                {
                    "name": "collector", "type": "STATIC",
                    "typed_extension_protocol_options": {
                        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                            "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                            "explicit_http_config": {"http2_protocol_options": {}},
                        },
                    },
                    "load_assignment": {"cluster_name": "collector", "endpoints": [{"lb_endpoints": [
                        {"endpoint": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": 4317}}}}
                    ]}]},
                },
            ]);
            set(&mut bootstrap, "/static_resources/clusters", clusters);
            let manager = bootstrap.pointer_mut(MANAGER).unwrap();
            manager["generate_request_id"] = json!(true);
            manager["tracing"] = json!({
                "random_sampling": {"value": 100.0},
                "provider": {"name": "envoy.tracers.opentelemetry", "typed_config": {
                    "@type": "type.googleapis.com/envoy.config.trace.v3.OpenTelemetryConfig",
                    "grpc_service": {"envoy_grpc": {"cluster_name": "collector"}, "timeout": "0.25s"},
                    "service_name": "shop",
                }},
            });
            let envoy = envoy(&bootstrap).start().await;
            let consumer = WireConsumer::connect(20880).await;
            // A call that is no part of a trace begins one.
            let plain = Call::new(GREETER, "greet", "Ann");
            for _ in 0..2 {
                assert_eq!(consumer.call(&plain).await, answered("Ann from v1"));
            }
            // One that is a part of one stays it, under a span of Envoy's.
            let theirs = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
            let part = plain.clone().with("traceparent", theirs);
            assert_eq!(consumer.call(&part).await, answered("Ann from v1"));
            let seen = provider.seen();
            let told: Vec<_> = (seen.iter().filter(|frame| frame[2] & 0x20 == 0))
                .map(|frame| attachment(frame, "traceparent").unwrap())
                .collect();
            let [first, second, third] = [&told[0], &told[1], &told[2]].map(|told| parts(told));
            assert_eq!(told.len(), 3, "{way:?}");
            assert_ne!(first[1], second[1]);
            assert_eq!(
                (third[0], third[1], third[3]),
                ("00", parts(theirs)[1], "01")
            );
            assert_ne!(third[2], parts(theirs)[2]);
            assert_eq!([first[3], second[3]], ["01", "01"]);
            envoy.stop().await;
        }
    });
}
