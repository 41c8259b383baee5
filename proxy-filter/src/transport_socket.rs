//! `http2_to_dubbo`: a transport socket whose upper end is HTTP/2 and whose lower end is Dubbo.
//!
//! ```text
//! Envoy's HTTP/2 codec ─do_write: take down─▶ translator ─▶ waiting ─io_write─▶ provider
//! Envoy's HTTP/2 codec ◀──do_read: hand up─── translator ◀────────────io_read── provider
//! ```
//! One socket is one connection to a provider; Envoy puts many calls on it. It is the bottom of the
//! stack and does the reads and writes itself, plain TCP only. The interface has no scheduler: for its
//! heartbeats it is woken by the network filters of the same worker, see `worker.rs`.
//!
//! A provider that does not read makes `waiting` grow up to a limit; then nothing more is taken from
//! Envoy, whose own watermarks stop the callers, and what the provider asks is not answered.
#![allow(unsafe_code)]

mod waiting;

use std::cell::{Cell, RefCell};
use std::ptr;
use std::sync::Arc;

use crate::abi::{Buffer, EnvoyPtr, IoResult, ModulePtr};
use crate::config::Config;
use crate::envoy::{Io, Socket, bytes_of};
use crate::guard::{guard, provoke};
use crate::metrics::{self, Counter, Event, Gauge, Share};
use crate::module::refuse;
use crate::timer;
use crate::to_dubbo::Http2ToDubbo;
use crate::translate::KEPT_OF_CALL;
use crate::transport_socket::waiting::Waiting;
use crate::worker::Ticket;

const NAME: &[u8] = b"http2_to_dubbo";
/// Bytes read from the network at one time.
const CHUNK: usize = 16 * 1024;
/// Chunks read in one hook, so that one provider does not hold up the others of its thread.
const CHUNKS: usize = 32;
/// Bytes that wait for the network before nothing more is taken from Envoy.
const WAITING: usize = 1024 * 1024;

/// One connection.
struct Connection {
    translator: RefCell<Http2ToDubbo>,
    waiting: RefCell<Waiting>,
    /// What both of them hold.
    held: Share,
    /// As long as it is connected.
    ticket: RefCell<Option<Ticket>>,
    /// Envoy has been asked to call the hook of a read.
    asked: Cell<bool>,
    /// A hook has panicked, or the network is gone.
    broken: Cell<bool>,
}

thread_local! {
    /// Where all sockets of a worker read into: nothing stays in it.
    static READ: RefCell<[u8; CHUNK]> = const { RefCell::new([0; CHUNK]) };
}

const CLOSE: IoResult = result(true, 0, false);

const fn result(close: bool, bytes: usize, end_of_stream: bool) -> IoResult {
    IoResult {
        action: close as u32,
        bytes: bytes as u64,
        end_of_stream,
    }
}

impl Connection {
    /// None of the callbacks in here but the last of each hook calls a hook.
    fn read(&self, socket: Socket) -> IoResult {
        self.asked.set(false);
        let mut translator = self.translator.borrow_mut();
        let now = timer::now();
        translator.clock(now);
        let ended = Self::take_up(socket, &mut translator);
        translator.at(now);
        if self.waiting.borrow().len() >= WAITING {
            // Answers to a provider that does not read; requests come in the hook of a write.
            translator.to_dubbo().clear();
        }
        let up = Self::hand_up(socket, translator.to_http2());
        let close = translator.closing().is_some();
        let alive = self.settle(socket, &mut translator);
        // The hook stopped before the network had no more, or what went out made room for requests.
        let more = ended.is_none() && translator.wants_dubbo();
        let more = more || !translator.to_http2().is_empty();
        drop(translator);
        if more {
            self.ask_to_read(socket);
        }
        let ended = ended == Some(true) || !alive;
        result(close || !alive, up, ended)
    }

    /// Hands all of it up to Envoy, and says how much that was.
    fn hand_up(socket: Socket, bytes: &mut Vec<u8>) -> usize {
        let length = bytes.len();
        if length > 0 {
            socket.hand_up(bytes);
            bytes.clear();
            bytes.shrink_to(KEPT_OF_CALL);
        }
        length
    }

    /// Reads from the network. Whether it has ended; `None` if it may have more.
    fn take_up(socket: Socket, translator: &mut Http2ToDubbo) -> Option<bool> {
        READ.with_borrow_mut(|buffer| Self::take_chunks(socket, translator, buffer))
    }

    fn take_chunks(
        socket: Socket,
        translator: &mut Http2ToDubbo,
        buffer: &mut [u8; CHUNK],
    ) -> Option<bool> {
        for _ in 0..CHUNKS {
            if !translator.wants_dubbo() {
                return None;
            }
            match socket.read(buffer) {
                Io::Done(n) => {
                    let bytes = buffer.get(..n).unwrap_or_default();
                    provoke(bytes);
                    metrics::add_aside(Event::Count(Counter::ProviderBytesIn, n as u64));
                    translator.from_dubbo(bytes);
                }
                Io::Later => return Some(false),
                Io::Ended | Io::Broken => {
                    translator.dubbo_closed();
                    return Some(true);
                }
            }
        }
        None
    }

    fn write(&self, socket: Socket, end: bool) -> IoResult {
        let mut translator = self.translator.borrow_mut();
        translator.at(timer::now());
        let mut taken = 0;
        let mut alive = self.settle(socket, &mut translator);
        // Until the network takes no more or Envoy has no more: nobody but the network calls this hook
        // again, and it only if it was full.
        while alive && self.waiting.borrow().len() < WAITING {
            let more = socket.take_down(|bytes| {
                provoke(bytes);
                translator.from_http2(bytes);
            });
            alive = self.settle(socket, &mut translator);
            taken += more;
            if more == 0 {
                break;
            }
        }
        let to_read = !translator.to_http2().is_empty() || translator.closing().is_some();
        drop(translator);
        if end && alive && self.waiting.borrow().len() == 0 {
            socket.shutdown_write();
        }
        if to_read {
            self.ask_to_read(socket);
        }
        result(!alive, taken, false)
    }

    /// Tells what happened and writes what is for the provider. False if the connection is broken.
    fn settle(&self, socket: Socket, translator: &mut Http2ToDubbo) -> bool {
        translator.events().for_each(metrics::add_aside);
        if let Some(ticket) = &*self.ticket.borrow() {
            ticket.wake_at(translator.next_deadline());
        }
        let mut waiting = self.waiting.borrow_mut();
        let down = translator.to_dubbo();
        metrics::add_aside(Event::Count(Counter::ProviderBytesOut, down.len() as u64));
        waiting.push(down);
        let alive = waiting.flush(|bytes| socket.write(bytes));
        translator.unsent(waiting.len());
        self.held.set(translator.buffered());
        alive
    }

    /// What Envoy's codec is to read comes up in the hook of a read.
    fn ask_to_read(&self, socket: Socket) {
        if !self.asked.replace(true) {
            socket.ask_to_read();
        }
    }
}

/// Runs a hook that reads or writes. After a panic the connection is closed.
fn hook(
    envoy: EnvoyPtr,
    ours: ModulePtr,
    step: impl FnOnce(&Connection, Socket) -> IoResult,
) -> IoResult {
    // SAFETY: Envoy passes what `new` has returned, and its own socket, on the thread of both.
    let (connection, socket) = unsafe { (&*ours.cast::<Connection>(), Socket::new(envoy)) };
    let body = || match socket {
        Some(socket) if !connection.broken.get() => step(connection, socket),
        _ => CLOSE,
    };
    let rescue = || {
        connection.broken.set(true);
        CLOSE
    };
    guard(body, rescue, CLOSE)
}

fn options_of(name: &[u8], options: &[u8], upstream: bool) -> Result<Config, String> {
    if name != NAME {
        let name = String::from_utf8_lossy(name);
        return Err(format!(
            "no transport socket \"{name}\"; there is \"http2_to_dubbo\""
        ));
    }
    if !upstream {
        return Err("\"http2_to_dubbo\" is for clusters, not for listeners".to_owned());
    }
    Config::parse_for_provider(options).map_err(|error| error.to_string())
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_transport_socket_factory_config_new(
    _config: EnvoyPtr,
    name: Buffer,
    options: Buffer,
    is_upstream: bool,
) -> ModulePtr {
    let body = || {
        // SAFETY: Envoy's arguments are valid during the hook.
        let (name, options) = unsafe { (bytes_of(name), bytes_of(options)) };
        match options_of(name, options, is_upstream) {
            Ok(config) => Arc::into_raw(Arc::new(config)).cast(),
            Err(reason) => refuse(&reason),
        }
    };
    guard(body, ptr::null, ptr::null())
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_transport_socket_factory_config_destroy(config: ModulePtr) {
    // SAFETY: it is what `factory_config_new` has returned, and Envoy has no more use for it.
    guard(
        || drop(unsafe { Arc::from_raw(config.cast::<Config>()) }),
        || (),
        (),
    );
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_transport_socket_new(
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
        let connection = Connection {
            translator: RefCell::new(Http2ToDubbo::new(config, timer::now())),
            waiting: RefCell::default(),
            held: Share::of(Gauge::Buffered),
            ticket: RefCell::default(),
            asked: Cell::new(false),
            broken: Cell::new(false),
        };
        metrics::add_aside(Event::Count(Counter::ProviderConnections, 1));
        Box::into_raw(Box::new(connection)).cast_const().cast()
    };
    // Envoy closes a connection whose socket is null.
    guard(body, ptr::null, ptr::null())
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_transport_socket_destroy(ours: ModulePtr) {
    // SAFETY: it is what `new` has returned, and this is the last hook that gets it.
    let body = || drop(unsafe { Box::from_raw(ours.cast_mut().cast::<Connection>()) });
    guard(body, || (), ());
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_transport_socket_set_callbacks(
    _envoy: EnvoyPtr,
    _ours: ModulePtr,
) {
}

/// The network is there, and nothing else is needed before calls can go.
#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_transport_socket_on_connected(
    envoy: EnvoyPtr,
    ours: ModulePtr,
) {
    let body = || {
        // SAFETY: Envoy passes what `new` has returned, and its own socket, which is open until the
        // hook `close`: that takes the ticket away.
        let (connection, socket) = unsafe { (&*ours.cast::<Connection>(), Socket::new(envoy)) };
        if let Some(socket) = socket {
            connection.ticket.replace(Some(Ticket::new(socket)));
            socket.raise_connected();
        }
    };
    guard(body, || (), ());
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_transport_socket_do_read(
    envoy: EnvoyPtr,
    ours: ModulePtr,
) -> IoResult {
    hook(envoy, ours, Connection::read)
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_transport_socket_do_write(
    envoy: EnvoyPtr,
    ours: ModulePtr,
    end: bool,
) -> IoResult {
    hook(envoy, ours, |connection, socket| {
        connection.write(socket, end)
    })
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_transport_socket_close(
    _envoy: EnvoyPtr,
    ours: ModulePtr,
    _event: u32,
    _abort_reset: bool,
) {
    let body = || {
        // SAFETY: Envoy passes what `new` has returned.
        let connection = unsafe { &*ours.cast::<Connection>() };
        connection.broken.set(true);
        connection.ticket.replace(None);
    };
    guard(body, || (), ());
}

/// Nothing was negotiated.
#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_transport_socket_get_protocol(
    _envoy: EnvoyPtr,
    _ours: ModulePtr,
    out: *mut Buffer,
) {
    set(out, "");
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_transport_socket_get_failure_reason(
    _envoy: EnvoyPtr,
    _ours: ModulePtr,
    out: *mut Buffer,
) {
    set(out, "");
}

fn set(out: *mut Buffer, text: &'static str) {
    // SAFETY: Envoy passes a place for the answer, and the text is static.
    if let Some(out) = unsafe { out.as_mut() } {
        *out = Buffer {
            ptr: text.as_ptr(),
            len: text.len(),
        };
    }
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_transport_socket_can_flush_close(
    _envoy: EnvoyPtr,
    _ours: ModulePtr,
) -> bool {
    true
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_transport_socket_start_secure_transport(
    _envoy: EnvoyPtr,
    _ours: ModulePtr,
) -> bool {
    false
}
