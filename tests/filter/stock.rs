//! Envoy's own HTTP filters, metrics and limits on calls: what its built-in Dubbo filters do not have.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::{Call, Deed, Methods, WireConsumer, WireProvider, attachment, isolated, wait_until};

use super::{
    GREETER, ROUTES, SOON, WAYS, Way, add_http_filter, answered, caller, cluster, echo, ended,
    envoy, lines, metric, set,
};

const OPTIONS: &str =
    "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config/filter_config/value";

/// A message of one of Envoy's HTTP filters.
fn message(name: &str, fields: Value) -> Value {
    let mut message = fields;
    message["@type"] = json!(format!(
        "type.googleapis.com/envoy.extensions.filters.http.{name}"
    ));
    message
}

const FAULT: &str = "envoy.filters.http.fault";
const LIMIT: &str = "envoy.filters.http.local_ratelimit";
const LUA: &str = "envoy.filters.http.lua";

/// Methods of Greeter, each with a filter of its own for its route.
fn routes() -> Value {
    let all = json!({"numerator": 100});
    let always = json!({"default_value": all});
    let of = |method: &str, name: &str, filter: Value| {
        json!({"match": {"path": format!("/{GREETER}/{method}")}, "route": {"cluster": "v1"},
            "typed_per_filter_config": {name: filter}})
    };
    let fault = |fields| message("fault.v3.HTTPFault", fields);
    let script = "function envoy_on_request(handle)
        if handle:headers():get('region') == 'closed' then
            handle:respond({[':status'] = '403'}, 'closed by a script')
        end
        handle:headers():replace('region', 'scripted')
    end";
    json!([
        of("abort", FAULT, fault(json!({"abort": {"http_status": 503, "percentage": all}}))),
        of("delay", FAULT, fault(json!({"delay": {"fixed_delay": "1s", "percentage": all}}))),
        of("limit", LIMIT, message("local_ratelimit.v3.LocalRateLimit", json!({
            "stat_prefix": "limit", "filter_enabled": always, "filter_enforced": always,
            "token_bucket": {"max_tokens": 2, "tokens_per_fill": 2, "fill_interval": "3600s"},
        }))),
        of("script", LUA, message("lua.v3.LuaPerRoute", json!({"source_code": {"inline_string": script}}))),
        {"match": {"prefix": "/"}, "route": {"cluster": "v1"},
            "request_headers_to_add": [{"header": {"key": "region", "value": "added"}}]},
    ])
}

/// The caller's side, with v1 at this port and these options at both of its ends.
fn configured(way: Way, port: u16, options: &Value) -> Value {
    let mut bootstrap = caller(way);
    set(&mut bootstrap, OPTIONS, options.clone());
    let mut cluster = cluster(way, "v1", &[port]);
    let (end, field) = match way {
        Way::Bridge => ("/upstream_config/typed_config", "bridge_config"),
        Way::Socket => ("/transport_socket/typed_config", "transport_socket_config"),
    };
    cluster.pointer_mut(end).unwrap()[field] =
        json!({"@type": "type.googleapis.com/google.protobuf.Struct", "value": options});
    set(&mut bootstrap, "/static_resources/clusters/0", cluster);
    bootstrap
}

#[test]
fn envoy_s_own_filters_act_on_each_call() {
    isolated(async || {
        for (way, port) in WAYS.into_iter().zip(20881..) {
            let provider = WireProvider::start(port, echo("v1")).await;
            let mut bootstrap = configured(way, port, &json!({"attachments": ["region"]}));
            set(&mut bootstrap, ROUTES, routes());
            for (name, config) in [
                (FAULT, message("fault.v3.HTTPFault", json!({}))),
                (
                    LIMIT,
                    message(
                        "local_ratelimit.v3.LocalRateLimit",
                        json!({"stat_prefix": "none"}),
                    ),
                ),
                (LUA, message("lua.v3.Lua", json!({}))),
            ] {
                add_http_filter(
                    &mut bootstrap,
                    json!({"name": name, "typed_config": config}),
                );
            }
            let envoy = envoy(&bootstrap).start().await;
            let consumer = WireConsumer::connect(20880).await;
            let call = |method: &str| Call::new(GREETER, method, "Ann");
            let fine = answered("Ann from v1");
            let limited = ended(100, "dubbo-mesh: HTTP status 429: local_rate_limited");
            let closed = call("script").with("region", "closed");
            let rows = [
                (
                    call("abort"),
                    ended(80, "dubbo-mesh: HTTP status 503: fault filter abort"),
                ),
                (call("limit"), fine.clone()),
                (call("limit"), fine.clone()),
                (call("limit"), limited),
                (
                    closed,
                    ended(40, "dubbo-mesh: HTTP status 403: closed by a script"),
                ),
                (call("script").with("region", "open"), fine.clone()),
                (call("greet"), fine.clone()),
            ];
            for (call, expected) in rows {
                assert_eq!(consumer.call(&call).await, expected, "{way:?} {call:?}");
            }
            let began = Instant::now();
            assert_eq!(consumer.call(&call("delay")).await, fine);
            // Envoy's timers count from when its loop last woke, which on a busy machine is long before.
            assert!(began.elapsed() >= Duration::from_millis(500));
            let calls = lines(&envoy, "call ", 8).await;
            let delayed = "/delay cluster=v1 code=200 dubbo=20 exception=- flags=DI attempts=1";
            assert!(calls[7].contains(delayed), "{calls:#?}");
            // What a script has replaced and a route has added stands in the calls.
            let calls = provider.seen();
            let calls = calls.iter().filter(|frame| frame[2] & 0x20 == 0);
            let regions: Vec<_> = calls.map(|frame| attachment(frame, "region")).collect();
            let [scripted, added] = ["scripted", "added"].map(|region| Some(region.to_owned()));
            assert_eq!(regions, [None, None, scripted, added, None], "{way:?}");
            envoy.stop().await;
        }
    });
}

/// Counters of Envoy's by cluster and ours, as Prometheus reads them; and a call that takes the last of
/// the routes is no trouble that a log tells of.
#[test]
fn calls_are_counted_for_prometheus_and_not_logged_as_errors() {
    isolated(async || {
        let _provider = WireProvider::start(
            20881,
            Arc::new(|method: &str, _: &str| match method {
                "fail" => Deed::Fail(80, "out of order".to_owned()),
                _ => Deed::Return("fine".to_owned()),
            }),
        )
        .await;
        let mut bootstrap = caller(Way::Bridge);
        // Histograms are shown once they are flushed.
        bootstrap["stats_flush_interval"] = json!("0.5s");
        let envoy = envoy(&bootstrap).start().await;
        let consumer = WireConsumer::connect(20880).await;
        for (method, status) in [("greet", 20), ("greet", 20), ("greet", 20), ("fail", 80)] {
            let answer = consumer.call(&Call::new(GREETER, method, "Ann")).await;
            assert_eq!(answer.unwrap().status, status);
        }
        let lines = [
            "envoy_cluster_upstream_rq{envoy_response_code=\"200\",envoy_cluster_name=\"v1\"} 3",
            "envoy_cluster_upstream_rq{envoy_response_code=\"500\",envoy_cluster_name=\"v1\"} 1",
            "envoy_cluster_upstream_rq_time_count{envoy_cluster_name=\"v1\"} 4",
            "envoy_dynamicmodulescustom_dubbo_requests_two_way{} 4",
            "envoy_dynamicmodulescustom_dubbo_responses_ok{} 3",
            "envoy_dynamicmodulescustom_dubbo_responses_error{} 1",
            "envoy_dynamicmodulescustom_dubbo_call_ms_count{} 4",
            "envoy_dynamicmodulescustom_dubbo_request_bytes_count{} 4",
        ];
        wait_until("all of them", SOON, async || {
            let page = envoy.page("/stats/prometheus").await?;
            match lines
                .iter()
                .find(|line| !page.lines().any(|it| it == **line))
            {
                None => Ok(()),
                Some(missing) => Err(format!("no {missing}")),
            }
        })
        .await;
        let log = envoy.process().log();
        let complaint =
            |line: &&str| line.contains("[error]") || line.contains("[warning][dynamic");
        assert_eq!(log.lines().find(complaint), None);
    });
}

/// Dubbo's own limit is 8 MiB; whoever has raised it raises ours.
#[test]
fn nine_megabytes_pass_where_the_limits_say_so() {
    isolated(async || {
        let large = "r".repeat(9_000_000);
        let answer = large.clone();
        let methods: Methods = Arc::new(move |method, argument| match method {
            "fetch" => Deed::Return(answer.clone()),
            _ => Deed::Return(argument.len().to_string()),
        });
        let limits = json!({"frame_bytes": 10_000_000, "call_bytes": 10_000_000, "connection_bytes": 40_000_000});
        for (way, port) in WAYS.into_iter().zip(20881..) {
            let _provider = WireProvider::start(port, Arc::clone(&methods)).await;
            let bootstrap = configured(way, port, &json!({"limits": limits}));
            let envoy = envoy(&bootstrap).start().await;
            let consumer = WireConsumer::connect(20880).await;
            let fetched = consumer.call(&Call::new(GREETER, "fetch", "x")).await;
            assert!(fetched == answered(&large), "{way:?}");
            let stored = consumer.call(&Call::new(GREETER, "store", &large)).await;
            assert_eq!(stored, answered("9000000"), "{way:?}");
            metric(&envoy, "dubbo.buffered_bytes", 0).await;
            envoy.stop().await;
        }
    });
}
