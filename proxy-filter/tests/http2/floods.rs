//! What costs us and brings nothing, and what makes up for it.

use dubbo_proxy_filter::hpack::HeaderList;
use dubbo_proxy_filter::http2::{Code, Event, Limits};

use crate::rules::*;

#[test]
fn floods_end_in_calm() {
    let limits = || Limits {
        idle_frames: 100,
        resets: 100,
        block: 2000,
        ..Limits::default()
    };
    let reset = |stream| [request(stream, 0), frame(RST_STREAM, 0, stream, &[0; 4])].concat();
    let malformed = block(&[(":method", "POST")]);
    let open = request(1, 0);
    for (first, repeated) in [
        (
            vec![],
            (0..101)
                .map(|_| frame(PING, 0, 0, &[0; 8]))
                .collect::<Vec<_>>(),
        ),
        (
            vec![],
            (0..101).map(|_| frame(SETTINGS, 0, 0, &[])).collect(),
        ),
        (vec![], (0..101).map(|_| frame(2, 0, 1, &[0; 5])).collect()),
        (
            open.clone(),
            (0..140).map(|_| frame(DATA, 0, 1, &[])).collect(),
        ),
        (
            open,
            (0..140).map(|_| frame(DATA, PADDED, 1, &[0])).collect(),
        ),
        (vec![], (0..101).map(|at| reset(at * 2 + 1)).collect()),
        (
            vec![],
            (0..101)
                .map(|at| frame(HEADERS, END_HEADERS, at * 2 + 1, &malformed))
                .collect(),
        ),
        (
            frame(HEADERS, 0, 1, &[]),
            (0..70).map(|_| frame(CONTINUATION, 0, 1, &[])).collect(),
        ),
        (
            frame(HEADERS, 0, 1, &[]),
            (0..30)
                .map(|_| frame(CONTINUATION, 0, 1, &[0x84; 100]))
                .collect(),
        ),
    ] {
        let mut server = server(limits());
        assert!(feed(&mut server, &first).is_ok());
        let all = repeated.concat();
        assert_eq!(
            feed(&mut server, &all),
            Err(Code::ENHANCE_YOUR_CALM),
            "{:x?}",
            &repeated[0]
        );
    }
}

/// Answers make up for cancelled calls, and data for pings.
#[test]
fn what_is_useful_makes_up_for_what_is_not() {
    let mut limits = Limits::default();
    (limits.idle_frames, limits.resets) = (10, 10);
    let mut server = server(limits);
    let mut head = HeaderList::new();
    head.push(b":status", b"200");
    for round in 0..200 {
        let stream = round * 4 + 1;
        let bytes = [
            request(stream, END_STREAM),
            frame(PING, 0, 0, &[0; 8]),
            request(stream + 2, 0),
            frame(RST_STREAM, 0, stream + 2, &[0; 4]),
        ]
        .concat();
        let mut rest = &bytes[..];
        while let Some(event) = server.next(&mut rest).unwrap() {
            if let Event::Head { stream, end: true } = event {
                server.send_head(stream, &head, true);
            }
        }
        server.out().clear();
    }
    assert_eq!(server.active(), 0);
}
