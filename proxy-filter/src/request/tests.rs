use dubbo_codec::{AttachmentValue, Serialization, hessian2};
use proptest::prelude::*;

use super::*;
use crate::recorded::{self, frame};

mod any;
mod changes;
mod generic;
mod headers;
mod refused;

type Headers = Vec<(Vec<u8>, Vec<u8>)>;

fn config(json: &str) -> Config {
    Config::parse(json.as_bytes()).unwrap()
}

fn made(bytes: &[u8], config: &Config) -> (Headers, Call) {
    let mut headers = Headers::new();
    let call = to_headers(&frame(bytes), config, &mut Seen::default(), &mut headers).unwrap();
    (headers, call)
}

fn pairs(headers: &Headers) -> impl Iterator<Item = (&[u8], &[u8])> + Clone {
    headers.iter().map(|(name, value)| (&**name, &**value))
}

/// Headers without the seal, one a line.
fn lines(bytes: &[u8], config: &Config) -> String {
    let (mut headers, _) = made(bytes, config);
    let (name, value) = headers.pop().unwrap();
    assert_eq!((&*name, value.len()), (names::SEAL.as_bytes(), 32));
    recorded::lines(&headers)
}

fn refused(bytes: &[u8], config: &Config) -> (Class, String) {
    let mut headers = Headers::new();
    let refusal =
        to_headers(&frame(bytes), config, &mut Seen::default(), &mut headers).unwrap_err();
    assert!(headers.is_empty());
    (refusal.class(), refusal.text().into())
}

fn set(headers: &mut Headers, name: &str, value: &str) {
    headers.retain(|(known, _)| known != name.as_bytes());
    headers.push((name.into(), value.into()));
}

/// A request frame in Hessian 2, with one string as argument.
fn written(
    service: &str,
    version: &str,
    method: &str,
    types: &str,
    attachments: &[(&str, &str)],
) -> Vec<u8> {
    let mut body = hessian2::Writer::new();
    for text in ["2.0.2", service, version, method, types, "x"] {
        body.string(Text::new(text));
    }
    body.begin_map(None);
    for (key, value) in attachments {
        body.string(Text::new(key));
        body.string(Text::new(value));
    }
    body.end_map();
    framed(&body.into_bytes())
}

fn framed(body: &[u8]) -> Vec<u8> {
    let head = FrameHead {
        kind: FrameKind::Request,
        two_way: true,
        event: false,
        serialization: Serialization::HESSIAN2,
        status: Status(0),
        id: 7,
        body_len: body.len() as u32,
    };
    [&head.to_bytes()[..], body].concat()
}

const STRING: &str = "Ljava/lang/String;";

fn attachments(bytes: &[u8]) -> Vec<(String, String)> {
    let whole = frame(bytes);
    let request =
        Request::parse(whole.head(), whole.body(), &dubbo_codec::Limits::default()).unwrap();
    let entry = |(name, value): (Option<Text<'_>>, AttachmentValue<'_>)| {
        let value = match value {
            AttachmentValue::String(text) => text.to_string(),
            other => format!("{other:?}"),
        };
        (name.unwrap().to_string(), value)
    };
    request.attachments().iter().map(entry).collect()
}
