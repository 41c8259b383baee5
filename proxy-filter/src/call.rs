//! One call at the provider's end of the HTTP bridge: one HTTP request, one connection of its own.
//!
//! ```text
//! Envoy    headers, body ─> gather, compare, patch ─> frame      provider
//!                           or pass on, if untouched
//!          headers, body <─ status, exception      <─ response
//!                           answered here          <─ heartbeats, callbacks
//!                           let be                 <─ late responses
//!                           close when answered    <─ readonly
//! ```
//! The provider gets a call under an id of ours, and its answer goes out under the caller's. Callers
//! count for themselves, so two that follow each other on a connection may have the same: under their
//! own ids a late answer to one would be taken for that of the other.
//!
//! Whoever gets a connection next knows nothing of an event that came before. So a call that hears
//! that the provider will close is the connection's last: it closes our half behind its answer, and
//! ends when the provider has closed the other, as every Dubbo and every Envoy does at once. One whose
//! provider sends what is no Dubbo is told so at once, and ends in the same way: the caller's half of the
//! filter waits for no end behind a whole frame, and resets the request, by which Envoy closes the connection.
//!
//! Bytes in, bytes out: what is to be sent stands in [`Output`] until the shell takes it, so nothing
//! here runs while Envoy may call back. It must not know Envoy, and has no clock: Envoy's own
//! time-outs end a call. Nothing that may have been executed ends as what Istio repeats (503).

use std::cmp::Ordering;
use std::sync::Arc;

use dubbo_codec::{Frame, FrameHead, Piece, Splitter, Status, set_request_id};

use crate::config::Config;
use crate::request::{self, Call, Refusal};
use crate::response;

mod kept;
mod output;
mod provider;
mod tell;

use kept::Kept;
pub use output::{Noted, Output, ResponseHeaders};

/// One call.
#[derive(Debug)]
pub struct Exchange {
    config: Arc<Config>,
    /// What the provider knows the call by.
    id: i64,
    headers: Kept,
    request: Request,
    splitter: Splitter,
    incoming: Incoming,
    answer: Answer,
    connection: Connection,
    /// Answers to the provider, until the request is out: they must not stand within its frame.
    queued: Vec<u8>,
    out: Output,
}

/// How much of the request has gone.
#[derive(Debug)]
enum Request {
    /// Nothing: its head has not come.
    Beginning(Vec<u8>),
    /// Nothing: all of it must be read first.
    Gathering { head: FrameHead, frame: Vec<u8> },
    /// All but so many bytes.
    Going { head: FrameHead, left: usize },
    /// It does not go there.
    Over,
}

/// What of the provider's bytes is coming.
#[derive(Debug)]
enum Incoming {
    /// Nothing of interest.
    Skipped,
    /// The body of an event.
    Event(FrameHead, Vec<u8>),
    /// The answer, gathered until its headers are known.
    Begun(FrameHead, Vec<u8>),
    /// The answer, of which the headers are out.
    Passing,
}

/// What becomes of the connection behind the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Connection {
    /// It takes the next call.
    Stays,
    /// The provider will close it.
    Leaves,
    /// Our half is closed.
    Left,
}

/// How much of the response is out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Waiting,
    Begun,
    /// All of it is out but its end.
    Whole,
    /// The same, and its end comes with the connection's: nobody else shall have that.
    Failed,
    Ended,
}

impl Exchange {
    /// A call of which nothing is known yet. The provider gets it under `id`: of the calls that one
    /// connection carries, no two may have the same.
    pub fn new(config: Arc<Config>, id: i64) -> Self {
        Self {
            id,
            headers: Kept::default(),
            request: Request::Beginning(Vec::new()),
            splitter: Splitter::new(config.frames),
            incoming: Incoming::Skipped,
            answer: Answer::Waiting,
            connection: Connection::Stays,
            queued: Vec::new(),
            out: Output::default(),
            config,
        }
    }

    /// What is to be sent since it was taken last.
    pub fn take(&mut self) -> Output {
        std::mem::take(&mut self.out)
    }

    /// The request's headers.
    pub fn request_headers<'h>(
        &mut self,
        headers: impl Iterator<Item = (&'h [u8], &'h [u8])>,
        end: bool,
    ) {
        headers.for_each(|(name, value)| self.headers.push(name, value));
        if !response::is_ours(self.headers.iter()) {
            self.refuse_http(
                415,
                "this is no Dubbo call: its content type is not application/x-dubbo2",
            );
        } else if end {
            self.request_data(&[], true);
        }
    }

    /// The next bytes of the request's body.
    pub fn request_data(&mut self, bytes: &[u8], end: bool) {
        match &mut self.request {
            Request::Over => {}
            Request::Beginning(frame) => {
                frame.extend_from_slice(bytes);
                let frame = std::mem::take(frame);
                self.begin(frame);
            }
            Request::Gathering { head, frame } => {
                frame.extend_from_slice(bytes);
                let (head, frame) = (*head, std::mem::take(frame));
                self.gather(head, frame);
            }
            Request::Going { head, left } if bytes.len() <= *left => {
                let head = *head;
                *left -= bytes.len();
                let is_last = *left == 0 && !bytes.is_empty();
                self.out.to_provider.extend_from_slice(bytes);
                if is_last {
                    self.sent(&head);
                }
            }
            Request::Going { .. } => self.caller_failed("the request has bytes behind its frame"),
        }
        if end {
            self.request_ended();
        }
    }

    /// The next bytes of the provider; `end` if it has closed the connection.
    pub fn provider_data(&mut self, mut bytes: &[u8], end: bool) {
        match self.answer {
            // Nobody knows yet that it ended, so it may end behind the frame that comes.
            Answer::Ended if self.out.end && self.out.abort.is_none() => {
                self.out.end = false;
                self.answer = Answer::Whole;
            }
            Answer::Failed if end => return self.end(),
            Answer::Failed | Answer::Ended => return,
            _ => {}
        }
        loop {
            match self.splitter.next(&mut bytes) {
                Ok(None) => break,
                Ok(Some(Piece::Head(head))) => self.begins(head),
                Ok(Some(Piece::Body { bytes, last })) => self.continues(bytes, last),
                Err(_) => {
                    self.provider_failed("the provider's bytes are no Dubbo frames");
                    break;
                }
            }
        }
        match self.answer {
            Answer::Whole | Answer::Failed if end => self.end(),
            Answer::Whole => self.end_between_frames(),
            Answer::Failed | Answer::Ended => {}
            _ if end => {
                self.broken("the provider closed the connection before it answered");
                if self.answer == Answer::Whole {
                    self.end();
                }
            }
            _ => {}
        }
    }

    /// Decides what becomes of a request, once its head has come.
    fn begin(&mut self, frame: Vec<u8>) {
        let head = match FrameHead::parse(&frame) {
            Ok(Some(head)) => head,
            Ok(None) => return self.request = Request::Beginning(frame),
            Err(_) => return self.refuse_http(400, "the request's body is no Dubbo frame"),
        };
        if head.check(&self.config.frames).is_err() {
            return self.refuse(&Refusal::too_long(&head, self.config.frames.max_body));
        }
        let left = head.frame_len().checked_sub(frame.len());
        // The headers are looked at here alone: a request may come byte by byte.
        if let Some(left) = left
            && request::is_untouched(&head, self.headers.iter(), &self.config)
        {
            self.out.noted.passed_on = true;
            return self.goes(&head, &frame, left);
        }
        if head.body_len > self.config.limits.call_bytes {
            return self.refuse(&Refusal::too_long(&head, self.config.limits.call_bytes));
        }
        self.gather(head, frame);
    }

    /// More of a request that has to be read, or all of it.
    fn gather(&mut self, head: FrameHead, frame: Vec<u8>) {
        match frame.len().cmp(&head.frame_len()) {
            Ordering::Less => self.request = Request::Gathering { head, frame },
            Ordering::Equal => self.write_back(&head, &frame),
            Ordering::Greater => {
                self.refuse_http(400, "the request's body has bytes behind its frame");
            }
        }
    }

    fn write_back(&mut self, head: &FrameHead, frame: &[u8]) {
        let Ok(Some(whole)) = Frame::parse(frame, &self.config.frames) else {
            // It has passed both checks by its head, so this does not happen.
            return self.refuse_http(400, "the request's body is no Dubbo frame");
        };
        match request::write_back(&whole, self.headers.iter(), &self.config) {
            Ok(None) => self.goes(head, frame, 0),
            Ok(Some(patch)) => {
                self.out.noted.patched = true;
                self.goes(head, &patch.to_vec(), 0);
            }
            Err(refusal) => self.refuse(&refusal),
        }
    }

    /// Bytes that it holds.
    pub fn held(&self) -> usize {
        let request = match &self.request {
            Request::Beginning(frame) | Request::Gathering { frame, .. } => frame.capacity(),
            Request::Going { .. } | Request::Over => 0,
        };
        let incoming = match &self.incoming {
            Incoming::Event(_, bytes) | Incoming::Begun(_, bytes) => bytes.capacity(),
            Incoming::Skipped | Incoming::Passing => 0,
        };
        request + incoming + self.headers.len()
    }

    /// All calls together hold more than they may: one that is still to come is given up. Nothing of it
    /// was executed.
    pub fn over_limit(&mut self) {
        let Request::Gathering { head, .. } = &self.request else {
            return;
        };
        let text = "too many bytes of calls are held here";
        if head.two_way {
            let status = Status::SERVER_THREADPOOL_EXHAUSTED;
            let reply = Call::of_head(head).error(status, &format!("dubbo-mesh: {text}"));
            self.answer_frame(&reply);
        } else {
            self.refuse_http(429, text);
        }
    }

    fn goes(&mut self, head: &FrameHead, bytes: &[u8], left: usize) {
        self.request = Request::Going { head: *head, left };
        let start = self.out.to_provider.len();
        self.out.to_provider.extend_from_slice(bytes);
        set_request_id(&mut self.out.to_provider[start..], self.id);
        if left == 0 {
            self.sent(head);
        }
    }

    /// The request is with the provider.
    fn sent(&mut self, head: &FrameHead) {
        self.out.to_provider.append(&mut self.queued);
        if !head.two_way {
            let mut headers = ResponseHeaders::default();
            headers.status = response::one_way_headers(&mut headers);
            self.answer(headers, &[]);
        }
    }

    fn request_ended(&mut self) {
        match self.request {
            Request::Beginning(_) | Request::Gathering { .. } => {
                self.refuse_http(400, "the request's body ends before its frame");
            }
            Request::Going { left: 1.., .. } => {
                self.caller_failed("the request ends before its frame");
            }
            Request::Going { .. } | Request::Over => {}
        }
    }
}

#[cfg(test)]
mod tests;
