//! From what is there to what would change. Pure.
//!
//! ```text
//! services ─┐                     ┌ who picks, who is tagged, who calls back
//! census ───┼─→ Estate of a port ─┼ what is refused once the port is Dubbo's alone ─→ sections ─→ Plan
//! kubectl ──┘                     └ who else has the number
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use dubbo_registry::catalog::{Catalog, Holds};
use dubbo_registry::census::Census;
use dubbo_registry::mesh::Mesh;
use dubbo_registry::ports::Mode;
use dubbo_registry::provider::{Identity, Protocol};
use dubbo_registry::removal::Time;
use dubbo_registry::resource::Reason;
use dubbo_registry::services::Services;

use super::estate::Estate;
use super::finding::{
    Finding, NotLookedAt, Plan, Port, Section, Sidecar, Today, Topic, Unread, Verdict,
};
use super::neighbours::Neighbour;
use super::{callers, cost, mixed, owners, steps};

/// All that a plan is made of.
#[derive(Clone, Debug)]
pub struct Evidence<'a> {
    /// Every provider.
    pub services: &'a Services,
    /// The configuration of today.
    pub mesh: &'a Mesh,
    /// Consumers, what is said about who is called, and rules.
    pub census: &'a Census,
    /// Kubernetes services, where somebody said which.
    pub neighbours: Option<&'a [Neighbour]>,
    /// The ports to be planned; none for those of the configuration.
    pub ports: &'a [u16],
    /// The namespaces of the callers; none for those of the configuration, else all.
    pub namespaces: &'a [Arc<str>],
    /// What could not be read.
    pub unread: BTreeSet<Unread>,
    /// What nobody said where to find.
    pub not_looked_at: BTreeSet<NotLookedAt>,
    /// Entries of registries that are no providers.
    pub rejected: usize,
}

/// What is found, by topic.
pub(super) type Found = BTreeMap<Topic, BTreeSet<Finding>>;

/// The plan.
pub fn plan(evidence: &Evidence<'_>) -> Plan {
    let numbers = evidence.numbers();
    let after = evidence.after(&numbers);
    let refused = refused(evidence.services, &after);
    let ports: Vec<Port> = numbers
        .into_iter()
        .map(|number| evidence.port(number, &after, &refused))
        .collect();
    let worst = ports.iter().map(|port| port.verdict).max();
    Plan {
        verdict: match evidence.unread.is_empty() {
            true => worst.unwrap_or(Verdict::Unchanged),
            false => Verdict::Unknown,
        },
        ports,
        unread: evidence.unread.iter().cloned().collect(),
        not_looked_at: evidence.not_looked_at.clone(),
        rejected: evidence.rejected,
    }
}

/// Why providers are not published under this configuration.
fn refused(services: &Services, mesh: &Mesh) -> BTreeMap<Identity, Reason> {
    let mut catalog = Catalog::new(Arc::new(mesh.clone()), Holds::default());
    let keys: BTreeSet<_> = services.keys().cloned().collect();
    catalog.update(services, &keys, Time::default());
    let refusals = catalog.refused();
    refusals
        .map(|refusal| (refusal.provider.clone(), refusal.reason.clone()))
        .collect()
}

impl Evidence<'_> {
    /// Those that were asked for; else those of the http2 lists; else those that Dubbo has and that
    /// may become listeners.
    fn numbers(&self) -> BTreeSet<u16> {
        if !self.ports.is_empty() {
            return self.ports.iter().copied().collect();
        }
        let listed = self.mesh.ports.http2_by_namespace();
        if !listed.is_empty() {
            return listed.into_values().flatten().collect();
        }
        let providers = self
            .services
            .keys()
            .flat_map(|k| self.services.providers(k));
        providers
            .filter(|p| p.id.protocol == Protocol::Dubbo)
            .map(|p| p.id.port)
            .filter(|number| self.mesh.ports.check(*number).is_ok())
            .collect()
    }

    fn namespaces(&self, number: u16) -> Vec<Arc<str>> {
        match (self.namespaces, self.mesh.ports.mode(number)) {
            ([], Mode::Http2(listed)) => listed.to_vec(),
            ([], Mode::Tcp) => vec!["*".into()],
            (asked, _) => {
                let asked: BTreeSet<_> = asked.iter().cloned().collect();
                asked.into_iter().collect()
            }
        }
    }

    /// The configuration with all of these switched.
    fn after(&self, numbers: &BTreeSet<u16>) -> Mesh {
        let mut after = self.mesh.clone();
        for number in numbers {
            after.ports = after.ports.with_http2([*number], &self.namespaces(*number));
        }
        after
    }

    fn port(&self, number: u16, after: &Mesh, refused: &BTreeMap<Identity, Reason>) -> Port {
        let namespaces = self.namespaces(number);
        let estate = Estate::new(number, self.services, refused, after);
        let mut found = Found::new();
        let consumers = callers::find(&estate, self.census, after, &mut found);
        mixed::find(&estate, self.census, &mut found);
        owners::find(&estate, (self.mesh, after), &mut found);
        if let Some(neighbours) = self.neighbours {
            owners::find_neighbours(number, &namespaces, neighbours, self.mesh, &mut found);
        }
        let sections = sections(found);
        let changed = sections.iter().any(|section| section.changes_calls);
        Port {
            port: number,
            today: today(number, self.mesh),
            counts: estate.counts(consumers),
            sidecar: sidecar(&estate, &namespaces, self.mesh),
            verdict: match (self.unread.is_empty(), changed) {
                (false, _) => Verdict::Unknown,
                (true, true) => Verdict::Changed,
                (true, false) => Verdict::Unchanged,
            },
            sections,
            steps: steps::steps(number, &namespaces, self.mesh),
            undo: steps::undo(number, self.mesh),
            namespaces,
        }
    }
}

fn sections(found: Found) -> Vec<Section> {
    let section = |(topic, findings): (Topic, BTreeSet<Finding>)| Section {
        topic,
        changes_calls: topic.changes_calls(),
        effect: topic.effect().to_owned(),
        advice: topic.advice().to_owned(),
        count: findings.len(),
        findings: findings.into_iter().collect(),
    };
    found.into_iter().map(section).collect()
}

fn today(number: u16, mesh: &Mesh) -> Today {
    match (mesh.ports.mode(number), mesh.ports.check(number)) {
        (Mode::Http2(_), _) => Today::Http2,
        (Mode::Tcp, Ok(())) => Today::Tcp,
        (Mode::Tcp, Err(_)) => Today::NotListed,
    }
}

fn sidecar(estate: &Estate<'_>, namespaces: &[Arc<str>], mesh: &Mesh) -> Sidecar {
    let number = estate.number;
    let there = matches!(mesh.ports.mode(number), Mode::Http2(listed) if *listed == *namespaces);
    let (clusters, endpoints) = estate.clusters();
    Sidecar {
        listeners_to_come: match there || clusters == 0 {
            true => Vec::new(),
            false => vec![format!("0.0.0.0_{number}")],
        },
        listeners_to_go: match today(number, mesh) {
            Today::Tcp => clusters,
            Today::Http2 | Today::NotListed => 0,
        },
        clusters,
        endpoints,
        bytes: cost::bytes(clusters, endpoints),
    }
}
