//! Which port numbers may become listeners of the mesh, and what they carry.
//!
//! A listener is opened in every sidecar that sees a service, so no client of a registry may decide
//! about it: a number has to be in the configured set, and the numbers that other programs are
//! known by need to be named one by one.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::sync::Arc;

use ipnet::IpNet;
use serde::Deserialize;

use crate::installation::Reach;

/// `20880` or `20880-20899`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortRange(RangeInclusive<u16>);

/// What the port numbers mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ports {
    listen: Vec<PortRange>,
    well_known: BTreeSet<u16>,
    http2: BTreeMap<u16, Arc<[Arc<str>]>>,
    except: BTreeMap<u16, BTreeSet<IpNet>>,
}

/// Ports, in namespaces. As an http2 list: callers there have the filter, and their Dubbo calls to
/// these ports are routed as HTTP/2.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PortList {
    /// The numbers.
    pub ports: Vec<PortRange>,
    /// The namespaces, `*` for all. Those of an http2 list become the `exportTo` of the services.
    pub namespaces: Vec<Arc<str>>,
    /// Of an http2 list: addresses of providers to which connections pass as they are.
    #[serde(default, deserialize_with = "crate::workload::nets")]
    pub except: Vec<IpNet>,
}

/// How a port that Dubbo listens on is shown to the mesh.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Opaque TCP behind an address of its own.
    Tcp,
    /// HTTP/2 inside the sidecars of these namespaces.
    Http2(Arc<[Arc<str>]>),
}

/// Why a number opens no listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PortRefused {
    /// Not in the configured set.
    NotListed(u16),
    /// In the set by a range at most, but other programs are known by it.
    WellKnown(u16),
}

/// Why the port configuration cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PortsError {
    /// An http2 port that is not in `listen`.
    Http2NotListed(u16),
    /// An http2 port that is in two lists.
    Http2Twice(u16),
    /// An http2 list without namespaces.
    NoNamespaces,
    /// An http2 list without ports.
    NoPorts,
}

impl Ports {
    /// Ports that listen, those of them that need a name of their own, and http2 lists.
    pub fn new(
        listen: Vec<PortRange>,
        well_known: BTreeSet<u16>,
        http2: &[PortList],
    ) -> Result<Self, PortsError> {
        let mut ports = Self {
            listen,
            well_known,
            http2: BTreeMap::new(),
            except: BTreeMap::new(),
        };
        for list in http2 {
            if list.namespaces.is_empty() {
                return Err(PortsError::NoNamespaces);
            }
            if list.ports.is_empty() {
                return Err(PortsError::NoPorts);
            }
            let mut namespaces = list.namespaces.clone();
            namespaces.sort();
            namespaces.dedup();
            let namespaces: Arc<[_]> = namespaces.into();
            for number in list.ports.iter().flat_map(|range| range.0.clone()) {
                if ports.check(number).is_err() {
                    return Err(PortsError::Http2NotListed(number));
                }
                if ports.http2.insert(number, namespaces.clone()).is_some() {
                    return Err(PortsError::Http2Twice(number));
                }
                if !list.except.is_empty() {
                    let except = list.except.iter().copied().collect();
                    ports.except.insert(number, except);
                }
            }
        }
        Ok(ports)
    }

    /// Whether `number` may become a listener.
    pub fn check(&self, number: u16) -> Result<(), PortRefused> {
        if self.well_known.contains(&number) {
            return Ok(());
        }
        if is_well_known(number) {
            return Err(PortRefused::WellKnown(number));
        }
        if self.listen.iter().any(|range| range.0.contains(&number)) {
            return Ok(());
        }
        Err(PortRefused::NotListed(number))
    }

    /// The http2 ports of each namespace.
    pub fn http2_by_namespace(&self) -> Reach {
        let mut reach = Reach::new();
        for (number, namespaces) in &self.http2 {
            for namespace in namespaces.iter() {
                reach.entry(namespace.clone()).or_default().insert(*number);
            }
        }
        reach
    }

    /// The same, but that these numbers listen and are in http2 mode for these namespaces.
    pub fn with_http2(
        mut self,
        numbers: impl IntoIterator<Item = u16>,
        namespaces: &[Arc<str>],
    ) -> Self {
        let namespaces: BTreeSet<Arc<str>> = namespaces.iter().cloned().collect();
        let namespaces: Arc<[_]> = namespaces.into_iter().collect();
        for number in numbers {
            if self.check(number).is_err() {
                self.well_known.insert(number);
            }
            self.http2.insert(number, namespaces.clone());
        }
        self
    }

    /// The same, but that this number is in no http2 list.
    pub fn without_http2(mut self, number: u16) -> Self {
        self.http2.remove(&number);
        self.except.remove(&number);
        self
    }

    /// Addresses to which connections of an http2 port pass as they are.
    pub fn except(&self, number: u16) -> impl Iterator<Item = &IpNet> {
        self.except.get(&number).into_iter().flatten()
    }

    /// How Dubbo on `number` is shown.
    pub fn mode(&self, number: u16) -> Mode {
        self.http2
            .get(&number)
            .map_or(Mode::Tcp, |namespaces| Mode::Http2(namespaces.clone()))
    }
}

impl Default for Ports {
    /// 20880 to 20899, where Dubbo goes by itself, and Triple's 50051; all TCP.
    fn default() -> Self {
        Self {
            listen: Self::default_listen(),
            well_known: BTreeSet::new(),
            http2: BTreeMap::new(),
            except: BTreeMap::new(),
        }
    }
}

impl Ports {
    /// The `listen` of the default.
    pub fn default_listen() -> Vec<PortRange> {
        vec![PortRange(20880..=20899), PortRange(50051..=50051)]
    }
}

/// Numbers that other programs are known by. A registry entry that names one of them is more
/// likely a mistake, or worse, than a Dubbo provider.
fn is_well_known(number: u16) -> bool {
    matches!(
        number,
        0..=1023 // system ports, RFC 6335
        | 1433 | 1521 | 2181 | 2379 | 2380 | 2888 | 3306 | 3888 | 4222 | 5432 | 5672 | 6379 | 6443
        | 7848 | 8080 | 8443 | 8848 | 9042 | 9090..=9093 | 9200 | 9300 | 9848 | 9849 | 10250
        | 11211 | 15000..=15099 // istio-proxy and istiod
        | 16379 | 26379 | 27017
    )
}

impl PortRange {
    /// Every number of it.
    pub fn numbers(&self) -> RangeInclusive<u16> {
        self.0.clone()
    }
}

impl FromStr for PortRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let port = |t: &str| t.trim().parse::<u16>().ok().filter(|n| *n != 0);
        match (port(first), port(last)) {
            (Some(first), Some(last)) if first <= last => Ok(Self(first..=last)),
            _ => Err(format!(
                "{text:?} is neither a port nor a range of ports such as 20880-20899"
            )),
        }
    }
}

impl<'de> Deserialize<'de> for PortRange {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Every scalar of YAML can be had as text, numbers that are no ports too.
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

impl fmt::Display for PortRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotListed(n) => write!(
                f,
                "port {n} is not one that may become a listener of the mesh; if it is Dubbo's, add \
                 `{n}` to ports.listen"
            ),
            Self::WellKnown(n) => write!(
                f,
                "port {n} belongs to other programs by custom; if it is Dubbo's, add `{n}` to \
                 ports.wellKnown"
            ),
        }
    }
}

impl fmt::Display for PortsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http2NotListed(n) => {
                write!(f, "http2 port {n} is in neither ports.listen nor ports.wellKnown")
            }
            Self::Http2Twice(n) => write!(f, "http2 port {n} is listed twice"),
            Self::NoNamespaces => f.write_str(
                "an http2 list needs the namespaces whose sidecars have the filter; `\"*\"` for all",
            ),
            Self::NoPorts => f.write_str("an http2 list needs ports"),
        }
    }
}

impl std::error::Error for PortsError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranges(texts: &[&str]) -> Vec<PortRange> {
        texts.iter().map(|t| t.parse().unwrap()).collect()
    }

    #[test]
    fn a_well_known_number_needs_to_be_named_even_inside_a_range() {
        let ports = Ports::new(ranges(&["6000-7000"]), BTreeSet::from([8080]), &[]).unwrap();
        assert_eq!(ports.check(6380), Ok(()));
        assert_eq!(ports.check(6379), Err(PortRefused::WellKnown(6379)));
        assert_eq!(ports.check(8080), Ok(()));
        assert_eq!(ports.check(7001), Err(PortRefused::NotListed(7001)));
    }

    #[test]
    fn the_default_is_dubbos_own_numbers() {
        let ports = Ports::default();
        for (number, expected) in [
            (20879, Err(PortRefused::NotListed(20879))),
            (20880, Ok(())),
            (20899, Ok(())),
            (20900, Err(PortRefused::NotListed(20900))),
            (50051, Ok(())),
            (15010, Err(PortRefused::WellKnown(15010))),
        ] {
            assert_eq!(ports.check(number), expected);
        }
        assert_eq!(ports.mode(20880), Mode::Tcp);
    }

    #[test]
    fn an_http2_port_listens_once_and_for_somebody() {
        let http2 = |ports: &[&str], namespaces: &[&str]| PortList {
            ports: ranges(ports),
            namespaces: namespaces.iter().map(|n| (*n).into()).collect(),
            except: Vec::new(),
        };
        let of = |lists: &[PortList]| Ports::new(ranges(&["20880-20889"]), BTreeSet::new(), lists);
        let ports = of(&[http2(&["20880"], &["shop", "pay", "shop"])]).unwrap();
        assert_eq!(
            ports.mode(20880),
            Mode::Http2(["pay".into(), "shop".into()].into())
        );
        assert_eq!(ports.mode(20881), Mode::Tcp);
        assert_eq!(
            of(&[http2(&["20890"], &["a"])]),
            Err(PortsError::Http2NotListed(20890))
        );
        let twice = [http2(&["20880"], &["a"]), http2(&["20880-20881"], &["b"])];
        assert_eq!(of(&twice), Err(PortsError::Http2Twice(20880)));
        assert_eq!(of(&[http2(&["20880"], &[])]), Err(PortsError::NoNamespaces));
        assert_eq!(of(&[http2(&[], &["a"])]), Err(PortsError::NoPorts));
    }

    #[test]
    fn a_range_is_read_strictly() {
        for bad in ["", "0", "20899-20880", "1-", "65536", "a-b", "1-2-3"] {
            assert!(bad.parse::<PortRange>().is_err(), "{bad}");
        }
    }
}
