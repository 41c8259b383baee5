//! The EnvoyFilters that install the filter: istiod takes them all, and a sidecar that lacks the
//! module is left alone.

use std::net::SocketAddr;

use serde_json::json;
use support::{
    ConsumerSettings, DubboVersion, EnvoySettings, GATEWAY, IstiodSettings, Namespace,
    ProviderSettings, Service, ZooKeeper, ZooKeeperVersion, isolated, work_dir,
};

use super::traffic::carried;
use super::{SOURCE, becomes, complaints, serve, without_certificates};

/// Everything that can be asked for at once.
const ALL: &str = "
ports: {http2: [{ports: [20880-20881], namespaces: [shop, pay]}]}
filter:
  clusterMatch: host
  blockAll: true
  options: {attachments: [region]}
  providers: [{ports: [20880], namespaces: [pay]}]
  observe: [{ports: [20890], namespaces: ['*']}]
";

fn configured(text: &str) -> String {
    let path = work_dir().join("config.yaml");
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn istiod_takes_every_object_besides_the_entries_as_it_was_sent() {
    isolated(async || {
        let registry = work_dir().join("providers.yaml");
        std::fs::write(&registry, "- dubbo://10.0.0.1:20880/com.acme.A\n- dubbo://10.0.0.2:20880/com.acme.A?dubbo.tag=gray\n").unwrap();
        let registry = format!("file:{}", registry.display());
        let config = configured(ALL);
        let mesh = serve(&["--registry", &registry, "--config", &config]).await;
        // Its client is silent about a configuration that it drops; only the store tells.
        let istiod = IstiodSettings::new(&[SOURCE]).start().await;
        let stored = async |kind: &str, list: &str| {
            let mut stored: Vec<_> = istiod
                .configs(kind)
                .await?
                .into_iter()
                .map(|config| {
                    let text = |key: &str| config["metadata"][key].as_str().unwrap().to_owned();
                    let elements = config["spec"][list].as_array().map(Vec::len);
                    (text("namespace"), text("name"), elements)
                })
                .collect();
            stored.sort();
            Ok(stored)
        };
        let object = |namespace: &str, name: &str, patches| {
            (namespace.to_owned(), name.to_owned(), Some(patches))
        };
        becomes(
            "the EnvoyFilters are stored",
            vec![
                object("istio-system", "dubbo-mesh-observed", 2),
                object("pay", "com.acme.a.dubbo--clusters", 1),
                object("pay", "dubbo-mesh-callers", 15),
                object("pay", "dubbo-mesh-providers", 3),
                object("shop", "com.acme.a.dubbo--clusters", 1),
                object("shop", "dubbo-mesh-callers", 15),
            ],
            async || stored("EnvoyFilter", "configPatches").await,
        )
        .await;
        for (kind, list, elements) in [
            ("VirtualService", "http", 3),
            ("DestinationRule", "subsets", 2),
        ] {
            let tags = object("dubbo-mesh-services", "com.acme.a.dubbo--tags", elements);
            becomes(kind, vec![tags], async || stored(kind, list).await).await;
        }
        assert_eq!(complaints(&istiod), [""; 0]);
        drop(mesh);
    });
}

/// The order of a rollout does not matter to a pod without the module: its calls pass as before.
#[test]
fn a_sidecar_without_the_module_starts_and_its_calls_are_answered() {
    isolated(async || {
        let pod = Namespace::new("caller", 1);
        pod.redirect_to_sidecar();
        let zookeeper = ZooKeeper::start(ZooKeeperVersion::V3_9).await;
        let _provider = ProviderSettings::new(DubboVersion::V3_3, zookeeper.registry())
            .named("the-provider")
            .protocol("dubbo", 20880)
            .service(Service::new("com.acme.Greeter"))
            .start()
            .await;
        let config = configured(
            "ports: {http2: [{ports: [20880], namespaces: [shop]}]}\nfilter: {observe: [{ports: [20890], namespaces: [shop]}]}\n",
        );
        let _mesh = serve(&["--registry", &zookeeper.registry(), "--config", &config]).await;
        let istiod = IstiodSettings::new(&[SOURCE])
            .kubernetes(without_certificates())
            .start()
            .await;
        let address = SocketAddr::from((GATEWAY, istiod.xds_address().port()));
        let envoy = EnvoySettings::sidecar("caller", "shop", address)
            .metadata("DUBBO_MESH", json!("another"))
            .inside(&pod)
            .start()
            .await;
        becomes("it is ready", true, async || {
            Ok(envoy.page("/ready").await.is_ok())
        })
        .await;
        becomes("the listener of the port", true, async || {
            Ok(envoy.page("/listeners").await?.contains("0.0.0.0_20880"))
        })
        .await;
        let dump = envoy.page("/config_dump").await.unwrap();
        assert!(!dump.contains("dubbo_proxy_filter"));
        let mut consumer = ConsumerSettings::new(DubboVersion::V2_7, "N/A", "com.acme.Greeter")
            .set(
                "reference.url",
                format!("dubbo://{GATEWAY}:20880/com.acme.Greeter"),
            )
            .inside(&pod)
            .start()
            .await;
        let answer = consumer.call("greet World").await;
        assert!(
            answer.starts_with("RESULT ") && answer.contains("the-provider"),
            "{answer}"
        );
        assert!(carried(&envoy, "PassthroughCluster", "cx_total").await >= 1);
    });
}
