//! What the caller is told where it is not the provider that answers.

use dubbo_codec::{FrameHead, Status};

use super::{Answer, Exchange, Request, ResponseHeaders};
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
            (Answer::Waiting, Request::Gathering(_)) => self.refuse_http(503, why),
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
    fn answer_frame(&mut self, frame: &[u8]) {
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

    pub(super) fn abort(&mut self, why: &'static str) {
        self.out.abort = Some(why);
        self.answer = Answer::Ended;
        self.request = Request::Over;
    }
}
