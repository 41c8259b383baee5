//! Whatever comes: no panic, and no memory that grows with it.

use dubbo_proxy_filter::hpack::HeaderList;
use dubbo_proxy_filter::http2::{Connection, Event, Limits, Role};
use proptest::prelude::*;

use crate::rules::{client, frame, hello, request, server};

/// Does with a connection what a translator does, and says what it holds.
fn drive(connection: &mut Connection, mut bytes: &[u8]) {
    let mut head = HeaderList::new();
    head.push(b":status", b"200");
    while let Ok(Some(event)) = connection.next(&mut bytes) {
        match event {
            Event::Head { stream, end } => {
                connection.send_head(stream, &head, false);
                connection.send_data(stream, b"some", end);
            }
            Event::Data { stream, bytes, end } => {
                connection.release(stream, bytes.len());
                connection.send_data(stream, bytes, end);
            }
            Event::Trailers { stream } => connection.send_data(stream, &[], true),
            _ => {}
        }
    }
}

fn any_frame() -> impl Strategy<Value = Vec<u8>> {
    let payload = prop_oneof![
        4 => proptest::collection::vec(any::<u8>(), 0..40),
        1 => proptest::collection::vec(any::<u8>(), 0..20_000),
    ];
    let stream = prop_oneof![Just(0_u32), 1..12_u32, any::<u32>()];
    let ours = (0..11_u8, any::<u8>(), stream, payload).prop_map(|(k, f, s, p)| frame(k, f, s, &p));
    prop_oneof![3 => ours, 2 => (0..10_u32, 0..2_u8).prop_map(|(n, f)| request(2 * n + 1, f))]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn random_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..300), cut in 1..50_usize) {
        for mut connection in [server(Limits::default()), client().0, Connection::new(Role::Server, Limits::default())] {
            for chunk in bytes.chunks(cut) {
                drive(&mut connection, chunk);
            }
        }
    }

    #[test]
    fn random_frames(frames in proptest::collection::vec(any_frame(), 0..60), cut in 1..5000_usize) {
        let all = frames.concat();
        for mut connection in [server(Limits::default()), client().0] {
            for chunk in all.chunks(cut) {
                drive(&mut connection, chunk);
                prop_assert!(connection.waiting() <= all.len() + 4 * 60);
                prop_assert!(connection.active() <= 64);
            }
        }
    }

    #[test]
    fn changed_bytes(changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        let mut bytes = [hello(), request(1, 0), frame(0, 1, 1, &[7; 90]), request(3, 1), frame(6, 0, 0, &[0; 8])].concat();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let mut whole = Connection::new(Role::Server, Limits::default());
        drive(&mut whole, &bytes);
        let mut pieces = Connection::new(Role::Server, Limits::default());
        bytes.chunks(3).for_each(|chunk| drive(&mut pieces, chunk));
        prop_assert_eq!(whole.failed(), pieces.failed());
    }
}

/// A peer that cancels each call while the connection's window is closed cannot pile anything up.
#[test]
fn cancelled_streams_leave_nothing() {
    let mut server = server(Limits::default());
    let mut head = HeaderList::new();
    head.push(b":status", b"200");
    let before = allocation_counter::measure(|| ()).bytes_current;
    let used = allocation_counter::measure(|| {
        for number in 0..9000_u32 {
            let bytes = request(number * 2 + 1, 1);
            let mut rest = &bytes[..];
            while let Some(event) = server.next(&mut rest).unwrap() {
                let Event::Head { stream, .. } = event else {
                    panic!("{event:?}")
                };
                server.send_head(stream, &head, false);
                server.send_data(stream, &[0; 1000], true);
            }
            drive(&mut server, &frame(3, 0, number * 2 + 1, &[0, 0, 0, 8]));
            server.out().clear();
        }
    });
    assert!(used.bytes_current - before < 100_000, "{used:?}");
    assert_eq!((server.waiting(), server.active()), (0, 0));
}

/// A call allocates nothing once everything has grown: request, body, response.
#[test]
fn calls_allocate_nothing() {
    let (mut client, mut server) = (
        Connection::new(Role::Client, Limits::default()),
        server(Limits::default()),
    );
    feed_preface(&mut client, &mut server);
    let mut head = HeaderList::new();
    let mut answer = HeaderList::new();
    answer.push(b":status", b"200");
    let mut calls = |from: u32, to: u32| {
        for id in from..to {
            head.clear();
            head.push(b":method", b"POST");
            head.push(b":scheme", b"http");
            head.push(b":path", b"/com.acme.Orders/create");
            head.push(
                b"x-id",
                &[28, 24, 20, 16, 12, 8, 4, 0].map(|at| b'a' + (id >> at & 15) as u8),
            );
            let stream = client.open(&head, false).unwrap();
            client.send_data(stream, &[7; 300], true);
            let mut sent = &client.out()[..];
            while let Some(event) = server.next(&mut sent).unwrap() {
                if let Event::Data {
                    stream, end: true, ..
                } = event
                {
                    server.send_head(stream, &answer, false);
                    server.send_data(stream, &[8; 97], true);
                }
            }
            client.out().clear();
            let mut sent = &server.out()[..];
            let mut ended = 0;
            while let Some(event) = client.next(&mut sent).unwrap() {
                ended += usize::from(matches!(event, Event::Data { end: true, .. }));
            }
            server.out().clear();
            assert_eq!(ended, 1);
        }
    };
    calls(0, 2000);
    let used = allocation_counter::measure(|| calls(2000, 4000));
    assert_eq!(used.count_total, 0, "{used:?}");
}

fn feed_preface(client: &mut Connection, server: &mut Connection) {
    let preface = std::mem::take(client.out());
    drive(server, &preface[24..]);
    let settings = frame(4, 0, 0, &[0, 4, 0, 16, 0, 0]);
    drive(client, &settings);
    client.out().clear();
    server.out().clear();
    drive(client, &frame(8, 0, 0, &[0x70, 0, 0, 0]));
    drive(server, &frame(8, 0, 0, &[0x70, 0, 0, 0]));
}
