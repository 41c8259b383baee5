//! Requests of Envoy, as frames for the provider.
//!
//! ```text
//! Head ─> headers kept      Data ─> whole: straight through    or gathered, with credit
//! end ─> write_back: the same bytes, or a patch ─> under an id of ours
//! ```
//! A request is gathered before the provider gets any of it: frames cannot be interleaved, so one that
//! stalled half-way would stop all others.

use dubbo_codec::{Frame, FrameHead, FrameKind, set_request_id};

use super::Http2ToDubbo;
use crate::hpack::HeaderList;
use crate::http2::{Code, Event as Http2Event, StreamKey};
use crate::metrics::Counter;
use crate::request::{self, Call, Refusal};
use crate::response;

impl Http2ToDubbo {
    pub(super) fn http2_event(&mut self, event: Http2Event<'_>) {
        match event {
            Http2Event::Head { stream, end } => self.request_head(stream, end),
            Http2Event::Data { stream, bytes, end } => self.request_data(stream, bytes, end),
            Http2Event::Trailers { stream } => self.request_end(stream, &[]),
            Http2Event::Reset { stream, .. } => self.forget(stream),
            // Envoy opens no more streams; it closes when the last has ended.
            Http2Event::GoAway { .. } => {}
        }
    }

    fn request_head(&mut self, stream: StreamKey, end: bool) {
        if !response::is_ours(self.http2.headers().iter()) {
            return self.answer_text(stream, b"415", "dubbo-mesh: this is no Dubbo call");
        }
        if end {
            return self.answer_text(stream, b"400", "dubbo-mesh: the call has no body");
        }
        self.slots.begin(stream, self.http2.headers());
    }

    fn request_data(&mut self, stream: StreamKey, bytes: &[u8], end: bool) {
        let Some(slot) = self.slots.get(stream) else {
            return;
        };
        if end && slot.body.is_empty() {
            return self.request_end(stream, bytes);
        }
        self.slots.gather(stream, bytes);
        if let Err(answer) = self.measure(stream) {
            return self.refuse(stream, answer);
        }
        if end {
            self.request_end(stream, &[]);
        }
    }

    /// Once the head of a frame has come its length is known; what of it is beyond the first window needs
    /// credit. `None` in an error: it is no frame.
    fn measure(&mut self, stream: StreamKey) -> Result<(), Option<Refusal>> {
        let Some(slot) = self.slots.get(stream) else {
            return Ok(());
        };
        if slot.length == 0 {
            let Some(head) = FrameHead::parse(&slot.body).map_err(|_| None)? else {
                return Ok(());
            };
            let limit = self.config.frames.max_body;
            head.check(&self.config.frames)
                .map_err(|_| Some(Refusal::too_long(&head, limit)))?;
            slot.length = head.frame_len();
            self.credit
                .begin(stream, slot.length, slot.body.len(), self.now);
        }
        if slot.body.len() > slot.length {
            return Err(None);
        }
        self.credit.came(stream, slot.body.len(), self.now);
        Ok(())
    }

    /// Gives credit to long requests, as far as their sum allows: none while half of what the connection
    /// may hold waits for a provider that does not read.
    pub(super) fn give_credit(&mut self) {
        let limit = self.config.limits.connection_bytes as usize;
        if self.unsent > limit / 2 {
            return;
        }
        while let Some((stream, bytes)) = self.credit.next(self.now) {
            self.http2.release(stream, bytes);
        }
    }

    /// Answers requests that stopped half-way and have the room that others need. The provider has
    /// nothing of them.
    pub(super) fn refuse_stalled(&mut self) {
        while let Some(stream) = self.credit.stalled(self.now) {
            self.count(Counter::RequestsRefused);
            let text = "dubbo-mesh: the rest of the call did not come, and others need its room";
            self.answer_text(stream, b"408", text);
            self.give_credit();
        }
    }

    /// A request is complete with `last`.
    fn request_end(&mut self, stream: StreamKey, last: &[u8]) {
        let (headers, body) = self.slots.take(stream);
        let whole = if body.is_empty() { last } else { &body };
        let sent = self.send(stream, &headers, whole);
        self.slots.put_back(stream, headers, body);
        match sent {
            Ok(call) if call.two_way() => {}
            Ok(_) => self.answer_one_way(stream),
            Err(refusal) => self.refuse(stream, refusal),
        }
    }

    /// Writes a request's frame for the provider. `None` in an error: it is no frame.
    fn send(
        &mut self,
        stream: StreamKey,
        headers: &HeaderList,
        body: &[u8],
    ) -> Result<Call, Option<Refusal>> {
        let frame = Frame::parse(body, &self.config.frames);
        let frame = frame.ok().flatten().filter(|frame| {
            let head = frame.head();
            frame.bytes().len() == body.len() && head.kind == FrameKind::Request && !head.event
        });
        let frame = frame.ok_or(None)?;
        let patch = request::write_back(&frame, headers.iter(), &self.config).map_err(Some)?;
        let start = self.to_dubbo.len();
        match &patch {
            None => self.to_dubbo.extend_from_slice(body),
            Some(patch) => patch
                .segments()
                .for_each(|part| self.to_dubbo.extend_from_slice(part)),
        }
        let id = self.slots.id(stream);
        set_request_id(&mut self.to_dubbo[start..], id);
        let call = Call::of_head(frame.head());
        if call.two_way() {
            self.slots.set_sent(stream, id, call);
        }
        self.credit.end(stream);
        Ok(call)
    }

    /// Answers a call that is not passed on.
    fn refuse(&mut self, stream: StreamKey, refusal: Option<Refusal>) {
        self.count(Counter::RequestsRefused);
        let reply = refusal.as_ref().map(Refusal::reply).unwrap_or_default();
        if reply.is_empty() {
            let text =
                refusal.map_or_else(|| "the body is no Dubbo frame".into(), |r| r.to_string());
            return self.answer_text(stream, b"400", &format!("dubbo-mesh: {text}"));
        }
        self.answer_frame(stream, &reply);
        self.forget(stream);
        // Had it not come whole, nobody wants the rest.
        self.http2.reset(stream, Code::NO_ERROR);
    }

    fn answer_one_way(&mut self, stream: StreamKey) {
        self.head.clear();
        response::one_way_headers(&mut self.head);
        self.http2.send_head(stream, &self.head, true);
        self.forget(stream);
    }

    /// Answers what is no call.
    fn answer_text(&mut self, stream: StreamKey, status: &[u8], text: &str) {
        self.head.clear();
        self.head.push(b":status", status);
        self.head.push(b"content-type", b"text/plain");
        self.http2.send_head(stream, &self.head, false);
        self.http2.send_data(stream, text.as_bytes(), true);
        self.forget(stream);
        self.http2.reset(stream, Code::NO_ERROR);
    }

    /// A request is over, or nobody waits for it any longer.
    pub(super) fn forget(&mut self, stream: StreamKey) {
        self.credit.end(stream);
        self.slots.end(stream);
    }
}
