//! What is configured: the file and the command line, read once into types.
//!
//! Everything is parsed here; the rest of the program sees values. A mistake is reported with its
//! line and column, and with what would be right.

pub(crate) mod duration;
mod filter;
mod notices;
mod server;
mod yaml;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use dubbo_registry::catalog::Holds;
use dubbo_registry::mesh::{DEFAULT_LABELS, DEFAULT_NAMESPACE, IstioProtocol, Mesh, Override};
use dubbo_registry::ports::{PortList, PortRange, Ports};
use dubbo_registry::provider::{Protocol, Reading};
use dubbo_registry::removal::Policy;
use dubbo_registry::resource::validate::{is_dns_label, is_label_key, is_label_value};
use dubbo_registry::source::SourceConfig;
use dubbo_registry::vip::{DEFAULT_RANGE, Range};
use dubbo_registry::workload::{Rule, Workloads};
use ipnet::Ipv4Net;
use serde::Deserialize;
use serde::de::Error as _;
use serde_saphyr::Spanned;

use duration::Written as WrittenDuration;
use filter::Written as WrittenFilter;
pub use server::{Listen, Tls};

/// Where metrics and health are served where nothing else is said.
pub const DEFAULT_ADMIN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 18849);

/// Labels that we set ourselves; a URL parameter may not take their place.
const OWN_LABELS: [&str; 9] = [
    "application",
    "group",
    "protocol",
    "tag",
    "version",
    "tri",
    "grpc",
    "rest",
    "http",
];

/// Everything that is configured.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Written")]
pub struct Config {
    /// The registries; may be empty in a file, where the command line names them.
    pub registries: Vec<SourceConfig>,
    /// Where istiod connects.
    pub listen: Listen,
    /// Where metrics and health are served.
    pub admin: SocketAddr,
    /// What the mesh is told.
    pub mesh: Arc<Mesh>,
    /// What is read of a provider URL besides what every provider has.
    pub reading: Reading,
    /// When a removal is believed.
    pub removal: Policy,
    /// How long unused ports and entries stay.
    pub holds: Holds,
    /// What becomes of providers that registered a host name.
    pub host_names: HostNames,
}

/// What becomes of providers that registered a host name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostNames {
    /// They are resolved, and again after each interval.
    Resolve(Duration),
    /// They are refused, by name.
    Refuse,
}

/// A configuration that cannot be used: the text says where and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError(pub String);

/// The file, as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
struct Written {
    registries: Vec<Spanned<SourceConfig>>,
    listen: Listen,
    #[serde(deserialize_with = "server::address_if_any")]
    admin: Option<SocketAddr>,
    namespace: Option<Namespace>,
    ports: WrittenPorts,
    vips: WrittenVips,
    schemes: BTreeMap<Scheme, IstioProtocol>,
    labels: Option<Vec<LabelKey>>,
    workloads: Vec<Rule>,
    export_to: Vec<Arc<str>>,
    overrides: Vec<WrittenOverride>,
    removal: WrittenRemoval,
    holds: WrittenHolds,
    host_names: WrittenHostNames,
    filter: Option<Spanned<WrittenFilter>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
struct PortsFields {
    listen: Vec<PortRange>,
    well_known: BTreeSet<u16>,
    http2: Vec<PortList>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(try_from = "PortsFields")]
struct WrittenPorts(Ports);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct VipsFields {
    #[serde(deserialize_with = "cidr")]
    cidr: Ipv4Net,
    pins: BTreeMap<Arc<str>, Ipv4Addr>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(try_from = "VipsFields")]
struct WrittenVips(Range);

#[derive(Debug, Deserialize)]
#[serde(try_from = "Override")]
struct WrittenOverride(Override);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct WrittenRemoval {
    delay: WrittenDuration,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct WrittenHolds {
    port: WrittenDuration,
    service: WrittenDuration,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct WrittenHostNames {
    mode: HostNamesMode,
    interval: WrittenDuration,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
enum HostNamesMode {
    Resolve,
    Refuse,
}

impl Config {
    /// Everything at its default; no registries.
    pub fn defaults() -> Result<Self, ConfigError> {
        Self::try_from(Written::default()).map_err(ConfigError)
    }

    /// Reads a configuration file.
    pub fn from_file(path: &Path) -> Result<Self, ConfigError> {
        let shown = path.display();
        let text = std::fs::read_to_string(path)
            .map_err(|error| ConfigError(format!("cannot read {shown}: {error}")))?;
        Self::from_text(&text).map_err(|ConfigError(error)| ConfigError(format!("{shown}:{error}")))
    }

    /// Reads the text of a configuration file; an error begins with `line:column: `.
    pub fn from_text(text: &str) -> Result<Self, ConfigError> {
        if text.trim().is_empty() {
            return Self::defaults();
        }
        yaml::read(text).map_err(ConfigError)
    }
}

impl TryFrom<Written> for Config {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        check_registries(&written.registries)?;
        check_export_to(&written.export_to).map_err(|error| format!("exportTo: {error}"))?;
        let mut schemes = Mesh::default_schemes();
        schemes.extend(
            written
                .schemes
                .into_iter()
                .map(|(scheme, as_what)| (scheme.0, as_what)),
        );
        if let Some(filter) = &written.filter {
            filter::check(&filter.value.0, &written.ports.0)
                .map_err(|error| format!("{}filter.{error}", yaml::place(filter)))?;
        }
        let admin = written.admin.unwrap_or(DEFAULT_ADMIN);
        if admin == written.listen.address && admin.port() != 0 {
            return Err(format!(
                "listen.address and admin are both {admin}; give one of them another port"
            ));
        }
        let mesh = Mesh {
            namespace: written
                .namespace
                .map_or_else(|| DEFAULT_NAMESPACE.into(), |n| n.0),
            ports: written.ports.0,
            vips: written.vips.0,
            schemes,
            workloads: Workloads::new(written.workloads),
            export_to: written.export_to,
            overrides: written.overrides.into_iter().map(|o| o.0).collect(),
            installation: written.filter.map(|filter| filter.value.0),
        };
        let labels = match written.labels {
            Some(labels) => labels.into_iter().map(|label| label.0).collect(),
            None => DEFAULT_LABELS.iter().map(|label| (*label).into()).collect(),
        };
        let names = written.host_names;
        Ok(Self {
            registries: written.registries.into_iter().map(|r| r.value).collect(),
            listen: written.listen,
            admin,
            mesh: Arc::new(mesh),
            reading: Reading { labels },
            removal: Policy {
                delay: written.removal.delay.0,
            },
            holds: Holds {
                port: written.holds.port.0,
                service: written.holds.service.0,
            },
            host_names: match names.mode {
                HostNamesMode::Resolve => HostNames::Resolve(names.interval.0),
                HostNamesMode::Refuse => HostNames::Refuse,
            },
        })
    }
}

fn check_registries(registries: &[Spanned<SourceConfig>]) -> Result<(), String> {
    let mut ids = BTreeSet::new();
    match registries.iter().find(|r| !ids.insert(r.value.id())) {
        None => Ok(()),
        Some(twice) => Err(format!(
            "{}registry {} is listed twice",
            yaml::place(twice),
            twice.value.id()
        )),
    }
}

impl Default for PortsFields {
    fn default() -> Self {
        let listen = Ports::default_listen();
        Self {
            listen,
            well_known: BTreeSet::new(),
            http2: Vec::new(),
        }
    }
}

impl TryFrom<PortsFields> for WrittenPorts {
    type Error = String;

    fn try_from(fields: PortsFields) -> Result<Self, String> {
        for list in &fields.http2 {
            check_export_to(&list.namespaces)?;
        }
        let ports = Ports::new(fields.listen, fields.well_known, &fields.http2);
        ports.map(Self).map_err(|error| error.to_string())
    }
}

impl Default for VipsFields {
    fn default() -> Self {
        Self {
            cidr: DEFAULT_RANGE,
            pins: BTreeMap::new(),
        }
    }
}

impl TryFrom<VipsFields> for WrittenVips {
    type Error = String;

    fn try_from(fields: VipsFields) -> Result<Self, String> {
        let of_dubbo = |host: &&Arc<str>| host.strip_suffix(".dubbo").is_some_and(is_host);
        if let Some(host) = fields.pins.keys().find(|host| !of_dubbo(host)) {
            return Err(format!(
                "pins: {host:?} is no host of ours, which are like com.acme.orders.dubbo"
            ));
        }
        Range::new(fields.cidr, fields.pins)
            .map(Self)
            .map_err(|error| error.to_string())
    }
}

/// Labels in lower case, with dots between them.
fn is_host(name: &str) -> bool {
    name.split('.').all(is_namespace)
}

fn cidr<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Ipv4Net, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(|_| {
        D::Error::custom(format!(
            "{text:?} is no range of IPv4 addresses such as {DEFAULT_RANGE}"
        ))
    })
}

impl TryFrom<Override> for WrittenOverride {
    type Error = String;

    fn try_from(other: Override) -> Result<Self, String> {
        if other.interfaces.is_empty() {
            return Err("interfaces: none are listed; `\"*\"` stands for all".into());
        }
        for (key, value) in &other.labels {
            if !is_label_key(key) || value.len() > 63 || !is_label_value(value) {
                return Err(format!("{key}: {value} is not a Kubernetes label"));
            }
            if key == "istio.io/rev" {
                return Err(
                    "istiod ignores objects whose label istio.io/rev is not its own revision"
                        .into(),
                );
            }
        }
        check_export_to(other.export_to.as_deref().unwrap_or_default())?;
        Ok(Self(other))
    }
}

/// istiod refuses whatever has another `exportTo`, and everything of ours would have it.
pub(crate) fn check_export_to(namespaces: &[Arc<str>]) -> Result<(), String> {
    let legal = |name: &&Arc<str>| is_namespace(name) || (***name == *"*" && namespaces.len() == 1);
    match namespaces.iter().find(|name| !legal(name)) {
        None => Ok(()),
        Some(name) => Err(format!(
            "{name:?} is neither the name of a namespace nor `\"*\"`, alone, for all"
        )),
    }
}

/// Kubernetes' namespaces are DNS labels in lower case.
fn is_namespace(name: &str) -> bool {
    is_dns_label(name) && !name.bytes().any(|b| b.is_ascii_uppercase())
}

impl Default for WrittenRemoval {
    fn default() -> Self {
        Self {
            delay: WrittenDuration(Policy::default().delay),
        }
    }
}

impl Default for WrittenHolds {
    fn default() -> Self {
        let holds = Holds::default();
        Self {
            port: WrittenDuration(holds.port),
            service: WrittenDuration(holds.service),
        }
    }
}

impl Default for WrittenHostNames {
    fn default() -> Self {
        Self {
            mode: HostNamesMode::Resolve,
            interval: WrittenDuration(Duration::from_secs(30)),
        }
    }
}

/// The namespace of our resources.
#[derive(Clone, Debug)]
struct Namespace(Arc<str>);

/// A scheme that becomes part of names: a DNS label that leaves room for the rest of a port name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Scheme(Protocol);

/// A URL parameter that becomes a label.
#[derive(Clone, Debug)]
struct LabelKey(Arc<str>);

impl<'de> Deserialize<'de> for Namespace {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if !is_namespace(&text) {
            return Err(D::Error::custom(format!(
                "{text:?} is not the name of a namespace"
            )));
        }
        Ok(Self(text.into()))
    }
}

impl<'de> Deserialize<'de> for Scheme {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if !is_dns_label(&text) || text.len() > 32 {
            return Err(D::Error::custom(format!(
                "scheme {text:?} cannot be part of a port's name; it has to be a DNS label of at most 32"
            )));
        }
        let protocol = Protocol::from(text.as_str());
        if protocol == Protocol::Dubbo {
            return Err(D::Error::custom(
                "dubbo is TCP, or HTTP/2 on the ports of ports.http2, and nothing else",
            ));
        }
        Ok(Self(protocol))
    }
}

impl<'de> Deserialize<'de> for LabelKey {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if OWN_LABELS.contains(&text.as_str()) {
            return Err(D::Error::custom(format!(
                "label {text} is always there, as our own"
            )));
        }
        if !is_label_key(&text) || text.contains('/') {
            return Err(D::Error::custom(format!(
                "{text:?} cannot be a label in Kubernetes"
            )));
        }
        Ok(Self(text.into()))
    }
}

impl std::fmt::Display for ConfigError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ConfigError {}

#[cfg(test)]
mod tests;
