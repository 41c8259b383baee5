//! `dubbo_to_http2`: the application speaks Dubbo, Envoy's HTTP connection manager reads HTTP/2.
//!
//! ```text
//! client ─da bb …→ read:  take all, put HTTP/2 in its place ─────────▶ HTTP connection manager
//! client ←da bb …─ write: take all, put Dubbo in its place ◀────────── HTTP connection manager
//!                  scheduled: what is for the manager but came up while it wrote; deadlines
//! ```
//! A connection that does not begin with a Dubbo frame passes as it is: HTTP/2 of a Triple SDK or of
//! another sidecar. Where that is asked for, requests of the first get the name of their service on the
//! way; nothing else is then done with them than with what passes. The translator is borrowed between callbacks only; while the manager writes it is
//! not given anything to read.

use std::cell::{Cell, RefCell};
use std::mem;
use std::sync::Arc;

use super::{Envoy, OVER, Part};
use crate::abi::{CONTINUE, STOP_ITERATION};
use crate::authority::Authority;
use crate::config::Config;
use crate::envoy::{Level, log};
use crate::guard::provoke;
use crate::http2::PREFACE;
use crate::metrics::{Counter, Event, Gauge};
use crate::timer::{self, Alarm};
use crate::to_http2::{DubboToHttp2, Turns};
use crate::translate::{Close, KEPT_OF_CALL};
use crate::worker;

/// The event of the hook `scheduled` that asks for what is waiting.
const FLUSH: u64 = 0;

/// One connection.
pub(super) struct Translate {
    speech: RefCell<Speech>,
    /// The memory of the last one.
    outcome: RefCell<Outcome>,
    /// Until the hook `scheduled` is called for what is waiting.
    flush: Alarm,
    /// Reading from the client is stopped: the translator does not want more, or the client does not
    /// read what it is answered.
    stopped: Cell<bool>,
    wants_dubbo: Cell<bool>,
    unread: Cell<bool>,
    closed: Cell<bool>,
    alarm: Alarm,
    /// When the first byte is given up whose second does not come.
    undecided_until: Cell<Option<u64>>,
    /// `half_frame_ms`.
    patience: u64,
    /// `limits.worker_bytes`.
    worker_bytes: u32,
}

/// What the client speaks.
enum Speech {
    Unknown(Arc<Config>, Arc<Turns>),
    Dubbo(Box<DubboToHttp2>),
    /// HTTP/2, whose requests get an authority.
    Http2(Box<Authority>),
    Other,
}

/// What stands between a client and the manager.
trait Translator {
    fn client_sent(&mut self, bytes: &[u8]);
    fn envoy_sent(&mut self, bytes: &[u8]);
    /// What comes now comes at `now`; whether anybody has read from the client until then.
    fn clock(&mut self, now: u64, read: bool);
    /// Whose time is up at `now`, once all that came is taken.
    fn at(&mut self, now: u64);
    /// What came of it, into an outcome that is empty; what is for the manager only if it is not on the
    /// stack.
    fn tell(&mut self, outcome: &mut Outcome, writing: bool);
}

impl Translator for DubboToHttp2 {
    fn client_sent(&mut self, bytes: &[u8]) {
        self.from_dubbo(bytes);
    }

    fn envoy_sent(&mut self, bytes: &[u8]) {
        self.from_http2(bytes);
    }

    fn clock(&mut self, now: u64, read: bool) {
        if !read {
            self.not_read(now);
        }
        self.clock(now);
    }

    fn at(&mut self, now: u64) {
        self.at(now);
    }

    fn tell(&mut self, outcome: &mut Outcome, writing: bool) {
        if !writing {
            mem::swap(&mut outcome.to_envoy, self.to_http2());
        }
        mem::swap(&mut outcome.to_client, self.to_dubbo());
        outcome.is_dubbo = true;
        outcome.waiting = !self.to_http2().is_empty();
        outcome.events.extend(self.events());
        outcome.deadline = self.next_deadline();
        outcome.wants_more = self.wants_dubbo();
        outcome.close = self.closing().cloned();
    }
}

impl Translator for Authority {
    fn client_sent(&mut self, bytes: &[u8]) {
        self.from_client(bytes);
    }

    fn envoy_sent(&mut self, bytes: &[u8]) {
        self.from_envoy(bytes);
    }

    fn clock(&mut self, now: u64, read: bool) {
        if !read {
            self.not_read(now);
        }
        self.clock(now);
    }

    fn at(&mut self, now: u64) {
        self.at(now);
    }

    /// What the manager sends makes nothing for it.
    fn tell(&mut self, outcome: &mut Outcome, _writing: bool) {
        mem::swap(&mut outcome.to_envoy, self.to_envoy());
        mem::swap(&mut outcome.to_client, self.to_client());
        outcome.is_dubbo = false;
        outcome.waiting = false;
        outcome.events.extend(self.events());
        outcome.deadline = self.next_deadline();
        outcome.wants_more = true;
        outcome.close = self.closing().cloned();
    }
}

/// What came of a step of the translator, taken out of it so that Envoy can be called.
#[derive(Default)]
struct Outcome {
    is_dubbo: bool,
    /// Empty while the manager writes: then `waiting` says whether there is something for it.
    to_envoy: Vec<u8>,
    to_client: Vec<u8>,
    waiting: bool,
    events: Vec<Event>,
    deadline: Option<u64>,
    wants_more: bool,
    close: Option<Close>,
}

impl Outcome {
    /// Empty, with some of its memory, for the next step.
    fn emptied(mut self) -> Self {
        for bytes in [&mut self.to_envoy, &mut self.to_client] {
            bytes.clear();
            bytes.shrink_to(KEPT_OF_CALL);
        }
        self.events.clear();
        self
    }
}

impl Translate {
    /// One of the connections that drain together.
    pub(super) fn new(config: Arc<Config>, turns: Arc<Turns>) -> Self {
        Self {
            worker_bytes: config.limits.worker_bytes,
            patience: config.half_frame_ms.into(),
            undecided_until: Cell::new(None),
            speech: RefCell::new(Speech::Unknown(config, turns)),
            outcome: RefCell::default(),
            flush: Alarm::default(),
            stopped: Cell::new(false),
            wants_dubbo: Cell::new(true),
            unread: Cell::new(false),
            closed: Cell::new(false),
            alarm: Alarm::default(),
        }
    }

    /// Tells from the first two bytes what the client speaks, if it is not known yet.
    fn decide(&self, envoy: &Envoy<'_>, end: bool) {
        let mut speech = self.speech.borrow_mut();
        let Speech::Unknown(config, turns) = &*speech else {
            return;
        };
        let mut first = Vec::with_capacity(2);
        envoy.filter.lend_read(|bytes| {
            first.extend(bytes.iter().take(2 - first.len()));
        });
        match first[..] {
            [0xda, 0xbb] => {
                let translator = DubboToHttp2::new(Arc::clone(config), timer::now());
                let translator = translator.in_turn(Arc::clone(turns));
                *speech = Speech::Dubbo(Box::new(translator));
                envoy.count(Event::Count(Counter::ConnectionsDubbo, 1));
                envoy.count(Event::Move(Gauge::Connections, 1));
            }
            [] if !end => {}
            [0xda] if !end => self.wait_for_more(envoy),
            [b'P'] if !end && config.authority_for_http2 => self.wait_for_more(envoy),
            _ => {
                let is_http2 = first[..] == PREFACE[..2] && config.authority_for_http2;
                *speech = match is_http2 {
                    true => Speech::Http2(Box::new(Authority::new(config, timer::now()))),
                    false => Speech::Other,
                };
                envoy.count(Event::Count(Counter::ConnectionsOther, 1));
            }
        }
    }

    /// One byte says nothing yet.
    fn wait_for_more(&self, envoy: &Envoy<'_>) {
        if let (Some(scheduler), 1..) = (envoy.scheduler, self.patience) {
            let now = timer::now();
            let until = self.undecided_until.get().unwrap_or(now + self.patience);
            self.undecided_until.set(Some(until));
            self.alarm.set(Some(until), now, scheduler);
        }
    }

    /// Closes the connection at once: nobody there is owed an answer.
    fn cut(&self, envoy: &Envoy<'_>, counter: Counter) {
        if !self.closed.replace(true) {
            envoy.count(Event::Count(counter, 1));
            envoy.filter.close(false);
        }
    }

    /// Lets `feed` give the translator what came. `None` if there is no translator. `writing` says that
    /// the manager is on the stack: what is for it stays where it is.
    fn step(&self, writing: bool, feed: impl FnOnce(&mut dyn Translator)) -> Option<Outcome> {
        let mut speech = self.speech.borrow_mut();
        let translator: &mut dyn Translator = match &mut *speech {
            Speech::Dubbo(translator) => &mut **translator,
            Speech::Http2(translator) => &mut **translator,
            Speech::Unknown(..) | Speech::Other => return None,
        };
        let now = timer::now();
        translator.clock(now, !self.stopped.get());
        feed(translator);
        translator.at(now);
        let mut outcome = self.outcome.take();
        translator.tell(&mut outcome, writing);
        Some(outcome)
    }

    /// What is left to do once the bytes are where they belong.
    fn settle(&self, envoy: &Envoy<'_>, outcome: Outcome, writing: bool) {
        self.follow(envoy, &outcome, writing);
        self.outcome.replace(outcome.emptied());
    }

    fn follow(&self, envoy: &Envoy<'_>, outcome: &Outcome, writing: bool) {
        outcome.events.iter().for_each(|event| envoy.count(*event));
        self.wants_dubbo.set(outcome.wants_more);
        self.stop_or_go_on(envoy);
        let Some(scheduler) = envoy.scheduler else {
            return;
        };
        let now = timer::now();
        worker::tick(now);
        let deadlines = [outcome.deadline, worker::next_deadline()];
        let deadline = deadlines.into_iter().flatten().min();
        self.alarm.set(deadline, now, scheduler);
        if outcome.waiting || (outcome.close.is_some() && writing) {
            self.flush.set_now(now, FLUSH, scheduler);
        }
        // Waiting would not help: all the others may be waiting too.
        worker::relieve(self.worker_bytes, |holder| holder.commit(OVER));
        if let Some(reason) = &outcome.close
            && !writing
            && !self.closed.replace(true)
        {
            // Whoever sends garbage shall not fill a log: it is counted too.
            log(Level::Info, || {
                let connection = envoy.filter.connection_id();
                format!("dubbo: connection {connection} is closed: {reason}")
            });
            envoy.filter.close(true);
        }
    }

    fn stop_or_go_on(&self, envoy: &Envoy<'_>) {
        let stop = self.unread.get() || !self.wants_dubbo.get();
        if self.stopped.replace(stop) != stop && !self.closed.get() {
            envoy.filter.read_disable(stop);
        }
    }

    fn write_to_client(envoy: &Envoy<'_>, outcome: &Outcome) {
        if !outcome.to_client.is_empty() {
            Self::count_out(envoy, outcome);
            envoy.filter.inject_write(&outcome.to_client);
        }
    }

    fn count_out(envoy: &Envoy<'_>, outcome: &Outcome) {
        if outcome.is_dubbo {
            let length = outcome.to_client.len() as u64;
            envoy.count(Event::Count(Counter::BytesOut, length));
        }
    }
}

impl Part for Translate {
    fn read(&self, envoy: &Envoy<'_>, end: bool) -> u32 {
        self.decide(envoy, end);
        let mut length = 0;
        let outcome = self.step(false, |translator| {
            length = envoy.filter.lend_read(|bytes| {
                provoke(bytes);
                translator.client_sent(bytes);
            });
        });
        let Some(outcome) = outcome else {
            let unknown = matches!(*self.speech.borrow(), Speech::Unknown(..));
            return if unknown { STOP_ITERATION } else { CONTINUE };
        };
        if outcome.is_dubbo {
            envoy.count(Event::Count(Counter::BytesIn, length as u64));
        }
        envoy.filter.replace_read(length, &outcome.to_envoy);
        Self::write_to_client(envoy, &outcome);
        self.settle(envoy, outcome, false);
        CONTINUE
    }

    fn write(&self, envoy: &Envoy<'_>, _end: bool) -> u32 {
        let mut length = 0;
        let outcome = self.step(true, |translator| {
            length = envoy
                .filter
                .lend_write(|bytes| translator.envoy_sent(bytes));
        });
        if let Some(outcome) = outcome {
            envoy.filter.replace_write(length, &outcome.to_client);
            Self::count_out(envoy, &outcome);
            self.settle(envoy, outcome, true);
        }
        CONTINUE
    }

    fn scheduled(&self, envoy: &Envoy<'_>, event: u64) {
        match event {
            FLUSH => self.flush.went_off(timer::now()),
            _ => self.alarm.went_off(timer::now()),
        }
        if self.closed.get() {
            return;
        }
        if let Some(outcome) = self.step(false, |_| ()) {
            Self::write_to_client(envoy, &outcome);
            if !outcome.to_envoy.is_empty() {
                envoy.filter.inject_read(&outcome.to_envoy);
            }
            // What the manager made of it while it read has been told by `write`.
            self.settle(envoy, outcome, false);
            return;
        }
        let is_unknown = matches!(*self.speech.borrow(), Speech::Unknown(..));
        let until = self.undecided_until.get().filter(|_| is_unknown);
        let now = timer::now();
        match until {
            Some(until) if until <= now => self.cut(envoy, Counter::ConnectionsHalfFrame),
            Some(until) => {
                if let Some(scheduler) = envoy.scheduler {
                    self.alarm.set(Some(until), now, scheduler);
                }
            }
            None => {}
        }
    }

    fn over_limit(&self, envoy: &Envoy<'_>) {
        self.cut(envoy, Counter::ConnectionsOverLimit);
    }

    fn unread(&self, envoy: &Envoy<'_>, too_much: bool) {
        let is_dubbo = matches!(*self.speech.borrow(), Speech::Dubbo(_));
        self.unread.set(too_much && is_dubbo);
        self.stop_or_go_on(envoy);
    }

    fn closed(&self, _envoy: &Envoy<'_>) {
        self.closed.set(true);
        *self.speech.borrow_mut() = Speech::Other;
    }
}
