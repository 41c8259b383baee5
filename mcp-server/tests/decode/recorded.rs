//! Every recorded frame says what the library that wrote it reads in it.

use dubbo_mcp_server::decode::Ended;
use serde_json::{Value, json};

use crate::meaning;
use crate::support::{Ran, Recorded, recorded, run, stream};

const VERSIONS: [&str; 5] = ["2.6.12", "2.7.23", "3.1.11", "3.2.16", "3.3.6"];

/// What is printed of a stream of frames, one object each.
fn objects(frames: &[Recorded]) -> Vec<Value> {
    let ran = run(&["--output", "json"], &stream(frames));
    assert_eq!(ran.ended, Ok(Ended::Done), "{}", ran.report);
    let objects = ran.objects();
    assert_eq!(objects.len(), frames.len());
    objects
}

/// The elements of an object's array.
fn array(object: &Value, name: &str) -> Vec<Value> {
    object[name].as_array().cloned().unwrap_or_default()
}

/// The result or message of a response, as a value of its body.
fn answer(object: &Value) -> Vec<Value> {
    match object {
        _ if object.get("exception").is_some() => vec![object["exception"]["value"].clone()],
        _ if object.get("error").is_some() => vec![object["error"].clone()],
        _ => object
            .get("value")
            .filter(|v| !v.is_null())
            .cloned()
            .into_iter()
            .collect(),
    }
}

#[test]
fn hessian2_says_what_hessian_lite_reads() {
    let mut seen = 0;
    for version in VERSIONS {
        let frames = recorded(version);
        for (frame, object) in frames.iter().zip(objects(&frames)) {
            if object["serialization"] != "hessian2" {
                continue;
            }
            let name = format!("{version} {}: {object}", frame.case);
            let (values, attachments) = meaning::body(&frame.meaning);
            let (words, rest): (Vec<Value>, Vec<Value>) = match frame.meaning.split(' ').next() {
                Some("request") => (values[..5].to_vec(), values[5..].to_vec()),
                Some("result" | "status") => (values[..1].to_vec(), values[1..].to_vec()),
                _ => {
                    let event = match values.first() {
                        Some(Value::Null) => "heartbeat",
                        _ => "readonly",
                    };
                    assert_eq!(object["event"], event, "{name}");
                    continue;
                }
            };
            seen += 1;
            if frame.from_consumer {
                assert_eq!(object["kind"], "request");
                assert_eq!(object["dubbo"], words[0], "{name}");
                assert_eq!(object["method"], words[3], "{name}");
                assert_eq!(array(&object, "arguments"), rest, "{name}");
            } else {
                assert_eq!(object["kind"], "response");
                let rest: Vec<_> = rest.into_iter().filter(|v| !v.is_null()).collect();
                assert_eq!(answer(&object), rest, "{name}");
            }
            let found = object.get("attachments").cloned().unwrap_or_default();
            assert_eq!(found, attachments, "{name}");
        }
    }
    assert!(seen > 250, "{seen}");
}

#[test]
fn fastjson2_says_what_fastjson2_reads() {
    let mut seen = 0;
    for version in &VERSIONS[2..] {
        let frames = recorded(version);
        for (frame, object) in frames.iter().zip(objects(&frames)) {
            if object["serialization"] != "fastjson2" || object.get("event").is_some() {
                continue;
            }
            let name = format!("{version} {}: {object}", frame.case);
            let mut parts: Vec<_> = frame.meaning.split(" ; ").map(in_our_words).collect();
            if object["kind"] == "request" {
                assert_eq!(Some(&object["method"]), parts[3].as_ref(), "{name}");
                let attachments = parts.pop().unwrap();
                assert_eq!(object.get("attachments"), attachments.as_ref(), "{name}");
                same(&array(&object, "arguments"), &parts[5..], &name);
            } else if object["status"] == 20 {
                let attachments = parts.pop().unwrap();
                assert_eq!(object.get("attachments"), attachments.as_ref(), "{name}");
                same(&answer(&object), &parts[1..], &name);
            } else {
                same(&answer(&object), &parts, &name);
            }
            seen += 1;
        }
    }
    assert!(seen > 90, "{seen}");
}

fn same(found: &[Value], expected: &[Option<Value>], name: &str) {
    assert_eq!(found.len(), expected.len(), "{name}");
    for (found, expected) in found.iter().zip(expected) {
        // fastjson2's own dump fails on some values that its parser reads.
        if let Some(expected) = expected {
            assert_eq!(found, expected, "{name}");
        }
    }
}

/// JSON as fastjson2 dumps JSONB, with the codec's names for what JSON has no word for.
fn in_our_words(text: &str) -> Option<Value> {
    fn renamed(value: Value) -> Value {
        match value {
            Value::Array(items) => items.into_iter().map(renamed).collect(),
            Value::Object(fields) if fields.get("@type") == Some(&json!("[B")) => {
                let bytes = fields["@value"].as_array().unwrap();
                let hex: String = bytes
                    .iter()
                    .map(|b| format!("{:02x}", b.as_i64().unwrap()))
                    .collect();
                json!({"$class": "[B", "$items": {"$bytes": hex}})
            }
            Value::Object(fields) => {
                let name = |name: String| match &*name {
                    "@type" => "$class".into(),
                    "@value" => "$items".into(),
                    _ => name,
                };
                fields
                    .into_iter()
                    .map(|(key, value)| (name(key), renamed(value)))
                    .collect()
            }
            other => other,
        }
    }
    serde_json::from_str(text).ok().map(renamed)
}

/// Responses name what was called, in whatever order they come; the requests are the oracle.
#[test]
fn responses_are_matched_by_their_ids() {
    let mut seen = 0;
    for version in VERSIONS {
        let frames = recorded(version);
        for case in ["multiplex", "threadpool-exhausted", "group-version-path"] {
            let frames: Vec<_> = recorded(version)
                .into_iter()
                .filter(|f| f.case == case)
                .collect();
            let objects = objects(&frames);
            for object in objects.iter().filter(|object| object["kind"] == "response") {
                let asked = objects
                    .iter()
                    .find(|other| other["kind"] == "request" && other["id"] == object["id"]);
                let asked = asked.unwrap();
                for name in ["interface", "group", "version", "method"] {
                    assert_eq!(object.get(name), asked.get(name), "{version} {case} {name}");
                }
                seen += 1;
            }
        }
        assert!(!frames.is_empty());
    }
    assert!(seen > 40, "{seen}");
}

/// The consumer of these called the same methods with the same arguments as that of hessian2.
#[test]
fn the_other_serializations_say_the_same() {
    let other = recorded("2.7.23-other");
    let (plain, other_objects) = (recorded("2.7.23"), objects(&other));
    let hessian = objects(&plain);
    let mut seen = 0;
    for (frame, object) in other.iter().zip(&other_objects) {
        let (serialization, case) = frame.case.split_once('-').unwrap();
        assert_eq!(object["serialization"], serialization);
        // A bean is a map without its class here; a heartbeat comes after a call.
        if !["hello", "add", "null", "void", "att"].contains(&case) {
            continue;
        }
        let same = plain
            .iter()
            .zip(&hessian)
            .find(|(twin, _)| twin.case == case && twin.from_consumer == frame.from_consumer);
        let (_, twin) = same.unwrap();
        let is_att_answer = case == "att" && !frame.from_consumer;
        for name in [
            "kind",
            "interface",
            "method",
            "parameters",
            "arguments",
            "attachments",
            "status",
        ] {
            assert_eq!(object.get(name), twin.get(name), "{} {name}", frame.case);
        }
        // That answer has the length of the request in it.
        if !is_att_answer {
            assert_eq!(answer(object), answer(twin), "{}", frame.case);
        }
        seen += 1;
    }
    assert!(seen > 25, "{seen}");
}

#[test]
fn what_a_person_sees() {
    let frames = recorded("2.7.23");
    let of = |case: &str| -> Vec<u8> {
        let frames = frames.iter().filter(|frame| frame.case == case);
        frames.flat_map(|frame| frame.bytes.clone()).collect()
    };
    // Names, values and lengths are those of the recording.
    let Ran { out, ended, report } = run(&[], &of("fail"));
    let expected = "\
@0 request 9, hessian2, 183 bytes
    call         demo.GreetService fail(java.lang.String)
    argument     \"no luck 不\"
    attachments  path: \"demo.GreetService\", remote.application: \"greet-consumer\", interface: \"demo.GreetService\", version: \"0.0.0\"
@183 response 9 OK (20), hessian2, 2876 bytes
    to           demo.GreetService fail
    exception    demo.BizException: no luck 不
    with         code: 42
      at         demo.GreetImpl.fail(GreetImpl.java:15)
";
    assert_eq!(ended, Ok(Ended::Done));
    assert!(out.starts_with(expected), "{out}");
    assert!(
        out.ends_with("more\n    attachments  dubbo: \"2.0.2\"\n"),
        "{out}"
    );
    assert_eq!(report, "2 frames\n");
    let heartbeat = of("heartbeat");
    let Ran { out, .. } = run(&[], &heartbeat[heartbeat.len() - 34..]);
    let expected = "\
@0 event 1 heartbeat, hessian2, 17 bytes
@17 event answer 1 heartbeat OK (20), hessian2, 17 bytes
";
    assert_eq!(out, expected);
}

#[test]
fn hex_of_any_form_is_the_same_as_bytes() {
    let bytes = stream(&recorded("3.3.6"));
    let expected = run(&[], &bytes).out;
    let rows = bytes.chunks(16).enumerate();
    let dump: String = rows
        .map(|(row, bytes)| {
            let hex: Vec<_> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            let hex = hex.join(" ");
            let shown: String = bytes
                .iter()
                .map(|b| char::from(*b))
                .map(|c| if c.is_ascii_graphic() { c } else { '.' })
                .collect();
            format!("{:08x}  {hex:47}  |{shown}|\n", row * 16)
        })
        .collect();
    let plain: String = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
    assert_eq!(run(&["--hex"], dump.as_bytes()).out, expected);
    assert_eq!(run(&["--hex"], plain.as_bytes()).out, expected);
}

/// The bytes are examples of the Hessian 2.0 specification, sections 4.2 and 4.9.
#[test]
fn bare_values() {
    let bytes =
        b"M\x13com.caucho.test.Car\x05color\x0aaquamarine\x05model\x06BeetleZ\x4b\xe3\x83\x8c\x34";
    let ran = run(&["--hessian2"], &bytes[..bytes.len() - 5]);
    let expected = r#"{"$class":"com.caucho.test.Car","color":"aquamarine","model":"Beetle"}"#;
    assert_eq!(
        (ran.ended, ran.out),
        (Ok(Ended::Done), format!("{expected}\n"))
    );
    let ran = run(&["--hessian2"], &bytes[..40]);
    assert_eq!(ran.ended, Ok(Ended::Broken));
    assert!(
        ran.out
            .starts_with(r#"{"$class":"com.caucho.test.Car","color":"aquamarine"}"#),
        "{}",
        ran.out
    );
    assert!(ran.out.contains("the input ends too early"), "{}", ran.out);
}

/// Values that Dubbo 3.3.6 answered in fastjson2; what they are is what Java told when they were recorded.
#[test]
fn bare_values_in_jsonb() {
    /// Head, flag with its length, length of the value.
    const BEFORE: usize = 16 + 4 + 2 + 4;
    for (case, expected) in [
        ("fastjson2-map", r#"{"size":2,"big":1073741824,"one":1}"#),
        ("fastjson2-async", r#""async A from p1""#),
    ] {
        let frames = recorded("3.3.6");
        let response = frames
            .iter()
            .find(|frame| frame.case == case && !frame.from_consumer)
            .unwrap();
        let length = u32::from_be_bytes(response.bytes[BEFORE - 4..BEFORE].try_into().unwrap());
        let value = &response.bytes[BEFORE..][..length as usize];
        assert!(response.meaning.contains(expected), "{case}");
        let ran = run(&["--jsonb"], value);
        let expected = (Ok(Ended::Done), format!("{expected}\n"));
        assert_eq!((ran.ended, ran.out), expected, "{case}");
        let cut = run(&["--jsonb"], &value[..value.len() - 1]);
        assert_eq!(cut.ended, Ok(Ended::Broken), "{case}");
    }
}
