//! Bytes that are meant to hurt: errors in bounded time and memory, and never a panic.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot read its input has failed"
)]

mod support;

use std::time::{Duration, Instant};

use dubbo_codec::hessian2::{self, Encoder};
use dubbo_codec::{
    ErrorKind, Event, FrameHead, FrameKind, Limit, Limits, Request, RequestEdit, RequestPeek,
    Response, jsonb,
};
use support::recorded;

/// Everything that can be asked of a frame.
fn ask_everything(head: &FrameHead, body: &[u8], limits: &Limits) -> bool {
    let _ = Event::parse(head, body);
    let _ = RequestPeek::parse(head, body, limits);
    let response = Response::parse(head, body, limits);
    if let Ok(response) = &response {
        let _ = format!("{:?}", response.outcome());
        response.attachments().iter().for_each(drop);
    }
    let request = Request::parse(head, body, limits);
    if let Ok(request) = &request {
        let _ = request.target().service_key();
        let mut edit = RequestEdit::new();
        edit.set("path", "x").remove("version").set("new", "y");
        if let Ok(patch) = request.patch(head, &edit, limits) {
            assert_eq!(patch.to_vec().len(), patch.frame_len());
        }
    }
    if let Ok((graph, values)) = hessian2::decode(body, limits) {
        let mut encoder = Encoder::new(&graph);
        values.iter().for_each(|value| encoder.value(*value));
        drop(encoder.into_bytes());
    }
    match head.kind {
        FrameKind::Request => request.is_ok(),
        FrameKind::Response => response.is_ok(),
    }
}

#[test]
fn every_truncation_of_every_frame_is_an_error() {
    for r in recorded() {
        let head = FrameHead::parse(&r.bytes).unwrap().unwrap();
        let body = &r.bytes[16..];
        let calls = !head.event;
        assert!(!calls || ask_everything(&head, body, &Limits::default()));
        // Long bodies are long stack traces, all alike: each cut is read, some are asked for all else.
        let step = if body.len() > 1000 { 61 } else { 1 };
        for len in 0..body.len() {
            let short = FrameHead {
                body_len: len as u32,
                ..head
            };
            if len % step != 0 {
                let fine = match head.kind {
                    FrameKind::Request => {
                        Request::parse(&short, &body[..len], &Limits::default()).is_ok()
                    }
                    FrameKind::Response => {
                        Response::parse(&short, &body[..len], &Limits::default()).is_ok()
                    }
                };
                assert!(!(calls && fine), "{} {} cut at {len}", r.file, r.case);
                continue;
            }
            let fine = ask_everything(&short, &body[..len], &Limits::default());
            assert!(!(calls && fine), "{} {} cut at {len}", r.file, r.case);
        }
    }
}

#[test]
fn every_byte_of_some_frames_takes_every_value() {
    for (version, case) in [
        ("3.3.6", "pojo"),
        ("3.2.16", "fastjson2-pojo"),
        ("2.7.23", "attobj"),
    ] {
        for side in ['C', 'P'] {
            let mut bytes = support::case(version, case, side);
            for at in 16..bytes.len() {
                let was = bytes[at];
                for value in 0..=255 {
                    bytes[at] = value;
                    let head = FrameHead::parse(&bytes).unwrap().unwrap();
                    ask_everything(&head, &bytes[16..], &Limits::default());
                }
                bytes[at] = was;
            }
        }
    }
}

/// A hessian2 request with these bytes for its one argument.
fn request_with(argument: &[u8]) -> (FrameHead, Vec<u8>) {
    let mut body = b"\x052.0.2\x01s\x050.0.0\x01m\x12Ljava/lang/Object;".to_vec();
    body.extend_from_slice(argument);
    body.extend_from_slice(b"HZ");
    let mut head = *b"\xda\xbb\xc2\0\0\0\0\0\0\0\0\x01\0\0\0\0";
    head[12..].copy_from_slice(&(body.len() as u32).to_be_bytes());
    (FrameHead::parse(&head).unwrap().unwrap(), body)
}

#[test]
fn bombs_fizzle() {
    let started = Instant::now();
    let mebi = 1 << 20;
    for (bomb, kind) in [
        // Nesting of each kind.
        (b"\x79".repeat(mebi), ErrorKind::Limit(Limit::Depth)),
        (b"W".repeat(mebi), ErrorKind::Limit(Limit::Depth)),
        (b"H\x00".repeat(mebi), ErrorKind::Limit(Limit::Depth)),
        (b"M\x01t\x00".repeat(mebi), ErrorKind::Limit(Limit::Depth)),
        (b"\x71\x01t".repeat(mebi), ErrorKind::Limit(Limit::Depth)),
        (b"U\x01t".repeat(mebi), ErrorKind::Limit(Limit::Depth)),
        (b"X\x91".repeat(mebi), ErrorKind::Limit(Limit::Depth)),
        (b"V\x01t\x91".repeat(mebi), ErrorKind::Limit(Limit::Depth)),
        (
            [&b"C\x01a\x91\x01b"[..], &b"O\x90".repeat(mebi)].concat(),
            ErrorKind::Limit(Limit::Depth),
        ),
        (
            [&b"C\x01a\x91\x01b"[..], &b"\x60".repeat(mebi)].concat(),
            ErrorKind::Limit(Limit::Depth),
        ),
        // Definitions of classes, and of one with very many fields.
        (b"C\x01a\x90".repeat(mebi), ErrorKind::Limit(Limit::Classes)),
        (b"C\x01aI\x7f\xff\xff\xff".to_vec(), ErrorKind::Truncated),
        // Lengths.
        (b"XI\x7f\xff\xff\xff".to_vec(), ErrorKind::Truncated),
        (b"VI\x7f\xff\xff\xff".to_vec(), ErrorKind::BadIndex),
        (
            b"V\x01tI\xff\xff\xff\xff".to_vec(),
            ErrorKind::NegativeLength,
        ),
        (b"V\x01tI\x7f\xff\xff\xff".to_vec(), ErrorKind::Truncated),
        (b"XI\xff\xff\xff\xff".to_vec(), ErrorKind::NegativeLength),
        (
            b"C\x01aI\xff\xff\xff\xff".to_vec(),
            ErrorKind::NegativeLength,
        ),
        // One more than there is: `HZ` follows each of these.
        (b"XI\0\0\0\x03".to_vec(), ErrorKind::Truncated),
        (b"\x04a".to_vec(), ErrorKind::Truncated),
        (b"\x30\x04a".to_vec(), ErrorKind::Truncated),
        (b"S\0\x04a".to_vec(), ErrorKind::Truncated),
        (b"B\0\x04a".to_vec(), ErrorKind::Truncated),
        (b"\x24a".to_vec(), ErrorKind::Truncated),
        // References to nothing, and to what is not there yet; classes and types by number.
        (b"Q\x90".to_vec(), ErrorKind::BadIndex),
        (b"\x79Q\x91".to_vec(), ErrorKind::BadIndex),
        (b"\x79Q\x8f".to_vec(), ErrorKind::BadIndex),
        (b"QI\x7f\xff\xff\xff".to_vec(), ErrorKind::BadIndex),
        (b"\x60".to_vec(), ErrorKind::BadIndex),
        (b"C\x01a\x90O\x91".to_vec(), ErrorKind::BadIndex),
        (b"M\x90".to_vec(), ErrorKind::BadIndex),
        (b"\x72\x01tNV\x91\x90".to_vec(), ErrorKind::BadIndex),
        (b"S\xff\xffaaaa".to_vec(), ErrorKind::Truncated),
        (b"B\xff\xffaaaa".to_vec(), ErrorKind::Truncated),
    ] {
        let (head, body) = request_with(&bomb);
        let error = Request::parse(&head, &body, &Limits::default()).unwrap_err();
        assert_eq!(error.kind(), kind, "{:x?}", &bomb[..bomb.len().min(16)]);
        assert!(hessian2::decode(&bomb, &Limits::default()).is_err());
    }
    // Empty chunks without end, and values without end, are read in one pass.
    let (head, body) = request_with(&[&b"R\0\0".repeat(mebi)[..], b"\x00"].concat());
    assert!(Request::parse(&head, &body, &Limits::default()).is_ok());
    let many = b"\x90".repeat(mebi + 10);
    let few = hessian2::decode(&many, &Limits::default());
    assert_eq!(few.unwrap_err().kind(), ErrorKind::Limit(Limit::Values));
    for bomb in [
        b"\x95".repeat(mebi),
        b"\xa6\x49".repeat(mebi),
        b"\xa4\x01".repeat(mebi),
    ] {
        let error = jsonb::decode(&bomb, &Limits::default()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Limit(Limit::Depth));
    }
    assert!(
        started.elapsed() < Duration::from_secs(20),
        "{:?}",
        started.elapsed()
    );
}

/// More attachments than anybody sends.
#[test]
fn attachments_are_counted() {
    let mut body = b"\x052.0.2\x01s\x050.0.0\x01m\x00H".to_vec();
    body.extend(b"\x01k\x01v".repeat(1025));
    body.push(b'Z');
    let mut head = *b"\xda\xbb\xc2\0\0\0\0\0\0\0\0\x01\0\0\0\0";
    head[12..].copy_from_slice(&(body.len() as u32).to_be_bytes());
    let head = FrameHead::parse(&head).unwrap().unwrap();
    let error = Request::parse(&head, &body, &Limits::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Limit(Limit::Attachments));
}

/// What would let a caller show the proxy other attachments than the provider.
#[test]
fn nothing_hides_from_the_proxy() {
    let request = |attachments: &[u8]| {
        let mut body = b"\x052.0.2\x01s\x050.0.0\x01m\x00".to_vec();
        body.extend_from_slice(attachments);
        let mut head = *b"\xda\xbb\xc2\0\0\0\0\0\0\0\0\x01\0\0\0\0";
        head[12..].copy_from_slice(&(body.len() as u32).to_be_bytes());
        let head = FrameHead::parse(&head).unwrap().unwrap();
        Request::parse(&head, &body, &Limits::default()).map(|request| {
            let target = request.target();
            let text = |text: Option<dubbo_codec::Text<'_>>| text.map(|text| text.to_string());
            (
                text(target.path),
                text(target.group),
                text(target.version),
                target.unresolved,
            )
        })
    };
    let some = |text: &str| Some(text.to_owned());
    let body_alone = (some("s"), None, some("0.0.0"), false);
    assert_eq!(request(b"HZ"), Ok(body_alone.clone()));
    assert_eq!(request(b"N"), Ok(body_alone));
    // The last of several, and an attachment over the body.
    let last = (some("s"), some("b"), some("2"), false);
    assert_eq!(
        request(b"H\x05group\x01a\x07version\x012\x05group\x01bZ"),
        Ok(last.clone())
    );
    // A typed map, and a key in chunks.
    assert_eq!(
        request(b"M\x01t\x05groupR\0\x00\x01bR\0\x03ver\x04sion\x012Z"),
        Ok(last)
    );
    // Null and a number take the place of the string, as they do for Java.
    assert_eq!(
        request(b"H\x04pathN\x07version\x92Z"),
        Ok((None, None, None, false))
    );
    // Behind a class definition a string is still that string to Java, and only an object belongs there.
    for (attachments, lead) in [
        (b"HC\x01p\x90\x05group\x01bZ" as &[u8], 5),
        (b"H\x05groupC\x01p\x90\x01bZ", 1),
        (b"H\x03tagC\x01p\x90C\x01q\x90SZ", b'S'),
        (b"H\x03tagC\x01p\x90NZ", b'N'),
    ] {
        let refused = request(attachments).unwrap_err();
        assert_eq!(
            refused.kind(),
            ErrorKind::UnexpectedByte(lead),
            "{attachments:?}"
        );
    }
    // An object may well be a key, to which nobody will ask.
    let nothing = (some("s"), None, some("0.0.0"), false);
    assert_eq!(request(b"HC\x01p\x90\x60\x01bZ"), Ok(nothing));
    let object = (some("s"), None, some("0.0.0"), true);
    assert_eq!(request(b"H\x05groupC\x01p\x90\x60Z"), Ok(object.clone()));
    assert_eq!(request(b"H\x05groupC\x01p\x90C\x01q\x90O\x91Z"), Ok(object));
}
