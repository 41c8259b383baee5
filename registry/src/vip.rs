//! Virtual addresses: one for each host, the same on every replica.
//!
//! A TCP port without an address of its own would share `0.0.0.0:<port>` with every other service
//! on that port, so each host gets an address of a configured range. The assignment is the
//! host-proposing stable matching: every host ranks all addresses by hash, every address ranks all
//! hosts by hash. That is a pure function of the *set* of hosts: who came first does not matter,
//! two replicas and a restart agree without a word, and a host that joins or leaves moves only
//! those that it displaces, which at a realistic load of the range is nobody.
//!
//! ```text
//! insert(h): h proposes its 1st, 2nd, … address; a taken one keeps whom it ranks higher; the
//!            other goes on proposing
//! remove(h): the matching of the rest, from scratch: who was once displaced may come back
//! ```

use std::collections::{BTreeMap, HashMap};
use std::net::Ipv4Addr;
use std::sync::Arc;

use ipnet::Ipv4Net;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

/// The range that is used where none is configured: reserved for ever, routed nowhere.
pub const DEFAULT_RANGE: Ipv4Net = Ipv4Net::new_assert(Ipv4Addr::new(241, 0, 0, 0), 8);

/// istiod's own range for automatic addresses.
const ISTIOD_RANGE: Ipv4Net = Ipv4Net::new_assert(Ipv4Addr::new(240, 240, 0, 0), 16);

/// A host that got none of so many addresses gets none: without an end, each host too many would
/// walk through the whole of an exhausted range. Far more than a range that is nearly full takes.
const MOST_PROPOSALS: u32 = 1024;

/// Where the addresses come from: a range, and hosts whose address is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Range {
    net: Ipv4Net,
    pins: BTreeMap<Arc<str>, Ipv4Addr>,
}

/// Why a range cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RangeError {
    /// It overlaps 240.240.0.0/16, which istiod hands out itself.
    OverlapsIstiod(Ipv4Net),
    /// Fewer than four addresses.
    TooSmall(Ipv4Net),
    /// Two hosts are pinned to one address.
    PinnedTwice(Ipv4Addr),
    /// Its addresses are not ones that can stand for a host.
    NotForHosts(Ipv4Net),
    /// A pinned address is not one that can stand for a host.
    BadPin(Ipv4Addr),
}

/// One host's address became another one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Move {
    /// The host.
    pub host: Arc<str>,
    /// The address before; none for a host that joined.
    pub from: Option<Ipv4Addr>,
    /// The address now; none where the range is exhausted.
    pub to: Option<Ipv4Addr>,
}

/// The current assignment.
#[derive(Clone, Debug)]
pub struct Vips {
    range: Range,
    of_host: HashMap<Arc<str>, Seat>,
    of_address: HashMap<u32, Arc<str>>,
}

/// Where a host sits: how many addresses it proposed before, and the address that took it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Seat {
    proposal: u32,
    address: Option<Ipv4Addr>,
}

impl Range {
    /// A range of addresses, the first and the last of it left out, and pins.
    pub fn new(net: Ipv4Net, pins: BTreeMap<Arc<str>, Ipv4Addr>) -> Result<Self, RangeError> {
        let net = net.trunc();
        if net.contains(&ISTIOD_RANGE) || ISTIOD_RANGE.contains(&net) {
            return Err(RangeError::OverlapsIstiod(net));
        }
        if net.prefix_len() > 30 {
            return Err(RangeError::TooSmall(net));
        }
        let mut taken: Vec<Ipv4Addr> = pins.values().copied().collect();
        taken.sort_unstable();
        if let Some(pair) = taken.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(RangeError::PinnedTwice(pair[0]));
        }
        if is_for_no_host(&net.network()) {
            return Err(RangeError::NotForHosts(net));
        }
        if let Some(ip) = taken.iter().find(|ip| is_for_no_host(ip)) {
            return Err(RangeError::BadPin(*ip));
        }
        Ok(Self { net, pins })
    }

    /// How many addresses can be handed out, pins aside.
    fn size(&self) -> u32 {
        // A prefix of 0 would be 2^32 - 2, which still fits.
        ((u64::from(u32::MAX) + 1) >> self.net.prefix_len()).saturating_sub(2) as u32
    }

    /// The address that `host` proposes as its `n`-th: a walk through the whole range, whose start
    /// and step are hashes of the host.
    fn proposal(&self, host: &str, n: u32) -> Ipv4Addr {
        let size = u64::from(self.size());
        let hash = xxh3_64(host.as_bytes());
        let start = (hash >> 32) % size;
        let mut step = (hash & 0xffff_ffff) % size;
        while gcd(step, size) != 1 {
            step = (step + 1) % size;
        }
        let offset = (start + u64::from(n) * step) % size;
        Ipv4Addr::from(u32::from(self.net.network()) + 1 + offset as u32)
    }

    /// How much `address` likes `host`; larger is better. The name breaks ties.
    fn liking<'a>(&self, address: Ipv4Addr, host: &'a str) -> (u64, &'a str) {
        (
            xxh3_64_with_seed(host.as_bytes(), u64::from(u32::from(address))),
            host,
        )
    }
}

impl Default for Range {
    /// [`DEFAULT_RANGE`], no pins.
    fn default() -> Self {
        Self {
            net: DEFAULT_RANGE,
            pins: BTreeMap::new(),
        }
    }
}

impl Vips {
    /// No hosts yet.
    pub fn new(range: Range) -> Self {
        Self {
            range,
            of_host: HashMap::new(),
            of_address: HashMap::new(),
        }
    }

    /// The address of a host that was inserted; none where the range was exhausted.
    pub fn address(&self, host: &str) -> Option<Ipv4Addr> {
        self.of_host.get(host)?.address
    }

    /// Adds a host; returns every move, its own included. A host that is there already moves nobody.
    pub fn insert(&mut self, host: &Arc<str>) -> Vec<Move> {
        if self.of_host.contains_key(host) {
            return Vec::new();
        }
        let mut moved = BTreeMap::new();
        self.seat(host.clone(), &mut moved);
        self.moves(moved)
    }

    /// Removes hosts; returns the moves of those that stay.
    pub fn remove<'a>(&mut self, hosts: impl IntoIterator<Item = &'a str>) -> Vec<Move> {
        let gone: Vec<_> = hosts
            .into_iter()
            .filter_map(|h| self.of_host.remove_entry(h))
            .collect();
        if gone.is_empty() {
            return Vec::new();
        }
        let before = std::mem::take(&mut self.of_host);
        self.of_address.clear();
        let mut seated = BTreeMap::new();
        for host in before.keys() {
            self.seat(host.clone(), &mut seated);
        }
        let was = |host: Arc<str>| {
            let address = before[&host].address;
            (host, address)
        };
        self.moves(before.keys().cloned().map(was).collect())
    }

    /// Lets `host` propose, and whomever it displaces, until all sit. `moved` gets the address that
    /// each of them had before.
    fn seat(&mut self, host: Arc<str>, moved: &mut BTreeMap<Arc<str>, Option<Ipv4Addr>>) {
        if let Some(&address) = self.range.pins.get(&host) {
            moved.entry(host.clone()).or_insert(None);
            self.of_host.insert(
                host,
                Seat {
                    proposal: 0,
                    address: Some(address),
                },
            );
            return;
        }
        let (mut host, mut proposal, mut before) = (host, 0, None);
        loop {
            moved.entry(host.clone()).or_insert(before);
            let Some((address, n)) = self.find_seat(&host, proposal) else {
                self.of_host.insert(
                    host,
                    Seat {
                        proposal: MOST_PROPOSALS,
                        address: None,
                    },
                );
                return;
            };
            let displaced = self.of_address.insert(u32::from(address), host.clone());
            self.of_host.insert(
                host,
                Seat {
                    proposal: n,
                    address: Some(address),
                },
            );
            let Some(next) = displaced else { return };
            let seat = self.of_host[&next];
            (before, proposal) = (seat.address, seat.proposal + 1);
            host = next;
        }
    }

    /// The first address from proposal `n` on that is free or likes `host` better than its holder.
    fn find_seat(&self, host: &str, n: u32) -> Option<(Ipv4Addr, u32)> {
        (n..self.range.size().min(MOST_PROPOSALS))
            .map(|n| (self.range.proposal(host, n), n))
            .find(|&(address, _)| {
                !self.range.pins.values().any(|pinned| *pinned == address)
                    && self
                        .of_address
                        .get(&u32::from(address))
                        .is_none_or(|holder| {
                            self.range.liking(address, host) > self.range.liking(address, holder)
                        })
            })
    }

    fn moves(&self, before: BTreeMap<Arc<str>, Option<Ipv4Addr>>) -> Vec<Move> {
        let moved = |(host, from): (Arc<str>, _)| {
            let to = self.address(&host);
            (from != to || to.is_none()).then_some(Move { host, from, to })
        };
        before.into_iter().filter_map(moved).collect()
    }
}

impl std::fmt::Display for RangeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::OverlapsIstiod(net) => {
                write!(
                    f,
                    "{net} overlaps {ISTIOD_RANGE}, which istiod hands out itself"
                )
            }
            Self::TooSmall(net) => write!(f, "{net} has fewer than four addresses"),
            Self::NotForHosts(net) => write!(f, "the addresses of {net} cannot stand for hosts"),
            Self::PinnedTwice(ip) => write!(f, "two hosts are pinned to {ip}"),
            Self::BadPin(ip) => write!(f, "{ip} cannot stand for a host"),
        }
    }
}

impl std::error::Error for RangeError {}

fn is_for_no_host(ip: &Ipv4Addr) -> bool {
    ip.is_unspecified() || ip.is_loopback() || ip.is_multicast()
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::btree_set;
    use proptest::prelude::*;

    fn vips(net: &str) -> Vips {
        Vips::new(Range::new(net.parse().unwrap(), BTreeMap::new()).unwrap())
    }

    fn assignment(vips: &Vips) -> BTreeMap<Arc<str>, Option<Ipv4Addr>> {
        vips.of_host
            .iter()
            .map(|(host, seat)| (host.clone(), seat.address))
            .collect()
    }

    fn filled<'a>(net: &str, hosts: impl IntoIterator<Item = &'a String>) -> Vips {
        let mut vips = vips(net);
        for host in hosts {
            vips.insert(&host.as_str().into());
        }
        vips
    }

    fn hosts() -> impl Strategy<Value = Vec<String>> {
        btree_set("[a-z]{1,6}", 0..20).prop_map(|set| set.into_iter().collect())
    }

    proptest! {
        // A /28 has 14 addresses, so that displacement and exhaustion are the rule, not the exception.
        #[test]
        fn any_order_of_insertion_gives_the_same_addresses(
            (sorted, shuffled) in hosts().prop_flat_map(|h| (Just(h.clone()), Just(h).prop_shuffle()))
        ) {
            let a = filled("10.0.0.0/28", &sorted);
            let b = filled("10.0.0.0/28", &shuffled);
            prop_assert_eq!(assignment(&a), assignment(&b));
        }

        #[test]
        fn the_addresses_after_a_leave_are_those_of_the_rest(all in hosts(), leave in any::<prop::sample::Index>()) {
            prop_assume!(!all.is_empty());
            let gone = &all[leave.index(all.len())];
            let mut with = filled("10.0.0.0/28", &all);
            let before = assignment(&with);
            let moves = with.remove([gone.as_str()]);
            let without = filled("10.0.0.0/28", all.iter().filter(|host| *host != gone));
            prop_assert_eq!(assignment(&with), assignment(&without));
            for (host, address) in assignment(&with) {
                let moved = moves.iter().find(|m| m.host == host);
                prop_assert_eq!(moved.map_or(before[&host], |m| m.to), address);
            }
        }

        #[test]
        fn no_address_serves_two_hosts_and_none_stays_free_while_a_host_has_none(all in hosts()) {
            let vips = filled("10.0.0.0/28", &all);
            let mut given: Vec<_> = assignment(&vips).into_values().flatten().collect();
            given.sort_unstable();
            given.dedup();
            prop_assert_eq!(given.len(), all.len().min(14));
            prop_assert!(given.iter().all(|ip| (1..=14).contains(&ip.octets()[3])));
        }

        #[test]
        fn the_reported_moves_are_the_difference(all in hosts(), join in "[A-Z]{1,6}") {
            let mut vips = filled("10.0.0.0/28", &all);
            let before = assignment(&vips);
            let moves = vips.insert(&join.as_str().into());
            let mut expected = before.clone();
            for m in &moves {
                prop_assert_eq!(before.get(&m.host).copied().flatten(), m.from);
                expected.insert(m.host.clone(), m.to);
            }
            prop_assert_eq!(assignment(&vips), expected);
        }
    }

    #[test]
    fn five_thousand_hosts_in_the_default_range_move_nobody_when_one_joins() {
        let hosts: Vec<_> = (0..5_000)
            .map(|n| format!("com.acme.service{n}.dubbo"))
            .collect();
        let mut vips = filled("241.0.0.0/8", &hosts);
        let moves = vips.insert(&"com.acme.another.dubbo".into());
        assert_eq!(moves.len(), 1, "{moves:?}");
    }

    /// The end of the proposals is reached here: 2,046 addresses.
    #[test]
    fn in_an_exhausted_range_the_order_makes_no_difference_either() {
        let hosts: Vec<_> = (0..2_100).map(|n| format!("service{n}.dubbo")).collect();
        let a = assignment(&filled("10.0.0.0/21", &hosts));
        let b = assignment(&filled("10.0.0.0/21", hosts.iter().rev()));
        assert_eq!(a, b);
        assert!(a.values().flatten().count() > 2_040);
    }

    #[test]
    fn a_pin_is_kept_and_its_address_is_nobody_elses() {
        let pins = BTreeMap::from([("pinned".into(), Ipv4Addr::new(10, 0, 0, 1))]);
        let mut vips = Vips::new(Range::new("10.0.0.0/30".parse().unwrap(), pins).unwrap());
        for host in ["a", "b", "pinned"] {
            vips.insert(&host.into());
        }
        assert_eq!(vips.address("pinned"), Some(Ipv4Addr::new(10, 0, 0, 1)));
        let others = [vips.address("a"), vips.address("b")];
        assert!(others.contains(&None) && others.contains(&Some(Ipv4Addr::new(10, 0, 0, 2))));
    }

    #[test]
    fn a_range_of_istiod_is_refused() {
        for net in ["240.240.0.0/16", "240.0.0.0/4", "240.240.7.0/24"] {
            let net: Ipv4Net = net.parse().unwrap();
            assert_eq!(
                Range::new(net, BTreeMap::new()),
                Err(RangeError::OverlapsIstiod(net))
            );
        }
    }
}
