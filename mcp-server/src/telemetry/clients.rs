//! What is known about each open stream, for the listing of clients and its log lines.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Serialize;
use tonic::{Code, Status};

use super::Telemetry;
use crate::session::{Client, Decision, Response};
use crate::snapshot::Version;

/// One client stream as the listing shows it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ClientView {
    /// Number of the stream since the process started.
    pub stream: u64,
    /// Where it comes from.
    pub peer: SocketAddr,
    /// Whether the connection is encrypted.
    pub tls: bool,
    /// Who it says it is.
    pub node: String,
    /// `ISTIO_REVISION` of its metadata.
    pub revision: String,
    /// Age of the stream.
    pub connected_seconds: f64,
    /// What it asked for, by the type URL it used.
    pub types: BTreeMap<Arc<str>, TypeView>,
}

/// One subscribed type of one client.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct TypeView {
    /// Whether it is a kind that we publish.
    pub published_here: bool,
    /// Version last sent.
    pub sent_version: Option<String>,
    /// Resources in it.
    pub sent_resources: usize,
    /// Version last acknowledged.
    pub acked_version: Option<String>,
    /// How long the last acknowledgement took.
    pub ack_seconds: Option<f64>,
    /// For how long what was sent is not acknowledged; 0 = the client holds it.
    pub lag_seconds: f64,
    /// What the client said when it last refused a set, cut at 1,024 characters.
    pub last_nack: Option<String>,
    /// The version that it refused.
    pub nacked_version: Option<String>,
}

/// Every open stream.
#[derive(Debug, Default)]
pub(super) struct Table(BTreeMap<u64, Entry>);

#[derive(Debug)]
struct Entry {
    peer: SocketAddr,
    tls: bool,
    since: Instant,
    client: Client,
    types: BTreeMap<Arc<str>, TypeEntry>,
}

#[derive(Debug, Default)]
struct TypeEntry {
    published_here: bool,
    sent: Option<(Version, usize)>,
    unanswered_since: Option<Instant>,
    acked: Option<(Version, Duration)>,
    nacked: Option<(Version, String)>,
}

impl Table {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn views(&self, now: Instant) -> Vec<ClientView> {
        let view = |(stream, entry): (&u64, &Entry)| ClientView {
            stream: *stream,
            peer: entry.peer,
            tls: entry.tls,
            node: entry.client.id.clone(),
            revision: entry.client.revision.clone(),
            connected_seconds: (now - entry.since).as_secs_f64(),
            types: entry
                .types
                .iter()
                .map(|(url, entry)| (Arc::clone(url), entry.view(now)))
                .collect(),
        };
        self.0.iter().map(view).collect()
    }
}

impl TypeEntry {
    fn view(&self, now: Instant) -> TypeView {
        let text = |version: &Version| version.to_string();
        let lag = self.unanswered_since.map(|since| now - since);
        TypeView {
            published_here: self.published_here,
            sent_version: self.sent.as_ref().map(|(v, _)| text(v)),
            sent_resources: self.sent.map_or(0, |(_, resources)| resources),
            acked_version: self.acked.as_ref().map(|(v, _)| text(v)),
            ack_seconds: self.acked.map(|(_, took)| took.as_secs_f64()),
            lag_seconds: lag.unwrap_or_default().as_secs_f64(),
            last_nack: self.nacked.as_ref().map(|(_, reason)| reason.clone()),
            nacked_version: self.nacked.as_ref().map(|(v, _)| text(v)),
        }
    }
}

/// Follows one stream: its line in the listing, its log lines, its share of the counters.
#[derive(Debug)]
pub struct StreamObserver {
    telemetry: Telemetry,
    id: u64,
    peer: SocketAddr,
    node: String,
    ended: Option<Status>,
}

impl StreamObserver {
    pub(super) fn new(telemetry: Telemetry, id: u64, peer: SocketAddr, tls: bool) -> Self {
        let entry = Entry {
            peer,
            tls,
            since: Instant::now(),
            client: Client::default(),
            types: BTreeMap::new(),
        };
        telemetry.clients_table().0.insert(id, entry);
        Self {
            telemetry,
            id,
            peer,
            node: String::new(),
            ended: None,
        }
    }

    /// Number of the stream since the process started.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Takes down one decision of the stream's session.
    pub fn decided(&mut self, decision: &Decision) {
        match decision {
            Decision::Identified(client) => self.identified(client),
            Decision::Subscribed { type_url, kind } => {
                self.request("subscribed");
                self.with_type(type_url, |entry| entry.published_here = kind.is_some());
                tracing::debug!(stream = self.id, ?type_url, "subscribed");
            }
            Decision::AskedAgain { type_url } => {
                self.request("asked_again");
                tracing::debug!(stream = self.id, ?type_url, "asked again");
            }
            Decision::Ignored { type_url } => {
                self.request("ignored");
                tracing::debug!(stream = self.id, ?type_url, "ignored a stale request");
            }
            Decision::Acked {
                type_url,
                version,
                took,
            } => self.acked(type_url, *version, *took),
            Decision::Nacked {
                type_url,
                version,
                reason,
            } => self.nacked(type_url, *version, reason),
            Decision::Send(response) => self.sent(response),
            Decision::Close(_) => {}
        }
    }

    /// The stream ended with this status.
    pub fn ended(mut self, status: &Status) {
        self.ended = Some(status.clone());
    }

    fn identified(&mut self, client: &Client) {
        self.node.clone_from(&client.id);
        let mut table = self.telemetry.clients_table();
        if let Some(entry) = table.0.get_mut(&self.id) {
            entry.client = client.clone();
        }
        drop(table);
        let Client { id, revision, .. } = client;
        let (stream, peer) = (self.id, self.peer);
        tracing::info!(stream, %peer, node = ?id, ?revision, "client connected");
    }

    fn acked(&self, type_url: &Arc<str>, version: Version, took: Duration) {
        self.request("acked");
        if let Some(histogram) = &self.telemetry.0.metrics.ack_seconds {
            histogram.observe(took.as_secs_f64());
        }
        self.with_type(type_url, |entry| {
            entry.unanswered_since = None;
            entry.acked = Some((version, took));
        });
        tracing::debug!(stream = self.id, ?type_url, %version, ?took, "acknowledged");
    }

    fn nacked(&self, type_url: &Arc<str>, version: Version, reason: &str) {
        self.request("nacked");
        let reason: String = reason.chars().take(1024).collect();
        let (stream, node) = (self.id, &self.node);
        tracing::warn!(stream, ?node, ?type_url, %version, ?reason, "client refuses this set");
        self.with_type(type_url, |entry| {
            entry.unanswered_since = None;
            entry.nacked = Some((version, reason));
        });
    }

    fn sent(&self, response: &Response) {
        let Response { type_url, set, .. } = response;
        let (version, resources, bytes) = (set.version(), set.len(), set.encoded_len());
        let mut ours = false;
        self.with_type(type_url, |entry| {
            ours = entry.published_here;
            entry.sent = Some((version, resources));
            entry.unanswered_since = ours.then(Instant::now);
        });
        if ours {
            let metrics = &self.telemetry.0.metrics;
            metrics.pushes.inc();
            metrics.push_resources.inc_by(resources as u64);
            metrics.push_bytes.inc_by(bytes as u64);
        }
        tracing::debug!(stream = self.id, ?type_url, %version, resources, bytes, "sent");
    }

    fn request(&self, result: &'static str) {
        let requests = &self.telemetry.0.metrics.requests;
        requests.get_or_create(&[("said", result)]).inc();
    }

    fn with_type(&self, type_url: &Arc<str>, change: impl FnOnce(&mut TypeEntry)) {
        let mut table = self.telemetry.clients_table();
        if let Some(entry) = table.0.get_mut(&self.id) {
            change(entry.types.entry(Arc::clone(type_url)).or_default());
        }
    }
}

impl Drop for StreamObserver {
    fn drop(&mut self) {
        let entry = self.telemetry.clients_table().0.remove(&self.id);
        let metrics = &self.telemetry.0.metrics;
        metrics.streams.dec();
        let ended = self.ended.take();
        let status = ended.unwrap_or_else(|| Status::cancelled("connection lost"));
        let closed = &metrics.closed;
        let code = format!("{:?}", status.code());
        closed.get_or_create(&[("status", code.clone())]).inc();
        let after = entry.map(|entry| entry.since.elapsed()).unwrap_or_default();
        let (stream, peer, node) = (self.id, self.peer, &self.node);
        let message = status.message();
        match status.code() {
            // Whoever never said who it is could fill the log.
            _ if node.is_empty() => {
                tracing::debug!(stream, %peer, code, message, ?after, "stream closed");
            }
            Code::Ok | Code::Unavailable | Code::Cancelled => {
                tracing::info!(stream, %peer, ?node, code, message, ?after, "client left");
            }
            _ => tracing::warn!(stream, %peer, ?node, code, message, ?after, "stream closed"),
        }
    }
}
