//! How fast and how large `dubbo-mesh serve` is against a real ZooKeeper: one run, one table, and an
//! exit status of 1 if a bound is missed. See `benches/README.md`.
//!
//! ```text
//! trees S and M ─→ ZooKeeper ─→ dubbo-mesh ─→ clients       measured
//!                      └──────→ bare list, bare stream      what it is measured against
//! ```
//!
//! It runs itself again in namespaces of its own: every server has its usual port, nothing reaches
//! the network, and nothing is left behind.

mod bare;
mod mesh;
mod registry;
mod rows;
mod table;
mod tree;

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand, ValueEnum};
use dubbo_mesh_benches::{again, load, locked, machine, said, say, time};
use support::{ZooKeeper, ZooKeeperSettings, ZooKeeperVersion};
use support::{dubbo_mesh, is_alone};

use crate::registry::Registry;
use crate::rows::change::{self, Bound};
use crate::rows::{cpu, first_answer, memory};
use crate::table::Table;
use crate::tree::{M, S, Size, Tree};

/// Measures `dubbo-mesh serve` against a real ZooKeeper.
#[derive(Debug, Parser)]
struct Options {
    #[command(subcommand)]
    bare: Option<Bare>,
    /// Only these rows; the others are not in the table
    #[arg(long, value_delimiter = ',', value_enum)]
    rows: Vec<RowName>,
    /// Starts of dubbo-mesh, and as many of the bare list
    #[arg(long, default_value_t = 9)]
    rounds: usize,
    /// Changes of each tree, one at a time; half as many removals
    #[arg(long, default_value_t = 200)]
    changes: usize,
    /// How long the changes go on that memory is measured under
    #[arg(long, default_value_t = 10.0)]
    minutes: f64,
    /// Changes of each tree that CPU time is measured over
    #[arg(long, default_value_t = 2000)]
    cpu_changes: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum RowName {
    FirstAnswer,
    Change,
    Memory,
    Cpu,
}

/// What this program runs itself as.
#[derive(Debug, Subcommand)]
enum Bare {
    /// Lists a tree with the client library alone
    #[command(hide = true)]
    BareList { server: String, root: String },
    /// Sends a file over a bare stream
    #[command(hide = true)]
    BareSend { listen: SocketAddr, file: PathBuf },
}

fn main() -> ExitCode {
    let options = Options::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    match options.bare {
        Some(Bare::BareList { server, root }) => runtime.block_on(bare::list(&server, &root)),
        Some(Bare::BareSend { listen, file }) => runtime.block_on(bare::send(listen, &file)),
        None if is_alone() => return runtime.block_on(measure(&options)),
        None => return again("adapter"),
    }
    ExitCode::SUCCESS
}

async fn measure(options: &Options) -> ExitCode {
    let before = load();
    // Builds it, if need be.
    assert!(dubbo_mesh(&["--version"]).status.success());
    let zookeeper = ZooKeeperSettings::new(ZooKeeperVersion::V3_9)
        .tick(Duration::from_secs(2))
        // Of its own start script; and the disk is not what is measured.
        .java_option("-Xmx1000m")
        .java_option("-XX:TieredStopAtLevel=4")
        .property("zookeeper.forceSync=no")
        .start()
        .await;
    let mut small = fill(&zookeeper, S).await;
    let mut large = fill(&zookeeper, M).await;
    let wanted = |row| options.rows.is_empty() || options.rows.contains(&row);
    let mut rows = Vec::new();
    if wanted(RowName::FirstAnswer) {
        rows.push(first_answer::run(&large, options.rounds).await);
    }
    if wanted(RowName::Change) {
        let fixed = Bound::Fixed(Duration::from_millis(5));
        let over = Bound::OverBare(Duration::from_millis(10));
        let [change_of_small, removal_of_small] =
            change::run(&mut small, options.changes, fixed).await;
        let [change_of_large, removal_of_large] =
            change::run(&mut large, options.changes, over).await;
        rows.extend([change_of_small, change_of_large]);
        rows.extend([removal_of_small, removal_of_large]);
    }
    if wanted(RowName::Cpu) {
        rows.push(cpu::run(&mut small, &mut large, options.cpu_changes).await);
    }
    if wanted(RowName::Memory) {
        rows.extend(memory::run(&mut large, options.minutes).await);
    }
    let table = Table {
        settings: settings(&before),
        rows,
    };
    let mut out = std::io::stdout();
    write!(out, "\n{table}").expect("a reader of the table");
    match table.all_met() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

async fn fill(zookeeper: &ZooKeeper, size: Size) -> Registry {
    let began = std::time::Instant::now();
    let client = zookeeper.client().await;
    let registry = Registry::fill(client, zookeeper.address(), Tree::new(size)).await;
    say(&format!("{} made in {}", size.name, time(began.elapsed())));
    registry
}

fn settings(load_before: &str) -> Vec<(&'static str, String)> {
    let tree = |size: Size| {
        format!(
            "{} = {} interfaces x {} providers",
            size.name, size.interfaces, size.providers
        )
    };
    vec![
        ("machine", machine()),
        ("load", format!("{load_before} before, {} after", load())),
        ("versions", versions()),
        (
            "trees",
            format!(
                "{}, {}; names of 400 to 700 bytes, ten interfaces on one ip:port; both in one \
                 ZooKeeper on loopback, without fsync",
                tree(S),
                tree(M)
            ),
        ),
        (
            "figures",
            "medians (and what nine of ten lie between); every answer is checked against the tree"
                .to_owned(),
        ),
    ]
}

/// Of everything that takes part.
fn versions() -> String {
    format!(
        "dubbo-mesh {} ({}), zookeeper-client {}, tonic {}, ZooKeeper 3.9.3 on {}, {}",
        env!("CARGO_PKG_VERSION"),
        said("git", &["describe", "--always", "--dirty"]),
        locked("zookeeper-client"),
        locked("tonic"),
        said("java", &["--version"]),
        said("rustc", &["--version"]),
    )
}
