//! `http_to_dubbo`: Envoy's bridge from an HTTP request to a TCP connection, one call at a time.
//!
//! ```text
//! router ─headers, body→ Exchange ─frame→ connection of the pool, plain or TLS ─→ provider
//! router ←status, body── Exchange ←frames─────────────────────────────────────── provider
//! ```
//! This file owns the hooks and the lifetime of the object behind them. Answering can end a call at
//! once, from below: the router may repeat it and take the bridge away before the callback returns. So
//! each hook holds the object itself, and looks whether it was taken away before it calls Envoy again.
//!
//! The interface has no way to reset a request or to close the connection. Where a call cannot go on,
//! our half is closed, and the call answered but for the answer's end: were that sent too, Envoy would give
//! the half-closed connection to the next call. A retry policy goes by the headers; the caller's half of the
//! filter resets the request once it has the frame; both have Envoy close the connection, as the provider
//! does that closes its half behind ours.
#![allow(unsafe_code)]

use std::cell::{Cell, RefCell};
use std::ptr;
use std::rc::Rc;
use std::sync::Arc;

use crate::abi::{Buffer, EnvoyPtr, ModulePtr};
use crate::call::{Exchange, Noted, Output};
use crate::config::Config;
use crate::envoy::{Bridge, Level, bytes_of, log};
use crate::guard::{guard, provoke};
use crate::metrics::{self, Counter, Event, Gauge, Share};
use crate::module::refuse;
use crate::worker::{self, Gathered};

const NAME: &[u8] = b"http_to_dubbo";

/// One call.
struct Call {
    exchange: RefCell<Exchange>,
    /// What the exchange holds, and what all of this worker may.
    held: Share,
    gathered: Gathered,
    worker_bytes: u32,
    /// Envoy has no more use for it.
    gone: Cell<bool>,
    /// It has ended, or a hook has panicked: nothing is asked of the exchange any more.
    over: Cell<bool>,
}

impl Call {
    /// Lets `feed` give the exchange what came, and sends what comes of it.
    fn step(&self, envoy: EnvoyPtr, feed: impl FnOnce(Bridge, &mut Exchange)) {
        // SAFETY: the bridge is alive during its hook, and asked for only while it is (`gone`).
        let Some(bridge) = (unsafe { Bridge::new(envoy) }) else {
            return;
        };
        if self.over.get() {
            return;
        }
        let output = {
            let mut exchange = self.exchange.borrow_mut();
            // Lending calls no hook.
            feed(bridge, &mut exchange);
            if self.gathered.set(exchange.held()) > u64::from(self.worker_bytes) {
                exchange.over_limit();
                self.gathered.set(exchange.held());
            }
            self.held.set(exchange.held());
            exchange.take()
        };
        count(output.noted);
        self.send(bridge, output);
    }

    fn send(&self, bridge: Bridge, output: Output) {
        if !output.to_provider.is_empty() || output.leave {
            bridge.send_upstream(&output.to_provider, output.leave);
        }
        if let Some(reason) = output.abort {
            metrics::add_aside(Event::Count(Counter::ProtocolErrorsDubbo, 1));
            log(Level::Info, || {
                format!("dubbo: a call ends before its time: {reason}")
            });
        }
        if output.end {
            self.over.set(true);
        }
        let whole = output.end && output.headers.is_some() && !self.gone.get();
        if let Some(headers) = output.headers {
            let pairs: Vec<(&[u8], &[u8])> = headers
                .headers
                .iter()
                .map(|(name, value)| (&name[..], &value[..]))
                .collect();
            if whole {
                return bridge.respond(headers.status.into(), &pairs, &output.body);
            }
            if !self.gone.get() {
                bridge.begin_response(headers.status.into(), &pairs);
            }
        }
        if (output.end || !output.body.is_empty()) && !self.gone.get() {
            bridge.respond_more(&output.body, output.end);
        }
    }

    /// Ends a call of which a hook has panicked.
    fn give_up(&self, bridge: Bridge) {
        if self.over.replace(true) || self.gone.get() {
            return;
        }
        let output = {
            let mut exchange = self.exchange.borrow_mut();
            // What the hook has made may be half of something.
            exchange.take();
            exchange.provider_failed("the filter failed");
            exchange.take()
        };
        self.send(bridge, output);
    }
}

fn count(noted: Noted) {
    for (counter, n) in [
        (Counter::Heartbeats, noted.heartbeats),
        (Counter::OtherEvents, noted.read_only),
        (Counter::ResponsesLate, noted.late),
        (Counter::RequestsReverse, noted.callbacks),
        (Counter::RequestsRefused, noted.refused.is_some().into()),
    ] {
        if n > 0 {
            metrics::add_aside(Event::Count(counter, n.into()));
        }
    }
}

fn options_of(name: &[u8], options: &[u8]) -> Result<Config, String> {
    if name != NAME {
        let name = String::from_utf8_lossy(name);
        return Err(format!("no bridge \"{name}\"; there is \"http_to_dubbo\""));
    }
    Config::parse_for_provider(options).map_err(|error| error.to_string())
}

/// Runs a hook of a call. After a panic the call is over, and its connection with it.
fn hook(envoy: EnvoyPtr, ours: ModulePtr, feed: impl FnOnce(Bridge, &mut Exchange)) {
    // SAFETY: Envoy passes what `new` has returned; it is not destroyed yet, and all is on one thread.
    let call = unsafe {
        let ours = ours.cast::<Call>();
        Rc::increment_strong_count(ours);
        Rc::from_raw(ours)
    };
    let rescue = || {
        // SAFETY: as in `step`.
        if let Some(bridge) = unsafe { Bridge::new(envoy) } {
            call.give_up(bridge);
        }
    };
    guard(|| call.step(envoy, feed), rescue, ());
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_upstream_http_tcp_bridge_config_new(
    _config: EnvoyPtr,
    name: Buffer,
    options: Buffer,
) -> ModulePtr {
    let body = || {
        // SAFETY: Envoy's arguments are valid during the hook.
        let (name, options) = unsafe { (bytes_of(name), bytes_of(options)) };
        match options_of(name, options) {
            Ok(config) => Arc::into_raw(Arc::new(config)).cast(),
            Err(reason) => refuse(&reason),
        }
    };
    guard(body, ptr::null, ptr::null())
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_upstream_http_tcp_bridge_config_destroy(config: ModulePtr) {
    // SAFETY: it is what `config_new` has returned, and Envoy has no more use for it.
    guard(
        || drop(unsafe { Arc::from_raw(config.cast::<Config>()) }),
        || (),
        (),
    );
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_upstream_http_tcp_bridge_new(
    config: ModulePtr,
    _envoy: EnvoyPtr,
) -> ModulePtr {
    let body = || {
        // SAFETY: it is one of ours that Envoy still holds.
        let config = unsafe {
            let config = config.cast::<Config>();
            Arc::increment_strong_count(config);
            Arc::from_raw(config)
        };
        let call = Call {
            held: Share::of(Gauge::Buffered),
            gathered: Gathered::default(),
            worker_bytes: config.limits.worker_bytes,
            exchange: RefCell::new(Exchange::new(config, worker::next_id())),
            gone: Cell::new(false),
            over: Cell::new(false),
        };
        Rc::into_raw(Rc::new(call)).cast()
    };
    guard(body, ptr::null, ptr::null())
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_upstream_http_tcp_bridge_destroy(ours: ModulePtr) {
    let body = || {
        // SAFETY: it is what `new` has returned; a hook that still runs holds a count of its own.
        let call = unsafe { Rc::from_raw(ours.cast::<Call>()) };
        call.gone.set(true);
    };
    guard(body, || (), ());
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_upstream_http_tcp_bridge_encode_headers(
    envoy: EnvoyPtr,
    ours: ModulePtr,
    end: bool,
) {
    hook(envoy, ours, |bridge, exchange| {
        bridge.lend_headers(|headers| {
            exchange.request_headers(headers.iter().copied(), end);
        });
    });
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_upstream_http_tcp_bridge_encode_data(
    envoy: EnvoyPtr,
    ours: ModulePtr,
    end: bool,
) {
    hook(envoy, ours, |bridge, exchange| {
        bridge.lend_request(|bytes| {
            provoke(bytes);
            exchange.request_data(bytes, false);
        });
        if end {
            exchange.request_data(&[], true);
        }
    });
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_upstream_http_tcp_bridge_encode_trailers(
    envoy: EnvoyPtr,
    ours: ModulePtr,
) {
    hook(envoy, ours, |_, exchange| exchange.request_data(&[], true));
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_upstream_http_tcp_bridge_on_upstream_data(
    envoy: EnvoyPtr,
    ours: ModulePtr,
    end: bool,
) {
    hook(envoy, ours, |bridge, exchange| {
        bridge.lend_response(|bytes| {
            provoke(bytes);
            exchange.provider_data(bytes, false);
        });
        if end {
            exchange.provider_data(&[], true);
        }
    });
}
