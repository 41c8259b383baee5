//! Routes and clusters reach a sidecar one after the other: the instant in between costs no call, when a
//! service is new to the mesh and when its last provider has gone.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::sync::Arc;

use serde_json::json;
use support::{
    Call, Deed, EnvoySettings, GATEWAY, IstiodSettings, Methods, Namespace, WireConsumer,
    WireProvider, ZooKeeper, ZooKeeperVersion, create, isolated, module_dir, work_dir,
};
use zookeeper_client::CreateMode;

use super::traffic::carried;
use super::{SOURCE, becomes, complaints, serve, without_certificates};

/// A service goes with its last provider, at once; the port stays, for another service.
const CONFIG: &str = "
ports: {http2: [{ports: [20880], namespaces: [shop]}]}
holds: {port: 24h, service: 0s}
removal: {delay: 0s}
filter: {}
";
const OUTBOUND: &str = "outbound|20880||com.acme.greeter.dubbo";
const ROUNDS: usize = 8;
/// Connections that call all the time.
const CALLERS: usize = 24;
/// Calls by one way before the service goes the other.
const CALLS: u64 = 50;

fn node(interface: &str) -> String {
    let parameters = format!("{interface}%3Finterface%3D{interface}");
    format!("/dubbo/{interface}/providers/dubbo%3A%2F%2F{GATEWAY}%3A20880%2F{parameters}")
}

#[test]
fn no_call_is_lost_while_a_service_comes_and_goes() {
    isolated(async || {
        let pod = Namespace::new("caller", 1);
        pod.redirect_to_sidecar();
        let zookeeper = ZooKeeper::start(ZooKeeperVersion::V3_9).await;
        let client = zookeeper.client().await;
        let there = node("com.acme.Greeter");
        for path in [&there, &node("com.acme.Clock")] {
            create(&client, path, "", CreateMode::Persistent).await;
        }
        let methods: Methods = Arc::new(|_, argument| Deed::Return(format!("hello {argument}")));
        let provider = SocketAddr::from((GATEWAY, 20880));
        let _provider = WireProvider::start_at(provider, methods).await;
        let config = work_dir().join("config.yaml");
        fs::write(&config, CONFIG).unwrap();
        let config = config.to_str().unwrap();
        let _mesh = serve(&["--registry", &zookeeper.registry(), "--config", config]).await;
        let istiod = IstiodSettings::new(&[SOURCE])
            .kubernetes(without_certificates())
            .start()
            .await;
        let address = SocketAddr::from((GATEWAY, istiod.xds_address().port()));
        let envoy = EnvoySettings::sidecar("caller", "shop", address)
            .metadata("DUBBO_MESH", json!("1"))
            .modules(module_dir())
            .inside(&pod)
            .start()
            .await;
        becomes("the listener of the port", true, async || {
            Ok(envoy.page("/listeners").await?.contains("0.0.0.0_20880"))
        })
        .await;
        let (answers, enough) = (RefCell::new(BTreeMap::new()), Cell::new(false));
        let calls = async || {
            let consumer = WireConsumer::connect_from(&pod, provider);
            let call = Call::new("com.acme.Greeter", "greet", "Ann");
            while !enough.get() {
                let answer = consumer.call(&call).await;
                *answers
                    .borrow_mut()
                    .entry(format!("{answer:?}"))
                    .or_insert(0) += 1;
            }
        };
        let goes_by = async |cluster: &str| {
            let before = carried(&envoy, cluster, "rq_total").await;
            becomes(cluster, true, async || {
                // A cluster that is new counts from nothing.
                let now = carried(&envoy, cluster, "rq_total").await;
                Ok(now >= before + CALLS || (now >= CALLS && now < before))
            })
            .await;
        };
        let comes_and_goes = async {
            goes_by(OUTBOUND).await;
            for _ in 0..ROUNDS {
                client.delete(&there, None).await.unwrap();
                goes_by("dubbo-original-dst").await;
                create(&client, &there, "", CreateMode::Persistent).await;
                goes_by(OUTBOUND).await;
            }
            enough.set(true);
        };
        let all = futures::future::join_all((0..CALLERS).map(|_| calls()));
        futures::join!(all, comes_and_goes);
        let answers = answers.into_inner();
        let right = r#"Ok(Answer { status: 20, text: "hello Ann" })"#;
        let wrong: Vec<_> = answers.iter().filter(|(text, _)| *text != right).collect();
        let held = envoy.stat("dynamicmodulescustom.dubbo.requests.held").await;
        println!("held {held:?}, answers {answers:#?}");
        assert!(wrong.is_empty(), "{wrong:#?}");
        assert!(answers[right] > CALLS * 2 * ROUNDS as u64);
        let vain = "dynamicmodulescustom.dubbo.requests.held_in_vain";
        assert_eq!(envoy.stat(vain).await, Ok(0));
        assert_eq!(complaints(&istiod), [""; 0]);
    });
}
