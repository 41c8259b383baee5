//! `DubboToHttp2` with the server of `h2` on its other side.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use dubbo_proxy_filter::Close;
use dubbo_proxy_filter::config::Config;
use dubbo_proxy_filter::metrics::{Counter, Event};
use dubbo_proxy_filter::to_http2::DubboToHttp2;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

use crate::frames::{Cut, error_text, frame, head, request, response};

static ENDLESS_WAS_RESET: AtomicBool = AtomicBool::new(false);

pub struct Half {
    pub translator: DubboToHttp2,
    io: DuplexStream,
    told: Vec<Vec<u8>>,
    cut: Cut,
    events: Vec<Event>,
}

impl Half {
    /// Sends and reads once; false if nothing came.
    async fn turn(&mut self) -> bool {
        let out = std::mem::take(self.translator.to_http2());
        self.io.write_all(&out).await.unwrap();
        let mut chunk = [0; 777];
        let read = tokio::time::timeout(Duration::from_millis(30), self.io.read(&mut chunk)).await;
        let len = read.map_or(0, |read| read.unwrap_or(0));
        self.translator.from_http2(&chunk[..len]);
        let told = std::mem::take(self.translator.to_dubbo());
        self.told.extend(self.cut.frames(&told));
        self.events.extend(self.translator.events());
        len > 0
    }

    /// What the application was told once so many frames have come.
    pub async fn told(&mut self, count: usize) -> Vec<Vec<u8>> {
        for _ in 0..20_000 {
            if self.told.len() >= count {
                break;
            }
            self.turn().await;
        }
        while self.turn().await {}
        assert_eq!(self.told.len(), count);
        std::mem::take(&mut self.told)
    }

    fn counted(&self, counter: Counter) -> u64 {
        let count = |event: &Event| match event {
            Event::Count(c, n) if *c == counter => *n,
            _ => 0,
        };
        self.events.iter().map(count).sum()
    }
}

/// Answers by the method's name and what the frame says, as Envoy and a provider behind it would.
async fn serve(io: DuplexStream, builder: h2::server::Builder) {
    let mut connection = builder.handshake::<_, Bytes>(io).await.unwrap();
    let mut stuck = vec![];
    while let Some(Ok((request, mut respond))) = connection.accept().await {
        assert_eq!(request.headers()["content-type"], "application/x-dubbo2");
        assert_eq!(request.method(), "POST");
        let region = request
            .headers()
            .get("region")
            .map(|v| v.to_str().unwrap().to_owned());
        let what = region.unwrap_or_default();
        if what == "stuck" {
            stuck.push((request, respond));
            continue;
        }
        if what == "goodbye" {
            connection.graceful_shutdown();
        }
        tokio::spawn(async move {
            let status: u16 = what.parse().unwrap_or(200);
            let mut head = http::Response::builder().status(status);
            if status != 200 {
                head = head.header("content-type", "text/plain");
                let mut send = respond
                    .send_response(head.body(()).unwrap(), false)
                    .unwrap();
                send.send_data(Bytes::from_static(b"no healthy\nupstream"), true)
                    .unwrap();
                return;
            }
            if what == "reset" || what == "refused" {
                let refused = what == "refused";
                let reason = if refused {
                    h2::Reason::REFUSED_STREAM
                } else {
                    h2::Reason::INTERNAL_ERROR
                };
                return respond.send_reset(reason);
            }
            let Ok((body, _)) = read(request.into_body()).await else {
                return;
            };
            head = head
                .header("content-type", "application/x-dubbo2")
                .header("dubbo-status", "20");
            let answer = match &*what {
                "empty" => vec![],
                "garbage" => vec![b'x'; 200_000],
                "behind" => [response(1, 5), vec![0; 70_000]].concat(),
                "short" => response(1, 100)[..50].to_vec(),
                "huge" => frame(2, 20, 1, &[])[..12]
                    .iter()
                    .copied()
                    .chain([0x7f, 0, 0, 0])
                    .chain([0; 9])
                    .collect(),
                "foreign" => frame(0x17, 80, 1, b"\0\0\0\x05\x4doops"),
                _ => frame(2, 20, 0, &[b"\x91", &body[16..]].concat()),
            };
            let response = head.body(()).unwrap();
            // The caller may have given up meanwhile.
            let Ok(mut send) = respond.send_response(response, answer.is_empty()) else {
                return;
            };
            if !answer.is_empty() {
                send_all(&mut send, answer).await;
            }
            if what == "endless" {
                let reset = std::future::poll_fn(|context| send.poll_reset(context)).await;
                assert_eq!(reset.unwrap(), h2::Reason::NO_ERROR);
                ENDLESS_WAS_RESET.store(true, Ordering::Relaxed);
            } else if what == "trailers" {
                // The frame may have been enough.
                let _ = send.send_trailers(http::HeaderMap::new());
            } else {
                let _ = send.send_data(Bytes::new(), true);
            }
        });
    }
}

async fn read(mut stream: h2::RecvStream) -> Result<(Vec<u8>, ()), h2::Error> {
    let mut all = vec![];
    while let Some(part) = stream.data().await {
        let part = part?;
        stream.flow_control().release_capacity(part.len())?;
        all.extend_from_slice(&part);
    }
    Ok((all, ()))
}

/// Sends without ending.
async fn send_all(send: &mut h2::SendStream<Bytes>, body: Vec<u8>) {
    let mut rest = Bytes::from(body);
    while !rest.is_empty() {
        send.reserve_capacity(rest.len());
        let Some(Ok(ready)) = std::future::poll_fn(|context| send.poll_capacity(context)).await
        else {
            return;
        };
        let part = rest.split_to(ready.min(rest.len()));
        if send.send_data(part, false).is_err() {
            return;
        }
    }
}

pub fn connect(config: &str, builder: h2::server::Builder) -> Half {
    let (ours, theirs) = duplex(1 << 16);
    tokio::spawn(serve(theirs, builder));
    let config = Arc::new(Config::parse(config.as_bytes()).unwrap());
    Half {
        translator: DubboToHttp2::new(config, 0),
        io: ours,
        told: vec![],
        cut: Cut::default(),
        events: vec![],
    }
}

pub const REGION: &str = r#"{"attachments":["region"]}"#;

/// A request with the attachment `region`, in Hessian 2.
pub fn region(id: i64, region: &str, len: usize) -> Vec<u8> {
    let mut bytes = request(id, len);
    assert_eq!(bytes.pop(), Some(b'Z'));
    bytes.push(6);
    bytes.extend(b"region");
    bytes.push(region.len() as u8);
    bytes.extend(region.as_bytes());
    bytes.push(b'Z');
    let body = bytes.split_off(16);
    frame(bytes[2], 0, id, &body)
}

pub fn echo(id: i64, call: &[u8]) -> Vec<u8> {
    frame(2, 20, id, &[b"\x91", &call[16..]].concat())
}

#[tokio::test]
async fn what_envoy_answers_itself_is_a_dubbo_error() {
    let mut half = connect(REGION, h2::server::Builder::new());
    let cases = [
        ("404", 60),
        ("503", 80),
        ("504", 31),
        ("408", 31),
        ("403", 40),
        ("400", 40),
        ("429", 100),
        ("reset", 80),
        ("refused", 80),
        ("empty", 50),
        ("garbage", 50),
        ("behind", 50),
        ("short", 50),
        ("huge", 50),
        ("foreign", 80),
    ];
    for (id, (what, status)) in (100..).zip(cases) {
        half.translator.from_dubbo(&region(id, what, 10));
        let told = half.told(1).await;
        let answer = head(&told[0]);
        assert_eq!(
            (answer.id, answer.status.0, answer.serialization.id()),
            (id, status, 2),
            "{what}"
        );
        let text = error_text(&told[0]);
        match what.parse::<u16>() {
            Ok(_) => assert!(
                text.contains(&format!("{what}: no healthy upstream")),
                "{text}"
            ),
            Err(_) if what == "foreign" => assert_eq!(text, "oops\0"[..4]),
            Err(_) => assert!(text.starts_with("dubbo-mesh: "), "{text}"),
        }
    }
    assert_eq!(half.counted(Counter::LocalReplies), 7);
    half.translator.from_dubbo(&region(1, "trailers", 10));
    assert_eq!(half.told(1).await, [echo(1, &region(1, "trailers", 10))]);
    assert_eq!(
        (half.translator.buffered(), half.translator.closing()),
        (0, None)
    );
}

/// The bridge cannot end the answer of a call whose provider failed before that has closed its connection.
#[tokio::test]
async fn a_whole_frame_is_an_answer_before_its_end_comes() {
    for len in [10, 3000, 300_000] {
        ENDLESS_WAS_RESET.store(false, Ordering::Relaxed);
        let mut half = connect(r#"{"attachments":["region"]}"#, h2::server::Builder::new());
        let call = region(7, "endless", len);
        half.translator.from_dubbo(&call);
        assert_eq!(half.told(1).await, [echo(7, &call)]);
        assert!(ENDLESS_WAS_RESET.load(Ordering::Relaxed), "{len}");
    }
}

#[tokio::test]
async fn calls_above_the_stream_limit_wait_and_all_are_answered() {
    for size in [10, 40_000] {
        let mut builder = h2::server::Builder::new();
        builder
            .max_concurrent_streams(10)
            .initial_window_size(20_000);
        let mut half = connect(r#"{"limits":{"connection_bytes":40000000}}"#, builder);
        let calls: HashMap<i64, Vec<u8>> = (0..500).map(|id| (id, request(id, size))).collect();
        for call in calls.values() {
            half.translator.from_dubbo(call);
        }
        for told in half.told(500).await {
            let id = head(&told).id;
            assert!(told == echo(id, &calls[&id]), "{id}");
        }
        assert_eq!(
            (
                half.translator.buffered(),
                half.counted(Counter::ResponsesOk)
            ),
            (0, 500)
        );
    }
}

#[tokio::test]
async fn a_call_that_is_not_read_stops_no_other_and_what_does_not_fit_is_refused() {
    let mut builder = h2::server::Builder::new();
    builder
        .initial_window_size(10_000)
        .initial_connection_window_size(1 << 20);
    let config =
        r#"{"attachments":["region"],"limits":{"call_bytes":200000,"connection_bytes":200000}}"#;
    let mut half = connect(config, builder);
    half.translator.from_dubbo(&request(1, 10));
    half.told(1).await;
    half.translator.from_dubbo(&region(2, "stuck", 150_000));
    half.translator.from_dubbo(&request(3, 9000));
    assert_eq!(half.told(1).await, [echo(3, &request(3, 9000))]);
    // One more of that size finds no room, a small one does.
    half.translator
        .from_dubbo(&[request(4, 150_000), request(5, 100)].concat());
    let told = half.told(2).await;
    assert_eq!((head(&told[0]).id, head(&told[0]).status.0), (4, 100));
    assert_eq!(told[1], echo(5, &request(5, 100)));
    assert!(half.translator.wants_dubbo() && half.translator.buffered() > 140_000);
}

#[tokio::test]
async fn limits_of_calls_and_ids() {
    let config = r#"{"attachments":["region"],"limits":{"calls":3,"call_bytes":5000}}"#;
    let mut half = connect(config, h2::server::Builder::new());
    let stuck: Vec<u8> = [1, 2, 3, 4]
        .into_iter()
        .flat_map(|id| region(id, "stuck", 5))
        .collect();
    half.translator.from_dubbo(&stuck);
    let told = half.told(1).await;
    assert_eq!((head(&told[0]).id, head(&told[0]).status.0), (4, 100));
    half.translator
        .from_dubbo(&[request(3, 5), request(9, 6000)].concat());
    let told = half.told(2).await;
    assert_eq!((head(&told[0]).id, head(&told[0]).status.0), (3, 40));
    assert!(error_text(&told[0]).contains("another call with this id"));
    assert_eq!((head(&told[1]).id, head(&told[1]).status.0), (9, 40));
    assert_eq!(half.counted(Counter::RequestsRefused), 3);
}

#[tokio::test]
async fn goodbye_drains() {
    let mut half = connect(REGION, h2::server::Builder::new());
    half.translator
        .from_dubbo(&[region(1, "stuck", 3), region(2, "goodbye", 3)].concat());
    let told = half.told(2).await;
    assert!(told.contains(&frame(0xa2, 0, 0, b"\x01R")));
    assert!(told.contains(&echo(2, &region(2, "goodbye", 3))));
    assert_eq!(half.counted(Counter::Drains), 1);
    // The final goodbye has come: nothing more can be sent.
    half.translator.from_dubbo(&request(3, 3));
    let told = half.told(1).await;
    assert_eq!((head(&told[0]).id, head(&told[0]).status.0), (3, 80));
    half.translator.at(20_000);
    assert_eq!(half.translator.closing(), None, "a call is open");
    half.translator.http2_closed();
    let told = half.told(1).await;
    assert_eq!((head(&told[0]).id, head(&told[0]).status.0), (1, 80));
    assert_eq!(half.translator.closing(), Some(&Close::Gone));
}

#[tokio::test]
async fn a_broken_connection_fails_all_calls() {
    let mut half = connect(REGION, h2::server::Builder::new());
    half.translator.from_dubbo(&region(1, "stuck", 3));
    while half.turn().await {}
    half.translator
        .from_http2(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    let told = std::mem::take(half.translator.to_dubbo());
    assert_eq!((head(&told).id, head(&told).status.0), (1, 80));
    assert!(matches!(
        half.translator.closing(),
        Some(Close::NotHttp2(_))
    ));
    assert!(!half.translator.wants_dubbo());
}

#[tokio::test]
async fn long_calls_are_routed_without_attachments_where_that_is_configured() {
    let config = r#"{"attachments":["region"],"over_limit":"route_without_attachments","limits":{"call_bytes":5000}}"#;
    let mut half = connect(config, h2::server::Builder::new());
    let calls = [region(1, "404", 6000), region(2, "404", 50)];
    half.translator.from_dubbo(&calls.concat());
    let mut told = half.told(2).await;
    told.sort_by_key(|told| head(told).id);
    assert_eq!(told[0], echo(1, &calls[0]));
    assert_eq!((head(&told[1]).id, head(&told[1]).status.0), (2, 60));
}

#[test]
fn what_is_not_dubbo_closes() {
    let config = Arc::new(Config::default());
    let mut translator = DubboToHttp2::new(config, 0);
    translator.from_dubbo(&request(1, 3));
    translator.from_dubbo(b"GET / HTTP/1.1\r\n\r\n");
    assert!(matches!(translator.closing(), Some(Close::NotDubbo(_))));
    let events: Vec<_> = translator.events().collect();
    assert!(events.contains(&Event::Count(Counter::ProtocolErrorsDubbo, 1)));
}
