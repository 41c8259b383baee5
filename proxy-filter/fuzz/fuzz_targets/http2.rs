//! However a stream is cut, both roles see the same events in it and send the same bytes.
#![no_main]

use dubbo_proxy_filter::hpack::HeaderList;
use dubbo_proxy_filter::http2::{Connection, Event, Limits, PREFACE, Role};
use dubbo_proxy_filter_fuzz::pieces;
use libfuzzer_sys::fuzz_target;

/// What happened, with pieces of data joined.
fn run(role: Role, bytes: &[u8], cut: usize) -> (Vec<String>, Vec<u8>) {
    let mut connection = Connection::new(role, Limits::default());
    let mut head = HeaderList::new();
    head.push(b":status", b"200");
    let _ = connection.open(&head, true);
    let (mut told, mut data): (Vec<String>, Vec<u8>) = (vec![], vec![]);
    let begin = if role == Role::Server { &PREFACE[..] } else { &[] };
    for mut chunk in std::iter::once(begin).chain(bytes.chunks(cut)) {
        loop {
            match connection.next(&mut chunk) {
                Ok(None) => break,
                Ok(Some(Event::Data { stream, bytes, end })) => {
                    data.extend(stream.id().to_be_bytes());
                    data.extend(bytes);
                    if end {
                        connection.send_data(stream, b"answer", true);
                        told.push(format!("end {}", stream.id()));
                    }
                }
                Ok(Some(Event::Head { stream, end })) => {
                    connection.send_head(stream, &head, false);
                    told.push(format!("head {} {end} {:?}", stream.id(), connection.headers().size()));
                }
                Ok(Some(other)) => told.push(format!("{other:?}")),
                Err(error) => {
                    told.push(error.to_string());
                    return (told, std::mem::take(connection.out()));
                }
            }
        }
    }
    (told, std::mem::take(connection.out()))
}

fuzz_target!(|input: &[u8]| {
    let Some(([role, cut], rest)) = input.split_first_chunk() else { return };
    let role = if role & 1 == 1 { Role::Server } else { Role::Client };
    let mut bytes = vec![];
    for piece in pieces(rest) {
        match piece.kind {
            0 => bytes.extend(piece.bytes()),
            _ => bytes.extend(piece.http2()),
        }
    }
    let whole = run(role, &bytes, bytes.len().max(1));
    assert_eq!(run(role, &bytes, usize::from(*cut) + 1), whole);
});
