//! The caller's half: an application's Dubbo connection as HTTP/2 requests, and their answers back.
//!
//! ```text
//! app ─from_dubbo─> frames ─calls─> headers + frame ─queue─> streams ─to_http2─> Envoy
//!                          └ heartbeats: answered here          │
//! app <─to_dubbo── frames <─answers─ gathered, under the caller's id <─from_http2─ Envoy
//! ```
//! This file owns the connection's two sides and what is done with each frame of the application. It
//! must not know Envoy's interface, and has no clock: time is told by [`at`](DubboToHttp2::at).
//!
//! Every call that waits for an answer gets exactly one. Memory: one unfinished frame of the
//! application; requests that Envoy does not take yet, and what of answers is beyond their first windows,
//! each up to `limits.connection_bytes`; and the first window of each answer. Who stops in the middle of a
//! long answer is given up once others need the room. A call that nothing admits is
//! refused with status 100; reading stops only while Envoy takes nothing at all.

use std::collections::HashSet;
use std::sync::Arc;

use dubbo_codec::{Event as DubboEvent, Frame, FrameHead, FrameKind, Serialization, Status};

use crate::config::{Config, OverLimit};
use crate::hpack::HeaderList;
use crate::http2::{Connection, Limits, Role};
use crate::metrics::{self, Counter, Event, Gauge};
use crate::request::{Call, Refusal, Seen};
use crate::translate::{Close, Credit, Intake, Millis, Taken, Unfinished};

mod answers;
mod calls;
mod drain;
mod flights;
mod queue;

use drain::Drain;
use flights::Flights;
use queue::Queue;

/// Streams that are left when the connection begins to drain.
const LAST_STREAMS: u32 = 1 << 16;

/// Dubbo server towards an application, HTTP/2 client towards Envoy.
#[derive(Debug)]
pub struct DubboToHttp2 {
    config: Arc<Config>,
    now: Millis,
    intake: Intake,
    unfinished: Unfinished,
    http2: Connection,
    to_dubbo: Vec<u8>,
    flights: Flights,
    /// Ids of the calls that wait for an answer.
    ids: HashSet<i64>,
    /// Calls that Envoy takes no stream for yet.
    queue: Queue,
    credit: Credit,
    drain: Drain,
    born: Millis,
    /// What the application writes in; it can read that too.
    serialization: Serialization,
    events: Vec<Event>,
    told: Told,
    close: Option<Close>,
    /// The headers of the call at hand.
    head: HeaderList,
    seen: Seen,
}

/// What the gauges were told.
#[derive(Debug, Default)]
struct Told {
    in_flight: i64,
    buffered: i64,
}

impl DubboToHttp2 {
    /// A translator for a connection that has just been accepted.
    pub fn new(config: Arc<Config>, now: Millis) -> Self {
        Self {
            http2: Connection::new(Role::Client, Limits::default()),
            unfinished: Unfinished::new(config.half_frame_ms),
            credit: Credit::new(config.limits.connection_bytes as usize),
            config,
            now,
            born: now,
            intake: Intake::default(),
            to_dubbo: Vec::new(),
            flights: Flights::default(),
            ids: HashSet::new(),
            queue: Queue::default(),
            drain: Drain::default(),
            serialization: Serialization::HESSIAN2,
            events: Vec::new(),
            told: Told::default(),
            close: None,
            head: HeaderList::new(),
            seen: Seen::default(),
        }
    }

    /// Takes what the application sent.
    pub fn from_dubbo(&mut self, mut bytes: &[u8]) {
        let mut intake = std::mem::take(&mut self.intake);
        let config = Arc::clone(&self.config);
        // What is routed without its attachments is gathered too, as frames may not be interleaved.
        let most = match config.over_limit {
            OverLimit::Refuse => config.limits.call_bytes as usize,
            OverLimit::RouteWithoutAttachments => usize::MAX,
        };
        while self.close.is_none() {
            match intake.next(&mut bytes, &config.frames, most) {
                Ok(None) => break,
                Ok(Some(Taken::Frame(frame))) => self.frame(&frame),
                Ok(Some(Taken::TooLong(head))) => self.too_long(&head),
                Err(error) => {
                    self.count(Counter::ProtocolErrorsDubbo);
                    self.close = Some(Close::NotDubbo(error));
                }
            }
        }
        self.unfinished.came(intake.is_partial(), self.now);
        self.intake = intake;
        self.settle();
    }

    /// Takes what Envoy sent.
    pub fn from_http2(&mut self, mut bytes: &[u8]) {
        while self.close.is_none() {
            match self.http2.next(&mut bytes) {
                Ok(None) => break,
                Ok(Some(event)) => self.http2_event(event),
                Err(error) => {
                    self.count(Counter::ProtocolErrorsHttp2);
                    self.fail_all("the connection inside of Envoy failed");
                    self.close = Some(Close::NotHttp2(error));
                }
            }
        }
        self.settle();
    }

    /// Envoy's side is gone: whoever waits is told.
    pub fn http2_closed(&mut self) {
        self.fail_all("the connection inside of Envoy was closed");
        self.close.get_or_insert(Close::Gone);
    }

    /// What is to be sent to the application. Whoever sends it takes it away.
    pub const fn to_dubbo(&mut self) -> &mut Vec<u8> {
        &mut self.to_dubbo
    }

    /// What is to be sent to Envoy. Whoever sends it takes it away.
    pub const fn to_http2(&mut self) -> &mut Vec<u8> {
        self.http2.out()
    }

    /// What happened since this was asked last, for metrics.
    pub fn events(&mut self) -> impl Iterator<Item = Event> + '_ {
        let in_flight = (self.flights.waiting() + self.queue.waiting()) as i64;
        let buffered = self.buffered() as i64;
        for (gauge, told, now) in [
            (Gauge::InFlight, &mut self.told.in_flight, in_flight),
            (Gauge::Buffered, &mut self.told.buffered, buffered),
        ] {
            let change = now - std::mem::replace(told, now);
            if change != 0 {
                self.events.push(Event::Move(gauge, change));
            }
        }
        self.events.drain(..)
    }

    /// Why the connection is to be closed, if it is. Nothing is taken any more then.
    pub const fn closing(&self) -> Option<&Close> {
        self.close.as_ref()
    }

    /// False while reading more from the application would only pile up here.
    pub fn wants_dubbo(&self) -> bool {
        let limit = self.config.limits.connection_bytes as usize;
        let stalled = self.http2.is_stalled() && self.http2.waiting() > limit / 2;
        self.close.is_none() && !stalled
    }

    /// When [`at`](Self::at) has something to do.
    pub fn next_deadline(&self) -> Option<Millis> {
        let half_frame = self.unfinished.deadline().filter(|_| self.close.is_none());
        let calls = [self.flights.earliest(), self.queue.earliest()];
        let others = [self.credit.deadline(), self.drain.deadline(), half_frame];
        calls.into_iter().chain(others).flatten().min()
    }

    /// Until `now` nothing was read from the application: a frame that it cannot finish is not its fault.
    pub fn not_read(&mut self, now: Millis) {
        self.unfinished.not_read(now);
    }

    /// It is `now`, and something is about to come: nothing ends before that has been taken.
    pub fn clock(&mut self, now: Millis) {
        self.now = self.now.max(now);
    }

    /// It is `now`: calls whose time is up are ended, answers that others cannot wait for are given up,
    /// drains go on, and who leaves a frame unfinished is waited for no longer.
    pub fn at(&mut self, now: Millis) {
        self.clock(now);
        if !self.wants_dubbo() {
            self.unfinished.not_read(self.now);
        }
        if self.close.is_none() && self.unfinished.is_up(self.now) {
            self.count(Counter::ConnectionsHalfFrame);
            self.close = Some(Close::HalfFrame);
        }
        self.expire();
        self.give_up_stalled();
        self.settle();
    }

    /// Has the application go elsewhere; then the connection closes.
    pub fn drain(&mut self) {
        self.goodbye();
        self.settle();
    }

    /// Bytes that are held: of unfinished frames, and of calls and answers that cannot go on yet.
    pub fn buffered(&self) -> usize {
        let http2 = self.http2.held() + self.http2.waiting();
        self.intake.held() + self.queue.bytes() + http2 + self.flights.gathered()
    }

    fn count(&mut self, counter: Counter) {
        self.events.push(Event::Count(counter, 1));
    }

    /// A frame of the application.
    fn frame(&mut self, frame: &Frame<'_>) {
        let head = frame.head();
        self.events.extend(metrics::of_frame(head, false));
        match (head.kind, head.event) {
            (FrameKind::Request, false) => self.call(frame),
            (FrameKind::Request, true) => self.event(frame),
            // Nothing was asked: calls of providers do not come this far.
            (FrameKind::Response, _) => {}
        }
    }

    /// The null of a heartbeat is the answer's null too, in any serialization.
    fn event(&mut self, frame: &Frame<'_>) {
        let head = frame.head();
        let is_other = matches!(
            DubboEvent::parse(head, frame.body()),
            Ok(DubboEvent::ReadOnly | DubboEvent::Writable | DubboEvent::Other(_))
        );
        if head.two_way && !is_other {
            let reply = head.reply(Status::OK, head.body_len);
            self.to_dubbo.extend_from_slice(&reply.to_bytes());
            self.to_dubbo.extend_from_slice(frame.body());
        }
    }

    /// A frame that was passed over.
    fn too_long(&mut self, head: &FrameHead) {
        if head.kind == FrameKind::Request && !head.event {
            self.events.extend(metrics::of_frame(head, false));
            let limit = self
                .config
                .frames
                .max_body
                .min(self.config.limits.call_bytes);
            self.refuse(&Refusal::too_long(head, limit));
        }
    }

    fn refuse(&mut self, refusal: &Refusal) {
        self.count(Counter::RequestsRefused);
        let reply = refusal.reply();
        self.tell(&reply);
    }

    /// A call that cannot be taken now.
    fn turn_away(&mut self, call: &Call, why: &str) {
        self.count(Counter::RequestsRefused);
        let reply = call.error(Status::SERVER_THREADPOOL_EXHAUSTED, why);
        self.tell(&reply);
    }

    /// Sends a whole frame to the application, if there is one, and counts it.
    fn tell(&mut self, frame: &[u8]) {
        let Ok(Some(head)) = FrameHead::parse(frame) else {
            return;
        };
        self.to_dubbo.extend_from_slice(frame);
        self.count_answer(&head);
    }

    fn count_answer(&mut self, head: &FrameHead) {
        self.events.extend(metrics::of_frame(head, false));
        if !head.status.is_ok() {
            self.count(metrics::failure_of(head.status));
        }
    }

    /// What follows of whatever happened.
    fn settle(&mut self) {
        self.send_queued();
        self.head.clear();
        self.give_credit();
        if self.close.is_none() && self.is_drained() {
            self.close = Some(Close::Drained);
        }
    }
}
