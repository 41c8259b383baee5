//! `dubbo_to_http2`: the application speaks Dubbo, Envoy's HTTP connection manager reads HTTP/2.
//!
//! ```text
//! client ─da bb …→ read:  take all, put HTTP/2 in its place ─────────▶ HTTP connection manager
//! client ←da bb …─ write: take all, put Dubbo in its place ◀────────── HTTP connection manager
//!                  scheduled: what is for the manager but came up while it wrote; deadlines
//! ```
//! A connection that does not begin with a Dubbo frame passes as it is: HTTP/2 of a Triple SDK or of
//! another sidecar. The translator is borrowed between callbacks only; while the manager writes it is
//! not given anything to read.

use std::cell::{Cell, RefCell};
use std::mem;
use std::sync::Arc;

use super::{Envoy, Part};
use crate::abi::{CONTINUE, STOP_ITERATION};
use crate::config::Config;
use crate::envoy::{Level, log};
use crate::guard::provoke;
use crate::metrics::{Counter, Event, Gauge};
use crate::timer::{self, Alarm};
use crate::to_http2::DubboToHttp2;
use crate::translate::Close;
use crate::worker;

/// The event of the hook `scheduled` that asks for what is waiting.
const FLUSH: u64 = 0;

/// One connection.
pub(super) struct Translate {
    speech: RefCell<Speech>,
    /// The hook `scheduled` will be called for what is waiting.
    flushing: Cell<bool>,
    /// Reading from the client is stopped: the translator does not want more, or the client does not
    /// read what it is answered.
    stopped: Cell<bool>,
    wants_dubbo: Cell<bool>,
    unread: Cell<bool>,
    closed: Cell<bool>,
    alarm: Alarm,
    /// `limits.worker_bytes`.
    worker_bytes: u32,
}

/// What the client speaks.
enum Speech {
    Unknown(Arc<Config>),
    Dubbo(Box<DubboToHttp2>),
    Other,
}

/// What came of a step of the translator, taken out of it so that Envoy can be called.
struct Outcome {
    /// Empty while the manager writes: then `waiting` says whether there is something for it.
    to_http2: Vec<u8>,
    to_dubbo: Vec<u8>,
    waiting: bool,
    events: Vec<Event>,
    deadline: Option<u64>,
    wants_dubbo: bool,
    close: Option<Close>,
}

impl Translate {
    pub(super) fn new(config: Arc<Config>) -> Self {
        Self {
            worker_bytes: config.limits.worker_bytes,
            speech: RefCell::new(Speech::Unknown(config)),
            flushing: Cell::new(false),
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
        let Speech::Unknown(config) = &*speech else {
            return;
        };
        let mut first = Vec::with_capacity(2);
        envoy.filter.lend_read(|bytes| {
            first.extend(bytes.iter().take(2 - first.len()));
        });
        match first[..] {
            [0xda, 0xbb] => {
                let translator = DubboToHttp2::new(Arc::clone(config), timer::now());
                *speech = Speech::Dubbo(Box::new(translator));
                envoy.count(Event::Count(Counter::ConnectionsDubbo, 1));
                envoy.count(Event::Move(Gauge::Connections, 1));
            }
            [] | [0xda] if !end => {}
            _ => {
                *speech = Speech::Other;
                envoy.count(Event::Count(Counter::ConnectionsOther, 1));
            }
        }
    }

    /// Lets `feed` give the translator what came. `None` if there is no translator. `writing` says that
    /// the manager is on the stack: what is for it stays where it is.
    fn step(&self, writing: bool, feed: impl FnOnce(&mut DubboToHttp2)) -> Option<Outcome> {
        let mut speech = self.speech.borrow_mut();
        let Speech::Dubbo(translator) = &mut *speech else {
            return None;
        };
        let now = timer::now();
        translator.clock(now);
        feed(translator);
        translator.at(now);
        let to_http2 = match writing {
            true => Vec::new(),
            false => mem::take(translator.to_http2()),
        };
        Some(Outcome {
            to_http2,
            to_dubbo: mem::take(translator.to_dubbo()),
            waiting: !translator.to_http2().is_empty(),
            events: translator.events().collect(),
            deadline: translator.next_deadline(),
            wants_dubbo: translator.wants_dubbo(),
            close: translator.closing().cloned(),
        })
    }

    /// What is left to do once the bytes are where they belong.
    fn settle(&self, envoy: &Envoy<'_>, outcome: &Outcome, writing: bool) {
        outcome.events.iter().for_each(|event| envoy.count(*event));
        self.wants_dubbo.set(outcome.wants_dubbo);
        self.stop_or_go_on(envoy);
        let Some(scheduler) = envoy.scheduler else {
            return;
        };
        worker::tick(timer::now());
        let deadlines = [outcome.deadline, worker::next_deadline()];
        let deadline = deadlines.into_iter().flatten().min();
        self.alarm.set(deadline, scheduler);
        let later = outcome.waiting || (outcome.close.is_some() && writing);
        if later && !self.flushing.replace(true) {
            scheduler.commit(FLUSH);
        }
        if !writing && outcome.close.is_none() && envoy.share.is_over(self.worker_bytes) {
            // Waiting would not help: all the others may be waiting too.
            envoy.count(Event::Count(Counter::ConnectionsOverLimit, 1));
            self.closed.set(true);
            envoy.filter.close(false);
        }
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

    fn write_to_client(envoy: &Envoy<'_>, bytes: &[u8]) {
        if !bytes.is_empty() {
            envoy.count(Event::Count(Counter::BytesOut, bytes.len() as u64));
            envoy.filter.inject_write(bytes);
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
                translator.from_dubbo(bytes);
            });
        });
        let Some(outcome) = outcome else {
            let unknown = matches!(*self.speech.borrow(), Speech::Unknown(_));
            return if unknown { STOP_ITERATION } else { CONTINUE };
        };
        envoy.count(Event::Count(Counter::BytesIn, length as u64));
        envoy.filter.replace_read(length, &outcome.to_http2);
        Self::write_to_client(envoy, &outcome.to_dubbo);
        self.settle(envoy, &outcome, false);
        CONTINUE
    }

    fn write(&self, envoy: &Envoy<'_>, _end: bool) -> u32 {
        let mut length = 0;
        let outcome = self.step(true, |translator| {
            length = envoy
                .filter
                .lend_write(|bytes| translator.from_http2(bytes));
        });
        if let Some(outcome) = outcome {
            envoy.filter.replace_write(length, &outcome.to_dubbo);
            envoy.count(Event::Count(
                Counter::BytesOut,
                outcome.to_dubbo.len() as u64,
            ));
            self.settle(envoy, &outcome, true);
        }
        CONTINUE
    }

    fn scheduled(&self, envoy: &Envoy<'_>, event: u64) {
        match event {
            FLUSH => self.flushing.set(false),
            _ => self.alarm.went_off(),
        }
        if self.closed.get() {
            return;
        }
        if let Some(outcome) = self.step(false, |_| ()) {
            Self::write_to_client(envoy, &outcome.to_dubbo);
            if !outcome.to_http2.is_empty() {
                envoy.filter.inject_read(&outcome.to_http2);
            }
            // What the manager made of it while it read has been told by `write`.
            self.settle(envoy, &outcome, false);
        }
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
