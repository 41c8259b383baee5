//! What the filter in Envoy costs, beside what else Envoy could do with the same calls: one run, a
//! few tables, and an exit status of 1 if a bound is missed. See `benches/README.md`.
//!
//! ```text
//! schedule ─→ caller ─→ Envoys ─→ provider        CPU time of the Envoys, latency of the caller
//! ZooKeeper ─→ dubbo-mesh ─→ istiod ─→ Envoy      how long until a new provider has its first call
//! ```
//!
//! It runs itself again in namespaces of its own: nothing reaches the network, and nothing is left
//! behind.

mod bootstrap;
mod dubbo;
mod http2;
mod load;
mod pace;
mod paths;
mod payload;
mod provider;
mod record;
mod registration;
mod report;
mod rounds;
mod table;

use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use dubbo_mesh_benches::{again, load as load_average, locked, machine, said};
use support::{installed, is_alone};

use crate::load::{CONNECTIONS, Cell};
use crate::paths::{FILTER, Path, ROAD};
use crate::payload::{PAYLOADS, SMALL};

/// Measures the filter in Envoy: proxy CPU time for each call beside Envoy's own proxies, the latency of
/// the whole road, and how long a new provider takes into the mesh.
///
/// The CPU time is the verdict; it is compared with that of other paths in the same round. Needs root,
/// and what `tests/setup` installs.
#[derive(Debug, Parser)]
#[command(
    after_help = "About eleven minutes with all tables. For a first look, half a minute:
  envoy --tables filter --rows bridge,socket --rates 2000 --seconds 1 --rounds 3
Run it on a machine that does nothing else: latency means nothing where others run, and of the CPU
times only the ratios do."
)]
struct Options {
    /// Only these tables
    #[arg(long, value_delimiter = ',', value_enum, default_values = ["filter", "road", "registration"])]
    tables: Vec<TableName>,
    /// Only these paths of the first two tables, with the paths that they are compared with
    #[arg(long, value_delimiter = ',', value_enum)]
    rows: Vec<Path>,
    /// Calls a second, over all connections; several are measured one after the other
    #[arg(long, value_delimiter = ',', default_values_t = [2000, 5000])]
    rates: Vec<u32>,
    /// How long each path is measured in each round
    #[arg(long, default_value_t = 1.2)]
    seconds: f64,
    /// How many times all of them are measured by turns
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// How many times a provider is registered, with istiod as it is and with hardly any debounce
    #[arg(long, default_value_t = 20)]
    registrations: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum TableName {
    /// CPU time and latency of each path, for three kinds of calls
    Filter,
    /// Latency and CPU time with two sidecars
    Road,
    /// From the registry to the first call
    Registration,
}

fn main() -> ExitCode {
    let options = Options::parse();
    if !is_alone() {
        return again("envoy");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(measure(&options))
}

async fn measure(options: &Options) -> ExitCode {
    let before = load_average();
    let cells = cells(options);
    let mut out = std::io::stdout();
    let mut met = true;
    if !cells.is_empty() {
        let length = Duration::from_secs_f64(options.seconds);
        let seen = rounds::run(&cells, options.rounds, length).await;
        if options.tables.contains(&TableName::Filter) {
            let (tables, all_met) = report::filter(&seen, &options.rates);
            met = all_met;
            tables
                .iter()
                .for_each(|table| print(&mut out, &format!("\n{table}")));
        }
        if options.tables.contains(&TableName::Road) {
            print(
                &mut out,
                &format!("\n{}", report::road(&seen, &options.rates)),
            );
        }
    }
    if options.tables.contains(&TableName::Registration) {
        let table = registration::run(options.registrations).await;
        print(&mut out, &format!("\n{table}"));
    }
    print(&mut out, "\n");
    for (name, value) in settings(options, &before) {
        print(&mut out, &format!("{name:<9} {value}\n"));
    }
    match met {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

fn print(out: &mut impl std::io::Write, text: &str) {
    out.write_all(text.as_bytes())
        .expect("a reader of the tables");
}

/// What is to be measured, each cell once.
fn cells(options: &Options) -> Vec<Cell> {
    let mut wanted = options.rows.clone();
    while let Some((_, missing)) = wanted
        .iter()
        .filter_map(|path| path.bound())
        .find(|(_, reference)| !wanted.contains(reference))
    {
        wanted.push(missing);
    }
    let rates = &options.rates;
    let mut cells = Vec::new();
    if options.tables.contains(&TableName::Filter) {
        let of = |payload| report::cells(payload, rates, &FILTER);
        cells.extend(PAYLOADS.into_iter().flat_map(of));
    }
    if options.tables.contains(&TableName::Road) {
        let more: Vec<_> = report::cells(SMALL, rates, &ROAD)
            .filter(|cell| !cells.contains(cell))
            .collect();
        cells.extend(more);
    }
    cells.retain(|cell| options.rows.is_empty() || wanted.contains(&cell.path));
    cells
}

/// As it says itself, without where it is.
fn envoy() -> String {
    let said = said(installed("envoy"), &["--version"]);
    let version = said
        .split_once("version:")
        .map(|(_, version)| version.trim());
    format!("Envoy {}", version.unwrap_or("?"))
}

fn settings(options: &Options, load_before: &str) -> Vec<(&'static str, String)> {
    let versions = format!(
        "dubbo-mesh {} ({}), {}, h2 {}, {}",
        env!("CARGO_PKG_VERSION"),
        said("git", &["describe", "--always", "--dirty"]),
        envoy(),
        locked("h2"),
        said("rustc", &["--version"]),
    );
    let load = format!("{load_before} before, {} after", load_average());
    let calls = format!(
        "{} rounds by turns of {} s each; {CONNECTIONS} connections, calls sent when they are due whatever \
         became of others; answers of 97 B",
        options.rounds, options.seconds
    );
    let figures = "medians of the rounds; CPU: user and system time of all proxies on the road, one \
                   worker each; latency: from when a call was due; each answer is checked";
    vec![
        ("machine", machine()),
        ("load", load),
        ("versions", versions),
        ("calls", calls),
        ("figures", figures.to_owned()),
    ]
}
