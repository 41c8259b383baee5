//! `Authority` between peers that mean harm.

use dubbo_proxy_filter::Close;
use dubbo_proxy_filter::authority::Authority;
use dubbo_proxy_filter::hpack::Encoder;
use dubbo_proxy_filter::http2::PREFACE;
use proptest::prelude::*;

use crate::{CALL, begun, block, config, frame};

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

/// Settings that are too long to be looked into: what follows them is the middle of a frame.
#[test]
fn nothing_passes_behind_what_envoy_should_not_have_sent() {
    let settings = [&[4, 0, 1, 4, 0, 0, 0, 0, 0][..], &[0; 4]].concat();
    for size in [1, 9, 13] {
        let (mut half, _) = begun();
        half.to_client().clear();
        settings
            .chunks(size)
            .for_each(|chunk| half.from_envoy(chunk));
        assert!(half.closing().is_some(), "{size}");
        assert!(half.to_client().is_empty(), "{size}");
    }
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
