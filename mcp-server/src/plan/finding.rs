//! What a plan says: values for people and machines alike. No words; those are in `words.rs`.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::Serialize;

/// What would change if ports were switched to http2 mode.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// Each port, by number.
    pub ports: Vec<Port>,
    /// What could not be read; where there is something, the rest is not the whole truth.
    pub unread: Vec<Unread>,
    /// What was not looked at, since nobody said where.
    pub not_looked_at: BTreeSet<NotLookedAt>,
    /// Entries of the registries that are no providers; their calls stay what they are.
    pub rejected: usize,
    /// Of all ports.
    pub verdict: Verdict,
}

/// One port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Port {
    /// The number.
    pub port: u16,
    /// Whose sidecars route it.
    pub namespaces: Vec<Arc<str>>,
    /// What it is today.
    pub today: Today,
    /// What has it.
    pub counts: Counts,
    /// What sidecars get.
    pub sidecar: Sidecar,
    /// What was found, what changes calls first.
    pub sections: Vec<Section>,
    /// Of this port.
    pub verdict: Verdict,
    /// How to switch.
    pub steps: Vec<String>,
    /// How to switch back.
    pub undo: Vec<String>,
}

/// What a port is before the switch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Today {
    /// In `ports.listen`.
    Tcp,
    /// In `ports.http2` already.
    Http2,
    /// In neither: its providers are refused.
    NotListed,
}

/// How much of everything is on a port.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Counts {
    /// Dubbo services with a provider on the port.
    pub services: usize,
    /// Their Dubbo providers on the port.
    pub providers: usize,
    /// Consumers of these services that may be in the mesh.
    pub consumers: usize,
}

/// What each sidecar of the namespaces gets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Sidecar {
    /// Listeners that it has not today.
    pub listeners_to_come: Vec<String>,
    /// How many listeners at virtual addresses go for it.
    pub listeners_to_go: usize,
    /// Clusters of this port, one for each service.
    pub clusters: usize,
    /// Endpoints in them.
    pub endpoints: usize,
    /// Memory of all this in Envoy, about.
    pub bytes: u64,
}

/// Whether calls of today would change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    /// They would be answered as before.
    Unchanged,
    /// Some would not.
    Changed,
    /// Something could not be read.
    Unknown,
}

/// What a plan would look at if it were told where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum NotLookedAt {
    /// `--services` was not given.
    KubernetesServices,
    /// A registry that has no consumers: a file.
    ConsumersOfFiles,
}

/// Something that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Unread {
    /// What.
    pub what: String,
    /// Why.
    pub reason: String,
}

/// All findings of one topic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Section {
    /// What they are about.
    pub topic: Topic,
    /// Whether calls of today change.
    pub changes_calls: bool,
    /// What would change.
    pub effect: String,
    /// What to do.
    pub advice: String,
    /// How many there are.
    pub count: usize,
    /// Who. Sorted; fewer than `count` where the list was cut.
    pub findings: Vec<Finding>,
}

/// What findings can be about, in the order of the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Topic {
    /// Tags that nobody keeps: of consumers' URLs, and of providers where routes of ours are not wanted.
    Tags,
    /// Consumers whose own pick is taken away, or providers that ask for it.
    Picks,
    /// Callbacks and stub events.
    Callbacks,
    /// Providers of one service that cannot take each other's calls.
    MixedProviders,
    /// Rules that decide in the consumer.
    Rules,
    /// Services that share a host.
    SharedHosts,
    /// What is not Dubbo, on the same number.
    OtherProtocols,
    /// Kubernetes services of the number that break.
    BrokenServices,
    /// Headless Kubernetes services that take the connection first.
    HeadlessServices,
    /// Tagged providers whose tag routes of ours keep.
    KeptTags,
    /// Consumers that ask for another kind of balance.
    Balance,
    /// Dubbo and something else at one address.
    SharedPorts,
    /// Providers of the same services on other ports.
    OtherPorts,
    /// Providers that the mesh will not know.
    NotPublished,
    /// Services that fewer namespaces see than today.
    FewerNamespaces,
    /// Hosts with a hash.
    AlteredNames,
    /// Addresses of which nobody said whether they are in the mesh.
    UnknownWorkloads,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(
    tag = "kind",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum Finding {
    /// A party says this about who is called.
    Setting {
        /// Who.
        #[serde(flatten)]
        by: Party,
        /// As it stands in its URL.
        setting: String,
    },
    /// A rule that is in force.
    Rule {
        /// The interface or application that it is for.
        key: String,
        /// What it is.
        rule: String,
    },
    /// A service whose host is another one's.
    SharedHost {
        /// The service.
        service: String,
        /// Its host.
        host: String,
        /// Whose it is.
        owner: String,
    },
    /// A provider that something is the matter with.
    Provider {
        /// Who.
        #[serde(flatten)]
        by: Party,
        /// What.
        reason: String,
    },
    /// A Kubernetes service.
    Service {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
        /// Whether it is headless.
        headless: bool,
        /// As what istiod takes the port.
        protocol: String,
    },
    /// A service and its name.
    Host {
        /// The service.
        service: String,
        /// Its host.
        host: String,
    },
    /// An address.
    Address {
        /// The address.
        address: String,
        /// Applications of providers there.
        applications: BTreeSet<String>,
    },
}

/// A provider or a consumer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Party {
    /// The service, as the registry names it.
    pub service: String,
    /// Which side.
    pub side: Side,
    /// Empty where it is not written.
    pub application: String,
    /// A provider's host and port, a consumer's host.
    pub address: String,
}

/// The sides of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Side {
    /// Is called.
    Provider,
    /// Calls.
    Consumer,
}

impl Plan {
    /// Leaves at most so many findings in each section.
    pub fn cut(&mut self, most: usize) {
        let sections = self.ports.iter_mut().flat_map(|port| &mut port.sections);
        sections.for_each(|section| section.findings.truncate(most));
    }
}
