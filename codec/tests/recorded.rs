//! What real Dubbo peers sent, read as the libraries that wrote it read it.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot read its input has failed"
)]

mod support;

use dubbo_codec::hessian2::{self, Graph, Value};
use dubbo_codec::{
    AttachmentValue, Event, Frame, FrameHead, FrameKind, Limits, Outcome, Request, RequestPeek,
    Response, Serialization, Status, Text, jsonb,
};
use support::{Recorded, Show, quote, recorded};

fn frame(bytes: &[u8]) -> (FrameHead, &[u8]) {
    let frame = Frame::parse(bytes, &Limits::default())
        .unwrap()
        .expect("a whole frame");
    assert_eq!(frame.bytes().len(), bytes.len());
    (*frame.head(), frame.body())
}

fn of(serialization: Serialization) -> impl Iterator<Item = Recorded> {
    recorded()
        .into_iter()
        .filter(move |r| frame(&r.bytes).0.serialization == serialization)
}

/// The whole body as the oracle shows it, all values decoded.
fn hessian_meaning(head: &FrameHead, body: &[u8]) -> String {
    let (graph, values) = hessian2::decode(body, &Limits::default()).unwrap();
    let mut show = Show::default();
    let mut texts: Vec<String> = values.iter().map(|v| show.value(&graph, *v)).collect();
    let last = texts.pop().unwrap();
    let before = texts.join(" ");
    match (head.event, head.kind, head.status, values[0]) {
        (true, ..) => format!("event {last}"),
        (_, FrameKind::Request, ..) => format!("request {before} | {last}"),
        (_, _, Status::OK, Value::Int(3..)) => format!("result {before} | {last}"),
        (_, _, Status::OK, _) => format!("result {before} {last}"),
        _ => format!("status {} {last}", head.status.0),
    }
}

#[test]
fn every_hessian2_body_means_what_hessian_lite_reads() {
    for r in of(Serialization::HESSIAN2) {
        let (head, body) = frame(&r.bytes);
        assert_eq!(
            hessian_meaning(&head, body),
            r.meaning,
            "{} {}",
            r.file,
            r.case
        );
        assert_eq!(head.to_bytes(), r.bytes[..16]);
    }
}

/// What hessian-lite 4 wrote, and 3.3.6 has it, comes out byte for byte; what hessian-lite 3 wrote
/// does with its lists.
#[test]
fn every_hessian2_body_is_encoded_as_it_was() {
    let mut same = 0;
    for r in of(Serialization::HESSIAN2) {
        let (_, body) = frame(&r.bytes);
        let (graph, values) = hessian2::decode(body, &Limits::default()).unwrap();
        let mut encoder = hessian2::Encoder::new(&graph);
        values.iter().for_each(|value| encoder.value(*value));
        assert_eq!(
            support::hex(&encoder.into_bytes()),
            support::hex(body),
            "{} {}",
            r.file,
            r.case
        );
        same += 1;
    }
    assert!(same > 400);
}

/// The view that a proxy takes must agree with the meaning.
#[test]
fn requests_are_seen_as_they_are() {
    let limits = Limits::default();
    let mut seen = 0;
    for r in recorded() {
        let (head, body) = frame(&r.bytes);
        if head.kind != FrameKind::Request || head.event {
            continue;
        }
        seen += 1;
        let request = Request::parse(&head, body, &limits).unwrap();
        let peek = request.peek();
        assert_eq!(peek.dubbo_version, "2.0.2");
        let attachments = request.attachments();
        let target = request.target();
        assert!(
            !target.version_differs && !target.unresolved,
            "{} {}",
            r.file,
            r.case
        );
        let key = target.service_key().unwrap().to_string();
        match &*r.case {
            "group-version-path" | "threadpool-exhausted" => {
                assert_eq!(key, "gray/demo.GreetService:1.2.0")
            }
            "not-found" | "fastjson2-not-found" => assert_eq!(key, "demo.GreetService:9.9.9"),
            _ => assert_eq!(key, "demo.GreetService"),
        }
        if r.case.ends_with("generic") {
            assert_eq!(
                (peek.method, peek.effective_method()),
                ("$invoke".into(), "hello".into())
            );
        }
        // The oracle shows a request as its strings, its arguments and its attachments.
        let mut parts: Vec<String> = [
            peek.dubbo_version,
            peek.service,
            peek.version.unwrap(),
            peek.method,
        ]
        .map(quote)
        .into();
        parts.extend(match peek.parameters {
            dubbo_codec::Parameters::Types(types) => Some(quote(types)),
            dubbo_codec::Parameters::Count(_) => None,
        });
        if head.serialization == Serialization::HESSIAN2 {
            assert!(
                r.meaning
                    .starts_with(&format!("request {}", parts.join(" ")))
            );
            let map = r.meaning.rsplit(" | ").next().unwrap();
            for (key, value) in attachments.iter() {
                let value = match value {
                    AttachmentValue::String(text) => quote(text),
                    AttachmentValue::Int(value) => value.to_string(),
                    AttachmentValue::Null => "N".into(),
                    AttachmentValue::Other(raw) => {
                        assert_eq!(key, Some(Text::new("objmap")));
                        assert!(!raw.is_empty());
                        attachment(body, "objmap")
                    }
                    other => panic!("{other:?}"),
                };
                let name = key.unwrap().to_str_lossy();
                let each = attachments.get_each(["no such", &name]);
                let one_by_one = ["no such", &name].map(|key| attachments.get(key));
                assert_eq!(each, one_by_one);
                let entry = format!("{}={value}", quote(key.unwrap()));
                assert!(map.contains(&entry), "{entry} in {map}");
            }
            let count = with_map(body, |_, entries| entries.len());
            assert_eq!(attachments.len(), count);
        } else {
            assert!(r.meaning.starts_with(&parts.join(" ; ")));
            // Each argument is a write of its own: a length, and as much.
            for argument in request.arguments() {
                let (len, value) = argument.split_first_chunk::<4>().unwrap();
                let context = format!("{} {}", r.file, r.case);
                assert_eq!(u32::from_be_bytes(*len) as usize, value.len(), "{context}");
            }
        }
    }
    assert!(seen > 270);
}

/// Looks at the map at the end of a body by decoding all of it: what is in the map may refer to types
/// that were named before.
fn with_map<T>(body: &[u8], look: impl FnOnce(&Graph<'_>, &[[Value<'_>; 2]]) -> T) -> T {
    let (graph, values) = hessian2::decode(body, &Limits::default()).unwrap();
    let Some(Value::Node(id)) = values.last() else {
        panic!("no map")
    };
    match graph.node(*id) {
        Some(hessian2::Node::Map { entries, .. }) => look(&graph, entries),
        other => panic!("{other:?}"),
    }
}

fn attachment(body: &[u8], key: &str) -> String {
    with_map(body, |graph, entries| {
        let key = Value::String(Text::new(key));
        let entry = entries.iter().find(|entry| entry[0] == key).unwrap();
        Show::default().value(graph, entry[1])
    })
}

/// Every prefix of a body asks for more until the strings are there, and then says the same.
#[test]
fn a_peek_needs_no_more_than_the_strings() {
    for r in recorded() {
        let (head, body) = frame(&r.bytes);
        if head.kind != FrameKind::Request || head.event {
            continue;
        }
        let whole = RequestPeek::parse(&head, body, &Limits::default())
            .unwrap()
            .unwrap();
        let enough = (0..body.len())
            .find(|n| {
                RequestPeek::parse(&head, &body[..*n], &Limits::default())
                    .unwrap()
                    .is_some()
            })
            .unwrap();
        let generic = whole.is_generic();
        assert!(if generic {
            enough > whole.len()
        } else {
            enough == whole.len()
        });
        for n in enough..body.len() {
            let peek = RequestPeek::parse(&head, &body[..n], &Limits::default())
                .unwrap()
                .unwrap();
            assert_eq!(peek, whole);
        }
    }
}

#[test]
fn responses_are_seen_as_they_are() {
    let limits = Limits::default();
    let mut exceptions = 0;
    for r in recorded() {
        let (head, body) = frame(&r.bytes);
        if head.kind != FrameKind::Response || head.event {
            continue;
        }
        let context = format!("{} {}", r.file, r.case);
        let response = Response::parse(&head, body, &limits).unwrap();
        let is_hessian = head.serialization == Serialization::HESSIAN2;
        let dubbo = response.attachments().text("dubbo");
        match response.outcome() {
            Outcome::Failed(message) => {
                let quoted = quote(message.unwrap());
                if is_hessian {
                    assert_eq!(
                        r.meaning,
                        format!("status {} {quoted}", head.status.0),
                        "{context}"
                    );
                } else {
                    let expected: String = serde_json::from_str(&r.meaning).unwrap();
                    assert!(message.unwrap() == expected.as_str(), "{context}");
                }
                assert_eq!(dubbo, None);
                let of = |version: &str| r.file.contains(version);
                let status = match r.case.trim_start_matches("fastjson2-") {
                    "threadpool-exhausted" => Status::SERVER_THREADPOOL_EXHAUSTED,
                    "not-found" if of("-2.") => Status::SERVICE_ERROR,
                    "response-too-long" if of("-3.2") || of("-3.3") => Status::SERIALIZATION_ERROR,
                    "response-too-long" | "async" => Status::BAD_RESPONSE,
                    "payload-exceeded" if of("-3.1") => Status::BAD_RESPONSE,
                    _ => Status::BAD_REQUEST,
                };
                assert_eq!(head.status, status, "{context}");
            }
            Outcome::Exception(thrown) => {
                exceptions += 1;
                let expected = match r.case.trim_start_matches("fastjson2-") {
                    "fail" => ("demo.BizException", "no luck 不", Some(42)),
                    "failrt" if is_hessian => {
                        ("java.lang.IllegalStateException", "bad state", None)
                    }
                    "failrt" => ("IllegalStateException", "bad state", None),
                    other => panic!("{other} threw"),
                };
                let class = thrown.class.unwrap();
                let message = thrown.message.unwrap();
                let found = (
                    &*class.to_str_lossy(),
                    &*message.to_str_lossy(),
                    thrown.code,
                );
                assert_eq!(found, expected, "{context}");
                assert_eq!(dubbo, Some(Text::new("2.0.2")));
            }
            Outcome::Value(_) | Outcome::Null => assert_eq!(dubbo, Some(Text::new("2.0.2"))),
        }
    }
    // Two a version, as many with fastjson2, one a mixed pair.
    assert_eq!(exceptions, 2 * 5 + 2 * 3 + 8);
}

#[test]
fn events_are_told_apart() {
    let mut seen = Vec::new();
    let all = recorded();
    for r in &all {
        let (head, body) = frame(&r.bytes);
        if head.event {
            seen.push((r.case.clone(), r.side, Event::parse(&head, body).unwrap()));
        }
    }
    assert!(seen.iter().any(|(case, ..)| case == "fastjson2-heartbeat"));
    for (case, side, event) in &seen {
        let expected = match (&**case, side) {
            ("shutdown", 'P') => Event::ReadOnly,
            _ => Event::Heartbeat,
        };
        assert_eq!(*event, expected, "{case} {side}");
    }
    assert!(
        seen.iter()
            .filter(|(_, _, e)| *e == Event::ReadOnly)
            .count()
            >= 5
    );
}

/// The values of fastjson2 bodies are what fastjson2's own dump says.
#[test]
fn every_jsonb_value_means_what_fastjson2_reads() {
    let mut compared = 0;
    for r in of(Serialization::FASTJSON2) {
        let (_, mut body) = frame(&r.bytes);
        for meaning in r.meaning.split(" ; ") {
            let (len, rest) = body.split_first_chunk::<4>().unwrap();
            let (value, rest) = rest.split_at(u32::from_be_bytes(*len) as usize);
            body = rest;
            let value = jsonb::decode(value, &Limits::default()).unwrap();
            if meaning != "~" {
                let expected: serde_json::Value = serde_json::from_str(meaning).unwrap();
                assert_eq!(as_json(&value), expected, "{} {}", r.file, r.case);
                compared += 1;
            }
        }
        assert!(body.is_empty());
    }
    assert!(compared > 600, "{compared}");
}

/// As `JSONBDump` shows values.
fn as_json(value: &jsonb::Value<'_>) -> serde_json::Value {
    use jsonb::Value as V;
    match value {
        V::Null => serde_json::Value::Null,
        V::Bool(value) => (*value).into(),
        V::Byte(value) => (*value).into(),
        V::Int(value) => (*value).into(),
        V::Long(value) => (*value).into(),
        V::Double(value) => (*value).into(),
        V::String(text) => text.to_string().into(),
        V::Reference(path) => serde_json::json!({"$ref": path.to_string()}),
        V::Array(items) => items.iter().map(as_json).collect(),
        V::Instant(seconds, nanos) => (seconds * 1000 + i64::from(*nanos) / 1_000_000).into(),
        V::Binary(bytes) => bytes.to_vec().into(),
        V::Object(entries) => {
            let name = |name: &V<'_>| as_json(name).as_str().unwrap().to_owned();
            entries
                .iter()
                .map(|[key, value]| (name(key), as_json(value)))
                .collect()
        }
        V::Typed(class, value) => match as_json(value) {
            serde_json::Value::Object(mut fields) => {
                fields.insert("@type".into(), class.to_string().into());
                fields.into()
            }
            value => serde_json::json!({"@type": class.to_string(), "@value": value}),
        },
        other => panic!("{other:?}"),
    }
}

/// Encoded again and decoded again, a tree is the same tree.
#[test]
fn every_jsonb_value_survives() {
    for r in of(Serialization::FASTJSON2) {
        let (_, mut body) = frame(&r.bytes);
        while let Some((len, rest)) = body.split_first_chunk::<4>() {
            let (bytes, rest) = rest.split_at(u32::from_be_bytes(*len) as usize);
            body = rest;
            let value = jsonb::decode(bytes, &Limits::default()).unwrap();
            let again = jsonb::encode(&value);
            assert_eq!(
                jsonb::decode(&again, &Limits::default()).unwrap(),
                value,
                "{}",
                r.case
            );
        }
    }
}
