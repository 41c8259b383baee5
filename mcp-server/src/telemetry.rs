//! The one place where this crate writes logs and counts.
//!
//! Owns: the names of metrics, the wording and level of log lines, the listing of clients. Must not
//! know: how anything works; callers say what happened.
//!
//! Levels: a line per published change and per event of a connection is `info`, what an operator
//! should look at is `warn`, what repeats per message is `debug`.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use prometheus_client::encoding::EncodeLabelValue;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::snapshot::{Counts, Snapshot};
use crate::status::Status;

mod clients;
mod process;
mod registry;

pub use clients::{ClientView, StreamObserver, TypeView};

/// The handle; cloning it is cheap and counts into the same metrics.
#[derive(Clone, Debug)]
pub struct Telemetry(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    metrics: Metrics,
    registry: registry::Metrics,
    next_stream: AtomicU64,
    clients: Mutex<clients::Table>,
    refusals: Mutex<Quiet>,
}

/// Why a connection did not come about, or ended before it said anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
pub enum Refusal {
    /// Its address is not in the list of allowed ones.
    Address,
    /// There are too many already.
    Limit,
    /// It gave way to a newer one before it had said anything.
    Crowded,
    /// It had not asked for anything in time.
    Timeout,
    /// The TLS handshake failed.
    Tls,
    /// It does not speak HTTP/2, or broke its rules.
    Protocol,
    /// The system would not give us the connection.
    Accept,
}

/// Counters that differ in one label.
type By<T> = Family<[(&'static str, T); 1], Counter>;

#[derive(Debug, Default)]
struct Metrics {
    connections: Gauge,
    streams: Gauge,
    refused: By<Refusal>,
    requests: By<&'static str>,
    pushes: Counter,
    push_resources: Counter,
    push_bytes: Counter,
    ack_seconds: Option<Histogram>,
    closed: By<String>,
    published: Counter,
    changes: By<&'static str>,
    resources: Gauge,
    bytes: Gauge,
    certificates: By<&'static str>,
}

/// At most one line in a while; the rest is counted.
#[derive(Debug, Default)]
struct Quiet {
    last: Option<Instant>,
    suppressed: u64,
}

/// Between two log lines about refused connections.
const REFUSAL_LINES: Duration = Duration::from_secs(10);

impl Telemetry {
    /// Registers every metric of the crate. Once per registry.
    pub fn new(registry: &mut Registry) -> Self {
        let ours = registry.sub_registry_with_prefix("dubbo_mesh");
        let metrics = Metrics::registered(ours);
        let of_registries = registry::Metrics::registered(ours);
        registry.register_collector(Box::new(process::Process::started_now()));
        Self(Arc::new(Inner {
            metrics,
            registry: of_registries,
            next_stream: AtomicU64::new(1),
            clients: Mutex::default(),
            refusals: Mutex::default(),
        }))
    }

    /// The configuration is right, and raises these questions.
    pub fn configured(&self, notices: &[String]) {
        for notice in notices {
            tracing::warn!(%notice, "configuration");
        }
    }

    /// Control planes wait, and so does whoever waits for them.
    pub fn nothing_published(&self, status: &Status, since: Duration) {
        for registry in status.registries.iter().filter(|r| !r.reason.is_empty()) {
            let seconds = since.as_secs();
            tracing::warn!(
                registry = registry.registry,
                waits_for = registry.reason,
                seconds,
                "nothing is published yet, and istiod does not become ready"
            );
        }
    }

    /// The server accepts connections.
    pub fn listening(&self, address: SocketAddr, tls: bool) {
        tracing::info!(%address, tls, "waiting for control planes");
    }

    /// A snapshot was handed to the clients' streams.
    pub fn published(&self, snapshot: &Snapshot, counts: Counts) {
        let metrics = &self.0.metrics;
        let sets = dubbo_registry::resource::Kind::ALL.map(|kind| snapshot.set(kind));
        let resources: usize = sets.iter().map(|set| set.len()).sum();
        let bytes: usize = sets.iter().map(|set| set.encoded_len()).sum();
        metrics.published.inc();
        metrics.resources.set(resources as i64);
        metrics.bytes.set(bytes as i64);
        for (change, count) in [
            ("added", counts.added),
            ("updated", counts.updated),
            ("removed", counts.removed),
        ] {
            let counter = metrics.changes.get_or_create(&[("change", change)]);
            counter.inc_by(count as u64);
        }
        let Counts {
            added,
            updated,
            removed,
        } = counts;
        let clients = self.clients_table().len();
        tracing::info!(
            added,
            updated,
            removed,
            resources,
            bytes,
            clients,
            "published"
        );
    }

    /// A connection stands; it counts until the guard is dropped.
    pub fn connected(&self) -> ConnectionGuard {
        self.0.metrics.connections.inc();
        ConnectionGuard(self.clone())
    }

    /// A connection was refused, or ended before it asked for anything.
    pub fn refused(&self, peer: Option<SocketAddr>, why: Refusal, detail: &str) {
        let refused = &self.0.metrics.refused;
        refused.get_or_create(&[("reason", why)]).inc();
        let mut quiet = lock(&self.0.refusals);
        let now = Instant::now();
        if quiet.last.is_some_and(|at| now - at < REFUSAL_LINES) {
            quiet.suppressed += 1;
            return;
        }
        let more = std::mem::take(&mut quiet.suppressed);
        quiet.last = Some(now);
        drop(quiet);
        tracing::warn!(
            peer = peer.map(tracing::field::display),
            ?why,
            detail,
            more_before = more,
            "connection refused"
        );
    }

    /// A new certificate is in use from the next connection on.
    pub fn certificate_reloaded(&self) {
        self.certificate("loaded");
        tracing::info!("certificate reloaded");
    }

    /// A changed certificate or key cannot be used; the one before stays.
    pub fn certificate_rejected(&self, reason: &str) {
        self.certificate("rejected");
        tracing::warn!(reason, "changed certificate not used, the old one stays");
    }

    /// No new connections; streams are told to go elsewhere.
    pub fn draining(&self, within: Duration) {
        let clients = self.clients_table().len();
        tracing::info!(clients, ?within, "draining");
    }

    /// Draining is over. `cut`: connections that had not ended in time.
    pub fn drained(&self, cut: usize) {
        tracing::info!(cut, "drained");
    }

    /// Every client stream, oldest first.
    pub fn clients(&self) -> Vec<ClientView> {
        self.clients_table().views(Instant::now())
    }

    /// A client opened a stream; it is listed until the observer is dropped.
    pub fn stream(&self, peer: SocketAddr, tls: bool) -> StreamObserver {
        let id = self.0.next_stream.fetch_add(1, Ordering::Relaxed);
        self.0.metrics.streams.inc();
        StreamObserver::new(self.clone(), id, peer, tls)
    }

    fn certificate(&self, result: &'static str) {
        let certificates = &self.0.metrics.certificates;
        certificates.get_or_create(&[("result", result)]).inc();
    }

    fn clients_table(&self) -> MutexGuard<'_, clients::Table> {
        lock(&self.0.clients)
    }
}

/// A standing connection.
#[derive(Debug)]
pub struct ConnectionGuard(Telemetry);

impl Drop for ConnectionGuard {
    fn drop(&mut self) {
        self.0.0.metrics.connections.dec();
    }
}

impl Metrics {
    fn registered(registry: &mut Registry) -> Self {
        // 1 ms to 65 s in steps of two.
        let buckets = (0..17).map(|n| 0.001 * f64::from(1 << n));
        let ack_seconds = Histogram::new(buckets);
        registry.register(
            "mcp_ack_seconds",
            "From the decision to send a set to its acknowledgement",
            ack_seconds.clone(),
        );
        let new = Self {
            ack_seconds: Some(ack_seconds),
            ..Self::default()
        };
        let mut gauge = |name, help, gauge: &Gauge| registry.register(name, help, gauge.clone());
        gauge("mcp_connections", "Connections", &new.connections);
        gauge("mcp_streams", "Open streams of clients", &new.streams);
        gauge("resources", "Published resources", &new.resources);
        gauge("resource_bytes", "Published resources in bytes", &new.bytes);
        let mut counter = |name, help, counter: &Counter| {
            registry.register(name, help, counter.clone());
        };
        counter("published", "Changes of what is published", &new.published);
        counter("mcp_pushes", "Full sets sent to clients", &new.pushes);
        counter("mcp_push_resources", "Resources sent", &new.push_resources);
        counter("mcp_push_bytes", "Bytes of resources sent", &new.push_bytes);
        let help = "Resources added, updated, removed";
        registry.register("changes", help, new.changes.clone());
        let help = "Requests of clients by what they said";
        registry.register("mcp_requests", help, new.requests.clone());
        let help = "Connections that did not come about";
        registry.register("mcp_refused_connections", help, new.refused.clone());
        let help = "Streams ended, by gRPC status";
        registry.register("mcp_streams_closed", help, new.closed.clone());
        let help = "Changed certificates, by whether they could be used";
        registry.register("certificates", help, new.certificates.clone());
        new
    }
}

/// What is behind these locks stays whole even if a holder panicked: each step writes one value.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
