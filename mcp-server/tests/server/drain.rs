//! The end of the server.

use std::time::{Duration, Instant};

use dubbo_mcp_server::server::Settings;
use tokio::net::TcpStream;
use tonic::Code;

use crate::running::{Running, megabytes, service, snapshot};
use crate::wire::{Wire, channel};

const V1: &str = "networking.istio.io/v1/ServiceEntry";

#[tokio::test]
async fn streams_end_so_that_clients_come_back_and_the_port_is_closed() {
    let server = Running::with(Some(snapshot(vec![service("a", &[1], 0)]))).await;
    let mut wire = Wire::open(channel(server.address).await).await.unwrap();
    wire.ask(V1);
    let response = wire.next().await.unwrap();
    wire.ack(&response);
    let address = server.address;
    let idle = channel(address).await;
    let (end, ()) = tokio::join!(wire.end(), server.stop());
    assert_eq!(end.code(), Code::Unavailable, "{end:?}");
    assert!(TcpStream::connect(address).await.is_err());
    drop(idle);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_read_is_cut_in_time() {
    let settings = Settings {
        drain: Duration::from_millis(500),
        ..Settings::default()
    };
    let server = Running::start(settings, Some(megabytes(20))).await;
    let wire = Wire::open(channel(server.address).await).await.unwrap();
    wire.ask(V1);
    server
        .until("sent", |c| c.iter().any(|c| !c.types.is_empty()))
        .await;
    let begin = Instant::now();
    server.stop().await;
    let took = begin.elapsed();
    assert!((500..3000).contains(&took.as_millis()), "{took:?}");
    drop(wire);
}

/// The owner of the content is gone, its last state stays.
#[tokio::test]
async fn what_was_published_outlives_its_publisher() {
    let mut server = Running::with(Some(snapshot(vec![service("a", &[1], 0)]))).await;
    drop(std::mem::replace(
        &mut server.publish,
        tokio::sync::watch::channel(None).0,
    ));
    let mut wire = Wire::open(channel(server.address).await).await.unwrap();
    wire.ask(V1);
    let response = wire.next().await.unwrap();
    wire.ack(&response);
    wire.expect_quiet().await;
    server.stop().await;
}
