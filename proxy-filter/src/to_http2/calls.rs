//! Calls of the application: who gets a stream, who waits for one, and who is turned away.
//!
//! ```text
//! frame ─> headers ─> admitted ─> a stream, at once or from the queue
//!             └ refused    └ turned away: no room for one more, or for so much
//! ```

use std::sync::Arc;

use dubbo_codec::{Frame, Status};

use super::queue::Queued;
use super::{DubboToHttp2, LAST_STREAMS};
use crate::metrics::Counter;
use crate::request::{self, Call, Refusal};
use crate::translate::Millis;

impl DubboToHttp2 {
    pub(super) fn call(&mut self, frame: &Frame<'_>) {
        self.serialization = frame.head().serialization;
        match self.headers_of(frame) {
            Ok(call) => self.admit(&call, frame),
            Err(refusal) => self.refuse(&refusal),
        }
    }

    /// Puts the headers of a call into `head`.
    fn headers_of(&mut self, frame: &Frame<'_>) -> Result<Call, Refusal> {
        let (config, head) = (&self.config, frame.head());
        self.head.clear();
        if head.body_len <= config.limits.call_bytes {
            return request::to_headers(frame, config, &mut self.seen, &mut self.head);
        }
        let whole = frame.body();
        let call = request::to_headers_of_prefix(head, whole, config, &mut self.head)?;
        // Nothing is missing that could be asked for.
        call.ok_or_else(|| Refusal::too_long(head, config.limits.call_bytes))
    }

    /// A call whose headers are in `head`.
    pub(super) fn admit(&mut self, call: &Call, frame: &Frame<'_>) {
        let limits = self.config.limits;
        let waiting = self.queue.bytes() + self.http2.waiting();
        let room = self.http2.room();
        let len = frame.bytes().len();
        if call.two_way() && self.ids.contains(&call.id()) {
            self.count(Counter::RequestsRefused);
            let text = "dubbo-mesh: another call with this id has no answer yet";
            let reply = call.error(Status::BAD_REQUEST, text);
            return self.tell(&reply);
        }
        if self.http2.is_closing() {
            self.count(Counter::RequestsRefused);
            let text = "dubbo-mesh: this connection closes, the call was not sent";
            let reply = call.error(Status::SERVER_ERROR, text);
            return self.tell(&reply);
        }
        if !self.http2.admits(&self.head) {
            return self.turn_away(call, "dubbo-mesh: more headers than the proxy takes");
        }
        if self.flights.len() + self.queue.len() >= limits.calls as usize {
            return self.turn_away(call, "dubbo-mesh: too many calls on one connection");
        }
        let at_once = self.queue.is_empty() && self.http2.can_open();
        if (!at_once || room < len) && waiting + len > limits.connection_bytes as usize {
            return self.turn_away(call, "dubbo-mesh: too many bytes wait on one connection");
        }
        if call.two_way() {
            self.ids.insert(call.id());
        }
        let deadline = self.deadline(call);
        if at_once {
            return self.send(call, frame, self.now, deadline);
        }
        self.queue.push(Queued {
            call: *call,
            frame: frame.bytes().to_vec(),
            since: self.now,
            deadline,
        });
    }

    fn deadline(&self, call: &Call) -> Option<Millis> {
        let millis = call
            .deadline_ms()
            .filter(|_| self.config.deadline && call.two_way())?;
        Some(self.now.saturating_add(millis.into()))
    }

    /// Opens a stream for the call whose headers are in `head`.
    fn send(&mut self, call: &Call, frame: &Frame<'_>, since: Millis, deadline: Option<Millis>) {
        let Some(stream) = self.http2.open(&self.head, false) else {
            self.forget(call);
            return self.turn_away(call, "dubbo-mesh: no stream for the call");
        };
        self.http2.send_data(stream, frame.bytes(), true);
        self.flights.begin(stream, call, since, deadline);
        if self.http2.ids_left() < LAST_STREAMS {
            // This one alone: all others go on.
            self.begin_drain(true);
        }
    }

    /// Sends what waits for streams, as far as there are any.
    pub(super) fn send_queued(&mut self) {
        while self.http2.can_open()
            && let Some(queued) = self.queue.pop()
        {
            self.send_one_queued(&queued);
        }
        if self.http2.is_closing() {
            self.fail_queued("this connection closes, the call was not sent");
        }
    }

    fn send_one_queued(&mut self, queued: &Queued) {
        if queued.deadline.is_some_and(|deadline| deadline <= self.now) {
            return self.give_up(queued);
        }
        let config = Arc::clone(&self.config);
        // It was read before, so it can be read; were it not so, its caller should know.
        let Ok(Some(frame)) = Frame::parse(&queued.frame, &config.frames) else {
            return self.fail_one_queued(queued, "the call could not be read again");
        };
        let Ok(call) = self.headers_of(&frame) else {
            return self.fail_one_queued(queued, "the call could not be read again");
        };
        self.send(&call, &frame, queued.since, queued.deadline);
    }

    /// The id of a call is free again.
    pub(super) fn forget(&mut self, call: &Call) {
        if call.two_way() {
            self.ids.remove(&call.id());
        }
    }

    pub(super) fn fail_queued(&mut self, why: &str) {
        while let Some(queued) = self.queue.pop() {
            self.fail_one_queued(&queued, why);
        }
    }

    fn fail_one_queued(&mut self, queued: &Queued, why: &str) {
        self.forget(&queued.call);
        let text = format!("dubbo-mesh: {why}");
        let reply = queued.call.error(Status::SERVER_ERROR, &text);
        self.tell(&reply);
    }

    /// Ends a call that nobody waits for any longer.
    pub(super) fn give_up(&mut self, queued: &Queued) {
        self.forget(&queued.call);
        let text = "dubbo-mesh: the caller's time was up before the call was sent";
        let reply = queued.call.error(Status::SERVER_TIMEOUT, text);
        self.tell(&reply);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use dubbo_codec::{FrameHead, Limits, Outcome, Response};

    use super::*;
    use crate::config::Config;
    use crate::recorded::{self, frame};

    /// A call whose body is no longer what it was when it was admitted.
    #[test]
    fn a_queued_call_that_cannot_be_read_again_is_answered() {
        let mut half = DubboToHttp2::new(Arc::new(Config::default()), 0);
        let settings = [0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0];
        half.from_http2(&settings);
        half.from_dubbo(&recorded::request("3.3.6", "hello"));
        let mut queued = half.queue.pop().unwrap();
        queued.frame[FrameHead::LEN..].fill(0x01);
        let head = FrameHead::parse(&queued.frame).unwrap().unwrap();
        half.queue.push(queued);
        half.from_http2(&[0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 9]);
        let answer = frame(half.to_dubbo());
        assert_eq!(
            (answer.head().id, answer.head().status),
            (head.id, Status::SERVER_ERROR)
        );
        let response = Response::parse(answer.head(), answer.body(), &Limits::default()).unwrap();
        let Outcome::Failed(Some(text)) = response.outcome() else {
            panic!("{:?}", response.outcome())
        };
        assert_eq!(text, "dubbo-mesh: the call could not be read again");
        assert_eq!(
            (half.ids.len(), half.queue.len(), half.queue.bytes()),
            (0, 0, 0)
        );
    }
}
