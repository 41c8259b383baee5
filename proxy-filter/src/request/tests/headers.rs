//! Which headers a call has.

use super::*;

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

#[test]
fn services_have_the_names_that_the_registry_gives_them() {
    let vectors = include_str!("../../../../fixtures/service-hosts.tsv");
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
