use dubbo_codec::Reply;
use proptest::prelude::*;

use super::*;
use crate::recorded::{self, frame};
use crate::request;

type Headers = Vec<(Vec<u8>, Vec<u8>)>;

fn made(bytes: &[u8]) -> String {
    let mut headers = Headers::new();
    let whole = frame(bytes);
    let status = to_headers(whole.head(), whole.body(), &Config::default(), &mut headers).unwrap();
    assert_eq!(
        headers[0],
        (b":status".to_vec(), status.to_string().into_bytes())
    );
    recorded::lines(&headers)
}

fn pairs(headers: &Headers) -> impl Iterator<Item = (&[u8], &[u8])> {
    headers.iter().map(|(name, value)| (&**name, &**value))
}

fn call(bytes: &[u8]) -> Call {
    request::to_headers(
        &frame(bytes),
        &Config::default(),
        &mut request::Seen::default(),
        &mut Headers::new(),
    )
    .unwrap()
}

fn ours() -> Headers {
    vec![(b"content-type".to_vec(), b"application/x-dubbo2".to_vec())]
}

fn reply(call: &Call, status: u16, headers: &Headers, body: &[u8]) -> Vec<u8> {
    to_reply(call, status, pairs(headers), body)
}

/// Status and text of an error frame, as the caller reads it.
fn error(bytes: &[u8]) -> (i64, Serialization, u8, String) {
    let whole = frame(bytes);
    let response = Response::parse(whole.head(), whole.body(), &Limits::default()).unwrap();
    let Outcome::Failed(Some(text)) = response.outcome() else {
        panic!("{:?}", response.outcome());
    };
    (
        whole.head().id,
        whole.head().serialization,
        whole.head().status.0,
        text.to_string(),
    )
}

/// The statuses by number, as the design has them.
#[test]
fn statuses() {
    for (dubbo, http) in [
        (20, 200),
        (25, 500),
        (30, 504),
        (31, 504),
        (35, 500),
        (40, 400),
        (50, 500),
        (60, 404),
        (70, 500),
        (80, 500),
        (90, 500),
        (100, 429),
        (0, 500),
        (255, 500),
    ] {
        assert_eq!(http_status(Status(dubbo)), http, "{dubbo}");
    }
    for (http, dubbo) in [
        (404, 60),
        (503, 80),
        (504, 31),
        (408, 31),
        (400, 40),
        (403, 40),
        (401, 40),
        (413, 40),
        (429, 100),
        (500, 80),
        (502, 80),
        (200, 50),
        (204, 50),
        (302, 80),
        (0, 80),
    ] {
        assert_eq!(dubbo_status(http), Status(dubbo), "{http}");
    }
    // What Istio repeats by default.
    assert!((0..=255).all(|status| http_status(Status(status)) != 503));
}

/// The rows of the documentation's table under `heading`: the numbers of the first column, and that of
/// the second.
fn documented(heading: &str) -> Vec<(Vec<u16>, u16)> {
    let readme = include_str!("../../README.md");
    let (_, table) = readme.split_once(heading).unwrap();
    let rows = table
        .lines()
        .skip(2)
        .take_while(|line| line.starts_with('|'));
    let row = |line: &str| {
        let mut columns = line.split('|').skip(1).map(|column| {
            let numbers = column.split(|c: char| !c.is_ascii_alphanumeric());
            numbers
                .filter_map(|number| number.parse().ok())
                .collect::<Vec<u16>>()
        });
        (columns.next().unwrap(), columns.next().unwrap()[0])
    };
    rows.map(row).collect()
}

#[test]
fn the_documentation_has_the_same_statuses() {
    let rows = documented("| Dubbo status of the response | `:status` |");
    let told = |status| {
        rows.iter()
            .find(|(from, _)| from.contains(&status))
            .map_or(500, |(_, to)| *to)
    };
    assert_eq!((rows.len(), rows[5].1, rows[6].1), (7, 500, 204));
    assert!((0..=255).all(|status| told(status) == http_status(Status(status as u8))));
    let rows = documented(
        "| HTTP status of an answer that is no Dubbo frame | Dubbo status for the caller |",
    );
    assert_eq!((rows.len(), rows[0].1, rows[5].1), (6, 50, 80));
    let told = |status| match rows[1..5].iter().find(|(from, _)| from.contains(&status)) {
        Some((_, to)) => *to,
        None if status / 100 == 2 => 50,
        None => 80,
    };
    assert!((0..1000).all(|status| told(status) == u16::from(dubbo_status(status).0)));
}

#[test]
fn recorded_answers_have_their_headers() {
    for (version, case, expected) in [
        (
            "3.3.6",
            "hello",
            ":status: 200\ncontent-type: application/x-dubbo2\ndubbo-status: 20\n",
        ),
        (
            "3.3.6",
            "null",
            ":status: 200\ncontent-type: application/x-dubbo2\ndubbo-status: 20\n",
        ),
        (
            "2.6.12",
            "fail",
            ":status: 200\ncontent-type: application/x-dubbo2\ndubbo-status: 20\ndubbo-exception: demo.BizException\n",
        ),
        (
            "3.3.6",
            "fastjson2-fail",
            ":status: 200\ncontent-type: application/x-dubbo2\ndubbo-status: 20\ndubbo-exception: demo.BizException\n",
        ),
        (
            "3.3.6",
            "failrt",
            ":status: 200\ncontent-type: application/x-dubbo2\ndubbo-status: 20\n\
             dubbo-exception: java.lang.IllegalStateException\n",
        ),
        (
            "3.2.16",
            "threadpool-exhausted",
            ":status: 429\ncontent-type: application/x-dubbo2\ndubbo-status: 100\n",
        ),
        (
            "2.6.12",
            "not-found",
            ":status: 500\ncontent-type: application/x-dubbo2\ndubbo-status: 70\n",
        ),
        (
            "3.3.6",
            "not-found",
            ":status: 400\ncontent-type: application/x-dubbo2\ndubbo-status: 40\n",
        ),
    ] {
        assert_eq!(
            made(&recorded::response(version, case)),
            expected,
            "{version} {case}"
        );
    }
}

/// The recordings' notes say which responses are exceptions: `result 0` and `result 3`, `0 ;` and `3 ;`.
#[test]
fn every_recorded_exception_is_seen_and_nothing_else() {
    let (mut exceptions, mut others) = (0, 0);
    for r in recorded::all() {
        let head = *frame(&r.bytes).head();
        if head.kind != FrameKind::Response || head.event || r.meaning.is_empty() {
            continue;
        }
        let throws = ["result 0", "result 3", "0 ;", "3 ;"]
            .iter()
            .any(|begin| r.meaning.starts_with(begin));
        let lines = made(&r.bytes);
        assert_eq!(
            lines.contains("dubbo-exception: "),
            throws && head.status.is_ok(),
            "{} {}",
            r.version,
            r.case
        );
        assert!(!lines.contains("unknown"), "{} {}", r.version, r.case);
        *(if throws { &mut exceptions } else { &mut others }) += 1;
    }
    assert!(exceptions > 10 && others > 100, "{exceptions} {others}");
}

#[test]
fn exceptions_in_other_serializations_are_seen() {
    for case in ["fastjson-fail", "gson-fail", "msgpack-fail"] {
        assert!(
            made(&recorded::response("2.7.23-other", case)).contains("dubbo-exception: "),
            "{case}"
        );
    }
    for case in [
        "fastjson-hello",
        "gson-hello",
        "msgpack-hello",
        "fastjson-null",
        "gson-void",
        "msgpack-map",
    ] {
        assert!(
            !made(&recorded::response("2.7.23-other", case)).contains("dubbo-exception"),
            "{case}"
        );
    }
}

/// The least that is needed of each response, and that more changes nothing.
#[test]
fn a_value_of_any_length_needs_its_first_bytes_only() {
    for r in recorded::all() {
        let whole = frame(&r.bytes);
        let head = whole.head();
        if head.kind != FrameKind::Response || head.event {
            continue;
        }
        let of = |n: usize| {
            let mut headers = Headers::new();
            let status = to_headers(head, &whole.body()[..n], &Config::default(), &mut headers);
            assert_eq!(status.is_none(), headers.is_empty());
            status.map(|_| recorded::lines(&headers))
        };
        let least = (0..=whole.body().len()).find(|n| of(*n).is_some()).unwrap();
        let has_exception = made(&r.bytes).contains("dubbo-exception");
        if r.version != "2.7.23-other" {
            assert!(
                if has_exception {
                    least == whole.body().len()
                } else {
                    least <= 6
                },
                "{} {}",
                r.version,
                r.case
            );
        }
        for n in [least, (least + whole.body().len()) / 2, whole.body().len()] {
            assert_eq!(of(n), Some(made(&r.bytes)), "{} {}", r.version, r.case);
        }
    }
    // An exception of a megabyte is not waited for.
    let mut long = recorded::response("3.3.6", "fail");
    long.resize(1 << 20, b'x');
    let len = (long.len() - 16) as u32;
    long[12..16].copy_from_slice(&len.to_be_bytes());
    let mut headers = Headers::new();
    let head = FrameHead::parse(&long).unwrap().unwrap();
    assert_eq!(
        to_headers(
            &head,
            &long[16..16 + EXCEPTION_BYTES - 1],
            &Config::default(),
            &mut headers
        ),
        None
    );
    assert_eq!(
        to_headers(
            &head,
            &long[16..16 + EXCEPTION_BYTES],
            &Config::default(),
            &mut headers
        ),
        Some(200)
    );
    assert_eq!(
        headers[3],
        (b"dubbo-exception".to_vec(), b"unknown".to_vec())
    );
}

/// The provider's frame reaches its caller as it is, under the caller's id.
#[test]
fn an_answer_of_ours_is_the_provider_s_frame() {
    let call = call(&recorded::request("3.3.6", "hello"));
    let answer = recorded::response("2.6.12", "hello");
    let mut expected = answer.clone();
    expected[4..12].copy_from_slice(&call.id().to_be_bytes());
    assert_eq!(reply(&call, 200, &ours(), &answer), expected);
    let head = streamed(&call, &answer).unwrap();
    assert_eq!([&head.to_bytes()[..], &answer[16..]].concat(), expected);
    assert_eq!(streamed(&call, &answer[..15]), None);
    assert_eq!(streamed(&call, &recorded::request("3.3.6", "hello")), None);
}

/// A 3.2.16 provider answers a hessian2 call with serialization 23 if it refuses it.
#[test]
fn an_error_in_another_serialization_is_told_again() {
    let refused = recorded::response("3.2.16", "threadpool-exhausted");
    let (_, foreign, status, text) = error(&refused);
    assert_eq!((foreign, status), (Serialization::FASTJSON2, 100));
    let hessian2 = call(&recorded::request("2.6.12", "hello"));
    assert_eq!(streamed(&hessian2, &refused), None);
    let told = reply(&hessian2, 429, &ours(), &refused);
    assert_eq!(
        error(&told),
        (hessian2.id(), Serialization::HESSIAN2, 100, text.clone())
    );
    // In its own it stays as it is.
    let fastjson2 = call(&recorded::request("3.2.16", "fastjson2-hello"));
    assert!(streamed(&fastjson2, &refused).is_some());
    let same = reply(&fastjson2, 429, &ours(), &refused);
    assert_eq!(&same[12..], &refused[12..]);
    assert_eq!(
        error(&same),
        (fastjson2.id(), Serialization::FASTJSON2, 100, text)
    );
}

/// An error without a text is passed on if it is in the call's serialization.
#[test]
fn an_error_without_a_text_stays_one() {
    let call = call(&recorded::request("2.6.12", "hello"));
    let null = b"\xda\xbb\x02\x50\0\0\0\0\0\0\0\0\0\0\0\x01N";
    assert_eq!(reply(&call, 500, &ours(), null), null);
    let null = b"\xda\xbb\x17\x50\0\0\0\0\0\0\0\0\0\0\0\x05\0\0\0\x01\xaf";
    let expected = (0, Serialization::HESSIAN2, 80, String::new());
    assert_eq!(error(&reply(&call, 500, &ours(), null)), expected);
}

#[test]
fn local_replies_of_envoy_are_told_to_the_caller() {
    let text: Headers = vec![(b"content-type".to_vec(), b"text/plain".to_vec())];
    for (version, case, serialization) in [
        ("2.7.23", "hello", Serialization::HESSIAN2),
        ("3.3.6", "fastjson2-hello", Serialization::FASTJSON2),
    ] {
        let call = call(&recorded::request(version, case));
        for (http, body, dubbo, said) in [
            (
                503,
                &b"no healthy upstream"[..],
                80,
                "dubbo-mesh: HTTP status 503: no healthy upstream (no provider is known, or all are ejected)",
            ),
            (
                503,
                b"",
                80,
                "dubbo-mesh: HTTP status 503: the cluster of the route is not there",
            ),
            (
                503,
                b"fault filter abort",
                80,
                "dubbo-mesh: HTTP status 503: fault filter abort",
            ),
            (
                404,
                b"fault filter abort",
                60,
                "dubbo-mesh: HTTP status 404: fault filter abort",
            ),
            (
                403,
                b"RBAC: access denied",
                40,
                "dubbo-mesh: HTTP status 403: RBAC: access denied",
            ),
            (
                404,
                b"",
                60,
                "dubbo-mesh: HTTP status 404: no route takes this call",
            ),
            (301, b"", 80, "dubbo-mesh: HTTP status 301"),
            (
                504,
                b"upstream request timeout",
                31,
                "dubbo-mesh: HTTP status 504: upstream request timeout",
            ),
            (
                429,
                b"local_rate_limited",
                100,
                "dubbo-mesh: HTTP status 429: local_rate_limited",
            ),
            (
                500,
                b"a\r\n\tb\0\x1b[31mc \xff",
                80,
                "dubbo-mesh: HTTP status 500: a b [31mc \u{fffd}",
            ),
        ] {
            let expected = (call.id(), serialization, dubbo, said.to_string());
            assert_eq!(error(&reply(&call, http, &text, body)), expected);
        }
        let endless = "x ".repeat(100_000);
        let (.., said) = error(&reply(&call, 500, &Headers::new(), endless.as_bytes()));
        assert_eq!(
            said.chars().count(),
            "dubbo-mesh: HTTP status 500: ".len() + REASON_CHARS
        );
    }
    let one_way = call(&recorded::request("3.3.6", "oneway"));
    assert_eq!(reply(&one_way, 503, &text, b"no healthy upstream"), b"");
    assert_eq!(reply(&one_way, 204, &Headers::new(), b""), b"");
    let answer = recorded::response("3.3.6", "hello");
    assert_eq!(
        (
            reply(&one_way, 200, &ours(), &answer),
            streamed(&one_way, &answer)
        ),
        (vec![], None)
    );
}

#[test]
fn odd_answers_are_errors_with_their_reason() {
    let call = call(&recorded::request("3.3.6", "hello"));
    let good = recorded::response("3.3.6", "hello");
    let mut behind = good.clone();
    behind.extend(b"xyz");
    for (body, said) in [
        (&b""[..], "dubbo-mesh: the answer ends after 0 bytes"),
        (&good[..10], "dubbo-mesh: the answer ends after 10 bytes"),
        (
            &good[..50],
            "dubbo-mesh: the answer ends after 50 of 66 bytes",
        ),
        (
            &behind,
            "dubbo-mesh: the answer has 3 bytes behind its frame",
        ),
        (
            b"<html>",
            "dubbo-mesh: the answer is no Dubbo frame: magic at byte 0: not a Dubbo frame",
        ),
        (
            &recorded::request("3.3.6", "hello"),
            "dubbo-mesh: the answer is a request or an event",
        ),
        (
            b"\xda\xbb\x22\x14\0\0\0\0\0\0\0\x07\0\0\0\x01N",
            "dubbo-mesh: the answer is a request or an event",
        ),
    ] {
        let expected = (call.id(), Serialization::HESSIAN2, 50, said.to_string());
        assert_eq!(error(&reply(&call, 200, &ours(), body)), expected);
    }
    let (.., status, said) = error(&reply(&call, 200, &Headers::new(), b"<html>hello</html>"));
    assert_eq!(
        (status, &*said),
        (50, "dubbo-mesh: HTTP status 200: <html>hello</html>")
    );
}

proptest! {
    #[test]
    fn any_answer_is_one_frame_for_the_caller(
        status in any::<u16>(),
        is_ours in any::<bool>(),
        flags in any::<[u8; 2]>(),
        body in any::<Vec<u8>>(),
        framed in any::<bool>(),
    ) {
        let call = call(&recorded::request("3.3.6", "fastjson2-hello"));
        let headers = if is_ours { ours() } else { Headers::new() };
        let mut bytes = body;
        if framed {
            let mut head = b"\xda\xbb\x02\x14\0\0\0\0\0\0\0\x07\0\0\0\0".to_vec();
            head[2..4].copy_from_slice(&flags);
            head[12..].copy_from_slice(&(bytes.len() as u32).to_be_bytes());
            bytes.splice(..0, head);
        }
        let told = reply(&call, status, &headers, &bytes);
        let whole = frame(&told);
        prop_assert_eq!(whole.bytes().len(), told.len());
        prop_assert_eq!((whole.head().id, whole.head().kind), (call.id(), FrameKind::Response));
        let mut headers = Headers::new();
        prop_assert!(to_headers(whole.head(), whole.body(), &Config::default(), &mut headers).is_some());
    }
}

/// Errors are read in the caller's serialization where it is written at all.
#[test]
fn errors_for_callers_of_any_serialization() {
    for id in 0..32 {
        let head = FrameHead {
            kind: FrameKind::Request,
            two_way: true,
            event: false,
            serialization: Serialization::new(id),
            status: Status(0),
            id: 9,
            body_len: 0,
        };
        let (number, told, status, text) =
            error(&Call::of_head(&head).error(Status::SERVER_ERROR, "é😀"));
        let expected = if Reply::to(&head, None).is_ok() {
            head.serialization
        } else {
            Serialization::HESSIAN2
        };
        assert_eq!((number, told, status, &*text), (9, expected, 80, "é😀"));
    }
}
