//! Calls and their answers.

use super::*;

/// However request and response are cut, both go through byte for byte but for the id.
#[test]
fn a_call_and_its_answer_go_through() {
    for (version, case) in [
        ("3.3.6", "hello"),
        ("2.6.12", "pojo"),
        ("3.2.16", "fastjson2-arr"),
    ] {
        let (request, response) = (
            recorded::request(version, case),
            recorded::response(version, case),
        );
        for size in [1, 2, 7, 16, 100, 10_000] {
            let mut call = begun(&headers(&request));
            let mut out = Vec::new();
            let mut chunks = request.chunks(size).peekable();
            while let Some(chunk) = chunks.next() {
                call.request_data(chunk, chunks.peek().is_none());
                out.extend(call.take().to_provider);
            }
            assert_eq!(out, ours(&request));
            let (mut body, mut head, mut ends) = (Vec::new(), None, 0);
            for chunk in ours(&response).chunks(size) {
                call.provider_data(chunk, false);
                let out = call.take();
                assert!(out.abort.is_none() && out.to_provider.is_empty());
                assert!(out.body.is_empty() || head.is_some() || out.headers.is_some());
                head = head.or(out.headers);
                body.extend(out.body);
                ends += usize::from(out.end);
            }
            assert_eq!((body, ends), (response.clone(), 1), "{case} {size}");
            assert_eq!(head, ok(&[DUBBO, ("dubbo-status", "20")]));
            call.provider_data(b"", true);
            assert_eq!(call.take(), Output::default());
        }
    }
}

/// By its seal the request passes on before it is whole; without one it is gathered.
#[test]
fn what_is_untouched_does_not_wait() {
    let bytes = recorded::request("3.3.6", "hello");
    let mut call = begun(&headers(&bytes));
    call.request_data(&bytes[..15], false);
    assert_eq!(call.take(), Output::default());
    call.request_data(&bytes[15..20], false);
    let out = call.take();
    assert_eq!(
        (&out.to_provider[..], out.noted.passed_on),
        (&ours(&bytes)[..20], true)
    );
    call.request_data(&bytes[20..], true);
    assert_eq!(call.take().to_provider, &bytes[20..]);

    let mut foreign = headers(&bytes);
    foreign.pop();
    let mut call = begun(&foreign);
    call.request_data(&bytes[..bytes.len() - 1], false);
    assert_eq!(call.take(), Output::default());
    call.request_data(&bytes[bytes.len() - 1..], true);
    let out = call.take();
    assert_eq!(
        (out.to_provider, out.noted),
        (ours(&bytes), Noted::default())
    );
}

#[test]
fn a_changed_header_is_in_the_frame() {
    let bytes = recorded::request("3.3.6", "tag");
    let mut changed = headers(&bytes);
    changed
        .iter_mut()
        .filter(|(name, _)| name == b"dubbo.tag")
        .for_each(|(_, value)| *value = b"blue".to_vec());
    let mut call = begun(&changed);
    call.request_data(&bytes, true);
    let out = call.take();
    assert!(out.noted.patched && out.headers.is_none());
    let at = bytes.windows(4).position(|four| four == b"gray").unwrap();
    let mut expected = bytes.clone();
    expected[at..at + 4].copy_from_slice(b"blue");
    assert_eq!(out.to_provider, ours(&expected));
}

#[test]
fn an_exception_is_seen_in_the_headers() {
    let mut call = sent(&recorded::request("2.6.12", "fail"));
    let response = recorded::response("2.6.12", "fail");
    let theirs = ours(&response);
    let (first, rest) = theirs.split_at(1000);
    call.provider_data(first, false);
    assert_eq!(call.take(), Output::default());
    call.provider_data(rest, false);
    let out = call.take();
    let expected = ok(&[
        DUBBO,
        ("dubbo-status", "20"),
        ("dubbo-exception", "demo.BizException"),
    ]);
    assert_eq!((out.headers, out.body, out.end), (expected, response, true));
}

#[test]
fn one_way_calls_end_at_once() {
    let bytes = recorded::request("3.3.6", "oneway");
    let mut call = begun(&headers(&bytes));
    call.request_data(&bytes, true);
    let out = call.take();
    let headers = vec![(b"dubbo-oneway".to_vec(), b"true".to_vec())];
    let expected = Output {
        to_provider: ours(&bytes),
        headers: Some(ResponseHeaders {
            status: 204,
            headers,
        }),
        end: true,
        noted: Noted {
            passed_on: true,
            ..Noted::default()
        },
        ..Output::default()
    };
    assert_eq!(out, expected);
    call.provider_data(HEARTBEAT, true);
    assert_eq!(call.take(), Output::default());
}
