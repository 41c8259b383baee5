//! The observer over recorded conversations of Dubbo for Java.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use dubbo_proxy_filter::metrics::{Counter, Event, Gauge};
use dubbo_proxy_filter::observe::{Observer, Outcomes, Route, line};

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
) -> (BTreeMap<Arc<Route>, Outcomes>, BTreeMap<Counter, u64>, i64) {
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
    let length = |by_caller: bool| {
        let of_one = frames.iter().filter(|(caller, _)| *caller == by_caller);
        of_one.map(|(_, frame)| frame.len() as u64).sum()
    };
    for (counter, expected) in [
        (Counter::ConnectionsDubbo, 1),
        (Counter::RequestsTwoWay, 7),
        (Counter::RequestsOneWay, 1),
        (Counter::Heartbeats, 2),
        (Counter::OtherEvents, 1),
        (Counter::ExceptionsBusiness, 1),
        (Counter::ResponsesOk, 6),
        (Counter::ResponsesError, 1),
        (Counter::BytesIn, length(true)),
        (Counter::BytesOut, length(false)),
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

fn counted(observer: &mut Observer, counter: Counter) -> u64 {
    let count = |event| match event {
        Event::Count(c, n) if c == counter => n,
        _ => 0,
    };
    observer.events().map(count).sum()
}

/// Where the observer stands everything comes by: HTTP, and databases, whose servers speak first.
#[test]
fn bytes_that_are_not_dubbo_are_not_counted() {
    let mut observer = Observer::default();
    observer.seen_from_caller(b"GET / HTTP/1.1\r\n\r\n", 0);
    observer.seen_from_provider(b"HTTP/1.1 200 OK\r\n\r\n", 0);
    let events: Vec<_> = observer.events().collect();
    assert_eq!(events, [Event::Count(Counter::ConnectionsOther, 1)]);
    let mut observer = Observer::default();
    observer.seen_from_provider(b"\x4a\0\0\0\x0a8.0.36\0", 0);
    assert_eq!(observer.events().count(), 0);
}

/// What comes once a direction is out of step is no longer Dubbo; the other direction goes on.
#[test]
fn bytes_are_counted_as_long_as_they_are_read() {
    let frames = conversation("2.7.23", &["hello"]);
    let (asked, answered) = (&frames[0].1, &frames[1].1);
    let mut observer = Observer::default();
    observer.seen_from_caller(asked, 0);
    observer.seen_from_caller(&[0; 100], 0);
    observer.seen_from_caller(&[0; 1000], 0);
    assert_eq!(
        counted(&mut observer, Counter::BytesIn),
        asked.len() as u64 + 100
    );
    observer.seen_from_provider(answered, 0);
    assert_eq!(
        counted(&mut observer, Counter::BytesOut),
        answered.len() as u64
    );
}

/// A text of Hessian 2, after its grammar.
fn text(out: &mut Vec<u8>, text: &str) {
    let count = text.chars().count() as u16;
    out.push(b'S');
    out.extend(count.to_be_bytes());
    out.extend(text.as_bytes());
}

/// A call of a method, with a tag, that wants an answer.
fn call(id: i64, method: &str, tag: &str) -> Vec<u8> {
    let mut body = vec![];
    for part in ["2.0.2", "demo.GreetService", "0.0.0", method, ""] {
        text(&mut body, part);
    }
    body.push(b'H');
    for part in ["path", "demo.GreetService", "dubbo.tag", tag] {
        text(&mut body, part);
    }
    body.push(b'Z');
    let len = (body.len() as u32).to_be_bytes();
    [&[0xda, 0xbb, 0xc2, 0][..], &id.to_be_bytes(), &len, &body].concat()
}

#[test]
fn long_texts_are_cut() {
    let mut observer = Observer::default();
    // 255 bytes, and a character that does not fit whole.
    let long = format!("{}é", "m".repeat(255));
    observer.seen_from_caller(&call(1, &long, &"g".repeat(257)), 0);
    observer.seen_from_caller(&call(2, &"m".repeat(256), ""), 0);
    let mut answer = vec![0xda, 0xbb, 0x02, 20, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1];
    answer.push(0x92);
    observer.seen_from_provider(&answer, 0);
    let route = observer.ended().unwrap().route;
    assert_eq!(route.method, format!("{}…", "m".repeat(255)));
    assert_eq!(route.tag, format!("{}…", "g".repeat(256)));
    let rows = observer.report();
    assert_eq!(rows.len(), 2);
    assert!(rows.keys().any(|route| route.method == "m".repeat(256)));
}

/// A caller that makes up methods of 30,000 bytes, and waits for all their answers.
#[test]
fn what_is_held_and_shown_of_a_connection_is_bounded() {
    let mut observer = Observer::default();
    let method = "\u{1}".repeat(30_000);
    let held = allocation_counter::measure(|| {
        for id in 0..1100 {
            observer.seen_from_caller(&call(id, &format!("{id}{method}"), &method[..1]), 0);
            observer.events().for_each(drop);
        }
    });
    assert!(held.bytes_current < 2_000_000, "{}", held.bytes_current);
    let rows = observer.report();
    assert_eq!(rows.len(), 501);
    assert_eq!(rows.values().map(|row| row.calls).sum::<u64>(), 1100);
    let longest = rows.iter().map(|(route, row)| line(route, row).len()).max();
    assert!(
        longest.is_some_and(|longest| longest < 10_000),
        "{longest:?}"
    );
}
