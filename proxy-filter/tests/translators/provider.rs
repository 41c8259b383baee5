//! `Http2ToDubbo` with the client of `h2` on its other side.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use dubbo_proxy_filter::config::Config;
use dubbo_proxy_filter::to_dubbo::Http2ToDubbo;
use h2::client::SendRequest;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

use crate::frames::{Cut, error_text, frame, head, one, request, response, with_id};

/// What the provider does with a call.
type Provider = Box<dyn FnMut(Vec<u8>) -> Vec<u8> + Send>;

struct Half {
    translator: Http2ToDubbo,
    to_provider: Cut,
    provider: Provider,
}

impl Half {
    fn step(&mut self) -> Vec<u8> {
        let out = std::mem::take(self.translator.to_dubbo());
        for call in self.to_provider.frames(&out) {
            let answer = (self.provider)(call);
            self.translator.from_dubbo(&answer);
        }
        std::mem::take(self.translator.to_http2())
    }
}

async fn run(half: Arc<Mutex<Half>>, mut io: DuplexStream) {
    let mut chunk = vec![0; 1000];
    loop {
        let out = half.lock().unwrap().step();
        if io.write_all(&out).await.is_err() {
            return;
        }
        // What a test does to the translator goes out soon too.
        let soon = std::time::Duration::from_millis(2);
        match tokio::time::timeout(soon, io.read(&mut chunk)).await {
            Ok(Ok(0) | Err(_)) => return,
            Ok(Ok(len)) => half.lock().unwrap().translator.from_http2(&chunk[..len]),
            Err(_) => {}
        }
    }
}

async fn connect(config: &str, provider: Provider) -> (SendRequest<Bytes>, Arc<Mutex<Half>>) {
    let (ours, theirs) = duplex(1 << 16);
    let config = Arc::new(Config::parse(config.as_bytes()).unwrap());
    let half = Arc::new(Mutex::new(Half {
        translator: Http2ToDubbo::new(config, 0),
        to_provider: Cut::default(),
        provider,
    }));
    tokio::spawn(run(Arc::clone(&half), ours));
    let mut builder = h2::client::Builder::new();
    builder.initial_connection_window_size(1 << 20);
    let (client, connection) = builder.handshake(theirs).await.unwrap();
    tokio::spawn(async move { connection.await.unwrap_or(()) });
    (client, half)
}

fn asked(fields: &[(&str, &str)]) -> http::Request<()> {
    let mut request = http::Request::post("http://demo.greetservice.dubbo/demo.GreetService/hello");
    let has_type = fields.iter().any(|(name, _)| *name == "content-type");
    if !has_type {
        request = request.header("content-type", "application/x-dubbo2");
    }
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap()
}

/// Status, the headers that the filter makes, body.
type Answer = (u16, Option<String>, Option<String>, Vec<u8>);

async fn call(
    client: &SendRequest<Bytes>,
    fields: &[(&str, &str)],
    body: &[u8],
) -> Result<Answer, h2::Error> {
    let mut client = client.clone().ready().await?;
    let (response, mut send) = client.send_request(asked(fields), body.is_empty())?;
    let mut rest = Bytes::copy_from_slice(body);
    while !rest.is_empty() {
        send.reserve_capacity(rest.len());
        let Some(ready) = std::future::poll_fn(|context| send.poll_capacity(context)).await else {
            break;
        };
        let part = rest.split_to(ready?.min(rest.len()));
        send.send_data(part, rest.is_empty())?;
    }
    let (head, mut stream) = response.await?.into_parts();
    let mut body = vec![];
    while let Some(part) = stream.data().await {
        let part = part?;
        stream.flow_control().release_capacity(part.len())?;
        body.extend_from_slice(&part);
    }
    let header = |name| {
        head.headers
            .get(name)
            .map(|v: &http::HeaderValue| v.to_str().unwrap().to_owned())
    };
    Ok((
        head.status.as_u16(),
        header("dubbo-status"),
        header("dubbo-exception"),
        body,
    ))
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[tokio::test]
async fn answers_have_status_and_class() {
    let provider: Provider = Box::new(|call| {
        let id = head(&call).id;
        match call.len() % 4 {
            0 => response(id, 100_000),
            1 => with_id(one("3.3.6", "fail", false), id),
            2 => with_id(one("3.3.6", "threadpool-exhausted", false), id),
            _ => with_id(one("3.3.6", "not-found", false), id),
        }
    });
    let (client, _half) = connect("", provider).await;
    let len = |rest: usize| {
        (0..)
            .find(|len| request(1, *len).len() % 4 == rest)
            .unwrap()
    };
    for (rest, status, dubbo, exception) in [
        (0, 200, "20", None),
        (1, 200, "20", some("demo.BizException")),
        (2, 429, "100", None),
        (3, 400, "40", None),
    ] {
        let answer = call(&client, &[], &request(1, len(rest))).await.unwrap();
        assert_eq!(
            (answer.0, answer.1, answer.2),
            (status, some(dubbo), exception)
        );
        assert_eq!(head(&answer.3).frame_len(), answer.3.len());
    }
}

#[tokio::test]
async fn what_the_mesh_changed_is_written_into_the_frame() {
    let seen = Arc::new(Mutex::new(vec![]));
    let all = Arc::clone(&seen);
    let provider: Provider = Box::new(move |call| {
        let answer = response(head(&call).id, 1);
        all.lock().unwrap().push(call);
        answer
    });
    let (client, _half) = connect(r#"{"attachments":["region"]}"#, provider).await;
    let sent = request(1, 40_000);
    let fields = [("region", "gray"), ("tri-service-version", "2.0.0")];
    assert_eq!(call(&client, &fields, &sent).await.unwrap().0, 200);
    let seen = seen.lock().unwrap();
    let text = String::from_utf8_lossy(&seen[0]);
    assert!(text.contains("region\u{4}gray") && text.contains("\u{5}2.0.0\u{5}hello"));
    assert_eq!(head(&seen[0]).frame_len(), seen[0].len());
}

#[tokio::test]
async fn what_is_no_call_is_refused() {
    let provider: Provider = Box::new(|call| panic!("{} bytes went to the provider", call.len()));
    let (client, half) = connect(
        r#"{"limits":{"frame_bytes":70000,"call_bytes":70000}}"#,
        provider,
    )
    .await;
    let sent = request(1, 5);
    let mut longer = sent.clone();
    longer.push(0);
    let heartbeat = frame(0xe2, 0, 1, b"N");
    for body in [
        &sent[..10],
        &sent[..40],
        &longer,
        b"GET / HTTP/1.1\r\n\r\n",
        &response(1, 1),
        &heartbeat,
    ] {
        let answer = call(&client, &[], body).await.unwrap();
        assert_eq!((answer.0, answer.1), (400, None), "{body:?}");
    }
    let answer = call(&client, &[], &[]).await.unwrap();
    assert_eq!(answer.0, 400);
    let answer = call(&client, &[("content-type", "application/grpc")], &sent)
        .await
        .unwrap();
    assert_eq!(answer.0, 415);
    // Its head says that it is too long; the rest is not waited for.
    let answer = call(&client, &[], &request(7, 80_000)[..3000])
        .await
        .unwrap();
    assert_eq!((answer.0, answer.1), (400, some("40")));
    assert_eq!(head(&answer.3).id, 7);
    assert!(
        error_text(&answer.3).contains("bytes, more than 70000"),
        "{}",
        error_text(&answer.3)
    );
    assert_eq!(half.lock().unwrap().translator.buffered(), 0);
}

#[tokio::test]
async fn one_way_calls_end_at_once_and_cancelled_ones_are_late() {
    let provider: Provider = Box::new(|_| vec![]);
    let (client, half) = connect("", provider).await;
    let mut one_way = request(1, 5);
    one_way[2] = 0x82;
    let answer = call(&client, &[], &one_way).await.unwrap();
    assert_eq!((answer.0, answer.3), (204, vec![]));
    let mut ready = client.clone().ready().await.unwrap();
    let (waits, mut send) = ready.send_request(asked(&[]), false).unwrap();
    send.send_data(Bytes::from(request(1, 10)), true).unwrap();
    let in_flight = |wanted| {
        let half = Arc::clone(&half);
        async move {
            while half.lock().unwrap().translator.in_flight() != wanted {
                tokio::task::yield_now().await;
            }
        }
    };
    in_flight(1).await;
    drop((waits, send));
    in_flight(0).await;
    let mut half = half.lock().unwrap();
    half.translator.from_dubbo(&response(1 << 24, 5));
    let late = dubbo_proxy_filter::metrics::Counter::ResponsesLate;
    let events: Vec<_> = half.translator.events().collect();
    assert!(
        events.contains(&dubbo_proxy_filter::metrics::Event::Count(late, 1)),
        "{events:?}"
    );
}

/// Nobody repeats what may have been executed, and what was not may be repeated.
#[tokio::test]
async fn a_provider_that_dies_resets_by_what_it_got() {
    let provider: Provider = Box::new(|_| vec![]);
    let (client, half) = connect("", provider).await;
    let mut ready = client.ready().await.unwrap();
    let (sent, mut send) = ready.send_request(asked(&[]), false).unwrap();
    send.send_data(Bytes::from(request(1, 10)), true).unwrap();
    let (unsent, mut begun) = ready.send_request(asked(&[]), false).unwrap();
    begun
        .send_data(Bytes::from(request(2, 10)[..30].to_vec()), false)
        .unwrap();
    while half.lock().unwrap().translator.in_flight() == 0
        || half.lock().unwrap().translator.buffered() == 0
    {
        tokio::task::yield_now().await;
    }
    half.lock().unwrap().translator.dubbo_closed();
    let reasons = (
        sent.await.unwrap_err().reason(),
        unsent.await.unwrap_err().reason(),
    );
    assert_eq!(
        reasons,
        (
            Some(h2::Reason::INTERNAL_ERROR),
            Some(h2::Reason::REFUSED_STREAM)
        )
    );
}

/// What waits for a provider that does not read is held too: long requests wait for their room.
#[tokio::test]
async fn what_the_network_does_not_take_counts() {
    let provider: Provider = Box::new(|call| response(head(&call).id, 10));
    let config = r#"{"limits":{"call_bytes":400000,"connection_bytes":400000}}"#;
    let (client, half) = connect(config, provider).await;
    half.lock().unwrap().translator.unsent(300_000);
    assert_eq!(half.lock().unwrap().translator.buffered(), 300_000);
    let waits = tokio::spawn({
        let client = client.clone();
        async move { call(&client, &[], &request(1, 200_000)).await.unwrap().0 }
    });
    assert_eq!(call(&client, &[], &request(2, 5)).await.unwrap().0, 200);
    for _ in 0..20 {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        // Its first window and no more.
        assert!(half.lock().unwrap().translator.buffered() < 300_000 + 70_000);
    }
    assert!(!waits.is_finished());
    half.lock().unwrap().translator.unsent(0);
    assert_eq!(waits.await.unwrap(), 200);
    assert_eq!(half.lock().unwrap().translator.buffered(), 0);
}

/// A response that nobody reads holds up the others for five seconds, and then they go on.
#[tokio::test]
async fn a_response_that_is_not_read_is_given_up() {
    let provider: Provider =
        Box::new(|call| response(head(&call).id, if call.len() > 2000 { 300_000 } else { 10 }));
    let config = r#"{"limits":{"call_bytes":400000,"connection_bytes":400000}}"#;
    let (client, half) = connect(config, provider).await;
    let mut ready = client.clone().ready().await.unwrap();
    let (stuck, mut send) = ready.send_request(asked(&[]), false).unwrap();
    send.send_data(Bytes::from(request(1, 3000)), true).unwrap();
    let stuck = stuck.await.unwrap();
    while half.lock().unwrap().translator.wants_dubbo() {
        tokio::task::yield_now().await;
    }
    assert_eq!(half.lock().unwrap().translator.next_deadline(), Some(5000));
    half.lock().unwrap().translator.at(4999);
    assert!(!half.lock().unwrap().translator.wants_dubbo());
    half.lock().unwrap().translator.at(5000);
    assert!(half.lock().unwrap().translator.wants_dubbo());
    assert_eq!(call(&client, &[], &request(2, 5)).await.unwrap().0, 200);
    let mut stuck = stuck.into_body();
    let error = loop {
        match stuck.data().await.unwrap() {
            Ok(part) => stuck.flow_control().release_capacity(part.len()).unwrap(),
            Err(error) => break error,
        }
    };
    assert_eq!(error.reason(), Some(h2::Reason::CANCEL));
}

#[tokio::test]
async fn five_hundred_at_once_answered_backwards() {
    let mut waiting: Vec<Vec<u8>> = vec![];
    let provider: Provider = Box::new(move |call| {
        waiting.push(call);
        if waiting.len() < 500 {
            return vec![];
        }
        let echo =
            |call: Vec<u8>| frame(0x02, 20, head(&call).id, &[b"\x91", &call[16..]].concat());
        waiting.drain(..).rev().flat_map(echo).collect()
    });
    let (client, half) = connect("", provider).await;
    let calls = (0..500_usize).map(|id| {
        let client = client.clone();
        tokio::spawn(async move {
            let sent = request(id as i64, id);
            let answer = call(&client, &[], &sent).await.unwrap();
            answer.3[17..] == sent[16..]
        })
    });
    for call in calls.collect::<Vec<_>>() {
        assert!(call.await.unwrap());
    }
    assert_eq!(half.lock().unwrap().translator.in_flight(), 0);
}
