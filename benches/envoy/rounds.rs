//! All cells by turns, round after round: what is compared was measured next to one another.

use std::collections::HashMap;
use std::time::Duration;

use dubbo_mesh_benches::say;
use support::{Authority, Envoy, EnvoySettings, module_dir};

use crate::bootstrap;
use crate::load::{Cell, Sample, measure};
use crate::provider::Provider;

/// The samples of every cell, one for each round.
#[derive(Debug, Default)]
pub(crate) struct Seen(HashMap<Cell, Vec<Sample>>);

impl Seen {
    /// The medians of a cell; `None` if it was not measured.
    pub(crate) fn median(&self, cell: Cell) -> Option<Sample> {
        let samples = self.0.get(&cell)?;
        let of = |value: fn(&Sample) -> Duration| median(samples.iter().map(value).collect());
        Some(Sample {
            cpu: of(|sample| sample.cpu),
            p50: of(|sample| sample.p50),
            p99: of(|sample| sample.p99),
        })
    }

    /// The median of how many times as much CPU time `cell` took as `reference` of the same round.
    pub(crate) fn ratio(&self, cell: Cell, reference: Cell) -> Option<f64> {
        let pairs = self.0.get(&cell)?.iter().zip(self.0.get(&reference)?);
        let ratios =
            pairs.map(|(sample, other)| sample.cpu.as_secs_f64() / other.cpu.as_secs_f64());
        let mut ratios: Vec<_> = ratios.collect();
        ratios.sort_unstable_by(f64::total_cmp);
        Some(ratios[ratios.len() / 2])
    }
}

fn median(mut all: Vec<Duration>) -> Duration {
    all.sort_unstable();
    all[all.len() / 2]
}

/// Starts everybody, and measures every cell in every round.
pub(crate) async fn run(cells: &[Cell], rounds: usize, length: Duration) -> Seen {
    let provider = Provider::start();
    let authority = Authority::new("cluster.local");
    let tls = |account| bootstrap::tls(&authority, account);
    let caller_side = envoy("caller", bootstrap::caller(&tls("caller")), 15000).await;
    let provider_side = envoy("provider", bootstrap::provider(&tls("provider")), 15001).await;
    let proxies = [&caller_side, &provider_side].map(|envoy| envoy.process().id());
    let mut seen = Seen::default();
    for round in 0..rounds {
        // There and back again, so that none is always the first.
        let mut turns = cells.to_vec();
        if round % 2 == 1 {
            turns.reverse();
        }
        for cell in turns {
            let provider = provider.clone();
            let turn =
                tokio::task::spawn_blocking(move || measure(cell, length, &proxies, &provider));
            let sample = turn.await.expect("a turn without a mistake");
            seen.0.entry(cell).or_default().push(sample);
        }
        say(&format!("round {} of {rounds}", round + 1));
    }
    caller_side.stop().await;
    provider_side.stop().await;
    seen
}

/// With one worker, and silent.
async fn envoy(name: &str, bootstrap: serde_json::Value, admin: u16) -> Envoy {
    let settings = EnvoySettings::new(name, bootstrap).modules(module_dir());
    settings
        .admin_port(admin)
        .log_level("warning")
        .start()
        .await
}
