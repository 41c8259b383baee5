//! However the input is cut, the same events come of it and the same bytes go out.

use dubbo_proxy_filter::http2::{Connection, Event, Limits, Role};

use crate::bodies::body;
use crate::rules::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PADDED, PING, RST_STREAM,
    SETTINGS, WINDOW_UPDATE, block, frame, hello, request, request_block,
};

/// A client's side of a connection with a bit of everything.
fn conversation() -> Vec<u8> {
    let all = request_block();
    let (first, rest) = all.split_at(5);
    [
        hello(),
        frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 20, 0, 1, 0, 0, 0, 0]),
        request(1, 0),
        frame(DATA, 0, 1, &body(1, 300)),
        frame(HEADERS, PADDED, 3, &[&[2][..], first, &[0, 0]].concat()),
        frame(CONTINUATION, END_HEADERS, 3, rest),
        frame(DATA, PADDED, 3, &[&[3][..], &body(3, 40), &[0; 3]].concat()),
        frame(PING, 0, 0, b"pingpong"),
        frame(DATA, END_STREAM, 1, &[]),
        frame(WINDOW_UPDATE, 0, 1, &[0, 0, 1, 0]),
        frame(200, 0, 0, b"unknown"),
        frame(
            DATA,
            PADDED | END_STREAM,
            3,
            &[&[1][..], &body(4, 5), &[0]].concat(),
        ),
        frame(WINDOW_UPDATE, 0, 3, &[0, 0, 1, 0]),
        request(5, 0),
        frame(
            HEADERS,
            END_HEADERS | END_STREAM,
            5,
            &block(&[("x-end", "1")]),
        ),
        request(7, 0),
        frame(RST_STREAM, 0, 7, &[0, 0, 0, 8]),
        frame(DATA, 0, 7, &body(9, 30)),
        frame(GOAWAY, 0, 0, &[0; 12]),
    ]
    .concat()
}

/// Events with data joined, and the output, of a server that echoes.
fn run<'a>(chunks: impl Iterator<Item = &'a [u8]>) -> (Vec<String>, Vec<u8>) {
    let mut server = Connection::new(Role::Server, Limits::default());
    let mut told: Vec<String> = vec![];
    let mut joined: std::collections::BTreeMap<u32, Vec<u8>> = Default::default();
    for mut chunk in chunks {
        while let Some(event) = server.next(&mut chunk).unwrap() {
            match event {
                Event::Head { stream, .. } => {
                    let mut head = dubbo_proxy_filter::hpack::HeaderList::new();
                    head.push(b":status", b"200");
                    server.send_head(stream, &head, false);
                    let fields = server.headers().iter().map(|(n, v)| format!("{n:?}{v:?}"));
                    told.push(format!(
                        "head {} {}",
                        stream.id(),
                        fields.collect::<String>()
                    ));
                }
                Event::Data { stream, bytes, end } => {
                    joined.entry(stream.id()).or_default().extend(bytes);
                    if end {
                        let all = joined.remove(&stream.id()).unwrap();
                        server.send_data(stream, &all, true);
                        told.push(format!("body {} {all:?}", stream.id()));
                    }
                }
                other => told.push(format!("{other:?}")),
            }
        }
        assert!(chunk.is_empty());
    }
    (told, std::mem::take(server.out()))
}

#[test]
fn two_pieces_at_every_place() {
    let bytes = conversation();
    let whole = run([&bytes[..]].into_iter());
    assert_eq!(whole.0.len(), 9, "{:#?}", whole.0);
    for cut in 0..=bytes.len() {
        let (a, b) = bytes.split_at(cut);
        assert_eq!(run([a, b].into_iter()), whole, "cut at {cut}");
    }
}

#[test]
fn pieces_of_every_size() {
    let bytes = conversation();
    let whole = run([&bytes[..]].into_iter());
    for size in 1..200 {
        assert_eq!(run(bytes.chunks(size)), whole, "pieces of {size}");
    }
}
