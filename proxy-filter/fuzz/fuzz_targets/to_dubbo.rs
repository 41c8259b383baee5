//! Whatever Envoy and a provider send, in any order: no panic, and memory within its bounds.
#![no_main]

use std::sync::Arc;

use dubbo_proxy_filter::config::Config;
use dubbo_proxy_filter::http2::PREFACE;
use dubbo_proxy_filter::to_dubbo::Http2ToDubbo;
use libfuzzer_sys::{arbitrary, fuzz_target};

#[derive(arbitrary::Arbitrary, Debug)]
enum Input {
    Dubbo(Vec<u8>),
    Http2(Vec<u8>),
    At(u32),
    Closed,
}

const OPTIONS: &[u8] = br#"{"limits":{"frame_bytes":5000,"call_bytes":5000,"connection_bytes":9000,"calls":9}}"#;

fuzz_target!(|inputs: Vec<Input>| {
    let Ok(config) = Config::parse(OPTIONS) else { unreachable!("they are in order") };
    let mut half = Http2ToDubbo::new(Arc::new(config), 0);
    half.from_http2(PREFACE);
    half.from_http2(&[0, 0, 0, 4, 0, 0, 0, 0, 0]);
    for input in inputs {
        match input {
            Input::Dubbo(bytes) => half.from_dubbo(&bytes),
            Input::Http2(bytes) => half.from_http2(&bytes),
            Input::At(now) => half.at(now.into()),
            Input::Closed => half.dubbo_closed(),
        }
        assert!(half.buffered() <= 9 * 65_536 + 3 * 9000 + 5016);
        half.to_dubbo().clear();
        half.to_http2().clear();
        half.events().for_each(drop);
    }
});
