//! What the mesh changed of the headers, in the frame.

use super::*;

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
