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
/// Calls with the attachment `region=gray` go to `two`, all others to `one`.
const BY_REGION: &str = "
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
";

/// Everything that a test of routed calls needs, one of each.
pub(super) struct Mesh {
    zookeeper: ZooKeeper,
    _mesh: DubboMesh,
    pub(super) istiod: Istiod,
    pub(super) envoy: Envoy,
    pub(super) pod: Namespace,
    resources: PathBuf,
    providers: Vec<Provider>,
}

impl Mesh {
    /// Providers of these names, versions and tags in pods of their own, all on 20880, and a caller's
    /// pod whose sidecar has the filter.
    async fn start(providers: &[(&'static str, DubboVersion, &str)], filter: &str) -> Self {
        let of_provider = |(name, version, tag): &(&'static str, DubboVersion, &str)| {
            let mut service = Service::new("com.acme.Greeter");
            if !tag.is_empty() {
                service = service.set("tag", tag);
            }
            (*name, *version, vec![service])
        };
        let providers = providers.iter().map(of_provider).collect();
        let config = format!(
            "ports: {{http2: [{{ports: [20880], namespaces: [shop]}}]}}\nfilter: {filter}\n"
        );
        Self::with(providers, &config).await
    }

    /// The same with any services and any configuration of ours. The first provider is 10.77.0.2.
    pub(super) async fn with(
        providers: Vec<(&'static str, DubboVersion, Vec<Service>)>,
        text: &str,
    ) -> Self {
        let pod = Namespace::new("caller", 1);
        pod.redirect_to_sidecar();
        let zookeeper = ZooKeeper::start(ZooKeeperVersion::V3_9).await;
        let registry = format!("zookeeper://{GATEWAY}:2181");
        let mut started = Vec::new();
        for (host, (name, version, services)) in (2..).zip(providers) {
            let settings = ProviderSettings::new(version, &registry)
                .named(name)
                .set("application.name", name)
                .protocol("dubbo", 20880)
                .inside(&Namespace::new(name, host));
            let settings = services
                .into_iter()
                .fold(settings, ProviderSettings::service);
            started.push(settings.start().await);
        }
        let config = work_dir().join("config.yaml");
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
        self.refers(version, "com.acme.Greeter").start().await
    }

    /// The settings of one that calls this interface.
    pub(super) fn refers(&self, version: DubboVersion, interface: &str) -> ConsumerSettings {
        let registry = format!("zookeeper://{GATEWAY}:2181");
        ConsumerSettings::new(version, registry, interface).inside(&self.pod)
    }

    /// What istiod reads from now on beside ours.
    fn apply(&self, resources: &str) {
        fs::write(self.resources.join("own.yaml"), resources).unwrap();
    }

    /// Waits until the sidecar's configuration says this.
    pub(super) async fn until(&self, words: &str) {
        becomes(words, true, async || {
            Ok(self.envoy.page("/config_dump").await?.contains(words))
        })
        .await;
    }
}

/// Who answered.
pub(super) fn from(answer: &str) -> &str {
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
        mesh.apply(BY_REGION);
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

/// `upstream: transportSocket`: all calls of a sidecar to a provider on one connection.
#[test]
fn calls_share_a_connection_where_the_transport_socket_carries_them() {
    isolated(async || {
        let providers = [
            ("one", DubboVersion::V2_7, ""),
            ("two", DubboVersion::V3_3, ""),
        ];
        let filter = "{upstream: transportSocket, options: {attachments: [region]}}";
        let mesh = Mesh::start(&providers, filter).await;
        mesh.apply(BY_REGION);
        mesh.until("of-the-test").await;
        mesh.until("http2_to_dubbo").await;
        for version in [DubboVersion::V2_6, DubboVersion::V3_2] {
            let mut caller = mesh.caller(version).await;
            for _ in 0..5 {
                assert_eq!(from(&caller.call("greet World").await), "one");
                let gray = caller.call("greet World region=gray").await;
                assert_eq!(gray, "RESULT hello World from two");
            }
            let failed = caller.call("fail broken").await;
            assert!(failed.starts_with("THROWN com.acme.Rejected"), "{failed}");
        }
        for (subset, calls) in [("one", 12), ("two", 10)] {
            let cluster = format!("outbound|20880|{subset}|{HOST}");
            assert_eq!(carried(&mesh.envoy, &cluster, "rq_total").await, calls);
            // One for each worker of Envoy's at most.
            let connections = carried(&mesh.envoy, &cluster, "cx_total").await;
            assert!((1..=2).contains(&connections), "{subset}: {connections}");
        }
        assert_eq!(complaints(&mesh.istiod), [""; 0]);
    });
}

/// The tag rule of the SDK, kept by routes of ours: nobody wrote a VirtualService.
#[test]
fn a_tagged_provider_gets_calls_of_its_tag_and_no_others() {
    isolated(async || {
        let providers = [
            ("plain", DubboVersion::V3_2, ""),
            ("gray", DubboVersion::V3_3, "gray"),
        ];
        let mesh = Mesh::start(&providers, "{}").await;
        mesh.until("forced-tag").await;
        let mut caller = mesh.caller(DubboVersion::V2_7).await;
        let mut answers = Vec::new();
        for call in [
            "greet World",
            "greet World dubbo.tag=gray",
            "greet World",
            "greet World dubbo.tag=gray",
            "greet World dubbo.tag=blue",
        ] {
            answers.push(from(&caller.call(call).await).to_owned());
        }
        assert_eq!(answers, ["plain", "gray", "plain", "gray", "plain"]);
        let calls = |subset: &str| format!("outbound|20880|{subset}|{HOST}");
        assert_eq!(
            carried(&mesh.envoy, &calls("untagged"), "rq_total").await,
            3
        );
        assert_eq!(
            carried(&mesh.envoy, &calls("tag-gray"), "rq_total").await,
            2
        );
    });
}

/// What is on the port but not published still reaches the very provider that the SDK dialled.
#[test]
fn a_call_to_what_is_not_published_goes_where_it_was_dialled() {
    isolated(async || {
        let mesh = Mesh::start(&[("one", DubboVersion::V3_3, "")], "{}").await;
        let hidden = Namespace::new("hidden", 9);
        let _hidden = ProviderSettings::new(DubboVersion::V2_7, "N/A")
            .named("hidden")
            .protocol("dubbo", 20880)
            .service(Service::new("com.acme.Orders"))
            .inside(&hidden)
            .start()
            .await;
        let url = format!("dubbo://{}:20880/com.acme.Orders", hidden.address());
        let mut caller = ConsumerSettings::new(DubboVersion::V2_7, "N/A", "com.acme.Orders")
            .set("reference.url", url)
            .inside(&mesh.pod)
            .start()
            .await;
        let answer = caller.call("place tea").await;
        assert!(answer.starts_with("RESULT "), "{answer}");
        let original = carried(&mesh.envoy, "dubbo-original-dst", "rq_total").await;
        assert_eq!(original, 1);
    });
}

/// Time-outs, faults and what the caller is told of them.
#[test]
fn what_the_mesh_does_to_a_call_is_told_in_dubbos_words() {
    isolated(async || {
        let mesh = Mesh::start(
            &[("one", DubboVersion::V3_3, "")],
            "{options: {attachments: [case]}}",
        )
        .await;
        mesh.apply(
            "
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: greeter, namespace: shop}
spec:
  hosts: [com.acme.greeter.dubbo]
  http:
  - name: of-the-test
    match: [{headers: {case: {exact: abort}}}]
    fault: {abort: {httpStatus: 429, percentage: {value: 100}}}
    route: [{destination: {host: com.acme.greeter.dubbo}}]
  - match: [{uri: {exact: /com.acme.Greeter/sleep}}]
    timeout: 0.5s
    route: [{destination: {host: com.acme.greeter.dubbo}}]
  - match: [{headers: {case: {exact: delay}}}]
    fault: {delay: {fixedDelay: 1s, percentage: {value: 100}}}
    route: [{destination: {host: com.acme.greeter.dubbo}}]
  - route: [{destination: {host: com.acme.greeter.dubbo}}]
",
        );
        mesh.until("of-the-test").await;
        for version in [DubboVersion::V2_6, DubboVersion::V3_3] {
            let mut caller = mesh.caller(version).await;
            let aborted = caller.call("greet World case=abort").await;
            assert!(
                aborted.starts_with("THROWN ") && aborted.contains("fault filter abort"),
                "{aborted}"
            );
            let slow = caller.call("sleep 3000").await;
            assert!(
                slow.starts_with("THROWN ") && slow.to_lowercase().contains("timeout"),
                "{slow}"
            );
            assert_eq!(from(&caller.call("greet World case=delay").await), "one");
            // A business exception is an answer: nothing is retried, nothing is hidden.
            let failed = caller.call("fail broken").await;
            assert!(failed.starts_with("THROWN com.acme.Rejected"), "{failed}");
        }
        let cluster = format!("cluster.outbound|20880||{HOST};.upstream_rq_retry");
        let retries = mesh
            .envoy
            .page("/stats?filter=upstream_rq_retry")
            .await
            .unwrap();
        let retried: Vec<&str> = retries
            .lines()
            .filter(|line| line.starts_with(&cluster) && !line.ends_with(": 0"))
            .collect();
        assert_eq!(retried, [""; 0]);
    });
}
