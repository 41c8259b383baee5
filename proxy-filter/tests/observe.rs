//! The observer over recorded conversations of Dubbo for Java.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::collections::BTreeMap;
use std::path::Path;

use dubbo_proxy_filter::metrics::{Counter, Event, Gauge};
use dubbo_proxy_filter::observe::{Observer, Outcomes, Route};

/// The frames of these cases, in order, with who sent them.
fn conversation(version: &str, cases: &[&str]) -> Vec<(bool, Vec<u8>)> {
    let file = format!("../fixtures/frames/dubbo-{version}.tsv");
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
    let line = |line: &str| {
        let columns: Vec<_> = line.split('\t').collect();
        let digits = |at: usize| u8::from_str_radix(&columns[2][at..at + 2], 16).unwrap();
        let frame = (0..columns[2].len()).step_by(2).map(digits).collect();
        cases
            .contains(&columns[0])
            .then_some((columns[1] == "C", frame))
    };
    text.lines().filter_map(line).collect()
}

/// What the observer says of a conversation that arrives in pieces of `size` bytes.
fn observed(
    frames: &[(bool, Vec<u8>)],
    size: usize,
) -> (BTreeMap<Route, Outcomes>, BTreeMap<Counter, u64>, i64) {
    let mut observer = Observer::default();
    let mut counters = BTreeMap::new();
    let mut in_flight = 0;
    for (caller, frame) in frames {
        for piece in frame.chunks(size) {
            match caller {
                true => observer.seen_from_caller(piece, 0),
                false => observer.seen_from_provider(piece, 5),
            }
            for event in observer.events() {
                match event {
                    Event::Count(counter, n) => *counters.entry(counter).or_default() += n,
                    Event::Move(Gauge::InFlight, change) => in_flight += change,
                    _ => {}
                }
            }
        }
    }
    (observer.report(), counters, in_flight)
}

#[test]
fn a_conversation_is_the_same_however_it_is_cut() {
    let cases = [
        "hello",
        "fail",
        "tag",
        "generic",
        "heartbeat",
        "oneway",
        "not-found",
        "shutdown",
    ];
    let frames = conversation("2.7.23", &cases);
    assert_eq!(frames.len(), 18, "as the fixture has them");
    let whole = observed(&frames, usize::MAX);
    for size in [1, 2, 16, 17, 100] {
        assert_eq!(observed(&frames, size), whole, "{size}");
    }
    let (rows, counters, in_flight) = whole;
    let outcomes = |method: &str, version: &str, tag: &str| {
        let found: Vec<_> = (rows.iter())
            .filter(|(route, _)| {
                route.method == method && route.version == version && route.tag == tag
            })
            .collect();
        assert_eq!(found.len(), 1, "{method} {version} {tag}: {rows:#?}");
        assert_eq!(found[0].0.interface, "demo.GreetService");
        *found[0].1
    };
    let ok = Outcomes {
        calls: 1,
        ok: 1,
        ..Outcomes::default()
    };
    assert_eq!(
        outcomes("fail", "", ""),
        Outcomes {
            ok: 0,
            business: 1,
            ..ok
        }
    );
    assert_eq!(
        outcomes("hello", "9.9.9", ""),
        Outcomes {
            ok: 0,
            failed: 1,
            ..ok
        }
    );
    assert_eq!(outcomes("ping", "", ""), Outcomes { ok: 0, ..ok });
    assert_eq!(
        rows.keys()
            .filter(|route| route.host == "v9-9-9.demo.greetservice.dubbo")
            .count(),
        1
    );
    assert_eq!(in_flight, 0);
    for (counter, expected) in [
        (Counter::ConnectionsDubbo, 1),
        (Counter::RequestsTwoWay, 7),
        (Counter::RequestsOneWay, 1),
        (Counter::Heartbeats, 2),
        (Counter::OtherEvents, 1),
        (Counter::ExceptionsBusiness, 1),
        (Counter::ResponsesOk, 6),
        (Counter::ResponsesError, 1),
    ] {
        assert_eq!(counters.get(&counter), Some(&expected), "{counter:?}");
    }
}

/// Of a service with a path, a version and a group.
#[test]
fn a_route_is_of_what_the_provider_looks_up() {
    let frames = conversation("2.7.23", &["group-version-path"]);
    let (rows, _, _) = observed(&frames, usize::MAX);
    let route = rows.keys().next().unwrap();
    assert_eq!(
        (route.interface.as_str(), route.version.as_str()),
        ("demo.GreetService", "1.2.0")
    );
    assert_eq!(rows.len(), 1);
    assert!(!route.group.is_empty());
    let group = route.group.replace('.', "-");
    assert_eq!(
        route.host,
        format!("v1-2-0.g-{group}.demo.greetservice.dubbo")
    );
}
