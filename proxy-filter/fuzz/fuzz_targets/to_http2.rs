//! Whatever an application and Envoy send, in any order: no panic, memory within its bounds, whole frames
//! to both, and no deadline that is over.
#![no_main]

use std::sync::Arc;

use dubbo_proxy_filter::config::Config;
use dubbo_proxy_filter::metrics::{Event, Gauge};
use dubbo_proxy_filter::to_http2::DubboToHttp2;
use dubbo_proxy_filter_fuzz::{check_dubbo, check_http2, pieces};
use libfuzzer_sys::fuzz_target;

const OPTIONS: &[u8] = br#"{"limits":{"frame_bytes":5000,"call_bytes":5000,"connection_bytes":9000,"calls":9}}"#;

fuzz_target!(|input: &[u8]| {
    let Ok(config) = Config::parse(OPTIONS) else { unreachable!("they are in order") };
    let mut half = DubboToHttp2::new(Arc::new(config), 0);
    let (mut now, mut told) = (0, 0);
    for piece in pieces(input) {
        match piece.kind {
            0 => half.from_dubbo(piece.bytes()),
            1 => half.from_http2(piece.bytes()),
            2 | 3 => half.from_dubbo(&piece.dubbo()),
            4 | 5 => half.from_http2(&piece.http2()),
            6 => now += piece.millis(),
            _ if piece.bytes().is_empty() => half.drain(),
            _ => half.http2_closed(),
        }
        half.at(now);
        assert!(half.buffered() <= 9 * 65_536 + 2 * 9000 + 5016);
        assert!(half.closing().is_some() || half.next_deadline().is_none_or(|at| at > now));
        check_dubbo(half.to_dubbo());
        check_http2(half.to_http2());
        half.to_dubbo().clear();
        half.to_http2().clear();
        told += half.events().map(|event| match event {
            Event::Move(Gauge::Buffered, change) => change,
            _ => 0,
        }).sum::<i64>();
        assert_eq!(told, half.buffered() as i64);
    }
});
