//! `Authority` between a client and a server of `h2`, and between peers that mean harm.

#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    reason = "a failed unwrap is a failed test"
)]

#[path = "authority/between.rs"]
mod between;
#[path = "authority/hostile.rs"]
mod hostile;

use std::sync::Arc;

use dubbo_proxy_filter::authority::Authority;
use dubbo_proxy_filter::config::Config;
use dubbo_proxy_filter::hpack::{Decoder, Encoder, HeaderList, ListLimits};
use dubbo_proxy_filter::http2::PREFACE;

fn config(text: &str) -> Arc<Config> {
    Arc::new(Config::parse(text.as_bytes()).unwrap())
}

fn translator() -> Authority {
    Authority::new(&config(""), 0)
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

/// RFC 7541, 7.1.3: who passes a field on that is never to be indexed uses the same representation, also
/// where it is seen again, or an index stands for all of it.
#[test]
fn what_is_never_indexed_stays_so() {
    let fields = [
        // :method GET, :scheme http, :path /
        &[0x82, 0x86, 0x84][..],
        // C.2.3; then a name of the static table, and a field of it that stands there whole.
        b"\x10\x08password\x06secret",
        b"\x1f\x08\x06secret",
        b"\x1f\x01\x0dgzip, deflate",
        // Not indexed this time alone; that may be changed, and is not the first time.
        b"\x00\x08passport\x06secret",
    ];
    let (mut authority, _) = begun();
    for stream in [1, 3, 5] {
        authority.to_envoy().clear();
        authority.from_client(&frame(1, 5, stream, &fields[..4].concat()));
        assert_eq!(
            *authority.to_envoy(),
            frame(1, 5, stream, &fields[..4].concat())
        );
    }
    authority.to_envoy().clear();
    authority.from_client(&frame(1, 5, 7, &fields.concat()));
    assert_eq!(*authority.to_envoy(), frame(1, 5, 7, &fields.concat()));
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
