use super::*;
use crate::making::{at, mesh, reading, says, set, source};
use crate::proto::ServiceEntry;
use crate::removal::Policy;
use crate::resource::Object;
use crate::vip::Range;

const A1: &str = "dubbo://10.0.0.1:20880/com.acme.A";
const A2: &str = "dubbo://10.0.0.2:20881/com.acme.A";
const HOUR: u64 = 3_600_000;

/// Services and catalog of one source `zk`, driven together as the pipeline does.
struct Both {
    services: Services,
    catalog: Catalog,
    now: u64,
}

impl Both {
    fn new(lists: &[(&str, &[&str])]) -> (Self, Update) {
        let services = Services::new([source("zk")], Policy::default());
        let catalog = Catalog::new(mesh().into(), Holds::default());
        let mut both = Self {
            services,
            catalog,
            now: 0,
        };
        let update = both.load(lists);
        (both, update)
    }

    fn load(&mut self, lists: &[(&str, &[&str])]) -> Update {
        let mut keys = BTreeSet::new();
        for event in reading(
            "zk",
            lists.iter().map(|(list, urls)| set(list, urls)).collect(),
        ) {
            keys.extend(self.services.apply(event, at(self.now)).services);
        }
        self.catalog.update(&self.services, &keys, at(self.now))
    }

    fn set(&mut self, list: &str, urls: &[&str]) -> Update {
        let changes = self
            .services
            .apply(says("zk", set(list, urls)), at(self.now));
        self.catalog
            .update(&self.services, &changes.services, at(self.now))
    }

    /// Lets time pass and returns what it changed.
    fn wait(&mut self, millis: u64) -> Update {
        self.now += millis;
        let changes = self.services.tick(at(self.now));
        let mut update = self
            .catalog
            .update(&self.services, &changes.services, at(self.now));
        update
            .changes
            .extend(self.catalog.tick(&self.services, at(self.now)).changes);
        update
    }
}

/// `name: port, port; endpoint, endpoint`, or `name gone`.
fn summary(update: &Update) -> Vec<String> {
    let line = |change: &Change| {
        let Some(resource) = &change.resource else {
            return format!("{} gone", change.name);
        };
        let spec = spec(resource);
        let ports: Vec<_> = spec.ports.iter().map(|p| p.number.to_string()).collect();
        let endpoints: Vec<_> = spec.endpoints.iter().map(|e| e.address.clone()).collect();
        format!(
            "{}: {}; {}",
            change.name,
            ports.join(", "),
            endpoints.join(", ")
        )
    };
    let mut lines: Vec<_> = update.changes.iter().map(line).collect();
    lines.sort();
    lines
}

fn spec(resource: &Resource) -> ServiceEntry {
    Object::decode(resource).unwrap().spec
}

#[test]
fn an_endpoint_that_leaves_takes_neither_the_port_nor_the_entry_along() {
    let (mut both, first) = Both::new(&[("com.acme.A", &[A1, A2])]);
    let name = "dubbo-mesh-services/com.acme.a.dubbo--dubbo";
    assert_eq!(
        summary(&first),
        [format!("{name}: 20880, 20881; 10.0.0.1, 10.0.0.2")]
    );
    both.set("com.acme.A", &[A1]);
    assert_eq!(
        summary(&both.wait(1000)),
        [format!("{name}: 20880, 20881; 10.0.0.1")]
    );
    both.set("com.acme.A", &[]);
    assert_eq!(
        summary(&both.wait(1000)),
        [format!("{name}: 20880, 20881; ")]
    );
    assert_eq!(summary(&both.wait(HOUR - 1)), [""; 0]);
    assert_eq!(summary(&both.wait(1)), [format!("{name} gone")]);
    assert_eq!(both.catalog.next_wake(), None);
}

#[test]
fn a_port_goes_a_long_hold_after_its_last_provider() {
    let (mut both, _) = Both::new(&[("com.acme.A", &[A1, A2])]);
    both.set("com.acme.A", &[A1]);
    both.wait(1000);
    assert_eq!(summary(&both.wait(24 * HOUR - 1)), [""; 0]);
    let name = "dubbo-mesh-services/com.acme.a.dubbo--dubbo";
    assert_eq!(summary(&both.wait(1)), [format!("{name}: 20880; 10.0.0.1")]);
}

#[test]
fn a_service_that_comes_back_within_the_hold_is_an_endpoint_change_only() {
    let (mut both, first) = Both::new(&[("com.acme.A", &[A1])]);
    both.set("com.acme.A", &[]);
    both.wait(1000);
    both.wait(HOUR / 2);
    let back = both.set("com.acme.A", &[A1]);
    assert_eq!(back.changes, first.changes);
    assert_eq!(summary(&both.wait(HOUR)), [""; 0]);
}

#[test]
fn of_two_services_with_one_host_the_first_in_byte_order_has_it() {
    let upper = "dubbo://10.0.0.9:20880/com.acme.A";
    let lower = "dubbo://10.0.0.8:20880/com.acme.a";
    let lists: [(&str, &[&str]); 2] = [("com.acme.A", &[upper]), ("com.acme.a", &[lower])];
    let (mut both, update) = Both::new(&lists);
    let name = "dubbo-mesh-services/com.acme.a.dubbo--dubbo";
    assert_eq!(summary(&update), [format!("{name}: 20880; 10.0.0.9")]);
    let refused: Vec<_> = update.refused.iter().map(ToString::to_string).collect();
    assert_eq!(
        refused,
        [
            "dubbo://10.0.0.8:20880/com.acme.a: host com.acme.a.dubbo belongs to com.acme.A, which comes first"
        ]
    );
    // Learned in the other order, the outcome is the same.
    let (mut other, _) = Both::new(&lists[1..]);
    other.set("com.acme.A", &[upper]);
    let published = |both: &Both| both.catalog.hosts["com.acme.a.dubbo"].published.clone();
    assert_eq!(published(&both), published(&other));
    // The first one leaves: the other takes over.
    both.set("com.acme.A", &[]);
    assert_eq!(
        summary(&both.wait(1000)),
        [format!("{name}: 20880; 10.0.0.8")]
    );
    assert_eq!(both.catalog.refused().count(), 0);
}

#[test]
fn equal_content_is_no_change() {
    let (mut both, _) = Both::new(&[("com.acme.A", &[A1])]);
    let update = both.load(&[(
        "com.acme.A",
        &["dubbo://10.0.0.1:20880/com.acme.A?timestamp=7&pid=1"],
    )]);
    assert_eq!(update, Update::default());
}

#[test]
fn a_provider_refused_for_its_port_is_news_once() {
    let redis = "dubbo://10.0.0.3:6379/com.acme.A";
    let (mut both, first) = Both::new(&[("com.acme.A", &[A1, redis])]);
    assert_eq!(first.refused.len(), 1);
    assert_eq!(both.set("com.acme.A", &[A1, A2, redis]).refused, []);
    assert_eq!(both.catalog.refused().count(), 1);
    both.set("com.acme.A", &[A1, A2]);
    both.wait(1000);
    assert_eq!(both.catalog.refused().count(), 0);
}

/// In a range this small hosts displace each other while the first ones are taken in; to everybody
/// outside, each has the address that it has.
#[test]
fn who_joins_and_makes_room_in_one_step_has_not_moved() {
    let small = Range::new("10.0.0.0/28".parse().unwrap(), BTreeMap::new()).unwrap();
    let mesh = Mesh {
        vips: small,
        ..mesh()
    };
    let urls: Vec<String> = (0..12)
        .map(|n| format!("dubbo://10.0.1.{n}:20880/com.acme.S{n}"))
        .collect();
    let mut services = Services::new([source("zk")], Policy::default());
    let lists = urls.iter().map(|url| set(url, &[url])).collect();
    let mut keys = BTreeSet::new();
    for event in reading("zk", lists) {
        keys.extend(services.apply(event, at(0)).services);
    }
    let mut catalog = Catalog::new(mesh.into(), Holds::default());
    let update = catalog.update(&services, &keys, at(0));
    assert_eq!(update.changes.len(), 12);
    assert_eq!(update.moves.iter().filter(|m| m.from.is_some()).count(), 0);
    // Each host is published at the address that it has in the end.
    for change in &update.changes {
        let spec = spec(change.resource.as_ref().unwrap());
        let address = catalog.vips.address(&spec.hosts[0]).unwrap().to_string();
        assert_eq!(spec.addresses, [address]);
    }
}
