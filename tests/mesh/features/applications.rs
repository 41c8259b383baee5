//! Routes, mirrors, access logs and traces on calls of real Dubbo applications.

use support::{
    Consumer, ConsumerSettings, DubboVersion, GATEWAY, Namespace, Process, Provider,
    ProviderSettings, Service, ZooKeeper, ZooKeeperVersion, isolated,
};

use super::super::{becomes, complaints};
use super::collector::{Collector, Span};
use super::{Caller, Control, Settings};

const MESH: &str = "extensionProviders: [{name: collector, opentelemetry: \
    {service: collector.example, port: 4318, http: {path: /v1/traces, timeout: 1s}}}]";

const RESOURCES: &str = "
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: greeter-1, namespace: shop}
spec:
  hosts: [v1-0-0.com.acme.greeter.dubbo]
  http:
  - match: [{headers: {tri-consumer-appname: {exact: batch}}}]
    route:
    - destination: {host: v2-0-0.com.acme.greeter.dubbo}
      headers: {request: {set: {tri-service-version: 2.0.0}}}
  - headers: {request: {set: {region: blue}, remove: [case]}}
    route: [{destination: {host: v1-0-0.com.acme.greeter.dubbo}}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: greeter-blue, namespace: shop}
spec:
  hosts: [g-blue.com.acme.greeter.dubbo]
  http:
  - match: [{headers: {tri-service-group: {exact: blue}, region: {exact: gray}}}]
    route:
    - destination: {host: g-green.com.acme.greeter.dubbo}
      headers: {request: {set: {tri-service-group: green}}}
  - match: [{uri: {exact: /com.acme.Greeter/sleep}}]
    timeout: 0.3s
    route: [{destination: {host: g-blue.com.acme.greeter.dubbo}}]
  - route: [{destination: {host: g-blue.com.acme.greeter.dubbo}}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: orders, namespace: shop}
spec:
  host: com.acme.orders.dubbo
  subsets:
  - {name: one, labels: {application: one}}
  - {name: two, labels: {application: two}}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: orders, namespace: shop}
spec:
  hosts: [com.acme.orders.dubbo]
  http:
  - match: [{headers: {case: {exact: two}}}]
    route: [{destination: {host: com.acme.orders.dubbo, subset: two}}]
  - mirror: {host: com.acme.orders.dubbo, subset: two}
    route: [{destination: {host: com.acme.orders.dubbo, subset: one}}]
---
apiVersion: telemetry.istio.io/v1
kind: Telemetry
metadata: {name: calls, namespace: shop}
spec:
  accessLogging: [{providers: [{name: envoy}]}]
  tracing: [{providers: [{name: collector}], randomSamplingPercentage: 100}]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: collector, namespace: istio-system}
spec:
  hosts: [collector.example]
  location: MESH_EXTERNAL
  resolution: STATIC
  ports: [{number: 4318, name: http, protocol: HTTP}]
  endpoints: [{address: 10.77.0.254}]
";

/// Interface, and what is set of version and group.
const GREETER_1: (&str, &[(&str, &str)]) = ("com.acme.Greeter", &[("version", "1.0.0")]);
const GREETER_2: (&str, &[(&str, &str)]) = ("com.acme.Greeter", &[("version", "2.0.0")]);
const BLUE: (&str, &[(&str, &str)]) = ("com.acme.Greeter", &[("group", "blue")]);
const GREEN: (&str, &[(&str, &str)]) = ("com.acme.Greeter", &[("group", "green")]);
const ORDERS: (&str, &[(&str, &str)]) = ("com.acme.Orders", &[]);

const GREET: &str = "com.acme.Greeter/greet";
const ONE: &str = "RESULT hello World from one";
const TWO: &str = "RESULT hello World from two";

type Named<'a> = (&'a str, &'a [(&'a str, &'a str)]);

async fn provider(name: &str, version: DubboVersion, host: u8, services: &[Named<'_>]) -> Provider {
    let registry = format!("zookeeper://{GATEWAY}:2181");
    let mut settings = ProviderSettings::new(version, registry)
        .named(name)
        .set("application.name", name)
        .protocol("dubbo", 20880);
    for (interface, values) in services {
        let service = Service::new(interface);
        let set = |service: Service, (key, value): &(&str, &str)| service.set(key, value);
        settings = settings.service(values.iter().fold(service, set));
    }
    settings.inside(&Namespace::new(name, host)).start().await
}

async fn consumer(
    caller: &Caller,
    application: &str,
    version: DubboVersion,
    (interface, values): Named<'_>,
) -> Consumer {
    let registry = format!("zookeeper://{GATEWAY}:2181");
    let mut settings =
        ConsumerSettings::new(version, registry, interface).set("application.name", application);
    for (key, value) in values {
        settings = settings.set(&format!("reference.{key}"), value);
    }
    settings.inside(&caller.network).start().await
}

/// A call: its answer, and of its line in the access log method, code and flags, authority, provider,
/// cluster.
type Row<'a> = (&'a str, &'a str, [&'a str; 5]);

/// A consumer that asks for one thing, and what the routes make of it.
async fn routed(log: &Process, consumer: &mut Consumer, rows: &[Row<'_>]) {
    for (command, expected, [method, code, asked, provider, taken]) in rows {
        let seen = log.log().lines().count();
        let answer = consumer.call(command).await;
        assert!(answer.starts_with(expected), "{command}: {answer}");
        let [method, code] = [format!("\"POST /{method} HTTP/2\" "), format!("{code} ")];
        let whom = format!(
            " \"{asked}com.acme.greeter.dubbo\" \"{provider}:20880\" outbound|20880||{taken}com.acme.greeter.dubbo "
        );
        becomes(&format!("{method}{code}...{whom}"), true, async || {
            let text = log.log();
            let mut lines = text.lines().skip(seen);
            let line =
                |line: &str| line.contains(&(method.clone() + &code)) && line.contains(&whom);
            Ok(lines.any(line))
        })
        .await;
    }
}

/// Orders are numbered by the provider that takes them, also where nobody sees the answer.
async fn mirrored(orders: &mut Consumer) {
    assert_eq!(orders.call("place a").await, "RESULT order 1 of a: [tea]");
    assert_eq!(orders.call("place b").await, "RESULT order 2 of b: [tea]");
    let direct = orders.call("place c case=two").await;
    assert_eq!(direct, "RESULT order 3 of c: [tea]");
}

/// The caller's trace goes on in the sidecar's span and at the provider, beside what the route has
/// set and removed.
async fn traced(web: &mut Consumer, collector: &Collector) {
    let (trace, caller) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");
    let call = format!("attachments - case=7 traceparent=00-{trace}-{caller}-01");
    let received = web.call(&call).await;
    becomes("the span", true, async || {
        Ok(collector.spans().iter().any(|span| span.trace == trace))
    })
    .await;
    let spans = collector.spans();
    let span = spans.iter().find(|span| span.trace == trace).unwrap();
    assert_eq!(span.parent, caller);
    assert_eq!(span.name, "v1-0-0.com.acme.greeter.dubbo:20880/*");
    let url = "http://v1-0-0.com.acme.greeter.dubbo/com.acme.Greeter/attachments";
    assert_eq!(span.attributes["http.url"], url);
    assert_eq!(span.attributes["http.status_code"], "200");
    let parent = format!("traceparent=00-{trace}-{}-01", span.id);
    for there in [&parent, "region=blue"] {
        assert!(received.contains(there), "{there}: {received}");
    }
    assert!(!received.contains("case="), "{received}");
    // What nobody has begun to trace begins here.
    let greeted = |span: &&Span| span.attributes["http.url"].ends_with("/com.acme.Greeter/greet");
    let begun: Vec<&Span> = spans.iter().filter(greeted).collect();
    assert_eq!(begun.len(), 4);
    assert!(begun.iter().all(|span| span.parent.is_empty()), "{begun:?}");
}

#[test]
fn what_the_mesh_does_is_done_to_real_applications() {
    isolated(async || {
        drop(Namespace::new("bridge", 250));
        let zookeeper = ZooKeeper::start(ZooKeeperVersion::V3_9).await;
        let collector = Collector::start().await;
        let (one, two) = ([GREETER_1, BLUE, ORDERS], [GREETER_2, GREEN, ORDERS]);
        let _providers = futures::join!(
            provider("one", DubboVersion::V2_7, 2, &one),
            provider("two", DubboVersion::V3_3, 3, &two),
        );
        let settings = Settings {
            resources: RESOURCES,
            mesh: MESH,
            ..Settings::default()
        };
        let control = Control::start(&zookeeper.registry(), settings).await;
        let caller = Caller::start("caller", 1).await;
        caller.knows(RESOURCES).await;
        let (mut web, mut batch, mut blue, mut orders) = futures::join!(
            consumer(&caller, "web", DubboVersion::V2_7, GREETER_1),
            consumer(&caller, "batch", DubboVersion::V3_3, GREETER_1),
            consumer(&caller, "web", DubboVersion::V3_2, BLUE),
            consumer(&caller, "web", DubboVersion::V2_6, ORDERS),
        );
        let log = caller.envoy.process();
        routed(
            log,
            &mut web,
            &[(
                "greet World",
                ONE,
                [GREET, "200 -", "v1-0-0.", "10.77.0.2", "v1-0-0."],
            )],
        )
        .await;
        routed(
            log,
            &mut batch,
            &[(
                "greet World",
                TWO,
                [GREET, "200 -", "v1-0-0.", "10.77.0.3", "v2-0-0."],
            )],
        )
        .await;
        let grouped = [
            (
                "greet World",
                ONE,
                [GREET, "200 -", "g-blue.", "10.77.0.2", "g-blue."],
            ),
            (
                "greet World region=gray",
                TWO,
                [GREET, "200 -", "g-blue.", "10.77.0.3", "g-green."],
            ),
            (
                "sleep 3000",
                "THROWN ",
                [
                    "com.acme.Greeter/sleep",
                    "504 UT",
                    "g-blue.",
                    "10.77.0.2",
                    "g-blue.",
                ],
            ),
        ];
        routed(log, &mut blue, &grouped).await;
        mirrored(&mut orders).await;
        traced(&mut web, &collector).await;
        assert_eq!(complaints(&control.istiod), [""; 0]);
    });
}
