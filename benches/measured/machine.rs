//! What the figures hold for: machine and versions.

use std::fs;
use std::process::Command;

/// Processor, memory, kernel.
pub fn machine() -> String {
    let processors = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let count = processors
        .lines()
        .filter(|line| line.starts_with("processor"))
        .count();
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kilobytes = field(&memory, "MemTotal").trim_end_matches("kB").trim();
    let gigabytes = kilobytes.parse::<f64>().unwrap_or(0.0) / 1024.0 / 1024.0;
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!(
        "{count} x {} at {} MHz, {gigabytes:.0} GiB, Linux {}",
        field(&processors, "model name"),
        field(&processors, "cpu MHz"),
        kernel.trim()
    )
}

/// Of the processes that wait for a CPU, over 1, 5 and 15 minutes: on a quiet machine below the
/// number of CPUs, and what the measurements cause themselves is in it.
pub fn load() -> String {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let averages: Vec<&str> = load.split_whitespace().take(3).collect();
    averages.join(" ")
}

fn field<'a>(text: &'a str, name: &str) -> &'a str {
    let line = text.lines().find(|line| line.starts_with(name));
    let value = line.and_then(|line| line.split_once(':'));
    value.map_or("?", |(_, value)| value.trim())
}

/// The version of a package that this was built with.
pub fn locked(package: &str) -> String {
    let lock = concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.lock");
    let lock = fs::read_to_string(lock).unwrap_or_default();
    let name = format!("name = \"{package}\"");
    let mut lines = lock.lines().skip_while(|line| **line != name);
    let version = lines.nth(1).and_then(|line| line.split('"').nth(1));
    version.unwrap_or("?").to_owned()
}

/// The first line that a program prints, but for empty ones.
pub fn said(program: &str, arguments: &[&str]) -> String {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"));
    let output = command.output().map(|output| output.stdout);
    let text = String::from_utf8_lossy(&output.unwrap_or_default()).into_owned();
    let mut lines = text.lines().filter(|line| !line.is_empty());
    lines.next().unwrap_or("?").to_owned()
}
