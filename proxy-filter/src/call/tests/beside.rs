//! What a provider sends beside the answer, and when a call's connection is free for the next.

use dubbo_codec::Status;

use super::*;

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
