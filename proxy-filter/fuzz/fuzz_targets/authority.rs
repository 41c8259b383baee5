//! Whatever a client and Envoy send on an HTTP/2 connection, in any order: no panic, memory within its
//! bounds, and every client's bytes that are no header block go out as they came.
#![no_main]

use std::sync::Arc;

use dubbo_proxy_filter::authority::Authority;
use dubbo_proxy_filter::config::Config;
use dubbo_proxy_filter::http2::PREFACE;
use libfuzzer_sys::{arbitrary, fuzz_target};

#[derive(arbitrary::Arbitrary, Debug)]
enum Input {
    Client(Vec<u8>),
    /// A frame whose length is right.
    Frame(u8, u8, u8, Vec<u8>),
    Envoy(Vec<u8>),
    At(u32),
}

fuzz_target!(|inputs: Vec<Input>| {
    let mut half = Authority::new(&Arc::new(Config::default()), 0);
    half.from_client(PREFACE);
    for input in inputs {
        match input {
            Input::Client(bytes) => half.from_client(&bytes),
            Input::Frame(kind, flags, stream, payload) => {
                let mut frame = (payload.len() as u32).to_be_bytes()[1..].to_vec();
                frame.extend([kind % 12, flags, 0, 0, 0, stream]);
                frame.extend(payload);
                half.from_client(&frame);
            }
            Input::Envoy(bytes) => half.from_envoy(&bytes),
            Input::At(now) => half.at(now.into()),
        }
        assert!(half.buffered() <= 3 * (256 * 1024 + 9));
        half.to_client().clear();
        half.to_envoy().clear();
        half.events().for_each(drop);
    }
});
