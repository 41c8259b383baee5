//! One stream of the aggregated discovery service, state of the world, as a value.
//!
//! Owns: what this client asked for, holds, confirmed or refused, and when it may hear more. Must
//! not know: sockets, tasks, clocks; "now" is the time since the stream began.
//!
//! ```text
//! request ─┐                    ┌→ Send(response)
//! snapshot ┼→ Session ─ decisions ┼→ what happened, for whoever writes it down
//! time ────┘                    └→ Close(reason)
//! ```
//!
//! Rules and where they come from:
//! - The first request of a type is answered whatever its nonce: istiod sends the time as a nonce
//!   (istio `pkg/adsc/adsc.go`, `Send`; the same rule in `pkg/xds/server.go`).
//! - Every type is answered, unknown ones with an empty set, under exactly the requested string:
//!   istiod is not ready before (`HasSynced`). Ours are not answered before there is a snapshot: an
//!   early empty answer would delete every object at a client that reconnects (`handleMCP`).
//! - One response in flight per type, and equal content is never sent again, so an acknowledgement
//!   that crosses a change is simply an acknowledgement.
//! - A refused set is not sent again until it changes (xDS protocol, "ACK/NACK and versioning").

use std::sync::Arc;
use std::time::Duration;

use dubbo_registry::resource::Kind;

use crate::proto::DiscoveryRequest;
use crate::snapshot::{ResourceSet, Snapshot, Version};

mod decision;
mod subscription;

pub use decision::{Client, Close, Decision, Response};
use subscription::{Reply, Subscription};

/// Longest type URL that is accepted, in bytes. Istio's are below 60.
const MAX_TYPE_URL: usize = 256;

/// What a stream may take, in time and in number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Types that one stream may subscribe to. istiod asks for 16.
    pub max_types: usize,
    /// How long a stream may live without a first request.
    pub first_request: Duration,
    /// How long a response may be neither read any further nor answered.
    pub ack_timeout: Duration,
    /// Shortest and longest rest between an answer and the next response of that type; in between
    /// a client rests as long as it needed for the last one.
    pub rest: (Duration, Duration),
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_types: 64,
            first_request: Duration::from_secs(10),
            ack_timeout: Duration::from_secs(60),
            rest: (Duration::from_millis(100), Duration::from_secs(1)),
        }
    }
}

/// The state of one stream.
#[derive(Debug)]
pub struct Session {
    limits: Limits,
    /// Makes nonces differ between streams.
    stream: u64,
    sent: u64,
    client: Option<Client>,
    snapshot: Option<Arc<Snapshot>>,
    subscriptions: Vec<(Arc<str>, Subscription)>,
    /// When the client last took bytes of a response.
    progress: Duration,
}

impl Session {
    /// A stream on which nothing was said yet. `snapshot` is what is published now, if anything is.
    pub fn new(stream: u64, limits: Limits, snapshot: Option<Arc<Snapshot>>) -> Self {
        Self {
            limits,
            stream,
            sent: 0,
            client: None,
            snapshot,
            subscriptions: Vec::new(),
            progress: Duration::ZERO,
        }
    }

    /// The client said something.
    pub fn on_request(&mut self, request: &DiscoveryRequest, now: Duration) -> Vec<Decision> {
        let mut decisions = Vec::new();
        if let (None, Some(node)) = (&self.client, &request.node) {
            let client = Client::of(node);
            self.client = Some(client.clone());
            decisions.push(Decision::Identified(client));
        }
        match self.place(request, now) {
            Ok(decision) => decisions.push(decision),
            Err(reason) => {
                decisions.push(Decision::Close(reason));
                return decisions;
            }
        }
        self.send_what_is_due(now, &mut decisions);
        decisions
    }

    /// Something else is published now.
    pub fn on_snapshot(&mut self, snapshot: Arc<Snapshot>, now: Duration) -> Vec<Decision> {
        self.snapshot = Some(snapshot);
        let mut decisions = Vec::new();
        self.send_what_is_due(now, &mut decisions);
        decisions
    }

    /// The client took some bytes of a response: slow, but alive.
    pub fn on_progress(&mut self, now: Duration) {
        self.progress = now;
    }

    /// Time passed, at least to [`next_wake`](Self::next_wake).
    pub fn on_time(&mut self, now: Duration) -> Vec<Decision> {
        if let Some(reason) = self.overdue(now) {
            return vec![Decision::Close(reason)];
        }
        let mut decisions = Vec::new();
        self.send_what_is_due(now, &mut decisions);
        decisions
    }

    /// When [`on_time`](Self::on_time) has something to do if nothing else happens before.
    pub fn next_wake(&self) -> Option<Duration> {
        if self.subscriptions.is_empty() {
            return Some(self.limits.first_request);
        }
        let snapshot = self.snapshot.as_deref();
        let wake = |s: &Subscription| match s.next(snapshot) {
            Some((not_before, _)) => Some(not_before),
            None => s.deadline(self.progress, self.limits.ack_timeout),
        };
        self.subscriptions.iter().filter_map(|(_, s)| wake(s)).min()
    }

    /// Finds whom the request concerns and what it says.
    fn place(&mut self, request: &DiscoveryRequest, now: Duration) -> Result<Decision, Close> {
        let known = |(url, _): &&mut (Arc<str>, Subscription)| **url == *request.type_url;
        let Some((type_url, subscription)) = self.subscriptions.iter_mut().find(known) else {
            return self.subscribe(&request.type_url);
        };
        let type_url = Arc::clone(type_url);
        Ok(
            match subscription.on_request(request, now, self.limits.rest) {
                Reply::Acked { version, took } => Decision::Acked {
                    type_url,
                    version,
                    took,
                },
                Reply::Nacked { version, reason } => Decision::Nacked {
                    type_url,
                    version,
                    reason,
                },
                Reply::Asked => Decision::AskedAgain { type_url },
                Reply::Stale => Decision::Ignored { type_url },
            },
        )
    }

    fn subscribe(&mut self, type_url: &str) -> Result<Decision, Close> {
        if type_url.is_empty() {
            return Err(Close::NoTypeUrl);
        }
        if type_url.len() > MAX_TYPE_URL {
            return Err(Close::LongTypeUrl(type_url.len()));
        }
        if self.subscriptions.len() >= self.limits.max_types {
            return Err(Close::TooManyTypes(self.limits.max_types));
        }
        let kind = Kind::of_type_url(type_url);
        let type_url: Arc<str> = type_url.into();
        let subscription = (Arc::clone(&type_url), Subscription::new(kind));
        self.subscriptions.push(subscription);
        Ok(Decision::Subscribed { type_url, kind })
    }

    fn send_what_is_due(&mut self, now: Duration, decisions: &mut Vec<Decision>) {
        for (type_url, subscription) in &mut self.subscriptions {
            let Some((not_before, set)) = subscription.next(self.snapshot.as_deref()) else {
                continue;
            };
            if not_before > now {
                continue;
            }
            self.sent += 1;
            let nonce = format!("{:x}.{}", self.stream, self.sent);
            subscription.sent(nonce.clone(), set.version(), now);
            decisions.push(Decision::Send(Response {
                type_url: Arc::clone(type_url),
                nonce,
                set,
            }));
        }
    }

    fn overdue(&self, now: Duration) -> Option<Close> {
        if self.subscriptions.is_empty() && now >= self.limits.first_request {
            return Some(Close::Silent(self.limits.first_request));
        }
        let timeout = self.limits.ack_timeout;
        let late = |s: &Subscription| s.deadline(self.progress, timeout).is_some_and(|d| d <= now);
        let found = self.subscriptions.iter().find(|(_, s)| late(s));
        found.map(|(type_url, _)| Close::NoAck {
            type_url: Arc::clone(type_url),
            after: timeout,
        })
    }
}

#[cfg(test)]
mod tests;
