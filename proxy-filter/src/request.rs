//! Calls as HTTP requests: a frame's headers, and headers that the mesh changed back into the frame.
//!
//! ```text
//! caller's half     frame ─────────────> headers, sealed          refused: a Dubbo error at once
//! provider's half   frame + headers ───> the same bytes, or a patch
//! ```
//! The body of the HTTP request is the frame as it is. What a frame says is told in one place for both
//! directions (`told`), so they cannot disagree. This module must not know how headers and bodies travel.

use dubbo_codec::{
    Error, ErrorKind, Frame, FrameHead, FrameKind, Reply, Request, RequestPeek, Serialization,
    Status, Text,
};

use crate::config::{Config, OverLimit, Unreadable};
pub use crate::header::HeaderSink;
use crate::names;

mod changes;
mod few;
mod read;
mod refusal;
mod seen;
mod told;
mod write_back;

pub use refusal::{Class, Refusal};
pub use seen::Seen;
use told::Told;
pub use write_back::{is_untouched, write_back};

/// What must be kept of a call to answer it.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    head: FrameHead,
    reply: Option<Reply>,
    deadline_ms: Option<u32>,
}

impl Call {
    /// The call of a head whose body is not known.
    pub(crate) fn of_head(head: &FrameHead) -> Self {
        Self::of(head, None)
    }

    fn of(head: &FrameHead, dubbo_version: Option<Text<'_>>) -> Self {
        let hessian2 = FrameHead {
            serialization: Serialization::HESSIAN2,
            ..*head
        };
        Self {
            head: *head,
            // All SDKs read errors in Hessian 2, whatever they wrote themselves.
            reply: Reply::to(head, dubbo_version)
                .or_else(|_| Reply::to(&hessian2, None))
                .ok(),
            deadline_ms: None,
        }
    }

    /// The caller's number of the call.
    pub const fn id(&self) -> i64 {
        self.head.id
    }

    /// The serialization of its body.
    pub const fn serialization(&self) -> Serialization {
        self.head.serialization
    }

    /// The caller waits for an answer.
    pub const fn two_way(&self) -> bool {
        self.head.two_way
    }

    /// How many milliseconds the caller waits, if it said so.
    pub const fn deadline_ms(&self) -> Option<u32> {
        self.deadline_ms
    }

    /// A whole frame that tells the caller why the call failed; empty if the caller does not wait.
    pub fn error(&self, status: Status, text: &str) -> Vec<u8> {
        match self.reply {
            Some(reply) if self.head.two_way => reply.error(status, text),
            _ => Vec::new(),
        }
    }
}

/// The headers of a call, from its whole frame. What is refused puts nothing into the sink. `seen` is
/// kept for the calls of one connection, under this configuration.
pub fn to_headers(
    frame: &Frame<'_>,
    config: &Config,
    seen: &mut Seen,
    sink: &mut impl HeaderSink,
) -> Result<Call, Refusal> {
    let head = frame.head();
    let refuse = |why: refusal::Why| why.refuse(head);
    check_head(head, config).map_err(refuse)?;
    match Request::parse(head, frame.body(), &config.frames) {
        Ok(request) => {
            let words = Told::words_of(&request, config, seen).map_err(refuse)?;
            let mut told = Told::of_words(words, request.peek());
            told.read(&request, config).map_err(refuse)?;
            let mut call = Call::of(head, Some(request.peek().dubbo_version));
            call.deadline_ms = told.deadline_ms;
            emit(head, &told, config, sink);
            Ok(call)
        }
        Err(error) => unread(head, error, config, sink).map_err(refuse),
    }
}

/// The headers of a call whose body is longer than `limits.call_bytes`, from as much of the body as
/// has come; `None` asks for more. They are made of the body's strings alone: no group, no
/// attachments. Where `over_limit` is `refuse`, the call is refused from its head.
pub fn to_headers_of_prefix(
    head: &FrameHead,
    body: &[u8],
    config: &Config,
    sink: &mut impl HeaderSink,
) -> Result<Option<Call>, Refusal> {
    let refuse = |why: refusal::Why| why.refuse(head);
    check_head(head, config).map_err(refuse)?;
    if config.over_limit == OverLimit::Refuse {
        return Err(Refusal::too_long(head, config.limits.call_bytes));
    }
    match RequestPeek::parse(head, body, &config.frames) {
        Ok(None) => Ok(None),
        Ok(Some(peek)) => {
            let told = Told::of_peek(&peek, config).map_err(refuse)?;
            emit(head, &told, config, sink);
            Ok(Some(Call::of(head, Some(peek.dubbo_version))))
        }
        Err(error) => unread(head, error, config, sink).map(Some).map_err(refuse),
    }
}

/// What no body can make good.
fn check_head(head: &FrameHead, config: &Config) -> Result<(), refusal::Why> {
    if head.kind != FrameKind::Request || head.event {
        return Err(refusal::Why::new(Class::NoCall, "this frame is no call"));
    }
    if !config.admits(head.serialization) {
        let text = format!("calls in {} are not allowed here", head.serialization);
        return Err(refusal::Why::new(Class::Serialization, text));
    }
    Ok(())
}

/// A body that could not be read: of an unknown kind, or wrong.
fn unread(
    head: &FrameHead,
    error: Error,
    config: &Config,
    sink: &mut impl HeaderSink,
) -> Result<Call, refusal::Why> {
    if error.kind() != ErrorKind::Unsupported {
        return Err(refusal::Why::malformed(error));
    }
    if config.unreadable == Unreadable::Refuse {
        let text = format!(
            "calls in {} cannot be routed, their body is not readable",
            head.serialization
        );
        return Err(refusal::Why::new(Class::Unreadable, text));
    }
    let told = Told::unreadable(head.serialization, config);
    emit(head, &told, config, sink);
    Ok(Call::of(head, None))
}

fn emit(head: &FrameHead, told: &Told<'_>, config: &Config, sink: &mut impl HeaderSink) {
    let mut sum = told.words.sum;
    let mut header = |name: &str, value: &str| sink.header(name.as_bytes(), value.as_bytes());
    told.headers(head, &mut header);
    for shown in told.shown() {
        let (name, value) = (shown.header.as_bytes(), shown.value.as_bytes());
        config.sealer.add(&mut sum, name, value);
        sink.header(name, value);
    }
    let seal = config.sealer.seal(head, told.whole, sum);
    sink.header(names::SEAL.as_bytes(), &seal);
}

#[cfg(test)]
mod tests;
