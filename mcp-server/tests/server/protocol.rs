//! What istiod's client sees of it.

use std::collections::BTreeSet;
use std::time::Duration;

use dubbo_registry::resource::Kind;

use dubbo_mcp_server::server::Settings;
use dubbo_mcp_server::session::Limits;
use dubbo_mcp_server::snapshot::Snapshot;
use tonic::Code;

use crate::adsc::{Adsc, Applied, Profile};
use crate::running::{Running, gone, service, snapshot};
use crate::wire::{Wire, channel};

const V1: &str = "networking.istio.io/v1/ServiceEntry";
const V1ALPHA3: &str = "networking.istio.io/v1alpha3/ServiceEntry";

fn applied(created: &[&str], updated: &[&str], deleted: &[&str]) -> Applied {
    let names = |names: &[&str]| names.iter().map(|n| format!("dubbo/{n}")).collect();
    Applied {
        type_url: V1.into(),
        created: names(created),
        updated: names(updated),
        deleted: names(deleted),
    }
}

fn two() -> Snapshot {
    snapshot(vec![service("a", &[1], 0), service("b", &[1, 2], 0)])
}

async fn synced(server: &Running) -> Adsc {
    let mut istiod = Adsc::new(Profile::From1_30);
    istiod.connect(channel(server.address).await).await.unwrap();
    istiod.sync().await;
    istiod
}

#[tokio::test]
async fn every_release_is_ready_and_holds_the_same_services() {
    let server = Running::with(Some(two())).await;
    for profile in [Profile::UpTo1_23, Profile::From1_24, Profile::From1_30] {
        let mut istiod = Adsc::new(profile);
        istiod.connect(channel(server.address).await).await.unwrap();
        let answers = istiod.sync().await;
        let created = |n: &&Applied| n.changes() > 0;
        let filled: Vec<&Applied> = answers.values().filter(created).collect();
        assert_eq!(filled.len(), 1, "{profile:?}: {filled:?}");
        assert_eq!(filled[0].type_url, profile.service_entry());
        let created: BTreeSet<&str> = filled[0].created.iter().map(String::as_str).collect();
        assert_eq!(created, BTreeSet::from(["dubbo/a", "dubbo/b"]));
        assert_eq!(answers.len(), profile.types().len() + 1);
    }
    server.stop().await;
}

#[tokio::test]
async fn services_are_not_answered_before_they_are_known() {
    let server = Running::with(None).await;
    let mut istiod = Adsc::new(Profile::From1_30);
    istiod.connect(channel(server.address).await).await.unwrap();
    let mut others = Profile::From1_30.types();
    others.retain(|url| Kind::of_type_url(url).is_none());
    others.push("no.such.istio.io/v7/Thing");
    let answers = istiod.answers(&others).await;
    assert!(answers.values().all(|applied| applied.changes() == 0));
    istiod.wire.as_mut().unwrap().expect_quiet().await;

    server.publish(&snapshot(vec![service("a", &[1], 0)]));
    let mut changed = Vec::new();
    for _ in Kind::ALL {
        let answer = istiod.next().await;
        assert!(Kind::of_type_url(&answer.type_url).is_some(), "{answer:?}");
        changed.extend((answer.changes() > 0).then_some(answer));
    }
    assert_eq!(changed, [applied(&["a"], &[], &[])]);
    server.stop().await;
}

#[tokio::test]
async fn a_change_is_that_change_and_equal_content_is_silence() {
    let server = Running::with(Some(two())).await;
    let mut istiod = synced(&server).await;

    let (moved, _) = two().with(vec![service("b", &[1, 3], 0)]);
    server.publish(&moved);
    assert_eq!(istiod.next().await, applied(&[], &["b"], &[]));

    let (less, _) = moved.with(vec![gone("a"), service("c", &[9], 0)]);
    server.publish(&less);
    assert_eq!(istiod.next().await, applied(&["c"], &[], &["a"]));

    // The same content, made in another way.
    server.publish(&snapshot(vec![
        service("c", &[9], 0),
        service("b", &[1, 3], 0),
    ]));
    istiod.wire.as_mut().unwrap().expect_quiet().await;
    server.stop().await;
}

#[tokio::test]
async fn another_process_with_the_same_content_changes_nothing() {
    let server = Running::with(Some(two())).await;
    let mut istiod = synced(&server).await;
    server.stop().await;

    let other = snapshot(vec![service("b", &[1, 2], 0), service("a", &[1], 0)]);
    let server = Running::with(Some(other)).await;
    istiod.connect(channel(server.address).await).await.unwrap();
    let answers = istiod.sync().await;
    assert!(
        answers.values().all(|applied| applied.changes() == 0),
        "{answers:?}"
    );
    server.stop().await;
}

#[tokio::test]
async fn a_burst_of_changes_is_few_pushes_and_ends_with_the_last() {
    let server = Running::with(Some(two())).await;
    let mut istiod = synced(&server).await;
    let pushed = server.metric("dubbo_mesh_mcp_pushes_total");
    let mut state = two();
    for n in 0..200 {
        state = state.with(vec![service("a", &[n], 0)]).0;
        server.publish(&state);
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let last = state.set(Kind::ServiceEntry).version();
    loop {
        assert_eq!(istiod.next().await, applied(&[], &["a"], &[]));
        let clients = server.telemetry.clients();
        if clients[0].types[V1].sent_version == Some(last.to_string()) {
            break;
        }
    }
    let pushes = server.metric("dubbo_mesh_mcp_pushes_total") - pushed;
    // 0.4 s and more of changes, 100 ms apart at least.
    assert!((2.0..=20.0).contains(&pushes), "{pushes} pushes");
    istiod.wire.as_mut().unwrap().expect_quiet().await;
    server.stop().await;
}

#[tokio::test]
async fn one_stream_may_ask_for_services_in_two_versions() {
    let server = Running::with(Some(two())).await;
    let mut wire = Wire::open(channel(server.address).await).await.unwrap();
    let mut contents = Vec::new();
    for url in [V1, V1ALPHA3] {
        wire.ask(url);
        let response = wire.next().await.unwrap();
        assert_eq!(response.type_url, url);
        contents.push((response.version_info, response.resources));
    }
    assert_eq!(contents[0], contents[1]);
    assert_eq!(contents[0].1.len(), 2);
    server.stop().await;
}

#[tokio::test]
async fn a_refused_set_is_named_and_waits_for_a_change() {
    let server = Running::with(Some(two())).await;
    let mut wire = Wire::open(channel(server.address).await).await.unwrap();
    wire.ask(V1);
    let refused = wire.next().await.unwrap();
    wire.nack(&refused, "host is not valid");
    wire.expect_quiet().await;
    let view = server.telemetry.clients()[0].types[V1].clone();
    assert_eq!(view.last_nack.as_deref(), Some("host is not valid"));
    assert_eq!(view.nacked_version, Some(refused.version_info.clone()));
    assert_eq!(view.acked_version, None);

    server.publish(&snapshot(vec![service("a", &[1], 0)]));
    let better = wire.next().await.unwrap();
    assert_ne!(better.version_info, refused.version_info);
    assert_eq!(better.resources.len(), 1);
    server.stop().await;
}

#[tokio::test]
async fn an_acknowledgement_that_crosses_a_push_does_not_start_a_loop() {
    let server = Running::with(Some(two())).await;
    let mut wire = Wire::open(channel(server.address).await).await.unwrap();
    wire.ask(V1);
    let first = wire.next().await.unwrap();
    server.publish(&snapshot(vec![service("a", &[1], 0)]));
    server.publish(&snapshot(vec![service("a", &[2], 0)]));
    wire.ack(&first);
    let second = wire.next().await.unwrap();
    // Once more the old one, late; then what belongs there.
    wire.ack(&first);
    wire.ack(&second);
    wire.ack(&second);
    wire.expect_quiet().await;
    assert_eq!(server.metric("dubbo_mesh_mcp_pushes_total"), 2.0);
    server.stop().await;
}

#[tokio::test]
async fn who_never_answers_is_closed_with_the_reason() {
    let session = Limits {
        ack_timeout: Duration::from_millis(300),
        ..Limits::default()
    };
    let settings = Settings {
        session,
        ..Settings::default()
    };
    let server = Running::start(settings, Some(two())).await;
    let wire = Wire::open(channel(server.address).await).await.unwrap();
    wire.ask(V1);
    let end = wire.end().await;
    assert_eq!(end.code(), Code::DeadlineExceeded);
    assert!(end.message().contains(V1), "{}", end.message());
    server
        .until("the stream is gone", |clients| clients.is_empty())
        .await;
    server.stop().await;
}

#[tokio::test]
async fn a_client_that_hangs_up_is_forgotten() {
    let server = Running::with(Some(two())).await;
    let istiod = synced(&server).await;
    let clients = server.telemetry.clients();
    assert_eq!(clients.len(), 1);
    assert_eq!(
        (clients[0].node.as_str(), clients[0].revision.as_str()),
        (
            "sidecar~10.0.0.1~istiod-0.istio-system~istio-system.svc.cluster.local",
            "canary"
        )
    );
    drop(istiod);
    server.until("nobody", |clients| clients.is_empty()).await;
    assert_eq!(server.metric("dubbo_mesh_mcp_streams"), 0.0);
    server.stop().await;
}
