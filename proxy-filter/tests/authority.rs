//! `Authority` between a client and a server of `h2`, and between peers that mean harm.

#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    reason = "a failed unwrap is a failed test"
)]

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use dubbo_proxy_filter::Close;
use dubbo_proxy_filter::authority::Authority;
use dubbo_proxy_filter::config::Config;
use dubbo_proxy_filter::hpack::{Decoder, Encoder, HeaderList, ListLimits};
use dubbo_proxy_filter::http2::PREFACE;
use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

fn config(text: &str) -> Arc<Config> {
    Arc::new(Config::parse(text.as_bytes()).unwrap())
}

fn translator() -> Authority {
    Authority::new(&config(""), 0)
}

/// Stands between two ends, giving each side what came in pieces of up to `most` bytes.
async fn between(mut client: DuplexStream, mut server: DuplexStream, most: usize) -> Authority {
    let mut authority = translator();
    let (mut up, mut down) = (vec![0; most], vec![0; most]);
    loop {
        tokio::select! {
            read = client.read(&mut up) => match read {
                Ok(n @ 1..) => authority.from_client(&up[..n]),
                _ => return authority,
            },
            read = server.read(&mut down) => match read {
                Ok(n @ 1..) => authority.from_envoy(&down[..n]),
                _ => return authority,
            },
        }
        assert_eq!(authority.closing(), None);
        let up = std::mem::take(authority.to_envoy());
        server.write_all(&up).await.unwrap();
        let down = std::mem::take(authority.to_client());
        client.write_all(&down).await.unwrap();
    }
}

/// What a request came with: authority, headers, body, trailers.
type Came = (Option<String>, BTreeMap<String, String>, Vec<u8>, usize);

fn texts(headers: &http::HeaderMap) -> BTreeMap<String, String> {
    let text = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
        (name.to_string(), value.to_str().unwrap().to_owned())
    };
    headers.iter().map(text).collect()
}

/// Takes requests, answers each with its path and its trailers, and returns what came.
async fn serve(io: DuplexStream, builder: h2::server::Builder, count: usize) -> Vec<Came> {
    let mut connection = builder.handshake::<_, Bytes>(io).await.unwrap();
    let mut came = vec![];
    let mut tasks = vec![];
    while let Some(Ok((request, mut respond))) = connection.accept().await {
        tasks.push(tokio::spawn(async move {
            let (head, mut stream) = request.into_parts();
            let mut body = vec![];
            while let Some(chunk) = stream.data().await {
                let chunk = chunk.unwrap();
                stream.flow_control().release_capacity(chunk.len()).unwrap();
                body.extend(chunk);
            }
            let trailers = stream.trailers().await.unwrap().map_or(0, |t| t.len());
            let path = head.uri.path().to_owned();
            let response = http::Response::builder().header("x-path", &path).body(());
            let mut send = respond.send_response(response.unwrap(), false).unwrap();
            send.send_data(Bytes::from(path), true).unwrap();
            let authority = head.uri.authority().map(ToString::to_string);
            (authority, texts(&head.headers), body, trailers)
        }));
        if tasks.len() == count {
            break;
        }
    }
    let closing = tokio::spawn(async move { while connection.accept().await.is_some() {} });
    for task in tasks {
        came.push(task.await.unwrap());
    }
    drop(closing);
    came
}

/// One request: its path, headers, the length of its body, and whether trailers end it.
type Asked<'a> = (&'a str, Vec<(&'static str, String)>, usize, bool);

async fn ask(
    sender: &mut h2::client::SendRequest<Bytes>,
    (path, headers, length, trailers): &Asked<'_>,
) {
    let mut request =
        http::Request::post(format!("http://10.0.0.7:50051{path}")).version(http::Version::HTTP_2);
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    let request = request.body(()).unwrap();
    sender.clone().ready().await.unwrap();
    let end = *length == 0 && !trailers;
    let (response, mut send) = sender.send_request(request, end).unwrap();
    let mut left = *length;
    while left > 0 {
        send.reserve_capacity(left);
        let granted = std::future::poll_fn(|context| send.poll_capacity(context)).await;
        let now = granted.unwrap().unwrap().min(left);
        left -= now;
        send.send_data(Bytes::from(vec![b'x'; now]), left == 0 && !trailers)
            .unwrap();
    }
    if *trailers {
        let fields = [("x-end".parse().unwrap(), "yes".parse().unwrap())];
        send.send_trailers(http::HeaderMap::from_iter(fields))
            .unwrap();
    }
    let (head, mut body) = response.await.unwrap().into_parts();
    assert_eq!(head.headers["x-path"], *path);
    let mut text = vec![];
    while let Some(chunk) = body.data().await {
        text.extend(chunk.unwrap());
    }
    assert_eq!(text, path.as_bytes());
}

/// Everything goes through as it was sent but for the authority, whatever the sizes of tables, frames
/// and pieces.
#[tokio::test]
async fn requests_get_their_services_name_and_stay_as_they_are() {
    let long = "v".repeat(40_000);
    let asked: Vec<Asked<'_>> = vec![
        (
            "/com.acme.Greeter/greet",
            vec![("content-type", "application/grpc".into())],
            0,
            false,
        ),
        (
            "/com.acme.Greeter/greet",
            vec![
                ("tri-service-version", "1.0.0".into()),
                ("tri-service-group", "gray".into()),
            ],
            200_000,
            true,
        ),
        ("/index.html", vec![("x-id", "1".into())], 10, false),
        (
            "/com.acme.Orders/create",
            vec![("x-long", long.clone())],
            70_000,
            false,
        ),
        (
            "/com.acme.Orders/create",
            vec![("x-long", long.clone())],
            0,
            true,
        ),
        (
            "/com.acme.Orders/create",
            vec![("content-type", "application/x-dubbo2".into())],
            5,
            false,
        ),
    ];
    let address = "10.0.0.7:50051";
    let hosts = [
        "com.acme.greeter.dubbo",
        "v1-0-0.g-gray.com.acme.greeter.dubbo",
        address,
        "com.acme.orders.dubbo",
        "com.acme.orders.dubbo",
        address,
    ];
    for (table, most) in [
        (4096, 7),
        (4096, 60_000),
        (0, 1000),
        (100, 1),
        (65_536, 60_000),
    ] {
        let (client, up) = duplex(1 << 16);
        let (down, server) = duplex(1 << 16);
        let mut builder = h2::server::Builder::new();
        builder
            .header_table_size(table)
            .max_header_list_size(1 << 20);
        let rounds = 3;
        let server = tokio::spawn(serve(server, builder, rounds * asked.len()));
        let translator = tokio::spawn(between(up, down, most));
        let (mut sender, connection) = h2::client::handshake(client).await.unwrap();
        let connection = tokio::spawn(connection);
        for _ in 0..rounds {
            for one in &asked {
                ask(&mut sender, one).await;
            }
        }
        let came = server.await.unwrap();
        assert_eq!(came.len(), rounds * asked.len());
        for (n, (authority, headers, body, trailers)) in came.into_iter().enumerate() {
            let (_, sent, length, ended) = &asked[n % asked.len()];
            let sent: BTreeMap<_, _> = (sent.iter())
                .map(|(name, value)| ((*name).to_owned(), value.clone()))
                .collect();
            assert_eq!(
                authority.as_deref(),
                Some(hosts[n % asked.len()]),
                "{table} {n}"
            );
            assert_eq!(
                (headers, body.len(), trailers == 1),
                (sent, *length, *ended),
                "{table} {n}"
            );
        }
        drop(sender);
        connection.abort();
        assert_eq!(translator.await.unwrap().buffered(), 0);
    }
}

const LIST: ListLimits = ListLimits {
    fields: 3000,
    size: 1 << 20,
    string: 1 << 20,
};

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut frame = (payload.len() as u32).to_be_bytes()[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

fn block(encoder: &mut Encoder, fields: &[(&str, &str)]) -> Vec<u8> {
    let mut out = vec![];
    let fields = fields.iter().map(|(n, v)| (n.as_bytes(), v.as_bytes()));
    encoder.encode(fields, &mut out);
    out
}

const CALL: [(&str, &str); 4] = [
    (":method", "POST"),
    (":scheme", "http"),
    (":path", "/a.B/c"),
    (":authority", "10.0.0.7:50051"),
];

/// A connection that the client has begun, and the encoder of its blocks.
fn begun() -> (Authority, Encoder) {
    let mut authority = translator();
    authority.from_client(&[PREFACE, &frame(4, 0, 0, &[])[..]].concat());
    assert_eq!(
        *authority.to_envoy(),
        [PREFACE, &frame(4, 0, 0, &[])[..]].concat()
    );
    authority.to_envoy().clear();
    (authority, Encoder::new())
}

/// Priority and the end of the stream stay; padding goes; the block may come in any number of frames.
#[test]
fn the_frame_around_a_block_says_what_it_said() {
    for parts in 1..4 {
        let (mut authority, mut encoder) = begun();
        let block = block(&mut encoder, &CALL);
        let (first, rest) = block.split_at(block.len() / parts);
        let rest = if parts == 1 { &[][..] } else { rest };
        let first = if parts == 1 { &block[..] } else { first };
        // END_STREAM, PADDED and PRIORITY.
        let ends = if rest.is_empty() { 0x4 } else { 0 };
        let payload = [&[3][..], &[0x80, 0, 0, 9, 7], first, &[0; 3]].concat();
        authority.from_client(&frame(1, 0x1 | 0x8 | 0x20 | ends, 5, &payload));
        let pieces: Vec<&[u8]> = rest.chunks(rest.len() / 2 + 1).collect();
        for (n, piece) in pieces.iter().enumerate() {
            assert!(authority.to_envoy().is_empty() && authority.buffered() > 0);
            let ends = if n + 1 == pieces.len() { 0x4 } else { 0 };
            authority.from_client(&frame(9, ends, 5, piece));
        }
        let out = std::mem::take(authority.to_envoy());
        assert_eq!(out[3..14], [1, 0x25, 0, 0, 0, 5, 0x80, 0, 0, 9, 7]);
        assert_eq!(out.len(), 9 + usize::from(out[2]));
        let mut list = HeaderList::new();
        assert_eq!(
            Decoder::new().decode(&out[14..], &LIST, &mut list),
            Ok(true)
        );
        assert_eq!(list.get(b":authority"), Some(&b"a.b.dubbo"[..]));
        assert_eq!((list.len(), authority.buffered()), (4, 0));
    }
}

/// The manager's table shrinks at once and grows when it has seen the acknowledgement; the client never
/// hears of more than the default.
#[test]
fn sizes_of_tables_are_kept_on_both_sides() {
    let (mut authority, mut encoder) = begun();
    let mut decoder = Decoder::new();
    let size = |size: u32| [&[0, 1][..], &size.to_be_bytes()].concat();
    let mut next = |authority: &mut Authority| {
        authority.from_client(&frame(1, 0x5, 1, &block(&mut encoder, &CALL)));
        let out = std::mem::take(authority.to_envoy());
        let mut list = HeaderList::new();
        assert_eq!(decoder.decode(&out[9..], &LIST, &mut list), Ok(true));
        assert_eq!(list.get(b":authority"), Some(&b"a.b.dubbo"[..]));
        out[9..].to_vec()
    };
    let ack = frame(4, 1, 0, &[]);
    assert_ne!(next(&mut authority)[0] & 0xe0, 0x20);
    // Other settings around it stay.
    let settings = [&[0, 3, 0, 0, 0, 9][..], &size(100), &[0, 5, 0, 0, 0x40, 0]].concat();
    authority.from_envoy(&frame(4, 0, 0, &settings));
    assert_eq!(*authority.to_client(), frame(4, 0, 0, &settings));
    authority.to_client().clear();
    assert_eq!(next(&mut authority)[..2], [0x3f, 100 - 31]);
    authority.from_client(&ack);
    assert_eq!(std::mem::take(authority.to_envoy()), ack);
    assert_ne!(next(&mut authority)[0] & 0xe0, 0x20);
    authority.from_envoy(&frame(4, 0, 0, &size(1 << 20)));
    assert_eq!(*authority.to_client(), frame(4, 0, 0, &size(4096)));
    assert_ne!(
        next(&mut authority)[0] & 0xe0,
        0x20,
        "not before it is acknowledged"
    );
    authority.from_client(&ack);
    authority.to_envoy().clear();
    assert_eq!(next(&mut authority)[..3], [0x3f, 0xe1, 0x1f]);
    // Two that wait: the smaller holds until both are acknowledged.
    authority.from_envoy(&[frame(4, 0, 0, &size(0)), frame(4, 0, 0, &size(4096))].concat());
    assert_eq!(next(&mut authority)[0], 0x20);
    authority.from_client(&ack);
    authority.to_envoy().clear();
    assert_ne!(next(&mut authority)[0] & 0xe0, 0x20);
    authority.from_client(&ack);
    authority.to_envoy().clear();
    assert_eq!(next(&mut authority)[..3], [0x3f, 0xe1, 0x1f]);
}

#[test]
fn what_cannot_be_written_anew_ends_the_connection() {
    let (_, mut encoder) = begun();
    let good = block(&mut encoder, &CALL);
    let many = vec![("x", "y"); 2100];
    let cases = [
        ("more padding than frame", frame(1, 0xc, 1, &[9, 0])),
        ("priority", frame(1, 0x24, 1, &[0, 0])),
        ("out of step", frame(1, 0x4, 1, &[0xff, 0xff, 0xff])),
        (
            "inside of a header block",
            [frame(1, 0, 1, &good), frame(0, 0, 1, b"x")].concat(),
        ),
        (
            "inside of a header block",
            [frame(1, 0, 1, &good), frame(9, 4, 3, b"")].concat(),
        ),
        ("continuation of nothing", frame(9, 4, 1, &good)),
        (
            "too long a header block",
            [frame(1, 0, 1, b""), frame(9, 0, 1, b"").repeat(65)].concat(),
        ),
        (
            "list too long",
            frame(1, 0x4, 1, &block(&mut Encoder::new(), &many)),
        ),
    ];
    for (what, bytes) in cases {
        let (mut authority, _) = begun();
        authority.from_client(&bytes);
        let Some(Close::NotHttp2(error)) = authority.closing().cloned() else {
            panic!("{what}: {:?}", authority.closing());
        };
        assert!(error.to_string().contains(what), "{error}");
        let before = authority.to_envoy().len();
        authority.from_client(&frame(1, 0x4, 1, &good));
        assert_eq!(authority.to_envoy().len(), before);
    }
    let mut late = Authority::new(&config(r#"{"half_frame_ms":1000}"#), 0);
    late.from_client(&[PREFACE, &frame(1, 0, 1, &good)[..]].concat());
    assert_eq!(late.next_deadline(), Some(1000));
    late.at(1000);
    assert_eq!(late.closing(), Some(&Close::HalfFrame));
    // Silence before the block is no silence within it.
    let mut idle = Authority::new(&config(r#"{"half_frame_ms":1000}"#), 0);
    idle.from_client(PREFACE);
    idle.clock(5000);
    idle.from_client(&frame(1, 0, 1, &good));
    idle.at(5000);
    assert_eq!((idle.closing(), idle.next_deadline()), (None, Some(6000)));
}

/// One field of thousands of bytes in the table, and blocks of an index each for it, a hundred times.
#[test]
fn blocks_that_would_become_a_thousand_times_as_much_are_refused() {
    let (mut authority, _) = begun();
    let long = "x".repeat(3900);
    // A literal with incremental indexing (RFC 7541, 6.2.1), then the newest entry (index 62) and nothing else.
    let mut first = vec![0x40, 1, b'a', 0x7f];
    let mut rest = long.len() - 127;
    while rest >= 128 {
        first.push(0x80 | (rest % 128) as u8);
        rest /= 128;
    }
    first.push(rest as u8);
    first.extend_from_slice(long.as_bytes());
    authority.from_client(&frame(1, 0x4, 1, &first));
    assert_eq!(authority.closing(), None);
    let bomb = frame(1, 0x4, 3, &[0xbe; 100]);
    authority.from_client(&bomb.repeat(10_000));
    assert!(authority.to_envoy().len() <= 4 * 1024 * 1024 + 64 * 1024);
    let Some(Close::NotHttp2(error)) = authority.closing() else {
        panic!("{:?}", authority.closing());
    };
    assert!(error.to_string().contains("grow too much"), "{error}");
}

/// Bodies are not written anew: however much of them comes with a header block, that is in order. What was
/// taken away no longer waits.
#[test]
fn data_beside_header_blocks_is_not_counted_with_them() {
    let (mut authority, mut encoder) = begun();
    let body = frame(0, 0, 1, &[b'x'; 16_384]).repeat(400);
    let block = frame(1, 0x5, 1, &block(&mut encoder, &CALL));
    authority.from_client(&[&body[..], &block].concat());
    assert_eq!(authority.closing(), None);
    assert!(authority.to_envoy().starts_with(&body));
    let long = [("x", "y".repeat(15_000))];
    let long: Vec<_> = long
        .iter()
        .map(|(name, value)| (*name, &value[..]))
        .collect();
    let long = frame(1, 0x5, 3, &self::block(&mut Encoder::new(), &long));
    for _ in 0..4 {
        authority.to_envoy().clear();
        authority.from_client(&long.repeat(200));
        assert_eq!(authority.closing(), None);
        assert!(authority.to_envoy().len() > 2_000_000);
    }
}

/// What begins as the preface does and goes on otherwise.
#[test]
fn what_is_not_http2_passes() {
    let text = b"PROPFIND / HTTP/1.1\r\nhost: a\r\n\r\n";
    for size in 1..text.len() {
        let mut authority = translator();
        text.chunks(size)
            .for_each(|chunk| authority.from_client(chunk));
        assert_eq!(*authority.to_envoy(), text);
        authority.from_envoy(b"HTTP/1.1 405 No\r\n\r\n");
        assert_eq!(*authority.to_client(), b"HTTP/1.1 405 No\r\n\r\n");
    }
}

#[derive(Clone, Debug)]
enum Input {
    Client(Vec<u8>),
    Envoy(Vec<u8>),
}

fn inputs() -> impl Strategy<Value = Vec<Input>> {
    let payload = proptest::collection::vec(any::<u8>(), 0..40);
    let bytes = (0..12u8, any::<u8>(), 0..4u32, payload.clone())
        .prop_map(|(kind, flags, stream, payload)| frame(kind, flags, stream, &payload));
    let field = prop::sample::select(&CALL[..]);
    let good = proptest::collection::vec(field, 0..6)
        .prop_map(|fields| frame(1, 0x5, 1, &block(&mut Encoder::new(), &fields)));
    let made = prop_oneof![4 => bytes, 3 => good, 1 => payload];
    let input = (any::<bool>(), made, any::<Option<u8>>()).prop_map(|(client, mut bytes, cut)| {
        if let Some(cut) = cut {
            bytes.truncate(cut.into());
        }
        match client {
            true => Input::Client(bytes),
            false => Input::Envoy(bytes),
        }
    });
    proptest::collection::vec(input, 0..30)
}

proptest! {
    /// Whatever comes, and however it is cut, the same goes out; memory is bounded; nothing panics.
    #[test]
    fn hostile_bytes_do_no_harm(inputs in inputs(), size in 1..50_usize) {
        let (mut whole, _) = begun();
        let (mut cut, _) = begun();
        for input in inputs {
            match input {
                Input::Client(bytes) => {
                    whole.from_client(&bytes);
                    bytes.chunks(size).for_each(|chunk| cut.from_client(chunk));
                }
                Input::Envoy(bytes) => {
                    whole.from_envoy(&bytes);
                    bytes.chunks(size).for_each(|chunk| cut.from_envoy(chunk));
                }
            }
            prop_assert!(whole.buffered() < 100_000);
        }
        prop_assert_eq!(whole.closing(), cut.closing());
        prop_assert_eq!(&*whole.to_envoy(), &*cut.to_envoy());
        prop_assert_eq!(&*whole.to_client(), &*cut.to_client());
        prop_assert_eq!(whole.events().collect::<Vec<_>>(), cut.events().collect::<Vec<_>>());
    }
}
