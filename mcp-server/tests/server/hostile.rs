//! What else comes to a port.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use dubbo_mcp_server::server::Settings;
use http::uri::PathAndQuery;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tonic::client::Grpc;
use tonic::{Code, Request, Status};
use tonic_prost::ProstCodec;

use crate::messages::{DiscoveryRequest, HealthCheckRequest, HealthCheckResponse};
use crate::running::{Running, service, snapshot, until};
use crate::wire::{PATIENCE, Wire, channel};

const V1: &str = "networking.istio.io/v1/ServiceEntry";

async fn server(settings: Settings) -> Running {
    Running::start(settings, Some(snapshot(vec![service("a", &[1], 0)]))).await
}

/// An honest client is served, whatever else goes on.
async fn serves(address: SocketAddr) {
    let mut wire = Wire::open(channel(address).await).await.unwrap();
    wire.ask(V1);
    assert_eq!(wire.next().await.unwrap().resources.len(), 1);
}

async fn reads_until_closed(tcp: &mut TcpStream) -> Vec<u8> {
    let mut said = Vec::new();
    // A reset is an end as good as any.
    let _ = timeout(PATIENCE, tcp.read_to_end(&mut said))
        .await
        .expect("it is closed");
    said
}

#[tokio::test]
async fn bytes_that_are_not_http2_end_the_connection() {
    let server = server(Settings::default()).await;
    let garbage: Vec<u8> = (0..100_000u32).map(|n| ((n * 7919) >> 3) as u8).collect();
    let mut preface_then_garbage = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    preface_then_garbage.extend(&garbage);
    for bytes in [
        garbage.as_slice(),
        b"GET /debug HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        &preface_then_garbage,
        &[0; 5000],
    ] {
        let mut tcp = TcpStream::connect(server.address).await.unwrap();
        // The server may close before it has read everything.
        let _ = tcp.write_all(bytes).await;
        let said = reads_until_closed(&mut tcp).await;
        assert!(!said.starts_with(b"HTTP/1.1 200"));
        serves(server.address).await;
    }
    let refused = r#"dubbo_mesh_mcp_refused_connections_total{reason="Protocol"}"#;
    until("all are counted", || server.metric(refused) >= 5.0).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn silent_connections_are_few_and_give_way() {
    let settings = Settings {
        max_silent_connections: 50,
        handshake_timeout: Duration::from_secs(600),
        ..Settings::default()
    };
    let server = server(settings).await;
    let mut silent = Vec::new();
    for _ in 0..3000 {
        silent.push(TcpStream::connect(server.address).await.unwrap());
    }
    serves(server.address).await;
    let gave_way = r#"dubbo_mesh_mcp_refused_connections_total{reason="Crowded"}"#;
    until("they gave way", || server.metric(gave_way) >= 2950.0).await;
    assert!(server.metric("dubbo_mesh_mcp_connections") <= 51.0);
    drop(silent);
    until("none is left", || {
        server.metric("dubbo_mesh_mcp_connections") == 0.0
    })
    .await;
    server.stop().await;
}

#[tokio::test]
async fn a_silent_connection_is_closed_in_time() {
    let settings = Settings {
        handshake_timeout: Duration::from_millis(300),
        ..Settings::default()
    };
    let server = server(settings).await;
    for said in [
        &b""[..],
        b"PRI * HTTP",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0",
    ] {
        let begin = Instant::now();
        let mut tcp = TcpStream::connect(server.address).await.unwrap();
        tcp.write_all(said).await.unwrap();
        reads_until_closed(&mut tcp).await;
        assert!(begin.elapsed() >= Duration::from_millis(300));
    }
    let late = r#"dubbo_mesh_mcp_refused_connections_total{reason="Timeout"}"#;
    until("all are counted", || server.metric(late) == 3.0).await;
    server.stop().await;
}

#[tokio::test]
async fn more_connections_than_allowed_are_turned_away() {
    let server = server(Settings {
        max_connections: 3,
        ..Settings::default()
    })
    .await;
    let mut wires = Vec::new();
    for _ in 0..3 {
        let mut wire = Wire::open(channel(server.address).await).await.unwrap();
        wire.ask(V1);
        wire.next().await.unwrap();
        wires.push(wire);
    }
    let mut tcp = TcpStream::connect(server.address).await.unwrap();
    assert_eq!(reads_until_closed(&mut tcp).await, b"");
    drop(wires.pop());
    until("one left", || {
        server.metric("dubbo_mesh_mcp_connections") == 2.0
    })
    .await;
    serves(server.address).await;
    server.stop().await;
}

#[tokio::test]
async fn only_the_allowed_networks_come_in() {
    let allow = vec!["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()];
    let server = server(Settings {
        allow,
        ..Settings::default()
    })
    .await;
    let mut tcp = TcpStream::connect(server.address).await.unwrap();
    assert_eq!(reads_until_closed(&mut tcp).await, b"");
    let refused = r#"dubbo_mesh_mcp_refused_connections_total{reason="Address"}"#;
    until("counted", || server.metric(refused) == 1.0).await;
    server.stop().await;

    let allow = vec!["127.0.0.0/8".parse().unwrap()];
    let server = self::server(Settings {
        allow,
        ..Settings::default()
    })
    .await;
    serves(server.address).await;
    server.stop().await;
}

async fn end_of(server: &Running, request: DiscoveryRequest) -> Status {
    let wire = Wire::open(channel(server.address).await).await.unwrap();
    wire.say(request);
    wire.end().await
}

#[tokio::test]
async fn requests_beyond_the_limits_end_their_stream_alone() {
    let server = server(Settings::default()).await;
    let mut neighbour = Wire::open(channel(server.address).await).await.unwrap();
    neighbour.ask(V1);
    let first = neighbour.next().await.unwrap();
    neighbour.ack(&first);

    let type_url = |url: String| DiscoveryRequest {
        type_url: url,
        ..Default::default()
    };
    let large = DiscoveryRequest {
        resource_names: vec!["x".repeat(1000); 300],
        ..type_url(V1.into())
    };
    assert_eq!(end_of(&server, large).await.code(), Code::OutOfRange);
    let long = type_url("t".repeat(300));
    assert_eq!(end_of(&server, long).await.code(), Code::InvalidArgument);
    let none = type_url(String::new());
    assert_eq!(end_of(&server, none).await.code(), Code::InvalidArgument);

    let greedy = Wire::open(channel(server.address).await).await.unwrap();
    (0..100).for_each(|n| greedy.ask(&format!("type/{n}")));
    assert_eq!(greedy.end().await.code(), Code::ResourceExhausted);

    server.publish(&snapshot(vec![service("b", &[1], 0)]));
    assert_eq!(neighbour.next().await.unwrap().resources.len(), 1);
    server.stop().await;
}

#[tokio::test]
async fn headers_beyond_the_limit_are_refused() {
    let server = server(Settings::default()).await;
    let mut grpc = Grpc::new(channel(server.address).await);
    let codes = [1_000, 30_000].map(|size| (size, "x".repeat(size)));
    let mut seen = Vec::new();
    for (size, header) in codes {
        grpc.ready().await.unwrap();
        let mut request = Request::new(HealthCheckRequest::default());
        let header = header.parse().unwrap();
        request.metadata_mut().insert("large", header);
        let path = PathAndQuery::from_static("/grpc.health.v1.Health/Check");
        let codec = ProstCodec::<HealthCheckRequest, HealthCheckResponse>::default();
        seen.push((size, grpc.unary(request, path, codec).await.is_ok()));
    }
    assert_eq!(seen, [(1_000, true), (30_000, false)]);
    serves(server.address).await;
    server.stop().await;
}

/// A request that is not a message at all.
#[tokio::test]
async fn a_message_that_cannot_be_read_ends_its_stream() {
    let server = server(Settings::default()).await;
    let (mut client, connection) = {
        let tcp = TcpStream::connect(server.address).await.unwrap();
        let io = hyper_util::rt::TokioIo::new(tcp);
        let executor = hyper_util::rt::TokioExecutor::new();
        hyper::client::conn::http2::handshake(executor, io)
            .await
            .unwrap()
    };
    let connection = tokio::spawn(connection);
    // (bytes after the path, expected gRPC status): a truncated field, compression nobody agreed
    // on, a length of 4 GiB, half a message.
    for (body, status) in [
        (&b"\0\0\0\0\x02\x0a\x7f"[..], Code::InvalidArgument),
        (b"\x01\0\0\0\x02\x0a\x00", Code::Internal),
        (b"\0\xff\xff\xff\xff", Code::OutOfRange),
        (b"\0\0\0\0\x09\x0a", Code::Internal),
    ] {
        let body = http_body_util::Full::new(bytes::Bytes::from_static(body));
        let request =
            http::Request::post(format!("http://{}{}", server.address, crate::wire::STREAM))
                .header("content-type", "application/grpc")
                .body(body)
                .unwrap();
        let response = client.send_request(request).await.unwrap();
        let body = http_body_util::BodyExt::collect(response.into_body())
            .await
            .unwrap();
        let code = &body.trailers().unwrap()["grpc-status"];
        assert_eq!(Code::from_bytes(code.as_bytes()), status);
    }
    drop(client);
    connection.await.unwrap().unwrap();
    server.stop().await;
}

#[tokio::test]
async fn other_methods_say_what_is_served() {
    let server = server(Settings::default()).await;
    for (path, hint) in [
        (
            "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources",
            "state of the world",
        ),
        (
            "/envoy.service.discovery.v2.AggregatedDiscoveryService/StreamAggregatedResources",
            "v3",
        ),
        (
            "/istio.mcp.v1alpha1.ResourceSource/EstablishResourceStream",
            "xDS v3",
        ),
        ("/", "xDS v3"),
    ] {
        let channel = channel(server.address).await;
        let status = match Wire::open_path(channel, path).await {
            Err(status) => status,
            Ok(wire) => wire.end().await,
        };
        assert_eq!(status.code(), Code::Unimplemented, "{path}");
        assert!(
            status.message().contains(hint),
            "{path}: {}",
            status.message()
        );
    }
    server.stop().await;
}

#[tokio::test]
async fn the_health_service_says_whether_anything_is_published() {
    let server = Running::with(None).await;
    let check = async |service: &str| -> Result<i32, Code> {
        let mut grpc = Grpc::new(channel(server.address).await);
        grpc.ready().await.unwrap();
        let request = Request::new(HealthCheckRequest {
            service: service.into(),
        });
        let path = PathAndQuery::from_static("/grpc.health.v1.Health/Check");
        let codec = ProstCodec::<HealthCheckRequest, HealthCheckResponse>::default();
        match grpc.unary(request, path, codec).await {
            Ok(response) => Ok(response.into_inner().status),
            Err(status) => Err(status.code()),
        }
    };
    let discovery = "envoy.service.discovery.v3.AggregatedDiscoveryService";
    assert_eq!(check("").await, Ok(2));
    server.publish(&snapshot(vec![]));
    assert_eq!(check("").await, Ok(1));
    assert_eq!(check(discovery).await, Ok(1));
    assert_eq!(check("com.acme.Orders").await, Err(Code::NotFound));
    server.stop().await;
}
