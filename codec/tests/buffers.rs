//! Frames that are split off a buffer.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot read its input has failed"
)]

mod support;

use bytes::{Bytes, BytesMut};
use dubbo_codec::{FrameBytes, Limits, Request};

#[test]
fn frames_are_split_off_without_copying() {
    let recorded = support::recorded();
    let stream: Vec<u8> = recorded.iter().flat_map(|r| r.bytes.clone()).collect();
    let mut buffer = BytesMut::from(&stream[..]);
    let mut place = buffer.as_ptr();
    for r in &recorded {
        let frame = FrameBytes::split(&mut buffer, &Limits::default())
            .unwrap()
            .unwrap();
        assert_eq!(frame.bytes().as_ptr(), place, "{} {}", r.file, r.case);
        assert_eq!(frame.as_frame().bytes(), r.bytes);
        assert_eq!(frame.body(), r.bytes[16..]);
        assert_eq!(Bytes::from(frame.clone()), r.bytes);
        place = buffer.as_ptr();
    }
    assert!(buffer.is_empty());
}

#[test]
fn what_is_not_whole_stays() {
    let whole = support::case("3.3.6", "hello", 'C');
    let mut buffer = BytesMut::new();
    for (at, byte) in whole.iter().enumerate() {
        let split = FrameBytes::split(&mut buffer, &Limits::default());
        assert_eq!((split, &buffer[..]), (Ok(None), &whole[..at]));
        buffer.extend([*byte]);
    }
    assert!(
        FrameBytes::split(&mut buffer, &Limits::default())
            .unwrap()
            .is_some()
    );
    let mut other = BytesMut::from(&b"GET / HTTP/1.1\r\n"[..]);
    assert!(FrameBytes::split(&mut other, &Limits::default()).is_err());
    assert_eq!(other, b"GET / HTTP/1.1\r\n"[..]);
}

#[test]
fn parts_are_shared() {
    let whole = support::case("3.3.6", "hello", 'C');
    let mut buffer = BytesMut::from(&whole[..]);
    let frame = FrameBytes::split(&mut buffer, &Limits::default())
        .unwrap()
        .unwrap();
    let body = frame.body();
    let request = Request::parse(frame.head(), &body, &Limits::default()).unwrap();
    let argument = request.arguments().next().unwrap();
    let shared = frame.share(argument).unwrap();
    assert_eq!(
        (shared.as_ptr(), &shared[..]),
        (argument.as_ptr(), argument)
    );
    assert_eq!(frame.share(&whole), None);
}
