//! One provider as Dubbo writes it to a registry, read once into types.
//!
//! Owns the dialects of provider URLs from Dubbo 2.5 to 3.3. Knows nothing of Istio, of ZooKeeper
//! or of what becomes of a provider.
//!
//! ```text
//! node name ─form_decode→ scheme://[user@]host:port/path?k=v&k=v ─Provider::parse→ Provider
//! ```
//!
//! The shape of the URL is Dubbo's `URL.toFullString`: keys sorted, values *not* escaped inside the
//! URL, one level of `URLEncoder` over the whole (`ZookeeperRegistry.toUrlPath`). The readers of
//! Dubbo's own versions differ; where they do, this one takes what any of them would accept.

mod parse;

#[cfg(test)]
mod tests;

use std::cmp::Ordering;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use dubbo_codec::ServiceKey;

pub use parse::{MAX_URL, form_decode};
pub(crate) use parse::{is_of_a_host, is_true, pairs};

/// Dubbo's default weight (`Constants.DEFAULT_WEIGHT`).
pub const DEFAULT_WEIGHT: u32 = 100;

/// One provider: a scheme and an address at which a service can be called.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Provider {
    /// What the provider is; two entries with one identity are one provider.
    pub id: Identity,
    /// Start of the provider, milliseconds since 1970; 0 where it is not written (simplified URLs
    /// of 3.x). Of two entries with one identity the later one holds.
    pub timestamp: u64,
    /// `weight`, default 100. 0 takes no calls.
    pub weight: u32,
    /// False for `enabled=false` or `disabled=true`, which only rules and hands write.
    pub enabled: bool,
    /// `ext.protocol` of Dubbo 3.3: this port also serves that protocol.
    pub also_speaks: Option<Protocol>,
    /// `application`; empty where it is not written.
    pub application: Arc<str>,
    /// `dubbo.tag`; empty for untagged.
    pub tag: Arc<str>,
    /// The parameters that [`Reading::labels`] asks for, in its order, those that are there.
    pub labels: Box<[(Arc<str>, Arc<str>)]>,
}

/// What makes a provider the same provider. Never the raw URL: timestamp, pid and the order of
/// methods change at every start.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Identity {
    /// Interface, group and version.
    pub service: Arc<ServiceKey>,
    /// The URL's scheme.
    pub protocol: Protocol,
    /// Where it listens.
    pub host: Host,
    /// 1 to 65535.
    pub port: u16,
    /// The URL's path where it is not the interface: an alias or a context path; else empty.
    pub path: Box<str>,
}

/// The scheme of a provider URL.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// `dubbo`: Dubbo2 frames.
    Dubbo,
    /// `tri`: Triple, HTTP/2 with gRPC's framing.
    Tri,
    /// `grpc`.
    Grpc,
    /// `rest`: HTTP/1.1.
    Rest,
    /// `http`: HTTP/1.1.
    Http,
    /// Any other, lower case.
    Other(Arc<str>),
}

/// The host of a provider URL.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Host {
    /// An address.
    Ip(IpAddr),
    /// A name, lower case, to be resolved.
    Name(Arc<str>),
}

/// What to read of a URL beyond what every provider has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Names of URL parameters that become labels of the endpoint.
    pub labels: Arc<[Arc<str>]>,
}

/// Why an entry is not a provider that can be published.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum ProviderError {
    /// Longer than [`MAX_URL`]; the length in bytes.
    TooLong(usize),
    /// `%` without two hex digits; the byte offset in the node name.
    BadEscape(usize),
    /// The decoded bytes are not UTF-8; the offset of the first bad one.
    NotUtf8(usize),
    /// No `scheme://`.
    NoScheme,
    /// A scheme that is no protocol: `empty`, `consumer`, `override`, `route`, `absent` …
    NotAProvider(Box<str>),
    /// The authority has no host.
    NoHost,
    /// The host is neither an address nor a host name.
    BadHost(Box<str>),
    /// An IPv6 address with a scope (`%eth0`), which means something on that machine only.
    ScopeId(Box<str>),
    /// `0.0.0.0`, `::`, a multicast or the broadcast address.
    NotAnAddressOfAHost(IpAddr),
    /// No port, port 0 or not a number up to 65535.
    BadPort(Box<str>),
    /// The interface has white space or control characters.
    BadInterface(Box<str>),
    /// `interface=` differs from the directory that the entry stands in.
    WrongDirectory {
        /// What the URL says.
        interface: Box<str>,
        /// The directory.
        directory: Box<str>,
    },
    /// `category=` says that it is not a provider.
    WrongCategory(Box<str>),
    /// `weight` is not a number.
    BadWeight(Box<str>),
}

impl Protocol {
    /// The scheme.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Dubbo => "dubbo",
            Self::Tri => "tri",
            Self::Grpc => "grpc",
            Self::Rest => "rest",
            Self::Http => "http",
            Self::Other(scheme) => scheme,
        }
    }
}

impl From<&str> for Protocol {
    fn from(scheme: &str) -> Self {
        match scheme.to_ascii_lowercase().as_str() {
            "dubbo" => Self::Dubbo,
            "tri" => Self::Tri,
            "grpc" => Self::Grpc,
            "rest" => Self::Rest,
            "http" => Self::Http,
            other => Self::Other(other.into()),
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(IpAddr::V6(ip)) => write!(f, "[{ip}]"),
            Self::Ip(ip) => ip.fmt(f),
            Self::Name(name) => f.write_str(name),
        }
    }
}

impl Ord for Identity {
    /// By service, then by the rest in its order. What is compared most is of one service, which is
    /// in memory once, so that most often there is no need to look into it.
    fn cmp(&self, other: &Self) -> Ordering {
        match Arc::ptr_eq(&self.service, &other.service) {
            true => Ordering::Equal,
            false => self.service.cmp(&other.service),
        }
        .then_with(|| self.protocol.cmp(&other.protocol))
        .then_with(|| self.host.cmp(&other.host))
        .then_with(|| self.port.cmp(&other.port))
        .then_with(|| self.path.cmp(&other.path))
    }
}

impl PartialOrd for Identity {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Identity {
    /// `dubbo://10.0.0.1:20880/gray/com.acme.Orders:1.0.0`, and the path where it is another one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}://{}:{}/{}",
            self.protocol, self.host, self.port, self.service
        )?;
        if !self.path.is_empty() {
            write!(f, " (path {})", self.path)?;
        }
        Ok(())
    }
}

impl fmt::Display for ProviderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong(len) => write!(f, "the entry is {len} bytes long, more than {MAX_URL}"),
            Self::BadEscape(at) => write!(f, "no two hex digits after the % at byte {at}"),
            Self::NotUtf8(at) => write!(f, "not UTF-8 from decoded byte {at} on"),
            Self::NoScheme => f.write_str("no scheme:// at the beginning"),
            Self::NotAProvider(scheme) => write!(f, "{scheme}:// is not a provider"),
            Self::NoHost => f.write_str("no host"),
            Self::BadHost(host) => write!(f, "host {host:?} is neither an address nor a host name"),
            Self::ScopeId(host) => write!(
                f,
                "IPv6 address {host} has a scope, which means something on its own machine only; \
                 let the provider register a global address (DUBBO_IP_TO_REGISTRY)"
            ),
            Self::NotAnAddressOfAHost(ip) => write!(f, "{ip} is not the address of a host"),
            Self::BadPort(port) => write!(f, "port {port:?} is not a number from 1 to 65535"),
            Self::BadInterface(name) => {
                write!(
                    f,
                    "interface {name:?} has white space or control characters"
                )
            }
            Self::WrongDirectory {
                interface,
                directory,
            } => {
                write!(
                    f,
                    "interface={interface} stands in the directory of {directory}"
                )
            }
            Self::WrongCategory(category) => write!(f, "category={category}, not providers"),
            Self::BadWeight(weight) => write!(f, "weight {weight:?} is not a number"),
        }
    }
}

impl std::error::Error for ProviderError {}
