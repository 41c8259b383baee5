//! What a peer may not do, and what it is told then. Sections are of RFC 9113.

use dubbo_proxy_filter::hpack::{Encoder, HeaderList};
use dubbo_proxy_filter::http2::{Code, Connection, Event, Limits, PREFACE, Role, StreamKey};

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PING: u8 = 6;
pub const GOAWAY: u8 = 7;
pub const WINDOW_UPDATE: u8 = 8;
pub const CONTINUATION: u8 = 9;

pub const END_STREAM: u8 = 1;
pub const ACK: u8 = 1;
pub const END_HEADERS: u8 = 4;
pub const PADDED: u8 = 8;

/// A frame, written as section 4.1 says.
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let len = (payload.len() as u32).to_be_bytes();
    let head = [&len[1..], &[kind, flags], &stream.to_be_bytes()].concat();
    [&head, payload].concat()
}

/// The frames of a stream of bytes: kind, flags, stream, payload.
pub fn frames(mut bytes: &[u8]) -> Vec<(u8, u8, u32, Vec<u8>)> {
    let mut all = vec![];
    while let [l0, l1, l2, kind, flags, s0, s1, s2, s3, rest @ ..] = bytes {
        let (payload, rest) = rest.split_at(u32::from_be_bytes([0, *l0, *l1, *l2]) as usize);
        all.push((
            *kind,
            *flags,
            u32::from_be_bytes([*s0, *s1, *s2, *s3]),
            payload.to_vec(),
        ));
        bytes = rest;
    }
    assert!(bytes.is_empty());
    all
}

pub fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut out = vec![];
    let fields = fields
        .iter()
        .map(|(name, value)| (name.as_bytes(), value.as_bytes()));
    Encoder::new().encode(fields, &mut out);
    out
}

pub fn request_block() -> Vec<u8> {
    block(&[
        (":method", "POST"),
        (":scheme", "http"),
        (":path", "/a/b"),
        ("x", "y"),
    ])
}

pub fn request(stream: u32, flags: u8) -> Vec<u8> {
    frame(HEADERS, flags | END_HEADERS, stream, &request_block())
}

/// What a client sends first.
pub fn hello() -> Vec<u8> {
    [&PREFACE[..], &frame(SETTINGS, 0, 0, &[])].concat()
}

pub fn server(limits: Limits) -> Connection {
    let mut server = Connection::new(Role::Server, limits);
    feed(&mut server, &hello()).unwrap();
    server.out().clear();
    server
}

/// A client that the server greeted, with two streams open: 1 and 3, the second without end.
pub fn client() -> (Connection, StreamKey, StreamKey) {
    let mut client = Connection::new(Role::Client, Limits::default());
    let mut head = HeaderList::new();
    head.push(b":method", b"POST");
    let first = client.open(&head, true).unwrap();
    assert_eq!(client.open(&head, true), None, "the settings are not known");
    feed(&mut client, &frame(SETTINGS, 0, 0, &[])).unwrap();
    let second = client.open(&head, false).unwrap();
    client.out().clear();
    (client, first, second)
}

/// All events as text: data in pieces is joined, so that it does not matter how it was cut.
pub fn feed(connection: &mut Connection, mut bytes: &[u8]) -> Result<Vec<String>, Code> {
    let mut told: Vec<String> = vec![];
    loop {
        let event = connection.next(&mut bytes).map_err(|error| error.code())?;
        let Some(event) = event else { return Ok(told) };
        told.push(match event {
            Event::Head { stream, end } => {
                let size = connection.headers().size();
                format!("head {} {end} {size}", stream.id())
            }
            Event::Data { stream, bytes, end } => {
                format!("data {} {end} {bytes:?}", stream.id())
            }
            Event::Trailers { stream } => format!("trailers {}", stream.id()),
            Event::Reset { stream, code } => format!("reset {} {}", stream.id(), code.0),
            Event::GoAway { last, code } => format!("goaway {last} {}", code.0),
            other => panic!("{other:?}"),
        });
    }
}

/// The connection ends with this code, in a GOAWAY too, and stays ended.
#[track_caller]
pub fn assert_fails(mut connection: Connection, bytes: &[u8], code: Code) {
    assert_eq!(feed(&mut connection, bytes), Err(code));
    let sent = frames(connection.out());
    let (kind, _, stream, payload) = sent.last().unwrap();
    assert_eq!(
        (*kind, *stream, &payload[4..]),
        (GOAWAY, 0, &code.0.to_be_bytes()[..])
    );
    assert_eq!(
        feed(&mut connection, &frame(PING, 0, 0, &[0; 8])),
        Err(code)
    );
    assert_eq!(connection.failed().unwrap().code(), code);
}

/// The stream is reset with this code and the connection lives on.
#[track_caller]
pub fn assert_resets(mut connection: Connection, bytes: &[u8], stream: u32, code: Code) {
    let events = feed(&mut connection, bytes).unwrap();
    let reset = (RST_STREAM, 0, stream, code.0.to_be_bytes().to_vec());
    assert!(
        frames(connection.out()).contains(&reset),
        "{:?}",
        frames(connection.out())
    );
    let told = format!("reset {stream} {}", code.0);
    let began = events
        .iter()
        .any(|event| event.starts_with(&format!("head {stream} ")));
    assert!(!began || events.contains(&told), "{events:?}");
    assert_eq!(
        feed(&mut connection, &frame(PING, 0, 0, &[7; 8])),
        Ok(vec![])
    );
    assert!(frames(connection.out()).contains(&(PING, ACK, 0, vec![7; 8])));
}

#[test]
fn a_connection_begins_with_preface_and_settings() {
    for bytes in [
        &b"GET / HTTP/1.1\r\n"[..],
        b"PRI * HTTP/2.1",
        &[PREFACE, &request(1, 0)[..]].concat(),
    ] {
        assert_fails(
            Connection::new(Role::Server, Limits::default()),
            bytes,
            Code::PROTOCOL_ERROR,
        );
    }
    let acknowledged = frame(SETTINGS, ACK, 0, &[]);
    let client = Connection::new(Role::Client, Limits::default());
    assert_fails_first(client, &acknowledged);
    let mut client = Connection::new(Role::Client, Limits::default());
    assert!(client.out().starts_with(PREFACE));
    let sent = frames(&client.out()[PREFACE.len()..]);
    assert_eq!(
        sent.iter().map(|f| f.0).collect::<Vec<_>>(),
        [SETTINGS, WINDOW_UPDATE]
    );
    client.out().clear();
    feed(&mut client, &frame(SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 9])).unwrap();
    assert_eq!(frames(client.out()), [(SETTINGS, ACK, 0, vec![])]);
    assert_eq!(client.peer().streams, 9);
}

fn assert_fails_first(mut connection: Connection, bytes: &[u8]) {
    assert_eq!(feed(&mut connection, bytes), Err(Code::PROTOCOL_ERROR));
}

#[test]
fn frames_that_end_a_servers_connection() {
    let long = frame(DATA, 0, 1, &[0; 16_385]);
    let even = request(2, 0);
    let open = request(1, 0);
    let unfinished = frame(HEADERS, 0, 1, &request_block());
    let then = |bytes: &[u8], more: Vec<u8>| [bytes, &more].concat();
    let settings = |id: u8, value: u32| {
        frame(
            SETTINGS,
            0,
            0,
            &[&[0, id][..], &value.to_be_bytes()].concat(),
        )
    };
    for (bytes, code) in [
        (long, Code::FRAME_SIZE_ERROR),
        (even, Code::PROTOCOL_ERROR),
        (request(0, 0), Code::PROTOCOL_ERROR),
        (frame(DATA, 0, 0, b"x"), Code::PROTOCOL_ERROR),
        (frame(DATA, 0, 1, b"x"), Code::PROTOCOL_ERROR),
        (
            then(&open, frame(DATA, PADDED, 1, &[])),
            Code::PROTOCOL_ERROR,
        ),
        (
            then(&open, frame(DATA, PADDED, 1, &[3, 0, 0])),
            Code::PROTOCOL_ERROR,
        ),
        (
            frame(HEADERS, PADDED | END_HEADERS, 1, &[9, 0]),
            Code::PROTOCOL_ERROR,
        ),
        (
            frame(HEADERS, 0x20 | END_HEADERS, 1, &[0; 4]),
            Code::FRAME_SIZE_ERROR,
        ),
        (
            frame(HEADERS, END_HEADERS, 1, &[0x80]),
            Code::COMPRESSION_ERROR,
        ),
        (
            then(&unfinished, frame(PING, 0, 0, &[0; 8])),
            Code::PROTOCOL_ERROR,
        ),
        (
            then(&unfinished, frame(CONTINUATION, 0, 3, &[])),
            Code::PROTOCOL_ERROR,
        ),
        (
            frame(CONTINUATION, END_HEADERS, 1, &[]),
            Code::PROTOCOL_ERROR,
        ),
        (frame(RST_STREAM, 0, 1, &[0; 4]), Code::PROTOCOL_ERROR),
        (frame(RST_STREAM, 0, 0, &[0; 4]), Code::PROTOCOL_ERROR),
        (
            then(&open, frame(RST_STREAM, 0, 1, &[0; 3])),
            Code::FRAME_SIZE_ERROR,
        ),
        (frame(WINDOW_UPDATE, 0, 0, &[0; 4]), Code::PROTOCOL_ERROR),
        (
            frame(WINDOW_UPDATE, 0, 0, &[0x7f, 0xff, 0xff, 0xff]),
            Code::FLOW_CONTROL_ERROR,
        ),
        (
            frame(WINDOW_UPDATE, 0, 1, &[0, 0, 0, 1]),
            Code::PROTOCOL_ERROR,
        ),
        (frame(WINDOW_UPDATE, 0, 0, &[0; 5]), Code::FRAME_SIZE_ERROR),
        (frame(PING, 0, 0, &[0; 7]), Code::FRAME_SIZE_ERROR),
        (frame(PING, 0, 1, &[0; 8]), Code::PROTOCOL_ERROR),
        (frame(GOAWAY, 0, 0, &[0; 7]), Code::FRAME_SIZE_ERROR),
        (frame(GOAWAY, 0, 1, &[0; 8]), Code::PROTOCOL_ERROR),
        (frame(SETTINGS, 0, 1, &[]), Code::PROTOCOL_ERROR),
        (frame(SETTINGS, 0, 0, &[0; 5]), Code::FRAME_SIZE_ERROR),
        (frame(SETTINGS, ACK, 0, &[0; 6]), Code::FRAME_SIZE_ERROR),
        (settings(2, 2), Code::PROTOCOL_ERROR),
        (settings(4, 1 << 31), Code::FLOW_CONTROL_ERROR),
        (settings(5, 16_383), Code::PROTOCOL_ERROR),
        (settings(5, 1 << 24), Code::PROTOCOL_ERROR),
        (
            frame(5, END_HEADERS, 1, &[0, 0, 0, 2]),
            Code::PROTOCOL_ERROR,
        ),
        (frame(2, 0, 0, &[0; 5]), Code::PROTOCOL_ERROR),
    ] {
        println!("{:x?}", &bytes[..bytes.len().min(30)]);
        assert_fails(server(Limits::default()), &bytes, code);
    }
}

#[test]
fn frames_that_end_a_stream_of_a_server() {
    let open = request(1, 0);
    let ended = request(1, END_STREAM);
    let then = |bytes: &[u8], more: Vec<u8>| [bytes, &more].concat();
    let malformed = block(&[(":method", "POST"), (":scheme", "http")]);
    let many: Vec<_> = (0..300).map(|_| ("a", "b")).collect();
    let many = [&request_block()[..], &block(&many)].concat();
    for (bytes, code) in [
        (then(&ended, frame(DATA, 0, 1, b"x")), Code::STREAM_CLOSED),
        (then(&ended, request(1, END_STREAM)), Code::STREAM_CLOSED),
        (then(&open, request(1, 0)), Code::PROTOCOL_ERROR),
        (then(&open, request(1, END_STREAM)), Code::PROTOCOL_ERROR),
        (
            then(&open, frame(WINDOW_UPDATE, 0, 1, &[0; 4])),
            Code::PROTOCOL_ERROR,
        ),
        (
            then(&open, frame(WINDOW_UPDATE, 0, 1, &[0x7f, 0xff, 0xff, 0xff])),
            Code::FLOW_CONTROL_ERROR,
        ),
        (
            frame(HEADERS, END_HEADERS, 1, &malformed),
            Code::PROTOCOL_ERROR,
        ),
        (
            frame(HEADERS, END_HEADERS, 1, &many),
            Code::ENHANCE_YOUR_CALM,
        ),
    ] {
        assert_resets(server(Limits::default()), &bytes, 1, code);
    }
    let limits = Limits {
        streams: 1,
        ..Limits::default()
    };
    assert_resets(
        server(limits),
        &then(&open, request(3, 0)),
        3,
        Code::REFUSED_STREAM,
    );
}

#[test]
fn what_is_legal_and_odd_is_taken() {
    let mut server = server(Limits::default());
    let block = request_block();
    let (first, rest) = block.split_at(3);
    let padded = [&[2, 0, 0, 0, 3, 9][..], first, &[0, 0]].concat();
    let bytes = [
        frame(99, 0xff, 7, b"unknown"),
        frame(2, 0, 1, &[0; 5]),
        frame(PING, ACK, 0, &[0; 8]),
        frame(HEADERS, PADDED | 0x20 | END_STREAM, 1, &padded),
        frame(CONTINUATION, 0, 1, &[]),
        frame(CONTINUATION, END_HEADERS, 1, rest),
        request(5, 0),
        frame(DATA, PADDED, 5, &[2, b'a', 0, 0]),
        frame(DATA, PADDED | END_STREAM, 5, &[1, 0]),
        // A reset of a stream that was never opened but lies below one that was.
        frame(RST_STREAM, 0, 3, &[0; 4]),
        frame(RST_STREAM, 0, 5, &[0, 0, 0, 8]),
        // What was on its way when the stream ended.
        frame(DATA, 0, 5, b"late"),
        frame(WINDOW_UPDATE, 0, 5, &[0, 0, 0, 1]),
        frame(HEADERS, END_HEADERS | END_STREAM, 5, &[0x84]),
    ]
    .concat();
    let size = 4 * 32 + ":methodPOST:schemehttp:path/a/bxy".len();
    let events = feed(&mut server, &bytes).unwrap();
    let expected = [
        format!("head 1 true {size}"),
        format!("head 5 false {size}"),
        "data 5 false [97]".into(),
        "data 5 true []".into(),
        "reset 5 8".into(),
    ];
    assert_eq!(events, expected);
}
