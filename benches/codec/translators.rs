//! How many instructions the filter's translators take for a call, there and back, and whether that is
//! more than `translators.tsv` allows. All that Envoy and the peers say is prepared: what is counted is
//! the translator alone. A program of its own, since it changes how the codec's would be compiled.

mod counted;
#[allow(dead_code, reason = "only whole frames are needed")]
mod samples;

use std::process::ExitCode;
use std::sync::Arc;

use counted::Counted;

use dubbo_codec::{Frame, FrameHead, Limits, set_request_id};
use dubbo_proxy_filter::config::Config;
use dubbo_proxy_filter::hpack::{Encoder, HeaderList};
use dubbo_proxy_filter::http2::PREFACE;
use dubbo_proxy_filter::request::{Seen, to_headers};
use dubbo_proxy_filter::to_dubbo::Http2ToDubbo;
use dubbo_proxy_filter::to_http2::DubboToHttp2;
use samples::Sample;

const TRANSLATORS: Counted = Counted {
    rows: &[
        ("to_headers", "small", 2000),
        ("caller", "small", 2000),
        ("provider", "small", 2000),
    ],
    bounds: "translators.tsv",
    run,
};

const SETTINGS: &[u8] = &[0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 4, 0x7f, 0, 0, 0];
const WINDOW: &[u8] = &[0, 0, 4, 8, 0, 0, 0, 0, 0, 0x60, 0, 0, 0];
/// Calls after which the tables of both ends have what repeats.
const WARM: usize = 4;
/// Calls that are prepared, since no two have the same seal.
const PREPARED: usize = 16;

fn main() -> ExitCode {
    TRANSLATORS.main()
}

fn run(row: &str, sample: &Sample, times: u32) {
    match row {
        "to_headers" => headers(&sample.frame, times),
        "caller" => caller(&sample.frame, times),
        "provider" => provider(&sample.frame, times),
        _ => panic!("no such row: {row}"),
    }
}

/// The answer of a provider: a text of 20 bytes.
fn answer() -> Vec<u8> {
    let body = b"\x94\x14accepted, order 4711H\x05dubbo\x052.0.2Z";
    let mut frame = b"\xda\xbb\x02\x14\0\0\0\0\0\0\0\x01\0\0\0".to_vec();
    frame.push(body.len() as u8);
    frame.extend(body);
    frame
}

/// A head and a body on one stream.
fn message(block: &[u8], body: &[u8]) -> Vec<u8> {
    let mut frames = Vec::new();
    for (kind, flags, payload) in [(1, 4, block), (0, 1, body)] {
        frames.extend(&(payload.len() as u32).to_be_bytes()[1..]);
        frames.extend([kind, flags, 0, 0, 0, 0]);
        frames.extend(payload);
    }
    frames
}

/// Puts the message on the stream of the call with this number.
fn set_stream(message: &mut [u8], block: usize, number: u32) {
    let stream = (2 * number + 1).to_be_bytes();
    message[5..9].copy_from_slice(&stream);
    message[9 + block + 5..9 + block + 9].copy_from_slice(&stream);
}

fn caller(call: &[u8], times: u32) {
    let mut half = DubboToHttp2::new(Arc::new(Config::default()), 0);
    half.from_http2(&[SETTINGS, WINDOW].concat());
    let mut head = HeaderList::new();
    for (name, value) in [
        (":status", "200"),
        ("content-type", "application/x-dubbo2"),
        ("dubbo-status", "20"),
        ("date", "Mon, 23 Nov 2026 01:00:00 GMT"),
        ("server", "envoy"),
        ("x-envoy-upstream-service-time", "3"),
    ] {
        head.push(name.as_bytes(), value.as_bytes());
    }
    let (mut call, answer, mut encoder) = (call.to_vec(), answer(), Encoder::new());
    let mut turn = |number: u32, message: &mut [u8], block: usize| {
        set_request_id(&mut call, number.into());
        half.from_dubbo(&call);
        assert!(half.to_http2().len() > call.len());
        half.to_http2().clear();
        set_stream(message, block, number);
        half.from_http2(message);
        assert_eq!(half.to_dubbo().len(), answer.len());
        half.to_dubbo().clear();
        half.events().for_each(drop);
    };
    let mut block = Vec::new();
    for number in 0..WARM as u32 {
        block.clear();
        encoder.encode(head.fields(), &mut block);
        turn(number, &mut message(&block, &answer), block.len());
    }
    let mut message = message(&block, &answer);
    (0..times).for_each(|n| turn(WARM as u32 + n, &mut message, block.len()));
}

fn provider(call: &[u8], times: u32) {
    let config = Arc::new(Config::default());
    let mut half = Http2ToDubbo::new(Arc::clone(&config), 0);
    half.from_http2(&[PREFACE, SETTINGS, WINDOW].concat());
    let (mut answer, mut encoder) = (answer(), Encoder::new());
    let messages = (0..PREPARED).map(|id| {
        let mut call = call.to_vec();
        set_request_id(&mut call, id as i64);
        let (mut head, mut block) = (HeaderList::new(), Vec::new());
        map(&call, &config, &mut Seen::default(), &mut head);
        encoder.encode(head.fields(), &mut block);
        (block.len(), message(&block, &call))
    });
    let mut messages: Vec<_> = messages.collect();
    let mut turn = |number: u32, (block, message): &mut (usize, Vec<u8>)| {
        set_stream(message, *block, number);
        half.from_http2(message);
        let asked = FrameHead::parse(half.to_dubbo()).ok().flatten();
        set_request_id(&mut answer, asked.expect("a call for the provider").id);
        half.to_dubbo().clear();
        half.from_dubbo(&answer);
        assert!(half.to_http2().len() > answer.len());
        half.to_http2().clear();
        half.events().for_each(drop);
    };
    let (first, rest) = messages.split_at_mut(WARM);
    let first = first.iter_mut().zip(0..);
    first.for_each(|(message, number)| turn(number, message));
    for number in 0..times {
        let message = &mut rest[number as usize % (PREPARED - WARM)];
        turn(WARM as u32 + number, message);
    }
}

fn headers(call: &[u8], times: u32) {
    let (config, mut seen, mut head) = (Config::default(), Seen::default(), HeaderList::new());
    for _ in 0..times {
        head.clear();
        map(call, &config, &mut seen, &mut head);
    }
}

fn map(call: &[u8], config: &Config, seen: &mut Seen, head: &mut HeaderList) {
    let frame = Frame::parse(call, &Limits::default()).ok().flatten();
    let call = to_headers(&frame.expect("a frame"), config, seen, head);
    assert!(call.is_ok());
}
