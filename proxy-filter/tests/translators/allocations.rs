//! What a call costs in allocations once everything has grown: none. And what a connection keeps of heads
//! that were long: as little as of others.

use std::sync::Arc;

use dubbo_proxy_filter::authority::Authority;
use dubbo_proxy_filter::config::Config;
use dubbo_proxy_filter::hpack::HeaderList;
use dubbo_proxy_filter::http2::{Connection, Event, Limits, Role};
use dubbo_proxy_filter::request::{self, Seen};
use dubbo_proxy_filter::to_dubbo::Http2ToDubbo;
use dubbo_proxy_filter::to_http2::DubboToHttp2;

use crate::frames::{head, one, with_id};

/// What may be left of long heads, in bytes, for each of their streams and for the connection: much less
/// than one of them.
const LEFT: i64 = 16 * 1024;
const LONG: usize = 60_000;

const WINDOW: &[u8] = &[0, 0, 4, 8, 0, 0, 0, 0, 0, 0x60, 0, 0, 0];
const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];

/// Small calls of either serialization, one with group, version and a path of its own, and those that
/// have attachments which are headers; each with its answer.
fn calls() -> Vec<(&'static str, Vec<u8>, Vec<u8>)> {
    let cases = [
        "hello",
        "group-version-path",
        "tag",
        "fastjson2-hello",
        "fastjson2-tag",
    ];
    let frame = |case, by_consumer| one("3.3.6", case, by_consumer);
    let call = |case| (case, frame(case, true), frame(case, false));
    cases.map(call).into()
}

#[test]
fn the_callers_half_allocates_nothing() {
    for (case, mut frame, answer) in calls() {
        let mut half = DubboToHttp2::new(Arc::new(Config::default()), 0);
        let mut envoy = Connection::new(Role::Server, Limits::default());
        half.from_http2(&[SETTINGS, WINDOW].concat());
        let mut response = HeaderList::new();
        for (name, value) in [
            (":status", "200"),
            ("content-type", "application/x-dubbo2"),
            ("dubbo-status", "20"),
        ] {
            response.push(name.as_bytes(), value.as_bytes());
        }
        let mut calls = |from: i64, to: i64| {
            for id in from..to {
                dubbo_codec::set_request_id(&mut frame, id);
                half.from_dubbo(&frame);
                let mut bytes = &half.to_http2()[..];
                while let Some(event) = envoy.next(&mut bytes).unwrap() {
                    if let Event::Data {
                        stream, end: true, ..
                    } = event
                    {
                        envoy.send_head(stream, &response, false);
                        envoy.send_data(stream, &answer, true);
                    }
                }
                half.to_http2().clear();
                half.from_http2(envoy.out());
                envoy.out().clear();
                assert_eq!(head(half.to_dubbo()).id, id);
                half.to_dubbo().clear();
                half.events().for_each(drop);
            }
        };
        calls(0, 500);
        let used = allocation_counter::measure(|| calls(500, 1500));
        assert_eq!(used.count_total, 0, "{case}");
    }
}

/// For calls that the mesh did not change.
#[test]
fn the_providers_half_allocates_nothing() {
    for (case, call, answer) in calls() {
        let config = Arc::new(Config::default());
        let mut half = Http2ToDubbo::new(Arc::clone(&config), 0);
        let mut envoy = Connection::new(Role::Client, Limits::default());
        half.from_http2(envoy.out());
        envoy.out().clear();
        half.from_http2(WINDOW);
        let mut bytes = &half.to_http2()[..];
        while envoy.next(&mut bytes).unwrap().is_some() {}
        half.to_http2().clear();
        let mut list = HeaderList::new();
        let limits = dubbo_codec::Limits::default();
        let frame = dubbo_codec::Frame::parse(&call, &limits).unwrap().unwrap();
        request::to_headers(&frame, &config, &mut Seen::default(), &mut list).unwrap();
        let mut answer = with_id(answer, 0);
        let mut calls = |count: usize| {
            for _ in 0..count {
                let stream = envoy.open(&list, false).unwrap();
                envoy.send_data(stream, &call, true);
                half.from_http2(envoy.out());
                envoy.out().clear();
                dubbo_codec::set_request_id(&mut answer, head(half.to_dubbo()).id);
                half.to_dubbo().clear();
                half.from_dubbo(&answer);
                let (mut bytes, mut ended) = (&half.to_http2()[..], false);
                while let Some(event) = envoy.next(&mut bytes).unwrap() {
                    ended |= matches!(event, Event::Data { end: true, .. });
                }
                assert!(ended);
                half.to_http2().clear();
                half.events().for_each(drop);
            }
        };
        calls(500);
        let used = allocation_counter::measure(|| calls(1000));
        assert_eq!(used.count_total, 0, "{case}");
    }
}

/// A head with a field of this many bytes.
fn long(begin: &[(&str, &str)], bytes: usize) -> HeaderList {
    let mut head = HeaderList::new();
    for (name, value) in begin {
        head.push(name.as_bytes(), value.as_bytes());
    }
    head.push(b"long", &vec![b'x'; bytes]);
    head
}

const REQUEST: [(&str, &str); 4] = [
    (":method", "POST"),
    (":scheme", "http"),
    (":path", "/demo.GreetService/hello"),
    ("content-type", "application/x-dubbo2"),
];

#[test]
fn the_callers_half_keeps_no_long_heads() {
    let config = Arc::new(Config::parse(br#"{"attachments":["long"]}"#).unwrap());
    let call = dubbo_codec::Frame::parse(
        &one("3.3.6", "hello", true),
        &dubbo_codec::Limits::default(),
    )
    .map(|frame| {
        let frame = frame.unwrap();
        let limits = dubbo_codec::Limits::default();
        let request = dubbo_codec::Request::parse(frame.head(), frame.body(), &limits).unwrap();
        let mut edit = dubbo_codec::RequestEdit::new();
        let value = "x".repeat(40_000);
        edit.set("long", &value);
        request
            .patch(frame.head(), &edit, &limits)
            .unwrap()
            .to_vec()
    })
    .unwrap();
    let answer = one("3.3.6", "hello", false);
    let response = long(
        &[(":status", "200"), ("content-type", "application/x-dubbo2")],
        LONG,
    );
    let mut half = DubboToHttp2::new(config, 0);
    let mut envoy = Connection::new(Role::Server, Limits::default());
    half.from_http2(&[SETTINGS, WINDOW].concat());
    let left = allocation_counter::measure(|| {
        half.from_dubbo(&call);
        let mut bytes = &std::mem::take(half.to_http2())[..];
        while let Some(event) = envoy.next(&mut bytes).unwrap() {
            match event {
                Event::Head { .. } => assert!(envoy.headers().get(b"long").is_some()),
                Event::Data { stream, end, .. } if end => {
                    envoy.send_head(stream, &response, false);
                    envoy.send_data(stream, &answer, true);
                }
                _ => {}
            }
        }
        half.from_http2(&std::mem::take(envoy.out()));
        assert_eq!(head(&std::mem::take(half.to_dubbo())).id, head(&call).id);
        half.events().for_each(drop);
    });
    // The other end is one of ours too.
    assert!(
        left.bytes_current < 2 * LEFT,
        "{} bytes",
        left.bytes_current
    );
}

#[test]
fn the_providers_half_keeps_no_long_heads() {
    const CALLS: usize = 50;
    let call = one("3.3.6", "hello", true);
    let answer = one("3.3.6", "hello", false);
    let mut half = Http2ToDubbo::new(Arc::new(Config::default()), 0);
    let mut envoy = Connection::new(Role::Client, Limits::default());
    half.from_http2(&std::mem::take(envoy.out()));
    half.from_http2(WINDOW);
    let mut bytes = &std::mem::take(half.to_http2())[..];
    while envoy.next(&mut bytes).unwrap().is_some() {}
    let request = long(&REQUEST, LONG);
    let left = allocation_counter::measure(|| {
        let streams: Vec<_> = (0..CALLS)
            .map(|_| envoy.open(&request, false).unwrap())
            .collect();
        half.from_http2(&std::mem::take(envoy.out()));
        // Held until the call can be sent, and so counted.
        assert!(half.buffered() > CALLS * LONG);
        streams
            .iter()
            .for_each(|stream| envoy.send_data(*stream, &call, true));
        half.from_http2(&std::mem::take(envoy.out()));
        assert_eq!((half.in_flight(), half.buffered()), (CALLS, 0));
        let asked = std::mem::take(half.to_dubbo());
        for asked in asked.chunks(call.len()) {
            half.from_dubbo(&with_id(answer.clone(), head(asked).id));
        }
        assert_eq!(half.in_flight(), 0);
        half.to_http2().clear();
        half.to_http2().shrink_to(0);
        half.events().for_each(drop);
    });
    let most = LEFT + CALLS as i64 * LEFT / 2;
    assert!(left.bytes_current < most, "{} bytes", left.bytes_current);
}

#[test]
fn requests_that_get_an_authority_leave_nothing() {
    let config = Arc::new(Config::parse(br#"{"authority_for_http2":true}"#).unwrap());
    let mut half = Authority::new(&config, 0);
    let mut client = Connection::new(Role::Client, Limits::default());
    half.from_client(&std::mem::take(client.out()));
    half.to_envoy().clear();
    let left = allocation_counter::measure(|| {
        client.next(&mut &SETTINGS[..]).unwrap();
        client.open(&long(&REQUEST[..3], LONG), true).unwrap();
        for piece in std::mem::take(client.out()).chunks(1000) {
            half.from_client(piece);
        }
        assert!(std::mem::take(half.to_envoy()).len() > LONG);
        assert_eq!((half.closing(), half.buffered()), (None, 0));
        half.events().for_each(drop);
    });
    assert!(left.bytes_current < LEFT, "{} bytes", left.bytes_current);
}
