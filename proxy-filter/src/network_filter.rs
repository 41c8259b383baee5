//! The network filters `dubbo_to_http2` and `dubbo_observe`: what Envoy calls, and who answers.
//!
//! This file owns the objects behind the hooks (`hooks.rs`). Envoy calls the hooks of one
//! connection on one thread, but not one after the other: a callback may call the next hook before it
//! returns. So the parts are shared references here, and each keeps its state in a cell that it
//! borrows between callbacks and never across one.
//!
//! ```text
//! config_new ─▶ Config ─▶ new ─▶ Filter ─▶ read, write, scheduled, event … ─▶ destroy
//! ```
#![allow(unsafe_code)]

mod hooks;
mod observe;
mod translate;

use std::cell::Cell;
use std::sync::Arc;

use crate::abi::{CONTINUE, EVENT_LOCAL_CLOSE, EVENT_REMOTE_CLOSE, EnvoyPtr, STOP_ITERATION};
use crate::config::{Config as Options, Mode};
use crate::envoy::{Metrics, Network, NetworkConfig, Scheduler};
use crate::guard::guard;
use crate::metrics::{self, Event, Gauge};
use crate::network_filter::observe::Observe;
use crate::network_filter::translate::Translate;
use crate::to_http2::Turns;
use crate::worker::Holder;

/// The event of the hook `scheduled` that closes a connection after a panic. Parts use small numbers.
const CLOSE: u64 = u64::MAX;
/// The one that closes a connection which holds the most of a worker that holds too much.
const OVER: u64 = u64::MAX - 1;

/// What a filter does with the bytes of one connection. All are called on the connection's thread.
trait Part {
    /// Bytes came from the client. `end` says that these are the last.
    fn read(&self, envoy: &Envoy<'_>, end: bool) -> u32;
    /// Bytes go to the client.
    fn write(&self, envoy: &Envoy<'_>, end: bool) -> u32;
    /// The scheduler was asked for this.
    fn scheduled(&self, envoy: &Envoy<'_>, event: u64);
    /// The worker holds too much, and this connection the most of it.
    fn over_limit(&self, _envoy: &Envoy<'_>) {}
    /// The connection has ended.
    fn closed(&self, envoy: &Envoy<'_>);
    /// The client leaves more unread than Envoy likes to hold, or no longer.
    fn unread(&self, _envoy: &Envoy<'_>, _too_much: bool) {}
}

/// What a part sees of Envoy during one hook.
struct Envoy<'a> {
    filter: Network,
    metrics: &'a Metrics,
    scheduler: Option<&'a Arc<Scheduler>>,
    share: &'a Share,
}

impl Envoy<'_> {
    fn count(&self, event: Event) {
        self.share.note(event);
        self.filter.count(self.metrics, event);
    }
}

/// What a connection has added to each gauge: so that it can be taken off when the connection ends,
/// whatever state its part is in by then.
struct Share {
    gauges: [Cell<i64>; Gauge::ALL.len()],
    holder: Option<Holder>,
}

impl Share {
    fn new(scheduler: Option<&Arc<Scheduler>>) -> Self {
        Self {
            gauges: <[Cell<i64>; Gauge::ALL.len()]>::default(),
            holder: scheduler.map(Holder::new),
        }
    }

    fn note(&self, event: Event) {
        if let Event::Move(gauge, change) = event {
            let share = &self.gauges[gauge as usize];
            share.set(share.get() + change);
            if let (Gauge::Buffered, Some(holder)) = (gauge, &self.holder) {
                holder.hold(change);
            }
        }
    }

    /// The moves that bring it to nothing.
    fn back(&self) -> impl Iterator<Item = Event> + '_ {
        let moved = |(share, gauge): (&Cell<i64>, &Gauge)| {
            let event = Event::Move(*gauge, -share.get());
            self.note(event);
            (event != Event::Move(*gauge, 0)).then_some(event)
        };
        self.gauges.iter().zip(Gauge::ALL).filter_map(moved)
    }
}

/// Which filter it is.
enum Kind {
    Observe(Arc<Options>),
    /// Its connections drain together, on whatever thread.
    Translate(Arc<Options>, Arc<Turns>),
}

/// One configuration of a filter.
struct Config {
    kind: Kind,
    metrics: Metrics,
}

/// One connection.
struct Filter {
    config: Arc<Config>,
    part: Box<dyn Part>,
    scheduler: Option<Arc<Scheduler>>,
    share: Share,
    /// A hook has panicked: the part is not asked any more.
    broken: Cell<bool>,
    closed: Cell<bool>,
}

/// Which filter the name and the options ask for.
fn kind(name: &[u8], options: &[u8]) -> Result<Kind, String> {
    let options = Options::parse(options).map_err(|error| error.to_string())?;
    match name {
        b"dubbo_observe" => Ok(Kind::Observe(Arc::new(options))),
        b"dubbo_to_http2" if options.mode == Mode::Observe => Ok(Kind::Observe(Arc::new(options))),
        b"dubbo_to_http2" => Ok(Kind::Translate(Arc::new(options), Arc::default())),
        other => {
            let other = String::from_utf8_lossy(other);
            let known = "there are \"dubbo_to_http2\" and \"dubbo_observe\"";
            Err(format!("no network filter \"{other}\"; {known}"))
        }
    }
}

fn configure(config: EnvoyPtr, name: &[u8], options: &[u8]) -> Result<Arc<Config>, String> {
    let kind = kind(name, options)?;
    // SAFETY: the hook that makes the configuration is running.
    let metrics = unsafe { NetworkConfig::new(config) }.and_then(NetworkConfig::define_metrics);
    let metrics = metrics.ok_or("Envoy refuses a metric")?;
    Ok(Arc::new(Config { kind, metrics }))
}

impl Filter {
    fn new(config: Arc<Config>, envoy: Network) -> Self {
        let part: Box<dyn Part> = match &config.kind {
            Kind::Observe(options) => Box::new(Observe::new(options)),
            Kind::Translate(options, turns) => {
                Box::new(Translate::new(Arc::clone(options), Arc::clone(turns)))
            }
        };
        let scheduler = envoy.scheduler().map(Arc::new);
        Self {
            config,
            part,
            share: Share::new(scheduler.as_ref()),
            scheduler,
            broken: Cell::new(false),
            closed: Cell::new(false),
        }
    }

    /// Lets `ask` ask the part, unless it is broken: then nothing passes any more.
    fn ask(&self, envoy: EnvoyPtr, ask: impl FnOnce(&dyn Part, &Envoy<'_>) -> u32) -> u32 {
        // SAFETY: Envoy's filter is alive during its hooks, and they run on its thread.
        let Some(filter) = (unsafe { Network::new(envoy) }) else {
            return STOP_ITERATION;
        };
        let body = || {
            let envoy = Envoy {
                filter,
                metrics: &self.config.metrics,
                scheduler: self.scheduler.as_ref(),
                share: &self.share,
            };
            let answer = match self.broken.get() {
                true => STOP_ITERATION,
                false => ask(&*self.part, &envoy),
            };
            metrics::take_aside().for_each(|event| filter.count(envoy.metrics, event));
            answer
        };
        let rescue = || {
            self.broken.set(true);
            // Not here: the filter that writes may be on the stack.
            if let Some(scheduler) = &self.scheduler {
                scheduler.commit(CLOSE);
            }
            STOP_ITERATION
        };
        guard(body, rescue, STOP_ITERATION)
    }

    fn scheduled(&self, envoy: EnvoyPtr, event: u64) {
        self.ask(envoy, |part, envoy| {
            match event {
                OVER => part.over_limit(envoy),
                _ => part.scheduled(envoy, event),
            }
            CONTINUE
        });
        if event == CLOSE && self.broken.get() && !self.closed.get() {
            // SAFETY: as above.
            if let Some(filter) = unsafe { Network::new(envoy) } {
                filter.close(false);
            }
        }
    }

    fn unread(&self, envoy: EnvoyPtr, too_much: bool) {
        self.ask(envoy, |part, envoy| {
            part.unread(envoy, too_much);
            CONTINUE
        });
    }

    fn event(&self, envoy: EnvoyPtr, event: u32) {
        let ended = event == EVENT_REMOTE_CLOSE || event == EVENT_LOCAL_CLOSE;
        if !ended || self.closed.replace(true) {
            return;
        }
        self.ask(envoy, |part, envoy| {
            part.closed(envoy);
            CONTINUE
        });
        // While it commits, another thread shares the filter: it must not be the last that does.
        if let Some(scheduler) = &self.scheduler {
            scheduler.end();
        }
        // SAFETY: as above.
        if let Some(filter) = unsafe { Network::new(envoy) } {
            let back = || {
                self.share
                    .back()
                    .for_each(|event| filter.count(&self.config.metrics, event))
            };
            guard(back, || (), ());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// That what observes changes no byte is seen in a real Envoy.
    #[test]
    fn the_mode_chooses_the_filter() {
        for (name, options, observes) in [
            ("dubbo_observe", "{}", Ok(true)),
            ("dubbo_to_http2", "{}", Ok(false)),
            ("dubbo_to_http2", r#"{"mode":"route"}"#, Ok(false)),
            ("dubbo_to_http2", r#"{"mode":"observe"}"#, Ok(true)),
            (
                "dubbo",
                "{}",
                Err(
                    "no network filter \"dubbo\"; there are \"dubbo_to_http2\" and \"dubbo_observe\"",
                ),
            ),
        ] {
            let found = kind(name.as_bytes(), options.as_bytes());
            let found = found.map(|kind| matches!(kind, Kind::Observe(_)));
            assert_eq!(found, observes.map_err(str::to_owned), "{name} {options}");
        }
    }
}
