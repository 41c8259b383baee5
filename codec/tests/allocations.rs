//! What a proxy does with every frame takes nothing from the heap.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot read its input has failed"
)]

mod support;

use allocation_counter::measure;
use dubbo_codec::{
    Assembler, Frame, FrameHead, FrameKind, Limits, Request, RequestEdit, RequestPeek, Response,
};

#[test]
fn reading_a_frame_allocates_nothing() {
    let limits = Limits::default();
    let mut read = 0;
    for r in support::recorded() {
        let info = measure(|| {
            let frame = Frame::parse(&r.bytes, &limits).unwrap().unwrap();
            let (head, body) = (frame.head(), frame.body());
            if head.event {
                return;
            }
            match head.kind {
                FrameKind::Request => {
                    assert!(RequestPeek::parse(head, body, &limits).unwrap().is_some());
                    let request = Request::parse(head, body, &limits).unwrap();
                    assert!(request.attachments().text("path").is_some());
                    assert!(request.target().path.is_some());
                }
                FrameKind::Response => drop(Response::parse(head, body, &limits).unwrap()),
            }
        });
        assert_eq!(info.count_total, 0, "{} {}", r.file, r.case);
        read += 1;
    }
    assert!(read > 400);
}

#[test]
fn changing_a_request_allocates_nothing() {
    let limits = Limits::default();
    let mut changed = 0;
    for r in support::recorded() {
        let frame = Frame::parse(&r.bytes, &limits).unwrap().unwrap();
        let head = frame.head();
        if head.event || head.kind == FrameKind::Response {
            continue;
        }
        let request = Request::parse(head, frame.body(), &limits).unwrap();
        let info = measure(|| {
            let mut edit = RequestEdit::new();
            edit.set("dubbo.tag", "gray").remove("path").version("2.0");
            let patch = request.patch(head, &edit, &limits).unwrap();
            let len: usize = patch.segments().map(<[u8]>::len).sum();
            assert_eq!(len, patch.frame_len());
        });
        assert_eq!(info.count_total, 0, "{} {}", r.file, r.case);
        changed += 1;
    }
    assert!(changed > 150, "{changed}");
}

#[test]
fn a_frame_within_a_chunk_allocates_nothing() {
    let frame = support::case("3.3.6", "hello", 'C');
    let stream = frame.repeat(3);
    let info = measure(|| {
        let mut assembler = Assembler::new(Limits::default());
        let mut chunk = &stream[..];
        for _ in 0..3 {
            assert!(assembler.next(&mut chunk).unwrap().is_some());
        }
    });
    assert_eq!(info.count_total, 0);
}

/// A length is a promise: memory is taken for what has come, not for what was announced.
#[test]
fn an_announced_body_takes_no_memory() {
    let head = b"\xda\xbb\xc2\0\0\0\0\0\0\0\0\x01\0\x7f\xff\xff";
    assert_eq!(FrameHead::parse(head).unwrap().unwrap().body_len, 0x7f_ffff);
    let info = measure(|| {
        let mut assembler = Assembler::new(Limits::default());
        assert!(assembler.next(&mut &head[..]).unwrap().is_none());
    });
    assert!(info.bytes_max < 1024, "{}", info.bytes_max);
}
