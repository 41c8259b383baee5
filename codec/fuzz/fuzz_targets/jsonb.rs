//! What was decoded survives encoding.
#![no_main]

use dubbo_codec::{Limits, jsonb};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let limits = Limits::default();
    let Ok(value) = jsonb::decode(input, &limits) else { return };
    let bytes = jsonb::encode(&value);
    let again = jsonb::decode(&bytes, &limits).expect("what was written can be read");
    // Bytes, since NaN is not equal to itself.
    assert_eq!(jsonb::encode(&again), bytes);
});
