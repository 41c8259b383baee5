//! One type on one stream.
//!
//! Owns: what was sent last, what is in flight, and when the next response may go. Must not know:
//! the other types of the stream.

use std::time::Duration;

use dubbo_registry::resource::Kind;

use super::{ResourceSet, Snapshot, Version};
use crate::proto::DiscoveryRequest;

/// What a further request of the type says.
pub(super) enum Reply {
    Acked { version: Version, took: Duration },
    Nacked { version: Version, reason: String },
    Asked,
    Stale,
}

#[derive(Debug)]
pub(super) struct Subscription {
    /// `None`: a type of which we have nothing.
    kind: Option<Kind>,
    /// A request waits for an answer, even one of equal content.
    owed: bool,
    in_flight: Option<InFlight>,
    /// The content of the last response.
    sent: Option<Version>,
    not_before: Duration,
}

#[derive(Debug)]
struct InFlight {
    nonce: String,
    version: Version,
    since: Duration,
}

impl Subscription {
    pub(super) fn new(kind: Option<Kind>) -> Self {
        Self {
            kind,
            owed: true,
            in_flight: None,
            sent: None,
            not_before: Duration::ZERO,
        }
    }

    pub(super) fn on_request(
        &mut self,
        request: &DiscoveryRequest,
        now: Duration,
        rest: (Duration, Duration),
    ) -> Reply {
        if let Some(response) = self.in_flight.take_if(|sent| sent.is_answered_by(request)) {
            let took = now.saturating_sub(response.since);
            self.not_before = now + took.clamp(rest.0, rest.1);
            let version = response.version;
            return match &request.error_detail {
                None => Reply::Acked { version, took },
                Some(error) => Reply::Nacked {
                    version,
                    reason: error.message.clone(),
                },
            };
        }
        let nothing_on_its_way = self.in_flight.is_none() && !self.owed;
        let asks = request.response_nonce.is_empty() && request.error_detail.is_none();
        let holds_it = self
            .sent
            .is_some_and(|sent| sent.to_string() == request.version_info);
        if nothing_on_its_way && asks && !holds_it {
            self.owed = true;
            return Reply::Asked;
        }
        Reply::Stale
    }

    /// What has to be sent, and not before when. `None`: nothing, or not as long as a response is in
    /// flight or nothing is published.
    pub(super) fn next(&self, snapshot: Option<&Snapshot>) -> Option<(Duration, ResourceSet)> {
        if self.in_flight.is_some() {
            return None;
        }
        let set = match self.kind {
            None => ResourceSet::default(),
            Some(kind) => snapshot?.set(kind).clone(),
        };
        let wanted = self.owed || self.sent != Some(set.version());
        wanted.then_some((self.not_before, set))
    }

    pub(super) fn sent(&mut self, nonce: String, version: Version, now: Duration) {
        self.owed = false;
        self.sent = Some(version);
        self.in_flight = Some(InFlight {
            nonce,
            version,
            since: now,
        });
    }

    /// When the response in flight must have been answered. Only our own kinds have one: istiod
    /// need not answer for types that it does not store.
    pub(super) fn deadline(&self, progress: Duration, timeout: Duration) -> Option<Duration> {
        let response = self.in_flight.as_ref().filter(|_| self.kind.is_some())?;
        Some(response.since.max(progress) + timeout)
    }
}

impl InFlight {
    /// By its nonce; without a nonce by what it says: that it holds this version, or that it refuses
    /// what came.
    fn is_answered_by(&self, request: &DiscoveryRequest) -> bool {
        if !request.response_nonce.is_empty() {
            return request.response_nonce == self.nonce;
        }
        request.error_detail.is_some() || request.version_info == self.version.to_string()
    }
}
