//! One mesh for all of the matrix: every provider in a pod of its own with a sidecar, and every consumer
//! three times, in a pod without a sidecar, with one, and with one that has our filter.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use futures::future::join_all;
use serde_json::Value;
use support::{
    Authority, DubboMesh, DubboVersion, GATEWAY, Istiod, IstiodSettings, Namespace, Provider,
    ProviderSettings, SamplerConsumer, Service, ZooKeeper, ZooKeeperVersion, create, pod,
    service_of_pod, work_dir,
};
use zookeeper_client::CreateMode;

use super::super::sidecars::{Pod, sidecar};
use super::super::{SOURCE, becomes, serve};
use super::access::{FORMAT, LOG};
use super::combination::{End, Mode, Mtls};
use super::place::{self, FILTERED, Place, STRICT};
use super::table::TABLE;

pub(super) const INTERFACE: &str = "com.acme.Sampler";
/// Our configuration.
const CONFIG: &str = "
ports: {http2: [{ports: [20880-20885], namespaces: [shop]}]}
workloads: [{cidrs: [10.77.0.11/32, 10.77.0.12/31, 10.77.0.14/31], inMesh: true}]
filter:
  options: {attachments: [color, region]}
  providers: [{ports: [20882, 20883, 20892, 20893], namespaces: [pay]}]
";

/// Everything that is there before a call.
pub(super) struct Stage {
    /// The consumers: without a sidecar, with one, and with our filter in it.
    pub(super) callers: [Caller; 3],
    pub(super) istiod: Istiod,
    pub(super) mesh: DubboMesh,
    _providers: Vec<(Pod, Provider)>,
    _zookeeper: ZooKeeper,
}

/// A pod of consumers, one of each version, with its sidecar if it has one.
pub(super) struct Caller {
    pub(super) network: Namespace,
    /// The name that the access log has.
    pub(super) name: &'static str,
    pub(super) sidecar: Option<Pod>,
    pub(super) consumers: Vec<(DubboVersion, SamplerConsumer)>,
}

impl Caller {
    pub(super) fn consumer(&mut self, version: DubboVersion) -> &mut SamplerConsumer {
        let mut consumers = self.consumers.iter_mut();
        let found = consumers.find(|(one, _)| *one == version);
        &mut found.unwrap().1
    }
}

impl Stage {
    pub(super) async fn start() -> Self {
        let callers = [(1, "bare"), (2, "plain"), (3, "filtered")]
            .map(|(host, name)| (name, Namespace::new(name, host)));
        let pods = DubboVersion::ALL.map(|version| {
            let host = place::pod_host(version);
            (version, Namespace::new(&format!("provider-{host}"), host))
        });
        fs::write(LOG, "").unwrap();
        fs::set_permissions(LOG, fs::Permissions::from_mode(0o666)).unwrap();
        let zookeeper = ZooKeeper::start(ZooKeeperVersion::V3_9).await;
        // A registry without anything is not believed.
        let client = zookeeper.client().await;
        let known = format!("/dubbo/{INTERFACE}/providers");
        create(&client, &known, "", CreateMode::Persistent).await;
        let config = work_dir().join("config.yaml");
        fs::write(&config, CONFIG).unwrap();
        let config = config.to_str().unwrap();
        let mesh = serve(&["--registry", &zookeeper.registry(), "--config", config]).await;
        let istiod = istiod().await;
        let authority = Authority::new("cluster.local");
        let [bare, plain, filtered] = callers;
        let callers = futures::join!(
            caller(bare, None),
            caller(plain, Some((false, &authority))),
            caller(filtered, Some((true, &authority))),
        );
        let providers = pods.map(|(version, network)| provider(version, network, &authority));
        let stage = Self {
            callers: [callers.0, callers.1, callers.2],
            _providers: join_all(providers).await,
            istiod,
            mesh,
            _zookeeper: zookeeper,
        };
        stage.until_known().await;
        stage
    }

    /// Waits until every sidecar has the endpoint of every place.
    async fn until_known(&self) {
        for caller in &self.callers {
            let Some(pod) = &caller.sidecar else { continue };
            becomes("all endpoints are known", true, async || {
                let clusters = pod.envoy.page("/clusters").await?;
                let known = |place: &Place| {
                    clusters.contains(&format!("{}::{}::", place.outbound(), place.address))
                };
                let missing = places().into_iter().filter(|place| !known(place));
                let missing: Vec<String> = missing.map(|place| place.outbound()).collect();
                if missing.is_empty() {
                    Ok(true)
                } else {
                    Err(missing.join(", "))
                }
            })
            .await;
        }
    }
}

/// Where providers have to listen for the table, for a comparison without a mesh, and for Triple.
fn places() -> Vec<Place> {
    let mut places: Vec<Place> = TABLE.iter().map(Place::of).collect();
    for version in DubboVersion::ALL {
        places.push(Place::at(version, End::Bare, Mode::Tcp, Mtls::Permissive));
    }
    for version in [DubboVersion::V3_2, DubboVersion::V3_3] {
        places.push(Place::unified(version));
    }
    let mut seen = BTreeSet::new();
    places.retain(|place| seen.insert(place.group.clone()));
    places
}

pub(super) fn registry() -> String {
    format!("zookeeper://{GATEWAY}:2181")
}

async fn istiod() -> Istiod {
    let resources = work_dir().join("resources");
    fs::create_dir(&resources).unwrap();
    fs::write(resources.join("own.yaml"), policies()).unwrap();
    IstiodSettings::new(&[SOURCE, &format!("fs://{}", resources.display())])
        .mesh("enableAutoMtls: true")
        .mesh(&format!(
            "accessLogFile: {LOG}\naccessLogFormat: {FORMAT:?}"
        ))
        .kubernetes(objects())
        .start()
        .await
}

/// What each provider's sidecar takes, by port.
fn policies() -> String {
    let ports: String = STRICT
        .iter()
        .map(|port| format!("    {port}: {{mode: STRICT}}\n"))
        .collect();
    let mut all = String::new();
    for version in DubboVersion::ALL {
        let name = pod_name(version);
        let _ = write!(
            all,
            "---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {{name: {name}, namespace: pay}}
spec:
  selector: {{matchLabels: {{app: {name}}}}}
  mtls: {{mode: PERMISSIVE}}
  portLevelMtls:
{ports}"
        );
    }
    all
}

pub(super) fn pod_name(version: DubboVersion) -> String {
    format!("provider-{}", place::pod_host(version))
}

/// The pods of the providers, and for the ports that our filter has there Services, by which istiod makes
/// HTTP chains of them.
fn objects() -> Vec<Value> {
    let mut objects: Vec<Value> = Vec::new();
    for version in DubboVersion::ALL {
        let (name, address) = (pod_name(version), place::pod(version));
        objects.extend(pod(&name, "pay", address));
        objects.extend(service_of_pod(&name, "pay", address, &FILTERED, "http2"));
    }
    let mut seen = BTreeSet::new();
    objects.retain(|object| seen.insert(object["metadata"]["uid"].to_string()));
    objects
}

async fn caller(
    (name, network): (&'static str, Namespace),
    with: Option<(bool, &Authority)>,
) -> Caller {
    let sidecar = match with {
        Some((module, authority)) => {
            Some(sidecar(name, "shop", network.clone(), module, authority).await)
        }
        None => None,
    };
    let consumers = DubboVersion::ALL.map(async |version| {
        let dir = format!("{name}-{}", version.number());
        let consumer = SamplerConsumer::start(version, registry(), &network, &dir).await;
        (version, consumer)
    });
    Caller {
        consumers: join_all(consumers).await,
        network,
        name,
        sidecar,
    }
}

async fn provider(
    version: DubboVersion,
    network: Namespace,
    authority: &Authority,
) -> (Pod, Provider) {
    let name = pod_name(version);
    let pod = sidecar(&name, "pay", network, true, authority).await;
    pod.network.bare_address(place::bare_host(version));
    let mut settings = ProviderSettings::new(version, registry())
        .named(version.number())
        .set("application.name", "acme-sampler")
        .inside(&pod.network);
    if matches!(
        version,
        DubboVersion::V3_1 | DubboVersion::V3_2 | DubboVersion::V3_3
    ) {
        // An application as a whole has one address a protocol; this one has many.
        settings = settings.set("registry.registerMode", "interface");
    }
    let places = places()
        .into_iter()
        .filter(|place| place.provider == version);
    for (number, place) in places.enumerate() {
        let service = Service::new(INTERFACE)
            .set("group", &place.group)
            .set("protocol", number);
        settings = settings
            .protocol("dubbo", place.address.port())
            .set(&format!("protocol.{number}.id"), format!("p{number}"))
            .set(&format!("protocol.{number}.host"), place.address.ip())
            .service(service);
        if place.address.port() == place::UNIFIED {
            settings = settings.set(&format!("protocol.{number}.extProtocol"), "tri");
        }
    }
    (pod, settings.start().await)
}
