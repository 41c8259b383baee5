//! What runs: every server, where it is, and what can be asked of it. Knows no step.
//!
//! ```text
//! providers v1, v2, v2b ─→ ZooKeeper ─→ dubbo-mesh ─→ istiod ←─ directory of the user's resources
//! 10.77.0.2 …  ↑               │ who provides             │ where calls go
//!              │               ↓                          ↓
//!              └── Envoy ←─ consumers ···· in pod "caller", 10.77.0.1, redirected by iptables
//! ```

use std::collections::BTreeMap;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use futures::future::join_all;
use serde_json::json;
use support::{
    Consumer, ConsumerSettings, DubboMesh, DubboVersion, Envoy, EnvoySettings, GATEWAY, Istiod,
    IstiodSettings, Namespace, Provider, ProviderSettings, Service, ZooKeeper, ZooKeeperSettings,
    ZooKeeperVersion, module_dir, wait_until, without_certificates, work_dir,
};

use crate::show::Show;
use crate::steps::{Caller, INSTANCES};

/// Two cores that others use as well are slow.
const SOON: Duration = Duration::from_secs(60);
/// Sessions end after twenty of these, so that the demo sees a registry notice a death.
const TICK: Duration = Duration::from_secs(1);
const PORT: u16 = 20880;

const CONFIG: &str = "\
labels: [release]                                        # a parameter of the providers' URLs
ports: {http2: [{ports: [20880], namespaces: [shop]}]}   # routed by host for callers in shop
filter: {options: {attachments: [region]}}               # what routes may ask for
";

pub(crate) struct Stage {
    providers: BTreeMap<&'static str, Provider>,
    consumers: BTreeMap<Caller, Consumer>,
    envoy: Envoy,
    resources: PathBuf,
    // In the order of their end: those that read from others first.
    _istiod: Istiod,
    _mesh: DubboMesh,
    _zookeeper: ZooKeeper,
}

impl Stage {
    /// Starts everything and says so.
    pub(crate) async fn set(show: &Show) -> Self {
        let began = Instant::now();
        let seconds = || format!("{:>5.1} s", began.elapsed().as_secs_f32());
        let caller = Namespace::new("caller", 1);
        caller.redirect_to_sidecar();
        let zookeeper = ZooKeeperSettings::new(ZooKeeperVersion::V3_9)
            .tick(TICK)
            .start()
            .await;
        show.started(
            &seconds(),
            "zookeeper-1",
            "ZooKeeper 3.9.3, 10.77.0.254:2181",
        );
        let providers = providers().await;
        for (name, what) in PROVIDERS {
            show.started(&seconds(), name, what);
        }
        let mesh = dubbo_mesh(&zookeeper).await;
        show.started(
            &seconds(),
            "dubbo-mesh",
            "dubbo-mesh serve, with this configuration:",
        );
        show.quoted(CONFIG);
        let resources = work_dir().join("resources");
        fs::create_dir(&resources).expect("a directory");
        let own = format!("fs://{}", resources.display());
        let istiod = IstiodSettings::new(&["xds://127.0.0.1:18848", &own])
            .kubernetes(without_certificates())
            .start()
            .await;
        show.started(
            &seconds(),
            "istiod",
            "istiod, as it is; its sources: dubbo-mesh, and a directory",
        );
        let envoy = sidecar(&caller, &istiod).await;
        show.started(
            &seconds(),
            "caller",
            "Envoy 1.40 with our module: the consumers' sidecar",
        );
        let consumers = consumers(&caller).await;
        for (name, what) in CONSUMERS {
            show.started(&seconds(), name, what);
        }
        Self {
            providers,
            consumers,
            envoy,
            resources,
            _istiod: istiod,
            _mesh: mesh,
            _zookeeper: zookeeper,
        }
    }

    /// All resources of the user, from now on.
    pub(crate) fn apply(&self, resources: &str) {
        // Renamed: istiod shall not read half of it.
        let partial = self.resources.with_extension("partial");
        fs::write(&partial, resources).expect("a file of resources");
        fs::rename(&partial, self.file()).expect("a file of resources");
    }

    /// Where they are.
    pub(crate) fn file(&self) -> PathBuf {
        self.resources.join("own.yaml")
    }

    /// Waits until the sidecar's configuration contains this.
    pub(crate) async fn arrived(&self, words: &str) {
        wait_until(words, SOON, async || {
            match self.envoy.page("/config_dump").await?.contains(words) {
                true => Ok(()),
                false => Err("it is not in the sidecar's configuration".to_owned()),
            }
        })
        .await;
    }

    /// One call: the name of who answered, or how it failed.
    pub(crate) async fn call(&mut self, by: Caller, command: &str) -> Result<String, String> {
        let consumer = self
            .consumers
            .get_mut(&by)
            .expect("a consumer of each kind");
        let answer = consumer.call(command).await;
        let result = answer.strip_prefix("RESULT ").ok_or(&answer)?;
        match (by, result.rsplit_once(" from ")) {
            (_, Some((_, name))) => Ok(name.to_owned()),
            // They number their orders and do not say who they are; one provider has them.
            (Caller::Orders, None) if result.starts_with("order ") => Ok("orders".to_owned()),
            _ => Err(answer),
        }
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self, instance: &str) {
        let provider = self.providers.remove(instance);
        provider.expect("an instance that runs").kill();
    }

    /// Whether the sidecar has taken it out of its balancing.
    pub(crate) async fn is_ejected(&self, instance: &str) -> Result<bool, String> {
        let flags = format!("::{}:{PORT}::health_flags::", address(instance));
        let page = self.envoy.page("/clusters").await?;
        let mut of_it = page.lines().filter(|line| line.contains(&flags));
        Ok(of_it.any(|line| line.contains("failed_outlier_check")))
    }

    /// Whether any cluster of the sidecar still has it.
    pub(crate) async fn is_known(&self, instance: &str) -> Result<bool, String> {
        let endpoint = format!("::{}:{PORT}::", address(instance));
        Ok(self.envoy.page("/clusters").await?.contains(&endpoint))
    }

    /// How many attempts the sidecar made anew, over all clusters.
    pub(crate) async fn retries(&self) -> Result<u64, String> {
        let page = self.envoy.page("/stats?filter=upstream_rq_retry$").await?;
        let values = page.lines().filter(|line| line.starts_with("cluster."));
        let values = values.filter_map(|line| line.rsplit_once(": ")?.1.parse::<u64>().ok());
        Ok(values.sum())
    }
}

/// The directory of each, and what it is.
const PROVIDERS: [(&str, &str); 3] = [
    (
        "v1",
        "Dubbo 2.7.23 at 10.77.0.2:20880: Greeter with release=v1, Greeter 1.0.0",
    ),
    (
        "v2",
        "Dubbo 3.3.6 at 10.77.0.3:20880: Greeter with release=v2, Greeter 2.0.0",
    ),
    (
        "v2b",
        "Dubbo 3.2.16 at 10.77.0.4:20880: Greeter with release=v2, Orders",
    ),
];
const CONSUMERS: [(&str, &str); 3] = [
    ("consumer", "Dubbo 2.7.23: calls Greeter"),
    ("consumer-2", "Dubbo 3.3.6: calls Greeter 1.0.0"),
    ("consumer-3", "Dubbo 2.7.23: calls Orders"),
];

fn registry() -> String {
    format!("zookeeper://{GATEWAY}:2181")
}

fn address(instance: &str) -> Ipv4Addr {
    let position = INSTANCES.iter().position(|name| *name == instance);
    let position = position.and_then(|position| u8::try_from(position).ok());
    Ipv4Addr::new(10, 77, 0, 2 + position.expect("an instance"))
}

async fn providers() -> BTreeMap<&'static str, Provider> {
    let greeter = |release| Service::new("com.acme.Greeter").set("parameters.release", release);
    let version = |version| Service::new("com.acme.Greeter").set("version", version);
    let all = [
        (DubboVersion::V2_7, greeter("v1"), version("1.0.0")),
        (DubboVersion::V3_3, greeter("v2"), version("2.0.0")),
        (
            DubboVersion::V3_2,
            greeter("v2"),
            Service::new("com.acme.Orders"),
        ),
    ];
    let started = INSTANCES
        .into_iter()
        .zip(all)
        .map(|(name, (dubbo, first, second))| {
            let [.., host] = address(name).octets();
            ProviderSettings::new(dubbo, registry())
                .named(name)
                .protocol("dubbo", PORT)
                .service(first)
                .service(second)
                .inside(&Namespace::new(name, host))
                .start()
        });
    INSTANCES.into_iter().zip(join_all(started).await).collect()
}

/// In this order, so that their directories have the names of [`CONSUMERS`].
async fn consumers(pod: &Namespace) -> BTreeMap<Caller, Consumer> {
    let refer = |dubbo, interface| ConsumerSettings::new(dubbo, registry(), interface).inside(pod);
    let all = [
        (
            Caller::Greeter,
            refer(DubboVersion::V2_7, "com.acme.Greeter"),
        ),
        (
            Caller::Version1,
            refer(DubboVersion::V3_3, "com.acme.Greeter").set("reference.version", "1.0.0"),
        ),
        (Caller::Orders, refer(DubboVersion::V2_7, "com.acme.Orders")),
    ];
    let started = all.map(async |(caller, settings)| (caller, settings.start().await));
    join_all(started).await.into_iter().collect()
}

async fn dubbo_mesh(zookeeper: &ZooKeeper) -> DubboMesh {
    let config = work_dir().join("config.yaml");
    fs::write(&config, CONFIG).expect("config.yaml");
    let config = config.to_str().expect("a path in UTF-8");
    let registry = zookeeper.registry();
    let mut mesh = DubboMesh::launch(&["serve", "--registry", &registry, "--config", config]);
    let listens = |line: &str| line.contains("waiting for control planes");
    mesh.process().wait_for_line(0, SOON, listens).await;
    mesh
}

async fn sidecar(pod: &Namespace, istiod: &Istiod) -> Envoy {
    let xds = SocketAddr::from((GATEWAY, istiod.xds_address().port()));
    let envoy = EnvoySettings::sidecar("caller", "shop", xds)
        .metadata("DUBBO_MESH", json!("1"))
        .modules(module_dir())
        .inside(pod)
        .start()
        .await;
    wait_until("the sidecar is ready", SOON, async || {
        envoy.page("/ready").await.map(drop)
    })
    .await;
    wait_until("the sidecar listens on the port", SOON, async || {
        let listeners = envoy.page("/listeners").await?;
        let name = format!("0.0.0.0_{PORT}");
        listeners.contains(&name).then_some(()).ok_or(listeners)
    })
    .await;
    envoy
}
