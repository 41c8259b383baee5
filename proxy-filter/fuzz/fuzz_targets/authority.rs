//! Whatever a client and Envoy send on an HTTP/2 connection, in any order: no panic, memory within its
//! bounds, and what both send of other frames than header blocks and settings goes out as it came.
#![no_main]

use std::sync::Arc;

use dubbo_proxy_filter::authority::Authority;
use dubbo_proxy_filter::config::Config;
use dubbo_proxy_filter::http2::PREFACE;
use dubbo_proxy_filter_fuzz::{check_http2, pieces};
use libfuzzer_sys::fuzz_target;

/// A type of frame that is looked at.
const fn is_read(frame: &[u8]) -> bool {
    matches!(frame, [_, _, _, 1 | 4 | 9, ..])
}

fuzz_target!(|input: &[u8]| {
    let mut half = Authority::new(&Arc::new(Config::default()), 0);
    half.from_client(PREFACE);
    half.to_envoy().clear();
    let (mut now, mut whole) = (0, true);
    for piece in pieces(input) {
        let frames = piece.http2();
        match piece.kind {
            0 => half.from_client(piece.bytes()),
            1 => half.from_envoy(piece.bytes()),
            2..=4 => half.from_client(&frames),
            5 => half.from_envoy(&frames),
            _ => now += piece.millis(),
        }
        half.at(now);
        assert!(half.buffered() <= 3 * (256 * 1024 + 9));
        // Bytes that were cut anywhere may be anything.
        whole &= piece.kind > 1;
        if whole && half.closing().is_none() {
            let untouched = !is_read(&frames);
            match piece.kind {
                2..=4 if untouched => assert_eq!(*half.to_envoy(), frames),
                2..=4 => check_http2(half.to_envoy()),
                5 if untouched => assert_eq!(*half.to_client(), frames),
                _ => {}
            }
        }
        half.to_client().clear();
        half.to_envoy().clear();
        half.events().for_each(drop);
    }
});
