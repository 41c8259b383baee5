//! Who becomes a member of which cluster, and when they are gone.

use std::time::Duration;

use support::{
    DubboVersion, Envoy, EnvoySettings, Istiod, IstiodSettings, ProviderSettings, Service,
    ZooKeeper, ZooKeeperSettings, ZooKeeperVersion, isolated,
};

use super::{SOURCE, becomes, complaints, entries, serve};

async fn mesh_of(zookeeper: &ZooKeeper) -> (support::DubboMesh, Istiod, Envoy) {
    let mesh = serve(&["--registry", &zookeeper.registry()]).await;
    let istiod = IstiodSettings::new(&[SOURCE]).start().await;
    let mut envoy = EnvoySettings::sidecar("app", "shop", istiod.xds_address())
        .start()
        .await;
    envoy.wait_until_ready().await;
    (mesh, istiod, envoy)
}

fn provider(version: DubboVersion, zookeeper: &ZooKeeper, name: &str) -> ProviderSettings {
    ProviderSettings::new(version, zookeeper.registry()).named(name)
}

/// One service at five addresses, each by another version of Dubbo.
#[test]
fn each_version_of_dubbo_becomes_a_member() {
    isolated(async || {
        let zookeeper = ZooKeeper::start(ZooKeeperVersion::V3_9).await;
        let mut providers = Vec::new();
        for (version, port) in DubboVersion::ALL.into_iter().zip(20880..) {
            let service = Service::new("com.acme.Greeter")
                .set("group", "gray")
                .set("version", "1.0.0");
            let settings = provider(version, &zookeeper, version.number()).protocol("dubbo", port);
            providers.push(settings.service(service).start().await);
        }
        let (_mesh, istiod, envoy) = mesh_of(&zookeeper).await;
        let host = "v1-0-0.g-gray.com.acme.greeter.dubbo";
        let all: Vec<String> = (20880..20885)
            .map(|port| format!("127.0.0.1:{port}"))
            .collect();
        let expected = vec![(format!("{host}--dubbo"), all.clone())];
        becomes("istiod has the entry", expected, async || {
            entries(&istiod).await
        })
        .await;
        let cluster = format!("outbound|20880||{host}");
        becomes("Envoy has the members", all.clone(), async || {
            envoy.endpoints(&cluster).await
        })
        .await;
        assert_eq!(complaints(&istiod), [""; 0]);

        // One ends in order, one is killed.
        let ordered = providers.remove(0);
        ordered.stop().await;
        becomes("SIGTERM", all[1..].to_vec(), async || {
            envoy.endpoints(&cluster).await
        })
        .await;
        providers.remove(3).kill();
        becomes("killed, its session over", all[1..4].to_vec(), async || {
            envoy.endpoints(&cluster).await
        })
        .await;
    });
}

/// Of one interface: a provider that speaks dubbo only, one that speaks tri only,
/// one that speaks both on one port, in the way of 3.2 (two nodes) and of 3.3
/// (one node).
#[test]
fn dubbo_only_tri_only_and_unified_providers_of_one_interface() {
    isolated(async || {
        let zookeeper = ZooKeeper::start(ZooKeeperVersion::V3_8).await;
        let service = || Service::new("com.acme.Greeter");
        let _dubbo = provider(DubboVersion::V2_7, &zookeeper, "dubbo")
            .protocol("dubbo", 20880)
            .service(service())
            .start()
            .await;
        let _tri = provider(DubboVersion::V3_2, &zookeeper, "tri")
            .protocol("tri", 50051)
            .service(service())
            .start()
            .await;
        let _two_nodes = provider(DubboVersion::V3_2, &zookeeper, "two-nodes")
            .protocol("dubbo", 20881)
            .set("protocol.0.extProtocol", "tri")
            .service(service())
            .start()
            .await;
        let _one_node = provider(DubboVersion::V3_3, &zookeeper, "one-node")
            .protocol("dubbo", 20882)
            .set("protocol.0.extProtocol", "tri")
            .service(service())
            .start()
            .await;
        let (_mesh, istiod, envoy) = mesh_of(&zookeeper).await;
        let addresses = |ports: &[u16]| -> Vec<String> {
            ports
                .iter()
                .map(|port| format!("127.0.0.1:{port}"))
                .collect()
        };
        let host = "com.acme.greeter.dubbo";
        let dubbo = addresses(&[20880, 20881, 20882]);
        let tri = addresses(&[50051]);
        let expected = vec![
            (format!("{host}--dubbo"), dubbo.clone()),
            (format!("{host}--tri"), tri.clone()),
        ];
        becomes("istiod has both entries", expected, async || {
            entries(&istiod).await
        })
        .await;
        for (port, members) in [
            (20880, &dubbo),
            (20881, &dubbo),
            (20882, &dubbo),
            (50051, &tri),
        ] {
            let cluster = format!("outbound|{port}||{host}");
            becomes(&cluster, members.clone(), async || {
                envoy.endpoints(&cluster).await
            })
            .await;
        }
        assert_eq!(complaints(&istiod), [""; 0]);
        let configs = istiod.configs("ServiceEntry").await.unwrap();
        let unified: Vec<bool> = configs
            .iter()
            .find(|config| config["metadata"]["name"] == format!("{host}--dubbo"))
            .unwrap()["spec"]["endpoints"]
            .as_array()
            .unwrap()
            .iter()
            .map(|endpoint| endpoint["labels"]["tri"] == "true")
            .collect();
        assert_eq!(unified, [false, true, true]);
    });
}

/// What an application of some size registers: several services with groups and
/// versions, two ports, a tag, a weight, short URLs, under a root of two levels.
#[test]
fn groups_versions_tags_weights_and_roots() {
    isolated(async || {
        let zookeeper = ZooKeeperSettings::new(ZooKeeperVersion::V3_6)
            .tick(Duration::from_millis(500))
            .start()
            .await;
        let _provider = provider(DubboVersion::V2_7, &zookeeper, "provider")
            .set("registry.group", "estate/a")
            .set("registry.simplified", "true")
            .protocol("dubbo", 20880)
            .set("protocol.0.id", "one")
            .protocol("dubbo", 20881)
            .set("protocol.1.id", "two")
            .service(
                Service::new("com.acme.Greeter")
                    .set("version", "2.0.0")
                    .set("weight", 50)
                    .set("tag", "gray"),
            )
            .service(Service::new("com.acme.Orders").set("group", "b2b"))
            .start()
            .await;
        let registry = format!("{}/estate/a", zookeeper.registry());
        let _mesh = serve(&["--registry", &registry]).await;
        let istiod = IstiodSettings::new(&[SOURCE]).start().await;
        let both = || vec!["127.0.0.1:20880".to_owned(), "127.0.0.1:20881".to_owned()];
        let expected = vec![
            ("g-b2b.com.acme.orders.dubbo--dubbo".to_owned(), both()),
            ("v2-0-0.com.acme.greeter.dubbo--dubbo".to_owned(), both()),
        ];
        becomes("istiod has both", expected, async || entries(&istiod).await).await;
        let configs = istiod.configs("ServiceEntry").await.unwrap();
        let of = |name: &str| {
            configs
                .iter()
                .find(|config| config["metadata"]["name"] == name)
                .unwrap()["spec"]["endpoints"][0]
                .clone()
        };
        let greeter = of("v2-0-0.com.acme.greeter.dubbo--dubbo");
        assert_eq!(greeter["weight"], 50);
        assert_eq!(greeter["labels"]["tag"], "gray");
        assert_eq!(greeter["labels"]["version"], "2.0.0");
        let orders = of("g-b2b.com.acme.orders.dubbo--dubbo");
        assert_eq!(orders["weight"], 100);
        assert_eq!(orders["labels"]["tag"], "untagged");
        assert_eq!(orders["labels"]["group"], "b2b");
        assert_eq!(complaints(&istiod), [""; 0]);
    });
}
