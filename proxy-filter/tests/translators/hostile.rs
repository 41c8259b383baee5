//! Whatever comes from either side: no panic, bounded memory, and no answer twice.

use std::sync::Arc;

use dubbo_proxy_filter::config::Config;
use dubbo_proxy_filter::to_dubbo::Http2ToDubbo;
use dubbo_proxy_filter::to_http2::DubboToHttp2;
use proptest::prelude::*;

use crate::frames::{frame, head, recorded, request, response};
use crate::joined::Joined;

fn config() -> Arc<Config> {
    let text = br#"{"limits":{"frame_bytes":20000,"call_bytes":20000,"connection_bytes":50000,"calls":20}}"#;
    Arc::new(Config::parse(text).unwrap())
}

/// A frame as a peer could send it, often with something wrong.
fn dubbo() -> impl Strategy<Value = Vec<u8>> {
    let all: Vec<Vec<u8>> = recorded("3.3.6").into_iter().map(|r| r.bytes).collect();
    let any_recorded = proptest::sample::select(all);
    let changed = (
        any_recorded.clone(),
        any::<prop::sample::Index>(),
        any::<u8>(),
    );
    let changed = changed.prop_map(|(mut bytes, at, byte)| {
        let at = at.index(bytes.len());
        bytes[at] = byte;
        bytes
    });
    let made = (
        any::<u8>(),
        any::<u8>(),
        0..9_i64,
        proptest::collection::vec(any::<u8>(), 0..50),
    );
    prop_oneof![
        3 => any_recorded,
        1 => changed,
        2 => made.prop_map(|(flags, status, id, body)| frame(flags, status, id, &body)),
        2 => (0..9_i64, 0..30_000_usize).prop_map(|(id, len)| request(id, len)),
        2 => (0..9_i64, 0..30_000_usize).prop_map(|(id, len)| response((id << 24) | (id % 3), len)),
    ]
}

fn http2() -> impl Strategy<Value = Vec<u8>> {
    let stream = prop_oneof![Just(0_u32), (0..10_u32).prop_map(|n| 2 * n + 1)];
    let payload = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..40),
        (0..9_i64, 0..16_000_usize).prop_map(|(id, len)| request(id, len)),
        (0..9_i64, 0..16_000_usize).prop_map(|(id, len)| response(id, len)),
    ];
    (0..10_u8, any::<u8>(), stream, payload).prop_map(|(kind, flags, stream, payload)| {
        let payload = &payload[..payload.len().min(16_384)];
        let len = (payload.len() as u32).to_be_bytes();
        [
            &len[1..],
            &[kind, flags & 0x0f],
            &stream.to_be_bytes(),
            payload,
        ]
        .concat()
    })
}

/// What comes from which side.
#[derive(Clone, Debug)]
enum Input {
    Dubbo(Vec<u8>),
    Http2(Vec<u8>),
    At(u64),
}

fn inputs() -> impl Strategy<Value = Vec<Input>> {
    let input = prop_oneof![
        3 => dubbo().prop_map(Input::Dubbo),
        3 => http2().prop_map(Input::Http2),
        1 => (0..200_000_u64).prop_map(Input::At),
    ];
    proptest::collection::vec(input, 0..40)
}

/// Settings are acknowledged and begun; a server's preface is none, a client's has one.
const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// The heads and windows of 20 streams, a frame that is gathered, what may wait, and what one step adds.
const MOST: usize = 2 * 20 * 65_536 + 20_016 + 3 * 50_000 + 60_000;

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    #[test]
    fn the_callers_half(inputs in inputs(), cut in 1..20_000_usize) {
        let mut half = DubboToHttp2::new(config(), 0);
        half.from_http2(SETTINGS);
        for input in inputs {
            match input {
                Input::Dubbo(bytes) => bytes.chunks(cut).for_each(|piece| half.from_dubbo(piece)),
                Input::Http2(bytes) => bytes.chunks(cut).for_each(|piece| half.from_http2(piece)),
                Input::At(now) => half.at(now),
            }
            prop_assert!(half.buffered() <= MOST, "{}", half.buffered());
            half.to_dubbo().clear();
            half.to_http2().clear();
            half.events().for_each(drop);
        }
    }

    #[test]
    fn the_providers_half(inputs in inputs(), cut in 1..20_000_usize) {
        let mut half = Http2ToDubbo::new(config(), 0);
        half.from_http2(&[PREFACE, SETTINGS].concat());
        for input in inputs {
            match input {
                Input::Dubbo(bytes) => bytes.chunks(cut).for_each(|piece| half.from_dubbo(piece)),
                Input::Http2(bytes) => bytes.chunks(cut).for_each(|piece| half.from_http2(piece)),
                Input::At(now) => half.at(now),
            }
            prop_assert!(half.buffered() <= MOST, "{}", half.buffered());
            half.to_dubbo().clear();
            half.to_http2().clear();
            half.events().for_each(drop);
        }
    }

    /// However an application and a provider behave, no call gets two answers, and each that a good
    /// application makes gets one in the end.
    #[test]
    fn every_call_gets_one_answer(
        steps in proptest::collection::vec((0..6_u8, any::<u16>()), 1..60),
        most in 1..3000_usize,
    ) {
        let mut joined = Joined::new(r#"{"limits":{"calls":12,"connection_bytes":9000000}}"#, most);
        let (mut made, mut open, mut told) = (0_i64, vec![], vec![]);
        for (step, n) in steps {
            match step {
                0..=2 => {
                    made += 1;
                    open.extend(joined.call(&request(made, usize::from(n) % 3000)));
                    told.extend(joined.told());
                }
                3 | 4 if !open.is_empty() => {
                    let call: Vec<u8> = open.swap_remove(usize::from(n) % open.len());
                    told.extend(joined.answer(&response(head(&call).id, usize::from(n))));
                }
                _ => told.extend(joined.answer(&response(i64::from(n), 5))),
            }
        }
        joined.provider.dubbo_closed();
        joined.settle();
        told.extend(joined.told());
        // The provider has closed, so the application is told to go elsewhere: that is no answer.
        told.retain(|told| !head(told).event);
        let mut ids: Vec<i64> = told.iter().map(|told| head(told).id).collect();
        ids.sort_unstable();
        prop_assert_eq!(ids, (1..=made).collect::<Vec<_>>());
    }
}
