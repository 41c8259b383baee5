//! CPU time of one endpoint change, besides sending: nobody is connected. Both sizes by turns.

use std::time::Duration;

use dubbo_mesh_benches::{Summary, cpu, say, time};
use tokio::time::{interval, sleep};

use crate::mesh::Mesh;
use crate::registry::Registry;
use crate::table::Row;

/// Between two changes: each is taken in and published alone.
const PACE: Duration = Duration::from_millis(5);
/// Turns of each size.
const TURNS: usize = 8;
/// Until what was asked last is done.
const SETTLED: Duration = Duration::from_millis(300);
/// The source asks for the state of every directory once a minute, whatever changes; that is not the
/// cost of a change.
const RARE_AUDITS: &str = "audit-interval=1h";
/// At most so many times as much for the large registry.
const FACTOR: f64 = 1.5;
/// Interfaces are visited in steps of this, which visits each of them once.
const STEP: usize = 37;

pub(crate) async fn run(small: &mut Registry, large: &mut Registry, count: usize) -> Row {
    let each = count.div_ceil(TURNS);
    let url = |registry: &Registry| format!("{}?{RARE_AUDITS}", registry.url());
    let mut meshes = [Mesh::start(&url(small), 0), Mesh::start(&url(large), 1)];
    for mesh in &meshes {
        // Only to know that all is loaded; it goes at once.
        mesh.client().await.answer().await;
    }
    sleep(SETTLED).await;
    let mut costs = [Vec::new(), Vec::new()];
    let mut published = [0, 0];
    for turn in 0..TURNS {
        for (n, registry) in [&mut *small, &mut *large].into_iter().enumerate() {
            let before = meshes[n].published().await;
            costs[n].push(cost(registry, meshes[n].pid(), turn * each, each).await);
            published[n] += meshes[n].published().await - before;
        }
        say(&format!(
            "CPU, turn {}: {:?}, {:?}",
            turn + 1,
            costs[0][turn],
            costs[1][turn]
        ));
    }
    let [of_small, of_large] = costs.map(Summary::of);
    for mesh in meshes {
        mesh.stop().await;
    }
    let ratio = of_large.median().as_secs_f64() / of_small.median().as_secs_f64();
    let names = [small.tree.size.name, large.tree.size.name];
    Row {
        what: format!("CPU of a change, {} beside {}", names[1], names[0]),
        measured: format!("{} = {ratio:.2} x", time(of_large.median())),
        bound: format!("{FACTOR} x {}", time(of_small.median())),
        met: ratio <= FACTOR,
        note: format!(
            "user and system time of all threads, no client connected, {} new weights at 200 a \
             second, in {TURNS} turns, {RARE_AUDITS}: {} {of_small}, {} {of_large}; states published \
             {} and {}",
            TURNS * each,
            names[0],
            names[1],
            published[0],
            published[1]
        ),
    }
}

/// Of each of `count` changes.
async fn cost(registry: &mut Registry, pid: u32, first: usize, count: usize) -> Duration {
    let (interfaces, providers) = (registry.tree.size.interfaces, registry.tree.size.providers);
    let mut tick = interval(PACE);
    let before = cpu(pid);
    for n in first..first + count {
        tick.tick().await;
        let instance = n / interfaces % providers;
        registry.reweight(n * STEP % interfaces, instance).await;
    }
    sleep(SETTLED).await;
    (cpu(pid) - before) / u32::try_from(count).expect("a few thousand")
}
