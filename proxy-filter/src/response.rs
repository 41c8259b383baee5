//! Answers: a provider's frame as an HTTP response, and an HTTP response as a frame for the caller.
//!
//! ```text
//! provider's half   frame ────────────> :status, dubbo-status, dubbo-exception
//! caller's half     our content type ─> the frame, with the caller's id
//!                   anything else ────> an error frame: a local reply of Envoy, or an odd answer
//! ```
//! Nothing that may have been executed has an HTTP status that Istio repeats by default (503).

use dubbo_codec::{
    Frame, FrameHead, FrameKind, Limits, Outcome, Response, Serialization, Status, set_request_id,
};

use crate::config::Config;
use crate::header::{Decimal, HeaderSink, encode_text};
use crate::names;
use crate::request::Call;

/// So much of an exception is waited for to read its class.
const EXCEPTION_BYTES: usize = 64 * 1024;
/// At most so many characters of a foreign answer are told to the caller.
const REASON_CHARS: usize = 400;
/// What stands for the class of an exception that cannot be told.
const UNKNOWN: &str = "unknown";

/// The HTTP status of a Dubbo status.
pub const fn http_status(status: Status) -> u16 {
    match status {
        Status::OK => 200,
        Status::BAD_REQUEST => 400,
        Status::SERVICE_NOT_FOUND => 404,
        Status::SERVER_THREADPOOL_EXHAUSTED => 429,
        Status::CLIENT_TIMEOUT | Status::SERVER_TIMEOUT => 504,
        _ => 500,
    }
}

/// The Dubbo status of an HTTP answer that is no Dubbo frame.
pub const fn dubbo_status(http_status: u16) -> Status {
    match http_status {
        200..=299 => Status::BAD_RESPONSE,
        400 | 401 | 403 | 413 | 431 => Status::BAD_REQUEST,
        404 => Status::SERVICE_NOT_FOUND,
        408 | 504 => Status::SERVER_TIMEOUT,
        429 => Status::SERVER_THREADPOOL_EXHAUSTED,
        _ => Status::SERVER_ERROR,
    }
}

/// The headers of a response, from its head and as much of its body as has come: some bytes for a
/// value of any length, all of an exception up to 64 KiB. The HTTP status is returned and is the
/// first header too; `None` asks for more, and nothing is in the sink then.
pub fn to_headers(
    head: &FrameHead,
    body: &[u8],
    config: &Config,
    sink: &mut impl HeaderSink,
) -> Option<u16> {
    let body = body.get(..head.body_len as usize).unwrap_or(body);
    let exception = match may_be_exception(head, body)? {
        true => exception(head, body, config)?,
        false => None,
    };
    let status = http_status(head.status);
    let mut header = |name: &str, value: &str| sink.header(name.as_bytes(), value.as_bytes());
    header(names::STATUS, Decimal::new(status.into()).as_str());
    header(names::CONTENT_TYPE, names::CONTENT_TYPE_DUBBO);
    header(
        names::DUBBO_STATUS,
        Decimal::new(head.status.0.into()).as_str(),
    );
    if let Some(class) = exception {
        header(names::EXCEPTION, &class);
    }
    Some(status)
}

/// The headers of the empty response that ends a call which wants no reply.
pub fn one_way_headers(sink: &mut impl HeaderSink) -> u16 {
    let mut header = |name: &str, value: &str| sink.header(name.as_bytes(), value.as_bytes());
    header(names::STATUS, "204");
    header(names::ONE_WAY, "true");
    204
}

/// Whether the body may hold an exception, by its flag; `None` asks for more of it. What is not
/// written as Dubbo writes it may.
fn may_be_exception(head: &FrameHead, body: &[u8]) -> Option<bool> {
    if !head.status.is_ok() {
        return Some(false);
    }
    let flag = match (head.serialization, body) {
        (Serialization::HESSIAN2 | Serialization::NATIVE_HESSIAN, [flag, ..]) => {
            flag.checked_sub(0x90)
        }
        (Serialization::FASTJSON2, [0, 0, 0, 2, 0xbd, flag, ..]) => Some(*flag),
        (Serialization::FASTJSON2, body)
            if body.len() < 6 && body.len() < head.body_len as usize =>
        {
            return None;
        }
        (Serialization::FASTJSON2 | Serialization::FASTJSON | Serialization::GSON, _)
        | (Serialization::JACKSON | Serialization::MSGPACK, _) => None,
        (_, []) if head.body_len > 0 => return None,
        _ => return Some(false),
    };
    Some(!matches!(flag, Some(1 | 2 | 4 | 5)))
}

/// The class of an exception, if the body is one; `None` asks for more of it.
#[expect(clippy::option_option, reason = "more is needed, or there is none")]
fn exception(head: &FrameHead, body: &[u8], config: &Config) -> Option<Option<String>> {
    if body.len() < (head.body_len as usize).min(EXCEPTION_BYTES) {
        return None;
    }
    if body.len() < head.body_len as usize {
        return Some(Some(UNKNOWN.into()));
    }
    let Ok(response) = Response::parse(head, body, &config.frames) else {
        return Some(Some(UNKNOWN.into()));
    };
    let Outcome::Exception(exception) = response.outcome() else {
        return Some(None);
    };
    let class = exception.class.map(|class| encode_text(class).into_owned());
    Some(Some(
        class
            .filter(|class| !class.is_empty())
            .unwrap_or_else(|| UNKNOWN.into()),
    ))
}

/// The frame that an HTTP response is for the caller; empty if the caller wants none.
///
/// A response of ours is the provider's frame, under the caller's id. If it is an error in another
/// serialization than the call's, the text is told again in the call's: older callers read no other.
pub fn to_reply<'h>(
    call: &Call,
    http_status: u16,
    headers: impl Iterator<Item = (&'h [u8], &'h [u8])>,
    body: &[u8],
) -> Vec<u8> {
    if !call.two_way() {
        return Vec::new();
    }
    if !is_ours(headers) {
        return call.error(dubbo_status(http_status), &reason(http_status, body));
    }
    match whole_response(body) {
        Ok(frame) => retold(call, &frame).unwrap_or_else(|| {
            let mut reply = body.to_vec();
            // It begins with a head, as was just read.
            set_request_id(&mut reply, call.id());
            reply
        }),
        Err(why) => call.error(Status::BAD_RESPONSE, &format!("dubbo-mesh: {why}")),
    }
}

/// Whether an HTTP response says that its body is a Dubbo frame.
pub fn is_ours<'h>(mut headers: impl Iterator<Item = (&'h [u8], &'h [u8])>) -> bool {
    let content_type = names::CONTENT_TYPE.as_bytes();
    headers
        .any(|(name, value)| name == content_type && value == names::CONTENT_TYPE_DUBBO.as_bytes())
}

/// The head that the caller gets, if the body of a response of ours can be passed on as it comes:
/// `first` is what its first 16 bytes or more are. The body behind it then has `body_len` bytes.
/// `None`: gather it all and give it to [`to_reply`].
pub fn streamed(call: &Call, first: &[u8]) -> Option<FrameHead> {
    let head = FrameHead::parse(first).ok()??;
    let is_plain = head.status.is_ok() || head.serialization == call.serialization();
    (call.two_way() && is_plain && is_answer(&head)).then_some(FrameHead {
        id: call.id(),
        ..head
    })
}

fn is_answer(head: &FrameHead) -> bool {
    head.kind == FrameKind::Response && !head.event
}

/// The one frame that a body is, or a sentence why it is none.
fn whole_response(body: &[u8]) -> Result<Frame<'_>, String> {
    // What this process or its peer has let in as a frame needs no second limit.
    let mut limits = Limits::default();
    limits.max_body = i32::MAX as u32;
    let has = body.len();
    match Frame::parse(body, &limits) {
        Err(error) => Err(format!("the answer is no Dubbo frame: {error}")),
        Ok(None) => Err(match FrameHead::parse(body) {
            Ok(Some(head)) => format!("the answer ends after {has} of {} bytes", head.frame_len()),
            _ => format!("the answer ends after {has} bytes"),
        }),
        Ok(Some(frame)) if frame.bytes().len() < has => Err(format!(
            "the answer has {} bytes behind its frame",
            has - frame.bytes().len()
        )),
        Ok(Some(frame)) if !is_answer(frame.head()) => {
            Err("the answer is a request or an event".into())
        }
        Ok(Some(frame)) => Ok(frame),
    }
}

/// An error in another serialization than the call's, in the call's.
fn retold(call: &Call, frame: &Frame<'_>) -> Option<Vec<u8>> {
    let head = frame.head();
    if head.status.is_ok() || head.serialization == call.serialization() {
        return None;
    }
    let response = Response::parse(head, frame.body(), &Limits::default()).ok()?;
    let Outcome::Failed(text) = response.outcome() else {
        return None;
    };
    let text = text.map(|text| text.to_str_lossy()).unwrap_or_default();
    Some(call.error(head.status, &text)).filter(|reply| !reply.is_empty())
}

/// What a foreign answer says: its status, and the beginning of its body in one line.
fn reason(http_status: u16, body: &[u8]) -> String {
    let begin = body.get(..REASON_CHARS * 4).unwrap_or(body);
    let text = String::from_utf8_lossy(begin);
    let words: Vec<&str> = text
        .split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|w| !w.is_empty())
        .collect();
    let text: String = words.join(" ").chars().take(REASON_CHARS).collect();
    match (&*text, meaning(http_status, &text)) {
        ("", "") => format!("dubbo-mesh: HTTP status {http_status}"),
        (text, "") => format!("dubbo-mesh: HTTP status {http_status}: {text}"),
        ("", meaning) => format!("dubbo-mesh: HTTP status {http_status}: {meaning}"),
        (text, meaning) => format!("dubbo-mesh: HTTP status {http_status}: {text} ({meaning})"),
    }
}

/// What Envoy means where it says no more than this, for whoever reads it in an application's log. The
/// call itself is not known here any more, and its log line stands beside the exception.
fn meaning(http_status: u16, text: &str) -> &'static str {
    match (http_status, text) {
        (404, "") => "no route takes this call",
        (503, "") => "the cluster of the route is not there",
        (503, "no healthy upstream") => "no provider is known, or all are ejected",
        _ => "",
    }
}

#[cfg(test)]
mod tests;
