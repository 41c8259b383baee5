//! What a frame's body says, as far as it can be read.
//!
//! This file owns the order of things in a body that may be damaged or cut short: what comes before
//! the first byte that is wrong is kept. Values become JSON text here, as the codec renders them
//! (`$class`, `$ref`, `$bytes` …). It must not know where a frame came from or how it is shown.
//!
//! ```text
//! RequestPeek ─→ Call │ hessian, jsonb: value after value    │
//! status, flag        │ texts: the codec's whole Request and │ ─→ Body
//!                     │        Response, or nothing          │
//! ```

mod call;
mod hessian;
mod jsonb;
mod texts;

use dubbo_codec::{
    Error, ErrorKind, Event, FrameHead, FrameKind, Limits, Request, RequestPeek, Response,
    Serialization,
};

pub(crate) use call::Call;

/// JSON text on one line.
pub(crate) type Json = String;

/// What a body says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Body {
    /// The name of an event.
    pub(crate) event: Option<String>,
    pub(crate) call: Option<Call>,
    /// Of a call; of a body whose beginning cannot be read, the values that can.
    pub(crate) arguments: Vec<Json>,
    pub(crate) answer: Option<Answer>,
    /// Names, as JSON too, and values.
    pub(crate) attachments: Vec<(Json, Json)>,
    /// What is wrong; offsets count from the start of the body.
    pub(crate) broken: Option<Error>,
    /// The serialization is none of those that are read.
    pub(crate) is_unread: bool,
}

/// How a call ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Value(Json),
    Exception(Thrown, Json),
    /// The message of a status that is not OK.
    Error(Option<String>),
}

/// What can be said of every exception.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Thrown {
    pub(crate) class: Option<String>,
    pub(crate) message: Option<String>,
    pub(crate) code: Option<i32>,
}

/// Values, and attachments behind them.
#[derive(Debug, Default)]
struct Rest {
    values: Vec<Json>,
    /// What the first value is, if it is an exception.
    thrown: Thrown,
    attachments: Vec<(Json, Json)>,
    broken: Option<Error>,
}

/// Which way a serialization is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Hessian,
    Jsonb,
    Texts,
}

impl Way {
    fn of(serialization: Serialization) -> Self {
        match serialization {
            Serialization::HESSIAN2 | Serialization::NATIVE_HESSIAN => Self::Hessian,
            Serialization::FASTJSON2 => Self::Jsonb,
            _ => Self::Texts,
        }
    }

    /// `count` values of `bytes`, and attachments behind them if there are any.
    fn rest(self, bytes: &[u8], count: usize, has_attachments: bool, limits: &Limits) -> Rest {
        match self {
            Self::Hessian => hessian::rest(bytes, count, has_attachments, limits),
            Self::Jsonb => jsonb::rest(bytes, count, has_attachments, limits),
            Self::Texts => Rest::default(),
        }
    }
}

impl Body {
    /// Reads a body, of which the end may be missing.
    pub(crate) fn read(head: &FrameHead, bytes: &[u8], limits: &Limits) -> Self {
        let is_cut = bytes.len() < head.body_len as usize;
        let mut body = match (head.event, head.kind) {
            (true, _) => Self::of_event(head, bytes),
            (false, FrameKind::Request) => Self::of_request(head, bytes, limits),
            (false, FrameKind::Response) => Self::of_response(head, bytes, limits),
        };
        if let Some(error) = body.broken {
            body.is_unread = error.at() == 0 && error.kind() == ErrorKind::Unsupported;
            // That the end is missing is known already.
            let is_the_cut =
                is_cut && matches!(error.kind(), ErrorKind::Truncated | ErrorKind::BadLength);
            if is_the_cut || body.is_unread {
                body.broken = None;
            }
        }
        body
    }

    fn of_event(head: &FrameHead, bytes: &[u8]) -> Self {
        let event = Event::parse(head, bytes);
        Self {
            event: event.ok().map(|event| match event {
                Event::Heartbeat => "heartbeat".into(),
                Event::ReadOnly => "readonly".into(),
                Event::Writable => "writable".into(),
                Event::Other(text) => text.to_string(),
                _ => "unknown".into(),
            }),
            broken: event.err(),
            ..Self::default()
        }
    }

    fn of_request(head: &FrameHead, bytes: &[u8], limits: &Limits) -> Self {
        let way = Way::of(head.serialization);
        let peek = match RequestPeek::parse(head, bytes, limits) {
            Ok(Some(peek)) => peek,
            unreadable => return Self::of_nothing(way, bytes, unreadable.err(), limits),
        };
        let whole = Request::parse(head, bytes, limits);
        let call = Call::of(&peek, whole.as_ref().ok());
        let count = peek.parameters.count().min(limits.max_arguments) as usize;
        let behind = bytes.get(peek.len()..).unwrap_or_default();
        let rest = match (way, &whole) {
            (Way::Texts, Ok(request)) => texts::request(request, limits),
            _ => way.rest(behind, count, true, limits),
        };
        let broken = rest.broken.map(|error| error.shifted(peek.len()));
        Self {
            call: Some(call),
            arguments: rest.values,
            attachments: rest.attachments,
            broken: broken.or_else(|| whole.err()),
            ..Self::default()
        }
    }

    fn of_response(head: &FrameHead, bytes: &[u8], limits: &Limits) -> Self {
        let way = Way::of(head.serialization);
        let whole = Response::parse(head, bytes, limits);
        let mut body = match (way, &whole) {
            (Way::Texts, Ok(response)) => texts::response(response, limits),
            (Way::Texts, Err(_)) => Self::default(),
            _ if head.status.is_ok() => Self::of_result(way, bytes, limits),
            _ => Self {
                answer: whole.as_ref().ok().map(Answer::of_failed),
                ..Self::default()
            },
        };
        body.broken = body.broken.or_else(|| whole.err());
        if body.broken.is_some() && body.answer.is_none() && way != Way::Texts {
            return Self::of_nothing(way, bytes, body.broken, limits);
        }
        body
    }

    /// A flag, and what it announces.
    fn of_result(way: Way, bytes: &[u8], limits: &Limits) -> Self {
        let flag = way.rest(bytes, 1, false, limits).values.pop();
        let flag = flag.and_then(|flag| flag.parse::<u8>().ok());
        let Some(flag @ 0..=5) = flag else {
            return Self::default();
        };
        let has_value = flag % 3 != 2;
        let mut rest = way.rest(bytes, 1 + usize::from(has_value), flag >= 3, limits);
        let value = rest.values.pop().filter(|_| !rest.values.is_empty());
        Self {
            answer: match (flag % 3, value) {
                (0, Some(value)) => Some(Answer::Exception(rest.thrown, value)),
                (1, Some(value)) => Some(Answer::Value(value)),
                (2, _) => Some(Answer::Value("null".into())),
                _ => None,
            },
            attachments: rest.attachments,
            broken: rest.broken,
            ..Self::default()
        }
    }

    /// A body whose beginning is not what it should be: the values that can be read in it.
    fn of_nothing(way: Way, bytes: &[u8], error: Option<Error>, limits: &Limits) -> Self {
        Self {
            arguments: way.rest(bytes, MOST_VALUES, false, limits).values,
            broken: error,
            ..Self::default()
        }
    }
}

/// Most values of a body that are shown where their meaning is not known.
const MOST_VALUES: usize = 64;

impl Answer {
    fn of_failed(response: &Response<'_>) -> Self {
        match response.outcome() {
            dubbo_codec::Outcome::Failed(message) => {
                Self::Error(message.map(|message| message.to_string()))
            }
            _ => Self::Error(None),
        }
    }
}
