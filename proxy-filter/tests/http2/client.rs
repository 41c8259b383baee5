//! We are the client, h2 is the server.

use std::collections::HashMap;

use bytes::Bytes;
use dubbo_proxy_filter::hpack::HeaderList;
use dubbo_proxy_filter::http2::{Code, Connection, Event, Limits, Role, StreamKey};
use tokio::io::{DuplexStream, duplex};

use crate::bodies::{Wire, body, read_all, send_all};

/// How a call ended.
#[derive(Debug, Default, PartialEq)]
struct Answer {
    status: Vec<u8>,
    body: Vec<u8>,
    trailer: Option<Vec<u8>>,
    reset: Option<Code>,
}

/// Echoes: a request with `x-reset` is reset, `x-trailer` is answered with trailers, `x-early` before its body is read.
async fn echo(io: DuplexStream, builder: h2::server::Builder) {
    let mut connection = builder.handshake::<_, Bytes>(io).await.unwrap();
    while let Some(accepted) = connection.accept().await {
        let Ok((request, mut respond)) = accepted else {
            return;
        };
        tokio::spawn(async move {
            let (head, stream) = request.into_parts();
            assert_eq!(
                head.uri,
                "http://com.acme.orders.dubbo/com.acme.Orders/create"
            );
            if head.headers.contains_key("x-reset") {
                return respond.send_reset(h2::Reason::REFUSED_STREAM);
            }
            if head.headers.contains_key("x-early") {
                let response = http::Response::builder().status(404).body(()).unwrap();
                respond.send_response(response, true).unwrap();
                return;
            }
            let Ok((body, _)) = read_all(stream).await else {
                return;
            };
            let mut informational = http::Response::new(());
            *informational.status_mut() = http::StatusCode::CONTINUE;
            respond.send_informational(informational).unwrap();
            let trailers = head.headers.contains_key("x-trailer");
            let end = body.is_empty() && !trailers;
            let mut send = respond.send_response(http::Response::new(()), end).unwrap();
            let _ = send_all(&mut send, body, !trailers).await;
            if trailers {
                let fields = [("x-end".parse().unwrap(), "yes".parse().unwrap())];
                send.send_trailers(http::HeaderMap::from_iter(fields))
                    .unwrap();
            }
        });
    }
}

fn head(extra: &[&str], id: usize) -> HeaderList {
    let mut head = HeaderList::new();
    head.push(b":method", b"POST");
    head.push(b":scheme", b"http");
    head.push(b":authority", b"com.acme.orders.dubbo");
    head.push(b":path", b"/com.acme.Orders/create");
    head.push(b"x-id", id.to_string().as_bytes());
    extra
        .iter()
        .for_each(|name| head.push(name.as_bytes(), b"1"));
    head
}

/// Makes all calls over one connection, as many at once as the server takes.
async fn call_all(
    builder: h2::server::Builder,
    read: usize,
    calls: &[(&[&str], usize)],
) -> (Vec<Answer>, Connection) {
    let (ours, theirs) = duplex(64 * 1024);
    tokio::spawn(echo(theirs, builder));
    let mut wire = Wire::new(ours, read);
    let mut connection = Connection::new(Role::Client, Limits::default());
    let mut answers: Vec<Answer> = calls.iter().map(|_| Answer::default()).collect();
    let mut streams: HashMap<StreamKey, usize> = HashMap::new();
    let (mut next, mut done) = (0, 0);
    while done < calls.len() {
        while next < calls.len() && connection.can_open() {
            let (extra, len) = calls[next];
            let stream = connection.open(&head(extra, next), len == 0).unwrap();
            connection.send_data(stream, &body(next, len), true);
            streams.insert(stream, next);
            next += 1;
        }
        let chunk = wire.turn(connection.out()).await;
        assert!(!chunk.is_empty(), "the server closed");
        let mut chunk = &chunk[..];
        while let Some(event) = connection.next(&mut chunk).unwrap() {
            let ended = match event {
                Event::Head { stream, end } => {
                    let status = connection.headers().get(b":status").unwrap();
                    answers[streams[&stream]].status = status.to_vec();
                    end
                }
                Event::Data { stream, bytes, end } => {
                    answers[streams[&stream]].body.extend_from_slice(bytes);
                    connection.release(stream, bytes.len());
                    end
                }
                Event::Trailers { stream } => {
                    let trailer = connection.headers().get(b"x-end").map(<[u8]>::to_vec);
                    answers[streams[&stream]].trailer = trailer;
                    true
                }
                Event::Reset { stream, code } => {
                    let answer = &mut answers[streams[&stream]];
                    if answer.status.is_empty() {
                        answer.reset = Some(code);
                        done += 1;
                    }
                    continue;
                }
                other => panic!("{other:?}"),
            };
            done += usize::from(ended);
        }
    }
    (answers, connection)
}

fn echoed(seed: usize, len: usize) -> Answer {
    Answer {
        status: b"200".to_vec(),
        body: body(seed, len),
        ..Answer::default()
    }
}

#[tokio::test]
async fn bodies_of_all_sizes_come_back_whatever_the_windows() {
    let lengths = [0, 1, 100, 16_383, 16_384, 16_385, 70_000, 1 << 20];
    let calls: Vec<(&[&str], usize)> = lengths.into_iter().map(|len| (&[][..], len)).collect();
    for (window, connection_window, read) in [
        (65_535, 65_535, 4096),
        (1000, 70_000, 77),
        (1 << 24, 1 << 24, 1 << 16),
    ] {
        let mut builder = h2::server::Builder::new();
        builder
            .initial_window_size(window)
            .initial_connection_window_size(connection_window);
        let (answers, connection) = call_all(builder, read, &calls).await;
        for (seed, len) in lengths.into_iter().enumerate() {
            assert!(answers[seed] == echoed(seed, len), "{len} bytes");
        }
        assert_eq!((connection.active(), connection.waiting()), (0, 0));
    }
}

#[tokio::test]
async fn the_servers_stream_limit_is_kept() {
    let calls: Vec<(&[&str], usize)> = (0..600).map(|seed| (&[][..], seed * 50)).collect();
    let mut builder = h2::server::Builder::new();
    builder.max_concurrent_streams(7);
    let (answers, connection) = call_all(builder, 9000, &calls).await;
    for (seed, answer) in answers.iter().enumerate() {
        assert!(*answer == echoed(seed, seed * 50), "{seed}");
    }
    assert_eq!(connection.active(), 0);
    assert_eq!(connection.peer().streams, 7);
}

#[tokio::test]
async fn trailers_resets_and_early_answers() {
    let calls: [(&[&str], usize); 4] = [
        (&["x-trailer"], 5),
        (&["x-reset"], 5),
        (&["x-early"], 0),
        (&[], 5),
    ];
    let (answers, connection) = call_all(h2::server::Builder::new(), 33, &calls).await;
    let expected = [
        Answer {
            trailer: Some(b"yes".to_vec()),
            ..echoed(0, 5)
        },
        Answer {
            reset: Some(Code::REFUSED_STREAM),
            ..Answer::default()
        },
        Answer {
            status: b"404".to_vec(),
            ..Answer::default()
        },
        echoed(3, 5),
    ];
    assert_eq!(answers, expected);
    assert_eq!(connection.active(), 0);
}

/// A server that reads no body must not stop the calls beside it.
#[tokio::test]
async fn a_stream_that_is_not_read_does_not_stop_the_others() {
    let (ours, theirs) = duplex(64 * 1024);
    let mut wire = Wire::new(ours, 4096);
    tokio::spawn(async move {
        let mut builder = h2::server::Builder::new();
        builder
            .initial_window_size(10_000)
            .initial_connection_window_size(1 << 20);
        let mut connection = builder.handshake::<_, Bytes>(theirs).await.unwrap();
        let mut held = vec![];
        while let Some(Ok((request, mut respond))) = connection.accept().await {
            if request.headers().contains_key("x-stuck") {
                held.push((request, respond));
                continue;
            }
            tokio::spawn(async move {
                let (body, _) = read_all(request.into_body()).await.unwrap();
                let mut send = respond
                    .send_response(http::Response::new(()), false)
                    .unwrap();
                send_all(&mut send, body, true).await.unwrap();
            });
        }
    });
    let mut connection = Connection::new(Role::Client, Limits::default());
    while !connection.peer().known {
        let chunk = wire.turn(connection.out()).await;
        assert_eq!(connection.next(&mut &chunk[..]), Ok(None));
    }
    let stuck = connection.open(&head(&["x-stuck"], 0), false).unwrap();
    connection.send_data(stuck, &body(0, 100_000), true);
    let good = connection.open(&head(&[], 1), false).unwrap();
    connection.send_data(good, &body(1, 50_000), true);
    let mut answer = vec![];
    while answer.len() < 50_000 {
        let chunk = wire.turn(connection.out()).await;
        let mut chunk = &chunk[..];
        while let Some(event) = connection.next(&mut chunk).unwrap() {
            if let Event::Data { stream, bytes, .. } = event {
                assert_eq!(stream, good);
                answer.extend_from_slice(bytes);
                connection.release(stream, bytes.len());
            }
        }
    }
    assert_eq!(answer, body(1, 50_000));
    assert_eq!(connection.waiting_of(stuck), 90_000);
    connection.reset(stuck, Code::CANCEL);
    assert_eq!((connection.waiting(), connection.active()), (0, 0));
}
