//! A mesh that is not finished and not always whole: applications with sidecars and without, ports that
//! are switched while calls run, parts that are away.
//!
//! ```text
//! consumers ─→ sidecar with the filter ─→ one, two       what changes is our configuration, and
//! shop, 10.77.0.1                         10.77.0.2, .3   `dubbo-mesh serve` is started anew
//! ```

mod away;
mod leaves;
mod long;
mod mixed;
mod switch;

use std::cell::Cell;
use std::fs;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::json;
use support::{
    Consumer, ConsumerSettings, DubboMesh, DubboVersion, Envoy, EnvoySettings, GATEWAY, Istiod,
    IstiodSettings, Namespace, Provider, ProviderSettings, Service, ZooKeeper, ZooKeeperVersion,
    module_dir, wait_until, work_dir,
};
use tokio::time::{Instant, sleep_until};

use super::{SOURCE, serve, without_certificates};

/// The cluster of the service of these tests.
const OUTBOUND: &str = "outbound|20880||com.acme.greeter.dubbo";
/// Statistics of requests, by way: routed, and to where they were dialled.
const ROUTED: &str = "cluster.outbound|20880||com.acme.greeter.dubbo;.upstream_rq_total";
const DIALLED: &str = "cluster.dubbo-original-dst.upstream_rq_total";
/// Connections that pass untouched.
const PASSED: &str = "cluster.PassthroughCluster;.upstream_cx_total";

/// One sidecar, for its callers, and two providers without.
struct Living {
    envoy: Envoy,
    pod: Namespace,
    providers: Vec<Provider>,
    istiod: Istiod,
    mesh: Option<DubboMesh>,
    zookeeper: ZooKeeper,
}

impl Living {
    /// With this configuration of ours.
    async fn start(config: &str) -> Self {
        Self::draining(config, 6).await
    }

    /// With this configuration of ours, and sidecars that drain for so many seconds.
    async fn draining(config: &str, seconds: u32) -> Self {
        let pod = Namespace::new("caller", 1);
        let zookeeper = ZooKeeper::start(ZooKeeperVersion::V3_9).await;
        let providers = vec![
            provider("one", DubboVersion::V2_7, 2).await,
            provider("two", DubboVersion::V3_3, 3).await,
        ];
        let mesh = Some(serving(&zookeeper, config).await);
        let istiod = IstiodSettings::new(&[SOURCE])
            .kubernetes(without_certificates())
            .start()
            .await;
        let envoy = sidecar("caller", &pod, seconds).await;
        Self {
            envoy,
            pod,
            providers,
            istiod,
            mesh,
            zookeeper,
        }
    }

    /// `dubbo-mesh` ends, and starts anew with this configuration.
    async fn configure(&mut self, config: &str) {
        if let Some(mesh) = self.mesh.take() {
            assert!(mesh.stop().await.success());
        }
        self.mesh = Some(serving(&self.zookeeper, config).await);
    }

    /// An application in the sidecar's pod.
    async fn caller(&self, version: DubboVersion) -> Caller {
        Caller::start(version, &self.pod).await
    }

    /// [`page_has`] of the sidecar.
    async fn page_has(&self, page: &str, words: &str, there: bool) {
        page_has(&self.envoy, page, words, there).await;
    }

    /// [`stats`] of the sidecar.
    async fn stats<const N: usize>(&self, names: [&str; N]) -> [u64; N] {
        stats(&self.envoy, names).await
    }
}

/// The sidecar of a pod in the callers' namespace.
async fn sidecar(name: &str, pod: &Namespace, drain_seconds: u32) -> Envoy {
    pod.redirect_to_sidecar();
    let istiod = SocketAddr::from((GATEWAY, 15010));
    let mut envoy = EnvoySettings::sidecar(name, "shop", istiod)
        .metadata("DUBBO_MESH", json!("1"))
        .modules(module_dir())
        .drain_seconds(drain_seconds)
        .inside(pod)
        .start()
        .await;
    envoy.wait_until_ready().await;
    envoy
}

/// Waits until a page of a sidecar has these words, or no longer has them.
async fn page_has(envoy: &Envoy, page: &str, words: &str, there: bool) {
    let limit = Duration::from_secs(120);
    let what = format!("{words} in {page}: {there}");
    wait_until(&what, limit, async || {
        let has = envoy.page(page).await?.contains(words);
        (has == there).then_some(()).ok_or_else(|| has.to_string())
    })
    .await;
}

/// Statistics of a sidecar.
async fn stats<const N: usize>(envoy: &Envoy, names: [&str; N]) -> [u64; N] {
    let mut values = [0; N];
    for (value, name) in values.iter_mut().zip(names) {
        *value = envoy.stat(name).await.unwrap();
    }
    values
}

async fn serving(zookeeper: &ZooKeeper, text: &str) -> DubboMesh {
    let config = work_dir().join("config.yaml");
    fs::write(&config, text).unwrap();
    let config = config.to_str().unwrap();
    serve(&["--registry", &zookeeper.registry(), "--config", config]).await
}

async fn provider(name: &str, version: DubboVersion, host: u8) -> Provider {
    ProviderSettings::new(version, registry())
        .named(name)
        .set("application.name", name)
        .protocol("dubbo", 20880)
        .service(Service::new("com.acme.Greeter"))
        .inside(&Namespace::new(name, host))
        .start()
        .await
}

fn registry() -> String {
    format!("zookeeper://{GATEWAY}:2181")
}

/// A consumer that calls all the time.
struct Caller {
    consumer: Consumer,
    version: DubboVersion,
    /// From one call to the next, unless the answer takes longer.
    pause: Duration,
    answers: Vec<String>,
}

impl Caller {
    async fn start(version: DubboVersion, pod: &Namespace) -> Self {
        Self::with(version, pod, &[]).await
    }

    /// With settings of its own.
    async fn with(version: DubboVersion, pod: &Namespace, settings: &[(&str, &str)]) -> Self {
        let plain = ConsumerSettings::new(version, registry(), "com.acme.Greeter").inside(pod);
        let set = |to: ConsumerSettings, (name, value): &(&str, &str)| to.set(name, value);
        let consumer = settings.iter().fold(plain, set).start().await;
        Self {
            consumer,
            version,
            pause: Duration::ZERO,
            answers: Vec::new(),
        }
    }

    async fn call_until(&mut self, done: &Cell<bool>) {
        while !done.get() {
            let next = Instant::now() + self.pause;
            let answer = self.consumer.call("greet World").await;
            self.answers.push(answer);
            sleep_until(next).await;
        }
    }

    /// Answers that are none of a provider's.
    fn lost(&self) -> Vec<String> {
        let good = |answer: &str| answer.starts_with("RESULT hello World from ");
        let lost = self.answers.iter().enumerate().filter(|(_, a)| !good(a));
        lost.map(|(n, answer)| format!("{}, {n}: {answer}", self.version.number()))
            .collect()
    }
}

/// Something happens while all of these call.
async fn meanwhile<T>(callers: &mut [Caller], happens: impl Future<Output = T>) -> T {
    let done = Cell::new(false);
    let calls = callers.iter_mut().map(|caller| caller.call_until(&done));
    let (_, result) = futures::join!(futures::future::join_all(calls), async {
        let result = happens.await;
        done.set(true);
        result
    });
    result
}

/// Each of them makes a number of calls, and nothing else happens.
async fn rounds(callers: &mut [Caller], count: usize) {
    let calls = callers.iter_mut().map(async |caller| {
        for _ in 0..count {
            let answer = caller.consumer.call("greet World").await;
            caller.answers.push(answer);
        }
    });
    futures::future::join_all(calls).await;
}

/// No call of any of them was lost.
fn assert_none_lost(callers: &[Caller]) {
    let lost: Vec<String> = callers.iter().flat_map(Caller::lost).collect();
    assert_eq!(lost, [""; 0]);
}
