//! Routes, mirrors, access logs and traces on calls of real Dubbo applications.

use std::net::SocketAddr;

use support::{
    Consumer, ConsumerSettings, DubboVersion, GATEWAY, Namespace, Provider, ProviderSettings,
    Service, ZooKeeper, ZooKeeperVersion, isolated,
};

use super::super::traffic::carried;
use super::super::{becomes, complaints};
use super::collector::{self, Collector};
use super::{Caller, Control};

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
        let control = Control::start(&zookeeper.registry(), RESOURCES, MESH).await;
        let caller = Caller::start("caller", 1).await;
        caller.knows(RESOURCES).await;
        let (mut web, mut batch, mut blue, mut orders) = futures::join!(
            consumer(&caller, "web", DubboVersion::V2_7, GREETER_1),
            consumer(&caller, "batch", DubboVersion::V3_3, GREETER_1),
            consumer(&caller, "web", DubboVersion::V3_2, BLUE),
            consumer(&caller, "web", DubboVersion::V2_6, ORDERS),
        );
        let rows = [
            (&mut web, "greet World", "hello World from one"),
            (&mut batch, "greet World", "hello World from two"),
        ];
        for (consumer, command, expected) in rows {
            assert_eq!(consumer.call(command).await, format!("RESULT {expected}"));
        }
        println!("{}", blue.call("greet World").await);
        println!("{}", blue.call("greet World region=gray").await);
        println!("{}", web.call("attachments - case=7").await);
        println!("{}", orders.call("place a").await);
        println!("{}", orders.call("place b").await);
        println!("{}", orders.call("place c case=two").await);
        becomes("spans", true, async || Ok(collector.spans().len() >= 8)).await;
        println!("{:#?}", collector.spans());
        println!("{}", caller.envoy.process().log());
        let _ = (
            carried(&caller.envoy, "x", "y").await,
            collector::PORT,
            SocketAddr::from((GATEWAY, 1)),
        );
        assert_eq!(complaints(&control.istiod), [""; 0]);
    });
}
