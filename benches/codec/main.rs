//! The codec beside its peers: one run, one table, and 1 if a bound is missed.
//!
//! Times are the best of many short runs on one core. Peers are measured by programs of their own,
//! which are built first: `peers.rs` says how they are asked.

#![expect(clippy::print_stdout, reason = "a bench says what it measured")]

mod bounds;
mod ours;
mod peers;
mod rows;
mod samples;

use std::process::{Command, ExitCode};

use bounds::Bound;
use ours::Ours;
use peers::Peer;
use rows::Row;

fn main() -> ExitCode {
    let samples = samples::samples();
    let peers = peers::build(&samples);
    settings(&peers);
    let ours = ours::measure(&samples);
    let peers: Vec<Peer> = peers.into_iter().map(peers::Program::measure).collect();
    times(&samples, &ours, &peers);
    verdict(&bounds::all(&ours, &peers))
}

fn settings(peers: &[peers::Program]) {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name"));
    let model = model.map_or("unknown", |text| text.trim_start_matches(['\t', ' ', ':']));
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let simd = if cfg!(feature = "simd") {
        "with"
    } else {
        "without"
    };
    println!(
        "processor   {model}, load {}",
        load.split(' ').next().unwrap_or_default()
    );
    println!(
        "codec       {simd} SIMD, {}",
        said(Command::new("rustc").arg("--version"))
    );
    for peer in peers {
        println!("{:11} {}", peer.name, peer.made_by);
    }
    println!("times       nanoseconds a frame, the best of 30 runs of at least 5 ms\n");
}

/// The first line of what a program says.
fn said(command: &mut Command) -> String {
    let output = command.output().expect("a program that is needed");
    let both = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&both);
    text.lines().next().unwrap_or_default().to_owned()
}

fn times(samples: &[samples::Sample], ours: &Ours, peers: &[Peer]) {
    print!("{:11} {:8} {:>7} {:>11}", "", "sample", "bytes", "ours");
    peers.iter().for_each(|peer| print!(" {:>14}", peer.name));
    println!();
    for row in Row::ALL {
        for sample in samples {
            let Some(ns) = ours.time(row, sample.name) else {
                continue;
            };
            let bytes = sample.frame.len();
            print!("{:11} {:8} {bytes:7} {ns:11.1}", row.name(), sample.name);
            for peer in peers {
                match peer.time(row.name(), sample.name) {
                    Some(ns) => print!(" {ns:14.1}"),
                    None => print!(" {:>14}", "-"),
                }
            }
            println!();
        }
    }
}

fn verdict(bounds: &[Bound]) -> ExitCode {
    println!("\n{:48} {:>12} {:>12}", "bound", "measured", "asked for");
    let mut missed = 0;
    for bound in bounds {
        let note = if bound.holds() { "" } else { "  MISSED" };
        missed += usize::from(!bound.holds());
        println!("{bound}{note}");
    }
    println!("\n{} bounds, {missed} missed", bounds.len());
    ExitCode::from(u8::from(missed > 0))
}
