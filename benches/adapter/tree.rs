//! Synthetic registries: the same on every run, of the shape that Dubbo writes. Pure.
//!
//! ```text
//! application (ten interfaces) ─ instance (one ip:port) ─→ one provider of each interface
//! <root>/<interface>/providers/<encoded URL of 400 to 700 bytes>
//! ```
//! Every other application writes URLs as Dubbo 2.7.23 does, the others as 3.2.16.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

/// Interfaces that one application provides.
const PER_APPLICATION: usize = 10;
/// More instances than any application has.
const MOST_INSTANCES: usize = 32;
/// The weight of a provider that writes none.
const DEFAULT_WEIGHT: u32 = 100;

const DOMAINS: [&str; 8] = [
    "orders",
    "billing",
    "catalog",
    "customer",
    "logistics",
    "promotion",
    "settlement",
    "warehouse",
];

const METHODS: [&str; 16] = [
    "findByIdentifier",
    "findAll",
    "create",
    "update",
    "cancel",
    "countByCustomer",
    "queryPage",
    "batchQueryByIds",
    "lock",
    "unlock",
    "validate",
    "export",
    "refreshCache",
    "listChanges",
    "reserve",
    "confirm",
];

/// How large a registry is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    pub(crate) name: &'static str,
    pub(crate) interfaces: usize,
    /// Of each interface.
    pub(crate) providers: usize,
}

pub(crate) const S: Size = Size {
    name: "S",
    interfaces: 500,
    providers: 4,
};

pub(crate) const M: Size = Size {
    name: "M",
    interfaces: 5_000,
    providers: 10,
};

/// What is registered now: of each interface the instances with their weights.
#[derive(Debug)]
pub(crate) struct Tree {
    pub(crate) size: Size,
    root: String,
    registered: Vec<BTreeMap<usize, u32>>,
}

impl Tree {
    pub(crate) fn new(size: Size) -> Self {
        let instances = (0..size.providers).map(|instance| (instance, DEFAULT_WEIGHT));
        let instances: BTreeMap<usize, u32> = instances.collect();
        Self {
            size,
            root: format!("/{}", size.name.to_lowercase()),
            registered: vec![instances; size.interfaces],
        }
    }

    /// Its path.
    pub(crate) fn root(&self) -> &str {
        &self.root
    }

    /// The directories, parents first, the root included.
    pub(crate) fn directories(&self) -> impl Iterator<Item = String> {
        let interfaces = (0..self.size.interfaces).flat_map(|n| {
            let interface = format!("{}/{}", self.root, interface(n));
            let providers = format!("{interface}/providers");
            [interface, providers]
        });
        std::iter::once(self.root.clone()).chain(interfaces)
    }

    /// The nodes of all providers.
    pub(crate) fn nodes(&self) -> impl Iterator<Item = String> {
        let each = self.registered.iter().enumerate();
        each.flat_map(move |(n, instances)| {
            instances
                .iter()
                .map(move |(instance, weight)| self.node(n, *instance, *weight))
        })
    }

    pub(crate) fn is_registered(&self, interface: usize, instance: usize) -> bool {
        self.registered[interface].contains_key(&instance)
    }

    /// Registers; the path of the new node.
    pub(crate) fn add(&mut self, interface: usize, instance: usize) -> String {
        self.registered[interface].insert(instance, DEFAULT_WEIGHT);
        self.node(interface, instance, DEFAULT_WEIGHT)
    }

    /// Takes away; the path of the node.
    pub(crate) fn remove(&mut self, interface: usize, instance: usize) -> String {
        let weight = self.registered[interface].remove(&instance);
        self.node(interface, instance, weight.unwrap_or(DEFAULT_WEIGHT))
    }

    /// Gives another weight; the paths of the old node and the new one.
    pub(crate) fn reweight(&mut self, interface: usize, instance: usize) -> (String, String) {
        let before = self.registered[interface].get(&instance).copied();
        let before = before.unwrap_or(DEFAULT_WEIGHT);
        let weight = DEFAULT_WEIGHT + (before - DEFAULT_WEIGHT + 1) % 100;
        self.registered[interface].insert(instance, weight);
        (
            self.node(interface, instance, before),
            self.node(interface, instance, weight),
        )
    }

    /// What the mesh shall hold of an interface: addresses and weights.
    pub(crate) fn expected(&self, interface: usize) -> BTreeMap<String, u32> {
        let instances = self.registered[interface].iter();
        instances
            .map(|(instance, weight)| (address(interface, *instance).to_string(), *weight))
            .collect()
    }

    /// The version that the providers of an interface say they have.
    pub(crate) fn version(&self, interface: usize) -> &'static str {
        if is_old(interface) { "1.0.0" } else { "" }
    }

    /// How many providers there are.
    pub(crate) fn len(&self) -> usize {
        self.registered.iter().map(BTreeMap::len).sum()
    }

    fn node(&self, n: usize, instance: usize, weight: u32) -> String {
        let name = form_encode(&url(n, instance, weight));
        format!("{}/{}/providers/{name}", self.root, interface(n))
    }
}

/// The name of interface `n`.
pub(crate) fn interface(n: usize) -> String {
    let domain = DOMAINS[n / PER_APPLICATION % DOMAINS.len()];
    format!("com.acme.platform.{domain}.api.Query{n:04}Service")
}

/// One address for all interfaces of an application.
fn address(interface: usize, instance: usize) -> Ipv4Addr {
    let number = interface / PER_APPLICATION * MOST_INSTANCES + instance + 1;
    Ipv4Addr::from(0x0a00_0000 + number as u32)
}

/// Whether the application of an interface is one with Dubbo 2.7.
fn is_old(interface: usize) -> bool {
    (interface / PER_APPLICATION).is_multiple_of(2)
}

fn url(n: usize, instance: usize, weight: u32) -> String {
    let application = n / PER_APPLICATION;
    let name = interface(n);
    let methods: Vec<_> = METHODS.iter().cycle().skip(n).take(2 + n % 6).collect();
    let methods = methods.into_iter().copied().collect::<Vec<_>>().join(",");
    let host = address(n, instance);
    let pid = 1_000 + instance * 97;
    let timestamp = 1_763_800_000_000_u64 + (application * 60_000 + instance * 1_000) as u64;
    let weight = match weight {
        DEFAULT_WEIGHT => String::new(),
        weight => format!("&weight={weight}"),
    };
    if is_old(n) {
        format!(
            "dubbo://{host}:20880/{name}?anyhost=true&application=acme-app-{application:03}&\
             deprecated=false&dubbo=2.0.2&dynamic=true&generic=false&interface={name}&\
             metadata-type=remote&methods={methods}&pid={pid}&release=2.7.23&retries=0&\
             revision=1.4.2&side=provider&timeout=3000&timestamp={timestamp}&version=1.0.0{weight}"
        )
    } else {
        format!(
            "dubbo://{host}:20880/{name}?application=acme-app-{application:03}&deprecated=false&\
             dubbo=2.0.2&dynamic=true&generic=false&interface={name}&methods={methods}&\
             prefer.serialization=fastjson2,hessian2&release=3.2.16&revision=1.4.2&\
             service-name-mapping=true&side=provider&timeout=3000&timestamp={timestamp}{weight}"
        )
    }
}

/// `java.net.URLEncoder.encode(s, "UTF-8")`, of what these URLs hold.
fn form_encode(url: &str) -> String {
    let mut encoded = String::with_capacity(url.len() * 5 / 4);
    for byte in url.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' => encoded.push(char::from(byte)),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_as_long_as_those_of_dubbo() {
        for size in [S, M] {
            let lengths = Tree::new(size)
                .nodes()
                .map(|path| path.rsplit('/').next().map_or(0, str::len))
                .collect::<Vec<_>>();
            assert_eq!(lengths.len(), size.interfaces * size.providers);
            let (shortest, longest) = (lengths.iter().min(), lengths.iter().max());
            assert!(
                shortest >= Some(&400) && longest <= Some(&700),
                "{shortest:?} to {longest:?}"
            );
        }
    }

    #[test]
    fn ten_interfaces_share_an_address_and_no_two_applications_do() {
        assert_eq!(address(0, 0), address(9, 0));
        assert_ne!(address(0, 0), address(0, 1));
        assert_eq!(address(0, MOST_INSTANCES), address(10, 0));
    }

    #[test]
    fn another_weight_each_time() {
        let mut tree = Tree::new(S);
        let (first, second) = tree.reweight(3, 1);
        let (again, third) = tree.reweight(3, 1);
        assert_eq!(second, again);
        assert!(
            first != second && second != third,
            "{first} {second} {third}"
        );
        assert!(third.ends_with("weight%3D102"), "{third}");
        let weights: Vec<u32> = tree.expected(3).into_values().collect();
        assert_eq!(weights, [100, 102, 100, 100]);
    }
}
