//! Two sidecars, each with the certificate of its service account: what a caller's half and a provider's
//! half make of mutual TLS and of policies, with all configuration from istiod.
//!
//! ```text
//! Dubbo ─→ caller's sidecar ─Dubbo, mutual TLS→ provider's sidecar ─→ Dubbo
//! shop     10.77.0.1                            10.77.0.2             pay
//! ```

mod chains;
mod changes;
mod policy;
mod tls;
mod unpublished;

pub(super) use policy::service as provider_service;

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde_json::{Value, json};
use support::{
    Authority, Call, CallAnswer, Consumer, ConsumerSettings, DubboMesh, DubboVersion, Envoy,
    EnvoySettings, GATEWAY, Istiod, IstiodSettings, Namespace, Provider, ProviderSettings, Secrets,
    Service, WireConsumer, ZooKeeper, ZooKeeperVersion, create, module_dir, work_dir,
};
use zookeeper_client::CreateMode;

use super::{SOURCE, becomes, serve};

/// The service of these tests, on the mesh.
const HOST: &str = "com.acme.greeter.dubbo";
/// Its cluster at the caller's.
const OUTBOUND: &str = "outbound|20880||com.acme.greeter.dubbo";

/// What the provider of these tests says.
const GREETING: &str = "RESULT hello World from greeter";
/// All namespaces take nothing but mutual TLS.
const STRICT: &str = "
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: default, namespace: istio-system}
spec: {mtls: {mode: STRICT}}
";

/// Where a sidecar's processes come from and where it gets what.
pub(super) struct Pod {
    pub(super) network: Namespace,
    pub(super) envoy: Envoy,
    _secrets: Secrets,
}

impl Pod {
    /// A statistic, zero if it does not exist.
    async fn stat(&self, name: &str) -> u64 {
        self.envoy.stat(name).await.unwrap()
    }
}

/// How a mesh of two sidecars differs from the plainest.
pub(super) struct Settings<'a> {
    /// The section `filter` of our configuration.
    pub(super) filter: &'a str,
    /// Rules of our section `workloads` that come first, each with a comma behind it.
    pub(super) workloads: &'a str,
    /// What istiod reads beside ours from the beginning.
    pub(super) resources: &'a str,
    /// Lines of Istio's mesh configuration.
    pub(super) mesh: &'a str,
    /// What istiod finds in its cluster.
    pub(super) objects: Vec<Value>,
    /// Whether the provider's sidecar has the module.
    pub(super) provider_has_module: bool,
}

impl Default for Settings<'_> {
    fn default() -> Self {
        Self {
            filter: "{}",
            workloads: "",
            resources: "",
            mesh: "",
            objects: Vec::new(),
            provider_has_module: false,
        }
    }
}

/// Everything that is there before a call.
pub(super) struct Sidecars {
    pub(super) provider: Pod,
    pub(super) caller: Pod,
    authority: Authority,
    resources: PathBuf,
    pub(super) istiod: Istiod,
    _application: Provider,
    _mesh: DubboMesh,
    zookeeper: ZooKeeper,
}

impl Sidecars {
    pub(super) async fn start(settings: Settings<'_>) -> Self {
        let pods = [("caller", 1), ("provider", 2)].map(|(name, host)| Namespace::new(name, host));
        let zookeeper = ZooKeeper::start(ZooKeeperVersion::V3_9).await;
        // A registry without anything is not believed.
        let client = zookeeper.client().await;
        let known = "/dubbo/com.acme.Greeter/providers";
        create(&client, known, "", CreateMode::Persistent).await;
        let config = work_dir().join("config.yaml");
        let text = format!(
            "ports: {{http2: [{{ports: [20880], namespaces: [shop]}}]}}
workloads: [{}{{cidrs: [{}], inMesh: true}}]
filter: {}\n",
            settings.workloads,
            pods[1].address(),
            settings.filter
        );
        fs::write(&config, text).unwrap();
        let config = config.to_str().unwrap();
        let mesh = serve(&["--registry", &zookeeper.registry(), "--config", config]).await;
        let resources = work_dir().join("resources");
        fs::create_dir(&resources).unwrap();
        fs::write(resources.join("own.yaml"), settings.resources).unwrap();
        let istiod = IstiodSettings::new(&[SOURCE, &format!("fs://{}", resources.display())])
            .mesh("enableAutoMtls: true")
            .mesh(settings.mesh)
            .kubernetes(settings.objects)
            .start()
            .await;
        let authority = Authority::new("cluster.local");
        let [caller, provider] = pods;
        let caller = sidecar("caller", "shop", caller, true, &authority).await;
        let provider = sidecar(
            "provider",
            "pay",
            provider,
            settings.provider_has_module,
            &authority,
        )
        .await;
        let application = application(&provider.network).await;
        becomes(
            "the endpoint",
            vec![provider.dubbo().to_string()],
            async || caller.envoy.endpoints(OUTBOUND).await,
        )
        .await;
        Self {
            provider,
            caller,
            authority,
            resources,
            istiod,
            _application: application,
            _mesh: mesh,
            zookeeper,
        }
    }

    /// What istiod reads from now on beside ours.
    pub(super) fn apply(&self, resources: &str) {
        fs::write(self.resources.join("own.yaml"), resources).unwrap();
    }
}

impl Pod {
    /// Where its application listens.
    pub(super) fn dubbo(&self) -> SocketAddr {
        SocketAddr::from((self.network.address(), 20880))
    }

    /// One call in plain text, from nobody that the mesh knows.
    async fn plainly(&self, method: &str, argument: &str) -> Result<CallAnswer, String> {
        let stranger = WireConsumer::connect_to(self.dubbo()).await;
        let call = Call::new("com.acme.Greeter", method, argument);
        stranger.call(&call).await
    }

    /// An application in this pod that finds its providers in the registry.
    pub(super) async fn calling(&self, version: DubboVersion) -> Consumer {
        ConsumerSettings::new(version, registry(), "com.acme.Greeter")
            .inside(&self.network)
            .start()
            .await
    }
}

fn registry() -> String {
    format!("zookeeper://{GATEWAY}:2181")
}

/// A pod with a sidecar, that says whether it has the module.
pub(super) async fn sidecar(
    name: &str,
    namespace: &str,
    network: Namespace,
    module: bool,
    authority: &Authority,
) -> Pod {
    network.redirect_to_sidecar();
    let secrets = Secrets::start(authority, &authority.workload(namespace, name)).await;
    let istiod = SocketAddr::from((GATEWAY, 15010));
    let mut settings = EnvoySettings::sidecar(name, namespace, istiod);
    if module {
        settings = settings
            .metadata("DUBBO_MESH", json!("1"))
            .modules(module_dir());
    }
    let mut envoy = settings
        .metadata("SERVICE_ACCOUNT", json!(name))
        .secrets(secrets.address())
        // For access logs that several sidecars share.
        .environment("POD", name)
        // Istio's own. No test may wait for its end.
        .drain_seconds(45)
        .inside(&network)
        .start()
        .await;
    envoy.wait_until_ready().await;
    Pod {
        network,
        envoy,
        _secrets: secrets,
    }
}

/// What the test that has failed may be understood by.
async fn keep_pages(mesh: &Sidecars) {
    for (name, pod) in [("caller", &mesh.caller), ("provider", &mesh.provider)] {
        for page in ["stats", "config_dump", "clusters", "listeners"] {
            let text = pod.envoy.page(&format!("/{page}")).await.unwrap();
            fs::write(work_dir().join(format!("{name}-{page}")), text).unwrap();
        }
    }
}

async fn application(network: &Namespace) -> Provider {
    ProviderSettings::new(DubboVersion::V3_3, registry())
        .named("greeter")
        .set("application.name", "greeter")
        .protocol("dubbo", 20880)
        .service(Service::new("com.acme.Greeter"))
        .inside(network)
        .start()
        .await
}
