//! `dubbo-mesh` or istiod is away for long, an hour if asked for: steady calls of three versions go on, half
//! of them by mutual TLS with certificates that end and are renewed all the time.
//!
//! ```text
//!                                        ┌─ inside, a sidecar    2.7.23   mutual TLS
//! shop, sidecar with the filter ─routed─ ┼─ bare                 3.3.6    leaves at the end
//! 2.6.12, 2.7.23, 3.3.6: 20 calls/s each └─ late                 2.7.23   comes in the middle
//! ```

use std::fmt::Write as _;
use std::fs;
use std::time::{Duration, Instant};

use support::{
    Authority, DubboMesh, DubboVersion, Envoy, Istiod, IstiodSettings, Namespace, Provider,
    ProviderSettings, Secrets, Service, ZooKeeper, ZooKeeperVersion, isolated_for, wait_until,
    work_dir,
};
use tokio::time::sleep;

use super::super::SOURCE;
use super::mixed::sidecar;
use super::{Caller, OUTBOUND, PASSED, ROUTED, meanwhile, registry, serving};

/// For how many minutes a part is away; one if it is not set.
const MINUTES: &str = "DUBBO_MESH_AWAY_MINUTES";
/// Between the calls of a consumer.
const PAUSE: Duration = Duration::from_millis(50);
/// For how long calls are watched after a change.
const WATCHED: Duration = Duration::from_secs(10);
/// For how long istiod, or a sidecar, may take to try again what it has tried in vain for an hour.
const FOUND_AGAIN: Duration = Duration::from_secs(120);
/// Phases in which the sidecar calls a provider that has left.
const LEAVES: &str = "away, and a provider leaves";
const RETURNS: &str = "it comes back";
/// Of the caller's sidecar with the provider's.
const HANDSHAKES: &str = "cluster.outbound|20880||com.acme.greeter.dubbo;.ssl.handshake";

/// What is away.
#[derive(Debug, Clone, Copy)]
enum Away {
    DubboMesh,
    Istiod,
}

#[test]
#[ignore = "minutes, or an hour: see tests/README.md"]
fn dubbo_mesh_is_away_for_long() {
    isolated_for(limit(), async || goes_on_without(Away::DubboMesh).await);
}

#[test]
#[ignore = "minutes, or an hour: see tests/README.md"]
fn istiod_is_away_for_long() {
    isolated_for(limit(), async || goes_on_without(Away::Istiod).await);
}

fn away_for() -> Duration {
    let minutes = std::env::var(MINUTES).map_or(1, |text| text.parse().expect("minutes"));
    Duration::from_secs(60 * minutes)
}

fn limit() -> Duration {
    away_for() + Duration::from_secs(300)
}

async fn goes_on_without(part: Away) {
    let (mut mesh, mut calling) = Long::start().await;
    let time = away_for();
    mesh.watch("all is there", &mut calling, async |_| sleep(WATCHED).await)
        .await;

    mesh.goes(part).await;
    let comes = async |mesh: &mut Long| {
        sleep(time / 2).await;
        mesh.add("late", 4).await;
        sleep(time / 2).await;
    };
    mesh.watch("away", &mut calling, comes).await;
    mesh.has_endpoints(&[2, 3]).await;
    let leaves = async |mesh: &mut Long| {
        mesh.providers.remove(0).stop().await;
        sleep(WATCHED).await;
    };
    mesh.watch(LEAVES, &mut calling, leaves).await;

    let back = async |mesh: &mut Long| {
        mesh.is_back(part).await;
        mesh.has_endpoints(&[2, 4]).await;
    };
    mesh.watch(RETURNS, &mut calling, back).await;
    mesh.watch("it is back", &mut calling, async |_| sleep(WATCHED).await)
        .await;
    assert!(!mesh.renewing.is_finished());
    mesh.assert_lost_none_but_of_who_left();
}

/// Everything that is there before a call.
struct Long {
    envoy: Envoy,
    providers: Vec<Provider>,
    istiod: Option<Istiod>,
    mesh: Option<DubboMesh>,
    config: String,
    renewing: tokio::task::JoinHandle<()>,
    zookeeper: ZooKeeper,
    _inside: Envoy,
    /// What was seen: a line for each phase.
    story: String,
    /// The calls that were lost, with their phase.
    lost: Vec<String>,
}

impl Long {
    async fn start() -> (Self, Vec<Caller>) {
        let [shop, inside, bare] = [("caller", 1), ("inside", 2), ("bare", 3)]
            .map(|(name, host)| Namespace::new(name, host));
        let zookeeper = ZooKeeper::start(ZooKeeperVersion::V3_9).await;
        let mut providers = vec![provider("bare", DubboVersion::V3_3, &bare).await];
        let config = format!(
            "ports: {{http2: [{{ports: [20880], namespaces: [shop]}}]}}
workloads: [{{cidrs: [{}], inMesh: true}}]
filter: {{}}\n",
            inside.address()
        );
        let mesh = serving(&zookeeper, &config).await;
        let istiod = istiod().await;
        let authority = Authority::new("cluster.local");
        let at_provider = sidecar("inside", "pay", &inside, &authority).await;
        providers.push(provider("inside", DubboVersion::V2_7, &inside).await);
        let at_caller = sidecar("caller", "shop", &shop, &authority).await;
        let renewing = renew(authority, at_caller.secrets, at_provider.secrets);
        let long = Self {
            envoy: at_caller.envoy,
            providers,
            istiod: Some(istiod),
            mesh: Some(mesh),
            config,
            renewing: tokio::spawn(renewing),
            zookeeper,
            _inside: at_provider.envoy,
            story: String::new(),
            lost: Vec::new(),
        };
        long.has_endpoints(&[2, 3]).await;
        let mut callers = Vec::new();
        for version in [DubboVersion::V2_6, DubboVersion::V2_7, DubboVersion::V3_3] {
            let mut caller = Caller::start(version, &shop).await;
            caller.pause = PAUSE;
            callers.push(caller);
        }
        (long, callers)
    }

    async fn add(&mut self, name: &str, host: u8) {
        let pod = Namespace::new(name, host);
        let late = provider(name, DubboVersion::V2_7, &pod).await;
        self.providers.push(late);
    }

    async fn has_endpoints(&self, hosts: &[u8]) {
        let address = |host: &u8| format!("10.77.0.{host}:20880");
        let all: Vec<String> = hosts.iter().map(address).collect();
        wait_until("its endpoints", FOUND_AGAIN, async || {
            match self.envoy.endpoints(OUTBOUND).await? {
                there if there == all => Ok(()),
                there => Err(format!("{there:?} instead of {all:?}")),
            }
        })
        .await;
    }

    /// A provider that leaves while nobody can tell the sidecar fails the calls that it had, and those that
    /// Istio's own retries, two for each call, bring to it again and again.
    fn assert_lost_none_but_of_who_left(&self) {
        let excused = |call: &&String| {
            call.starts_with(LEAVES) || call.starts_with(RETURNS) && call.contains("status 503")
        };
        let (few, none): (Vec<_>, Vec<_>) = self.lost.iter().partition(excused);
        assert_eq!(none, [""; 0], "{}", self.story);
        assert!(few.len() < 30, "{}\n{few:?}", self.story);
    }

    async fn goes(&mut self, part: Away) {
        match part {
            Away::DubboMesh => drop(self.mesh.take()),
            Away::Istiod => self.istiod.take().expect("istiod").stop().await,
        }
    }

    async fn is_back(&mut self, part: Away) {
        match part {
            Away::DubboMesh => self.mesh = Some(serving(&self.zookeeper, &self.config).await),
            Away::Istiod => self.istiod = Some(istiod().await),
        }
    }

    /// Calls while this happens, all of them routed. What came of it is kept in the file `story`.
    async fn watch(
        &mut self,
        phase: &str,
        callers: &mut [Caller],
        happens: impl AsyncFnOnce(&mut Self),
    ) {
        let (before, began) = (self.stats().await, Instant::now());
        meanwhile(callers, happens(self)).await;
        let time = began.elapsed().as_secs();
        let after = self.stats().await;
        let [routed, passed, handshakes] = [0, 1, 2].map(|n| after[n] - before[n]);
        let (mut made, mut answered) = (Vec::new(), 0);
        for caller in callers {
            let lost = caller.lost();
            let number = caller.version.number();
            made.push(format!("{number} {}-{}", caller.answers.len(), lost.len()));
            answered += caller.answers.len() - lost.len();
            self.lost
                .extend(lost.iter().map(|call| format!("{phase}: {call}")));
            caller.answers.clear();
        }
        let made = made.join(", ");
        let counted = format!("{routed} routed, {passed} passed, {handshakes} handshakes");
        writeln!(
            self.story,
            "{phase}, {time} s: calls-lost {made}; {counted}"
        )
        .unwrap();
        fs::write(work_dir().join("story"), &self.story).unwrap();
        assert!(routed >= answered as u64, "{}", self.story);
    }

    async fn stats(&self) -> [u64; 3] {
        let mut values = [0; 3];
        for (value, name) in values.iter_mut().zip([ROUTED, PASSED, HANDSHAKES]) {
            *value = self.envoy.stat(name).await.unwrap();
        }
        values
    }
}

/// Both sidecars get certificates that end when a tenth of the time is over, twice as often, for ever.
async fn renew(authority: Authority, caller: Secrets, inside: Secrets) {
    let life = away_for() / 10;
    loop {
        caller.renew(&authority.workload_for("shop", "caller", life));
        inside.renew(&authority.workload_for("pay", "inside", life));
        sleep(life / 2).await;
    }
}

async fn istiod() -> Istiod {
    let resources = work_dir().join("resources");
    fs::create_dir_all(&resources).unwrap();
    fs::write(resources.join("own.yaml"), RULE).unwrap();
    IstiodSettings::new(&[SOURCE, &format!("fs://{}", resources.display())])
        .mesh("enableAutoMtls: true")
        .start()
        .await
}

/// Connections that end after a while, so that certificates are looked at again.
const RULE: &str = "
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: greeter, namespace: shop}
spec:
  host: com.acme.greeter.dubbo
  trafficPolicy: {connectionPool: {http: {maxRequestsPerConnection: 100}}}
";

async fn provider(name: &str, version: DubboVersion, pod: &Namespace) -> Provider {
    ProviderSettings::new(version, registry())
        .named(name)
        .set("application.name", name)
        .protocol("dubbo", 20880)
        .service(Service::new("com.acme.Greeter"))
        .inside(pod)
        .start()
        .await
}
