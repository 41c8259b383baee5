//! What a change costs istiod, and what costs it nothing.

use std::collections::BTreeMap;

use support::{
    DubboMesh, DubboVersion, EnvoySettings, Istiod, IstiodSettings, ProviderSettings, Service,
    ZooKeeper, ZooKeeperVersion, create, isolated, wait_until,
};
use zookeeper_client::CreateMode;

use super::{SOON, SOURCE, admin, becomes, entries, serve};

/// istiod's pushes so far, by type.
async fn pushes(istiod: &Istiod) -> BTreeMap<&'static str, u64> {
    let mut pushes = BTreeMap::new();
    for kind in ["cds", "eds", "lds", "rds", "nds"] {
        let label = format!("type=\"{kind}\"");
        let count = istiod.metric("pilot_xds_pushes", &label).await.unwrap();
        pushes.insert(kind, count as u64);
    }
    pushes
}

/// Waits until nothing has been pushed for a while, and returns the counts.
async fn quiet(istiod: &Istiod) -> BTreeMap<&'static str, u64> {
    let (mut last, mut since) = (pushes(istiod).await, std::time::Instant::now());
    wait_until("istiod is quiet", SOON, async || {
        let now = pushes(istiod).await;
        if now != last {
            (last, since) = (now, std::time::Instant::now());
        }
        if since.elapsed().as_secs() >= 3 {
            Ok(last.clone())
        } else {
            Err(format!("{last:?}"))
        }
    })
    .await
}

fn difference(
    before: &BTreeMap<&'static str, u64>,
    after: &BTreeMap<&'static str, u64>,
) -> Vec<(&'static str, u64)> {
    let grown = after
        .iter()
        .map(|(kind, count)| (*kind, count - before[kind]));
    grown.filter(|(_, count)| *count > 0).collect()
}

fn versions(configs: &[serde_json::Value]) -> BTreeMap<String, String> {
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let version = |config: &serde_json::Value| {
        let metadata = &config["metadata"];
        (text(&metadata["name"]), text(&metadata["resourceVersion"]))
    };
    configs.iter().map(version).collect()
}

#[test]
fn an_endpoint_that_comes_or_goes_is_one_endpoint_push_and_nothing_else() {
    isolated(async || {
        let zookeeper = ZooKeeper::start(ZooKeeperVersion::V3_9).await;
        let provider = |name: &str, port| {
            ProviderSettings::new(DubboVersion::V2_7, zookeeper.registry())
                .named(name)
                .protocol("dubbo", port)
                .service(Service::new("com.acme.Greeter").set("weight", 10))
        };
        // The second port is there from the beginning, and stays.
        let stays = provider("stays", 20880).start().await;
        let goes = provider("goes", 20881).start().await;
        let _mesh = serve(&["--registry", &zookeeper.registry()]).await;
        let istiod = IstiodSettings::new(&[SOURCE]).start().await;
        let mut envoy = EnvoySettings::sidecar("app", "shop", istiod.xds_address())
            .start()
            .await;
        envoy.wait_until_ready().await;
        let cluster = "outbound|20880||com.acme.greeter.dubbo";
        let (one, two) = ("127.0.0.1:20880".to_owned(), "127.0.0.1:20881".to_owned());
        let both = vec![one.clone(), two];
        becomes("both", both.clone(), async || {
            envoy.endpoints(cluster).await
        })
        .await;

        let before = quiet(&istiod).await;
        goes.stop().await;
        becomes("one left", vec![one], async || {
            envoy.endpoints(cluster).await
        })
        .await;
        let after = quiet(&istiod).await;
        assert_eq!(difference(&before, &after), [("eds", 1)]);

        let _back = provider("back", 20881).start().await;
        becomes("both again", both, async || envoy.endpoints(cluster).await).await;
        let again = quiet(&istiod).await;
        assert_eq!(difference(&after, &again), [("eds", 1)]);

        // A weight: Dubbo takes its entry away and writes another one.
        let client = zookeeper.client().await;
        stays
            .set_weight(&client, "/dubbo", "com.acme.Greeter", 77)
            .await;
        becomes("the weight", vec![77, 77], async || {
            let configs = istiod.configs("ServiceEntry").await?;
            let endpoints = configs[0]["spec"]["endpoints"]
                .as_array()
                .cloned()
                .unwrap_or_default();
            Ok(endpoints
                .iter()
                .filter_map(|endpoint| endpoint["weight"].as_i64())
                .collect())
        })
        .await;
        let weighted = quiet(&istiod).await;
        // Each of the two providers writes its entry anew in its own time: a push for each at most,
        // where a gap would be one more.
        let pushed = difference(&again, &weighted);
        assert!(matches!(pushed[..], [("eds", 1 | 2)]), "{pushed:?}");
    });
}

#[test]
fn a_restart_of_dubbo_mesh_changes_nothing() {
    isolated(async || {
        let zookeeper = ZooKeeper::start(ZooKeeperVersion::V3_9).await;
        let _provider = ProviderSettings::new(DubboVersion::V3_3, zookeeper.registry())
            .protocol("dubbo", 20880)
            .protocol("tri", 50051)
            .service(Service::new("com.acme.Greeter"))
            .service(Service::new("com.acme.Orders").set("version", "1.0.0"))
            .start()
            .await;
        let mesh = serve(&["--registry", &zookeeper.registry()]).await;
        let istiod = IstiodSettings::new(&[SOURCE]).start().await;
        let mut envoy = EnvoySettings::sidecar("app", "shop", istiod.xds_address())
            .start()
            .await;
        envoy.wait_until_ready().await;
        becomes("four entries", 4, async || {
            Ok(entries(&istiod).await?.len())
        })
        .await;
        let before = quiet(&istiod).await;
        let known = versions(&istiod.configs("ServiceEntry").await.unwrap());

        assert!(mesh.stop().await.success());
        let _again = serve(&["--registry", &zookeeper.registry()]).await;
        becomes("istiod is back and has acknowledged", true, async || {
            let clients = admin("/clients").await?;
            Ok(clients["clients"].to_string().contains("ServiceEntry")
                && clients["clients"].to_string().contains("acked"))
        })
        .await;
        assert_eq!(difference(&before, &quiet(&istiod).await), []);
        assert_eq!(
            versions(&istiod.configs("ServiceEntry").await.unwrap()),
            known
        );
        assert_eq!(known.len(), 4);
    });
}

/// One replica sees the providers come one by one, in one order; the other reads
/// them all at once.
#[test]
fn replicas_that_learned_in_another_order_serve_equal_bytes() {
    isolated(async || {
        let zookeeper = ZooKeeper::start(ZooKeeperVersion::V3_9).await;
        let client = zookeeper.client().await;
        let write = async |number: usize| {
            let interface = format!("com.acme.Service{}", number % 7);
            let url = format!(
                "dubbo%3A%2F%2F10.1.0.{number}%3A{}%2F{interface}%3Finterface%3D{interface}",
                20880 + number % 3
            );
            let path = format!("/dubbo/{interface}/providers/{url}");
            create(&client, &path, "", CreateMode::Persistent).await;
        };
        write(1).await;
        let first = serve(&["--registry", &zookeeper.registry()]).await;
        for number in (2..60).rev() {
            write(number).await;
        }
        let second = DubboMesh::launch(&[
            "serve",
            "--registry",
            &zookeeper.registry(),
            "--listen",
            "127.0.0.1:18858",
            "--admin",
            "127.0.0.1:18859",
        ]);
        let published = async |port: u16| {
            let answer = support::get(([127, 0, 0, 1], port).into(), "/clients").await?;
            let json: serde_json::Value =
                serde_json::from_str(&answer.body).map_err(|e| e.to_string())?;
            Ok::<_, String>(json["published"]["ServiceEntry"].clone())
        };
        let of_second = wait_until("the second replica", SOON, async || {
            let set = published(18859).await?;
            if set["resources"] == 7 {
                Ok(set)
            } else {
                Err(set.to_string())
            }
        })
        .await;
        becomes("equal", of_second, async || published(18849).await).await;
        drop((first, second));
    });
}
