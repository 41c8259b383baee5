//! The HTTP filter `dubbo_hold`: a call waits for a cluster that its route names and Envoy does not have.
//!
//! istiod's routes and clusters come one after the other. So there are instants in which a route names a
//! cluster that is not warm yet, or has just gone, and Envoy answers 503 (response flag NC). A request
//! that would get that answer is stopped here, looks again a few times, and goes on as soon as there is
//! a cluster; or begins anew, since the routes may be others by now.
//!
//! ```text
//! request_headers ─cluster there→ on                    (nearly always: one question, nothing kept)
//!        └─missing→ HELD ─timer→ scheduled ─there→ on
//!                              ▲     ├─missing→ look again, or begin anew ─▶ request_headers
//!                              └─────┘   └─too long→ on: 503, as without us
//! ```
//! Only of routes with the metadata `dubbo: {hold: true}`: a direct response, a redirect or no route at
//! all has no cluster either, and Envoy does not say which it is.
//!
//! Calls that wait are kept by worker, under Envoy's pointer, and so a call that does not wait has no
//! object of ours. Envoy tells the end of each request (`stream_complete`) before its filters go.
#![allow(unsafe_code)]

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::ptr;
use std::sync::Arc;

use crate::Millis;
use crate::abi::{Buffer, CONTINUE, EnvoyPtr, Header, ModulePtr, STOP_ALL_AND_WATERMARK};
use crate::config::Config;
use crate::envoy::{Http, Scheduler, bytes_of};
use crate::guard::{guard, provoke};
use crate::hold::{Hold, Vain};
use crate::metrics::{self, Counter, Event};
use crate::module::refuse;
use crate::names;
use crate::timer;

const NAME: &[u8] = b"dubbo_hold";
/// What a route has to say of itself.
const MARK: &str = "hold";
/// Calls of one worker that wait at the same time.
const AT_ONCE: usize = 1024;
/// A filter before us may take its time with a call that begins anew; so long we look for its header.
const ON_THE_WAY: Millis = 30_000;

/// One configuration: how long a call waits.
struct Patience(Millis);

/// A call that waits.
struct Held {
    hold: Hold,
    patience: Millis,
    host: u64,
    scheduler: Arc<Scheduler>,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.scheduler.end();
    }
}

thread_local! {
    static HELD: RefCell<BTreeMap<usize, Held>> = const { RefCell::new(BTreeMap::new()) };
    static VAIN: RefCell<Vain> = const { RefCell::new(Vain::new()) };
    /// Until when calls may come that have begun anew.
    static ANEW_UNTIL: Cell<Millis> = const { Cell::new(0) };
}

/// The headers of a request came: where it goes from here.
fn arrived(http: Http, patience: Millis) -> u32 {
    if patience == 0 {
        return CONTINUE;
    }
    let since = take_since(http);
    if http.has_cluster() || !http.route_says(MARK) {
        return CONTINUE;
    }
    let host = http.lend_header(names::AUTHORITY, |host| {
        provoke(host);
        let mut hasher = DefaultHasher::new();
        host.hash(&mut hasher);
        hasher.finish()
    });
    let (now, host) = (timer::now(), host.unwrap_or(0));
    let Some(hold) = Hold::new(now, since, patience) else {
        in_vain(host, now, patience);
        return CONTINUE;
    };
    let full = HELD.with_borrow(|held| held.len() >= AT_ONCE);
    if full || VAIN.with_borrow(|vain| vain.has(host, now)) {
        return CONTINUE;
    }
    let Some(scheduler) = http.scheduler().map(Arc::new) else {
        return CONTINUE;
    };
    let is_woken = timer::wake(hold.next_look(now), &scheduler);
    let held = Held {
        hold,
        patience,
        host,
        scheduler,
    };
    if !is_woken {
        return CONTINUE;
    }
    HELD.with_borrow_mut(|all| all.insert(http.id(), held));
    if since.is_none() {
        count(Counter::RequestsHeld);
    }
    STOP_ALL_AND_WATERMARK
}

/// Since when a call waits that has begun anew.
fn take_since(http: Http) -> Option<Millis> {
    let until = ANEW_UNTIL.get();
    if until == 0 {
        return None;
    }
    if timer::now() > until {
        ANEW_UNTIL.set(0);
        return None;
    }
    let since = http.lend_header(names::HELD, |since| {
        std::str::from_utf8(since)
            .ok()
            .and_then(|text| text.parse().ok())
    })?;
    http.set_header(names::HELD, None);
    since
}

/// A call that waits looks whether there is a cluster now, whichever route it is.
fn look(http: Http) {
    let now = timer::now();
    let held = HELD.with_borrow(|all| {
        let held = all.get(&http.id())?;
        Some((held.hold, held.patience, held.host))
    });
    let Some((hold, patience, host)) = held else {
        return;
    };
    provoke(b"dubbo_hold looks");
    http.forget_route();
    if http.has_cluster() || !http.route_says(MARK) {
        return release(http);
    }
    if hold.is_over(now) {
        // The last look, at the routes too: if they are the same, `arrived` says so.
        if !anew(http, hold, now) {
            in_vain(host, now, patience);
            release(http);
        }
        return;
    }
    let takes_anew = HELD.with_borrow_mut(|all| {
        let held = all.get_mut(&http.id());
        held.is_some_and(|held| held.hold.takes_anew(now))
    });
    if takes_anew && anew(http, hold, now) {
        return;
    }
    let is_woken = HELD.with_borrow(|all| {
        let held = all.get(&http.id());
        held.is_some_and(|held| timer::wake(held.hold.next_look(now), &held.scheduler))
    });
    if !is_woken {
        release(http);
    }
}

/// Begins a call anew, if that can be: it must have come whole, and Envoy would lose its trailers. It
/// says to itself how long it has waited.
fn anew(http: Http, hold: Hold, now: Millis) -> bool {
    if http.has_trailers() {
        return false;
    }
    ANEW_UNTIL.set(now + ON_THE_WAY);
    http.set_header(names::HELD, Some(&hold.since().to_string()));
    let begun = http.begin_anew();
    if !begun {
        http.set_header(names::HELD, None);
    }
    begun
}

/// Lets a call go on. It may have ended when this returns.
fn release(http: Http) {
    if forget(http.id()) {
        http.go_on();
    }
}

fn forget(id: usize) -> bool {
    // What is taken out is dropped here, where nothing is borrowed.
    let held = HELD.with_borrow_mut(|all| all.remove(&id));
    held.is_some()
}

fn in_vain(host: u64, now: Millis, patience: Millis) {
    VAIN.with_borrow_mut(|vain| vain.add(host, now, patience));
    count(Counter::RequestsHeldInVain);
}

fn count(counter: Counter) {
    metrics::add_aside(Event::Count(counter, 1));
}

/// Runs `body` with the filter of a hook. After a panic the request goes on as if nobody were here.
fn hook<T: Copy>(
    envoy: EnvoyPtr,
    body: impl FnOnce(Http) -> T,
    rescue: impl Fn(Http),
    otherwise: T,
) -> T {
    // SAFETY: Envoy's filter is alive during its hooks, and they run on its thread.
    let Some(http) = (unsafe { Http::new(envoy) }) else {
        return otherwise;
    };
    let rescue = || {
        rescue(http);
        otherwise
    };
    guard(|| body(http), rescue, otherwise)
}

/// Refuses every name but ours, and options that are not understood.
#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_http_filter_config_new(
    _config: EnvoyPtr,
    name: Buffer,
    options: Buffer,
) -> ModulePtr {
    let body = || {
        // SAFETY: Envoy's arguments are valid during the hook.
        let (name, options) = unsafe { (bytes_of(name), bytes_of(options)) };
        if name != NAME {
            let name = String::from_utf8_lossy(name);
            return refuse(&format!(
                "no HTTP filter \"{name}\"; there is \"dubbo_hold\""
            ));
        }
        match Config::parse(options) {
            Ok(config) => Box::into_raw(Box::new(Patience(config.hold_ms.into())))
                .cast_const()
                .cast(),
            Err(error) => refuse(&error.to_string()),
        }
    };
    guard(body, ptr::null, ptr::null())
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_http_filter_config_destroy(config: ModulePtr) {
    // SAFETY: it was made by `config_new`, and Envoy destroys it once, after all its filters.
    let body = || drop(unsafe { Box::from_raw(config.cast_mut().cast::<Patience>()) });
    guard(body, || (), ());
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_http_filter_new(
    config: ModulePtr,
    _envoy: EnvoyPtr,
) -> ModulePtr {
    // Nothing is kept of a request that does not wait: it needs the configuration, which outlives it.
    config
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_http_filter_destroy(_ours: ModulePtr) {}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_http_filter_request_headers(
    envoy: EnvoyPtr,
    ours: ModulePtr,
    _end: bool,
) -> u32 {
    // SAFETY: it is what `config_new` made, and alive as long as its filters.
    let patience = unsafe { ours.cast::<Patience>().as_ref() };
    let patience = patience.map_or(0, |Patience(patience)| *patience);
    let rescue = |http: Http| {
        forget(http.id());
    };
    hook(envoy, |http| arrived(http, patience), rescue, CONTINUE)
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_http_filter_scheduled(
    envoy: EnvoyPtr,
    _ours: ModulePtr,
    _event: u64,
) {
    hook(envoy, look, release, ());
}

/// The request has ended, whether it still waited or not.
#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_http_filter_stream_complete(
    envoy: EnvoyPtr,
    _ours: ModulePtr,
) {
    let body = || {
        // The thread may be ending.
        let nobody_waits = HELD.try_with(|held| held.borrow().is_empty());
        if !nobody_waits.unwrap_or(true) {
            forget(envoy.addr());
        }
    };
    guard(body, || (), ());
}

/// Hooks that Envoy asks for and that have nothing to do here: everything passes.
macro_rules! pass {
    ($($name:ident($($argument:ty),*) $(-> $result:ty = $value:expr)?;)*) => {
        $(
            #[unsafe(no_mangle)]
            extern "C" fn $name($(_: $argument),*) $(-> $result)? {
                $($value)?
            }
        )*
    };
}

pass! {
    envoy_dynamic_module_on_http_filter_request_body(EnvoyPtr, ModulePtr, bool) -> u32 = CONTINUE;
    envoy_dynamic_module_on_http_filter_request_trailers(EnvoyPtr, ModulePtr) -> u32 = CONTINUE;
    envoy_dynamic_module_on_http_filter_response_headers(EnvoyPtr, ModulePtr, bool) -> u32 = CONTINUE;
    envoy_dynamic_module_on_http_filter_response_body(EnvoyPtr, ModulePtr, bool) -> u32 = CONTINUE;
    envoy_dynamic_module_on_http_filter_response_trailers(EnvoyPtr, ModulePtr) -> u32 = CONTINUE;
    envoy_dynamic_module_on_http_filter_http_callout_done(
        EnvoyPtr, ModulePtr, u64, u32, *const Header, usize, *const Buffer, usize
    );
    envoy_dynamic_module_on_http_filter_http_stream_headers(
        EnvoyPtr, ModulePtr, u64, *const Header, usize, bool
    );
    envoy_dynamic_module_on_http_filter_http_stream_data(
        EnvoyPtr, ModulePtr, u64, *const Buffer, usize, bool
    );
    envoy_dynamic_module_on_http_filter_http_stream_trailers(
        EnvoyPtr, ModulePtr, u64, *const Header, usize
    );
    envoy_dynamic_module_on_http_filter_http_stream_complete(EnvoyPtr, ModulePtr, u64);
    envoy_dynamic_module_on_http_filter_http_stream_reset(EnvoyPtr, ModulePtr, u64, u32);
    envoy_dynamic_module_on_http_filter_downstream_above_write_buffer_high_watermark(EnvoyPtr, ModulePtr);
    envoy_dynamic_module_on_http_filter_downstream_below_write_buffer_low_watermark(EnvoyPtr, ModulePtr);
}
