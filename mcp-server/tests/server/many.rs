//! Many clients, and clients that do not read.

use std::time::{Duration, Instant};

use dubbo_mcp_server::server::Settings;
use dubbo_mcp_server::session::Limits;
use tokio::time::sleep;
use tonic::Code;

use crate::adsc::{Adsc, Profile};
use crate::messages::DiscoveryRequest;
use crate::running::{Running, megabytes, service, snapshot};
use crate::wire::{PATIENCE, QUIET, Wire, channel};

const V1: &str = "networking.istio.io/v1/ServiceEntry";

/// 24 MB, of which the slow client's connection takes no more than its windows. It gets the first
/// set and the last one, nothing in between, and the other one gets every change meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_read_holds_nobody_up() {
    let mut state = megabytes(20);
    // It is slow as long as the other one takes, on whatever machine.
    let session = Limits {
        ack_timeout: Duration::from_secs(600),
        ..Limits::default()
    };
    let settings = Settings {
        session,
        ..Settings::default()
    };
    let server = Running::start(settings, Some(state.clone())).await;
    let mut slow = Wire::open(channel(server.address).await).await.unwrap();
    slow.ask(V1);
    let mut fast = Adsc::new(Profile::From1_24);
    fast.connect(channel(server.address).await).await.unwrap();
    fast.sync().await;
    for n in 2..12 {
        state = state.with(vec![service("svc7", &[n], 0)]).0;
        server.publish(&state);
        let applied = fast.next().await;
        assert_eq!(applied.updated, ["dubbo/svc7"]);
    }
    let first = slow.next().await.unwrap();
    assert_eq!(first.resources.len(), 20_000);
    slow.ack(&first);
    let last = slow.next().await.unwrap();
    let kind = dubbo_registry::resource::Kind::ServiceEntry;
    assert_eq!(last.version_info, state.set(kind).version().to_string());
    slow.ack(&last);
    slow.expect_quiet().await;
    server.stop().await;
}

/// Slow is not dead: reading a part of it now and then keeps a stream.
#[tokio::test(flavor = "multi_thread")]
async fn who_reads_nothing_is_closed() {
    let session = Limits {
        ack_timeout: QUIET,
        ..Limits::default()
    };
    let settings = Settings {
        session,
        ..Settings::default()
    };
    let server = Running::start(settings, Some(megabytes(20))).await;
    let wire = Wire::open(channel(server.address).await).await.unwrap();
    wire.ask(V1);
    server.until("closed", |clients| !clients.is_empty()).await;
    server.until("closed", |clients| clients.is_empty()).await;
    drop(wire);
    server.stop().await;
}

/// Nonces can be guessed: answers to what was not read must not make the queue grow.
#[tokio::test(flavor = "multi_thread")]
async fn who_acknowledges_unread_responses_is_closed() {
    let session = Limits {
        max_types: 4,
        rest: (Duration::ZERO, Duration::ZERO),
        ..Limits::default()
    };
    let settings = Settings {
        session,
        ..Settings::default()
    };
    let mut state = megabytes(20);
    let server = Running::start(settings, Some(state.clone())).await;
    let wire = Wire::open(channel(server.address).await).await.unwrap();
    wire.ask(V1);
    server
        .until("a stream", |clients| !clients.is_empty())
        .await;
    let stream = server.telemetry.clients()[0].stream;
    let begin = Instant::now();
    for n in (1..=250u8).cycle() {
        if server.telemetry.clients().is_empty() {
            break;
        }
        assert!(begin.elapsed() < PATIENCE, "still not closed");
        state = state.with(vec![service("svc7", &[n], 0)]).0;
        server.publish(&state);
        // Some of them in vain: what is not sent yet cannot be confirmed.
        for sent in 1..=8 {
            wire.say(DiscoveryRequest {
                type_url: V1.into(),
                response_nonce: format!("{stream:x}.{sent}"),
                ..DiscoveryRequest::default()
            });
        }
        sleep(Duration::from_millis(10)).await;
    }
    let end = wire.end().await;
    assert_eq!(end.code(), Code::ResourceExhausted, "{end:?}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_clients_get_every_service_and_then_a_change() {
    let server = Running::with(Some(megabytes(1))).await;
    let mut clients = Vec::new();
    for _ in 0..200 {
        let mut client = Adsc::new(Profile::From1_30);
        client.connect(channel(server.address).await).await.unwrap();
        clients.push(client);
    }
    for client in &mut clients {
        client.sync().await;
        assert_eq!(client.stored(V1).len(), 1000);
    }
    assert_eq!(server.metric("dubbo_mesh_mcp_streams"), 200.0);
    let (state, _) = megabytes(1).with(vec![service("new", &[1], 0)]);
    server.publish(&state);
    for client in &mut clients {
        assert_eq!(client.next().await.created, ["dubbo/new"]);
    }
    drop(clients);
    server
        .until("all are gone", |clients| clients.is_empty())
        .await;
    server.stop().await;
}

/// Nothing of ours limits what we send: 90 MB in one response, which others would cut at 4.
#[tokio::test(flavor = "multi_thread")]
async fn a_large_set_is_one_response() {
    let big = (0..90).map(|n| service(&format!("big{n}"), &[1], 1_000_000));
    let server = Running::with(Some(snapshot(big.collect()))).await;
    let mut wire = Wire::open(channel(server.address).await).await.unwrap();
    wire.ask(V1);
    let response = wire.next().await.unwrap();
    assert_eq!(response.resources.len(), 90);
    let bytes: usize = response.resources.iter().map(|any| any.value.len()).sum();
    assert!(bytes > 90_000_000, "{bytes}");
    wire.ack(&response);
    server
        .until("acknowledged", |c| c[0].types[V1].acked_version.is_some())
        .await;
    server.stop().await;
}
