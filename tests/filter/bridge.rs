//! The bridge alone, called by a plain HTTP/2 client: as from a sidecar with the other half of the
//! filter, and as from whoever else may send a request.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use dubbo_codec::{FrameHead, Reply, Text};
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use support::{Call, Deed, Methods, WireProvider, isolated, shipped};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::{GREETER, envoy, lines, metric};

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
