//! The usual metrics of a process, read when they are asked for. Linux `/proc`; elsewhere only the
//! start time.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

/// `/proc/self/stat` counts in hundredths of a second on every Linux (`USER_HZ`, proc(5)).
const TICKS_PER_SECOND: f64 = 100.0;

#[derive(Debug)]
pub(super) struct Process {
    started: f64,
}

impl Process {
    pub(super) fn started_now() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        Self {
            started: since.unwrap_or_default().as_secs_f64(),
        }
    }
}

impl Collector for Process {
    fn encode(&self, mut to: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let help = "Start time of the process in seconds since 1970";
        let started = ConstGauge::new(self.started);
        put(&mut to, "process_start_time_seconds", help, &started)?;
        if let Some(seconds) = cpu_seconds() {
            let help = "User and system CPU time";
            put(
                &mut to,
                "process_cpu_seconds",
                help,
                &ConstCounter::new(seconds),
            )?;
        }
        if let Some(bytes) = resident_bytes() {
            let (name, help) = ("process_resident_memory_bytes", "Resident memory");
            put(&mut to, name, help, &ConstGauge::new(bytes))?;
        }
        if let Ok(open) = std::fs::read_dir("/proc/self/fd") {
            let count = ConstGauge::new(open.count() as i64);
            put(&mut to, "process_open_fds", "Open file descriptors", &count)?;
        }
        Ok(())
    }
}

fn put(
    to: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    metric: &impl EncodeMetric,
) -> Result<(), fmt::Error> {
    metric.encode(to.encode_descriptor(name, help, None, metric.metric_type())?)
}

/// `utime` and `stime`, fields 14 and 15; what stands before the last `)` may hold spaces.
fn cpu_seconds() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some((user + system) / TICKS_PER_SECOND)
}

fn resident_bytes() -> Option<i64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: i64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}
