//! Serializations that are only read: JSON in lines and with lengths, MessagePack, protobuf.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot read its input has failed"
)]

mod support;

use dubbo_codec::{
    AttachmentValue, Event, Frame, FrameHead, FrameKind, Limits, Outcome, Reply, Request,
    RequestEdit, RequestPeek, Response, Serialization,
};

struct Recorded {
    case: String,
    bytes: Vec<u8>,
}

fn recorded() -> Vec<Recorded> {
    let all = frames_of("dubbo-2.7.23-other.tsv");
    assert!(all.len() > 70, "{}", all.len());
    all
}

fn frames_of(file: &str) -> Vec<Recorded> {
    let file = format!("{}/../fixtures/frames/{file}", env!("CARGO_MANIFEST_DIR"));
    let lines = std::fs::read_to_string(file).expect("the fixture");
    let parse = |line: &str| {
        let [case, _, frame] = line.split('\t').collect::<Vec<_>>()[..] else {
            panic!("not three columns: {line}");
        };
        Recorded {
            case: case.into(),
            bytes: support::unhex(frame),
        }
    };
    lines.lines().map(parse).collect()
}

/// The newer fastjson extension writes the same texts under the same number, with lengths
/// (`FastJsonObjectOutput.writeObject`: the length as an int, then the bytes).
fn with_lengths(body: &[u8]) -> Vec<u8> {
    let lines = body
        .split_inclusive(|byte| *byte == b'\n')
        .map(|line| &line[..line.len() - 1]);
    lines
        .flat_map(|line| [&(line.len() as u32).to_be_bytes()[..], line].concat())
        .collect()
}

fn all() -> Vec<(String, FrameHead, Vec<u8>)> {
    let mut frames = Vec::new();
    for r in recorded() {
        let frame = Frame::parse(&r.bytes, &Limits::default()).unwrap().unwrap();
        let (head, body) = (*frame.head(), frame.body().to_vec());
        if head.serialization == Serialization::FASTJSON && !head.event {
            let body = with_lengths(&body);
            frames.push((
                r.case.clone(),
                FrameHead {
                    body_len: body.len() as u32,
                    ..head
                },
                body,
            ));
        }
        frames.push((r.case, head, body));
    }
    frames
}

#[test]
fn requests_are_seen_as_they_are() {
    let (limits, mut seen) = (Limits::default(), 0);
    for (case, head, body) in all() {
        if head.kind != FrameKind::Request || head.event {
            continue;
        }
        seen += 1;
        let request = Request::parse(&head, &body, &limits).unwrap();
        let peek = request.peek();
        assert_eq!(peek.dubbo_version, "2.0.2");
        let name = case.split_once('-').unwrap().1;
        let (method, types) = match name {
            "hello" | "heartbeat" => ("hello", "Ljava/lang/String;"),
            "add" => ("add", "IJ"),
            "pojo" => ("save", "Ldemo/Person;Z"),
            "list" => ("list", "Ljava/util/List;"),
            "map" | "linkedmap" => ("map", "Ljava/util/Map;"),
            "null" => ("nothing", "Ljava/lang/String;"),
            "void" => ("ping", "Ljava/lang/String;"),
            "fail" => ("fail", "Ljava/lang/String;"),
            "att" | "attobj" | "tag" => ("context", "Ljava/lang/String;"),
            "generic" => (
                "$invoke",
                "Ljava/lang/String;[Ljava/lang/String;[Ljava/lang/Object;",
            ),
            other => panic!("{other}"),
        };
        assert_eq!(peek.method, method);
        assert_eq!(
            peek.parameters,
            dubbo_codec::Parameters::Types(types.into())
        );
        let effective = if name == "generic" { "hello" } else { method };
        assert_eq!(peek.effective_method(), effective, "{case}");
        let target = request.target();
        assert_eq!(
            target.service_key().unwrap().to_string(),
            "demo.GreetService"
        );
        assert!(!target.unresolved && !target.version_differs);
        let attachments = request.attachments();
        assert_eq!(
            attachments.text("remote.application"),
            Some("greet-consumer".into())
        );
        if name == "attobj" {
            assert_eq!(attachments.text("plain"), Some("v2".into()));
            assert_eq!(attachments.text("utf8"), Some("值-é-😀".into()));
            assert_eq!(attachments.get("objint"), Some(AttachmentValue::Int(17)));
            match attachments.get("objmap") {
                Some(AttachmentValue::Other(raw)) if raw[0] == b'{' => {
                    let expected = serde_json::json!({"k": 1, "l": ["q"]});
                    assert_eq!(
                        serde_json::from_slice::<serde_json::Value>(raw).unwrap(),
                        expected
                    );
                }
                Some(AttachmentValue::Other(raw)) => {
                    assert_eq!(raw, b"\x82\xa1k\x01\xa1l\x91\xa1q")
                }
                other => panic!("{other:?}"),
            }
        }
        // They are read and not written.
        assert!(request.patch(&head, &RequestEdit::new(), &limits).is_err());
        assert!(Reply::to(&head, None).is_err());
        for len in 0..body.len() {
            let peek = RequestPeek::parse(&head, &body[..len], &limits);
            assert!(peek.is_ok(), "{case}: a prefix of {len} bytes is no error");
            let short = FrameHead {
                body_len: len as u32,
                ..head
            };
            assert!(
                Request::parse(&short, &body[..len], &limits).is_err(),
                "{case} {len}"
            );
        }
    }
    assert!(seen > 40);
}

#[test]
fn responses_are_seen_as_they_are() {
    let mut seen = 0;
    for (case, head, body) in all() {
        if head.kind != FrameKind::Response || head.event {
            continue;
        }
        seen += 1;
        let response = Response::parse(&head, &body, &Limits::default()).unwrap();
        match response.outcome() {
            Outcome::Exception(thrown) => {
                assert_eq!(thrown.class, Some("demo.BizException".into()), "{case}");
                assert_eq!(thrown.message, Some("no luck 不".into()), "{case}");
                assert_eq!(thrown.code, Some(42), "{case}");
                assert!(case.ends_with("-fail"));
            }
            Outcome::Failed(_) => assert_eq!(case, "msgpack-pojo"),
            Outcome::Null => assert!(case.ends_with("-null") || case.ends_with("-void")),
            Outcome::Value(_) => {}
        }
        if response.status().is_ok() {
            assert_eq!(
                response.attachments().text("dubbo"),
                Some("2.0.2".into()),
                "{case}"
            );
        }
    }
    assert!(seen > 40);
}

#[test]
fn heartbeats_are_heartbeats() {
    let mut seen = 0;
    for (case, head, body) in all() {
        if head.event {
            assert_eq!(Event::parse(&head, &body), Ok(Event::Heartbeat), "{case}");
            seen += 1;
        }
    }
    assert!(seen >= 6, "{seen}");
}

#[test]
fn nesting_is_bounded() {
    let head = |serialization, len| {
        let mut head = *b"\xda\xbb\xc0\0\0\0\0\0\0\0\0\x01\0\0\0\0";
        head[2] |= serialization;
        head[12..].copy_from_slice(&u32::to_be_bytes(len));
        FrameHead::parse(&head).unwrap().unwrap()
    };
    let bomb = b"[".repeat(1 << 20);
    let json = [&b"\"2.0.2\"\n\"s\"\nnull\n\"m\"\n\"I\"\n"[..], &bomb, b"\n"].concat();
    assert!(Request::parse(&head(16, json.len() as u32), &json, &Limits::default()).is_err());
    let bomb = b"\x91".repeat(1 << 20);
    let packed = [&b"\xa52.0.2\xa1s\xc0\xa1m\xa1I"[..], &bomb].concat();
    assert!(Request::parse(&head(27, packed.len() as u32), &packed, &Limits::default()).is_err());
    // Counted containers nest as deep as they like without a cost.
    let deep = [&b"\xa52.0.2\xa1s\xc0\xa1m\xa1I"[..], &bomb, b"\xc0\x80"].concat();
    assert!(Request::parse(&head(27, deep.len() as u32), &deep, &Limits::default()).is_ok());
}

/// What `DubboCodec` of 2.7.23 wrote with its two protobuf serializations.
#[test]
fn protobuf_is_seen_as_it_is() {
    let (limits, mut seen) = (Limits::default(), 0);
    for r in frames_of("dubbo-2.7.23-protobuf.tsv") {
        let frame = Frame::parse(&r.bytes, &limits).unwrap().unwrap();
        let (head, body) = (frame.head(), frame.body());
        let (_, name) = r.case.rsplit_once('-').unwrap();
        seen += 1;
        if head.event {
            let expected = match name {
                "shutdown" => Event::ReadOnly,
                _ => Event::Heartbeat,
            };
            assert_eq!(Event::parse(head, body), Ok(expected), "{}", r.case);
        } else if head.kind == FrameKind::Request {
            protobuf_request(name, head, body);
        } else {
            protobuf_response(name, head, body);
        }
    }
    assert_eq!(seen, 22);
}

fn protobuf_request(name: &str, head: &FrameHead, body: &[u8]) {
    let limits = Limits::default();
    let request = Request::parse(head, body, &limits).unwrap();
    let (method, types) = match name {
        "two" => (
            "two",
            "Lcom/google/protobuf/Int64Value;Lcom/google/protobuf/BytesValue;",
        ),
        "none" => ("none", ""),
        _ => ("hello", "Lcom/google/protobuf/StringValue;"),
    };
    let peek = request.peek();
    assert_eq!(peek.dubbo_version, "2.0.2");
    assert_eq!(
        (peek.method, peek.parameters.count()),
        (method.into(), request.arguments().count() as u32)
    );
    assert_eq!(
        peek.parameters,
        dubbo_codec::Parameters::Types(types.into())
    );
    let attachments = request.attachments();
    assert_eq!(
        attachments.text("remote.application"),
        Some("pb-consumer".into())
    );
    assert_eq!(attachments.get("nothing"), None);
    let key = request.target().service_key().unwrap().to_string();
    if name == "att" {
        assert_eq!(key, "g<1>/demo.PbService:1.0.0");
        assert_eq!(attachments.text("dubbo.tag"), Some("gray".into()));
        assert_eq!(attachments.text("utf8"), Some("值-é-😀".into()));
        assert_eq!(attachments.text("empty"), Some("".into()));
        assert_eq!(attachments.len(), 8);
    } else {
        assert_eq!(key, "demo.PbService:1.0.0");
        assert_eq!(attachments.len(), 4);
    }
    assert!(request.patch(head, &RequestEdit::new(), &limits).is_err());
    assert!(Reply::to(head, None).is_err());
    for len in 0..body.len() {
        let peek = RequestPeek::parse(head, &body[..len], &limits);
        assert!(peek.is_ok(), "{name}: a prefix of {len} bytes is no error");
        let short = FrameHead {
            body_len: len as u32,
            ..*head
        };
        let parsed = Request::parse(&short, &body[..len], &limits);
        assert!(parsed.is_err(), "{name} {len}");
    }
}

fn protobuf_response(name: &str, head: &FrameHead, body: &[u8]) {
    let response = Response::parse(head, body, &Limits::default()).unwrap();
    match (name, response.outcome()) {
        ("hello", Outcome::Value(value)) => {
            let text = "hello Wörld".as_bytes();
            assert!(value.windows(text.len()).any(|part| part == text));
        }
        ("fail", Outcome::Exception(thrown)) => {
            assert_eq!(thrown.class, Some("java.lang.IllegalStateException".into()));
            assert_eq!(thrown.message, Some("no luck 不".into()));
        }
        ("null", Outcome::Null) => {}
        ("refused", Outcome::Failed(message)) => {
            assert_eq!(message, Some("Not found exported service 不".into()));
        }
        other => panic!("{other:?}"),
    }
    if response.status().is_ok() {
        assert_eq!(response.attachments().text("dubbo"), Some("2.0.2".into()));
    }
}

/// Fields in any order, twice, unknown or absent, as every reader of protobuf takes them.
#[test]
fn protobuf_fields_hide_nothing() {
    // `2.0.2`, `s`, an empty version, `m`, no parameters.
    let strings = b"\x07\x0a\x052.0.2\x03\x0a\x01s\x00\x03\x0a\x01m\x00";
    let parse = |map: &[u8]| {
        let body = [&strings[..], &[map.len() as u8], map].concat();
        let mut head = *b"\xda\xbb\xd6\0\0\0\0\0\0\0\0\x01\0\0\0\0";
        head[15] = body.len() as u8;
        let head = FrameHead::parse(&head).unwrap().unwrap();
        let request = Request::parse(&head, &body, &Limits::default())?;
        let all = request.attachments();
        let text = |text: dubbo_codec::Text<'_>| String::from(text);
        Ok::<_, dubbo_codec::Error>(
            all.iter()
                .map(|(key, value)| (text(key.unwrap()), text(value.as_text().unwrap())))
                .chain(all.text("group").map(|group| ("=".into(), text(group))))
                .collect::<Vec<_>>(),
        )
    };
    let pairs = |all: &[(&str, &str)]| {
        Ok(all
            .iter()
            .map(|(k, v)| (String::from(*k), String::from(*v)))
            .collect::<Vec<_>>())
    };
    assert_eq!(parse(b""), pairs(&[]));
    // The value before its key; an unknown field in the entry and around it.
    assert_eq!(
        parse(b"\x18\x05\x0a\x0c\x12\x01g\x18\x01\x0a\x05group"),
        pairs(&[("group", "g"), ("=", "g")])
    );
    // Twice the same key; a key without a value, a value without a key.
    assert_eq!(
        parse(b"\x0a\x0a\x0a\x05group\x12\x01a\x0a\x07\x0a\x05group\x0a\x03\x12\x01v"),
        pairs(&[("group", "a"), ("group", ""), ("", "v"), ("=", "")])
    );
    for wrong in [
        &b"\x0b"[..],
        b"\x0a\x05",
        b"\x0a\x03\x0a\x01\xff",
        b"\x02\x00",
        b"\x0a\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01",
        b"\x0a\x02\x0a\x05group",
    ] {
        assert!(parse(wrong).is_err(), "{wrong:x?}");
    }
}

/// Whatever the bytes are, nothing panics and what is seen can be asked for.
#[test]
fn every_byte_of_protobuf_takes_every_value() {
    let limits = Limits::default();
    for r in frames_of("dubbo-2.7.23-protobuf.tsv") {
        if !["-att", "-fail", "-heartbeat"]
            .iter()
            .any(|name| r.case.ends_with(name))
        {
            continue;
        }
        let mut bytes = r.bytes;
        let head = FrameHead::parse(&bytes).unwrap().unwrap();
        for at in 16..bytes.len() {
            let was = bytes[at];
            for value in 0..=255 {
                bytes[at] = value;
                let body = &bytes[16..];
                let _ = Event::parse(&head, body);
                if let Ok(response) = Response::parse(&head, body, &limits) {
                    response.attachments().iter().for_each(drop);
                }
                if let Ok(request) = Request::parse(&head, body, &limits) {
                    let all = request.attachments();
                    assert_eq!(all.iter().count(), all.len());
                    let _ = request.target().service_key();
                }
            }
            bytes[at] = was;
        }
    }
}
