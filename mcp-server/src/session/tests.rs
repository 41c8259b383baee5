//! Dialogues: what a client says, what the session answers. Times are milliseconds.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use dubbo_registry::resource::{Change, Kind, Resource};

use super::{Client, Close, Decision, Limits, Response, Session};
use crate::proto::{DiscoveryRequest, Node, Status};
use crate::snapshot::{ResourceSet, Snapshot, Version};

const V1: &str = "networking.istio.io/v1/ServiceEntry";
const V1ALPHA3: &str = "networking.istio.io/v1alpha3/ServiceEntry";
const MESH_CONFIG: &str = "core/v1alpha1/MeshConfig";
/// What istiod sends as a nonce when it has none: Go's `time.Now().String()`.
const BOGUS: &str = "2026-11-22 10:00:00.0 +0000 UTC m=+0.1";

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A snapshot with one service per letter.
fn published(services: &str) -> Arc<Snapshot> {
    let change = |c: char| Change {
        kind: Kind::ServiceEntry,
        name: format!("n/{c}").into(),
        resource: Some(Resource {
            kind: Kind::ServiceEntry,
            name: format!("n/{c}").into(),
            version: 1,
            any: Bytes::from(c.to_string()),
        }),
    };
    Arc::new(
        Snapshot::empty()
            .with(services.chars().map(change).collect())
            .0,
    )
}

fn set(services: &str) -> ResourceSet {
    published(services).set(Kind::ServiceEntry).clone()
}

fn version(services: &str) -> Version {
    set(services).version()
}

fn session(snapshot: Option<Arc<Snapshot>>) -> Session {
    Session::new(0xa, Limits::default(), snapshot)
}

fn ask(type_url: &str) -> DiscoveryRequest {
    DiscoveryRequest {
        type_url: type_url.into(),
        response_nonce: BOGUS.into(),
        ..DiscoveryRequest::default()
    }
}

fn ack(type_url: &str, nonce: &str, services: &str) -> DiscoveryRequest {
    DiscoveryRequest {
        type_url: type_url.into(),
        response_nonce: nonce.into(),
        version_info: version(services).to_string(),
        ..DiscoveryRequest::default()
    }
}

fn nack(type_url: &str, nonce: &str, text: &str) -> DiscoveryRequest {
    DiscoveryRequest {
        type_url: type_url.into(),
        response_nonce: nonce.into(),
        error_detail: Some(Status {
            code: 13,
            message: text.into(),
        }),
        ..DiscoveryRequest::default()
    }
}

fn subscribed(type_url: &str, kind: Option<Kind>) -> Decision {
    Decision::Subscribed {
        type_url: type_url.into(),
        kind,
    }
}

fn send(type_url: &str, nonce: &str, services: &str) -> Decision {
    Decision::Send(Response {
        type_url: type_url.into(),
        nonce: nonce.into(),
        set: set(services),
    })
}

fn acked(type_url: &str, services: &str, took: u64) -> Decision {
    Decision::Acked {
        type_url: type_url.into(),
        version: version(services),
        took: ms(took),
    }
}

fn ignored(type_url: &str) -> Decision {
    Decision::Ignored {
        type_url: type_url.into(),
    }
}

/// A session whose client holds `services` since 0 ms, with nothing in flight. Nonce used: a.1.
fn holding(services: &str) -> Session {
    let mut session = session(Some(published(services)));
    session.on_request(&ask(V1), ms(0));
    let answer = session.on_request(&ack(V1, "a.1", services), ms(0));
    assert_eq!(answer, [acked(V1, services, 0)]);
    session
}

#[test]
fn every_type_is_answered_under_the_requested_string_whatever_the_nonce() {
    let mut session = session(Some(published("xy")));
    let kind = Some(Kind::ServiceEntry);
    for (at, (url, kind, services)) in [
        (MESH_CONFIG, None, ""),
        (V1, kind, "xy"),
        (V1ALPHA3, kind, "xy"),
        ("networking.istio.io/v1beta1/ServiceEntry", kind, "xy"),
        ("networking.istio.io/v2/ServiceEntry", None, ""),
        ("no/such/Thing", None, ""),
        ("?", None, ""),
    ]
    .into_iter()
    .enumerate()
    {
        let nonce = format!("a.{}", at + 1);
        assert_eq!(
            session.on_request(&ask(url), ms(0)),
            [subscribed(url, kind), send(url, &nonce, services)]
        );
    }
}

#[test]
fn ours_wait_for_the_first_snapshot_and_the_rest_does_not() {
    let mut session = session(None);
    assert_eq!(
        session.on_request(&ask(V1), ms(0)),
        [subscribed(V1, Some(Kind::ServiceEntry))]
    );
    assert_eq!(
        session.on_request(&ask(MESH_CONFIG), ms(1)),
        [subscribed(MESH_CONFIG, None), send(MESH_CONFIG, "a.1", "")]
    );
    assert_eq!(session.on_request(&ask(V1), ms(2)), [ignored(V1)]);
    assert_eq!(session.next_wake(), None);
    assert_eq!(session.on_time(ms(3_600_000)), []);
    let late = ms(3_600_001);
    assert_eq!(
        session.on_snapshot(published("x"), late),
        [send(V1, "a.2", "x")]
    );
}

#[test]
fn an_empty_registry_that_was_read_is_answered() {
    let mut session = session(None);
    session.on_request(&ask(V1), ms(0));
    assert_eq!(
        session.on_snapshot(published(""), ms(5)),
        [send(V1, "a.1", "")]
    );
}

#[test]
fn the_first_change_goes_at_once_and_only_what_changed() {
    let mut session = holding("x");
    session.on_request(&ask(MESH_CONFIG), ms(0));
    session.on_request(&ack(MESH_CONFIG, "a.2", ""), ms(0));
    assert_eq!(
        session.on_snapshot(published("xy"), ms(5_000)),
        [send(V1, "a.3", "xy")]
    );
}

#[test]
fn equal_content_is_never_sent_again() {
    let mut session = holding("x");
    assert_eq!(session.on_snapshot(published("x"), ms(5_000)), []);
    assert_eq!(session.next_wake(), None);
    // There and back while one response is in flight.
    session.on_snapshot(published("xy"), ms(6_000));
    assert_eq!(session.on_snapshot(published("x"), ms(6_001)), []);
    assert_eq!(session.on_snapshot(published("xy"), ms(6_002)), []);
    assert_eq!(
        session.on_request(&ack(V1, "a.2", "xy"), ms(6_003)),
        [acked(V1, "xy", 3)]
    );
    assert_eq!(session.on_time(ms(9_000)), []);
}

#[test]
fn an_acknowledgement_that_crosses_a_change_is_one() {
    let mut session = session(Some(published("x")));
    session.on_request(&ask(V1), ms(0));
    // The change comes while the first response is in flight: it waits, and is sent once.
    assert_eq!(session.on_snapshot(published("xy"), ms(10)), []);
    assert_eq!(
        session.on_request(&ack(V1, "a.1", "x"), ms(20)),
        [acked(V1, "x", 20)]
    );
    assert_eq!(session.next_wake(), Some(ms(120)));
    assert_eq!(session.on_time(ms(120)), [send(V1, "a.2", "xy")]);
    assert_eq!(
        session.on_request(&ack(V1, "a.2", "xy"), ms(130)),
        [acked(V1, "xy", 10)]
    );
    assert_eq!(
        (session.on_time(ms(60_000)), session.next_wake()),
        (vec![], None)
    );
}

#[test]
fn a_stale_nonce_changes_nothing() {
    let mut session = holding("x");
    session.on_snapshot(published("xy"), ms(1_000));
    for request in [
        ack(V1, "a.1", "x"),
        ack(V1, "b.2", "xy"),
        nack(V1, "a.1", "too late"),
        // Asks for what is on its way.
        ack(V1, "", "x"),
    ] {
        assert_eq!(session.on_request(&request, ms(1_001)), [ignored(V1)]);
    }
    assert_eq!(
        session.on_request(&ack(V1, "a.2", "xy"), ms(1_002)),
        [acked(V1, "xy", 2)]
    );
    // The same words once more, when nothing is in flight.
    assert_eq!(
        session.on_request(&ack(V1, "a.2", "xy"), ms(1_003)),
        [ignored(V1)]
    );
}

#[test]
fn a_refused_set_is_sent_again_only_when_it_changed() {
    let mut session = session(Some(published("x")));
    session.on_request(&ask(V1), ms(0));
    let refused = Decision::Nacked {
        type_url: V1.into(),
        version: version("x"),
        reason: "no such thing".into(),
    };
    assert_eq!(
        session.on_request(&nack(V1, "a.1", "no such thing"), ms(1)),
        [refused]
    );
    assert_eq!(session.next_wake(), None);
    assert_eq!(session.on_snapshot(published("x"), ms(1_000)), []);
    // Refusing once more, without a nonce, is not a question.
    assert_eq!(
        session.on_request(&nack(V1, "", "no such thing"), ms(2_000)),
        [ignored(V1)]
    );
    assert_eq!(
        session.on_snapshot(published("y"), ms(3_000)),
        [send(V1, "a.2", "y")]
    );
}

#[test]
fn a_request_without_nonce_asks_again_unless_it_holds_the_version() {
    let mut session = holding("x");
    assert_eq!(
        session.on_request(&ack(V1, "", "x"), ms(1_000)),
        [ignored(V1)]
    );
    let mut again = ask(V1);
    again.response_nonce.clear();
    let asked = Decision::AskedAgain {
        type_url: V1.into(),
    };
    assert_eq!(
        session.on_request(&again, ms(1_000)),
        [asked.clone(), send(V1, "a.2", "x")]
    );
    session.on_request(&ack(V1, "a.2", "x"), ms(1_000));
    // Asking without end is held to the same pace.
    assert_eq!(session.on_request(&again, ms(1_001)), [asked]);
    assert_eq!(session.on_request(&again, ms(1_002)), [ignored(V1)]);
    assert_eq!(session.next_wake(), Some(ms(1_100)));
    assert_eq!(session.on_time(ms(1_100)), [send(V1, "a.3", "x")]);
}

#[test]
fn an_acknowledgement_may_come_without_its_nonce() {
    let mut session = session(Some(published("x")));
    session.on_request(&ask(V1), ms(0));
    assert_eq!(
        session.on_request(&ack(V1, "", "x"), ms(7)),
        [acked(V1, "x", 7)]
    );
}

#[test]
fn a_client_rests_as_long_as_it_needed() {
    // (send to acknowledgement, rest after it)
    for (took, rest) in [(0, 100), (99, 100), (250, 250), (5_000, 1_000)] {
        let mut session = holding("x");
        session.on_snapshot(published("xy"), ms(10_000));
        session.on_request(&ack(V1, "a.2", "xy"), ms(10_000 + took));
        let due = ms(10_000 + took + rest);
        assert_eq!(session.on_snapshot(published("y"), due - ms(1)), []);
        assert_eq!(session.next_wake(), Some(due));
        assert_eq!(
            session.on_snapshot(published("z"), due),
            [send(V1, "a.3", "z")]
        );
    }
}

#[test]
fn types_of_one_stream_do_not_wait_for_each_other() {
    let mut session = session(Some(published("x")));
    session.on_request(&ask(V1), ms(0));
    session.on_request(&ask(V1ALPHA3), ms(0));
    session.on_request(&ack(V1, "a.1", "x"), ms(1));
    assert_eq!(
        session.on_snapshot(published("xy"), ms(1_000)),
        [send(V1, "a.3", "xy")]
    );
    assert_eq!(
        session.on_request(&ack(V1ALPHA3, "a.2", "x"), ms(1_000)),
        [acked(V1ALPHA3, "x", 1_000)]
    );
    assert_eq!(session.next_wake(), Some(ms(2_000)));
    assert_eq!(session.on_time(ms(2_000)), [send(V1ALPHA3, "a.4", "xy")]);
}

#[test]
fn a_client_that_neither_reads_nor_answers_is_closed() {
    let mut session = session(Some(published("x")));
    session.on_request(&ask(V1), ms(0));
    assert_eq!(session.next_wake(), Some(ms(60_000)));
    session.on_progress(ms(59_000));
    assert_eq!(session.on_time(ms(60_000)), []);
    assert_eq!(session.next_wake(), Some(ms(119_000)));
    let close = Close::NoAck {
        type_url: V1.into(),
        after: ms(60_000),
    };
    assert_eq!(session.on_time(ms(119_000)), [Decision::Close(close)]);
}

/// istiod stores nothing of these types and owes us no answer about them.
#[test]
fn nobody_is_closed_for_a_type_that_is_not_ours() {
    let mut session = session(Some(published("x")));
    session.on_request(&ask(MESH_CONFIG), ms(0));
    assert_eq!(session.next_wake(), None);
    assert_eq!(session.on_time(ms(3_600_000)), []);
}

#[test]
fn a_stream_must_begin_and_may_not_ask_for_everything() {
    let mut silent = session(None);
    assert_eq!(silent.next_wake(), Some(ms(10_000)));
    let close = Decision::Close(Close::Silent(ms(10_000)));
    assert_eq!(silent.on_time(ms(10_000)), [close]);

    let mut greedy = session(None);
    for n in 0..64 {
        greedy.on_request(&ask(&format!("t/{n}")), ms(0));
    }
    let close = Decision::Close(Close::TooManyTypes(64));
    assert_eq!(greedy.on_request(&ask("t/64"), ms(0)), [close]);

    let close = Decision::Close(Close::NoTypeUrl);
    assert_eq!(session(None).on_request(&ask(""), ms(0)), [close]);
    let close = Decision::Close(Close::LongTypeUrl(257));
    let long = "t".repeat(257);
    assert_eq!(session(None).on_request(&ask(&long), ms(0)), [close]);
}

#[test]
fn a_client_is_known_by_its_first_node() {
    let text = |s: &str| prost_types::Value::from(s);
    let fields = BTreeMap::from([
        ("GENERATOR".to_owned(), text("api")),
        ("ISTIO_REVISION".to_owned(), text("canary")),
    ]);
    let mut first = ask(MESH_CONFIG);
    first.node = Some(Node {
        id: "sidecar~10.0.0.1~istiod-0.istio-system~x".to_owned() + &"é".repeat(300),
        metadata: Some(prost_types::Struct { fields }),
        ..Node::default()
    });
    let mut session = session(None);
    let decisions = session.on_request(&first, ms(0));
    let known = Client {
        id: "sidecar~10.0.0.1~istiod-0.istio-system~x".to_owned() + &"é".repeat(216),
        revision: "canary".into(),
        ..Client::default()
    };
    assert_eq!(decisions[0], Decision::Identified(known));
    assert_eq!(
        session.on_request(&first, ms(0)),
        [ignored(MESH_CONFIG)],
        "a second node on the stream is not a second client"
    );
}
