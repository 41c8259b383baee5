//! The whole road of an unmodified Dubbo application: its registry, `dubbo-mesh`, istiod, the sidecar with
//! the filter, and a VirtualService that decides where each call goes.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde_json::json;
use support::{
    Consumer, ConsumerSettings, DubboMesh, DubboVersion, Envoy, EnvoySettings, GATEWAY, Istiod,
    IstiodSettings, Namespace, Provider, ProviderSettings, Service, ZooKeeper, ZooKeeperVersion,
    isolated, module_dir, work_dir,
};

use super::traffic::carried;
use super::{SOURCE, becomes, complaints, serve, without_certificates};

const HOST: &str = "com.acme.greeter.dubbo";

/// Everything that a test of routed calls needs, one of each.
struct Mesh {
    zookeeper: ZooKeeper,
    _mesh: DubboMesh,
    istiod: Istiod,
    envoy: Envoy,
    pod: Namespace,
    resources: PathBuf,
    providers: Vec<Provider>,
}

impl Mesh {
    /// Providers of these names, versions and tags in pods of their own, all on 20880, and a caller's
    /// pod whose sidecar has the filter.
    async fn start(providers: &[(&str, DubboVersion, &str)], filter: &str) -> Self {
        let pod = Namespace::new("caller", 1);
        pod.redirect_to_sidecar();
        let zookeeper = ZooKeeper::start(ZooKeeperVersion::V3_9).await;
        let registry = format!("zookeeper://{GATEWAY}:2181");
        let mut started = Vec::new();
        for (host, (name, version, tag)) in (2..).zip(providers) {
            let mut service = Service::new("com.acme.Greeter");
            if !tag.is_empty() {
                service = service.set("tag", tag);
            }
            let settings = ProviderSettings::new(*version, &registry)
                .named(name)
                .set("application.name", name)
                .protocol("dubbo", 20880)
                .service(service)
                .inside(&Namespace::new(name, host));
            started.push(settings.start().await);
        }
        let config = work_dir().join("config.yaml");
        let text = format!(
            "ports: {{http2: [{{ports: [20880], namespaces: [shop]}}]}}\nfilter: {filter}\n"
        );
        fs::write(&config, text).unwrap();
        let config = config.to_str().unwrap();
        let mesh = serve(&["--registry", &zookeeper.registry(), "--config", config]).await;
        let resources = work_dir().join("resources");
        fs::create_dir(&resources).unwrap();
        let own = format!("fs://{}", resources.display());
        let istiod = IstiodSettings::new(&[SOURCE, &own])
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
        becomes("it is ready", true, async || {
            Ok(envoy.page("/ready").await.is_ok())
        })
        .await;
        becomes("the listener of the port", true, async || {
            Ok(envoy.page("/listeners").await?.contains("0.0.0.0_20880"))
        })
        .await;
        Self {
            zookeeper,
            _mesh: mesh,
            istiod,
            envoy,
            pod,
            resources,
            providers: started,
        }
    }

    /// An application in the caller's pod that finds its providers in the registry.
    async fn caller(&self, version: DubboVersion) -> Consumer {
        let registry = format!("zookeeper://{GATEWAY}:2181");
        ConsumerSettings::new(version, registry, "com.acme.Greeter")
            .inside(&self.pod)
            .start()
            .await
    }

    /// What istiod reads from now on beside ours.
    fn apply(&self, resources: &str) {
        fs::write(self.resources.join("own.yaml"), resources).unwrap();
    }

    /// Waits until the sidecar's configuration says this.
    async fn until(&self, words: &str) {
        becomes(words, true, async || {
            Ok(self.envoy.page("/config_dump").await?.contains(words))
        })
        .await;
    }
}

/// Who answered.
fn from(answer: &str) -> &str {
    answer
        .rsplit_once(" from ")
        .map_or(answer, |(_, name)| name)
}

#[test]
fn a_call_goes_where_the_virtual_service_says() {
    isolated(async || {
        let providers = [
            ("one", DubboVersion::V2_7, ""),
            ("two", DubboVersion::V3_3, ""),
        ];
        let mesh = Mesh::start(&providers, "{options: {attachments: [region]}}").await;
        mesh.apply(
            "
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: greeter, namespace: shop}
spec:
  host: com.acme.greeter.dubbo
  subsets:
  - {name: one, labels: {application: one}}
  - {name: two, labels: {application: two}}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: greeter, namespace: shop}
spec:
  hosts: [com.acme.greeter.dubbo]
  http:
  - name: of-the-test
    match: [{headers: {region: {exact: gray}}}]
    route: [{destination: {host: com.acme.greeter.dubbo, subset: two}}]
  - route: [{destination: {host: com.acme.greeter.dubbo, subset: one}}]
",
        );
        mesh.until("of-the-test").await;
        for version in [DubboVersion::V2_6, DubboVersion::V2_7, DubboVersion::V3_2] {
            let mut caller = mesh.caller(version).await;
            for _ in 0..4 {
                assert_eq!(from(&caller.call("greet World").await), "one");
                let gray = caller.call("greet World region=gray").await;
                assert_eq!(gray, "RESULT hello World from two");
            }
        }
        let calls = |subset: &str| format!("outbound|20880|{subset}|{HOST}");
        assert_eq!(carried(&mesh.envoy, &calls("one"), "rq_total").await, 12);
        assert_eq!(carried(&mesh.envoy, &calls("two"), "rq_total").await, 12);
        assert_eq!(complaints(&mesh.istiod), [""; 0]);
        drop(mesh.zookeeper);
        drop(mesh.providers);
    });
}
