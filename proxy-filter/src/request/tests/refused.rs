//! Which calls become no request, and what their callers hear.

use super::*;

#[test]
fn what_cannot_be_told_is_refused() {
    let hello = recorded::request("3.3.6", "hello");
    let own_path = |path| {
        written(
            path,
            "0.0.0",
            "c",
            STRING,
            &[("path", path), ("interface", "a.B")],
        )
    };
    let object = {
        let mut edit = written("a.B", "0.0.0", "c", STRING, &[]);
        // The map's end becomes the attachment `path`, which is a list.
        edit.pop();
        edit.extend(b"\x04path\x78Z");
        let len = (edit.len() - 16) as u32;
        edit[12..16].copy_from_slice(&len.to_be_bytes());
        edit
    };
    let mut cut = hello.clone();
    cut.truncate(60);
    cut[12..16].copy_from_slice(&44u32.to_be_bytes());
    for (bytes, options, class, text) in [
        (
            recorded::request("3.3.6", "group-version-path"),
            r#"{"custom_paths":"refuse"}"#,
            Class::CustomPath,
            "the path `greet/here` is not that of the interface `demo.GreetService`; option `custom_paths`",
        ),
        (
            own_path("xa.B"),
            r#"{"custom_paths":"refuse"}"#,
            Class::CustomPath,
            "the path `xa.B` is not that of the interface `a.B`; option `custom_paths`",
        ),
        (
            object,
            "{}",
            Class::NoName,
            "one of path, interface, group and version is no plain value",
        ),
        (
            written("", "0.0.0", "c", STRING, &[]),
            "{}",
            Class::NoName,
            "the interface name is empty",
        ),
        (
            written("a.B", "0.0.0", "c/d", STRING, &[]),
            "{}",
            Class::NoName,
            "`a.B` and `c/d` make no path",
        ),
        (
            written("a.B", "0.0.0", "c\nd\u{1b}", STRING, &[]),
            "{}",
            Class::NoName,
            r"`a.B` and `c\nd\u{1b}` make no path",
        ),
        (
            written("a.B", "0.0.0", "..", STRING, &[]),
            "{}",
            Class::NoName,
            "`a.B` and `..` make no path",
        ),
        (
            written("a.B", "0.0.0", "$invoke", STRING, &[]),
            "{}",
            Class::Generic,
            "`$invoke` with parameters of its own is no generic call",
        ),
        (
            recorded::request("3.3.6", "generic"),
            r#"{"generic":"refuse"}"#,
            Class::Generic,
            "generic calls are not allowed here",
        ),
        (
            hello,
            r#"{"serializations":["fastjson2"]}"#,
            Class::Serialization,
            "calls in hessian2 are not allowed here",
        ),
        (
            b"\xda\xbb\xe2\0\0\0\0\0\0\0\0\x07\0\0\0\x01N".to_vec(),
            "{}",
            Class::NoCall,
            "this frame is no call",
        ),
        (
            cut,
            "{}",
            Class::Malformed,
            "the call cannot be read: parameter types at byte 44: the input ends too early",
        ),
    ] {
        assert_eq!(refused(&bytes, &config(options)), (class, text.into()));
    }
    assert!(lines(&own_path("shop/a.B"), &Config::default()).contains("\n:path: /a.B/c\n"));
    let classes: std::collections::BTreeSet<_> =
        Class::ALL.iter().map(|class| class.name()).collect();
    assert_eq!(classes.len(), Class::ALL.len());
}

/// A refusal is an error frame that the caller reads: its id, its serialization, the text.
#[test]
fn a_refusal_tells_its_caller() {
    let mut sink = Headers::new();
    let strict = config(r#"{"serializations":["java"]}"#);
    for (version, case, serialization) in [
        ("3.3.6", "hello", Serialization::HESSIAN2),
        ("3.3.6", "fastjson2-hello", Serialization::FASTJSON2),
        ("2.7.23-other", "msgpack-hello", Serialization::HESSIAN2),
    ] {
        let bytes = recorded::request(version, case);
        let reply = to_headers(&frame(&bytes), &strict, &mut Seen::default(), &mut sink)
            .unwrap_err()
            .reply();
        let reply = frame(&reply);
        let response = dubbo_codec::Response::parse(
            reply.head(),
            reply.body(),
            &dubbo_codec::Limits::default(),
        )
        .unwrap();
        assert_eq!(
            (reply.head().id, reply.head().status),
            (frame(&bytes).head().id, Status::BAD_REQUEST)
        );
        assert_eq!(response.serialization(), serialization);
        let dubbo_codec::Outcome::Failed(Some(text)) = response.outcome() else {
            panic!()
        };
        let name = frame(&bytes).head().serialization.to_string();
        assert_eq!(
            text.to_string(),
            format!("dubbo-mesh: calls in {name} are not allowed here")
        );
    }
    let one_way = recorded::request("3.3.6", "oneway");
    let heartbeat = b"\xda\xbb\xe2\0\0\0\0\0\0\0\0\x07\0\0\0\x01N".to_vec();
    for nobody_waits in [one_way, heartbeat] {
        let refusal = to_headers(
            &frame(&nobody_waits),
            &strict,
            &mut Seen::default(),
            &mut sink,
        )
        .unwrap_err();
        assert_eq!(refusal.reply(), b"");
    }
    assert!(sink.is_empty());
}

#[test]
fn names_that_are_no_unicode_are_refused() {
    for at in [1, 2, 3, 6] {
        let mut body = hessian2::Writer::new();
        for (place, text) in ["2.0.2", "a.B", "1", "c", STRING, "x"]
            .into_iter()
            .enumerate()
        {
            let lone = Text::from_utf16_be(&[0xd8, 0x3d]);
            body.string(if place == at { lone } else { Text::new(text) });
        }
        body.begin_map(None);
        body.string(Text::new("group"));
        body.string(if at == 6 {
            Text::from_utf16_be(&[0xd8, 0x3d])
        } else {
            Text::new("g")
        });
        body.end_map();
        assert_eq!(
            refused(&framed(&body.into_bytes()), &Config::default()).0,
            Class::NoName,
            "{at}"
        );
    }
}
