//! Triple of real applications on a port of its own: routed by the host of its service, as Dubbo's calls
//! are, where the sidecar sets the authority.
//!
//! ```text
//! consumer ─HTTP/2, for 10.77.0.2:50051→ sidecar ─HTTP/2→ one: 1.0.0, group tags
//! shop                                   10.77.0.1        two: 2.0.0, group tags with the tag blue
//! ```

use support::{
    Consumer, ConsumerSettings, DubboVersion, GATEWAY, Namespace, Provider, ProviderSettings,
    Service, ZooKeeper, ZooKeeperVersion, isolated,
};

use super::super::traffic::carried;
use super::super::{becomes, complaints};
use super::{Caller, Control, Settings};

/// Where the sidecars of shop set the authority; Dubbo has no part in it.
const CONFIG: &str = "filter: {triple: [{ports: [50051], namespaces: [shop]}]}\n";

/// Calls for 1.0.0 go to 2.0.0 if they say so, and 2.0.0 answers, since it is told that it is meant.
const RESOURCES: &str = "
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: greeter-1, namespace: shop}
spec:
  hosts: [v1-0-0.com.acme.greeter.dubbo]
  http:
  - match: [{headers: {region: {exact: gray}}}]
    route:
    - destination: {host: v2-0-0.com.acme.greeter.dubbo}
      headers: {request: {set: {tri-service-version: 2.0.0}}}
  - match: [{uri: {exact: /com.acme.Greeter/sleep}}]
    timeout: 0.3s
    route: [{destination: {host: v1-0-0.com.acme.greeter.dubbo}}]
  - route: [{destination: {host: v1-0-0.com.acme.greeter.dubbo}}]
---
apiVersion: telemetry.istio.io/v1
kind: Telemetry
metadata: {name: calls, namespace: shop}
spec: {accessLogging: [{providers: [{name: envoy}]}]}
";

const ONE: &str = "outbound|50051||v1-0-0.com.acme.greeter.dubbo";
const TWO: &str = "outbound|50051||v2-0-0.com.acme.greeter.dubbo";
const UNTAGGED: &str = "outbound|50051|untagged|g-tags.com.acme.greeter.dubbo";
const BLUE: &str = "outbound|50051|tag-blue|g-tags.com.acme.greeter.dubbo";

async fn provider(
    name: &str,
    version: DubboVersion,
    host: u8,
    services: [(&str, &str); 2],
) -> Provider {
    let registry = format!("zookeeper://{GATEWAY}:2181");
    let greeter = || Service::new("com.acme.Greeter");
    let [versioned, tagged] = services;
    ProviderSettings::new(version, registry)
        .named(name)
        .set("application.name", name)
        .protocol("tri", 50051)
        .service(greeter().set(versioned.0, versioned.1))
        .service(greeter().set("group", "tags").set(tagged.0, tagged.1))
        .inside(&Namespace::new(name, host))
        .start()
        .await
}

async fn consumer(caller: &Caller, version: DubboVersion, of: (&str, &str)) -> Consumer {
    let registry = format!("zookeeper://{GATEWAY}:2181");
    ConsumerSettings::new(version, registry, "com.acme.Greeter")
        .set(&format!("reference.{}", of.0), of.1)
        .set("reference.protocol", "tri")
        .inside(&caller.network)
        .start()
        .await
}

#[test]
fn triple_is_routed_by_host_header_and_tag_to_another_version_too() {
    isolated(async || {
        drop(Namespace::new("bridge", 250));
        let zookeeper = ZooKeeper::start(ZooKeeperVersion::V3_9).await;
        let (one, two) = (("version", "1.0.0"), ("version", "2.0.0"));
        let _providers = futures::join!(
            provider("one", DubboVersion::V3_2, 2, [one, ("weight", "100")]),
            provider("two", DubboVersion::V3_3, 3, [two, ("tag", "blue")]),
        );
        let settings = Settings {
            config: CONFIG,
            resources: RESOURCES,
            ..Settings::default()
        };
        let control = Control::start(&zookeeper.registry(), settings).await;
        let caller = Caller::start("caller", 1).await;
        caller.knows(RESOURCES).await;
        let (mut older, mut newer, mut tags) = futures::join!(
            consumer(&caller, DubboVersion::V3_2, one),
            consumer(&caller, DubboVersion::V3_3, one),
            consumer(&caller, DubboVersion::V3_3, ("group", "tags")),
        );
        for consumer in [&mut older, &mut newer] {
            greets(consumer, "", "one", 1).await;
            greets(consumer, "region=gray", "two", 1).await;
            // The SDK's own time-out is longer than the call takes.
            let late = consumer.call("sleep 3000").await;
            assert!(late.starts_with("THROWN "), "{late}");
        }
        greets(&mut tags, "", "one", 10).await;
        greets(&mut tags, "dubbo.tag=blue", "two", 2).await;
        for (cluster, calls) in [(ONE, 4), (TWO, 2), (UNTAGGED, 10), (BLUE, 2)] {
            let carried = carried(&caller.envoy, cluster, "rq_total").await;
            assert_eq!(carried, calls, "{cluster}");
        }
        logged(&caller, "greet HTTP/2\" 200 - ", "10.77.0.3:50051").await;
        logged(&caller, "sleep HTTP/2\" 200 UT ", "10.77.0.2:50051").await;
        let named = "dynamicmodulescustom.dubbo.http2.authorities";
        assert_eq!(caller.envoy.stat(named).await, Ok(18));
        assert_eq!(complaints(&control.istiod), [""; 0]);
    });
}

/// So many calls with this attachment, if any, are answered by the provider of that name.
async fn greets(consumer: &mut Consumer, attachment: &str, provider: &str, calls: usize) {
    for _ in 0..calls {
        let answer = consumer.call(&format!("greet World {attachment}")).await;
        assert_eq!(answer, format!("RESULT hello World from {provider}"));
    }
}

/// The access log has what became of a method of 1.0.0, for both consumers.
async fn logged(caller: &Caller, method: &str, provider: &str) {
    let line = format!("\"POST /com.acme.Greeter/{method}");
    let asked = format!("\"v1-0-0.com.acme.greeter.dubbo\" \"{provider}\"");
    becomes(method, 2, async || {
        let log = caller.envoy.process().log();
        let lines = log.lines();
        Ok(lines
            .filter(|it| it.contains(&line) && it.contains(&asked))
            .count())
    })
    .await;
}
