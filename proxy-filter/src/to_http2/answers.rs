//! What Envoy answers, as frames for the application.
//!
//! ```text
//! Head ─> status, whose body it is      Data ─> whole: straight through    or gathered, with credit
//! end, Reset, deadline ─> one frame under the caller's id
//! ```
//! An answer is gathered before the application gets any of it: frames cannot be interleaved, so one
//! that stalled half-way would stop all others.

use dubbo_codec::{FrameHead, Status, set_request_id};

use super::DubboToHttp2;
use super::flights::Flight;
use crate::http2::{Code, Event as Http2Event, StreamKey};
use crate::metrics::{Counter, Event, Histogram};
use crate::names;
use crate::response;
use crate::translate::Millis;

/// So much is kept of an answer that is no Dubbo frame: its text for people.
const FOREIGN_BYTES: usize = 2048;

impl DubboToHttp2 {
    pub(super) fn http2_event(&mut self, event: Http2Event<'_>) {
        match event {
            Http2Event::Head { stream, end } => self.answer_head(stream, end),
            Http2Event::Data { stream, bytes, end } => self.answer_data(stream, bytes, end),
            Http2Event::Trailers { stream } => self.answer_end(stream, &[]),
            Http2Event::Reset { stream, code } => self.answer_reset(stream, code),
            Http2Event::GoAway { .. } => self.goodbye(),
        }
    }

    fn answer_head(&mut self, stream: StreamKey, end: bool) {
        let headers = self.http2.headers();
        let status = headers.get(b":status").map_or(0, |digits| {
            digits
                .iter()
                .fold(0, |all, digit| all * 10 + u16::from(digit - b'0'))
        });
        let is_ours = response::is_ours(headers.iter());
        let threw = headers.get(names::EXCEPTION.as_bytes()).is_some();
        if let Some(flight) = self.flights.get(stream) {
            flight.answer.status = status;
            flight.answer.is_ours = is_ours;
            flight.answer.threw = threw;
        }
        if end {
            self.answer_end(stream, &[]);
        }
    }

    fn answer_data(&mut self, stream: StreamKey, bytes: &[u8], end: bool) {
        let Some(flight) = self.flights.get(stream) else {
            return;
        };
        let gathered = flight.answer.body.len();
        let is_wanted = flight.call.two_way();
        let is_ours = flight.answer.is_ours;
        if end && gathered == 0 {
            return self.answer_end(stream, bytes);
        }
        if is_wanted && is_ours {
            self.flights.gather(stream, bytes);
            if let Err(text) = self.measure(stream) {
                return self.fail(stream, Status::BAD_RESPONSE, text);
            }
            // There is no more to come, so nobody waits for the end: it may not come before the provider
            // has closed its connection.
            if self
                .flights
                .get(stream)
                .is_some_and(|flight| flight.answer.is_whole())
            {
                return self.answer_end(stream, &[]);
            }
        } else {
            if is_wanted {
                let keep = (FOREIGN_BYTES.saturating_sub(gathered)).min(bytes.len());
                self.flights.gather(stream, &bytes[..keep]);
            }
            self.http2.release(stream, bytes.len());
        }
        if end {
            self.answer_end(stream, &[]);
        }
    }

    /// Once the head of an answer has come its length is known; what of it is beyond the first window
    /// needs credit. An answer that cannot become a frame of this length is given up.
    fn measure(&mut self, stream: StreamKey) -> Result<(), &'static str> {
        let Some(flight) = self.flights.get(stream) else {
            return Ok(());
        };
        let answer = &mut flight.answer;
        if answer.length == 0 {
            let head = FrameHead::parse(&answer.body);
            let head = head.map_err(|_| "dubbo-mesh: the answer is no Dubbo frame")?;
            let Some(head) = head else { return Ok(()) };
            head.check(&self.config.frames)
                .map_err(|_| "dubbo-mesh: the answer is longer than frames may be here")?;
            answer.length = head.frame_len();
            self.credit
                .begin(stream, answer.length, answer.body.len(), self.now);
        }
        if answer.body.len() > answer.length {
            return Err("dubbo-mesh: the answer has bytes behind its frame");
        }
        self.credit.came(stream, answer.body.len(), self.now);
        Ok(())
    }

    /// Gives credit to long answers, as far as their sum allows.
    pub(super) fn give_credit(&mut self) {
        while let Some((stream, bytes)) = self.credit.next(self.now) {
            self.http2.release(stream, bytes);
        }
    }

    /// Ends the calls whose answers stopped half-way and have the room that others need.
    pub(super) fn give_up_stalled(&mut self) {
        while let Some(stream) = self.credit.stalled(self.now) {
            let text = "dubbo-mesh: the rest of the answer did not come, and others need its room";
            self.fail(stream, Status::SERVER_TIMEOUT, text);
            self.give_credit();
        }
    }

    /// An answer is complete with `last`.
    fn answer_end(&mut self, stream: StreamKey, last: &[u8]) {
        // Had Envoy answered before it took the whole request, nobody wants the rest.
        self.http2.reset(stream, Code::NO_ERROR);
        let Some(flight) = self.end(stream) else {
            return;
        };
        if !flight.call.two_way() {
            return self.flights.keep(flight.answer.body);
        }
        let body = match flight.answer.body.is_empty() {
            true => last,
            false => &flight.answer.body,
        };
        let millis = self.now.saturating_sub(flight.since);
        self.events
            .push(Event::Record(Histogram::CallMilliseconds, millis));
        if !self.pass_on(&flight, body) {
            self.retell(&flight, body);
        }
        self.flights.keep(flight.answer.body);
    }

    /// Passes on what is a frame for this caller but for its id. False if it is not.
    fn pass_on(&mut self, flight: &Flight, body: &[u8]) -> bool {
        if !flight.answer.is_ours {
            return false;
        }
        let head = response::streamed(&flight.call, body);
        let Some(head) = head.filter(|head| head.frame_len() == body.len()) else {
            return false;
        };
        let start = self.to_dubbo.len();
        self.to_dubbo.extend_from_slice(body);
        set_request_id(&mut self.to_dubbo[start..], head.id);
        self.count_answer(&head);
        if flight.answer.threw {
            self.count(Counter::ExceptionsBusiness);
        }
        true
    }

    /// Everything else: answers of Envoy itself, errors in a serialization that the caller does not
    /// read, and what is not in order.
    fn retell(&mut self, flight: &Flight, body: &[u8]) {
        let ours = (
            names::CONTENT_TYPE.as_bytes(),
            names::CONTENT_TYPE_DUBBO.as_bytes(),
        );
        let headers = flight.answer.is_ours.then_some(ours);
        if !flight.answer.is_ours {
            self.count(Counter::LocalReplies);
        }
        let status = flight.answer.status;
        let reply = response::to_reply(&flight.call, status, headers.into_iter(), body);
        self.tell(&reply);
    }

    fn answer_reset(&mut self, stream: StreamKey, code: Code) {
        let (status, text) = match code {
            Code::REFUSED_STREAM => (Status::SERVER_ERROR, "the proxy refused the call"),
            Code::ENHANCE_YOUR_CALM => (
                Status::SERVER_THREADPOOL_EXHAUSTED,
                "the proxy takes no more calls",
            ),
            _ => (Status::SERVER_ERROR, "the proxy cancelled the call"),
        };
        self.fail(stream, status, &format!("dubbo-mesh: {text}"));
    }

    /// Ends a call with an error.
    fn fail(&mut self, stream: StreamKey, status: Status, text: &str) {
        self.http2.reset(stream, Code::CANCEL);
        if let Some(flight) = self.end(stream) {
            let reply = flight.call.error(status, text);
            self.tell(&reply);
            self.flights.keep(flight.answer.body);
        }
    }

    /// Takes a call out of what is in flight.
    fn end(&mut self, stream: StreamKey) -> Option<Flight> {
        let flight = self.flights.end(stream)?;
        self.forget(&flight.call);
        self.credit.end(stream);
        Some(flight)
    }

    /// Ends the calls whose callers no longer wait, with a stream or without.
    pub(super) fn expire(&mut self) {
        let now = self.now;
        let is_up = |earliest: Option<Millis>| earliest.is_some_and(|at| at <= now);
        if is_up(self.queue.earliest()) {
            for queued in self.queue.expired(now) {
                self.give_up(&queued);
            }
        }
        if !is_up(self.flights.earliest()) {
            return;
        }
        for stream in self.flights.expired(now) {
            let text = "dubbo-mesh: the caller's time is up";
            self.fail(stream, Status::SERVER_TIMEOUT, text);
        }
    }

    pub(super) fn fail_all(&mut self, why: &str) {
        for stream in self.flights.streams() {
            self.fail(stream, Status::SERVER_ERROR, &format!("dubbo-mesh: {why}"));
        }
        self.fail_queued(why);
    }
}
