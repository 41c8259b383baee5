//! Triple of real applications on a port of its own: routed by the host of its service, as Dubbo's calls
//! are, where the sidecar sets the authority.
//!
//! ```text
//! consumer ─HTTP/2, for 10.77.0.2:50051→ sidecar ─HTTP/2→ one 1.0.0, two 2.0.0
//! shop                                   10.77.0.1        10.77.0.2, 10.77.0.3
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
const GREETED: &str = "RESULT hello World from";

async fn provider(name: &str, version: DubboVersion, host: u8, of: &str) -> Provider {
    let registry = format!("zookeeper://{GATEWAY}:2181");
    ProviderSettings::new(version, registry)
        .named(name)
        .set("application.name", name)
        .protocol("tri", 50051)
        .service(Service::new("com.acme.Greeter").set("version", of))
        .inside(&Namespace::new(name, host))
        .start()
        .await
}

async fn consumer(caller: &Caller, version: DubboVersion) -> Consumer {
    let registry = format!("zookeeper://{GATEWAY}:2181");
    ConsumerSettings::new(version, registry, "com.acme.Greeter")
        .set("reference.version", "1.0.0")
        .set("reference.protocol", "tri")
        .inside(&caller.network)
        .start()
        .await
}

#[test]
fn triple_is_routed_by_host_and_header_to_another_version() {
    isolated(async || {
        drop(Namespace::new("bridge", 250));
        let zookeeper = ZooKeeper::start(ZooKeeperVersion::V3_9).await;
        let _providers = futures::join!(
            provider("one", DubboVersion::V3_2, 2, "1.0.0"),
            provider("two", DubboVersion::V3_3, 3, "2.0.0"),
        );
        let settings = Settings {
            config: CONFIG,
            resources: RESOURCES,
            ..Settings::default()
        };
        let control = Control::start(&zookeeper.registry(), settings).await;
        let caller = Caller::start("caller", 1).await;
        caller.knows(RESOURCES).await;
        let (mut older, mut newer) = futures::join!(
            consumer(&caller, DubboVersion::V3_2),
            consumer(&caller, DubboVersion::V3_3),
        );
        for consumer in [&mut older, &mut newer] {
            for (call, name) in [("greet World", "one"), ("greet World region=gray", "two")] {
                let answer = consumer.call(call).await;
                assert_eq!(answer, format!("{GREETED} {name}"), "{call}");
            }
            let late = consumer.call("sleep 3000").await;
            assert!(late.starts_with("THROWN "), "{late}");
        }
        assert_eq!(carried(&caller.envoy, ONE, "rq_total").await, 4);
        assert_eq!(carried(&caller.envoy, TWO, "rq_total").await, 2);
        let line = "\"POST /com.acme.Greeter/greet HTTP/2\" 200";
        let asked = "\"v1-0-0.com.acme.greeter.dubbo\" \"10.77.0.3:50051\"";
        becomes("the access log", 2, async || {
            let log = caller.envoy.process().log();
            let lines = log.lines();
            Ok(lines
                .filter(|it| it.contains(line) && it.contains(asked))
                .count())
        })
        .await;
        let named = "dynamicmodulescustom.dubbo.http2.authorities";
        let named = caller.envoy.stat(named).await.unwrap();
        assert!(named >= 6, "{named}");
        assert_eq!(complaints(&control.istiod), [""; 0]);
    });
}
