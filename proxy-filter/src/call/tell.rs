//! What the caller is told where it is not the provider that answers.

use dubbo_codec::{FrameHead, Status};

use super::{Answer, Connection, Exchange, Request, ResponseHeaders};
use crate::header::HeaderSink;
use crate::request::{Call, Refusal};
use crate::response;

impl Exchange {
    /// Nothing good will come of the provider any more.
    pub(super) fn broken(&mut self, why: &'static str) {
        match (self.answer, &self.request) {
            (Answer::Waiting, Request::Going { head, .. }) if head.two_way => {
                let reply =
                    Call::of_head(head).error(Status::SERVER_ERROR, &format!("dubbo-mesh: {why}"));
                self.answer_frame(&reply);
            }
            // Nothing was executed, so this is what may be repeated.
            (Answer::Waiting, Request::Beginning(_) | Request::Gathering { .. }) => {
                self.refuse_http(503, why);
            }
            _ => self.abort(why),
        }
    }

    /// The call is refused, and its caller told in its own serialization.
    pub(super) fn refuse(&mut self, refusal: &Refusal) {
        self.out.noted.refused = Some(refusal.class());
        match refusal.reply() {
            reply if reply.is_empty() => self.refuse_http(400, refusal.text()),
            reply => self.answer_frame(&reply),
        }
    }

    pub(super) fn refuse_http(&mut self, status: u16, text: &str) {
        let mut headers = ResponseHeaders {
            status,
            ..ResponseHeaders::default()
        };
        headers.header(b"content-type", b"text/plain");
        self.answer(headers, text.as_bytes());
    }

    /// Answers with a frame of our own.
    pub(super) fn answer_frame(&mut self, frame: &[u8]) {
        let mut headers = ResponseHeaders::default();
        let status = FrameHead::parse(frame).ok().flatten().and_then(|head| {
            let body = frame.get(FrameHead::LEN..)?;
            response::to_headers(&head, body, &self.config, &mut headers)
        });
        // It is whole, so its status can be told.
        headers.status = status.unwrap_or(500);
        self.answer(headers, frame);
    }

    pub(super) fn answer(&mut self, headers: ResponseHeaders, body: &[u8]) {
        self.out.headers = Some(headers);
        self.out.body.extend_from_slice(body);
        self.answer = Answer::Whole;
        self.end_between_frames();
        if !matches!(self.request, Request::Going { left: 0, .. }) {
            self.request = Request::Over;
        }
    }

    /// The provider is there, and nothing good will come of it. Of a request that is not out Envoy closes
    /// the connection itself; behind one that is out the answer must not end before that does.
    pub fn provider_failed(&mut self, why: &'static str) {
        match (self.answer, &self.request) {
            (Answer::Waiting, Request::Beginning(_) | Request::Gathering { .. }) => {
                self.refuse_http(503, why);
                self.end();
                self.out.abort = Some(why);
            }
            (Answer::Waiting, Request::Going { left: 1.., .. }) => {
                self.tell(Status::SERVER_ERROR, why);
                self.end();
                self.request = Request::Over;
                self.out.abort = Some(why);
            }
            _ => self.failed(Status::SERVER_ERROR, why),
        }
    }

    /// The request is not what it began as, and the provider has a part of it, or all.
    pub(super) fn caller_failed(&mut self, why: &'static str) {
        self.failed(Status::BAD_REQUEST, why);
    }

    /// Tells the caller all but the end of the answer, and closes our half.
    pub(super) fn failed(&mut self, status: Status, why: &'static str) {
        match self.answer {
            Answer::Waiting => self.tell(status, why),
            Answer::Whole => {}
            // Of one that has begun nothing can be told, and one that has ended needs nothing.
            Answer::Begun => return self.abort(why),
            Answer::Failed | Answer::Ended => return,
        }
        self.abort(why);
        self.answer = Answer::Failed;
    }

    /// An answer that is whole but for its end: whoever reads it sees that by its length.
    pub(super) fn tell(&mut self, status: Status, why: &str) {
        let text = format!("dubbo-mesh: {why}");
        let mut headers = ResponseHeaders::default();
        let body = match &self.request {
            Request::Going { head, .. } if head.two_way => Call::of_head(head).error(status, &text),
            _ => Vec::new(),
        };
        let body = match FrameHead::parse(&body) {
            Ok(Some(head)) => {
                let said = body.get(FrameHead::LEN..).unwrap_or_default();
                let status = response::to_headers(&head, said, &self.config, &mut headers);
                headers.status = status.unwrap_or(500);
                body
            }
            _ => {
                headers.status = if status == Status::BAD_REQUEST {
                    400
                } else {
                    500
                };
                headers.header(b"content-type", b"text/plain");
                text.into_bytes()
            }
        };
        headers.header(b"content-length", body.len().to_string().as_bytes());
        self.out.headers = Some(headers);
        self.out.body.extend_from_slice(&body);
        self.answer = Answer::Whole;
    }

    /// Closes our half. What was not told is not told any more: Envoy resets it when the provider has
    /// closed the other.
    pub(super) fn abort(&mut self, why: &'static str) {
        self.out.abort = Some(why);
        self.out.leave |= self.connection != Connection::Left;
        self.connection = Connection::Left;
        self.answer = Answer::Ended;
        self.request = Request::Over;
    }
}
