use dubbo_codec::{Limits, Outcome, Response};
use proptest::prelude::*;

use super::*;
use crate::recorded::{self, frame};
use crate::request::Class;

type Headers = Vec<(Vec<u8>, Vec<u8>)>;

fn shared(json: &str) -> Arc<Config> {
    Arc::new(Config::parse(json.as_bytes()).unwrap())
}

/// What the caller's half makes of a frame.
fn headers(bytes: &[u8]) -> Headers {
    let mut headers = Headers::new();
    request::to_headers(
        &frame(bytes),
        &Config::default(),
        &mut request::Seen::default(),
        &mut headers,
    )
    .unwrap();
    headers
}

fn pairs(headers: &Headers) -> impl Iterator<Item = (&[u8], &[u8])> {
    headers.iter().map(|(name, value)| (&**name, &**value))
}

fn begun(headers: &Headers) -> Exchange {
    let mut call = Exchange::new(shared(""), ID);
    call.request_headers(pairs(headers), false);
    assert_eq!(call.take(), Output::default());
    call
}

/// A call whose request is with the provider.
fn sent(bytes: &[u8]) -> Exchange {
    let mut call = begun(&headers(bytes));
    call.request_data(bytes, true);
    assert_eq!(call.take().to_provider, ours(bytes));
    call
}

fn ok(headers: &[(&str, &str)]) -> Option<ResponseHeaders> {
    let of = |(name, value): &(&str, &str)| (name.as_bytes().to_vec(), value.as_bytes().to_vec());
    Some(ResponseHeaders {
        status: 200,
        headers: headers.iter().map(of).collect(),
    })
}

const DUBBO: (&str, &str) = ("content-type", "application/x-dubbo2");

/// The HTTP status and what the caller reads: status and text.
fn told(out: &Output) -> (u16, u8, String) {
    let whole = frame(&out.body);
    let response = Response::parse(whole.head(), whole.body(), &Limits::default()).unwrap();
    let Outcome::Failed(Some(text)) = response.outcome() else {
        panic!("{:?}", response.outcome());
    };
    assert!(out.end && out.abort.is_none());
    (
        out.headers.as_ref().unwrap().status,
        whole.head().status.0,
        text.to_string(),
    )
}

/// An answer that is whole but for its end, which nobody who goes by lengths waits for: HTTP status, Dubbo
/// status and text.
fn told_but_for_its_end(out: &Output) -> (u16, u8, String) {
    assert!(out.leave && !out.end);
    let headers = &out.headers.as_ref().unwrap().headers;
    let (name, length) = headers.last().unwrap();
    assert_eq!(name, b"content-length");
    assert_eq!(length, out.body.len().to_string().as_bytes());
    let whole = Output {
        headers: out.headers.clone(),
        body: out.body.clone(),
        end: true,
        ..Output::default()
    };
    told(&whole)
}

/// A plain answer: status and text.
fn said(out: &Output) -> (u16, String) {
    assert!(out.end && out.abort.is_none());
    let headers = out.headers.as_ref().unwrap();
    assert_eq!(
        headers.headers,
        [(b"content-type".to_vec(), b"text/plain".to_vec())]
    );
    (headers.status, String::from_utf8(out.body.clone()).unwrap())
}

/// What the provider gets calls under.
const ID: i64 = 0x0102_0304_0506;

/// The same frame as the provider knows it.
fn ours(frame: &[u8]) -> Vec<u8> {
    let mut frame = frame.to_vec();
    set_request_id(&mut frame, ID);
    frame
}

const HEARTBEAT: &[u8] = b"\xda\xbb\xe2\0\0\0\0\0\0\0\0\x63\0\0\0\x01N";
const HEARTBEAT_REPLY: &[u8] = b"\xda\xbb\x22\x14\0\0\0\0\0\0\0\x63\0\0\0\x01N";
const READ_ONLY: &[u8] = b"\xda\xbb\xa2\0\0\0\0\0\0\0\0\x64\0\0\0\x02\x01R";

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

/// Heartbeats, a readonly event, a late response and a callback, before and glued to the answer.
#[test]
fn what_else_a_provider_sends_is_not_the_answer() {
    let mut call = sent(&recorded::request("3.3.6", "hello"));
    let response = recorded::response("3.3.6", "hello");
    let late = recorded::response("2.6.12", "hello");
    let mut callback = recorded::request("2.6.12", "hello");
    callback[4..12].copy_from_slice(&5u64.to_be_bytes());
    let all = [
        HEARTBEAT,
        READ_ONLY,
        &late,
        &callback,
        HEARTBEAT_REPLY,
        &ours(&response),
        HEARTBEAT,
    ]
    .concat();
    call.provider_data(&all, false);
    let out = call.take();
    assert_eq!((out.body, out.leave, out.end), (response, true, false));
    let noted = Noted {
        heartbeats: 2,
        read_only: 1,
        late: 1,
        callbacks: 1,
        ..Noted::default()
    };
    assert_eq!(out.noted, noted);
    let refusal = out.to_provider.strip_prefix(HEARTBEAT_REPLY).unwrap();
    let refusal = frame(refusal.strip_suffix(HEARTBEAT_REPLY).unwrap());
    assert_eq!(
        (refusal.head().id, refusal.head().status),
        (5, Status::BAD_REQUEST)
    );
    // Our half is closed: nothing is said any more, and the call ends with the connection.
    call.provider_data(HEARTBEAT, false);
    assert!(call.take().to_provider.is_empty());
    call.provider_data(&[], true);
    let expected = Output {
        end: true,
        ..Output::default()
    };
    assert_eq!(call.take(), expected);
}

/// A provider that has closed already needs not be told.
#[test]
fn a_connection_that_was_closed_behind_the_answer_is_not_closed_again() {
    let mut call = sent(&recorded::request("3.3.6", "hello"));
    let response = recorded::response("3.3.6", "hello");
    call.provider_data(&[READ_ONLY, &ours(&response)].concat(), true);
    let out = call.take();
    assert_eq!((out.body, out.leave, out.end), (response, false, true));
}

/// The connection is another call's as soon as this one ends.
#[test]
fn a_call_does_not_end_within_the_frame_behind_its_answer() {
    let mut call = sent(&recorded::request("3.3.6", "hello"));
    let response = recorded::response("3.3.6", "hello");
    call.provider_data(&[&ours(&response)[..], &HEARTBEAT[..9]].concat(), false);
    let out = call.take();
    assert_eq!((out.body, out.end), (response, false));
    call.provider_data(&HEARTBEAT[9..16], false);
    assert_eq!(call.take(), Output::default());
    call.provider_data(&HEARTBEAT[16..], false);
    let out = call.take();
    assert_eq!((out.to_provider, out.end), (HEARTBEAT_REPLY.to_vec(), true));
    let mut call = sent(&recorded::request("3.3.6", "hello"));
    let response = recorded::response("3.3.6", "hello");
    call.provider_data(&[&ours(&response)[..], &HEARTBEAT[..9]].concat(), true);
    assert!(call.take().end, "the provider has closed");
}

/// Envoy lends what came in pieces: a frame that begins behind the answer may begin in another piece.
#[test]
fn a_call_does_not_end_within_a_frame_of_the_next_piece() {
    let mut call = sent(&recorded::request("3.3.6", "hello"));
    let response = recorded::response("3.3.6", "hello");
    call.provider_data(&ours(&response), false);
    call.provider_data(&HEARTBEAT[..9], false);
    let out = call.take();
    assert_eq!((out.body, out.end), (response, false));
    call.provider_data(&HEARTBEAT[9..], false);
    let out = call.take();
    assert_eq!((out.to_provider, out.end), (HEARTBEAT_REPLY.to_vec(), true));
}

/// A provider that answers twice: Envoy takes the headers of a response once.
#[test]
fn a_second_answer_is_late() {
    let response = recorded::response("3.3.6", "hello");
    for first in [response.len(), response.len() + 9, 2 * response.len()] {
        let twice = [ours(&response), ours(&response)].concat();
        let mut call = sent(&recorded::request("3.3.6", "hello"));
        call.provider_data(&twice[..first], false);
        let mut out = call.take();
        call.provider_data(&twice[first..], false);
        let rest = call.take();
        assert!(out.headers.is_some() && rest.headers.is_none(), "{first}");
        out.body.extend(rest.body);
        assert_eq!(out.body, response, "{first}");
        assert!(out.end || rest.end, "{first}");
    }
}

/// Two callers that count alike, one after the other on a connection: what comes late for the first is
/// not the second's answer.
#[test]
fn a_late_answer_is_not_the_next_caller_s() {
    let request = recorded::request("3.3.6", "hello");
    let stale = recorded::response("3.3.6", "hello");
    let fresh = recorded::response("3.2.16", "hello");
    let mut first = sent(&request);
    first.provider_data(&ours(&stale), false);
    assert!(first.take().end);
    let mut second = Exchange::new(shared(""), ID + 1);
    second.request_headers(pairs(&headers(&request)), false);
    second.request_data(&request, true);
    let mut expected = ours(&request);
    set_request_id(&mut expected, ID + 1);
    assert_eq!(second.take().to_provider, expected);
    // Under the first id, and under the one that both callers use.
    second.provider_data(&[ours(&stale), stale].concat(), false);
    let out = second.take();
    assert_eq!((out.body, out.end, out.noted.late), (vec![], false, 2));
    let mut answer = fresh.clone();
    set_request_id(&mut answer, ID + 1);
    second.provider_data(&answer, false);
    let (mut expected, out) = (fresh, second.take());
    set_request_id(&mut expected, frame(&request).head().id);
    assert_eq!((out.body, out.end), (expected, true));
}

/// An answer to the provider must not stand within the request's frame.
#[test]
fn a_heartbeat_within_a_request_is_answered_behind_it() {
    let bytes = recorded::request("3.3.6", "hello");
    let mut call = begun(&headers(&bytes));
    call.request_data(&bytes[..50], false);
    call.provider_data(HEARTBEAT, false);
    assert_eq!(call.take().to_provider, &ours(&bytes)[..50]);
    call.request_data(&bytes[50..], true);
    assert_eq!(
        call.take().to_provider,
        [&bytes[50..], HEARTBEAT_REPLY].concat()
    );
}

#[test]
fn a_provider_that_closes_is_told_and_not_repeated() {
    let bytes = recorded::request("3.3.6", "fastjson2-hello");
    let closed = "dubbo-mesh: the provider closed the connection before it answered";
    let mut call = sent(&bytes);
    call.provider_data(b"", true);
    assert_eq!(told(&call.take()), (500, 80, closed.into()));
    // In the middle of the answer nothing can be told.
    let response = recorded::response("3.3.6", "fastjson2-hello");
    let mut call = sent(&bytes);
    call.provider_data(&ours(&response)[..40], false);
    assert_eq!(call.take().body, &response[..40]);
    call.provider_data(b"", true);
    let out = call.take();
    assert_eq!(
        out.abort,
        Some("the provider closed the connection before it answered")
    );
    assert!(!out.end && out.headers.is_none() && out.body.is_empty());
    // Nothing has been sent yet, so this may be repeated.
    let mut call = begun(&headers(&bytes));
    call.provider_data(b"", true);
    assert_eq!(said(&call.take()).0, 503);
}

/// Were the answer ended, the connection would be given to another call: so its end comes with that of the
/// connection, however much the provider sends, and the rest at once.
#[test]
fn a_provider_that_is_none_is_told_at_once() {
    let bytes = recorded::request("3.3.6", "fastjson2-hello");
    let why = "the provider's bytes are no Dubbo frames";
    let mut call = sent(&bytes);
    call.provider_data(b"HTTP/1.1 400 Bad ", false);
    call.provider_data(b"Request\r\n\r\n", false);
    let out = call.take();
    assert_eq!(out.abort, Some(why));
    assert_eq!(
        told_but_for_its_end(&out),
        (500, 80, format!("dubbo-mesh: {why}"))
    );
    call.provider_data(b"HTTP/1.1 400 Bad Request\r\n\r\n", false);
    call.provider_data(
        &ours(&recorded::response("3.3.6", "fastjson2-hello")),
        false,
    );
    assert_eq!(call.take(), Output::default());
    call.provider_data(b"", true);
    let end = Output {
        end: true,
        ..Output::default()
    };
    assert_eq!(call.take(), end);

    // Behind the answer, in one piece with it and later.
    let response = recorded::response("3.3.6", "fastjson2-hello");
    let mut call = sent(&bytes);
    call.provider_data(
        &[&ours(&response)[..], b"HTTP/1.1 400 Bad Request"].concat(),
        false,
    );
    let out = call.take();
    assert_eq!((out.abort, out.leave, out.end), (Some(why), true, false));
    assert_eq!(out.body, response);
    call.provider_data(b"", true);
    assert_eq!(call.take(), end);

    // Of a request that is not out Envoy closes the connection, so these may end.
    let mut call = begun(&headers(&bytes));
    call.request_data(&bytes[..50], false);
    call.provider_data(b"HTTP/1.1 400 Bad Request\r\n\r\n", false);
    let out = call.take();
    assert_eq!((out.abort, out.end, out.leave), (Some(why), true, false));
    assert_eq!(out.headers.unwrap().status, 500);
    let mut call = begun(&headers(&bytes));
    call.provider_data(b"HTTP/1.1 400 Bad Request\r\n\r\n", false);
    let out = call.take();
    assert_eq!((out.abort, out.end, out.leave), (Some(why), true, false));
    assert_eq!(out.headers.unwrap().status, 503);
}

#[test]
fn what_is_no_call_is_refused() {
    let bytes = recorded::request("3.3.6", "hello");
    let mut call = Exchange::new(shared(""), ID);
    call.request_headers(
        [(&b"content-type"[..], &b"application/json"[..])].into_iter(),
        true,
    );
    let text = "this is no Dubbo call: its content type is not application/x-dubbo2";
    assert_eq!(said(&call.take()), (415, text.into()));
    call.request_data(b"{}", true);
    assert_eq!(call.take(), Output::default());

    let after = [&bytes[..], b"x"].concat();
    for (body, text) in [
        (
            &b"{\"json\": true, \"more\": 1}"[..],
            "the request's body is no Dubbo frame",
        ),
        (&after, "the request's body has bytes behind its frame"),
        (&bytes[..9], "the request's body ends before its frame"),
        (b"", "the request's body ends before its frame"),
    ] {
        let mut call = begun(&headers(&bytes));
        call.request_data(body, true);
        let out = call.take();
        assert_eq!(
            (said(&out), out.to_provider.is_empty()),
            ((400, text.into()), true)
        );
    }
    // The provider has something of it.
    for (sent, behind, why) in [
        (&bytes[..50], &b""[..], "the request ends before its frame"),
        (&bytes[..], b"x", "the request has bytes behind its frame"),
    ] {
        let mut call = begun(&headers(&bytes));
        call.request_data(sent, false);
        assert_eq!(call.take().to_provider, &ours(&bytes)[..sent.len()]);
        call.request_data(behind, true);
        let out = call.take();
        assert_eq!(out.abort, Some(why));
        assert_eq!(
            told_but_for_its_end(&out),
            (400, 40, format!("dubbo-mesh: {why}"))
        );
    }
}

#[test]
fn what_cannot_go_is_refused_in_the_caller_s_words() {
    let bytes = recorded::request("3.3.6", "fastjson2-hello");
    let mut moved = headers(&bytes);
    moved
        .iter_mut()
        .filter(|(name, _)| name == b":path")
        .for_each(|(_, value)| *value = b"/a/b".to_vec());
    let mut call = begun(&moved);
    call.request_data(&bytes, true);
    let out = call.take();
    let text = "dubbo-mesh: the path of this call, `/demo.GreetService/hello`, was changed to `/a/b`, but a Dubbo call \
                keeps its interface and method";
    assert_eq!(
        (told(&out), out.noted.refused),
        ((400, 40, text.into()), Some(Class::PathChanged))
    );

    let limited = r#"{"limits":{"call_bytes":100,"frame_bytes":200}}"#;
    for (case, with_seal, expected) in [
        (
            "hello",
            false,
            Some("dubbo-mesh: the call has 190 bytes, more than 100"),
        ),
        ("hello", true, None),
        (
            "generic",
            true,
            Some("dubbo-mesh: the call has 268 bytes, more than 200"),
        ),
    ] {
        let bytes = recorded::request("3.3.6", case);
        let config = shared(limited);
        let mut all = Headers::new();
        request::to_headers(
            &frame(&bytes),
            &config,
            &mut request::Seen::default(),
            &mut all,
        )
        .unwrap();
        if !with_seal {
            all.pop();
        }
        let mut call = Exchange::new(config, ID);
        call.request_headers(pairs(&all), false);
        call.request_data(&bytes[..30], false);
        let out = call.take();
        match expected {
            Some(text) => assert_eq!(told(&out), (400, 40, text.into())),
            None => assert_eq!(out.to_provider, &ours(&bytes)[..30]),
        }
    }
}

/// A request without a seal may come byte by byte and with long headers: they are looked at once.
#[test]
fn headers_are_not_read_again_with_each_byte() {
    let config = shared(r#"{"attachments":["baggage"],"trace":[]}"#);
    let bytes = recorded::request("3.3.6", "hello");
    let mut short = headers(&bytes);
    short.pop();
    let mut all = short.clone();
    all.push((b"baggage".to_vec(), vec![b'x'; 48_000]));
    let mut long = bytes[..12].to_vec();
    long.extend_from_slice(&8_000_000_u32.to_be_bytes());
    let began = std::time::Instant::now();
    let mut took = [0.0; 2];
    for (headers, took) in [&short, &all].into_iter().zip(&mut took) {
        let mut call = Exchange::new(Arc::clone(&config), ID);
        call.request_headers(pairs(headers), false);
        call.request_data(&long, false);
        let before = began.elapsed();
        for _ in 0..20_000 {
            call.request_data(b"x", false);
        }
        *took = (began.elapsed() - before).as_secs_f64();
        assert_eq!(call.take(), Output::default());
        assert!(call.held() > 20_000);
    }
    // With 48 KB of headers it took a hundred times as long as without.
    assert!(took[1] < 5.0 * took[0] + 0.01, "{took:?}");
}

/// Nothing of it has gone, and all of it is given back.
#[test]
fn a_request_that_is_gathered_can_be_given_up() {
    let bytes = recorded::request("3.3.6", "hello");
    let mut gathered = headers(&bytes);
    gathered.pop();
    let mut call = begun(&gathered);
    let before = call.held();
    assert!((1..2000).contains(&before));
    call.request_data(&bytes[..100], false);
    assert!(call.held() >= before + 100);
    call.over_limit();
    let out = call.take();
    let text = "dubbo-mesh: too many bytes of calls are held here";
    assert_eq!(told(&out), (429, 100, text.into()));
    assert!(out.to_provider.is_empty());
    assert_eq!(call.held(), before);
    call.request_data(&bytes[100..], true);
    assert_eq!(call.take(), Output::default());

    // One that passes holds nothing, and goes on.
    let mut call = begun(&headers(&bytes));
    call.request_data(&bytes[..100], false);
    call.take();
    call.over_limit();
    call.request_data(&bytes[100..], true);
    assert_eq!(call.take().to_provider, &bytes[100..]);
    assert!(call.held() < before + 200);
}

proptest! {
    /// Whatever comes from either side and however it is cut: one answer at most, and nothing after it.
    #[test]
    fn any_bytes_come_to_an_end(
        chunks in proptest::collection::vec((any::<bool>(), 0..6usize, any::<Vec<u8>>()), 0..12),
        sealed in any::<bool>(),
    ) {
        let request = recorded::request("3.3.6", "fastjson2-hello");
        let mut all = headers(&request);
        if !sealed {
            all.pop();
        }
        let mut call = begun(&all);
        let (mut begun, mut failed, mut over) = (0, false, false);
        for (from_provider, kind, random) in chunks {
            let bytes: &[u8] = match kind {
                0 => &random,
                1 => HEARTBEAT,
                2 => &request,
                3 => &ours(&recorded::response("3.3.6", "fastjson2-hello")),
                4 => READ_ONLY,
                _ => &request[..30],
            };
            match from_provider {
                true => call.provider_data(bytes, random.len() > 90),
                false => call.request_data(bytes, random.len() > 90),
            }
            let out = call.take();
            prop_assert!(!over || !out.end);
            prop_assert!(!(over || failed) || (out.headers.is_none() && out.body.is_empty()));
            prop_assert!(!failed || out.to_provider.is_empty());
            begun += usize::from(out.headers.is_some());
            failed |= out.abort.is_some();
            over |= out.end;
        }
        prop_assert!(begun <= 1);
    }
}
