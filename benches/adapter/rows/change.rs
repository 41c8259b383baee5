//! From a change in the registry to the complete new set at a client, from quiet, beside the time in
//! which a bare server sends as much to the same client. By turns.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;
use std::time::{Duration, Instant};

use dubbo_codec::ServiceKey;
use dubbo_mesh_benches::{Answer, Client, Summary, megabytes, say, time};
use futures::future;
use support::{Process, fresh_dir};
use tokio::time::sleep;

use crate::mesh::Mesh;
use crate::registry::Registry;
use crate::table::Row;
use crate::tree::interface;

/// Where the bare server listens.
const BARE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 18900);
/// A client rests between an acknowledgement and the next set: as long as it took for the last one,
/// at least 100 ms. Quiet is when that is over.
const QUIET: Duration = Duration::from_millis(200);
/// How long a removed provider stays published (the default of `removal.delay`).
const REMOVAL_DELAY: Duration = Duration::from_secs(1);
/// Interfaces are visited in steps of this, which visits each of them once.
const STEP: usize = 37;

/// What is bound: a fixed time, or one on top of that of the bare stream.
#[derive(Clone, Copy)]
pub(crate) enum Bound {
    Fixed(Duration),
    OverBare(Duration),
}

/// Changes a registry: half of `count` are new providers, half new weights; then takes the new
/// providers away.
pub(crate) async fn run(registry: &mut Registry, count: usize, bound: Bound) -> [Row; 2] {
    let mut mesh = Measured::start(registry).await;
    let (interfaces, added) = (registry.tree.size.interfaces, registry.tree.size.providers);
    let mut changes = Vec::new();
    for n in 0..count {
        let at = n * STEP % interfaces;
        let took = match n % 2 {
            0 => mesh.time(registry, at, Change::Add(added)).await,
            _ => mesh.time(registry, at, Change::Reweight(n % added)).await,
        };
        changes.push(took);
    }
    let mut removals = Vec::new();
    for n in (0..count).step_by(2) {
        let at = n * STEP % interfaces;
        removals.push(mesh.time(registry, at, Change::Remove(added)).await);
    }
    let name = registry.tree.size.name;
    say(&format!("changes of {name}: done"));
    mesh.rows(name, changes, removals, bound).await
}

#[derive(Clone, Copy)]
enum Change {
    Add(usize),
    Reweight(usize),
    Remove(usize),
}

/// A mesh and a bare server, each with a client.
struct Measured {
    mesh: Mesh,
    client: Client,
    version: String,
    bare: Client,
    bare_took: Vec<Duration>,
    bytes: usize,
    _server: Process,
}

impl Measured {
    async fn start(registry: &Registry) -> Self {
        let mesh = Mesh::start(&registry.url(), 0);
        let mut client = mesh.client().await;
        let answer = client.answer().await;
        client.acknowledge(&answer);
        let dir = fresh_dir("bare-send");
        let file = dir.join("payload");
        fs::write(&file, &answer.bytes).expect("a file");
        let program = std::env::current_exe().expect("the path of this program");
        let mut command = Command::new(program);
        command.args(["bare-send", &BARE.to_string()]).arg(&file);
        let server = Process::spawn(&dir, &mut command);
        Self {
            mesh,
            client,
            version: answer.version,
            bare: Client::connect(BARE, Duration::from_secs(10)).await,
            bare_took: Vec::new(),
            bytes: answer.bytes.len(),
            _server: server,
        }
    }

    /// Makes one change, waits for the set that shows it, and checks that.
    async fn time(&mut self, registry: &mut Registry, at: usize, change: Change) -> Duration {
        sleep(QUIET).await;
        let asked = async {
            match change {
                Change::Add(instance) => registry.add(at, instance).await,
                Change::Reweight(instance) => registry.reweight(at, instance).await,
                Change::Remove(instance) => registry.remove(at, instance).await,
            }
        };
        let arrived = async { (self.client.message().await, Instant::now()) };
        let (asked, (message, arrived)) = future::join(asked, arrived).await;
        let took = arrived - asked;
        let answer = Answer::read(message);
        self.client.acknowledge(&answer);
        assert_ne!(answer.version, self.version);
        let key = ServiceKey::new(&interface(at), "", registry.tree.version(at));
        let host = key.expect("an interface").host();
        assert_eq!(answer.endpoints(&host), registry.tree.expected(at));
        self.version = answer.version;
        // A set that took long has a longer rest.
        sleep(took.saturating_sub(REMOVAL_DELAY)).await;
        self.send_bare().await;
        took
    }

    async fn send_bare(&mut self) {
        let began = Instant::now();
        self.bare.nudge();
        let message = self.bare.message().await;
        self.bare_took.push(began.elapsed());
        assert_eq!(message.len(), self.bytes);
    }

    async fn rows(
        self,
        name: &str,
        changes: Vec<Duration>,
        removals: Vec<Duration>,
        bound: Bound,
    ) -> [Row; 2] {
        let bare = Summary::of(self.bare_took);
        let (limit, words) = match bound {
            Bound::Fixed(limit) => (limit, time(limit)),
            Bound::OverBare(more) => {
                let limit = more + 2 * bare.median();
                let words = format!("{} + 2 x bare = {}", time(more), time(limit));
                (limit, words)
            }
        };
        let note = format!(
            "from the request to ZooKeeper to the last byte; a set has {}, which the bare stream \
             sends in {bare}",
            megabytes(self.bytes as u64)
        );
        self.mesh.stop().await;
        let (changes, removals) = (Summary::of(changes), Summary::of(removals));
        let late = REMOVAL_DELAY + limit;
        [
            Row {
                what: format!("added or re-weighted to client has it, {name}"),
                measured: changes.to_string(),
                bound: words.clone(),
                met: changes.median() <= limit,
                note: note.clone(),
            },
            Row {
                what: format!("removed to client has it, {name}"),
                measured: removals.to_string(),
                bound: format!("1 s + {words}"),
                met: removals.median() <= late,
                note,
            },
        ]
    }
}
