//! istiod's own rules for a ServiceEntry, applied before it is sent.
//!
//! istiod checks what a configuration source sends (`pkg/config/validation/validation.go`,
//! `ValidateServiceEntry` and `validateWorkloadEntry`; `agent/validation.go`;
//! `labels/instance.go`), drops what fails, and answers with an ACK: the sender never hears of it.
//! So the rules are here again, one variant each. Warnings of istiod are not rules.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;

use crate::proto::{Resolution, ServiceEntry, ServicePort, WorkloadEntry};

/// A rule of istiod that a ServiceEntry breaks.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Violation {
    /// Where: the entry itself, or the endpoint with this index.
    pub endpoint: Option<usize>,
    /// What.
    pub rule: Rule,
}

/// One rule each, with what broke it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Rule {
    /// At least one host.
    NoHost,
    /// A host is a name of 1 to 255 bytes, of labels of letters, digits and inner hyphens up to 63
    /// long (the first may be a wildcard), the last not a number.
    Host(String),
    /// Several hosts only where the ports tell them apart, or without resolution.
    SeveralHosts,
    /// An address is an IP or a CIDR.
    Address(String),
    /// A CIDR only with NONE or STATIC.
    CidrNeedsStatic(String),
    /// Port numbers are 1 to 65535.
    PortNumber(u32),
    /// Target ports are 0 to 65535.
    TargetPort(u32),
    /// No number twice.
    PortNumberTwice(u32),
    /// A port name is a DNS label.
    PortName(String),
    /// No name twice.
    PortNameTwice(String),
    /// One of the protocols that Istio knows.
    PortProtocol(String),
    /// NONE has no endpoints.
    EndpointsWithoutResolution,
    /// STATIC endpoints are addresses (or Unix sockets).
    EndpointAddress(String),
    /// DNS endpoints are addresses or names.
    EndpointName(String),
    /// DNS without endpoints resolves the hosts, which then have no wildcard.
    WildcardNeedsEndpoints(String),
    /// DNS_ROUND_ROBIN has one endpoint at most.
    SeveralRoundRobin(usize),
    /// Endpoints name ports of the entry only.
    EndpointPortName(String),
    /// Endpoint ports are 1 to 65535.
    EndpointPort(u32),
    /// A label key is `[prefix/]name`, the name up to 63 long.
    LabelKey(String),
    /// A label value is letters, digits, `-`, `_`, `.`, both ends alphanumeric.
    LabelValue(String),
    /// `exportTo` names namespaces, each once.
    ExportTo(String),
}

/// Every rule that `entry` breaks, the entry's own first.
pub fn violations(entry: &ServiceEntry) -> Vec<Violation> {
    let mut rules = Vec::new();
    hosts(entry, &mut rules);
    addresses(entry, &mut rules);
    ports(entry, &mut rules);
    resolution(entry, &mut rules);
    export_to(entry, &mut rules);
    let own = rules.into_iter().map(|rule| Violation {
        endpoint: None,
        rule,
    });
    let names: BTreeSet<&str> = entry.ports.iter().map(|port| port.name.as_str()).collect();
    let endpoints = entry
        .endpoints
        .iter()
        .enumerate()
        .flat_map(|(index, endpoint)| {
            let broken = endpoint_rules(endpoint, entry.resolution(), &names);
            broken.into_iter().map(move |rule| Violation {
                endpoint: Some(index),
                rule,
            })
        });
    own.chain(endpoints).collect()
}

fn hosts(entry: &ServiceEntry, rules: &mut Vec<Rule>) {
    if entry.hosts.is_empty() {
        rules.push(Rule::NoHost);
    }
    let bad = entry.hosts.iter().filter(|host| !is_wildcard_host(host));
    rules.extend(bad.cloned().map(Rule::Host));
    let tells_apart = |port: &ServicePort| {
        let protocol = port.protocol.to_ascii_lowercase();
        matches!(
            protocol.as_str(),
            "http" | "http2" | "http_proxy" | "grpc" | "grpc-web" | "https" | "tls"
        )
    };
    if entry.hosts.len() > 1
        && entry.resolution() != Resolution::None
        && !entry.ports.iter().all(tells_apart)
    {
        rules.push(Rule::SeveralHosts);
    }
}

fn addresses(entry: &ServiceEntry, rules: &mut Vec<Rule>) {
    for address in &entry.addresses {
        match address.split_once('/') {
            None if address.parse::<IpAddr>().is_ok() => {}
            Some(_) if address.parse::<ipnet::IpNet>().is_ok() => {
                if !matches!(entry.resolution(), Resolution::None | Resolution::Static) {
                    rules.push(Rule::CidrNeedsStatic(address.clone()));
                }
            }
            _ => rules.push(Rule::Address(address.clone())),
        }
    }
}

fn ports(entry: &ServiceEntry, rules: &mut Vec<Rule>) {
    let (mut numbers, mut names) = (BTreeSet::new(), BTreeSet::new());
    for port in &entry.ports {
        if !(1..=65535).contains(&port.number) {
            rules.push(Rule::PortNumber(port.number));
        }
        if port.target_port > 65535 {
            rules.push(Rule::TargetPort(port.target_port));
        }
        if !numbers.insert(port.number) {
            rules.push(Rule::PortNumberTwice(port.number));
        }
        if !is_dns_label(&port.name) {
            rules.push(Rule::PortName(port.name.clone()));
        }
        if !names.insert(&port.name) {
            rules.push(Rule::PortNameTwice(port.name.clone()));
        }
        if !is_protocol(&port.protocol) {
            rules.push(Rule::PortProtocol(port.protocol.clone()));
        }
    }
}

fn resolution(entry: &ServiceEntry, rules: &mut Vec<Rule>) {
    let count = entry.endpoints.len();
    match entry.resolution() {
        Resolution::None if count > 0 => rules.push(Rule::EndpointsWithoutResolution),
        Resolution::Dns | Resolution::DnsRoundRobin if count == 0 => {
            let wild = entry.hosts.iter().filter(|host| host.contains('*'));
            rules.extend(wild.cloned().map(Rule::WildcardNeedsEndpoints));
        }
        Resolution::DnsRoundRobin if count > 1 => rules.push(Rule::SeveralRoundRobin(count)),
        _ => {}
    }
}

fn export_to(entry: &ServiceEntry, rules: &mut Vec<Rule>) {
    let mut seen = BTreeSet::new();
    for namespace in &entry.export_to {
        let alone = matches!(namespace.as_str(), "*" | "~");
        let legal = namespace == "." || alone || is_dns_label(namespace);
        if !legal || (alone && entry.export_to.len() > 1) || !seen.insert(namespace) {
            rules.push(Rule::ExportTo(namespace.clone()));
        }
    }
}

fn endpoint_rules(
    endpoint: &WorkloadEntry,
    resolution: Resolution,
    port_names: &BTreeSet<&str>,
) -> Vec<Rule> {
    let mut rules = Vec::new();
    let address = &endpoint.address;
    let is_ip = address.parse::<IpAddr>().is_ok();
    let by_network = address.is_empty() && !endpoint.network.is_empty();
    match resolution {
        Resolution::Static if !is_ip && !by_network && !address.starts_with("unix://") => {
            rules.push(Rule::EndpointAddress(address.clone()));
        }
        Resolution::Dns | Resolution::DnsRoundRobin if !is_ip && !is_host(address) => {
            rules.push(Rule::EndpointName(address.clone()));
        }
        _ => {}
    }
    for (name, number) in &endpoint.ports {
        if !port_names.contains(name.as_str()) {
            rules.push(Rule::EndpointPortName(name.clone()));
        }
        if !(1..=65535).contains(number) {
            rules.push(Rule::EndpointPort(*number));
        }
    }
    for (key, value) in &endpoint.labels {
        if !is_label_key(key) {
            rules.push(Rule::LabelKey(key.clone()));
        }
        if !is_label_value(value) {
            rules.push(Rule::LabelValue(value.clone()));
        }
    }
    rules
}

/// `ValidateWildcardDomain`: a name whose first label may be `*`, `*foo` or `*-foo`; not `*` alone.
fn is_wildcard_host(host: &str) -> bool {
    if host == "*" {
        return false;
    }
    match host.split_once('.') {
        Some(("*", rest)) => is_host(rest) && host.len() <= 255,
        Some((first, rest)) if first.starts_with('*') => {
            let label = first[1..].trim_start_matches('-');
            is_dns_label(label) && is_host(rest) && host.len() <= 255
        }
        _ => is_host(host),
    }
}

/// `ValidateFQDN`: labels divided by dots, one trailing dot allowed, the last label not a number.
fn is_host(host: &str) -> bool {
    let name = host.strip_suffix('.').unwrap_or(host);
    let last = name.rsplit('.').next().unwrap_or_default();
    (1..=255).contains(&host.len())
        && name.split('.').all(is_dns_label)
        && !last.bytes().all(|b| b.is_ascii_digit())
}

/// Letters, digits and inner hyphens, 1 to 63 of them.
pub fn is_dns_label(label: &str) -> bool {
    let inner = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
    (1..=63).contains(&label.len())
        && label.bytes().all(inner)
        && !label.starts_with('-')
        && !label.ends_with('-')
}

/// `protocol.Parse`, and the empty one, which Istio finds out by itself.
fn is_protocol(protocol: &str) -> bool {
    matches!(
        protocol.to_ascii_lowercase().as_str(),
        "" | "tcp"
            | "udp"
            | "grpc"
            | "grpc-web"
            | "http"
            | "http_proxy"
            | "http2"
            | "https"
            | "tls"
            | "mongo"
            | "redis"
            | "mysql"
    )
}

/// `[prefix/]name`: the name like a label value of 1 to 63, the prefix a DNS name.
pub fn is_label_key(key: &str) -> bool {
    let (prefix, name) = key
        .split_once('/')
        .map_or((None, key), |(p, name)| (Some(p), name));
    prefix.is_none_or(|p| p.len() <= 253 && p.split('.').all(is_dns_label))
        && (1..=63).contains(&name.len())
        && is_label_value(name)
}

/// `([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]`, or empty. istiod does not look at the length.
pub fn is_label_value(value: &str) -> bool {
    let ends = |b: Option<&u8>| b.is_none_or(u8::is_ascii_alphanumeric);
    let bytes = value.as_bytes();
    let inner = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    ends(bytes.first()) && ends(bytes.last()) && bytes.iter().all(inner)
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(index) = self.endpoint {
            write!(f, "endpoint {index}: ")?;
        }
        self.rule.fmt(f)
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoHost => f.write_str("a ServiceEntry needs a host"),
            Self::Host(host) => write!(f, "host {host:?} is not a DNS name as istiod wants it"),
            Self::SeveralHosts => f.write_str("several hosts need HTTP or TLS ports"),
            Self::Address(address) => write!(f, "address {address:?} is neither an IP nor a CIDR"),
            Self::CidrNeedsStatic(cidr) => {
                write!(f, "address {cidr} needs resolution STATIC or NONE")
            }
            Self::PortNumber(n) => write!(f, "port number {n} is not 1 to 65535"),
            Self::TargetPort(n) => write!(f, "target port {n} is above 65535"),
            Self::PortNumberTwice(n) => write!(f, "port number {n} stands twice"),
            Self::PortName(name) => write!(f, "port name {name:?} is not a DNS label"),
            Self::PortNameTwice(name) => write!(f, "port name {name:?} stands twice"),
            Self::PortProtocol(protocol) => write!(f, "Istio has no protocol {protocol:?}"),
            Self::EndpointsWithoutResolution => f.write_str("resolution NONE takes no endpoints"),
            Self::EndpointAddress(a) => write!(f, "endpoint address {a:?} is not an IP address"),
            Self::EndpointName(a) => {
                write!(f, "endpoint address {a:?} is neither an IP nor a name")
            }
            Self::WildcardNeedsEndpoints(host) => {
                write!(f, "host {host:?} needs endpoints for DNS")
            }
            Self::SeveralRoundRobin(n) => write!(f, "DNS_ROUND_ROBIN takes one endpoint, not {n}"),
            Self::EndpointPortName(name) => write!(f, "the entry has no port named {name:?}"),
            Self::EndpointPort(n) => write!(f, "endpoint port {n} is not 1 to 65535"),
            Self::LabelKey(key) => write!(f, "label key {key:?} is not a Kubernetes one"),
            Self::LabelValue(value) => write!(f, "label value {value:?} is not a Kubernetes one"),
            Self::ExportTo(namespace) => write!(f, "exportTo {namespace:?} cannot stand there"),
        }
    }
}

#[cfg(test)]
mod tests;
