use std::time::Duration;

use dubbo_registry::event::{News, ProviderList, SourceId, SourceState};
use dubbo_registry::provider::Provider;

use super::*;

const ORDERS: &str = "dubbo://10.0.0.1:20880/com.acme.Orders";
const REDIS: &str = "dubbo://10.0.0.2:6379/com.acme.Orders";
const NAMED: &str = "dubbo://orders.example:20880/com.acme.Orders";

fn config(registries: &[&str]) -> Config {
    let mut config = Config::defaults().unwrap();
    config.registries = registries.iter().map(|url| url.parse().unwrap()).collect();
    config
}

fn at(millis: u64) -> Time {
    Time(Duration::from_millis(millis))
}

fn says(source: &str, news: News) -> Event {
    Event {
        source: SourceId(source.into()),
        news,
    }
}

fn set(config: &Config, urls: &[&str]) -> News {
    let provider = |url: &&str| Arc::new(Provider::parse_standalone(url, &config.reading).unwrap());
    News::Providers(ProviderList {
        list: "com.acme.Orders".into(),
        providers: urls.iter().map(provider).collect(),
        rejected: Vec::new(),
    })
}

/// A whole reading of one source.
fn read(adapter: &mut Adapter, config: &Config, source: &str, urls: &[&str]) {
    for news in [
        News::Restarted,
        set(config, urls),
        News::Synced,
        News::State(SourceState::Live),
    ] {
        adapter.event(says(source, news), at(0));
    }
}

fn names(outcome: &Outcome) -> Vec<(&str, bool)> {
    outcome
        .changes
        .iter()
        .map(|change| (&*change.name, change.resource.is_some()))
        .collect()
}

#[test]
fn nothing_comes_out_before_every_registry_was_read() {
    let config = config(&["file:a", "file:b"]);
    let mut adapter = Adapter::new(&config);
    read(&mut adapter, &config, "file:a", &[ORDERS, REDIS]);
    assert_eq!(adapter.outcome(at(1)), Outcome::default());
    assert_eq!(adapter.outcome(at(60_000)), Outcome::default());
    read(&mut adapter, &config, "file:b", &[]);
    let outcome = adapter.outcome(at(60_001));
    assert!(outcome.first);
    assert_eq!(
        names(&outcome),
        [("dubbo-mesh-services/com.acme.orders.dubbo--dubbo", true)]
    );
    assert_eq!(
        (outcome.arrived, outcome.left, outcome.refused.len()),
        (2, 0, 1)
    );
    assert_eq!(adapter.outcome(at(60_002)), Outcome::default());
}

#[test]
fn a_first_state_without_services_is_published_all_the_same() {
    let config = config(&["file:a"]);
    let mut adapter = Adapter::new(&config);
    read(&mut adapter, &config, "file:a", &[]);
    assert_eq!(
        adapter.outcome(at(0)),
        Outcome {
            first: true,
            ..Outcome::default()
        }
    );
}

#[test]
fn a_removal_comes_out_by_itself_when_it_is_due() {
    let config = config(&["file:a"]);
    let mut adapter = Adapter::new(&config);
    read(&mut adapter, &config, "file:a", &[ORDERS]);
    adapter.outcome(at(0));
    adapter.event(says("file:a", set(&config, &[])), at(100));
    assert_eq!(adapter.outcome(at(100)), Outcome::default());
    assert_eq!(adapter.next_wake(), Some(at(1100)));
    let outcome = adapter.outcome(at(1100));
    assert_eq!((names(&outcome).len(), outcome.left), (1, 1));
}

#[test]
fn host_names_are_asked_for_even_before_everything_is_read() {
    let config = config(&["file:a", "file:b"]);
    let mut adapter = Adapter::new(&config);
    read(&mut adapter, &config, "file:a", &[NAMED]);
    let wanted = BTreeSet::from(["orders.example".into()]);
    assert_eq!(
        adapter.outcome(at(0)),
        Outcome {
            names: Some(wanted),
            ..Outcome::default()
        }
    );
    adapter.resolved("orders.example", Ok(vec!["10.0.0.7".parse().unwrap()]));
    read(&mut adapter, &config, "file:b", &[]);
    let outcome = adapter.outcome(at(1));
    assert_eq!((names(&outcome).len(), outcome.refused.len()), (1, 0));
}

#[test]
fn host_names_can_be_refused() {
    let config = Config {
        host_names: HostNames::Refuse,
        ..config(&["file:a"])
    };
    let mut adapter = Adapter::new(&config);
    read(&mut adapter, &config, "file:a", &[NAMED]);
    let outcome = adapter.outcome(at(0));
    assert_eq!(outcome.names, None);
    let reasons: Vec<_> = outcome
        .refused
        .iter()
        .map(|refusal| refusal.reason.word())
        .collect();
    assert_eq!(reasons, ["host-name"]);
}

#[test]
fn the_first_state_waits_until_every_host_name_was_asked_for_once() {
    const OTHER: &str = "dubbo://other.example:20880/com.acme.Orders";
    let config = config(&["file:a"]);
    let mut adapter = Adapter::new(&config);
    read(&mut adapter, &config, "file:a", &[ORDERS, NAMED, OTHER]);
    let asked = adapter.outcome(at(0));
    assert_eq!(
        (asked.first, asked.names.map(|names| names.len())),
        (false, Some(2))
    );
    adapter.resolved("orders.example", Ok(vec!["10.0.0.7".parse().unwrap()]));
    assert_eq!(adapter.outcome(at(1)), Outcome::default());
    // A failure is an answer.
    adapter.resolved("other.example", Err("no such host".into()));
    let outcome = adapter.outcome(at(2));
    assert!(outcome.first);
    assert_eq!((names(&outcome).len(), outcome.refused.len()), (1, 1));
}

#[test]
fn the_first_state_does_not_wait_for_host_names_for_ever() {
    let config = config(&["file:a"]);
    let mut adapter = Adapter::new(&config);
    read(&mut adapter, &config, "file:a", &[ORDERS, NAMED]);
    assert!(!adapter.outcome(at(5)).first);
    assert_eq!(adapter.next_wake(), Some(at(10_005)));
    assert!(!adapter.outcome(at(10_004)).first);
    assert!(adapter.outcome(at(10_005)).first);
    assert_eq!(adapter.next_wake(), None);
}

#[test]
fn a_list_that_cannot_be_read_is_shown_until_it_can_be() {
    let config = config(&["file:a"]);
    let mut adapter = Adapter::new(&config);
    let unreadable = || News::Unreadable {
        list: "com.acme.Orders".into(),
        reason: "forbidden".into(),
    };
    let shown = |adapter: &Adapter| {
        let refused = crate::status::Status::of(adapter).refused;
        let line = |r: &crate::status::Refused| format!("{}: {}", r.provider, r.reason);
        refused.iter().map(line).collect::<Vec<_>>()
    };
    for news in [News::Restarted, unreadable(), News::Synced] {
        adapter.event(says("file:a", news), at(0));
    }
    let outcome = adapter.outcome(at(0));
    assert!(outcome.first && outcome.refusals_changed);
    assert_eq!(shown(&adapter), ["com.acme.Orders: forbidden"]);
    adapter.event(says("file:a", unreadable()), at(1));
    assert_eq!(adapter.outcome(at(1)), Outcome::default());
    adapter.event(says("file:a", set(&config, &[ORDERS])), at(2));
    assert!(adapter.outcome(at(2)).refusals_changed);
    assert!(shown(&adapter).is_empty());
    adapter.event(says("file:a", unreadable()), at(3));
    assert_eq!(shown(&adapter), ["com.acme.Orders: forbidden"]);
    for news in [News::Restarted, News::Synced] {
        adapter.event(says("file:a", news), at(4));
    }
    assert!(shown(&adapter).is_empty());
}

#[test]
fn the_filters_installation_comes_with_the_first_state_and_never_again() {
    let mut config =
        Config::from_text("ports: {http2: [{ports: [20880], namespaces: [shop]}]}\nfilter: {}\n")
            .unwrap();
    config.registries = vec!["file:a".parse().unwrap()];
    let mut adapter = Adapter::new(&config);
    read(&mut adapter, &config, "file:a", &[]);
    let first = adapter.outcome(at(0));
    assert_eq!(names(&first), [("shop/dubbo-mesh-callers", true)]);
    adapter.event(says("file:a", set(&config, &[ORDERS])), at(1));
    assert_eq!(
        names(&adapter.outcome(at(1))),
        [("dubbo-mesh-services/com.acme.orders.dubbo--dubbo", true)]
    );
}

#[test]
fn clusters_that_are_found_by_host_come_and_go_with_their_service() {
    let text = "ports: {http2: [{ports: [20880], namespaces: [shop]}]}\nfilter: {clusterMatch: host}\nremoval: {delay: 1s}\nholds: {service: 1m, port: 1m}\n";
    let mut config = Config::from_text(text).unwrap();
    config.registries = vec!["file:a".parse().unwrap()];
    let mut adapter = Adapter::new(&config);
    read(&mut adapter, &config, "file:a", &[ORDERS]);
    let (entry, clusters) = (
        "dubbo-mesh-services/com.acme.orders.dubbo--dubbo",
        "shop/com.acme.orders.dubbo--clusters",
    );
    assert_eq!(
        names(&adapter.outcome(at(0))),
        [
            ("shop/dubbo-mesh-callers", true),
            (entry, true),
            (clusters, true)
        ]
    );
    adapter.event(says("file:a", set(&config, &[])), at(1));
    assert_eq!(names(&adapter.outcome(at(1))), []);
    assert_eq!(names(&adapter.outcome(at(2_000))), [(entry, true)]);
    let mut gone = adapter.outcome(at(120_000));
    gone.changes.sort_by(|a, b| a.name.cmp(&b.name));
    assert_eq!(names(&gone), [(entry, false), (clusters, false)]);
}

/// One provider that `workloads` forgot puts out the check of the others, which is said when it begins and
/// when it ends.
#[test]
fn providers_of_unknown_identity_are_told() {
    let text = "workloads:\n- {cidrs: [10.0.0.0/24], inMesh: true}\n- {cidrs: [10.0.0.1], identity: spiffe://td/ns/shop/sa/orders}\n";
    let mut config = Config::from_text(text).unwrap();
    config.registries = vec!["file:a".parse().unwrap()];
    let mut adapter = Adapter::new(&config);
    let forgotten = "dubbo://10.0.0.2:20880/com.acme.Orders";
    read(&mut adapter, &config, "file:a", &[ORDERS, forgotten]);
    let id = Provider::parse_standalone(forgotten, &config.reading)
        .unwrap()
        .id;
    let host: Arc<str> = "com.acme.orders.dubbo".into();
    let outcome = adapter.outcome(at(0));
    assert_eq!(outcome.unidentified, [(host.clone(), vec![id.clone()])]);
    let known: Vec<_> = adapter.unidentified().collect();
    assert_eq!(known, [(&host, &vec![id])]);
    adapter.event(says("file:a", set(&config, &[ORDERS])), at(1));
    assert_eq!(adapter.outcome(at(1)), Outcome::default());
    assert_eq!(adapter.outcome(at(1001)).unidentified, [(host, vec![])]);
    assert_eq!(adapter.unidentified().len(), 0);
}
