//! Frames that are changed or made here, read there.

use dubbo_codec::{Frame, Limits, Reply, Request, RequestEdit, Status, Text};

use super::process::{Oracle, hessian_lite};
use super::recorded::{quote, recorded};

/// The entries of the outermost map that `text` ends with, and what stands before it.
fn split_map(text: &str) -> (&str, Vec<String>) {
    let at = text.rfind(" | {").expect("attachments") + 4;
    let inner = text[at..].strip_suffix('}').expect("a map");
    let (mut entries, mut depth, mut quoted, mut escaped) = (vec![String::new()], 0, false, false);
    for c in inner.chars() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => quoted = !quoted,
            '{' | '[' | '(' if !quoted => depth += 1,
            '}' | ']' | ')' if !quoted => depth -= 1,
            ',' if !quoted && depth == 0 => {
                entries.push(String::new());
                continue;
            }
            _ => {}
        }
        entries.last_mut().unwrap().push(c);
    }
    (&text[..at], entries)
}

/// What the frame means when one attachment is set, by Dubbo's own reading of the original.
pub(super) fn with(meaning: &str, key: &str, value: Option<&str>) -> String {
    let (before, mut entries) = split_map(meaning);
    let prefix = format!("{}=", quote(Text::new(key)));
    let found = entries.iter().position(|entry| entry.starts_with(&prefix));
    match (found, value) {
        (Some(at), Some(value)) => entries[at] = prefix + &quote(Text::new(value)),
        (Some(at), None) => drop(entries.remove(at)),
        (None, Some(value)) => entries.push(prefix + &quote(Text::new(value))),
        (None, None) => {}
    }
    format!("{before}{}}}", entries.join(","))
}

#[test]
fn a_patch_changes_what_it_says_and_nothing_else() {
    let mut oracles = hessian_lite();
    let limits = Limits::default();
    let mut patched = 0;
    for r in recorded() {
        let frame = Frame::parse(&r.bytes, &limits).unwrap().unwrap();
        let head = *frame.head();
        if !r.meaning.starts_with("request ") {
            continue;
        }
        let request = Request::parse(&head, frame.body(), &limits).unwrap();
        let nothing = request.patch(&head, &RequestEdit::new(), &limits).unwrap();
        assert!(nothing.is_empty() && nothing.to_vec() == r.bytes);
        for (key, value) in [
            ("path", Some("other")),
            ("new", Some("值😀")),
            ("version", None),
            ("absent", None),
            ("objmap", None),
            ("objmap", Some("text")),
            ("plain", Some("x")),
        ] {
            let mut edit = RequestEdit::new();
            match value {
                Some(value) => edit.set(key, value),
                None => edit.remove(key),
            };
            let patch = request.patch(&head, &edit, &limits).unwrap();
            let frame = patch.to_vec();
            assert_eq!(frame.len(), patch.frame_len());
            let expected = with(&r.meaning, key, value);
            assert_eq!(patch.is_empty(), expected == r.meaning);
            for oracle in &mut oracles {
                assert_eq!(
                    oracle.ask('F', &frame).as_deref(),
                    Ok(&*expected),
                    "{} {}",
                    r.file,
                    r.case
                );
            }
            patched += 1;
        }
    }
    assert!(patched > 700);
}

/// A body with attachments that hold and share objects, as hessian-lite reads it.
fn entangled() -> Vec<u8> {
    let mut body = b"\x052.0.2\x03p.S\x050.0.0\x01m\x12Ljava/lang/Object;".to_vec();
    // The argument: a list (0) with an object (1) of class 0.
    body.extend(b"\x79C\x03p.A\x91\x01f\x60\x91");
    // The map (2): a typed list (3) that holds a map (4), class 1 and its object (5);
    // then references to the argument's object, to the map and to the object; class 1 and the type again.
    body.extend(b"H\x01a\x72\x01TH\x01k\x01vZC\x03p.B\x91\x01g\x61\x92");
    body.extend(b"\x01b\x79\x51\x91\x01c\x79\x51\x94\x01d\x51\x95\x01e\x61\x51\x95\x01f\x70\x90");
    body.extend(b"\x01g\x01sZ");
    let head = [
        b"\xda\xbb\xc2\0\0\0\0\0\0\0\0\x01\0\0\0".as_slice(),
        &[body.len() as u8],
    ]
    .concat();
    [head, body].concat()
}

#[test]
fn what_is_removed_renumbers_what_comes_after_it() {
    let mut oracles = hessian_lite();
    let limits = Limits::default();
    let bytes = entangled();
    let frame = Frame::parse(&bytes, &limits).unwrap().unwrap();
    let request = Request::parse(frame.head(), frame.body(), &limits).unwrap();
    let strings = r#"request "2.0.2" "p.S" "0.0.0" "m" "Ljava/lang/Object;" ["p.A"(f=1)] | "#;
    let original = format!(
        r#"{strings}{{"a"="T"[{{"k"="v"}},"p.B"(g=2)],"b"=[@1],"c"=[@4],"d"=@5,"e"="p.B"(g=@5),"f"="T"[],"g"="s"}}"#
    );
    let without_a = format!(
        r#"{strings}{{"b"=[@1],"c"=[{{"k"="v"}}],"d"="p.B"(g=2),"e"="p.B"(g=@6),"f"="T"[],"g"="s"}}"#
    );
    let with_a = without_a.replace(r#"| {"#, r#"| {"a"="x","#);
    for (edit, expected) in [
        (RequestEdit::new(), original),
        (RequestEdit::new().remove("a").clone(), without_a),
        (RequestEdit::new().set("a", "x").clone(), with_a),
    ] {
        let patch = request.patch(frame.head(), &edit, &limits).unwrap();
        for oracle in &mut oracles {
            assert_eq!(oracle.ask('F', &patch.to_vec()).as_deref(), Ok(&*expected));
        }
    }
}

#[test]
fn replies_are_what_consumers_read() {
    let mut hessian = hessian_lite();
    let mut jsonb = Oracle::java("JsonbOracle", "dubbo-3.2.16");
    for r in recorded()
        .into_iter()
        .filter(|r| r.case.ends_with("hello") && r.side == 'C')
    {
        let head = *Frame::parse(&r.bytes, &Limits::default())
            .unwrap()
            .unwrap()
            .head();
        let reply = Reply::to(&head, Some(Text::new("2.0.2"))).unwrap();
        let old = Reply::to(&head, Some(Text::new("2.5.3"))).unwrap();
        let class = "org.apache.dubbo.rpc.RpcException";
        let frames = [
            reply.error(Status::SERVER_ERROR, "no 😀"),
            reply.null(),
            old.null(),
            reply.string("s"),
            reply.exception(class, "why"),
        ];
        let expected: [(&str, &str); 5] = [
            (r#"status 80 "no \ud83d\ude00""#, "\"no \\ud83d\\ude00\""),
            (
                r#"result 5 | {"dubbo"="2.0.2"}"#,
                "5\t{\"dubbo\":\"2.0.2\"}",
            ),
            ("result 2", "2"),
            (
                r#"result 4 "s" | {"dubbo"="2.0.2"}"#,
                "4\t\"s\"\t{\"dubbo\":\"2.0.2\"}",
            ),
            (
                r#"result 3 "org.apache.dubbo.rpc.RpcException"(detailMessage="why",cause=@0,stackTrace="[java.lang.StackTraceElement"[],suppressedExceptions=[]) | {"dubbo"="2.0.2"}"#,
                "3\t{\"@type\":\"org.apache.dubbo.rpc.RpcException\",\"detailMessage\":\"why\",\"stackTrace\":[]}\t{\"dubbo\":\"2.0.2\"}",
            ),
        ];
        for (frame, (lite, dump)) in frames.iter().zip(expected) {
            if head.serialization == dubbo_codec::Serialization::FASTJSON2 {
                assert_eq!(jsonb.ask('F', frame).as_deref(), Ok(dump));
            } else {
                for oracle in &mut hessian {
                    assert_eq!(oracle.ask('F', frame).as_deref(), Ok(lite));
                }
            }
        }
    }
    // Java's own classes: an exception with its message.
    let request = dubbo_codec::FrameHead::parse(&entangled())
        .unwrap()
        .unwrap();
    for (oracle, class) in hessian.iter_mut().zip([
        "java.lang.RuntimeException",
        "org.apache.dubbo.rpc.RpcException",
    ]) {
        let frame = Reply::to(&request, None).unwrap().exception(class, "why");
        assert_eq!(
            oracle.ask('J', &frame[17..]),
            Ok(format!("{class}:\"{class}: why\""))
        );
    }
}
