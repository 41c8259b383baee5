//! Memory of the process: at its peak while it loads, and after minutes of changes that three
//! clients follow.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use dubbo_mesh_benches::{Answer, Client, megabytes, peak, resident, say};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::mesh::Mesh;
use crate::registry::Registry;
use crate::table::Row;

const CLIENTS: usize = 3;
/// Between two changes.
const PACE: Duration = Duration::from_millis(10);
/// In bytes.
const STEADY: u64 = 150_000_000;
const PEAK: u64 = 2 * STEADY;
/// Longer than a removal, a rest and a push take together.
const SETTLED: Duration = Duration::from_secs(4);
/// Interfaces are visited in steps of this, which visits each of them once.
const STEP: usize = 37;

pub(crate) async fn run(registry: &mut Registry, minutes: f64) -> [Row; 2] {
    let mut mesh = Mesh::start(&registry.url(), 0);
    let pid = mesh.pid();
    let mut followers = Vec::new();
    for _ in 0..CLIENTS {
        followers.push(Follower::start(mesh.client().await));
    }
    for follower in &mut followers {
        follower.first().await;
    }
    let peak_loading = peak(pid);
    let length = Duration::from_secs_f64(minutes * 60.0);
    let (samples, changes) = change(registry, pid, length).await;
    sleep(SETTLED).await;
    let settled = resident(pid);
    let mut sets = 0;
    for follower in followers {
        sets += follower.sets.load(Ordering::Relaxed);
        let last = follower.stop();
        assert_eq!(last.resources, registry.tree.size.interfaces);
        assert_eq!(last.endpoint_count(), registry.tree.len());
    }
    let peak_ever = peak(pid);
    mesh.stop().await;
    let last = &samples[samples.len() - samples.len().div_ceil(10)..];
    let most = last.iter().copied().max().unwrap_or_default().max(settled);
    let name = registry.tree.size.name;
    [
        Row {
            what: format!("resident memory after changes, {name}"),
            measured: megabytes(most),
            bound: megabytes(STEADY),
            met: most <= STEADY,
            note: format!(
                "{CLIENTS} clients, {changes} changes in {minutes} minutes (half new weights, a \
                 quarter each that left and came), {sets} sets sent; the largest of each second's \
                 value in the last tenth of the time; {} when all was quiet; peak of the whole run {}",
                megabytes(settled),
                megabytes(peak_ever)
            ),
        },
        Row {
            what: format!("peak memory while loading, {name}"),
            measured: megabytes(peak_loading),
            bound: megabytes(PEAK),
            met: peak_loading <= PEAK,
            note: format!("VmHWM when {CLIENTS} clients had their first answer"),
        },
    ]
}

/// Changes the registry at its pace; what was resident after each second, and how many there were.
async fn change(registry: &mut Registry, pid: u32, length: Duration) -> (Vec<u64>, usize) {
    let mut tick = interval(PACE);
    tick.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let began = Instant::now();
    let (mut samples, mut changes) = (Vec::new(), 0);
    while began.elapsed() < length {
        tick.tick().await;
        change_one(registry, changes).await;
        changes += 1;
        if began.elapsed() >= Duration::from_secs(samples.len() as u64 + 1) {
            samples.push(resident(pid));
            if samples.len() % 60 == 0 {
                let now = samples.last().copied().unwrap_or_default();
                say(&format!("memory, {} s: {}", samples.len(), megabytes(now)));
            }
        }
    }
    (samples, changes)
}

async fn change_one(registry: &mut Registry, n: usize) {
    let (interfaces, providers) = (registry.tree.size.interfaces, registry.tree.size.providers);
    let at = n / 2 * STEP % interfaces;
    let instance = n / 2 / interfaces % providers;
    if n.is_multiple_of(2) {
        let next = (instance + 1) % providers;
        if registry.tree.is_registered(at, next) {
            registry.reweight(at, next).await;
            return;
        }
    }
    if registry.tree.is_registered(at, instance) {
        registry.remove(at, instance).await;
    } else {
        registry.add(at, instance).await;
    }
}

/// A client that takes what comes.
struct Follower {
    task: JoinHandle<()>,
    last: watch::Receiver<Option<Answer>>,
    sets: Arc<AtomicU64>,
}

impl Follower {
    fn start(mut client: Client) -> Self {
        let (told, last) = watch::channel(None);
        let sets = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&sets);
        let task = tokio::spawn(async move {
            loop {
                // Before the next one comes, so that two are not held at once.
                let answer = client.answer().await;
                client.acknowledge(&answer);
                counted.fetch_add(1, Ordering::Relaxed);
                told.send_replace(Some(answer));
            }
        });
        Self { task, last, sets }
    }

    async fn first(&mut self) {
        let seen = self.last.wait_for(Option::is_some).await;
        drop(seen.expect("a first answer"));
    }

    fn stop(self) -> Answer {
        self.task.abort();
        let last = self.last.borrow().clone();
        last.expect("an answer, which `first` waited for")
    }
}
