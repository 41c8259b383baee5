use dubbo_codec::Reply;
use proptest::prelude::*;

use super::*;
use crate::recorded::{self, frame};
use crate::request;

mod headers;
mod replies;
mod statuses;

type Headers = Vec<(Vec<u8>, Vec<u8>)>;

fn made(bytes: &[u8]) -> String {
    let mut headers = Headers::new();
    let whole = frame(bytes);
    let status = to_headers(whole.head(), whole.body(), &Config::default(), &mut headers).unwrap();
    assert_eq!(
        headers[0],
        (b":status".to_vec(), status.to_string().into_bytes())
    );
    recorded::lines(&headers)
}

fn pairs(headers: &Headers) -> impl Iterator<Item = (&[u8], &[u8])> {
    headers.iter().map(|(name, value)| (&**name, &**value))
}

fn call(bytes: &[u8]) -> Call {
    request::to_headers(
        &frame(bytes),
        &Config::default(),
        &mut request::Seen::default(),
        &mut Headers::new(),
    )
    .unwrap()
}

fn ours() -> Headers {
    vec![(b"content-type".to_vec(), b"application/x-dubbo2".to_vec())]
}

fn reply(call: &Call, status: u16, headers: &Headers, body: &[u8]) -> Vec<u8> {
    to_reply(call, status, pairs(headers), body)
}

/// Status and text of an error frame, as the caller reads it.
fn error(bytes: &[u8]) -> (i64, Serialization, u8, String) {
    let whole = frame(bytes);
    let response = Response::parse(whole.head(), whole.body(), &Limits::default()).unwrap();
    let Outcome::Failed(Some(text)) = response.outcome() else {
        panic!("{:?}", response.outcome());
    };
    (
        whole.head().id,
        whole.head().serialization,
        whole.head().status.0,
        text.to_string(),
    )
}
