//! A million calls through a real Envoy with the filter, many at a time: is each answered once and with
//! its own answer, and does Envoy's memory stay where it is? See `benches/README.md`.
//!
//! ```text
//! connections, calls in flight on each ─Dubbo→ Envoy ─bridge or socket→ two providers that say who they are
//! ```
//! It runs itself again in namespaces of its own, and ends with 1 if a bound is missed.

#![expect(clippy::print_stdout, reason = "it says what it measured")]

mod calls;
mod provider;

use std::fs;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use clap::Parser;
use dubbo_mesh_benches::again;
use serde_json::{Value, json};
use support::{Envoy, EnvoySettings, is_alone, module_dir, shipped};

/// Makes a million calls through Envoy.
#[derive(Clone, Debug, Parser)]
struct Options {
    /// Calls each way: over the bridge, and over the transport socket
    #[arg(long, default_value_t = 500_000)]
    calls: u64,
    /// Connections of callers
    #[arg(long, default_value_t = 8)]
    connections: u64,
    /// Calls in flight on each
    #[arg(long, default_value_t = 32)]
    in_flight: u64,
}

/// The memory of the last tenth may be so much of that of the second tenth.
const GROWTH: f64 = 1.10;
const PROVIDERS: [(&str, u16); 2] = [("v1", 20881), ("v2", 20882)];

fn main() -> ExitCode {
    let options = Options::parse();
    if !is_alone() {
        return again("soak");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    println!(
        "| way | calls | answered once and rightly | wrong | seconds | resident, second tenth | last tenth | ratio |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    let good = runtime.block_on(async {
        for (name, port) in PROVIDERS {
            provider::start(name, port).await;
        }
        [
            soak("bridge", &options).await,
            soak("socket", &options).await,
        ]
    });
    ExitCode::from(u8::from(good != [true, true]))
}

/// The shipped configuration of the caller's side, both of its clusters this way, and no access log.
fn bootstrap(way: &str) -> Value {
    let mut bootstrap = shipped("caller");
    let manager = "/static_resources/listeners/0/filter_chains/0/filters/1/typed_config";
    let manager = bootstrap.pointer_mut(manager).expect("a manager");
    manager["access_log"] = json!([]);
    let clusters = bootstrap
        .pointer_mut("/static_resources/clusters")
        .expect("clusters");
    let number = usize::from(way == "socket");
    let shown = clusters[number].clone();
    for (cluster, (name, port)) in PROVIDERS.into_iter().enumerate() {
        let address = json!({"socket_address": {"address": "127.0.0.1", "port_value": port}});
        clusters[cluster] = shown.clone();
        clusters[cluster]["name"] = json!(name);
        clusters[cluster]["load_assignment"] = json!({"cluster_name": name, "endpoints": [
            {"lb_endpoints": [{"endpoint": {"address": address}}]}
        ]});
    }
    bootstrap
}

/// Makes the calls one way and prints a row. Whether all is as it should be.
async fn soak(way: &'static str, options: &Options) -> bool {
    let settings = EnvoySettings::new(way, bootstrap(way)).modules(module_dir());
    let envoy = settings.log_level("warning").workers(2).start().await;
    let (done, began) = (Arc::new(AtomicU64::new(0)), Instant::now());
    let callers: Vec<_> = (0..options.connections)
        .map(|connection| {
            let calls = options.calls / options.connections;
            let done = Arc::clone(&done);
            tokio::spawn(calls::make(connection, calls, options.in_flight, done))
        })
        .collect();
    let all = options.calls / options.connections * options.connections;
    let sampler = sample(&envoy, &done, all);
    let made = async {
        let (mut right, mut wrong) = (0, vec![]);
        for caller in callers {
            let made = caller.await.expect("a caller that ends");
            right += made.right;
            wrong.extend(made.wrong);
        }
        (right, wrong)
    };
    let (samples, (right, wrong)) = tokio::join!(sampler, made);
    let seconds = began.elapsed().as_secs();
    wrong.iter().take(10).for_each(|wrong| println!("{wrong}"));
    let (second, last) = (mean(&samples, 1), mean(&samples, 9));
    let ratio = last / second;
    println!(
        "| {way} | {all} | {right} | {} | {seconds} | {second:.1} MB | {last:.1} MB | {ratio:.3} |",
        wrong.len()
    );
    let panics = envoy.stat("dynamicmodulescustom.dubbo.panics").await;
    let left = envoy
        .stat("dynamicmodulescustom.dubbo.requests.active")
        .await;
    let quiet = (panics, left) == (Ok(0), Ok(0));
    if !quiet {
        println!("panics, or calls that are left in flight");
    }
    envoy.stop().await;
    quiet && right == all && wrong.is_empty() && ratio <= GROWTH
}

/// What is resident while the calls are made, in bytes, with the share of the calls that are done.
async fn sample(envoy: &Envoy, done: &AtomicU64, all: u64) -> Vec<(f64, f64)> {
    let mut samples = vec![];
    let mut quiet = (0, Instant::now());
    loop {
        let now = done.load(Ordering::Relaxed);
        samples.push((now as f64 / all as f64, resident(envoy.process().id())));
        if now != quiet.0 {
            quiet = (now, Instant::now());
        }
        // The callers give up by themselves; their counts say why.
        if now >= all || quiet.1.elapsed() > Duration::from_secs(60) {
            return samples;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// The mean of a tenth, 0 to 9, in megabytes.
fn mean(samples: &[(f64, f64)], tenth: u8) -> f64 {
    let begin = f64::from(tenth) / 10.0;
    let of = |(share, _): &&(f64, f64)| (begin..begin + 0.1).contains(share);
    let bytes: Vec<f64> = samples.iter().filter(of).map(|(_, bytes)| *bytes).collect();
    bytes.iter().sum::<f64>() / bytes.len() as f64 / 1e6
}

fn resident(pid: u32) -> f64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("an Envoy that runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|rest| rest.trim().strip_suffix("kB"));
    let number = number.and_then(|number| number.trim().parse::<f64>().ok());
    number.expect("VmRSS in kB") * 1024.0
}
