//! Responses and events of any status, in both serializations.
#![no_main]

use dubbo_codec::{Event, FrameHead, Limits, Outcome, Response};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, u8, &[u8])| {
    let (flags, status, body) = input;
    let mut bytes = *b"\xda\xbb\x02\0\0\0\0\0\0\0\0\x01\0\0\0\0";
    bytes[2] = if flags & 1 == 0 { 0x02 } else { 0x17 };
    bytes[3] = if flags & 2 == 0 { 20 } else { status };
    bytes[12..].copy_from_slice(&(body.len() as u32).to_be_bytes());
    let head = FrameHead::parse(&bytes).unwrap().unwrap();
    let _ = Event::parse(&head, body);
    let Ok(response) = Response::parse(&head, body, &Limits::default()) else { return };
    match response.outcome() {
        Outcome::Value(bytes) => assert!(body.windows(bytes.len()).any(|window| window == bytes)),
        Outcome::Exception(thrown) => drop(format!("{thrown:?}")),
        Outcome::Failed(message) => drop(message.map(|text| text.to_string())),
        Outcome::Null => {}
    }
    assert_eq!(response.attachments().iter().count(), response.attachments().len());
});
