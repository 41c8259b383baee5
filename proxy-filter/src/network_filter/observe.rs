//! `dubbo_observe`: bytes pass untouched, and what they say is counted, logged and kept as metadata.
//!
//! Metrics are of Envoy as a whole. By interface and method there is a line per route in the log, each
//! minute while there is traffic and when the connection ends; and the connection's metadata, namespace
//! `dubbo`, has the call that ended last, for the access log of the TCP proxy.

use std::cell::{Cell, RefCell};

use super::{Envoy, Part};
use crate::abi::CONTINUE;
use crate::config::Config;
use crate::envoy::{Level, log};
use crate::guard::provoke;
use crate::observe::{Ended, Observer, line};
use crate::timer;

/// Between two reports of one connection, in milliseconds.
const REPORT_EVERY: u64 = 60_000;

/// One connection that is looked at.
pub(super) struct Observe {
    observer: RefCell<Observer>,
    /// What the metadata says.
    shown: RefCell<Ended>,
    reported: Cell<Option<u64>>,
}

impl Part for Observe {
    fn read(&self, envoy: &Envoy<'_>, _end: bool) -> u32 {
        let now = timer::now();
        envoy.filter.lend_read(|bytes| {
            provoke(bytes);
            self.observer.borrow_mut().seen_from_caller(bytes, now);
        });
        self.tell(envoy, now);
        CONTINUE
    }

    fn write(&self, envoy: &Envoy<'_>, _end: bool) -> u32 {
        let now = timer::now();
        (envoy.filter)
            .lend_write(|bytes| self.observer.borrow_mut().seen_from_provider(bytes, now));
        self.tell(envoy, now);
        CONTINUE
    }

    fn scheduled(&self, _envoy: &Envoy<'_>, _event: u64) {}

    fn closed(&self, envoy: &Envoy<'_>) {
        self.tell(envoy, timer::now());
        self.report();
    }
}

impl Observe {
    pub(super) fn new(config: &Config) -> Self {
        Self {
            observer: RefCell::new(Observer::new(config)),
            shown: RefCell::default(),
            reported: Cell::new(None),
        }
    }

    /// Counting calls no hook of ours.
    fn tell(&self, envoy: &Envoy<'_>, now: u64) {
        let mut observer = self.observer.borrow_mut();
        observer.events().for_each(|event| envoy.count(event));
        if let Some(ended) = observer.ended() {
            self.show(envoy, ended);
        }
        drop(observer);
        match self.reported.get() {
            None => self.reported.set(Some(now)),
            Some(at) if now.saturating_sub(at) >= REPORT_EVERY => {
                self.reported.set(Some(now));
                self.report();
            }
            Some(_) => {}
        }
    }

    /// Sets what has changed since the last call.
    fn show(&self, envoy: &Envoy<'_>, ended: Ended) {
        let mut shown = self.shown.borrow_mut();
        if *shown == ended {
            return;
        }
        let status = ended.status.to_string();
        for (key, value) in [
            ("interface", ended.route.interface.as_str()),
            ("method", &ended.route.method),
            ("version", &ended.route.version),
            ("group", &ended.route.group),
            ("tag", &ended.route.tag),
            ("serialization", &ended.route.serialization),
            ("host", &ended.route.host),
            ("status", &status),
            ("exception", &ended.exception),
        ] {
            envoy.filter.set_metadata(key, value);
        }
        *shown = ended;
    }

    fn report(&self) {
        let rows = self.observer.borrow_mut().report();
        for (route, outcomes) in &rows {
            log(Level::Info, || line(route, outcomes));
        }
    }
}
