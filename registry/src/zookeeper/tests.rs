//! The small parts: places in the tree, what is told and when, and what is shared.

use std::sync::Arc;

use proptest::prelude::*;

use super::interner::Interner;
use super::mirror::{Answer, Change, Mirror, Version};
use super::outbox::Outbox;
use super::path::{Place, Root, interface_of};
use crate::event::{News, SourceState};
use crate::provider::{Provider, Reading};

fn reading() -> Reading {
    Reading {
        labels: ["zone".into()].into(),
    }
}

#[test]
fn places_under_roots_of_any_depth() {
    for (root, prefix) in [("/dubbo", "/dubbo"), ("/a/b/c", "/a/b/c"), ("/", "")] {
        let root = Root::new(root).unwrap();
        let place = |path: &str| {
            root.place(&format!("{prefix}{path}"))
                .map(|p| format!("{p:?}"))
        };
        assert_eq!(place("/I"), Some(format!("{:?}", Place::Interface("I"))));
        assert_eq!(
            place("/I/providers"),
            Some(format!("{:?}", Place::Providers("I")))
        );
        let provider = Place::Provider {
            directory: "I",
            node: "dubbo%3A",
        };
        assert_eq!(
            place("/I/providers/dubbo%3A"),
            Some(format!("{provider:?}"))
        );
        for path in [
            "/config",
            "/config/providers",
            "/metadata/x",
            "/mapping",
            "/I/consumers",
            "/I/consumers/x",
            "/I/providers/x/y",
            "/I/x",
            "//providers/x",
            "x",
        ] {
            assert_eq!(place(path), None, "{path}");
        }
        assert_eq!(root.providers("I"), format!("{prefix}/I/providers"));
        assert_eq!(root.place(root.as_str()), Some(Place::Root));
    }
    assert_eq!(Root::new("/").unwrap().place("/zookeeper/quota"), None);
}

#[test]
fn a_directory_has_the_name_of_its_interface_only_if_no_other_can() {
    for (directory, interface) in [
        ("com.acme.Orders", "com.acme.Orders"),
        ("com.acme.Outer%24Inner", "com.acme.Outer$Inner"),
        ("a+b", "a b"),
        ("%E4%B8%AD", "中"),
        // As nobody encodes them.
        ("a%20b", "a%20b"),
        ("a b", "a b"),
        ("com%2eacme", "com%2eacme"),
        ("%zz", "%zz"),
        ("%FF", "%FF"),
    ] {
        assert_eq!(interface_of(directory), interface, "{directory}");
    }
}

proptest! {
    #[test]
    fn two_directories_have_two_names(a in "[ab+% 2048Ee]{0,6}", b in "[ab+% 2048Ee]{0,6}") {
        // `a b` is what `a+b` stands for, but Dubbo writes no space.
        let spaceless = |name: &str| !name.contains(' ');
        if a != b && spaceless(&a) && spaceless(&b) {
            prop_assert_ne!(interface_of(&a), interface_of(&b));
        }
    }

    #[test]
    fn no_path_makes_it_panic(root in ".*", path in ".*") {
        if let Ok(root) = Root::new(&root) {
            let _ = root.place(&path);
        }
        let _ = interface_of(&path);
    }
}

/// A mirror that has read interfaces `A` and `B`.
fn mirror() -> Mirror {
    let mut mirror = Mirror::new(Root::new("/dubbo").unwrap(), reading(), false, 1);
    mirror.begin_reading();
    mirror.answer(Answer::Root(Ok(vec!["A".to_owned(), "B".to_owned()])));
    for name in ["A", "B"] {
        let version = Version {
            czxid: 1,
            cversion: 1,
            children: 1,
        };
        let nodes = vec![format!("dubbo%3A%2F%2F10.0.0.1%3A20880%2F{name}")];
        mirror.answer(Answer::Listed(name.into(), Ok((nodes, version))));
    }
    assert!(mirror.take_completed().is_some());
    mirror.take_touched();
    mirror
}

fn told(outbox: &mut Outbox, mirror: &Mirror) -> Vec<String> {
    let next = || outbox.next(mirror);
    let word = |news| match news {
        News::State(SourceState::Connecting(why)) => format!("connecting: {why}"),
        News::State(SourceState::Stale(why)) => format!("stale: {why}"),
        News::State(SourceState::Live) => "live".to_owned(),
        News::Restarted => "restarted".to_owned(),
        News::Synced => "synced".to_owned(),
        News::Providers(list) => format!("{} {}", list.list, list.providers.len()),
        News::Unreadable { list, .. } => format!("{list} unreadable"),
    };
    std::iter::from_fn(next).map(word).collect()
}

#[test]
fn a_reading_is_told_as_one_and_changes_after_it() {
    let mut mirror = mirror();
    let mut outbox = Outbox::default();
    outbox.trouble("connecting");
    assert_eq!(told(&mut outbox, &mirror), ["connecting: connecting"]);
    outbox.trouble("connecting");
    assert!(outbox.is_empty(), "the same state is told once");

    outbox.complete(mirror.lists());
    mirror.event(
        "/dubbo/B/providers/dubbo%3A%2F%2F10.0.0.2%3A20880%2FB",
        Change::Created,
    );
    mirror.event(
        "/dubbo/B/providers/dubbo%3A%2F%2F10.0.0.3%3A20880%2FB",
        Change::Created,
    );
    outbox.touch(mirror.take_touched());
    let expected = ["restarted", "A 1", "B 3", "synced", "live", "B 3"];
    assert_eq!(told(&mut outbox, &mirror), expected);
    assert!(outbox.is_empty());
}

#[test]
fn trouble_drops_what_was_not_told() {
    let mirror = mirror();
    let mut outbox = Outbox::default();
    // In the midst of the first reading: still never read.
    outbox.complete(mirror.lists());
    assert!(matches!(outbox.next(&mirror), Some(News::Restarted)));
    outbox.touch(vec!["A".into()]);
    outbox.trouble("lost");
    assert_eq!(told(&mut outbox, &mirror), ["connecting: lost"]);

    outbox.complete(mirror.lists());
    told(&mut outbox, &mirror);
    outbox.trouble("lost");
    outbox.trouble("refused");
    assert_eq!(
        told(&mut outbox, &mirror),
        ["stale: refused"],
        "of two untold states the last"
    );
    outbox.complete(Vec::new());
    assert_eq!(told(&mut outbox, &mirror), ["restarted", "synced", "live"]);
}

#[test]
fn what_is_alike_is_held_once_and_not_for_ever() {
    let mut interner = Interner::default();
    let mut share =
        |url: &str| interner.share(Provider::parse_standalone(url, &reading()).unwrap());
    let a = share("dubbo://10.0.0.1:1/I?application=acme&dubbo.tag=t&zone=z&version=1");
    let b = share("dubbo://10.0.0.2:1/I?application=acme&dubbo.tag=t&zone=z&version=1");
    assert!(Arc::ptr_eq(&a.id.service, &b.id.service));
    assert!(Arc::ptr_eq(&a.application, &b.application));
    assert!(Arc::ptr_eq(&a.tag, &b.tag));
    assert!(Arc::ptr_eq(&a.labels[0].1, &b.labels[0].1));
    for n in 0..5000 {
        share(&format!(
            "dubbo://10.0.0.2:1/I?application=app{n}&version={n}"
        ));
    }
    let c = share("dubbo://10.0.0.3:1/I?application=acme&version=1");
    assert!(
        Arc::ptr_eq(&a.application, &c.application),
        "what is held stays shared"
    );
    assert!(
        interner.len() < 5000,
        "{} values are held for nobody",
        interner.len()
    );
}
