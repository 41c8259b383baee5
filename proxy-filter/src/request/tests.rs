use dubbo_codec::{AttachmentValue, Serialization, hessian2};
use proptest::prelude::*;

use super::*;
use crate::recorded::{self, frame};

type Headers = Vec<(Vec<u8>, Vec<u8>)>;

fn config(json: &str) -> Config {
    Config::parse(json.as_bytes()).unwrap()
}

fn made(bytes: &[u8], config: &Config) -> (Headers, Call) {
    let mut headers = Headers::new();
    let call = to_headers(&frame(bytes), config, &mut Seen::default(), &mut headers).unwrap();
    (headers, call)
}

fn pairs(headers: &Headers) -> impl Iterator<Item = (&[u8], &[u8])> + Clone {
    headers.iter().map(|(name, value)| (&**name, &**value))
}

/// Headers without the seal, one a line.
fn lines(bytes: &[u8], config: &Config) -> String {
    let (mut headers, _) = made(bytes, config);
    let (name, value) = headers.pop().unwrap();
    assert_eq!((&*name, value.len()), (names::SEAL.as_bytes(), 32));
    recorded::lines(&headers)
}

fn refused(bytes: &[u8], config: &Config) -> (Class, String) {
    let mut headers = Headers::new();
    let refusal =
        to_headers(&frame(bytes), config, &mut Seen::default(), &mut headers).unwrap_err();
    assert!(headers.is_empty());
    (refusal.class(), refusal.text().into())
}

fn set(headers: &mut Headers, name: &str, value: &str) {
    headers.retain(|(known, _)| known != name.as_bytes());
    headers.push((name.into(), value.into()));
}

/// A request frame in Hessian 2, with one string as argument.
fn written(
    service: &str,
    version: &str,
    method: &str,
    types: &str,
    attachments: &[(&str, &str)],
) -> Vec<u8> {
    let mut body = hessian2::Writer::new();
    for text in ["2.0.2", service, version, method, types, "x"] {
        body.string(Text::new(text));
    }
    body.begin_map(None);
    for (key, value) in attachments {
        body.string(Text::new(key));
        body.string(Text::new(value));
    }
    body.end_map();
    framed(&body.into_bytes())
}

fn framed(body: &[u8]) -> Vec<u8> {
    let head = FrameHead {
        kind: FrameKind::Request,
        two_way: true,
        event: false,
        serialization: Serialization::HESSIAN2,
        status: Status(0),
        id: 7,
        body_len: body.len() as u32,
    };
    [&head.to_bytes()[..], body].concat()
}

const STRING: &str = "Ljava/lang/String;";

#[test]
fn recorded_calls_have_their_headers() {
    let config = config(
        r#"{"attachments":["dubbo.tag","plain","utf8","objint","objmap"],"custom_paths":"trust"}"#,
    );
    let call = |rest: &str| format!(":method: POST\n:scheme: http\n{rest}");
    for (version, case, expected) in [
        (
            "2.6.12",
            "hello",
            ":authority: demo.greetservice.dubbo\n:path: /demo.GreetService/hello\n\
             content-type: application/x-dubbo2\ndubbo-serialization: hessian2\n",
        ),
        (
            "3.3.6",
            "hello",
            ":authority: demo.greetservice.dubbo\n:path: /demo.GreetService/hello\n\
             content-type: application/x-dubbo2\ntri-consumer-appname: greet-consumer\n\
             tri-service-timeout: 5000\ndubbo-serialization: hessian2\n",
        ),
        (
            "2.7.23",
            "group-version-path",
            ":authority: v1-2-0.g-gray.demo.greetservice.dubbo\n:path: /demo.GreetService/hello\n\
             content-type: application/x-dubbo2\ntri-service-version: 1.2.0\ntri-service-group: gray\n\
             tri-consumer-appname: greet-consumer\ndubbo-serialization: hessian2\n",
        ),
        (
            "3.3.6",
            "fastjson2-tag",
            ":authority: demo.greetservice.dubbo\n:path: /demo.GreetService/context\n\
             content-type: application/x-dubbo2\ntri-consumer-appname: greet-consumer\n\
             tri-service-timeout: 5000\ndubbo-serialization: fastjson2\ndubbo.tag: gray\n",
        ),
        (
            "3.3.6",
            "oneway",
            ":authority: demo.greetservice.dubbo\n:path: /demo.GreetService/ping\n\
             content-type: application/x-dubbo2\ntri-consumer-appname: greet-consumer\n\
             tri-service-timeout: 5000\ndubbo-serialization: hessian2\ndubbo-oneway: true\n",
        ),
        (
            "3.3.6",
            "fastjson2-generic",
            ":authority: demo.greetservice.dubbo\n:path: /demo.GreetService/hello\n\
             content-type: application/x-dubbo2\ntri-consumer-appname: greet-consumer\ndubbo-generic: true\n\
             tri-service-timeout: 5000\ndubbo-serialization: fastjson2\n",
        ),
        (
            "2.6.12",
            "att",
            ":authority: demo.greetservice.dubbo\n:path: /demo.GreetService/context\n\
             content-type: application/x-dubbo2\ndubbo-serialization: hessian2\n\
             plain: v1\nutf8: UTF-8''%E5%80%BC-%C3%A9-%F0%9F%98%80\n",
        ),
        (
            "3.3.6",
            "attobj",
            ":authority: demo.greetservice.dubbo\n:path: /demo.GreetService/context\n\
             content-type: application/x-dubbo2\ntri-consumer-appname: greet-consumer\n\
             tri-service-timeout: 5000\ndubbo-serialization: hessian2\nplain: v2\nobjint: 17\n",
        ),
        // A 2.7.23 consumer sends the attachments of the call before again.
        (
            "2.7.23-other",
            "msgpack-tag",
            ":authority: demo.greetservice.dubbo\n:path: /demo.GreetService/context\n\
             content-type: application/x-dubbo2\ntri-consumer-appname: greet-consumer\n\
             dubbo-serialization: msgpack\nplain: v2\n\
             utf8: UTF-8''%E5%80%BC-%C3%A9-%F0%9F%98%80\nobjint: 17\ndubbo.tag: gray\n",
        ),
    ] {
        assert_eq!(
            lines(&recorded::request(version, case), &config),
            call(expected),
            "{version} {case}"
        );
    }
}

#[test]
fn a_call_knows_how_it_is_answered() {
    let bytes = recorded::request("3.3.6", "hello");
    let (_, call) = made(&bytes, &Config::default());
    assert_eq!((call.id(), call.two_way()), (frame(&bytes).head().id, true));
    assert_eq!(
        (call.serialization(), call.deadline_ms()),
        (Serialization::HESSIAN2, Some(5000))
    );
    let (_, call) = made(&recorded::request("2.7.23", "hello"), &Config::default());
    assert_eq!(call.deadline_ms(), None);
    let (_, call) = made(
        &recorded::request("3.3.6", "fastjson2-oneway"),
        &Config::default(),
    );
    assert_eq!(
        (call.two_way(), call.error(Status::SERVER_ERROR, "x")),
        (false, vec![])
    );
}

/// The caller's whole time is in `timeout`, what is left of it in `_TO`.
#[test]
fn what_is_left_of_a_timeout_counts_before_it() {
    let millis = |attachments: &[(&str, &str)]| {
        made(
            &written("a.B", "0.0.0", "c", STRING, attachments),
            &Config::default(),
        )
        .1
        .deadline_ms()
    };
    let since_2_7 = ("remote.application", "shop");
    let whole = ("timeout", "3000");
    assert_eq!(millis(&[since_2_7, whole, ("_TO", "120")]), Some(120));
    assert_eq!(millis(&[since_2_7, whole, ("_TO", "0")]), Some(3000));
    assert_eq!(millis(&[since_2_7, whole]), Some(3000));
    // 2.6 says the reference's time-out there; a method with one of its own may wait longer.
    assert_eq!(millis(&[whole]), None);
    for odd in ["-1", "0", "", "soon", "99999999999"] {
        assert_eq!(millis(&[since_2_7, ("timeout", odd)]), None, "{odd}");
    }
}

/// Every recorded call but the two whose path is their own passes, and passes back byte for byte.
#[test]
fn recorded_calls_go_through_unchanged() {
    let (ours, other) = (Config::default(), config(r#"{"attachments":["*"]}"#));
    let mut seen = 0;
    for r in recorded::all() {
        let whole = frame(&r.bytes);
        if whole.head().kind != FrameKind::Request || whole.head().event {
            continue;
        }
        let mut headers = Headers::new();
        to_headers(&whole, &ours, &mut Seen::default(), &mut headers)
            .unwrap_or_else(|refusal| panic!("{}: {refusal}", r.case));
        seen += 1;
        assert!(is_untouched(whole.head(), pairs(&headers), &ours));
        assert!(
            write_back(&whole, pairs(&headers), &ours)
                .unwrap()
                .is_none(),
            "{} {}",
            r.version,
            r.case
        );
        // Without a seal that fits, the frame itself is asked.
        assert!(!is_untouched(whole.head(), pairs(&headers), &other));
        assert!(
            write_back(&whole, pairs(&headers), &other)
                .unwrap()
                .is_none(),
            "{} {}",
            r.version,
            r.case
        );
        headers.pop();
        assert!(
            write_back(&whole, pairs(&headers), &ours)
                .unwrap()
                .is_none()
        );
    }
    assert!(seen > 180, "{seen}");
}

#[test]
fn services_have_the_names_that_the_registry_gives_them() {
    let vectors = include_str!("../../../fixtures/service-hosts.tsv");
    let mut seen = 0;
    for line in vectors.lines().filter(|line| !line.starts_with('#')) {
        let [interface, group, version, host] = line.split('\t').collect::<Vec<_>>()[..] else {
            panic!("{line}");
        };
        let named = [
            ("path", interface),
            ("interface", interface),
            ("version", version),
            ("group", group),
        ];
        let bytes = written(interface, version, "hello", STRING, &named);
        let (headers, _) = made(&bytes, &Config::default());
        assert_eq!(
            headers[2],
            (b":authority".to_vec(), host.as_bytes().to_vec()),
            "{line}"
        );
        assert!(
            write_back(&frame(&bytes), pairs(&headers), &Config::default())
                .unwrap()
                .is_none()
        );
        seen += 1;
    }
    assert!(seen > 20);
}

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
fn of_attachments_that_are_one_header_one_counts() {
    let sent = [
        ("Region", "a"),
        ("region", "b"),
        ("Region", "c"),
        ("reGion", "d"),
    ];
    let bytes = written("a.B", "0.0.0", "c", STRING, &sent);
    for (list, shown) in [
        ("Region", "c"),
        ("region", "b"),
        ("reGion", "d"),
        ("REGION", "c"),
        ("reg*", "c"),
    ] {
        let config = config(&format!(r#"{{"attachments":["{list}"]}}"#));
        let text = lines(&bytes, &config);
        assert!(
            text.ends_with(&format!("\nregion: {shown}\n")),
            "{list}: {text}"
        );
        let mut headers = made(&bytes, &config).0;
        set(&mut headers, "region", "x");
        let patched = write_back(&frame(&bytes), pairs(&headers), &config)
            .unwrap()
            .unwrap()
            .to_vec();
        let all = ["region", "Region", "reGion"].map(|name| (name.to_owned(), "x".to_owned()));
        assert_eq!(attachments(&patched), all);
    }
    // The last value of a name counts, even if it has no text.
    let mut null = written("a.B", "0.0.0", "c", STRING, &[("region", "a")]);
    null.pop();
    null.extend(b"\x06regionNZ");
    let len = (null.len() - 16) as u32;
    null[12..16].copy_from_slice(&len.to_be_bytes());
    assert!(!lines(&null, &config(r#"{"attachments":["region"]}"#)).contains("region"));
}

/// A first argument that Java turns into a name and we do not read: a provider would execute what no
/// policy has seen.
#[test]
fn a_generic_call_of_a_method_that_is_not_told_is_refused() {
    const TYPES: &str = "Ljava/lang/String;[Ljava/lang/String;[Ljava/lang/Object;";
    let strings = ["2.0.2", "a.B", "0.0.0", "$invoke", TYPES];
    let hessian2 = |argument: &[u8]| {
        let mut body = hessian2::Writer::new();
        strings.iter().for_each(|text| body.string(Text::new(text)));
        [&body.into_bytes()[..], argument, b"NNN"].concat()
    };
    // In GB18030; lengths and leads are those of JSONB, `0x7e` before the text, its bytes and an int.
    let value = |bytes: &[u8]| [&(bytes.len() as u32).to_be_bytes()[..], bytes].concat();
    let mut fastjson2 = Vec::new();
    for text in strings {
        let len = text.len() as u8;
        let lead = match len {
            ..48 => vec![0x49 + len],
            _ => vec![0x79, 0x38, len],
        };
        fastjson2.extend(value(&[&lead, text.as_bytes()].concat()));
    }
    for argument in [
        &b"\x7e\x04\xd6\xa7\xb8\xb6"[..],
        b"\xaf",
        b"\xaf",
        b"\xa6\xa5",
    ] {
        fastjson2.extend(value(argument));
    }
    let mut in_fastjson2 = framed(&fastjson2);
    in_fastjson2[2] = in_fastjson2[2] & 0xe0 | Serialization::FASTJSON2.id();
    let invoke = config(r#"{"generic":"invoke"}"#);
    for bytes in [
        framed(&hessian2(b"N")),
        framed(&hessian2(b"\x91")),
        framed(&hessian2(b"\x07$invoke")),
        in_fastjson2,
    ] {
        let (class, text) = refused(&bytes, &Config::default());
        assert_eq!(
            (class, &*text),
            (
                Class::Generic,
                "the method that this generic call means cannot be told"
            )
        );
        assert!(lines(&bytes, &invoke).contains(":path: /a.B/$invoke\n"));
    }
}

#[test]
fn generic_calls_say_which_kind_they_are() {
    const TYPES: &str = "Ljava/lang/String;[Ljava/lang/String;[Ljava/lang/Object;";
    for (kind, header) in [
        (&[("generic", "bean")][..], "bean"),
        (&[], "true"),
        (&[("generic", "")], "true"),
    ] {
        let mut body = hessian2::Writer::new();
        for text in ["2.0.2", "a.B", "0.0.0", "$invokeAsync", TYPES, "hello"] {
            body.string(Text::new(text));
        }
        body.null();
        body.null();
        body.begin_map(None);
        for (key, value) in kind {
            body.string(Text::new(key));
            body.string(Text::new(value));
        }
        body.end_map();
        let text = lines(&framed(&body.into_bytes()), &Config::default());
        assert!(text.contains(":path: /a.B/hello\n"), "{text}");
        assert!(
            text.contains(&format!("\ndubbo-generic: {header}\n")),
            "{text}"
        );
    }
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

#[test]
fn generic_calls_are_called_as_configured() {
    let bytes = recorded::request("3.3.6", "generic");
    let invoke = config(r#"{"generic":"invoke"}"#);
    let path = |config: &Config| made(&bytes, config).0[3].1.clone();
    assert_eq!(path(&Config::default()), b"/demo.GreetService/hello");
    assert_eq!(path(&invoke), b"/demo.GreetService/$invoke");
    // The other half may be configured otherwise.
    let (headers, _) = made(&bytes, &invoke);
    assert!(
        write_back(&frame(&bytes), pairs(&headers), &Config::default())
            .unwrap()
            .is_none()
    );
}

#[test]
fn bodies_that_cannot_be_read_have_an_authority_of_their_own() {
    let mut kryo = recorded::request("3.3.6", "hello");
    kryo[2] = 0xc8;
    let expected = ":method: POST\n:scheme: http\n:authority: unreadable.dubbo\n:path: /unreadable/kryo\n\
        content-type: application/x-dubbo2\ndubbo-serialization: kryo\n";
    assert_eq!(lines(&kryo, &Config::default()), expected);
    let mut unknown = kryo.clone();
    unknown[2] = 0xc1;
    assert!(lines(&unknown, &Config::default()).contains(":path: /unreadable/1\n"));
    let strict = config(r#"{"unreadable":"refuse"}"#);
    let text = "calls in kryo cannot be routed, their body is not readable";
    assert_eq!(refused(&kryo, &strict), (Class::Unreadable, text.into()));

    let (mut headers, _) = made(&kryo, &Config::default());
    set(&mut headers, "traceparent", "00-1-2-01");
    assert!(
        write_back(&frame(&kryo), pairs(&headers), &Config::default())
            .unwrap()
            .is_none()
    );
    set(&mut headers, "dubbo.tag", "gray");
    let refusal = write_back(&frame(&kryo), pairs(&headers), &Config::default()).unwrap_err();
    assert_eq!(
        refusal.text(),
        "`dubbo.tag` was changed, but kryo bodies cannot be changed"
    );
}

#[test]
fn too_many_headers_are_as_configured() {
    let names: Vec<String> = (0..200).map(|n| format!("a{n}")).collect();
    let many: Vec<(&str, &str)> = names.iter().map(|name| (&**name, "v")).collect();
    let large = "v".repeat(50_000);
    let (many, large) = (
        written("a.B", "1.0", "c", STRING, &many),
        written("a.B", "1.0", "c", STRING, &[("a", &large), ("group", "g")]),
    );
    let refuse = config(r#"{"attachments":["a*"]}"#);
    assert_eq!(refused(&many, &refuse).0, Class::TooManyHeaders);
    assert_eq!(refused(&large, &refuse).0, Class::TooManyHeaders);
    let without = config(r#"{"attachments":["a*"],"over_limit":"route_without_attachments"}"#);
    let expected = ":method: POST\n:scheme: http\n:authority: v1-0.g-g.a.b.dubbo\n:path: /a.B/c\n\
        content-type: application/x-dubbo2\ntri-service-version: 1.0\ntri-service-group: g\n\
        dubbo-serialization: hessian2\n";
    assert_eq!(lines(&large, &without), expected);
    // Nothing was taken away because it was not there.
    let (mut headers, _) = made(&many, &without);
    set(&mut headers, "traceparent", "00-1-2-01");
    let patched = write_back(&frame(&many), pairs(&headers), &without)
        .unwrap()
        .unwrap()
        .to_vec();
    assert_eq!(attachments(&patched).len(), 201);
    let endless = "v".repeat(60_000);
    let hopeless = written("a.B", "1.0", &endless, STRING, &[]);
    assert_eq!(refused(&hopeless, &without).0, Class::TooManyHeaders);
}

/// The bound that needs no counting holds for all headers of the table at once.
#[test]
fn a_request_has_no_more_headers_than_are_reckoned_with() {
    use names::On;
    let rows = names::TABLE
        .iter()
        .filter(|row| row.on != On::Response && row.name != names::STATUS)
        // Not made of a frame.
        .filter(|row| row.name != names::HELD);
    let values = [
        "POST",
        "http",
        names::CONTENT_TYPE_DUBBO,
        "4294967295",
        "native-hessian",
        "true",
    ];
    let bytes = rows.clone().map(|row| row.name.len()).sum::<usize>()
        + values.iter().map(|value| value.len()).sum::<usize>()
        + 32;
    assert_eq!(rows.count(), told::OWN_HEADERS);
    assert!((bytes..bytes + 64).contains(&told::OWN_BYTES), "{bytes}");
}

#[test]
fn the_first_strings_are_enough_where_that_is_configured() {
    let bytes = recorded::request("3.3.6", "group-version-path");
    let whole = frame(&bytes);
    let without = config(r#"{"over_limit":"route_without_attachments"}"#);
    let mut headers = Headers::new();
    let enough = (0..whole.body().len())
        .find(|n| {
            headers.clear();
            to_headers_of_prefix(whole.head(), &whole.body()[..*n], &without, &mut headers)
                .unwrap()
                .is_some()
        })
        .unwrap();
    assert_eq!(
        enough,
        RequestPeek::parse(whole.head(), whole.body(), &without.frames)
            .unwrap()
            .unwrap()
            .len()
    );
    headers.pop();
    let expected = ":method: POST\n:scheme: http\n:authority: v1-2-0.demo.greetservice.dubbo\n\
        :path: /demo.GreetService/hello\ncontent-type: application/x-dubbo2\ntri-service-version: 1.2.0\n\
        dubbo-serialization: hessian2\n";
    assert_eq!(recorded::lines(&headers), expected);
    headers.clear();
    let refusal =
        to_headers_of_prefix(whole.head(), b"", &Config::default(), &mut headers).unwrap_err();
    assert_eq!((refusal.class(), headers.len()), (Class::TooLong, 0));
}

fn attachments(bytes: &[u8]) -> Vec<(String, String)> {
    let whole = frame(bytes);
    let request =
        Request::parse(whole.head(), whole.body(), &dubbo_codec::Limits::default()).unwrap();
    let entry = |(name, value): (Option<Text<'_>>, AttachmentValue<'_>)| {
        let value = match value {
            AttachmentValue::String(text) => text.to_string(),
            other => format!("{other:?}"),
        };
        (name.unwrap().to_string(), value)
    };
    request.attachments().iter().map(entry).collect()
}

/// What is changed, and what the frame's body then is: version and attachments, the rest as before.
#[test]
fn changes_of_the_mesh_are_written_into_the_frame() {
    let sent = [
        ("path", "a.B"),
        ("interface", "a.B"),
        ("version", "1.0"),
        ("group", "g"),
        ("Region", "eu"),
        ("x-B3-traceId", "1"),
        ("token", "t"),
    ];
    let config = config(r#"{"attachments":["region","Zone","acme-*"]}"#);
    let bytes = written("a.B", "1.0", "c", STRING, &sent);
    let with = |changes: &[(&'static str, &str)]| {
        let mut all: Vec<(String, String)> =
            sent.map(|(name, value)| (name.into(), value.into())).into();
        for (name, value) in changes {
            match all.iter_mut().find(|(known, _)| known == name) {
                _ if value.is_empty() => all.retain(|(known, _)| known != name),
                Some(entry) => entry.1 = (*value).into(),
                None => all.push(((*name).into(), (*value).into())),
            }
        }
        all
    };
    for (name, value, version, expected) in [
        ("region", "us", "1.0", with(&[("Region", "us")])),
        (
            "region",
            "UTF-8''%E5%80%BC",
            "1.0",
            with(&[("Region", "值")]),
        ),
        ("region", "é", "1.0", with(&[("Region", "é")])),
        ("region", "", "1.0", with(&[("Region", "")])),
        ("zone", "a", "1.0", with(&[("Zone", "a")])),
        ("acme-a%20b", "1", "1.0", with(&[("acme-a b", "1")])),
        ("x-b3-traceid", "2", "1.0", with(&[("x-B3-traceId", "2")])),
        ("x-b3-spanid", "2", "1.0", with(&[("X-B3-SpanId", "2")])),
        (
            "tri-service-version",
            "2.0",
            "2.0",
            with(&[("version", "2.0")]),
        ),
        (
            "tri-service-version",
            "0.0.0",
            "0.0.0",
            with(&[("version", "0.0.0")]),
        ),
        ("tri-service-group", "h", "1.0", with(&[("group", "h")])),
    ] {
        let mut headers = made(&bytes, &config).0;
        set(&mut headers, name, value);
        if value.is_empty() {
            headers.pop();
        }
        let patched = write_back(&frame(&bytes), pairs(&headers), &config)
            .unwrap()
            .unwrap()
            .to_vec();
        assert_eq!(attachments(&patched), expected, "{name}: {value}");
        let whole = frame(&patched);
        let request = Request::parse(whole.head(), whole.body(), &config.frames).unwrap();
        let peek = request.peek();
        assert_eq!((peek.service, peek.method), ("a.B".into(), "c".into()));
        assert_eq!(peek.version, Some(version.into()));
        assert_eq!(request.arguments().collect::<Vec<_>>(), [b"\x01x"]);
        assert_eq!(whole.head().id, 7);
    }
}

#[test]
fn what_is_taken_away_goes_if_our_seal_says_that_it_was_there() {
    let bytes = written(
        "a.B",
        "1.0",
        "c",
        STRING,
        &[("group", "g"), ("Region", "eu"), ("region", "us")],
    );
    let config = config(r#"{"attachments":["Region"]}"#);
    let all = made(&bytes, &config).0;
    assert!(recorded::lines(&all).contains("\nregion: eu\n"));
    for (name, version, left) in [
        ("region", "1.0", &[("group", "g")][..]),
        (
            "tri-service-group",
            "1.0",
            &[("Region", "eu"), ("region", "us")],
        ),
        (
            "tri-service-version",
            "0.0.0",
            &[("group", "g"), ("Region", "eu"), ("region", "us")],
        ),
    ] {
        let mut headers = all.clone();
        headers.retain(|(known, _)| known != name.as_bytes());
        let patched = write_back(&frame(&bytes), pairs(&headers), &config)
            .unwrap()
            .unwrap()
            .to_vec();
        let left: Vec<_> = left
            .iter()
            .map(|(name, value)| ((*name).into(), (*value).into()))
            .collect();
        assert_eq!(attachments(&patched), left, "{name}");
        let whole = frame(&patched);
        let peek = RequestPeek::parse(whole.head(), whole.body(), &config.frames)
            .unwrap()
            .unwrap();
        assert_eq!(peek.version, Some(version.into()));
        for seal in ["", "00000000000000000000000000000000", "x"] {
            set(&mut headers, names::SEAL, seal);
            let unsealed = write_back(&frame(&bytes), pairs(&headers), &config);
            match name {
                "region" => assert!(unsealed.unwrap().is_none(), "{seal}"),
                // Whoever left it out may have wanted a policy not to see it.
                _ => assert_eq!(unsealed.unwrap_err().class(), Class::BadHeader, "{seal}"),
            }
        }
    }
}

#[test]
fn what_cannot_be_written_is_refused() {
    let bytes = recorded::request("3.3.6", "tag");
    let msgpack = recorded::request("2.7.23-other", "msgpack-tag");
    for (bytes, name, value, class, text) in [
        (
            &bytes,
            ":path",
            "/demo.GreetService/other",
            Class::PathChanged,
            "the path of this call, `/demo.GreetService/context`, was changed to `/demo.GreetService/other`, but a \
             Dubbo call keeps its interface and method",
        ),
        (
            &msgpack,
            "dubbo.tag",
            "blue",
            Class::CannotChange,
            "`dubbo.tag` was changed, but msgpack bodies cannot be changed",
        ),
        (
            &msgpack,
            "tri-service-version",
            "2",
            Class::CannotChange,
            "`tri-service-version` was changed, but msgpack bodies cannot be changed",
        ),
        (
            &bytes,
            "dubbo.tag",
            "UTF-8''%ff",
            Class::BadHeader,
            "the header `dubbo.tag` is no text",
        ),
        (
            &bytes,
            "tri-service-group",
            "UTF-8''%f",
            Class::BadHeader,
            "the header `tri-service-group` is no text",
        ),
    ] {
        let mut headers = made(bytes, &Config::default()).0;
        set(&mut headers, name, value);
        let refusal = write_back(&frame(bytes), pairs(&headers), &Config::default()).unwrap_err();
        assert_eq!((refusal.class(), refusal.text()), (class, text));
    }
    let mut headers = made(&bytes, &Config::default()).0;
    headers.push((b"tri-service-version".to_vec(), b"1".to_vec()));
    headers.push((b"tri-service-version".to_vec(), b"2".to_vec()));
    let refusal = write_back(&frame(&bytes), pairs(&headers), &Config::default()).unwrap_err();
    assert_eq!(
        refusal.text(),
        "2 values of `tri-service-version`: set it, do not add to it"
    );
}

#[test]
fn the_rest_of_what_the_mesh_does_changes_nothing() {
    for (version, case) in [
        ("3.3.6", "tag"),
        ("2.7.23-other", "msgpack-tag"),
        ("2.7.23-other", "gson-tag"),
    ] {
        let bytes = recorded::request(version, case);
        let mut headers = made(&bytes, &Config::default()).0;
        for (name, value) in [
            (":authority", "v2.other.dubbo"),
            ("x-request-id", "1"),
            ("x-envoy-expected-rq-timeout-ms", "15000"),
            ("x-forwarded-proto", "http"),
            ("content-length", "1"),
            ("tri-consumer-appname", "other"),
            ("tri-service-timeout", "1"),
            ("dubbo-oneway", "true"),
            ("group", "h"),
        ] {
            set(&mut headers, name, value);
        }
        assert!(
            write_back(&frame(&bytes), pairs(&headers), &Config::default())
                .unwrap()
                .is_none()
        );
        assert!(is_untouched(
            frame(&bytes).head(),
            pairs(&headers),
            &Config::default()
        ));
        // Tracing is added where it can be, and left out elsewhere.
        set(&mut headers, "traceparent", "00-1-2-01");
        let patch = write_back(&frame(&bytes), pairs(&headers), &Config::default()).unwrap();
        assert_eq!(patch.is_some(), version == "3.3.6", "{case}");
        let mut expected = attachments(&bytes);
        expected.push(("traceparent".into(), "00-1-2-01".into()));
        if let Some(patch) = patch {
            assert_eq!(attachments(&patch.to_vec()), expected);
        }
    }
}

#[test]
fn several_lines_are_one_value() {
    let bytes = recorded::request("3.3.6", "fastjson2-tag");
    let mut headers = made(&bytes, &Config::default()).0;
    headers.push((b"dubbo.tag".to_vec(), b"blue".to_vec()));
    headers.push((b"tracestate".to_vec(), b"a=1".to_vec()));
    headers.push((b"tracestate".to_vec(), b"b=2".to_vec()));
    let patched = write_back(&frame(&bytes), pairs(&headers), &Config::default())
        .unwrap()
        .unwrap()
        .to_vec();
    let mut expected = attachments(&bytes);
    expected
        .iter_mut()
        .filter(|(name, _)| name == "dubbo.tag")
        .for_each(|(_, value)| value.push_str(",blue"));
    expected.push(("tracestate".into(), "a=1,b=2".into()));
    assert_eq!(attachments(&patched), expected);
}

fn header() -> impl Strategy<Value = (Vec<u8>, Vec<u8>)> {
    let name = prop_oneof![
        Just(b":path".to_vec()),
        Just(b"tri-service-version".to_vec()),
        Just(b"tri-service-group".to_vec()),
        Just(b"dubbo-mesh-seal".to_vec()),
        Just(b"traceparent".to_vec()),
        any::<Vec<u8>>(),
    ];
    (name, any::<Vec<u8>>())
}

#[test]
fn a_path_of_its_own_is_shown_as_the_provider_looks_it_up() {
    let bytes = recorded::request("3.3.6", "group-version-path");
    let shown = |options: &str| {
        let headers = made(&bytes, &config(options)).0;
        let value = |name: &str| {
            let (_, value) = headers.iter().find(|(n, _)| n == name.as_bytes()).unwrap();
            String::from_utf8(value.clone()).unwrap()
        };
        (value(":authority"), value(":path"))
    };
    let (authority, path) = shown("{}");
    assert!(
        authority.ends_with(".demo.greetservice.dubbo"),
        "{authority}"
    );
    assert_eq!(path, "/greet/here/hello");
    let trusting = shown(r#"{"custom_paths":"trust"}"#);
    assert_eq!(trusting, (authority, "/demo.GreetService/hello".to_owned()));
}

/// What is remembered of a connection's other calls changes no header: calls that real peers made, and
/// more of them than are remembered.
#[test]
fn a_call_has_the_same_headers_whatever_was_seen_before() {
    let config = Config::default();
    let mut seen = Seen::default();
    let calls = recorded::all().iter().filter(|r| r.by_consumer);
    let mut calls: Vec<_> = calls.map(|r| r.bytes.clone()).collect();
    for number in 0..100 {
        let method = format!("m{number}");
        for group in ["", "gray", "Gray"] {
            let attachments = [("group", group)];
            calls.push(written(
                "com.acme.Orders",
                "1.0.0",
                &method,
                STRING,
                &attachments,
            ));
        }
    }
    let mut told = 0;
    for bytes in calls.iter().chain(calls.iter().rev()) {
        let (mut headers, mut fresh) = (Headers::new(), Headers::new());
        let call = to_headers(&frame(bytes), &config, &mut seen, &mut headers);
        let alone = to_headers(&frame(bytes), &config, &mut Seen::default(), &mut fresh);
        assert_eq!(call.is_ok(), alone.is_ok());
        assert_eq!(headers, fresh);
        told += usize::from(call.is_ok());
    }
    assert!(told > 900, "{told}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Any call that passes, passes back byte for byte: with its seal, without, and under other options.
    #[test]
    fn what_is_not_changed_is_not_written(
        service in "[a-zA-Z.$/]{1,20}",
        version in ".{0,8}",
        method in ".{1,12}",
        attachments in proptest::collection::vec((".{0,6}", ".{0,6}"), 0..6),
    ) {
        let attachments: Vec<_> = attachments.iter().map(|(name, value)| (&**name, &**value)).collect();
        let bytes = written(&service, &version, &method, STRING, &attachments);
        let (ours, other) = (config(r#"{"attachments":["*"]}"#), Config::default());
        let mut headers = Headers::new();
        if to_headers(&frame(&bytes), &ours, &mut Seen::default(), &mut headers).is_ok() {
            for config in [&ours, &other] {
                prop_assert!(write_back(&frame(&bytes), pairs(&headers), config).unwrap().is_none());
            }
            headers.pop();
            prop_assert!(write_back(&frame(&bytes), pairs(&headers), &ours).unwrap().is_none());
        }
    }

    /// Headers of any kind are written, ignored or refused; what is written is a frame of the same call.
    #[test]
    fn any_headers_are_taken(headers in proptest::collection::vec(header(), 0..8), keep in any::<bool>()) {
        let bytes = recorded::request("3.3.6", "fastjson2-tag");
        let config = config(r#"{"attachments":["*"]}"#);
        let mut all = made(&bytes, &config).0;
        if !keep {
            all.clear();
        }
        all.extend(headers);
        if let Ok(Some(patch)) = write_back(&frame(&bytes), pairs(&all), &config) {
            let patched = patch.to_vec();
            let whole = frame(&patched);
            let request = Request::parse(whole.head(), whole.body(), &config.frames).unwrap();
            prop_assert_eq!(request.peek().method, Text::new("context"));
            prop_assert_eq!(request.target().interface, Some(Text::new("demo.GreetService")));
        }
    }

    #[test]
    fn any_bytes_are_a_call_or_refused(bytes in any::<Vec<u8>>(), flags in any::<u8>()) {
        let mut whole = b"\xda\xbb\xc2\0\0\0\0\0\0\0\0\x07\0\0\0\0".to_vec();
        whole[2] = flags;
        whole[12..].copy_from_slice(&(bytes.len() as u32).to_be_bytes());
        whole.extend(&bytes);
        let mut headers = Headers::new();
        let call = to_headers(&frame(&whole), &Config::default(), &mut Seen::default(), &mut headers);
        prop_assert_eq!(call.is_err(), headers.is_empty());
        let _ = call.map_err(|refusal| refusal.reply());
    }
}
