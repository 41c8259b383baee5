//! How long a new provider takes into the mesh, part by part.
//!
//! ```text
//! node written ─→ dubbo-mesh ─→ istiod ─→ Envoy ─→ first call
//!      0          client has it        /clusters   answered by the new one
//! ```
//!
//! A caller in a pod with redirection dials provider `one` all the time, one call after the other.
//! Provider `two` listens already and is registered; what it answers has come through the mesh, since
//! nobody dials it.

mod mesh;
mod observers;
mod pods;

use std::time::{Duration, Instant};

use dubbo_mesh_benches::{Summary, say};
use support::{Namespace, ZooKeeper, ZooKeeperSettings, ZooKeeperVersion, create};
use tokio::time::sleep;
use zookeeper_client::CreateMode;

use self::mesh::Mesh;
use self::observers::{Adapter, Admin, Caller};
use self::pods::{Pods, node};
use crate::table::Table;

/// Between two registrations: everybody is quiet, istiod's debounce and the rest of the adapter's clients
/// are over.
const QUIET: Duration = Duration::from_millis(700);
/// Short enough not to matter.
const HARDLY: &str = "1ms";

/// When it was seen, from the request to ZooKeeper on.
#[derive(Clone, Copy, Debug)]
struct Seen {
    adapter: Duration,
    envoy: Duration,
    call: Duration,
}

/// Registers a provider so many times, with istiod as it is and with hardly any debounce.
pub(crate) async fn run(times: usize) -> Table<3> {
    let pods = Pods::start();
    let zookeeper = ZooKeeperSettings::new(ZooKeeperVersion::V3_9)
        .tick(Duration::from_secs(2))
        // The disk is not what is measured.
        .java_option("-Dzookeeper.forceSync=no")
        .start()
        .await;
    let client = zookeeper.client().await;
    create(&client, &node(&pods.one), "", CreateMode::Persistent).await;
    let usual = series(&zookeeper, &pods, None, times).await;
    say("registrations, istiod as it is: done");
    let hasty = series(&zookeeper, &pods, Some(HARDLY), times).await;
    say("registrations, hardly any debounce: done");
    table(&usual, &hasty)
}

async fn series(
    zookeeper: &ZooKeeper,
    pods: &Pods,
    debounce: Option<&str>,
    times: usize,
) -> Vec<Seen> {
    let mesh = Mesh::start(zookeeper, pods, debounce).await;
    let mut adapter = Adapter::connect(mesh.source).await;
    let mut admin = Admin::connect().await;
    let mut caller = Caller::connect(pods);
    caller.until("one").await;
    let mut seen = Vec::new();
    for _ in 0..times {
        seen.push(register(zookeeper, &pods.two, &mut adapter, &mut admin, &mut caller).await);
    }
    adapter.stop().await;
    mesh.stop().await;
    seen
}

/// Once; and takes it back.
async fn register(
    zookeeper: &ZooKeeper,
    two: &Namespace,
    adapter: &mut Adapter,
    admin: &mut Admin,
    caller: &mut Caller,
) -> Seen {
    let client = zookeeper.client().await;
    let (address, path) = (two.address(), node(two));
    sleep(QUIET).await;
    let asked = Instant::now();
    let (_, adapter_has, envoy_has, answered) = tokio::join!(
        create(&client, &path, "", CreateMode::Persistent),
        adapter.until(address, true),
        admin.until(address, true),
        caller.until("two"),
    );
    client.delete(&path, None).await.expect("the node");
    tokio::join!(adapter.until(address, false), admin.until(address, false));
    Seen {
        adapter: adapter_has - asked,
        envoy: envoy_has - asked,
        call: answered - asked,
    }
}

fn table(usual: &[Seen], hasty: &[Seen]) -> Table<3> {
    type Part = (&'static str, fn(&Seen) -> Duration);
    let parts: [Part; 4] = [
        ("registry and adapter: dubbo-mesh's client has it", |seen| {
            seen.adapter
        }),
        ("istiod: Envoy lists the endpoint", |seen| {
            seen.envoy.saturating_sub(seen.adapter)
        }),
        ("Envoy: a call is answered by it", |seen| {
            seen.call.saturating_sub(seen.envoy)
        }),
        ("in all", |seen| seen.call),
    ];
    let row = |(name, part): Part| {
        let of = |all: &[Seen]| Summary::of(all.iter().map(part).collect()).to_string();
        [name.to_owned(), of(usual), of(hasty)]
    };
    Table {
        title: "From a provider's registration in ZooKeeper to its first call".to_owned(),
        head: ["part", "istiod as it is", "PILOT_DEBOUNCE_AFTER=1ms"],
        rows: parts.map(row).into(),
    }
}
