//! What a process takes, as Linux counts it.

use std::fs;
use std::time::Duration;

/// Resident memory now, in bytes.
pub fn resident(pid: u32) -> u64 {
    status(pid, "VmRSS:")
}

/// The most that was ever resident, in bytes.
pub fn peak(pid: u32) -> u64 {
    status(pid, "VmHWM:")
}

/// CPU time of all its threads, user and system, counted in nanoseconds (`schedstat`; `stat` has
/// hundredths of a second). Threads that have ended are not in it.
pub fn cpu(pid: u32) -> Duration {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).expect("a process that runs");
    let files = tasks.flatten().map(|task| task.path().join("schedstat"));
    let on_cpu = files.filter_map(|file| {
        // A thread may end while we look.
        let line = fs::read_to_string(file).ok()?;
        line.split_whitespace().next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(on_cpu.sum())
}

fn status(pid: u32, key: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("a process that runs");
    let line = status.lines().find_map(|line| line.strip_prefix(key));
    let kilobytes = line.and_then(|rest| rest.trim().strip_suffix("kB"));
    let kilobytes: u64 = kilobytes
        .and_then(|number| number.trim().parse().ok())
        .unwrap_or_else(|| panic!("no {key} of process {pid}"));
    kilobytes * 1024
}
