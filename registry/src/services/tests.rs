use super::*;
use crate::event::Rejection;
use crate::making::{at, key, provider, reading, says, set, source};
use crate::provider::ProviderError;
use proptest::prelude::*;

const A: &str = "dubbo://10.0.0.1:20880/com.acme.Orders?timestamp=1";
const A_HEAVY: &str = "dubbo://10.0.0.1:20880/com.acme.Orders?timestamp=1&weight=200";
const A_RESTARTED: &str = "dubbo://10.0.0.1:20880/com.acme.Orders?timestamp=2";
const B: &str = "dubbo://10.0.0.2:20880/com.acme.Orders?timestamp=1";
const ORDERS: &str = "com.acme.Orders";

/// One source called `zk` that holds these providers of Orders and is live since 0.
fn live(urls: &[&str]) -> Services {
    let mut services = Services::new([source("zk")], Policy::default());
    for event in reading("zk", vec![set(ORDERS, urls)]) {
        services.apply(event, at(0));
    }
    services
}

fn shown(services: &Services) -> Vec<Arc<Provider>> {
    services.providers(&key(ORDERS)).cloned().collect()
}

fn providers(urls: &[&str]) -> Vec<Arc<Provider>> {
    urls.iter().map(|url| provider(url)).collect()
}

fn one(service: &str) -> BTreeSet<Arc<ServiceKey>> {
    BTreeSet::from([key(service)])
}

#[test]
fn a_reading_takes_effect_as_a_whole() {
    let mut services = Services::new([source("zk")], Policy::default());
    let events = reading("zk", vec![set(ORDERS, &[A, B])]);
    let (last, before) = events[..events.len() - 1].split_last().unwrap();
    for event in before {
        assert_eq!(services.apply(event.clone(), at(0)), Changes::default());
    }
    assert!(!services.complete());
    let changes = services.apply(last.clone(), at(0));
    assert_eq!(
        changes,
        Changes {
            services: one(ORDERS),
            arrived: 2,
            ..Changes::default()
        }
    );
    assert!(services.complete());
    assert_eq!(shown(&services), providers(&[A, B]));
}

#[test]
fn nothing_is_complete_before_every_source_is() {
    let mut services = Services::new([source("a"), source("b")], Policy::default());
    for event in reading("a", vec![]) {
        services.apply(event, at(0));
    }
    assert!(!services.complete());
    for event in reading("b", vec![]) {
        services.apply(event, at(0));
    }
    assert!(services.complete());
}

#[test]
fn a_weight_change_written_as_delete_and_create_is_one_update_and_no_gap() {
    let mut services = live(&[A, B]);
    assert_eq!(
        services.apply(says("zk", set(ORDERS, &[B])), at(100)),
        Changes::default()
    );
    assert_eq!(shown(&services), providers(&[A, B]));
    let changes = services.apply(says("zk", set(ORDERS, &[A_HEAVY, B])), at(120));
    assert_eq!(
        changes,
        Changes {
            services: one(ORDERS),
            ..Changes::default()
        }
    );
    assert_eq!(shown(&services), providers(&[A_HEAVY, B]));
    assert_eq!(services.next_wake(), None);
}

#[test]
fn a_quick_restart_changes_nothing_but_what_is_published_of_it() {
    let mut services = live(&[A]);
    services.apply(says("zk", set(ORDERS, &[])), at(100));
    let changes = services.apply(says("zk", set(ORDERS, &[A_RESTARTED])), at(900));
    assert_eq!(changes, Changes::default());
    assert_eq!(services.tick(at(5000)), Changes::default());
    assert_eq!(shown(&services), providers(&[A_RESTARTED]));
}

#[test]
fn a_removal_is_believed_after_the_delay() {
    let mut services = live(&[A, B]);
    services.apply(says("zk", set(ORDERS, &[B])), at(100));
    assert_eq!(services.next_wake(), Some(at(1100)));
    assert_eq!(services.tick(at(1099)), Changes::default());
    let changes = services.tick(at(1100));
    assert_eq!(
        changes,
        Changes {
            services: one(ORDERS),
            left: 1,
            ..Changes::default()
        }
    );
    assert_eq!(shown(&services), providers(&[B]));
    assert_eq!(services.next_wake(), None);
}

#[test]
fn a_deleted_interface_is_a_reading_that_does_not_name_it() {
    let mut services = live(&[A]);
    for event in reading("zk", vec![]) {
        services.apply(event, at(100));
    }
    assert_eq!(services.tick(at(1100)).left, 1);
    assert!(!services.contains(&key(ORDERS)));
}

#[test]
fn a_source_that_is_not_live_removes_nothing() {
    let mut services = live(&[A, B]);
    services.apply(says("zk", set(ORDERS, &[B])), at(100));
    services.apply(
        says("zk", News::State(SourceState::Stale("cut".into()))),
        at(500),
    );
    assert_eq!(services.tick(at(60_000)), Changes::default());
    assert_eq!(shown(&services), providers(&[A, B]));
    // Live again, and it is still not there: it gets the whole delay once more.
    for event in reading("zk", vec![set(ORDERS, &[B])]) {
        services.apply(event, at(70_000));
    }
    assert_eq!(services.next_wake(), Some(at(71_000)));
    assert_eq!(services.tick(at(71_000)).left, 1);
    assert_eq!(shown(&services), providers(&[B]));
}

#[test]
fn a_reading_that_is_cut_short_changes_nothing() {
    let mut services = live(&[A, B]);
    services.apply(says("zk", News::Restarted), at(100));
    services.apply(says("zk", set(ORDERS, &[A])), at(100));
    for event in reading("zk", vec![set(ORDERS, &[A, B])]) {
        assert_eq!(services.apply(event, at(200)), Changes::default());
    }
    assert_eq!(services.next_wake(), None);
}

#[test]
fn an_unreadable_list_keeps_what_was_known_of_it() {
    let mut services = live(&[A]);
    let unreadable = News::Unreadable {
        list: ORDERS.into(),
        reason: "NoAuth".into(),
    };
    for event in reading("zk", vec![unreadable]) {
        let expected = Changes {
            rejections_changed: event.news == News::Synced,
            ..Changes::default()
        };
        assert_eq!(services.apply(event, at(100)), expected);
    }
    let shown_unreadable: Vec<_> = services.unreadable().map(|(list, _)| &**list).collect();
    assert_eq!(shown_unreadable, [ORDERS]);
    assert_eq!(services.next_wake(), None);
    assert_eq!(shown(&services), providers(&[A]));
}

#[test]
fn of_several_descriptions_the_latest_start_holds_until_it_goes() {
    const A_OLD: &str = "dubbo://10.0.0.1:20880/com.acme.Orders?timestamp=1&weight=7";
    const A_NEW: &str = "dubbo://10.0.0.1:20880/com.acme.Orders?timestamp=5&weight=5";
    for urls in [[A_OLD, A_HEAVY, A_NEW], [A_NEW, A_OLD, A_HEAVY]] {
        let mut services = live(&urls[..1]);
        for more in [&urls[..2], &urls] {
            services.apply(says("zk", set(ORDERS, more)), at(1));
        }
        assert_eq!(shown(&services), providers(&[A_NEW]));
        services.apply(says("zk", set(ORDERS, &[A_OLD, A_HEAVY])), at(2));
        assert_eq!(shown(&services), providers(&[A_HEAVY]));
        // Nobody has it for a moment, and what comes then holds, however old.
        services.apply(says("zk", set(ORDERS, &[])), at(3));
        assert_eq!(shown(&services).len(), 1);
        services.apply(says("zk", set(ORDERS, &[A_OLD])), at(4));
        assert_eq!(shown(&services), providers(&[A_OLD]));
    }
}

#[test]
fn a_provider_of_two_registries_goes_when_both_say_so() {
    let mut services = Services::new([source("a"), source("b")], Policy::default());
    for name in ["a", "b"] {
        for event in reading(name, vec![set(ORDERS, &[A])]) {
            services.apply(event, at(0));
        }
    }
    services.apply(says("a", set(ORDERS, &[])), at(100));
    assert_eq!(services.next_wake(), None);
    services.apply(says("b", set(ORDERS, &[])), at(200));
    assert_eq!(services.tick(at(1200)).left, 1);
}

#[test]
fn only_new_rejections_are_news() {
    let mut services = live(&[A]);
    let bad = |subject: &str| Rejection::new(subject, ProviderError::NoScheme);
    let list = |rejected| {
        says(
            "zk",
            News::Providers(ProviderList {
                list: ORDERS.into(),
                providers: providers(&[A]),
                rejected,
            }),
        )
    };
    let first = services.apply(list(vec![bad("x")]), at(1));
    assert_eq!(
        first,
        Changes {
            rejected: vec![bad("x")],
            rejections_changed: true,
            ..Changes::default()
        }
    );
    let second = services.apply(list(vec![bad("y"), bad("x")]), at(2));
    assert_eq!(
        second,
        Changes {
            rejected: vec![bad("y")],
            rejections_changed: true,
            ..Changes::default()
        }
    );
    assert_eq!(services.rejected().count(), 2);
}

#[test]
fn a_host_name_waits_for_its_addresses_and_keeps_them_when_a_later_answer_fails() {
    const NAMED: &str = "dubbo://Orders.example:20880/com.acme.Orders";
    let mut services = live(&[NAMED]);
    let id = provider(NAMED).id.clone();
    let unresolved = |reason: &str| {
        let reason = Reason::Unresolved(reason.into());
        (
            Vec::new(),
            vec![Refusal {
                provider: id.clone(),
                reason,
            }],
        )
    };
    assert_eq!(services.names(), BTreeSet::from(["orders.example".into()]));
    assert_eq!(services.members(&key(ORDERS)), unresolved("not asked yet"));
    let failed = services.resolved("orders.example", Err("no such host".into()));
    assert_eq!(failed.services, one(ORDERS));
    assert_eq!(services.members(&key(ORDERS)), unresolved("no such host"));

    let ips: Vec<IpAddr> = vec!["10.0.0.9".parse().unwrap(), "10.0.0.8".parse().unwrap()];
    let both = |services: &Services| {
        let (members, refused) = services.members(&key(ORDERS));
        assert_eq!(refused, []);
        members
            .iter()
            .map(|member| member.ip.to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        services.resolved("orders.example", Ok(ips)).services,
        one(ORDERS)
    );
    assert_eq!(both(&services), ["10.0.0.8", "10.0.0.9"]);
    for answer in [Err("timed out".into()), Ok(Vec::new())] {
        assert_eq!(
            services.resolved("orders.example", answer),
            Changes::default()
        );
        assert_eq!(both(&services), ["10.0.0.8", "10.0.0.9"]);
    }
}

#[test]
fn an_address_goes_when_three_answers_in_a_row_lack_it() {
    let mut services = live(&["dubbo://orders.example:20880/com.acme.Orders"]);
    let mut answer = |ips: &[&str]| {
        let ips = ips.iter().map(|ip| ip.parse().unwrap()).collect();
        let changed = services.resolved("orders.example", Ok(ips)).services;
        let (members, _) = services.members(&key(ORDERS));
        let ips: Vec<String> = members.iter().map(|m| m.ip.to_string()).collect();
        (changed == one(ORDERS), ips.join(" "))
    };
    let (both, moved) = ("10.0.0.8 10.0.0.9".to_owned(), true);
    assert_eq!(answer(&["10.0.0.8", "10.0.0.9"]), (moved, both.clone()));
    // A resolver that tells one address at a time.
    for ip in ["10.0.0.8", "10.0.0.9", "10.0.0.9", "10.0.0.8", "10.0.0.8"] {
        assert_eq!(answer(&[ip]), (!moved, both.clone()));
    }
    assert_eq!(answer(&["10.0.0.8"]), (moved, "10.0.0.8".to_owned()));
    // What is new is there at once.
    let three = "10.0.0.7 10.0.0.8".to_owned();
    assert_eq!(answer(&["10.0.0.7"]), (moved, three));
}

#[test]
fn a_provider_that_is_back_before_its_source_is_live_again_stays() {
    let mut services = live(&[A, B]);
    services.apply(says("zk", set(ORDERS, &[B])), at(100));
    services.apply(
        says("zk", News::State(SourceState::Stale("cut".into()))),
        at(500),
    );
    assert_eq!(services.tick(at(60_000)), Changes::default());
    for event in reading("zk", vec![set(ORDERS, &[A, B])]) {
        assert_eq!(services.apply(event, at(70_000)), Changes::default());
    }
    assert_eq!(services.tick(at(80_000)), Changes::default());
    assert_eq!(shown(&services), providers(&[A, B]));
}

#[test]
fn what_waits_for_its_source_stays_if_another_one_has_it_by_then() {
    let mut services = Services::new([source("a"), source("b")], Policy::default());
    for event in reading("a", vec![set(ORDERS, &[A])])
        .into_iter()
        .chain(reading("b", vec![]))
    {
        services.apply(event, at(0));
    }
    services.apply(says("a", set(ORDERS, &[])), at(100));
    services.apply(
        says("a", News::State(SourceState::Stale("cut".into()))),
        at(500),
    );
    services.tick(at(2000));
    services.apply(says("b", set(ORDERS, &[A])), at(3000));
    for event in reading("a", vec![]) {
        services.apply(event, at(4000));
    }
    assert_eq!(services.tick(at(60_000)), Changes::default());
    assert_eq!(shown(&services), providers(&[A]));
}

/// Events of one source about a handful of providers, always true to the contract.
fn story() -> impl Strategy<Value = Vec<Vec<&'static str>>> {
    let subset = proptest::sample::subsequence(vec![A, A_HEAVY, A_RESTARTED, B], 0..=4);
    proptest::collection::vec(subset, 0..12)
}

proptest! {
    /// However it came about, the state is that of the last word, once the delay has passed.
    #[test]
    fn the_last_word_holds(story in story(), last in story()) {
        let last = last.into_iter().next_back().unwrap_or_default();
        let mut services = live(&[]);
        for (step, urls) in story.iter().chain([&last]).enumerate() {
            services.apply(says("zk", set(ORDERS, urls)), at(step as u64 * 300));
            services.tick(at(step as u64 * 300));
        }
        services.tick(at(1_000_000));
        prop_assert_eq!(shown(&services), shown(&live(&last)));
    }

    /// Whatever happens in between, a provider that every word names is never absent.
    #[test]
    fn who_is_always_named_is_always_shown(story in story()) {
        let mut services = live(&[B]);
        for (step, urls) in story.iter().enumerate() {
            let with_b: Vec<_> = urls.iter().copied().filter(|u| *u != B).chain([B]).collect();
            let now = at(step as u64 * 700);
            services.tick(now);
            services.apply(says("zk", set(ORDERS, &with_b)), now);
            prop_assert!(shown(&services).contains(&provider(B)));
        }
    }
}
