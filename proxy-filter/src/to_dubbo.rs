//! The provider's half: HTTP/2 requests of Envoy over one Dubbo connection, and the answers back.
//!
//! ```text
//! Envoy ─from_http2─> headers + frame ─gathered, written back─> under an id of our own ─to_dubbo─> provider
//! Envoy <─to_http2── status, class, frame <─matched by id─ frames <─from_dubbo─ provider
//!                                             └ heartbeats, callbacks: answered here
//! ```
//! This file owns the connection's two sides and the provider's frames. It must not know Envoy's
//! interface, and has no clock: time is told by [`at`](Http2ToDubbo::at).
//!
//! Each request of Envoy gets one response or is reset, and what may have been executed is never
//! answered so that Istio's default policy repeats it. Memory: one unfinished frame of the provider,
//! head and first window of each request, what of requests is beyond those, up to `limits.connection_bytes`,
//! and responses that Envoy does not take, up to twice that.

use std::sync::Arc;

use dubbo_codec::{Event as DubboEvent, Frame, FrameHead, FrameKind, Status};

use crate::config::Config;
use crate::hpack::HeaderList;
use crate::http2::{Code, Connection, Limits, Role};
use crate::metrics::{self, Counter, Event};
use crate::request::Call;
use crate::translate::{Close, Credit, Intake, Millis, STALLED, Taken, Unfinished};

mod heartbeat;
mod requests;
mod responses;
mod slots;

use heartbeat::Heartbeat;
use slots::Slots;

/// HTTP/2 server towards Envoy, Dubbo client towards a provider.
#[derive(Debug)]
pub struct Http2ToDubbo {
    config: Arc<Config>,
    now: Millis,
    http2: Connection,
    intake: Intake,
    unfinished: Unfinished,
    to_dubbo: Vec<u8>,
    /// Bytes that were taken from `to_dubbo`, and that the provider has not.
    unsent: usize,
    slots: Slots,
    credit: Credit,
    heartbeat: Heartbeat,
    /// Since when reading from the provider has been stopped.
    full_since: Option<Millis>,
    events: Vec<Event>,
    close: Option<Close>,
    /// The headers of the response at hand.
    head: HeaderList,
}

impl Http2ToDubbo {
    /// A translator for a connection that has just been made.
    pub fn new(config: Arc<Config>, now: Millis) -> Self {
        let limits = Limits {
            // Their slots are part of the ids that the provider gets.
            streams: config.limits.calls.min(1 << 20),
            ..Limits::default()
        };
        Self {
            http2: Connection::new(Role::Server, limits),
            heartbeat: Heartbeat::new(config.heartbeat_ms, now),
            unfinished: Unfinished::new(config.half_frame_ms),
            credit: Credit::new(config.limits.connection_bytes as usize),
            config,
            now,
            intake: Intake::default(),
            to_dubbo: Vec::new(),
            unsent: 0,
            slots: Slots::default(),
            full_since: None,
            events: Vec::new(),
            close: None,
            head: HeaderList::new(),
        }
    }

    /// Takes what Envoy sent.
    pub fn from_http2(&mut self, mut bytes: &[u8]) {
        while self.close.is_none() {
            match self.http2.next(&mut bytes) {
                Ok(None) => break,
                Ok(Some(event)) => self.http2_event(event),
                Err(error) => {
                    self.count(Counter::ProtocolErrorsHttp2);
                    self.close = Some(Close::NotHttp2(error));
                }
            }
        }
        self.give_credit();
        self.watch();
    }

    /// Takes what the provider sent.
    pub fn from_dubbo(&mut self, mut bytes: &[u8]) {
        self.heartbeat.heard(self.now);
        let mut intake = std::mem::take(&mut self.intake);
        let config = Arc::clone(&self.config);
        while self.close.is_none() {
            match intake.next(&mut bytes, &config.frames, usize::MAX) {
                Ok(None) => break,
                Ok(Some(Taken::Frame(frame))) => self.frame(&frame),
                Ok(Some(Taken::TooLong(head))) => self.too_long(&head),
                Err(error) => {
                    self.count(Counter::ProtocolErrorsDubbo);
                    self.end(Close::NotDubbo(error));
                }
            }
        }
        self.unfinished.came(intake.is_partial(), self.now);
        self.intake = intake;
        self.watch();
    }

    /// The provider's side is gone: calls that it may have begun are reset so that nobody repeats
    /// them, those that it never got so that somebody may.
    pub fn dubbo_closed(&mut self) {
        self.end(Close::Gone);
    }

    /// What is to be sent to the provider. Whoever sends it takes it away.
    pub const fn to_dubbo(&mut self) -> &mut Vec<u8> {
        &mut self.to_dubbo
    }

    /// Of what was taken away for the provider, so many bytes wait for the network.
    pub fn unsent(&mut self, bytes: usize) {
        self.unsent = bytes;
        self.give_credit();
    }

    /// What is to be sent to Envoy. Whoever sends it takes it away.
    pub const fn to_http2(&mut self) -> &mut Vec<u8> {
        self.http2.out()
    }

    /// What happened since this was asked last, for metrics.
    pub fn events(&mut self) -> impl Iterator<Item = Event> + '_ {
        self.events.drain(..)
    }

    /// Why the connection is to be closed, if it is. Nothing is taken any more then.
    pub const fn closing(&self) -> Option<&Close> {
        self.close.as_ref()
    }

    /// False while reading more from the provider would only pile up here: half of what may wait for
    /// Envoy does.
    pub fn wants_dubbo(&self) -> bool {
        self.close.is_none() && !self.is_full()
    }

    fn is_full(&self) -> bool {
        self.http2.waiting() > self.config.limits.connection_bytes as usize / 2
    }

    /// When [`at`](Self::at) has something to do.
    pub fn next_deadline(&self) -> Option<Millis> {
        let full = self.full_since.map(|since| since.saturating_add(STALLED));
        let deadlines = [
            self.heartbeat.deadline(),
            full,
            self.credit.deadline(),
            self.unfinished.deadline(),
        ];
        let next = deadlines.into_iter().flatten().min();
        next.filter(|_| self.close.is_none())
    }

    /// It is `now`, and something is about to come: nothing ends before that has been taken.
    pub fn clock(&mut self, now: Millis) {
        self.now = self.now.max(now);
    }

    /// It is `now`: a provider that has been silent is asked whether it is there, one that leaves a frame
    /// unfinished is waited for no longer, and responses that Envoy does not take, and requests of which it
    /// brings nothing more, are given up so that others can go on.
    pub fn at(&mut self, now: Millis) {
        self.clock(now);
        if self.close.is_some() {
            return;
        }
        self.give_up_stalled();
        self.refuse_stalled();
        if !self.wants_dubbo() {
            self.unfinished.not_read(self.now);
        }
        if self.unfinished.is_up(self.now) {
            self.count(Counter::ConnectionsHalfFrame);
            return self.end(Close::HalfFrame);
        }
        match self.heartbeat.at(self.now) {
            heartbeat::Step::Wait => {}
            heartbeat::Step::Ask(frame) => self.to_dubbo.extend_from_slice(&frame),
            heartbeat::Step::GiveUp => self.end(Close::Silent),
        }
    }

    /// Bytes that are held: of unfinished frames and calls, of requests that the provider does not take yet,
    /// and of responses that Envoy does not.
    pub fn buffered(&self) -> usize {
        let http2 = self.http2.held() + self.http2.waiting();
        self.intake.held() + self.slots.held() + self.unsent + http2
    }

    /// Calls that the provider has not answered.
    pub const fn in_flight(&self) -> usize {
        self.slots.sent()
    }

    /// Has `full_since` say the truth.
    fn watch(&mut self) {
        self.full_since = match self.is_full() {
            true => self.full_since.or(Some(self.now)),
            false => None,
        };
    }

    /// One stream that is not read may hold up the others for so long and no longer.
    fn give_up_stalled(&mut self) {
        let now = self.now;
        while self
            .full_since
            .is_some_and(|since| now >= since.saturating_add(STALLED))
            && let Some(stream) = self.http2.most_waiting()
        {
            self.http2.reset(stream, Code::CANCEL);
            self.forget(stream);
            self.watch();
        }
    }

    fn count(&mut self, counter: Counter) {
        self.events.push(Event::Count(counter, 1));
    }

    /// Ends the connection: whoever waits is reset.
    fn end(&mut self, why: Close) {
        if self.close.is_some() {
            return;
        }
        for (stream, was_sent) in self.slots.streams() {
            let code = match was_sent {
                true => Code::INTERNAL_ERROR,
                false => Code::REFUSED_STREAM,
            };
            self.http2.reset(stream, code);
            self.slots.end(stream);
        }
        self.http2.go_away(Code::NO_ERROR);
        self.close = Some(why);
    }

    /// A frame of the provider.
    fn frame(&mut self, frame: &Frame<'_>) {
        let head = frame.head();
        match (head.kind, head.event) {
            (FrameKind::Response, false) => self.response(frame),
            // It has been heard, which is all that it says.
            (FrameKind::Response, true) => {}
            (FrameKind::Request, true) => self.event(frame),
            (FrameKind::Request, false) => self.callback(head),
        }
    }

    fn event(&mut self, frame: &Frame<'_>) {
        let head = frame.head();
        self.events.extend(metrics::of_frame(head, true));
        match DubboEvent::parse(head, frame.body()) {
            Ok(DubboEvent::ReadOnly) => self.http2.shut_down(),
            Ok(DubboEvent::Writable | DubboEvent::Other(_)) => {}
            // A heartbeat; its null is the answer's null too, in any serialization.
            _ if head.two_way => {
                let reply = head.reply(Status::OK, head.body_len);
                self.to_dubbo.extend_from_slice(&reply.to_bytes());
                self.to_dubbo.extend_from_slice(frame.body());
            }
            _ => {}
        }
    }

    /// A call of the provider to its caller: there is no telling which of them is meant.
    fn callback(&mut self, head: &FrameHead) {
        self.events.extend(metrics::of_frame(head, true));
        let text = "dubbo-mesh: callbacks cannot be routed";
        let reply = Call::of_head(head).error(Status::BAD_REQUEST, text);
        self.to_dubbo.extend_from_slice(&reply);
    }
}
