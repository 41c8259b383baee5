//! What a server may not send, and whom its goodbye refuses.

use dubbo_proxy_filter::hpack::HeaderList;
use dubbo_proxy_filter::http2::Code;

use crate::rules::*;

#[test]
fn what_a_server_may_not_send() {
    let response = block(&[(":status", "200")]);
    let early = block(&[(":status", "103")]);
    let bad = block(&[(":status", "20x")]);
    for (bytes, code) in [
        (
            frame(HEADERS, END_HEADERS, 2, &response),
            Code::PROTOCOL_ERROR,
        ),
        (
            frame(HEADERS, END_HEADERS, 5, &response),
            Code::PROTOCOL_ERROR,
        ),
        (frame(DATA, 0, 5, b"x"), Code::PROTOCOL_ERROR),
        (
            frame(5, END_HEADERS, 1, &[0, 0, 0, 2]),
            Code::PROTOCOL_ERROR,
        ),
        (
            frame(SETTINGS, 0, 0, &[0, 2, 0, 0, 0, 1]),
            Code::PROTOCOL_ERROR,
        ),
    ] {
        assert_fails(client().0, &bytes, code);
    }
    for (bytes, code) in [
        (frame(HEADERS, END_HEADERS, 1, &bad), Code::PROTOCOL_ERROR),
        (
            frame(HEADERS, END_HEADERS | END_STREAM, 1, &early),
            Code::PROTOCOL_ERROR,
        ),
        (frame(DATA, 0, 1, b"x"), Code::PROTOCOL_ERROR),
        (
            [
                frame(HEADERS, END_HEADERS, 1, &response),
                frame(HEADERS, END_HEADERS, 1, &response),
            ]
            .concat(),
            Code::PROTOCOL_ERROR,
        ),
    ] {
        assert_resets(client().0, &bytes, 1, code);
    }
}

#[test]
fn goodbye_refuses_what_the_server_did_not_touch() {
    let (mut client, first, second) = client();
    let events = feed(&mut client, &frame(GOAWAY, 0, 0, &[0, 0, 0, 1, 0, 0, 0, 0])).unwrap();
    assert_eq!(events, ["goaway 1 0", "reset 3 7"]);
    assert!(client.is_closing() && !client.can_open());
    assert_eq!(client.open(&HeaderList::new(), true), None);
    client.send_data(second, b"nobody wants it", true);
    assert_eq!(client.out(), b"");
    let response = frame(
        HEADERS,
        END_HEADERS | END_STREAM,
        1,
        &block(&[(":status", "200")]),
    );
    assert_eq!(feed(&mut client, &response).unwrap(), ["head 1 true 42"]);
    assert_eq!(client.active(), 0);
    client.reset(first, Code::CANCEL);
    assert_eq!(client.out(), b"");
}
