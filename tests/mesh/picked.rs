//! Where the mesh must not pick: consumers that choose for themselves, and connections that mean more
//! than their calls.

use std::collections::{BTreeMap, BTreeSet};

use support::{DubboVersion, Service, isolated};

use super::routed::{Mesh, from};
use super::{becomes, complaints};

const GREETER: &str = "outbound|20880||com.acme.greeter.dubbo";
const ORDERS: &str = "outbound|20880||com.acme.orders.dubbo";

/// Calls of one service are the SDK's business, all others are balanced as ever.
const PICKED: &str = "
ports: {http2: [{ports: [20880], namespaces: [shop]}]}
overrides: [{interfaces: [com.acme.Greeter], pick: sdk}]
filter: {}
";
/// A provider that calls back is left alone.
const LEFT_ALONE: &str = "
ports: {http2: [{ports: [20880], namespaces: [shop], except: [10.77.0.3]}]}
filter: {}
";

impl Mesh {
    async fn carried(&self, cluster: &str) -> u64 {
        let name = format!("cluster.{cluster};.upstream_rq_total");
        self.envoy.stat(&name).await.unwrap()
    }

    /// Calls of the greeter's cluster that went to the first and to the second provider.
    async fn by_host(&self) -> [u64; 2] {
        let clusters = self.envoy.page("/clusters").await.unwrap();
        [2, 3].map(|host| {
            let name = format!("{GREETER}::10.77.0.{host}:20880::rq_total::");
            let count = clusters.lines().find_map(|line| line.strip_prefix(&name));
            count.map_or(0, |count| count.parse().unwrap())
        })
    }
}

/// Each of these consumers would get other answers if the mesh chose among the providers.
#[test]
fn what_the_sdk_picked_is_what_is_called() {
    isolated(async || {
        let services = || {
            vec![
                Service::new("com.acme.Greeter"),
                Service::new("com.acme.Orders"),
            ]
        };
        let providers = vec![
            ("one", DubboVersion::V2_7, services()),
            ("two", DubboVersion::V3_3, services()),
        ];
        let mesh = Mesh::with(providers, PICKED).await;
        mesh.until(GREETER).await;

        let consumer = |version, setting, value| {
            let settings = mesh.refers(version, "com.acme.Greeter");
            settings.set(&format!("reference.{setting}"), value).start()
        };
        // A broadcast is a call to each, once both are registered; it tells the last answer. From 3.0 on a
        // consumer may know one of these two alone: who registers as an application too.
        let mut broadcasts = consumer(DubboVersion::V2_7, "cluster", "broadcast").await;
        becomes("a broadcast is two calls", 2, async || {
            let before = mesh.carried(GREETER).await;
            broadcasts.call("greet World").await;
            Ok(mesh.carried(GREETER).await - before)
        })
        .await;
        let (before, each) = (mesh.carried(GREETER).await, mesh.by_host().await);
        for _ in 0..6 {
            let answer = broadcasts.call("greet World").await;
            assert!(answer.starts_with("RESULT hello World from "), "{answer}");
        }
        assert_eq!(mesh.carried(GREETER).await, before + 12);
        assert_eq!(mesh.by_host().await, each.map(|calls| calls + 6));

        // A hash finds the provider of an argument again, and has several.
        let mut hashes = consumer(DubboVersion::V2_7, "loadbalance", "consistenthash").await;
        let mut of_argument: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        // While it still connects, a consumer takes another one than the hash says.
        let (mut made, mut earlier) = (24, Vec::new());
        becomes("the answerers of the round before", true, async || {
            let mut answerers = Vec::new();
            for name in 0..12 {
                let answer = hashes.call(&format!("greet n{name}")).await;
                answerers.push(from(&answer).to_owned());
            }
            made += 12;
            let same = answerers == earlier;
            earlier = answerers;
            Ok(same)
        })
        .await;
        for round in 0..24 {
            let name = format!("n{}", round % 12);
            let answer = hashes.call(&format!("greet {name}")).await;
            let answered = of_argument.entry(name).or_default();
            answered.insert(from(&answer).to_owned());
        }
        assert!(
            of_argument.values().all(|by| by.len() == 1),
            "{of_argument:?}"
        );
        let all: BTreeSet<_> = of_argument.values().flatten().collect();
        assert_eq!(all.len(), 2, "{of_argument:?}");

        // A sticky one stays with whom it has.
        let mut sticks = consumer(DubboVersion::V2_6, "sticky", "true").await;
        let mut answered = BTreeSet::new();
        for _ in 0..16 {
            answered.insert(from(&sticks.call("greet World").await).to_owned());
        }
        assert_eq!(answered.len(), 1, "{answered:?}");
        assert_eq!(mesh.carried(GREETER).await, before + 12 + made + 16);

        let mut orders = mesh
            .refers(DubboVersion::V3_2, "com.acme.Orders")
            .start()
            .await;
        for _ in 0..8 {
            let answer = orders.call("place Ann").await;
            assert!(answer.starts_with("RESULT "), "{answer}");
        }
        assert_eq!(mesh.carried(ORDERS).await, 8);
        assert_eq!(complaints(&mesh.istiod), [""; 0]);
    });
}

/// The consumer is called over its own connection while its call is under way.
#[test]
fn a_provider_calls_back_over_a_connection_that_is_left_alone() {
    isolated(async || {
        let pusher =
            || Service::new("com.acme.Pusher").set("parameters.subscribe.1.callback", true);
        let providers = vec![
            (
                "one",
                DubboVersion::V2_7,
                vec![Service::new("com.acme.Greeter")],
            ),
            (
                "pusher",
                DubboVersion::V2_7,
                vec![pusher(), Service::new("com.acme.Orders")],
            ),
        ];
        let mesh = Mesh::with(providers, LEFT_ALONE).await;
        mesh.until(GREETER).await;
        for version in [DubboVersion::V2_7, DubboVersion::V3_3] {
            let mut subscriber = mesh.refers(version, "com.acme.Pusher").start().await;
            let answer = subscriber.call("subscribe news").await;
            assert_eq!(answer, "RESULT heard news at its listener from pusher");
            let mut greeter = mesh.refers(version, "com.acme.Greeter").start().await;
            assert_eq!(
                greeter.call("greet World").await,
                "RESULT hello World from one"
            );
        }
        assert_eq!(mesh.carried(GREETER).await, 2);
        assert_eq!(complaints(&mesh.istiod), [""; 0]);
    });
}
