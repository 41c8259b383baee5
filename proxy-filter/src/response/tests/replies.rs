//! What the caller gets.

use super::*;

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
                "dubbo-mesh: HTTP status 503: no healthy upstream",
            ),
            (
                403,
                b"RBAC: access denied",
                40,
                "dubbo-mesh: HTTP status 403: RBAC: access denied",
            ),
            (404, b"", 60, "dubbo-mesh: HTTP status 404"),
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
