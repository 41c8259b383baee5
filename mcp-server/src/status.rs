//! The registries as people see them: the state of each, and every provider that is not published,
//! with the reason.

use std::sync::Arc;

use serde::Serialize;
use tokio::time::Instant;

use dubbo_registry::event::SourceState;
use dubbo_registry::provider::Identity;

use crate::adapter::Adapter;
use crate::line::one_line;

/// An account of the registries.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Status {
    /// When it was made; none for the one before the first.
    #[serde(skip)]
    pub told: Option<Instant>,
    /// Each registry.
    pub registries: Vec<Registry>,
    /// Each provider that is not published.
    pub refused: Vec<Refused>,
    /// Each host whose providers could be anybody.
    pub unidentified: Vec<Unidentified>,
}

/// One registry.
#[derive(Clone, Debug, Serialize)]
pub struct Registry {
    /// Its URL without credentials.
    pub registry: String,
    /// `connecting`, `live` or `stale`.
    pub state: &'static str,
    /// What it waits for, or why it is stale; empty for live.
    pub reason: String,
}

/// One provider that is not published, or a list that cannot be read.
#[derive(Clone, Debug, Serialize)]
pub struct Refused {
    /// The provider, or the entry of the registry where it makes none, or the list of the registry
    /// that cannot be read.
    pub provider: String,
    /// Why, and what to do.
    pub reason: String,
    /// Whether somebody should do something about it.
    pub fault: bool,
}

/// One host whose callers do not check the identity of its providers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unidentified {
    /// The host.
    pub host: String,
    /// What that is, and what to do.
    pub reason: &'static str,
    /// The providers that this is due to.
    pub providers: Vec<String>,
}

/// What it is that callers of such a host do not check, and what to do.
const UNIDENTIFIED: &str = "callers take any workload of the mesh for a provider: `workloads` says of these \
     providers that they are in the mesh, and not who they are (`identity`)";

impl Status {
    /// The account of now.
    pub fn of(adapter: &Adapter) -> Self {
        let registries = adapter.services().states().map(|(id, state)| Registry {
            registry: id.to_string(),
            state: word(state),
            reason: reason(state).to_owned(),
        });
        let unreadable = adapter
            .services()
            .unreadable()
            .map(|(list, reason)| Refused {
                provider: one_line(list),
                reason: one_line(reason),
                fault: true,
            });
        let rejected = adapter.services().rejected().map(|(_, rejection)| Refused {
            provider: one_line(&rejection.subject),
            reason: one_line(&rejection.error),
            fault: true,
        });
        let refused = adapter.refused().map(|refusal| Refused {
            provider: one_line(&refusal.provider),
            reason: one_line(&refusal.reason),
            fault: refusal.reason.is_fault(),
        });
        let mut refused: Vec<Refused> = unreadable.chain(rejected).chain(refused).collect();
        refused.sort_unstable_by(|a, b| a.provider.cmp(&b.provider));
        Self {
            told: Some(Instant::now()),
            registries: registries.collect(),
            refused,
            unidentified: unidentified(adapter),
        }
    }
}

/// Each host whose providers are not checked.
fn unidentified(adapter: &Adapter) -> Vec<Unidentified> {
    let of_host = |(host, providers): (&Arc<str>, &Vec<Identity>)| Unidentified {
        host: host.to_string(),
        reason: UNIDENTIFIED,
        providers: providers.iter().map(one_line).collect(),
    };
    adapter.unidentified().map(of_host).collect()
}

/// One word for a state.
pub fn word(state: &SourceState) -> &'static str {
    match state {
        SourceState::Connecting(_) => "connecting",
        SourceState::Live => "live",
        SourceState::Stale(_) => "stale",
    }
}

/// Why a registry is not live; empty if it is.
pub fn reason(state: &SourceState) -> &str {
    match state {
        SourceState::Live => "",
        SourceState::Connecting(reason) | SourceState::Stale(reason) => reason,
    }
}
