//! Scripts of events and answers. The expectations are those of ZooKeeper's own promises: events
//! come in order, and before any answer that shows their change.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::event::News;
use crate::provider::Reading;

const ORDERS: &str = "com.acme.Orders";
const STOCK: &str = "com.acme.Stock";

/// A server with one reader, and the reader's mirror.
struct Script {
    mirror: Mirror,
}

impl Script {
    fn new() -> Self {
        let root = Root::new("/dubbo").unwrap();
        let reading = Reading { labels: [].into() };
        Self {
            mirror: Mirror::new(root, reading, false, 7),
        }
    }

    /// A mirror that has read a server with `Orders` (two providers) and `Stock` (one).
    fn read() -> Self {
        let mut script = Self::new();
        script.mirror.begin_reading();
        script.requests(&["root"]);
        script.root(&[ORDERS, STOCK, "config", "mapping", "metadata"]);
        script.requests(&["list Orders", "list Stock"]);
        script.listed(ORDERS, 2, &["10.0.0.1", "10.0.0.2"]);
        script.listed(STOCK, 1, &["10.0.0.1"]);
        assert_eq!(script.mirror.take_completed().unwrap().kind, Kind::Reading);
        script.tells(&["Orders 10.0.0.1 10.0.0.2", "Stock 10.0.0.1"]);
        script
    }

    /// All that is asked now.
    fn requests(&mut self, expected: &[&str]) {
        let mut requests: Vec<String> = Vec::new();
        while let Some(request) = self.mirror.next_request() {
            let short = |name: &str| name.rsplit('.').next().unwrap().to_owned();
            requests.push(match request {
                Request::Root => "root".to_owned(),
                Request::Stat(name) => format!("stat {}", short(&name)),
                Request::List(name) => format!("list {}", short(&name)),
                Request::Watch(name) => format!("watch {}", short(&name)),
            });
        }
        assert_eq!(requests, expected);
    }

    /// All that changed since, each list as it is now.
    fn tells(&mut self, expected: &[&str]) {
        let touched: BTreeSet<_> = self.mirror.take_touched().into_iter().collect();
        let told: Vec<String> = touched.iter().map(|name| self.list(name)).collect();
        assert_eq!(told, expected);
    }

    fn list(&self, name: &str) -> String {
        match self.mirror.news(name) {
            News::Providers(list) => {
                let mut hosts: Vec<_> = list
                    .providers
                    .iter()
                    .map(|p| format!(" {}", p.id.host))
                    .collect();
                hosts.sort();
                let rejected = list.rejected.iter().map(|r| format!(" !{}", r.subject));
                let short = list.list.rsplit('.').next().unwrap().to_owned();
                short + &hosts.concat() + &rejected.collect::<String>()
            }
            News::Unreadable { list, reason } => format!("{list}: {reason}"),
            news => panic!("{news:?}"),
        }
    }

    fn created(&mut self, path: &str) {
        self.mirror.event(path, Change::Created);
    }

    fn deleted(&mut self, path: &str) {
        self.mirror.event(path, Change::Deleted);
    }

    fn root(&mut self, names: &[&str]) {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        self.mirror.answer(Answer::Root(Ok(names)));
    }

    fn listed(&mut self, name: &str, cversion: i32, hosts: &[&str]) {
        let names = hosts.iter().map(|host| node(name, host)).collect();
        let version = version(1, cversion, hosts.len());
        self.mirror
            .answer(Answer::Listed(name.into(), Ok((names, version))));
    }

    fn refused(&mut self, name: &str, refusal: Refusal) {
        self.mirror
            .answer(Answer::Listed(name.into(), Err(refusal)));
    }

    fn stat(&mut self, name: &str, version: Version) {
        self.mirror.answer(Answer::Stat(name.into(), Some(version)));
    }

    /// A new session, up to the answer of the root.
    fn reconnect(&mut self) {
        self.mirror.begin_reading();
        self.requests(&["root"]);
        self.root(&[ORDERS, STOCK]);
    }

    fn audit(&mut self) {
        self.mirror.begin_audit();
        self.requests(&["root"]);
        self.root(&[ORDERS, STOCK]);
    }
}

fn version(czxid: i64, cversion: i32, children: usize) -> Version {
    let children = i32::try_from(children).unwrap();
    Version {
        czxid,
        cversion,
        children,
    }
}

fn node(interface: &str, host: &str) -> String {
    format!("dubbo%3A%2F%2F{host}%3A20880%2F{interface}")
}

fn path(interface: &str, host: &str) -> String {
    format!("/dubbo/{interface}/providers/{}", node(interface, host))
}

#[test]
fn an_event_touches_its_list_only() {
    let mut script = Script::read();
    script.created(&path(STOCK, "10.0.0.9"));
    script.tells(&["Stock 10.0.0.1 10.0.0.9"]);
    script.deleted(&path(STOCK, "10.0.0.1"));
    script.tells(&["Stock 10.0.0.9"]);
    script.created(&path(STOCK, "10.0.0.9"));
    script.deleted(&path(STOCK, "10.0.0.77"));
    script.tells(&[]);
    script.requests(&[]);
}

#[test]
fn what_is_no_provider_touches_nothing() {
    let mut script = Script::read();
    for path in [
        "/dubbo",
        "/dubbo/config/dubbo/x.configurators",
        "/dubbo/mapping/com.acme.Orders",
        "/dubbo/metadata/com.acme.Orders/provider/acme",
        "/dubbo/com.acme.Orders/consumers/consumer%3A%2F%2F10.0.0.9",
        "/dubbo/com.acme.Orders/configurators",
        "/dubbo/com.acme.Orders/providers/a/b",
        "/dubbo2/com.acme.Orders/providers/a",
        "/other",
        "",
    ] {
        script.created(path);
    }
    script.tells(&[]);
    script.requests(&[]);
    assert_eq!(script.mirror.lists(), [ORDERS.into(), STOCK.into()]);
}

#[test]
fn a_new_interface_is_told_with_its_first_provider() {
    let mut script = Script::read();
    script.created("/dubbo/com.acme.New");
    script.created("/dubbo/com.acme.New/providers");
    script.tells(&[]);
    script.created(&path("com.acme.New", "10.0.0.3"));
    script.tells(&["New 10.0.0.3"]);
    // It is listed all the same: there may be what no event told of.
    script.requests(&["list New"]);
    script.listed("com.acme.New", 1, &["10.0.0.3"]);
    script.tells(&[]);
    assert_eq!(script.mirror.take_missed(), [] as [String; 0]);
}

#[test]
fn an_interface_that_goes_is_empty() {
    let mut script = Script::read();
    script.deleted(&path(STOCK, "10.0.0.1"));
    script.deleted("/dubbo/com.acme.Stock/providers");
    script.deleted("/dubbo/com.acme.Stock");
    script.tells(&["Stock"]);
    assert_eq!(script.mirror.lists(), [ORDERS.into()]);
    assert_eq!(script.mirror.distrust(), None);
}

#[test]
fn a_root_that_goes_or_has_no_interface_left_is_not_believed() {
    let mut script = Script::read();
    script.deleted("/dubbo");
    assert_eq!(script.mirror.distrust(), Some(&Distrust::RootMissing));

    let mut script = Script::read();
    script.deleted("/dubbo/com.acme.Stock");
    assert_eq!(script.mirror.distrust(), None);
    script.deleted("/dubbo/com.acme.Orders");
    assert_eq!(script.mirror.distrust(), Some(&Distrust::RootEmpty));

    for names in [&[][..], &["config", "metadata"]] {
        let mut script = Script::new();
        script.mirror.begin_reading();
        script.root(names);
        assert_eq!(script.mirror.distrust(), Some(&Distrust::RootEmpty));
    }
}

#[test]
fn a_root_that_cannot_be_listed_is_not_believed() {
    for (refusal, distrust) in [
        (Refusal::Missing, Distrust::RootMissing),
        (
            Refusal::Other("no".into()),
            Distrust::RootUnreadable("no".into()),
        ),
    ] {
        let mut script = Script::read();
        script.mirror.begin_reading();
        script.mirror.answer(Answer::Root(Err(refusal)));
        assert_eq!(script.mirror.distrust(), Some(&distrust));
        assert_eq!(script.mirror.take_completed(), None);
    }
}

/// The answer may be older or newer than the events around it; both ways the result is the same.
#[test]
fn events_around_an_answer_are_replayed_on_it() {
    for answer in [
        &["10.0.0.1", "10.0.0.2"][..],
        &["10.0.0.2", "10.0.0.3"],
        &["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"],
    ] {
        let mut script = Script::new();
        script.mirror.begin_reading();
        script.root(&[ORDERS]);
        script.requests(&["root", "list Orders"]);
        script.created(&path(ORDERS, "10.0.0.3"));
        script.deleted(&path(ORDERS, "10.0.0.1"));
        script.created(&path(ORDERS, "10.0.0.4"));
        script.deleted(&path(ORDERS, "10.0.0.4"));
        script.listed(ORDERS, 5, answer);
        assert!(script.mirror.take_completed().is_some());
        assert_eq!(script.list(ORDERS), "Orders 10.0.0.2 10.0.0.3");
    }
}

#[test]
fn a_directory_that_came_or_went_while_it_was_asked_for_is_asked_for_again() {
    let mut script = Script::new();
    script.mirror.begin_reading();
    script.root(&[ORDERS]);
    script.requests(&["root", "list Orders"]);
    script.deleted("/dubbo/com.acme.Orders/providers");
    script.created("/dubbo/com.acme.Orders/providers");
    script.created(&path(ORDERS, "10.0.0.5"));
    script.listed(ORDERS, 9, &["10.0.0.1"]);
    script.requests(&["list Orders"]);
    assert_eq!(script.mirror.take_completed(), None);
    script.listed(ORDERS, 1, &["10.0.0.5"]);
    assert!(script.mirror.take_completed().is_some());
    assert_eq!(script.list(ORDERS), "Orders 10.0.0.5");
}

/// An interface that is made while the root is being listed may be in the answer or not.
#[test]
fn an_interface_that_comes_with_the_answer_of_the_root_stays() {
    let mut script = Script::read();
    script.mirror.begin_reading();
    script.requests(&["root"]);
    script.created("/dubbo/com.acme.New");
    script.created("/dubbo/com.acme.New/providers");
    script.created(&path("com.acme.New", "10.0.0.3"));
    script.root(&[ORDERS]);
    script.requests(&["list New", "stat Orders"]);
    script.stat(ORDERS, version(1, 2, 2));
    script.listed("com.acme.New", 1, &["10.0.0.3"]);
    assert!(script.mirror.take_completed().is_some());
    assert_eq!(
        script.mirror.lists(),
        ["com.acme.New".into(), ORDERS.into()]
    );
}

#[test]
fn after_a_reconnect_only_what_differs_is_listed() {
    let mut script = Script::read();
    script.created(&path(ORDERS, "10.0.0.3"));
    script.tells(&["Orders 10.0.0.1 10.0.0.2 10.0.0.3"]);
    script.reconnect();
    script.requests(&["stat Orders", "stat Stock"]);
    // Three creations of which all were seen; one creation and a deletion that was not.
    script.stat(ORDERS, version(1, 3, 3));
    script.stat(STOCK, version(1, 3, 1));
    script.requests(&["list Stock"]);
    script.listed(STOCK, 3, &["10.0.0.8"]);
    assert!(script.mirror.take_completed().is_some());
    assert_eq!(script.list(ORDERS), "Orders 10.0.0.1 10.0.0.2 10.0.0.3");
    assert_eq!(script.list(STOCK), "Stock 10.0.0.8");
    assert_eq!(script.mirror.take_missed(), [] as [String; 0]);
}

/// One event that was missed and one that came after the answer make the numbers equal by chance.
#[test]
fn a_version_is_not_trusted_while_events_come() {
    let mut script = Script::read();
    script.reconnect();
    script.requests(&["stat Orders", "stat Stock"]);
    script.created(&path(STOCK, "10.0.0.9"));
    script.stat(ORDERS, version(1, 2, 2));
    script.stat(STOCK, version(1, 2, 2));
    script.requests(&["list Stock"]);
    script.listed(STOCK, 3, &["10.0.0.1", "10.0.0.5", "10.0.0.9"]);
    assert!(script.mirror.take_completed().is_some());
    assert_eq!(script.list(STOCK), "Stock 10.0.0.1 10.0.0.5 10.0.0.9");
}

#[test]
fn a_server_that_is_behind_is_not_believed_until_it_has_been_for_long() {
    let mut script = Script::read();
    script.created(&path(STOCK, "10.0.0.9"));
    script.reconnect();
    script.requests(&["stat Orders", "stat Stock"]);
    script.stat(STOCK, version(1, 1, 1));
    assert_eq!(
        script.mirror.distrust(),
        Some(&Distrust::Behind(STOCK.into()))
    );
    assert_eq!(script.list(STOCK), "Stock 10.0.0.1 10.0.0.9");

    // Nor when it is listed, as after events that came with an answer.
    script.reconnect();
    assert_eq!(script.mirror.distrust(), None);
    script.requests(&["stat Orders", "stat Stock"]);
    script.created(&path(STOCK, "10.0.0.10"));
    script.stat(STOCK, version(1, 2, 2));
    script.requests(&["list Stock"]);
    script.listed(STOCK, 1, &["10.0.0.1"]);
    assert_eq!(
        script.mirror.distrust(),
        Some(&Distrust::Behind(STOCK.into()))
    );

    script.mirror.forget_versions();
    script.reconnect();
    script.requests(&["list Orders", "list Stock"]);
    script.listed(ORDERS, 0, &[]);
    script.listed(STOCK, 1, &["10.0.0.1"]);
    assert_eq!(script.mirror.distrust(), None);
    assert!(script.mirror.take_completed().is_some());
    assert_eq!(
        (script.list(ORDERS), script.list(STOCK)),
        ("Orders".into(), "Stock 10.0.0.1".into())
    );
}

/// A directory that was deleted and made again counts from nothing.
#[test]
fn a_directory_made_anew_is_not_behind() {
    let mut script = Script::read();
    script.reconnect();
    script.requests(&["stat Orders", "stat Stock"]);
    script.stat(STOCK, version(50, 0, 0));
    script.requests(&["list Stock"]);
    let listing = (Vec::new(), version(50, 0, 0));
    script
        .mirror
        .answer(Answer::Listed(STOCK.into(), Ok(listing)));
    assert_eq!(script.mirror.distrust(), None);
    assert_eq!(script.list(STOCK), "Stock");
}

#[test]
fn an_audit_finds_what_no_event_told_and_has_the_directory_watched() {
    let mut script = Script::read();
    script.audit();
    script.requests(&["stat Orders", "stat Stock"]);
    script.stat(ORDERS, version(1, 2, 2));
    script.stat(STOCK, version(1, 2, 2));
    script.requests(&["list Stock"]);
    script.listed(STOCK, 2, &["10.0.0.1", "10.0.0.6"]);
    script.tells(&["Stock 10.0.0.1 10.0.0.6"]);
    assert_eq!(script.mirror.take_missed(), [STOCK]);
    assert_eq!(script.mirror.take_completed().unwrap().kind, Kind::Audit);
    script.requests(&["watch Stock"]);
    script.listed(STOCK, 2, &["10.0.0.1", "10.0.0.6"]);
    script.tells(&[]);

    // The watch fires: listed and watched again, and no news of the audit's.
    script.mirror.watch_fired(&STOCK.into());
    script.requests(&["watch Stock"]);
    script.listed(STOCK, 3, &["10.0.0.6"]);
    script.tells(&["Stock 10.0.0.6"]);
    assert_eq!(script.mirror.take_missed(), [] as [String; 0]);

    // And over the next session.
    script.reconnect();
    script.requests(&["stat Orders", "watch Stock"]);
}

/// The answer was on its way when the watch fired, and is older.
#[test]
fn a_watch_that_fires_while_an_answer_is_awaited_is_set_again() {
    let mut script = Script::read();
    script.audit();
    script.requests(&["stat Orders", "stat Stock"]);
    script.stat(ORDERS, version(1, 2, 2));
    script.stat(STOCK, version(1, 2, 2));
    script.requests(&["list Stock"]);
    script.listed(STOCK, 2, &["10.0.0.1", "10.0.0.6"]);
    script.requests(&["watch Stock"]);
    script.listed(STOCK, 2, &["10.0.0.1", "10.0.0.6"]);
    assert!(script.mirror.take_completed().is_some());

    script.audit();
    script.requests(&["stat Orders", "stat Stock"]);
    script.mirror.watch_fired(&STOCK.into());
    script.stat(STOCK, version(1, 2, 2));
    script.requests(&["watch Stock"]);
    script.listed(STOCK, 3, &["10.0.0.6"]);
    script.stat(ORDERS, version(1, 2, 2));
    assert_eq!(script.list(STOCK), "Stock 10.0.0.6");
    assert!(script.mirror.take_completed().is_some());

    // One watch is enough.
    script.audit();
    script.requests(&["stat Orders", "stat Stock"]);
    script.stat(STOCK, version(1, 4, 2));
    script.requests(&["list Stock"]);
}

#[test]
fn an_audit_finds_an_interface_that_no_event_told_of() {
    let mut script = Script::read();
    script.mirror.begin_audit();
    script.root(&[ORDERS, STOCK, "com.acme.Hidden"]);
    script.requests(&["root", "list Hidden", "stat Orders", "stat Stock"]);
    script.listed("com.acme.Hidden", 1, &["10.0.0.1"]);
    script.tells(&["Hidden 10.0.0.1"]);
    assert_eq!(script.mirror.take_missed(), ["com.acme.Hidden"]);
    // And the absence of one that no event told of.
    script.stat(ORDERS, version(1, 2, 2));
    script.stat(STOCK, version(1, 1, 1));
    script.requests(&["watch Hidden"]);
    script.listed("com.acme.Hidden", 1, &["10.0.0.1"]);
    assert!(script.mirror.take_completed().is_some());
    script.mirror.begin_audit();
    script.root(&[ORDERS, STOCK]);
    script.tells(&["Hidden"]);
}

/// The directory came without a word, its first node did not.
#[test]
fn a_node_in_a_directory_that_no_event_told_of_is_found() {
    let mut script = Script::read();
    script.created(&path("com.acme.Hidden", "10.0.0.1"));
    script.requests(&["list Hidden"]);
    script.listed("com.acme.Hidden", 1, &["10.0.0.1"]);
    script.tells(&["Hidden 10.0.0.1"]);

    // The same between the audit's question and its answer.
    let mut script = Script::read();
    script.mirror.begin_audit();
    script.root(&[ORDERS, STOCK, "com.acme.Hidden"]);
    script.requests(&["root", "list Hidden", "stat Orders", "stat Stock"]);
    script.created(&path("com.acme.Hidden", "10.0.0.1"));
    script.refused("com.acme.Hidden", Refusal::Missing);
    script.requests(&["list Hidden"]);
    script.listed("com.acme.Hidden", 1, &["10.0.0.1"]);
    script.tells(&["Hidden 10.0.0.1"]);
}

#[test]
fn an_audit_of_an_unchanged_tree_changes_nothing() {
    let mut script = Script::read();
    script.audit();
    script.requests(&["stat Orders", "stat Stock"]);
    script.stat(ORDERS, version(1, 2, 2));
    script.stat(STOCK, version(1, 1, 1));
    script.tells(&[]);
    script.requests(&[]);
    assert!(script.mirror.take_completed().is_some());
}

#[test]
fn a_directory_that_cannot_be_read_keeps_what_was_known() {
    let mut script = Script::read();
    script.created(&path(STOCK, "10.0.0.2"));
    script.created("/dubbo/com.acme.Stock/consumers/x");
    script.reconnect();
    script.requests(&["stat Orders", "stat Stock"]);
    script.stat(STOCK, version(1, 9, 4));
    script.requests(&["list Stock"]);
    script.refused(STOCK, Refusal::Other("forbidden".into()));
    script.stat(ORDERS, version(1, 2, 2));
    assert!(script.mirror.take_completed().is_some());
    assert_eq!(script.list(STOCK), "com.acme.Stock: forbidden");
    assert_eq!(script.mirror.lists(), [ORDERS.into(), STOCK.into()]);
    script.mirror.take_touched();

    // Single events of it are not the whole of it.
    script.created(&path(STOCK, "10.0.0.3"));
    script.tells(&[]);
    script.audit();
    script.requests(&["stat Orders", "list Stock"]);
    script.listed(STOCK, 11, &["10.0.0.3"]);
    script.tells(&["Stock 10.0.0.3"]);
    assert_eq!(script.mirror.take_missed(), [] as [String; 0]);
}

#[test]
fn a_node_that_is_no_provider_is_refused_by_name() {
    let mut script = Script::read();
    script.created("/dubbo/com.acme.Stock/providers/what%20is%20this");
    script.created("/dubbo/com.acme.Stock/providers/%ff");
    let News::Providers(list) = script.mirror.news(STOCK) else {
        panic!("no list");
    };
    let mut rejected: Vec<_> = list.rejected.iter().map(ToString::to_string).collect();
    rejected.sort();
    assert_eq!(
        rejected,
        [
            "%ff: not UTF-8 from decoded byte 0 on",
            "what is this: no scheme:// at the beginning"
        ]
    );
    assert_eq!(list.providers.len(), 1);
}

/// A server that does what it likes, and a reader that misses nothing of it: whatever the order of
/// events and answers that ZooKeeper allows, the mirror ends up with the server's tree.
mod any_order {
    use super::*;

    #[derive(Clone, Debug)]
    enum Step {
        /// A provider comes, with its directories where they are missing, or goes.
        Flip(usize, usize),
        /// An interface goes with all that is in it.
        Remove(usize),
        /// The reader takes in up to so many events that are on their way.
        TakeEvents(usize),
        /// The server answers the request that was made first.
        Serve,
        /// The reader takes in an answer, all events before it first.
        TakeAnswer,
        /// The connection breaks; a new one is made.
        Reconnect,
        Audit,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            8 => (0..3_usize, 0..4_usize).prop_map(|(i, p)| Step::Flip(i, p)),
            1 => (0..3_usize).prop_map(Step::Remove),
            4 => (1..4_usize).prop_map(Step::TakeEvents),
            6 => Just(Step::Serve),
            6 => Just(Step::TakeAnswer),
            1 => Just(Step::Reconnect),
            1 => Just(Step::Audit),
        ]
    }

    /// What goes over the connection, in its order.
    enum Packet {
        Event(String, Change),
        Fired(Arc<str>),
        Answer(Answer),
    }

    #[derive(Default)]
    struct Directory {
        czxid: i64,
        cversion: i32,
        nodes: BTreeSet<String>,
    }

    struct Server {
        zxid: i64,
        tree: BTreeMap<String, Directory>,
        requests: VecDeque<Request>,
        wire: VecDeque<Packet>,
        watched: BTreeSet<String>,
        /// Providers whose events are withheld.
        hidden: &'static [usize],
    }

    const HOSTS: [&str; 4] = ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"];

    impl Server {
        fn event(&mut self, path: &str, change: Change) {
            self.zxid += 1;
            self.wire.push_back(Packet::Event(path.to_owned(), change));
        }

        fn flip(&mut self, interface: usize, host: usize) {
            let interface = format!("com.acme.S{interface}");
            if !self.tree.contains_key(&interface) {
                self.event(&format!("/dubbo/{interface}"), Change::Created);
                self.event(&format!("/dubbo/{interface}/providers"), Change::Created);
                let directory = Directory {
                    czxid: self.zxid,
                    ..Directory::default()
                };
                self.tree.insert(interface.clone(), directory);
            }
            let directory = self.tree.get_mut(&interface).unwrap();
            let node = node(&interface, HOSTS[host]);
            let path = format!("/dubbo/{interface}/providers/{node}");
            directory.cversion += 1;
            let change = if directory.nodes.remove(&node) {
                Change::Deleted
            } else {
                directory.nodes.insert(node);
                Change::Created
            };
            if !self.hidden.contains(&host) {
                self.event(&path, change);
            }
            self.fire(&interface);
        }

        fn fire(&mut self, interface: &str) {
            if self.watched.remove(interface) {
                self.wire.push_back(Packet::Fired(interface.into()));
            }
        }

        fn remove(&mut self, interface: usize) {
            let interface = format!("com.acme.S{interface}");
            if let Some(directory) = self.tree.remove(&interface) {
                for node in directory.nodes {
                    self.event(
                        &format!("/dubbo/{interface}/providers/{node}"),
                        Change::Deleted,
                    );
                }
                self.event(&format!("/dubbo/{interface}/providers"), Change::Deleted);
                self.event(&format!("/dubbo/{interface}"), Change::Deleted);
            }
        }

        fn serve(&mut self) {
            let Some(request) = self.requests.pop_front() else {
                return;
            };
            let watch = matches!(request, Request::Watch(_));
            let version = |d: &Directory| version(d.czxid, d.cversion, d.nodes.len());
            let answer = match request {
                Request::Root => Answer::Root(Ok(self.tree.keys().cloned().collect())),
                Request::Stat(name) => {
                    let found = self.tree.get(&*name).map(version);
                    Answer::Stat(name, found)
                }
                Request::List(name) | Request::Watch(name) => {
                    if watch && self.tree.contains_key(&*name) {
                        self.watched.insert(name.to_string());
                    }
                    let found = self.tree.get(&*name);
                    let listed = found.map(|d| (d.nodes.iter().cloned().collect(), version(d)));
                    Answer::Listed(name, listed.ok_or(Refusal::Missing))
                }
            };
            self.wire.push_back(Packet::Answer(answer));
        }
    }

    struct World {
        server: Server,
        mirror: Mirror,
        /// What a reader holds who applies what is told.
        reader: BTreeMap<String, BTreeSet<String>>,
        reading: bool,
    }

    impl World {
        fn new(hidden: &'static [usize]) -> Self {
            let reading = Reading { labels: [].into() };
            let server = Server {
                watched: BTreeSet::new(),
                hidden,
                zxid: 0,
                tree: BTreeMap::new(),
                requests: VecDeque::new(),
                wire: VecDeque::new(),
            };
            let mut world = Self {
                server,
                mirror: Mirror::new(Root::new("/dubbo").unwrap(), reading, true, 7),
                reader: BTreeMap::new(),
                reading: true,
            };
            world.reconnect();
            world
        }

        fn reconnect(&mut self) {
            self.server.wire.clear();
            self.server.requests.clear();
            self.server.watched.clear();
            self.mirror.begin_reading();
            self.reading = true;
            self.turn();
        }

        fn turn(&mut self) {
            while let Some(request) = self.mirror.next_request() {
                self.server.requests.push_back(request);
            }
            let mut touched = self.mirror.take_touched();
            if let Some(pass) = self.mirror.take_completed()
                && pass.kind == Kind::Reading
            {
                self.reading = false;
                self.reader.clear();
                touched = self.mirror.lists();
            }
            if !self.reading {
                for name in touched {
                    let News::Providers(list) = self.mirror.news(&name) else {
                        panic!("unreadable");
                    };
                    let hosts = list.providers.iter().map(|p| p.id.host.to_string());
                    self.reader.insert(name.to_string(), hosts.collect());
                }
            }
        }

        fn take(&mut self, packet: Packet) {
            match packet {
                Packet::Event(path, change) => self.mirror.event(&path, change),
                Packet::Answer(answer) => self.mirror.answer(answer),
                Packet::Fired(name) => self.mirror.watch_fired(&name),
            }
            self.turn();
        }

        /// Takes the first answer, all that came before it, and perhaps some that came after.
        fn take_answer(&mut self, overtaking: usize) {
            let is_answer = |p: &Packet| matches!(p, Packet::Answer(_));
            let Some(at) = self.server.wire.iter().position(is_answer) else {
                return;
            };
            let answer = self.server.wire.remove(at);
            let mut events = at;
            while events < at + overtaking
                && matches!(self.server.wire.get(events), Some(Packet::Event(..)))
            {
                events += 1;
            }
            for packet in self.server.wire.drain(..events).collect::<Vec<_>>() {
                self.take(packet);
            }
            if let Some(answer) = answer {
                self.take(answer);
            }
        }

        fn step(&mut self, step: &Step) {
            match step {
                Step::Flip(interface, host) => self.server.flip(*interface, *host),
                Step::Remove(interface) => self.server.remove(*interface),
                Step::Serve => self.server.serve(),
                Step::TakeEvents(n) => {
                    for _ in 0..*n {
                        if matches!(self.server.wire.front(), Some(Packet::Event(..)))
                            && let Some(packet) = self.server.wire.pop_front()
                        {
                            self.take(packet);
                        }
                    }
                }
                Step::TakeAnswer => self.take_answer(2),
                Step::Reconnect => self.reconnect(),
                Step::Audit => {
                    self.mirror.begin_audit();
                    self.turn();
                }
            }
        }

        fn audit(&mut self) {
            self.mirror.begin_audit();
            self.turn();
            self.finish();
        }

        fn check(&self) -> Result<(), TestCaseError> {
            prop_assert!(self.mirror.distrust().is_none());
            prop_assert!(self.mirror.pass().is_none());
            let mut seen = self.reader.clone();
            seen.retain(|_, hosts| !hosts.is_empty());
            let mut expected = BTreeMap::new();
            for (name, directory) in &self.server.tree {
                let there = |host: &&&str| directory.nodes.contains(&node(name, host));
                let hosts: BTreeSet<String> = HOSTS
                    .iter()
                    .filter(there)
                    .map(|host| (*host).to_owned())
                    .collect();
                if !hosts.is_empty() {
                    expected.insert(name.clone(), hosts);
                }
            }
            prop_assert_eq!(seen, expected);
            Ok(())
        }

        /// Until nothing is under way.
        fn finish(&mut self) {
            while !(self.server.requests.is_empty() && self.server.wire.is_empty()) {
                self.server.serve();
                while let Some(packet) = self.server.wire.pop_front() {
                    self.take(packet);
                }
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]

        #[test]
        fn the_reader_has_the_servers_tree(
            steps in proptest::collection::vec(step(), 1..80)
        ) {
            let mut world = World::new(&[]);
            for step in &steps {
                world.step(step);
            }
            world.finish();
            world.check()?;
            prop_assert_eq!(world.mirror.take_missed(), Vec::<String>::new());
        }

        /// Some events are withheld. An audit makes up for that; and what it found to be silent
        /// needs no further one.
        #[test]
        fn the_reader_has_the_servers_tree_after_an_audit(
            steps in proptest::collection::vec(step(), 1..80),
            later in proptest::collection::vec(step(), 1..20),
        ) {
            let mut world = World::new(&[2, 3]);
            for step in &steps {
                world.step(step);
            }
            world.finish();
            world.audit();
            world.check()?;
            for interface in 0..3 {
                world.server.flip(interface, 2);
            }
            world.audit();
            world.check()?;
            for step in &later {
                // An interface that is made anew may be silent again until the next audit.
                if !matches!(step, Step::Remove(_) | Step::Reconnect) {
                    world.step(step);
                }
            }
            world.finish();
            world.check()?;
        }
    }
}
