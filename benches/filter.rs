//! How long the filter's translators take for a call, one core, best of several runs.
//!
//! `cargo bench -p dubbo-mesh-benches --bench filter` prints nanoseconds a call. Envoy is stood in for by
//! the other end of an HTTP/2 connection of ours, whose share is measured alone and shown. Every loop
//! asserts that each call was answered.

#![expect(clippy::print_stdout, reason = "a bench says what it measured")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use dubbo_codec::{FrameHead, Limits as FrameLimits, set_request_id};
use dubbo_proxy_filter::config::Config;
use dubbo_proxy_filter::hpack::HeaderList;
use dubbo_proxy_filter::http2::{Connection, Event, Limits, Role};
use dubbo_proxy_filter::request::{self, Seen};
use dubbo_proxy_filter::to_dubbo::Http2ToDubbo;
use dubbo_proxy_filter::to_http2::DubboToHttp2;

/// Calls that one read brings.
const BATCH: usize = 8;
const SETTINGS: &[u8] = &[0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 4, 0x7f, 0, 0, 0];
const WINDOW: &[u8] = &[0, 0, 4, 8, 0, 0, 0, 0, 0, 0x60, 0, 0, 0];

/// A frame of `hello` with an argument of this many bytes, as Dubbo 3 sends it.
fn frame(flags: u8, status: u8, begin: &[u8], argument: usize, end: &[u8]) -> Vec<u8> {
    let mut body = begin.to_vec();
    body.extend([b'S', (argument >> 8) as u8, argument as u8]);
    body.resize(body.len() + argument, b'x');
    body.extend(end);
    let mut frame = vec![0xda, 0xbb, flags, status, 0, 0, 0, 0, 0, 0, 0, 0];
    frame.extend((body.len() as u32).to_be_bytes());
    frame.extend(body);
    frame
}

fn call(argument: usize) -> Vec<u8> {
    let begin = b"\x052.0.2\x12demo.GreetServicex\x050.0.0\x05hello\x12Ljava/lang/String;";
    let end = b"H\x04path\x12demo.GreetServicex\x12remote.application\x0egreet-consumer\
        \x09interface\x12demo.GreetServicex\x07version\x050.0.0\x07timeout\x045000Z";
    frame(0xc2, 0, begin, argument, end)
}

fn answer(argument: usize) -> Vec<u8> {
    frame(0x02, 20, b"\x94", argument, b"H\x05dubbo\x052.0.2Z")
}

/// The best of seven runs of `calls` batches, for one call.
fn best(name: &str, calls: usize, mut batch: impl FnMut()) {
    (0..calls / 10).for_each(|_| batch());
    let run = |_| {
        let start = Instant::now();
        (0..calls).for_each(|_| batch());
        start.elapsed() / (calls * BATCH) as u32
    };
    let best: Duration = (0..7).map(run).min().unwrap_or_default();
    println!("{name:48} {:6} ns", best.as_nanos());
}

fn ids(frame: &mut [u8], from: &mut i64) {
    for part in frame.chunks_mut(frame.len() / BATCH) {
        *from += 1;
        set_request_id(part, *from);
    }
}

/// The caller's half, both ways, with a server that answers.
fn caller(argument: usize, calls: usize) {
    let config = Arc::new(Config::default());
    let (mut half, mut envoy) = (
        DubboToHttp2::new(config, 0),
        Connection::new(Role::Server, Limits::default()),
    );
    half.from_http2(&[SETTINGS, WINDOW].concat());
    let mut head = HeaderList::new();
    head.push(b":status", b"200");
    head.push(b"content-type", b"application/x-dubbo2");
    head.push(b"dubbo-status", b"20");
    let (mut frames, answer, mut id) = (call(argument).repeat(BATCH), answer(argument), 0);
    best(
        &format!("caller's half, {argument} bytes, there and back"),
        calls,
        || {
            ids(&mut frames, &mut id);
            half.from_dubbo(&frames);
            let mut bytes = &half.to_http2()[..];
            while let Ok(Some(event)) = envoy.next(&mut bytes) {
                if let Event::Data {
                    stream, end: true, ..
                } = event
                {
                    envoy.send_head(stream, &head, false);
                    envoy.send_data(stream, &answer, true);
                }
            }
            half.to_http2().clear();
            half.from_http2(envoy.out());
            envoy.out().clear();
            assert_eq!(half.to_dubbo().len(), answer.len() * BATCH);
            half.to_dubbo().clear();
            half.events().for_each(drop);
        },
    );
}

/// The provider's half, both ways, with a client that asks.
fn provider(argument: usize, calls: usize) {
    let config = Arc::new(Config::default());
    let (mut half, mut envoy) = (
        Http2ToDubbo::new(Arc::clone(&config), 0),
        Connection::new(Role::Client, Limits::default()),
    );
    half.from_http2(envoy.out());
    envoy.out().clear();
    half.from_http2(&[SETTINGS, WINDOW].concat());
    while let Ok(Some(_)) = envoy.next(&mut &half.to_http2()[..]) {}
    let _ = envoy.next(&mut &[SETTINGS, WINDOW].concat()[..]);
    half.to_http2().clear();
    let (call, mut head) = (call(argument), HeaderList::new());
    mapped(&call, &config, &mut Seen::default(), &mut head);
    let (mut answers, len) = (answer(argument).repeat(BATCH), answer(argument).len());
    best(
        &format!("provider's half, {argument} bytes, there and back"),
        calls,
        || {
            for _ in 0..BATCH {
                let Some(stream) = envoy.open(&head, false) else {
                    panic!("no stream")
                };
                envoy.send_data(stream, &call, true);
            }
            half.from_http2(envoy.out());
            envoy.out().clear();
            for (sent, answer) in half
                .to_dubbo()
                .chunks(call.len())
                .zip(answers.chunks_mut(len))
            {
                let id = FrameHead::parse(sent).ok().flatten().map(|head| head.id);
                set_request_id(answer, id.unwrap_or_default());
            }
            half.to_dubbo().clear();
            half.from_dubbo(&answers);
            let (mut bytes, mut ended) = (&half.to_http2()[..], 0);
            while let Ok(Some(event)) = envoy.next(&mut bytes) {
                ended += usize::from(matches!(event, Event::Data { end: true, .. }));
            }
            assert_eq!(ended, BATCH);
            half.to_http2().clear();
            half.events().for_each(drop);
        },
    );
}

fn mapped(call: &[u8], config: &Config, seen: &mut Seen, head: &mut HeaderList) {
    head.clear();
    let frame = dubbo_codec::Frame::parse(call, &FrameLimits::default())
        .ok()
        .flatten();
    let mapped = frame.map(|frame| request::to_headers(&frame, config, seen, head).is_ok());
    assert_eq!(mapped, Some(true));
}

/// What the stand-in for Envoy and our own connection cost together, without any translator.
fn http2_alone(argument: usize, calls: usize) {
    let config = Config::default();
    let (mut client, mut server) = (
        Connection::new(Role::Client, Limits::default()),
        Connection::new(Role::Server, Limits::default()),
    );
    let _ = server.next(&mut &client.out()[..]);
    client.out().clear();
    let _ = server.next(&mut &[SETTINGS, WINDOW].concat()[..]);
    let _ = client.next(&mut &[SETTINGS, WINDOW].concat()[..]);
    server.out().clear();
    let (call, answer, mut head) = (call(argument), answer(argument), HeaderList::new());
    mapped(&call, &config, &mut Seen::default(), &mut head);
    let mut response = HeaderList::new();
    response.push(b":status", b"200");
    response.push(b"content-type", b"application/x-dubbo2");
    best(
        &format!("two ends of HTTP/2 alone, {argument} bytes"),
        calls,
        || {
            for _ in 0..BATCH {
                let Some(stream) = client.open(&head, false) else {
                    panic!("no stream")
                };
                client.send_data(stream, &call, true);
            }
            let mut bytes = &client.out()[..];
            while let Ok(Some(event)) = server.next(&mut bytes) {
                if let Event::Data {
                    stream, end: true, ..
                } = event
                {
                    server.send_head(stream, &response, false);
                    server.send_data(stream, &answer, true);
                }
            }
            client.out().clear();
            let (mut bytes, mut ended) = (&server.out()[..], 0);
            while let Ok(Some(event)) = client.next(&mut bytes) {
                ended += usize::from(matches!(event, Event::Data { end: true, .. }));
            }
            assert_eq!(ended, BATCH);
            server.out().clear();
        },
    );
}

fn main() {
    let config = Config::default();
    for (argument, calls) in [(100, 10_000), (16_000, 1000)] {
        let (call, mut head, mut seen) = (call(argument), HeaderList::new(), Seen::default());
        best(
            &format!("headers of a call, {argument} bytes"),
            calls,
            || {
                (0..BATCH).for_each(|_| mapped(&call, &config, &mut seen, &mut head));
            },
        );
        http2_alone(argument, calls);
        caller(argument, calls);
        provider(argument, calls);
    }
}
