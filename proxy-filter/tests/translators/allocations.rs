//! What a call costs in allocations once everything has grown: none.

use std::sync::Arc;

use dubbo_proxy_filter::config::Config;
use dubbo_proxy_filter::hpack::HeaderList;
use dubbo_proxy_filter::http2::{Connection, Event, Limits, Role};
use dubbo_proxy_filter::request::{self, Seen};
use dubbo_proxy_filter::to_dubbo::Http2ToDubbo;
use dubbo_proxy_filter::to_http2::DubboToHttp2;

use crate::frames::{head, one, with_id};

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
