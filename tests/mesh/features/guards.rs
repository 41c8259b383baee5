//! What others decide about calls: judges of the operator's own (AuthorizationPolicy CUSTOM), auditors,
//! and limits of rate, at the caller's sidecar and at the provider's.

use std::collections::BTreeSet;

use support::{Call, Consumer, DubboVersion, WireConsumer, isolated};

use super::super::sidecars::{Settings, Sidecars, provider_service};
use super::super::traffic::carried;
use super::super::{becomes, complaints};
use super::judges;

/// The provider's half at its pod, as in `policy`.
const FILTER: &str =
    "{options: {attachments: [region]}, providers: [{ports: [20880], namespaces: [pay]}]}";

const MESH: &str = "extensionProviders: [\
    {name: http, envoyExtAuthzHttp: {service: judge.example, port: 9001, includeRequestHeadersInCheck: [region], headersToUpstreamOnAllow: [region]}}, \
    {name: grpc, envoyExtAuthzGrpc: {service: judge.example, port: 9002}}, \
    {name: gone, envoyExtAuthzHttp: {service: judge.example, port: 9004}}]
accessLogFile: /dev/stdout
accessLogFormat: \"call %REQ(:PATH)% %RESPONSE_CODE% audit=%DYNAMIC_METADATA(envoy.common:access_log_hint)%\\n\"";

/// Where the judges are; and limits at the caller's for calls of two kinds: three of one kind each
/// hour for the sidecar, two for whom a server counts.
const BASE: &str = "
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: judge, namespace: istio-system}
spec:
  hosts: [judge.example]
  location: MESH_EXTERNAL
  resolution: STATIC
  ports:
  - {number: 9001, name: http, protocol: HTTP}
  - {number: 9002, name: grpc, protocol: GRPC}
  - {number: 9003, name: grpc-limits, protocol: GRPC}
  - {number: 9004, name: http-gone, protocol: HTTP}
  endpoints: [{address: 10.77.0.254}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: greeter, namespace: shop}
spec:
  hosts: [com.acme.greeter.dubbo]
  http:
  - name: locally
    match: [{headers: {region: {exact: locally}}}]
    route: [{destination: {host: com.acme.greeter.dubbo}}]
  - name: globally
    match: [{headers: {region: {exact: globally}}}]
    route: [{destination: {host: com.acme.greeter.dubbo}}]
  - route: [{destination: {host: com.acme.greeter.dubbo}}]
---
apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
metadata: {name: limits, namespace: shop}
spec:
  workloadSelector: {labels: {app: caller}}
  configPatches:
  - applyTo: HTTP_FILTER
    match: {context: SIDECAR_OUTBOUND, listener: {portNumber: 20880, filterChain: {filter: {
      name: envoy.filters.network.http_connection_manager, subFilter: {name: envoy.filters.http.router}}}}}
    patch: {operation: INSERT_BEFORE, value: {name: envoy.filters.http.local_ratelimit, typed_config: {
      '@type': type.googleapis.com/envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit,
      stat_prefix: locally}}}
  - applyTo: HTTP_ROUTE
    match: {context: SIDECAR_OUTBOUND, routeConfiguration: {name: '20880', vhost: {
      name: 'com.acme.greeter.dubbo:20880', route: {name: locally}}}}
    patch: {operation: MERGE, value: {typed_per_filter_config: {envoy.filters.http.local_ratelimit: {
      '@type': type.googleapis.com/envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit,
      stat_prefix: locally, token_bucket: {max_tokens: 3, tokens_per_fill: 3, fill_interval: 3600s},
      filter_enabled: {default_value: {numerator: 100}}, filter_enforced: {default_value: {numerator: 100}}}}}}
  - applyTo: HTTP_FILTER
    match: {context: SIDECAR_OUTBOUND, listener: {portNumber: 20880, filterChain: {filter: {
      name: envoy.filters.network.http_connection_manager, subFilter: {name: envoy.filters.http.router}}}}}
    patch: {operation: INSERT_BEFORE, value: {name: envoy.filters.http.ratelimit, typed_config: {
      '@type': type.googleapis.com/envoy.extensions.filters.http.ratelimit.v3.RateLimit,
      domain: shop, failure_mode_deny: true, timeout: 5s, rate_limit_service: {transport_api_version: V3,
      grpc_service: {envoy_grpc: {cluster_name: 'outbound|9003||judge.example', authority: judge.example}}}}}}
  - applyTo: HTTP_ROUTE
    match: {context: SIDECAR_OUTBOUND, routeConfiguration: {name: '20880', vhost: {
      name: 'com.acme.greeter.dubbo:20880', route: {name: globally}}}}
    patch: {operation: MERGE, value: {route: {rate_limits: [{actions: [
      {request_headers: {header_name: ':path', descriptor_key: path}},
      {request_headers: {header_name: tri-consumer-appname, descriptor_key: caller, skip_if_absent: true}}]}]}}}
";

/// Four calls an hour, of whoever they are.
const AT_PROVIDER: &str = "
---
apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
metadata: {name: limit, namespace: pay}
spec:
  workloadSelector: {labels: {app: provider}}
  configPatches:
  - applyTo: HTTP_FILTER
    match: {context: SIDECAR_INBOUND, listener: {portNumber: 20880, filterChain: {filter: {
      name: envoy.filters.network.http_connection_manager, subFilter: {name: envoy.filters.http.router}}}}}
    patch: {operation: INSERT_BEFORE, value: {name: envoy.filters.http.local_ratelimit, typed_config: {
      '@type': type.googleapis.com/envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit,
      stat_prefix: inbound, token_bucket: {max_tokens: 4, tokens_per_fill: 4, fill_interval: 3600s},
      filter_enabled: {default_value: {numerator: 100}}, filter_enforced: {default_value: {numerator: 100}}}}}
";

/// Method, region, and whether they come from the pod of callers or from nobody.
const CALLS: [(&str, &str, bool); 4] = [
    ("greet", "", true),
    ("greet", "eu", true),
    ("fail", "", true),
    ("greet", "", false),
];

/// A status, and why the call failed.
type Told = (u8, &'static str);

const PASSED: Told = (20, "");
const FAILED: Told = (40, "dubbo-mesh: HTTP status 403: nothing may fail");
const BUSY: Told = (100, "dubbo-mesh: HTTP status 429: too many from eu");
const STRANGER: Told = (40, "dubbo-mesh: HTTP status 403: not you");
const CLOSED: Told = (40, "dubbo-mesh: HTTP status 403");

/// Who is asked, about which calls, and what the callers of [`CALLS`] are told.
const CUSTOM: &[(&str, &str, [Told; CALLS.len()])] = &[
    ("http", "/*", [PASSED, BUSY, FAILED, PASSED]),
    ("grpc", "/*", [PASSED, PASSED, PASSED, STRANGER]),
    ("gone", "*/greet", [CLOSED, CLOSED, PASSED, CLOSED]),
];

fn policy(name: &str, spec: &str) -> String {
    format!(
        "{BASE}---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {{name: {name}, namespace: pay}}
spec: {{selector: {{matchLabels: {{app: provider}}}}, {spec}}}
"
    )
}

#[test]
fn others_may_judge_count_and_limit_calls() {
    isolated(async || {
        let mesh = Sidecars::start(Settings {
            filter: FILTER,
            mesh: MESH,
            resources: BASE,
            objects: provider_service(),
            provider_has_module: true,
            ..Settings::default()
        })
        .await;
        judges::over_http(9001).await;
        judges::over_grpc(9002, "spiffe://cluster.local/ns/shop/sa/caller").await;
        judges::rate_limit(9003, 2).await;
        judged(&mesh).await;
        audited(&mesh).await;
        limited_at_the_caller(&mesh).await;
        limited_at_the_provider(&mesh).await;
        assert_eq!(complaints(&mesh.istiod), [""; 0]);
    });
}

/// Status of a call, and why it failed.
async fn answer(
    mesh: &Sidecars,
    (method, region, known): (&str, &str, bool),
) -> Result<(u8, String), String> {
    let provider = mesh.provider.dubbo();
    let consumer = if known {
        WireConsumer::connect_from(&mesh.caller.network, provider)
    } else {
        WireConsumer::connect_to(provider).await
    };
    let call = Call::new("com.acme.Greeter", method, "World").with("region", region);
    let answer = consumer.call(&call).await?;
    Ok(match answer.status {
        20 => (20, String::new()),
        status => (status, answer.text),
    })
}

async fn judged(mesh: &Sidecars) {
    let mut java = mesh.caller.calling(DubboVersion::V3_3).await;
    for (judge, paths, expected) in CUSTOM {
        let spec = format!(
            "action: CUSTOM, provider: {{name: {judge}}}, rules: [{{to: [{{operation: {{paths: ['{paths}']}}}}]}}]"
        );
        mesh.apply(&policy(judge, &spec));
        let expected = expected.map(|(status, text)| (status, text.to_owned()));
        becomes(judge, expected.to_vec(), async || {
            let mut seen = Vec::new();
            for call in CALLS {
                seen.push(answer(mesh, call).await?);
            }
            Ok(seen)
        })
        .await;
        if *judge != "gone" {
            told_to_an_application(&mut java, judge).await;
        }
    }
}

/// What a judge adds is an attachment.
async fn told_to_an_application(java: &mut Consumer, judge: &str) {
    let expected = format!("region={judge}");
    becomes(&expected, true, async || {
        let received = java.call("attachments - region=asked").await;
        Ok(received.contains(&expected))
    })
    .await;
}

/// An audit lets everything pass, and marks what it is about for access logs and extensions.
async fn audited(mesh: &Sidecars) {
    let spec = "action: AUDIT, rules: [{to: [{operation: {paths: ['*/fail']}}]}]";
    mesh.apply(&policy("audit", spec));
    let log = mesh.provider.envoy.process();
    let marks = [
        "call /com.acme.Greeter/greet 200 audit=false",
        "call /com.acme.Greeter/fail 200 audit=true",
    ];
    let expected = (
        vec![20; CALLS.len()],
        BTreeSet::from(marks.map(str::to_owned)),
    );
    becomes("the marks", expected, async || {
        let began = log.log().len();
        let mut statuses = Vec::new();
        for call in CALLS {
            statuses.push(answer(mesh, call).await?.0);
        }
        let log = log.log();
        let lines = log[began..].lines().filter(|it| it.starts_with("call "));
        Ok((statuses, lines.map(str::to_owned).collect()))
    })
    .await;
}

async fn limited_at_the_caller(mesh: &Sidecars) {
    for (region, method, passed) in [
        ("locally", "greet", 3),
        ("globally", "greet", 2),
        ("globally", "fail", 2),
    ] {
        let arrived = arrived(mesh).await;
        for n in 0..passed + 2 {
            let (status, text) = answer(mesh, (method, region, true)).await.unwrap();
            let expected = if n < passed { 20 } else { 100 };
            assert_eq!(status, expected, "{region} {method} {n}: {text}");
        }
        // What is above it goes nowhere.
        assert_eq!(
            self::arrived(mesh).await - arrived,
            passed,
            "{region} {method}"
        );
    }
    let (_, text) = answer(mesh, ("greet", "locally", true)).await.unwrap();
    assert_eq!(text, "dubbo-mesh: HTTP status 429: local_rate_limited");
    assert_eq!(answer(mesh, ("greet", "", true)).await.unwrap().0, 20);
}

/// Calls that the provider's sidecar has passed on to the application.
async fn arrived(mesh: &Sidecars) -> u64 {
    carried(&mesh.provider.envoy, "inbound|20880||", "rq_total").await
}

/// For whoever calls; mutual TLS and plain text come into chains of their own, each of which counts for
/// itself.
async fn limited_at_the_provider(mesh: &Sidecars) {
    mesh.apply(&(BASE.to_owned() + AT_PROVIDER));
    let stat = async |name| {
        let name = format!("inbound.http_local_rate_limit.{name}");
        mesh.provider.envoy.stat(&name).await
    };
    becomes("the limit", true, async || {
        answer(mesh, ("greet", "", true)).await?;
        Ok(stat("enabled").await? > 0)
    })
    .await;
    let denied = (
        100,
        "dubbo-mesh: HTTP status 429: local_rate_limited".to_owned(),
    );
    for (known, passed) in [(true, 4), (false, 8)] {
        becomes("the last call", denied.clone(), async || {
            answer(mesh, ("greet", "", known)).await
        })
        .await;
        assert_eq!(stat("ok").await, Ok(passed));
    }
}
