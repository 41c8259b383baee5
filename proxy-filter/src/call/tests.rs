use dubbo_codec::{Limits, Outcome, Response};
use proptest::prelude::*;

use super::*;
use crate::recorded::{self, frame};
use crate::request::Class;

mod beside;
mod refused;
mod through;

type Headers = Vec<(Vec<u8>, Vec<u8>)>;

fn shared(json: &str) -> Arc<Config> {
    Arc::new(Config::parse(json.as_bytes()).unwrap())
}

/// What the caller's half makes of a frame.
fn headers(bytes: &[u8]) -> Headers {
    let mut headers = Headers::new();
    request::to_headers(
        &frame(bytes),
        &Config::default(),
        &mut request::Seen::default(),
        &mut headers,
    )
    .unwrap();
    headers
}

fn pairs(headers: &Headers) -> impl Iterator<Item = (&[u8], &[u8])> {
    headers.iter().map(|(name, value)| (&**name, &**value))
}

fn begun(headers: &Headers) -> Exchange {
    let mut call = Exchange::new(shared(""), ID);
    call.request_headers(pairs(headers), false);
    assert_eq!(call.take(), Output::default());
    call
}

/// A call whose request is with the provider.
fn sent(bytes: &[u8]) -> Exchange {
    let mut call = begun(&headers(bytes));
    call.request_data(bytes, true);
    assert_eq!(call.take().to_provider, ours(bytes));
    call
}

fn ok(headers: &[(&str, &str)]) -> Option<ResponseHeaders> {
    let of = |(name, value): &(&str, &str)| (name.as_bytes().to_vec(), value.as_bytes().to_vec());
    Some(ResponseHeaders {
        status: 200,
        headers: headers.iter().map(of).collect(),
    })
}

const DUBBO: (&str, &str) = ("content-type", "application/x-dubbo2");

/// The HTTP status and what the caller reads: status and text.
fn told(out: &Output) -> (u16, u8, String) {
    let whole = frame(&out.body);
    let response = Response::parse(whole.head(), whole.body(), &Limits::default()).unwrap();
    let Outcome::Failed(Some(text)) = response.outcome() else {
        panic!("{:?}", response.outcome());
    };
    assert!(out.end && out.abort.is_none());
    (
        out.headers.as_ref().unwrap().status,
        whole.head().status.0,
        text.to_string(),
    )
}

/// An answer that is whole but for its end, which nobody who goes by lengths waits for: HTTP status, Dubbo
/// status and text.
fn told_but_for_its_end(out: &Output) -> (u16, u8, String) {
    assert!(out.leave && !out.end);
    let headers = &out.headers.as_ref().unwrap().headers;
    let (name, length) = headers.last().unwrap();
    assert_eq!(name, b"content-length");
    assert_eq!(length, out.body.len().to_string().as_bytes());
    let whole = Output {
        headers: out.headers.clone(),
        body: out.body.clone(),
        end: true,
        ..Output::default()
    };
    told(&whole)
}

/// A plain answer: status and text.
fn said(out: &Output) -> (u16, String) {
    assert!(out.end && out.abort.is_none());
    let headers = out.headers.as_ref().unwrap();
    assert_eq!(
        headers.headers,
        [(b"content-type".to_vec(), b"text/plain".to_vec())]
    );
    (headers.status, String::from_utf8(out.body.clone()).unwrap())
}

/// What the provider gets calls under.
const ID: i64 = 0x0102_0304_0506;

/// The same frame as the provider knows it.
fn ours(frame: &[u8]) -> Vec<u8> {
    let mut frame = frame.to_vec();
    set_request_id(&mut frame, ID);
    frame
}

const HEARTBEAT: &[u8] = b"\xda\xbb\xe2\0\0\0\0\0\0\0\0\x63\0\0\0\x01N";
const HEARTBEAT_REPLY: &[u8] = b"\xda\xbb\x22\x14\0\0\0\0\0\0\0\x63\0\0\0\x01N";
const READ_ONLY: &[u8] = b"\xda\xbb\xa2\0\0\0\0\0\0\0\0\x64\0\0\0\x02\x01R";
