//! Frames that the provider answers with, as HTTP responses.

use dubbo_codec::{Frame, FrameHead, FrameKind, Status};

use super::Http2ToDubbo;
use crate::http2::StreamKey;
use crate::metrics::Counter;
use crate::response;

impl Http2ToDubbo {
    pub(super) fn response(&mut self, frame: &Frame<'_>) {
        let Some((stream, call)) = self.slots.of_id(frame.head().id) else {
            return self.count(Counter::ResponsesLate);
        };
        // Whoever reads although nothing more is wanted gets this far.
        let limit = 2 * self.config.limits.connection_bytes as usize;
        if self.http2.waiting() + frame.bytes().len() > limit {
            let text = "dubbo-mesh: too many responses wait on one connection";
            let reply = call.error(Status::BAD_RESPONSE, text);
            self.answer_frame(stream, &reply);
        } else {
            self.answer_frame(stream, frame.bytes());
        }
        self.forget(stream);
    }

    /// A response that was passed over, or something that nobody asked for.
    pub(super) fn too_long(&mut self, head: &FrameHead) {
        if head.kind == FrameKind::Request || head.event {
            return;
        }
        let Some((stream, call)) = self.slots.of_id(head.id) else {
            return self.count(Counter::ResponsesLate);
        };
        let limit = self.config.frames.max_body;
        let text = format!(
            "dubbo-mesh: the response has {} bytes, more than {limit}",
            head.body_len
        );
        let reply = call.error(Status::BAD_RESPONSE, &text);
        self.answer_frame(stream, &reply);
        self.forget(stream);
    }

    /// Answers a request with a whole frame.
    pub(super) fn answer_frame(&mut self, stream: StreamKey, frame: &[u8]) {
        let Ok(Some(head)) = FrameHead::parse(frame) else {
            return;
        };
        let body = frame.get(FrameHead::LEN..).unwrap_or_default();
        self.head.clear();
        // All of the body is there, so all that there is to say of it is said.
        response::to_headers(&head, body, &self.config, &mut self.head);
        self.http2.send_head(stream, &self.head, false);
        self.head.clear();
        self.http2.send_data(stream, frame, true);
    }
}
