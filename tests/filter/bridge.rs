//! The bridge alone, called by a plain HTTP/2 client: as from a sidecar with the other half of the
//! filter, and as from whoever else may send a request.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use dubbo_codec::{FrameHead, Reply, Text};
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body, Frame};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::json;
use support::{Call, Deed, Methods, WireConsumer, WireProvider, isolated, shipped, wait_until};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use super::{GREETER, ROUTES, SOON, Way, answered, caller, echo, envoy, lines, metric, set};

type Sender = hyper::client::conn::http2::SendRequest<Full<Bytes>>;

async fn connect() -> Sender {
    let stream = TcpStream::connect("127.0.0.1:20880").await.unwrap();
    let (sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .unwrap();
    tokio::spawn(connection);
    sender
}

/// Status, `dubbo-status`, body.
async fn post(sender: &mut Sender, content_type: &str, body: &[u8]) -> (StatusCode, String, Bytes) {
    let request = Request::post("http://com.acme.greeter.dubbo/com.acme.Greeter/greet")
        .header("content-type", content_type)
        .body(Full::new(Bytes::copy_from_slice(body)))
        .unwrap();
    let response = sender.send_request(request).await.unwrap();
    let status = response.status();
    let dubbo = response
        .headers()
        .get("dubbo-status")
        .map_or("", |value| value.to_str().unwrap())
        .to_owned();
    (
        status,
        dubbo,
        response.into_body().collect().await.unwrap().to_bytes(),
    )
}

#[test]
fn a_request_whose_body_is_a_frame_is_a_call() {
    isolated(async || {
        let methods: Methods = Arc::new(|_, argument| match argument {
            "broken" => Deed::Fail(80, "out of order".to_owned()),
            "close" => Deed::Close,
            _ => Deed::Return(format!("hello {argument}")),
        });
        let provider = WireProvider::start(20881, methods).await;
        let envoy = envoy(&shipped("provider")).start().await;
        let mut sender = connect().await;
        let ours = "application/x-dubbo2";
        let call = |argument: &str| Call::new(GREETER, "greet", argument).frame(-3);
        let (status, dubbo, body) = post(&mut sender, ours, &call("Ann")).await;
        assert_eq!((status.as_u16(), dubbo.as_str()), (200, "20"));
        assert_eq!(
            &body[..12],
            b"\xda\xbb\x02\x14\xff\xff\xff\xff\xff\xff\xff\xfd"
        );
        assert!(
            body.windows(10).any(|bytes| bytes == b"\x09hello Ann"),
            "{body:x?}"
        );
        let (status, dubbo, body) = post(&mut sender, ours, &call("broken")).await;
        assert_eq!((status.as_u16(), dubbo.as_str()), (500, "80"));
        assert_eq!(&body[16..], b"\x0cout of order");
        let (status, _, _) = post(&mut sender, ours, &call("close")).await;
        assert_eq!(status.as_u16(), 503);
        assert_eq!(provider.seen().len(), 3);
        // What is no call does not reach the provider.
        let whole = call("Ann");
        for (content_type, body, expected) in [
            ("application/grpc", &whole[..], 415),
            (ours, &whole[..whole.len() - 1], 400),
            (ours, &[&whole[..], b"x"].concat(), 400),
            (ours, b"", 400),
            (ours, b"GET / HTTP/1.1\r\n\r\n", 400),
        ] {
            let (status, _, _) = post(&mut sender, content_type, body).await;
            assert_eq!(status.as_u16(), expected, "{content_type} {body:x?}");
        }
        let (status, _, _) = post(&mut sender, ours, &call("Bob")).await;
        assert_eq!(status.as_u16(), 200);
        // The id alone is another, and each call's own.
        let seen = provider.seen();
        let same = |frame: &&Vec<u8>| {
            [whole.clone(), call("Bob")]
                .iter()
                .any(|sent| frame[..4] == sent[..4] && frame[12..] == sent[12..])
        };
        let ids: std::collections::BTreeSet<_> = seen.iter().map(|frame| &frame[4..12]).collect();
        assert_eq!(
            (seen.iter().filter(same).count(), seen.len(), ids.len()),
            (2, 4, 4)
        );
        let calls = lines(&envoy, "call ", 9).await;
        assert!(
            calls[2].contains("code=503") && calls[2].contains("flags=UC"),
            "{calls:#?}"
        );
        metric(&envoy, "dubbo.connections.other", 1).await;
    });
}

/// A heartbeat of the provider's behind an answer, cut in two by the network: the second half comes when
/// the call is over, and must not be taken for the beginning of the next answer.
#[test]
fn half_a_frame_behind_an_answer_is_not_the_next_answer() {
    isolated(async || {
        let heartbeat = b"\xda\xbb\xe2\0\0\0\0\0\0\0\x01\x09\0\0\0\x01N";
        let methods: Methods = Arc::new(|_, argument| {
            let answer = Deed::Return(argument.to_owned());
            let (first, second) = heartbeat.split_at(10);
            match argument {
                "cut" => Deed::Followed(
                    Box::new(answer),
                    first.to_vec(),
                    Duration::from_millis(300),
                    second.to_vec(),
                ),
                _ => Deed::After(Duration::from_millis(500), Box::new(answer)),
            }
        });
        let _provider = WireProvider::start(20881, methods).await;
        let _envoy = envoy(&shipped("provider")).start().await;
        let mut sender = connect().await;
        for pause in [0, 100, 400] {
            for (argument, id) in [("cut", 7), ("whole", 8)] {
                let call = Call::new(GREETER, "greet", argument).frame(id);
                let (status, _, body) = post(&mut sender, "application/x-dubbo2", &call).await;
                assert_eq!(
                    (status.as_u16(), body.get(11)),
                    (200, Some(&(id as u8))),
                    "{argument} after {pause} ms"
                );
                tokio::time::sleep(Duration::from_millis(pause)).await;
            }
        }
    });
}

/// Two callers that count alike, one after the other on one connection of the bridge. What the provider
/// sends late for the first is not what the second gets.
#[test]
fn a_late_answer_is_not_the_answer_to_the_next_caller() {
    isolated(async || {
        let listener = TcpListener::bind("127.0.0.1:20881").await.unwrap();
        let envoy = envoy(&shipped("provider")).start().await;
        let (mut first, mut second) = (connect().await, connect().await);
        let call = Call::new(GREETER, "greet", "Ann").frame(7);
        let provider = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut frames = Vec::new();
            for texts in [&["first"][..], &["late", "second"]] {
                let mut frame = vec![0; call.len()];
                stream.read_exact(&mut frame).await.unwrap();
                frames.push(FrameHead::parse(&frame).unwrap().unwrap());
                for text in texts {
                    let asked = match *text {
                        "second" => frames[1],
                        _ => frames[0],
                    };
                    let reply = Reply::to(&asked, Some(Text::new("2.0.2"))).unwrap();
                    stream.write_all(&reply.string(text)).await.unwrap();
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
            }
            (frames[0].id, frames[1].id)
        });
        let call = Call::new(GREETER, "greet", "Ann").frame(7);
        for (sender, expected) in [
            (&mut first, &b"\x05first"[..]),
            (&mut second, b"\x06second"),
        ] {
            let (status, _, body) = post(sender, "application/x-dubbo2", &call).await;
            assert_eq!((status.as_u16(), body[11]), (200, 7));
            let is_in = body.windows(expected.len()).any(|bytes| bytes == expected);
            assert!(is_in, "{body:x?}");
        }
        let (first, second) = provider.await.unwrap();
        assert_ne!(first, second);
        metric(&envoy, "dubbo.responses.late", 1).await;
    });
}

const GARBAGE: &[u8] = b"HTTP/1.1 400 Bad Request\r\n\r\n";

/// A provider whose first `bad` connections answer with what is no Dubbo and are never closed, whatever the
/// peer does; those behind them are given to the provider at 20891.
async fn stubborn(port: u16, bad: usize) {
    let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
    tokio::spawn(async move {
        for number in 0.. {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                if number >= bad {
                    let mut good = TcpStream::connect("127.0.0.1:20891").await.unwrap();
                    let _ = tokio::io::copy_bidirectional(&mut stream, &mut good).await;
                    return;
                }
                let mut request = [0; 1024];
                while stream.read(&mut request).await.unwrap_or(0) > 0 {
                    let _ = stream.write_all(GARBAGE).await;
                }
                std::future::pending::<()>().await;
                drop(stream);
            });
        }
    });
}

/// No time-out says so, and the provider never closes: the caller is told at once, and nobody else gets the
/// connection.
#[test]
fn a_provider_that_speaks_no_dubbo_ends_its_call_at_once() {
    isolated(async || {
        let _good = WireProvider::start(20891, echo("v1")).await;
        stubborn(20881, 1).await;
        let mut bootstrap = caller(Way::Bridge);
        let mut cluster = super::cluster(Way::Bridge, "v1", &[20881]);
        // A second connection would be a way around.
        cluster["circuit_breakers"] = json!({"thresholds": [{"max_connections": 1}]});
        set(&mut bootstrap, "/static_resources/clusters/0", cluster);
        let envoy = envoy(&bootstrap).start().await;
        let consumer = WireConsumer::connect(20880).await;
        let call = Call::new(GREETER, "greet", "Ann");
        // No other than us would end it, and whoever waits in vain gets an error.
        let text = "dubbo-mesh: the provider's bytes are no Dubbo frames";
        assert_eq!(consumer.call(&call).await, super::ended(80, text));
        wait_until("the connection is closed", SOON, async || {
            match envoy.stat("cluster.v1.upstream_cx_active").await? {
                0 => Ok(()),
                open => Err(open.to_string()),
            }
        })
        .await;
        for _ in 0..3 {
            assert_eq!(consumer.call(&call).await, answered("Ann from v1"));
        }
        metric(&envoy, "dubbo.protocol_errors.dubbo", 1).await;
        metric(&envoy, "dubbo.requests.active", 0).await;
        metric(&envoy, "dubbo.buffered_bytes", 0).await;
    });
}

#[test]
fn a_retry_policy_sees_a_provider_that_speaks_no_dubbo() {
    isolated(async || {
        let good = WireProvider::start(20891, echo("v1")).await;
        stubborn(20881, 2).await;
        let mut bootstrap = caller(Way::Bridge);
        let policy = json!({"retry_on": "5xx", "num_retries": 2});
        let route = json!({"cluster": "v1", "timeout": "0s", "retry_policy": policy});
        set(
            &mut bootstrap,
            ROUTES,
            json!([{"match": {"prefix": "/"}, "route": route}]),
        );
        let envoy = envoy(&bootstrap).start().await;
        let consumer = WireConsumer::connect(20880).await;
        let call = Call::new(GREETER, "greet", "Ann");
        assert_eq!(consumer.call(&call).await, answered("Ann from v1"));
        assert_eq!(good.seen().len(), 1);
        let calls = lines(&envoy, "call ", 1).await;
        assert!(calls[0].contains("attempts=3"), "{calls:#?}");
        metric(&envoy, "dubbo.protocol_errors.dubbo", 2).await;
    });
}

/// Without the other half of the filter: the answer and its length come at once, and its end with that of
/// the connection.
#[test]
fn a_client_of_http_is_told_of_a_provider_that_speaks_no_dubbo() {
    isolated(async || {
        stubborn(20881, usize::MAX).await;
        let envoy = envoy(&shipped("provider")).start().await;
        let mut sender = connect().await;
        let request = || {
            let call = Call::new(GREETER, "greet", "Ann").frame(5);
            Request::post("http://com.acme.greeter.dubbo/com.acme.Greeter/greet")
                .header("content-type", "application/x-dubbo2")
                .body(Full::new(Bytes::from(call)))
                .unwrap()
        };
        let response = sender.send_request(request()).await.unwrap();
        let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
        let seen = (response.status().as_u16(), header("dubbo-status"));
        assert_eq!(seen, (500, "80".to_owned()));
        let length: usize = header("content-length").parse().unwrap();
        let mut body = response.into_body();
        let data = body.frame().await.unwrap().unwrap().into_data().unwrap();
        assert_eq!((data.len(), data[3], data[11]), (length, 80, 5));
        // Who has read all of it goes, and the connection with it.
        drop(body);
        wait_until("the connection is closed", SOON, async || {
            match envoy.stat("cluster.provider.upstream_cx_active").await? {
                0 => Ok(()),
                open => Err(open.to_string()),
            }
        })
        .await;
    });
}

/// A provider that closes when we do, as Dubbo does, ends the stream too.
#[test]
fn the_answer_of_a_call_that_failed_ends_with_its_connection() {
    isolated(async || {
        let listener = TcpListener::bind("127.0.0.1:20881").await.unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = [0; 1024];
                while stream.read(&mut request).await.unwrap_or(0) > 0 {
                    let _ = stream.write_all(GARBAGE).await;
                }
            }
        });
        let _envoy = envoy(&shipped("provider")).start().await;
        let mut sender = connect().await;
        let call = Call::new(GREETER, "greet", "Ann").frame(5);
        for _ in 0..3 {
            let (status, dubbo, body) = post(&mut sender, "application/x-dubbo2", &call).await;
            assert_eq!((status.as_u16(), dubbo.as_str()), (500, "80"));
            assert_eq!((body[3], body[11]), (80, 5));
        }
    });
}

/// A body that comes as the test says.
struct Parts(mpsc::UnboundedReceiver<Bytes>);

impl Body for Parts {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let part = self.0.poll_recv(context);
        part.map(|part| part.map(|bytes| Ok(Frame::data(bytes))))
    }
}

/// Requests of which no end comes, without a seal: what all of them may hold is bounded.
#[test]
fn the_bridges_of_a_worker_hold_no_more_than_they_may() {
    isolated(async || {
        let _provider = WireProvider::start(20881, echo("v1")).await;
        let mut bootstrap = shipped("provider");
        let limits =
            json!({"call_bytes": 400_000, "connection_bytes": 400_000, "worker_bytes": 1_500_000});
        let cluster = &mut bootstrap["static_resources"]["clusters"][0];
        cluster["upstream_config"]["typed_config"]["bridge_config"] = json!({
            "@type": "type.googleapis.com/google.protobuf.Struct", "value": {"limits": limits}
        });
        let circuits = json!({"thresholds": [{"max_connections": 100, "max_requests": 100}]});
        cluster["circuit_breakers"] = circuits;
        let envoy = envoy(&bootstrap).start().await;
        let stream = TcpStream::connect("127.0.0.1:20880").await.unwrap();
        let (mut sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
                .await
                .unwrap();
        tokio::spawn(connection);
        let frame = Call::new(GREETER, "greet", &"x".repeat(300_000)).frame(7);
        let (most, rest) = frame.split_at(frame.len() - 1);
        let mut halves = Vec::new();
        for _ in 0..20 {
            let (send, body) = mpsc::unbounded_channel();
            let request = Request::post("http://com.acme.greeter.dubbo/com.acme.Greeter/greet")
                .header("content-type", "application/x-dubbo2")
                .body(Parts(body))
                .unwrap();
            let response = tokio::spawn(sender.send_request(request));
            send.send(Bytes::copy_from_slice(most)).unwrap();
            halves.push((send, response));
        }
        let name = "http.dubbo.downstream_rq_4xx";
        // Four at most fit into what the worker may hold, and five would not.
        wait_until("all others are refused", SOON, async || {
            match envoy.stat(name).await? {
                15.. => Ok(()),
                refused => Err(refused.to_string()),
            }
        })
        .await;
        // The others go on, and a short call goes at any time.
        let call = Call::new(GREETER, "greet", "Ann").frame(3);
        let (status, _, _) = post(&mut connect().await, "application/x-dubbo2", &call).await;
        assert_eq!(status.as_u16(), 200);
        let mut seen = std::collections::BTreeMap::<u16, u32>::new();
        for (send, response) in halves {
            let _ = send.send(Bytes::copy_from_slice(rest));
            drop(send);
            let response = response.await.unwrap().unwrap();
            let status = response.status().as_u16();
            let body = response.into_body().collect().await.unwrap().to_bytes();
            assert_eq!(body[3], if status == 200 { 20 } else { 100 });
            *seen.entry(status).or_default() += 1;
        }
        assert_eq!(seen.keys().copied().collect::<Vec<_>>(), [200, 429]);
        assert_eq!(seen.values().sum::<u32>(), 20);
        metric(&envoy, "dubbo.buffered_bytes", 0).await;
    });
}
