//! HTTP/2 connections whose requests get the name of their service: clients as a Triple SDK is one,
//! which sends the address that it dialled as the authority.

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Value, json};
use support::{Call, WireConsumer, WireProvider, isolated};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::{SOON, Way, answered, caller, echo, envoy, metric, set};

pub(super) type Body =
    StreamBody<futures::stream::Iter<std::vec::IntoIter<Result<Frame<Bytes>, Infallible>>>>;
pub(super) type Sender = hyper::client::conn::http2::SendRequest<Body>;

/// A provider of Triple: answers with its name, the authority and the body, and with trailers.
pub(super) async fn triple(name: &'static str, port: u16) {
    let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
    let answer = move |request: Request<Incoming>| async move {
        let authority = request.uri().authority().map(ToString::to_string);
        let body = request.into_body().collect().await.unwrap();
        let trailers = body.trailers().map_or(0, HeaderMap::len);
        let body = String::from_utf8(body.to_bytes().to_vec()).unwrap();
        let text = format!("{name} {} {body} {trailers}", authority.unwrap_or_default());
        Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(text))))
    };
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let connection = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(stream), service_fn(answer));
            tokio::spawn(connection);
        }
    });
}

pub(super) async fn connect() -> Sender {
    let stream = TcpStream::connect("127.0.0.1:20880").await.unwrap();
    let io = TokioIo::new(stream);
    let (sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), io)
        .await
        .unwrap();
    tokio::spawn(connection);
    sender
}

/// Calls as Triple does; what came back, status and text.
pub(super) async fn call(
    sender: &Sender,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> (u16, String) {
    let mut request = Request::post(format!("http://127.0.0.1:20880{path}"))
        .header("content-type", "application/grpc+proto")
        .header("te", "trailers");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let trailers = HeaderMap::from_iter([("x-end".parse().unwrap(), "yes".parse().unwrap())]);
    let frames = vec![
        Ok(Frame::data(Bytes::copy_from_slice(body.as_bytes()))),
        Ok(Frame::trailers(trailers)),
    ];
    let request = request
        .body(StreamBody::new(futures::stream::iter(frames)))
        .unwrap();
    let response = sender.clone().send_request(request).await.unwrap();
    let status = response.status().as_u16();
    let text = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(text.to_vec()).unwrap())
}

/// A host of its own for each version, and one for what has no other.
fn bootstrap(option: bool) -> Value {
    let mut bootstrap = caller(Way::Bridge);
    let options =
        "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config/filter_config/value";
    set(
        &mut bootstrap,
        options,
        json!({"authority_for_http2": option, "half_frame_ms": 1000}),
    );
    let hosts = "/static_resources/listeners/0/filter_chains/0/filters/1/typed_config/route_config/virtual_hosts";
    let host = |domain: &str, cluster: &str| {
        json!({"name": domain, "domains": [domain], "routes": [
            {"match": {"prefix": "/"}, "route": {"cluster": cluster, "timeout": "0s"}},
        ]})
    };
    set(
        &mut bootstrap,
        hosts,
        json!([
            host("com.acme.greeter.dubbo", "one"),
            host("v2-0-0.g-gray.com.acme.greeter.dubbo", "two"),
            host("com.acme.clock.dubbo", "v1"),
            host("*", "rest"),
        ]),
    );
    let http2 = json!({"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
        "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        "explicit_http_config": {"http2_protocol_options": {}},
    }});
    let clusters = bootstrap
        .pointer_mut("/static_resources/clusters")
        .unwrap()
        .as_array_mut()
        .unwrap();
    for (name, port) in [("one", 20883), ("two", 20884), ("rest", 20885)] {
        let address = json!({"socket_address": {"address": "127.0.0.1", "port_value": port}});
        clusters.push(json!({
            "name": name, "type": "STATIC", "typed_extension_protocol_options": http2,
            "load_assignment": {"cluster_name": name, "endpoints": [
                {"lb_endpoints": [{"endpoint": {"address": address}}]}
            ]},
        }));
    }
    bootstrap
}

const VERSION_2: [(&str, &str); 2] = [
    ("tri-service-version", "2.0.0"),
    ("tri-service-group", "gray"),
];

#[test]
fn triple_is_routed_by_the_host_of_its_service() {
    isolated(async || {
        for (name, port) in [("one", 20883), ("two", 20884), ("rest", 20885)] {
            triple(name, port).await;
        }
        let _dubbo = WireProvider::start(20881, echo("v1")).await;
        let address = "127.0.0.1:20880";
        let envoy = envoy(&bootstrap(true)).start().await;
        let sender = connect().await;
        let greet = "/com.acme.Greeter/greet";
        let long = "x".repeat(300_000);
        for round in 0..20 {
            for (path, headers, body, expected) in [
                (greet, &[][..], "a", "one com.acme.greeter.dubbo"),
                (
                    greet,
                    &VERSION_2,
                    &long,
                    "two v2-0-0.g-gray.com.acme.greeter.dubbo",
                ),
                (
                    greet,
                    &VERSION_2[..1],
                    "c",
                    "rest v2-0-0.com.acme.greeter.dubbo",
                ),
                (
                    "/com.acme.Other/greet",
                    &[],
                    "d",
                    "rest com.acme.other.dubbo",
                ),
                ("/a/b/c", &[], "e", "rest 127.0.0.1:20880"),
            ] {
                let (status, text) = call(&sender, path, headers, body).await;
                assert!(
                    status == 200 && text == format!("{expected} {body} 1"),
                    "{round} {path} {status}"
                );
            }
        }
        // Many at once.
        let calls = (0..200).map(|n| {
            let sender = sender.clone();
            tokio::spawn(async move {
                let (headers, expected) = match n % 2 {
                    0 => (&[][..], "one com.acme.greeter.dubbo"),
                    _ => (&VERSION_2[..], "two v2-0-0.g-gray.com.acme.greeter.dubbo"),
                };
                let body = format!("{n}");
                let (_, text) = call(&sender, "/com.acme.Greeter/greet", headers, &body).await;
                assert_eq!(text, format!("{expected} {body} 1"));
            })
        });
        for call in calls.collect::<Vec<_>>() {
            call.await.unwrap();
        }
        metric(&envoy, "dubbo.http2.authorities", 20 * 4 + 200).await;
        // Dubbo2 on the same port is as before.
        let consumer = WireConsumer::connect(20880).await;
        let answer = consumer
            .call(&Call::new("com.acme.Clock", "now", "Ann"))
            .await;
        assert_eq!(answer, answered("Ann from v1"));
        envoy.stop().await;

        // Without the option all of it passes as it is.
        let envoy = super::envoy(&bootstrap(false)).start().await;
        let sender = connect().await;
        let (_, text) = call(&sender, greet, &VERSION_2, "a").await;
        assert_eq!(text, format!("rest {address} a 1"));
        metric(&envoy, "dubbo.http2.authorities", 0).await;
    });
}

/// What is no HTTP/2, what is half of it, and what is wrong with it, end by themselves.
#[test]
fn clients_that_mean_harm_end_and_others_do_not() {
    isolated(async || {
        for (name, port) in [("one", 20883), ("two", 20884), ("rest", 20885)] {
            triple(name, port).await;
        }
        let envoy = envoy(&bootstrap(true)).start().await;
        let good = connect().await;
        let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
        let cases: [(&[u8], &[u8]); 6] = [
            (b"PRI * HTTP/2.0\r\n\r\nXX", b""),
            (b"P", b""),
            (preface, b"\0\0\x03\x01\x04\0\0\0\x01\xff\xff\xff"),
            (preface, b"\0\0\x09\x01\x00\0\0\0\x01\xff"),
            (preface, b"\0\0\x01\x01\x00\0\0\0\x01\x83"),
            (
                preface,
                b"\0\0\x01\x01\x00\0\0\0\x01\x83\0\0\0\0\0\0\0\0\x01",
            ),
        ];
        for (first, second) in cases {
            let mut client = TcpStream::connect("127.0.0.1:20880").await.unwrap();
            client.write_all(&[first, second].concat()).await.unwrap();
            let mut all = Vec::new();
            let read = tokio::time::timeout(SOON, client.read_to_end(&mut all)).await;
            assert!(read.is_ok(), "{first:x?} {second:x?} is still open");
            let (_, text) = call(&good, "/com.acme.Greeter/greet", &[], "a").await;
            assert_eq!(text, "one com.acme.greeter.dubbo a 1");
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        metric(&envoy, "dubbo.connections.half_frame", 3).await;
        metric(&envoy, "dubbo.protocol_errors.http2", 2).await;
        metric(&envoy, "dubbo.panics", 0).await;
        metric(&envoy, "dubbo.buffered_bytes", 0).await;
    });
}
