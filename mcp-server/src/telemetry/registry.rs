//! What the registries said and what became of it, as log lines and counters.

use dubbo_registry::event::{Event, News, SourceState};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::Telemetry;
use crate::adapter::Outcome;
use crate::line::one_line;

/// Metrics of the registry side.
#[derive(Debug, Default)]
pub(super) struct Metrics {
    live: Family<[(&'static str, String); 1], Gauge>,
    unreadable: Family<[(&'static str, String); 1], Counter>,
    refused: Family<[(&'static str, &'static str); 1], Counter>,
    arrived: Counter,
    left: Counter,
    moved: Counter,
    unidentified: Gauge,
}

impl Metrics {
    pub(super) fn registered(registry: &mut Registry) -> Self {
        let new = Self::default();
        let help = "1 while the registry is read completely and followed";
        registry.register("registry_live", help, new.live.clone());
        let help = "Lists of the registry that could not be read";
        registry.register("registry_unreadable", help, new.unreadable.clone());
        let help = "Providers that were refused, by reason";
        registry.register("providers_refused", help, new.refused.clone());
        registry.register(
            "providers_arrived",
            "Providers that came",
            new.arrived.clone(),
        );
        registry.register("providers_left", "Providers that left", new.left.clone());
        let help = "Virtual addresses that had to move to another host";
        registry.register("vip_moves", help, new.moved.clone());
        let help = "Services whose callers do not check who answers, since a provider's identity is unknown";
        registry.register("services_unidentified", help, new.unidentified.clone());
        new
    }
}

impl Telemetry {
    /// A registry said something. True if its state is another one now.
    pub fn registry_said(&self, event: &Event) -> bool {
        let metrics = &self.0.registry;
        let source = || [("registry", event.source.to_string())];
        match &event.news {
            News::State(state) => {
                let live = *state == SourceState::Live;
                metrics.live.get_or_create(&source()).set(i64::from(live));
                let registry = &event.source;
                match state {
                    SourceState::Live => tracing::info!(%registry, "registry is live"),
                    SourceState::Connecting(waits_for) => {
                        tracing::info!(%registry, %waits_for, "registry was not read yet");
                    }
                    SourceState::Stale(reason) => {
                        tracing::warn!(%registry, %reason, "registry is stale: what is known stays");
                    }
                }
                true
            }
            News::Unreadable { list, reason } => {
                metrics.unreadable.get_or_create(&source()).inc();
                tracing::warn!(
                    registry = %event.source, list = %one_line(list), reason = %one_line(reason),
                    "cannot be read; what was known of it stays"
                );
                false
            }
            _ => false,
        }
    }

    /// The providers of unknown identity are others now, and this is the number of their services.
    pub fn unidentified(&self, outcome: &Outcome, services: usize) {
        let services = i64::try_from(services).unwrap_or(i64::MAX);
        self.0.registry.unidentified.set(services);
        for (host, providers) in &outcome.unidentified {
            match providers.first() {
                Some(first) => tracing::warn!(
                    %host, unknown = providers.len(), first = %one_line(first),
                    "callers do not check who answers: `workloads` has no identity of a provider in the mesh"
                ),
                None => tracing::info!(%host, "no provider's identity is unknown any more"),
            }
        }
    }

    /// Something came of it: a line for each provider that is refused from now on, and for each
    /// address that moved.
    pub fn outcome(&self, outcome: &Outcome) {
        let metrics = &self.0.registry;
        metrics.arrived.inc_by(outcome.arrived as u64);
        metrics.left.inc_by(outcome.left as u64);
        let refused = |word: &'static str| {
            metrics.refused.get_or_create(&[("reason", word)]).inc();
        };
        for rejection in &outcome.rejected {
            refused("malformed");
            let (entry, reason) = (one_line(&rejection.subject), one_line(&rejection.error));
            tracing::warn!(%entry, %reason, "refused");
        }
        for refusal in &outcome.refused {
            refused(refusal.reason.word());
            let (provider, reason) = (one_line(&refusal.provider), one_line(&refusal.reason));
            if refusal.reason.is_fault() {
                tracing::warn!(%provider, %reason, "refused");
            } else {
                tracing::info!(%provider, %reason, "left out");
            }
        }
        for m in &outcome.moves {
            metrics.moved.inc();
            tracing::warn!(host = %m.host, from = ?m.from, to = ?m.to, "virtual address moved");
        }
    }
}
