//! Envoy's objects, with the callbacks that each has.
//!
//! This file owns how a callback is called: nothing outside of it and the shells' hooks is unsafe.
//! A handle is a plain number to Rust. Callbacks may call other hooks of the same object before they
//! return, so a shell must hold no borrow of its state across any of them. Bytes of Envoy's are lent to
//! a closure and gone when it returns.
#![allow(unsafe_code)]

use std::sync::Mutex;

use crate::abi::{self, Buffer, Callbacks, EnvoyPtr, Header};
use crate::metrics::{Counter, Event, Gauge, Histogram};

/// What a line in Envoy's log is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    Info,
    Error,
}

/// Writes a line to Envoy's log, under `dynamic_modules`. The text is made only if it will be seen.
pub(crate) fn log(level: Level, text: impl FnOnce() -> String) {
    let level = match level {
        Level::Info => abi::LOG_INFO,
        Level::Error => abi::LOG_ERROR,
    };
    let Some(callbacks) = abi::callbacks() else {
        return;
    };
    // SAFETY: both are callable from any thread, and the text outlives the call.
    unsafe {
        if (callbacks.log_enabled)(level) {
            (callbacks.log)(level, borrowed(text().as_bytes()));
        }
    }
}

/// The bytes behind a buffer of Envoy's.
///
/// # Safety
/// It must be one that Envoy has passed to the hook that is running, or that a callback has filled
/// since, and nothing may have changed it.
pub(crate) unsafe fn bytes_of<'a>(buffer: Buffer) -> &'a [u8] {
    if buffer.ptr.is_null() {
        return &[];
    }
    // SAFETY: what the caller promises.
    unsafe { std::slice::from_raw_parts(buffer.ptr, buffer.len) }
}

const fn borrowed(bytes: &[u8]) -> Buffer {
    Buffer {
        ptr: bytes.as_ptr(),
        len: bytes.len(),
    }
}

const NOTHING: Buffer = Buffer {
    ptr: std::ptr::null(),
    len: 0,
};
const NO_HEADER: Header = Header {
    key: NOTHING,
    value: NOTHING,
};

/// The numbers that Envoy gave to our metrics in one configuration of a filter.
#[derive(Debug)]
pub(crate) struct Metrics {
    counters: Vec<usize>,
    gauges: Vec<usize>,
    histograms: Vec<usize>,
}

/// A configuration of a network filter, while it is being made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NetworkConfig(EnvoyPtr, &'static Callbacks);

impl NetworkConfig {
    /// # Safety
    /// `ptr` must be what `on_network_filter_config_new` was given, and that hook still runs.
    pub(crate) unsafe fn new(ptr: EnvoyPtr) -> Option<Self> {
        Some(Self(ptr, abi::callbacks()?))
    }

    /// Defines all metrics; `None` if Envoy refuses one.
    pub(crate) fn define_metrics(self) -> Option<Metrics> {
        type Define = unsafe extern "C" fn(EnvoyPtr, Buffer, *mut usize) -> u32;
        let define = |function: Define, name: &'static str| {
            let mut id = 0;
            // SAFETY: the configuration is being made, and the name is static.
            let result = unsafe { function(self.0, borrowed(name.as_bytes()), &raw mut id) };
            (result == 0).then_some(id)
        };
        let Self(_, callbacks) = self;
        Some(Metrics {
            counters: (Counter::ALL.iter())
                .map(|metric| define(callbacks.network_config_define_counter, metric.name()))
                .collect::<Option<_>>()?,
            gauges: (Gauge::ALL.iter())
                .map(|metric| define(callbacks.network_config_define_gauge, metric.name()))
                .collect::<Option<_>>()?,
            histograms: (Histogram::ALL.iter())
                .map(|metric| define(callbacks.network_config_define_histogram, metric.name()))
                .collect::<Option<_>>()?,
        })
    }
}

/// A network filter on one connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Network(EnvoyPtr, &'static Callbacks);

impl Network {
    /// # Safety
    /// `ptr` must be a network filter of Envoy's that is alive as long as the result is used, and the
    /// result must stay on the thread of its connection.
    pub(crate) unsafe fn new(ptr: EnvoyPtr) -> Option<Self> {
        Some(Self(ptr, abi::callbacks()?))
    }

    /// Lends the bytes that wait to be read. Returns how many there are.
    pub(crate) fn lend_read(self, each: impl FnMut(&[u8])) -> usize {
        let Self(ptr, callbacks) = self;
        // SAFETY: the filter is alive; the chunks are valid until something changes the buffer, and
        // `each` cannot.
        unsafe {
            let count = (callbacks.network_get_read_buffer_chunks_size)(ptr);
            let fill = |chunks: &mut [Buffer]| {
                (callbacks.network_get_read_buffer_chunks)(ptr, chunks.as_mut_ptr())
            };
            lend(count, fill, each)
        }
    }

    /// Lends the bytes that wait to be written. Returns how many there are.
    pub(crate) fn lend_write(self, each: impl FnMut(&[u8])) -> usize {
        let Self(ptr, callbacks) = self;
        // SAFETY: as in `lend_read`.
        unsafe {
            let count = (callbacks.network_get_write_buffer_chunks_size)(ptr);
            let fill = |chunks: &mut [Buffer]| {
                (callbacks.network_get_write_buffer_chunks)(ptr, chunks.as_mut_ptr())
            };
            lend(count, fill, each)
        }
    }

    /// Puts `bytes` in the place of the first `length` bytes that wait to be read, which must be all.
    pub(crate) fn replace_read(self, length: usize, bytes: &[u8]) {
        let Self(ptr, callbacks) = self;
        // SAFETY: the filter is alive; Envoy copies the bytes.
        unsafe {
            (callbacks.network_drain_read_buffer)(ptr, length);
            if !bytes.is_empty() {
                (callbacks.network_append_read_buffer)(ptr, borrowed(bytes));
            }
        }
    }

    /// The same of what waits to be written.
    pub(crate) fn replace_write(self, length: usize, bytes: &[u8]) {
        let Self(ptr, callbacks) = self;
        // SAFETY: as above.
        unsafe {
            (callbacks.network_drain_write_buffer)(ptr, length);
            if !bytes.is_empty() {
                (callbacks.network_append_write_buffer)(ptr, borrowed(bytes));
            }
        }
    }

    /// Lets the next filter read `bytes`. Never from the hook of a write: the filter that writes is
    /// on the stack then, and need not be ready for it.
    pub(crate) fn inject_read(self, bytes: &[u8]) {
        let Self(ptr, callbacks) = self;
        // SAFETY: the filter is alive; the bytes outlive the call.
        unsafe { (callbacks.network_inject_read_data)(ptr, borrowed(bytes), false) }
    }

    /// Writes `bytes` past this filter. Never from the hook of a write.
    pub(crate) fn inject_write(self, bytes: &[u8]) {
        let Self(ptr, callbacks) = self;
        // SAFETY: as above.
        unsafe { (callbacks.network_inject_write_data)(ptr, borrowed(bytes), false) }
    }

    /// Closes the connection, after what has been written is sent if `flush`.
    pub(crate) fn close(self, flush: bool) {
        let Self(ptr, callbacks) = self;
        let kind = if flush {
            abi::CLOSE_FLUSH_WRITE
        } else {
            abi::CLOSE_NO_FLUSH
        };
        // SAFETY: the filter is alive; Envoy takes it away only after the hook that runs.
        unsafe { (callbacks.network_close)(ptr, kind) }
    }

    /// Stops reading from the connection, or begins again. The calls are counted by Envoy.
    pub(crate) fn read_disable(self, disable: bool) {
        let Self(ptr, callbacks) = self;
        // SAFETY: the filter is alive.
        unsafe { (callbacks.network_read_disable)(ptr, disable) };
    }

    /// Envoy's number of the connection.
    pub(crate) fn connection_id(self) -> u64 {
        // SAFETY: the filter is alive.
        unsafe { (self.1.network_get_connection_id)(self.0) }
    }

    /// Sets a string of the connection's metadata, under `dubbo`.
    pub(crate) fn set_metadata(self, key: &str, value: &str) {
        let (namespace, key, value) = (b"dubbo", key.as_bytes(), value.as_bytes());
        let set = self.1.network_set_dynamic_metadata_string;
        // SAFETY: the filter is alive; Envoy copies all three.
        unsafe { set(self.0, borrowed(namespace), borrowed(key), borrowed(value)) }
    }

    /// A way to call `on_network_filter_scheduled` from any thread.
    pub(crate) fn scheduler(self) -> Option<Scheduler> {
        let Self(ptr, callbacks) = self;
        // SAFETY: the filter is alive.
        let scheduler = unsafe { (callbacks.network_scheduler_new)(ptr) };
        (!scheduler.is_null()).then(|| Scheduler(Mutex::new(Some(RawScheduler(scheduler)))))
    }

    /// Tells Envoy of an event.
    pub(crate) fn count(self, metrics: &Metrics, event: Event) {
        let Self(ptr, callbacks) = self;
        // SAFETY: the filter is alive, and the numbers are of its configuration.
        let _ = unsafe {
            match event {
                Event::Count(counter, n) => {
                    let id = metrics.counters[counter as usize];
                    (callbacks.network_increment_counter)(ptr, id, n)
                }
                Event::Move(gauge, change) => {
                    let id = metrics.gauges[gauge as usize];
                    let function = match change {
                        0.. => callbacks.network_increment_gauge,
                        ..0 => callbacks.network_decrement_gauge,
                    };
                    function(ptr, id, change.unsigned_abs())
                }
                Event::Record(histogram, value) => {
                    let id = metrics.histograms[histogram as usize];
                    (callbacks.network_record_histogram_value)(ptr, id, value)
                }
            }
        };
    }
}

/// Lends the chunks that `fill` yields, and returns their length.
///
/// # Safety
/// `fill` must write `count` buffers of Envoy's that are valid until `each` has returned.
unsafe fn lend(
    count: usize,
    fill: impl FnOnce(&mut [Buffer]) -> bool,
    mut each: impl FnMut(&[u8]),
) -> usize {
    let mut few = [NOTHING; 16];
    let mut many = Vec::new();
    let chunks = match few.get_mut(..count) {
        Some(few) => few,
        None => {
            many.resize(count, NOTHING);
            &mut many[..]
        }
    };
    if count == 0 || !fill(chunks) {
        return 0;
    }
    let mut length = 0;
    for chunk in chunks {
        // SAFETY: what the caller promises.
        let bytes = unsafe { bytes_of(*chunk) };
        length += bytes.len();
        if !bytes.is_empty() {
            each(bytes);
        }
    }
    length
}

#[derive(Debug)]
struct RawScheduler(EnvoyPtr);

// SAFETY: committing is allowed from any thread.
unsafe impl Send for RawScheduler {}

/// Calls the filter's hook `scheduled` on the filter's own thread, soon.
///
/// The lock is for the thread of timers: a scheduler must not go while it is being used there, and
/// must have gone before Envoy takes its event loop away.
#[derive(Debug)]
pub(crate) struct Scheduler(Mutex<Option<RawScheduler>>);

impl Scheduler {
    /// Asks for one call of the hook with `event`. Nothing happens once the filter is gone.
    pub(crate) fn commit(&self, event: u64) {
        let Ok(held) = self.0.lock() else { return };
        if let (Some(RawScheduler(scheduler)), Some(callbacks)) = (&*held, abi::callbacks()) {
            // SAFETY: it is deleted only under the lock.
            unsafe { (callbacks.network_scheduler_commit)(*scheduler, event) }
        }
    }

    /// Ends it: to be called when the filter goes.
    pub(crate) fn end(&self) {
        let Ok(mut held) = self.0.lock() else { return };
        if let (Some(RawScheduler(scheduler)), Some(callbacks)) = (held.take(), abi::callbacks()) {
            // SAFETY: it was made by Envoy and is not used again.
            unsafe { (callbacks.network_scheduler_delete)(scheduler) }
        }
    }
}

/// A listener filter on one connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Listener(EnvoyPtr, &'static Callbacks);

impl Listener {
    /// # Safety
    /// As of [`Network::new`].
    pub(crate) unsafe fn new(ptr: EnvoyPtr) -> Option<Self> {
        Some(Self(ptr, abi::callbacks()?))
    }

    /// Lends what the client has sent so far, as far as it was asked for.
    pub(crate) fn lend<T>(self, each: impl FnOnce(&[u8]) -> T) -> T {
        let mut chunk = NOTHING;
        // SAFETY: the filter is alive; the chunk is valid while its hook runs.
        unsafe {
            (self.1.listener_get_buffer_chunk)(self.0, &raw mut chunk);
            each(bytes_of(chunk))
        }
    }

    /// Says what the connection speaks, for the choice of a filter chain.
    pub(crate) fn set_application_protocol(self, protocol: &str) {
        let protocols = [borrowed(protocol.as_bytes())];
        // SAFETY: the filter is alive; Envoy copies the text.
        unsafe {
            (self.1.listener_set_requested_application_protocols)(self.0, protocols.as_ptr(), 1);
        }
    }
}

/// An HTTP request on its way to a TCP connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bridge(EnvoyPtr, &'static Callbacks);

impl Bridge {
    /// # Safety
    /// As of [`Network::new`].
    pub(crate) unsafe fn new(ptr: EnvoyPtr) -> Option<Self> {
        Some(Self(ptr, abi::callbacks()?))
    }

    /// Lends the request's headers, pseudo headers included.
    pub(crate) fn lend_headers<T>(self, lend: impl FnOnce(&[(&[u8], &[u8])]) -> T) -> T {
        let Self(ptr, callbacks) = self;
        // SAFETY: the bridge is alive; the headers are valid while its hook runs.
        let headers: Vec<(&[u8], &[u8])> = unsafe {
            let mut headers = vec![NO_HEADER; (callbacks.bridge_get_request_headers_size)(ptr)];
            if !headers.is_empty() {
                (callbacks.bridge_get_request_headers)(ptr, headers.as_mut_ptr());
            }
            let pair = |header: &Header| (bytes_of(header.key), bytes_of(header.value));
            headers.iter().map(pair).collect()
        };
        lend(&headers)
    }

    /// Lends the part of the request's body that this hook was called for.
    pub(crate) fn lend_request(self, each: impl FnMut(&[u8])) -> usize {
        let Self(ptr, callbacks) = self;
        // SAFETY: the bridge is alive; the chunks are valid while its hook runs.
        unsafe {
            let count = (callbacks.bridge_get_request_buffer_chunks_size)(ptr);
            let fill = |chunks: &mut [Buffer]| {
                let mut filled = 0;
                (callbacks.bridge_get_request_buffer)(ptr, chunks.as_mut_ptr(), &raw mut filled);
                filled == chunks.len()
            };
            lend(count, fill, each)
        }
    }

    /// Lends the bytes of the provider that this hook was called for.
    pub(crate) fn lend_response(self, each: impl FnMut(&[u8])) -> usize {
        let Self(ptr, callbacks) = self;
        // SAFETY: as above.
        unsafe {
            let count = (callbacks.bridge_get_response_buffer_chunks_size)(ptr);
            let fill = |chunks: &mut [Buffer]| {
                let mut filled = 0;
                (callbacks.bridge_get_response_buffer)(ptr, chunks.as_mut_ptr(), &raw mut filled);
                filled == chunks.len()
            };
            lend(count, fill, each)
        }
    }

    /// Sends bytes to the provider; `end` closes our half of the connection after them.
    pub(crate) fn send_upstream(self, bytes: &[u8], end: bool) {
        // SAFETY: the bridge is alive; Envoy copies the bytes.
        unsafe { (self.1.bridge_send_upstream_data)(self.0, borrowed(bytes), end) }
    }

    /// Answers the request, which ends it: the bridge may be gone when this returns.
    pub(crate) fn respond(self, status: u32, headers: &[(&[u8], &[u8])], body: &[u8]) {
        let headers = borrowed_headers(headers);
        let send = self.1.bridge_send_response;
        // SAFETY: the bridge is alive until the call; Envoy copies headers and body.
        unsafe {
            send(
                self.0,
                status,
                headers.as_ptr(),
                headers.len(),
                borrowed(body),
            )
        }
    }

    /// Begins to answer the request. The bridge may be gone when this returns: the router may repeat
    /// the call.
    pub(crate) fn begin_response(self, status: u32, headers: &[(&[u8], &[u8])]) {
        let headers = borrowed_headers(headers);
        let send = self.1.bridge_send_response_headers;
        // SAFETY: as above.
        unsafe { send(self.0, status, headers.as_ptr(), headers.len(), false) }
    }

    /// More of the answer's body; after its end the bridge may be gone.
    pub(crate) fn respond_more(self, body: &[u8], end: bool) {
        // SAFETY: as above.
        unsafe { (self.1.bridge_send_response_data)(self.0, borrowed(body), end) }
    }
}

fn borrowed_headers(headers: &[(&[u8], &[u8])]) -> Vec<Header> {
    let borrow = |(key, value): &(&[u8], &[u8])| Header {
        key: borrowed(key),
        value: borrowed(value),
    };
    headers.iter().map(borrow).collect()
}

/// A transport socket: a connection to a provider.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Socket(EnvoyPtr, &'static Callbacks);

/// What came of reading from, or writing to, the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Io {
    /// So many bytes.
    Done(usize),
    /// Nothing now; Envoy will say when to try again.
    Later,
    /// The peer has closed its half (reading), or the connection is broken.
    Ended,
    /// The connection is broken.
    Broken,
}

impl Socket {
    /// # Safety
    /// As of [`Network::new`].
    pub(crate) unsafe fn new(ptr: EnvoyPtr) -> Option<Self> {
        Some(Self(ptr, abi::callbacks()?))
    }

    /// Reads from the network.
    pub(crate) fn read(self, into: &mut [u8]) -> Io {
        let mut n = 0;
        let function = self.1.socket_io_read;
        // SAFETY: the socket is alive, and the buffer is ours.
        match unsafe { function(self.0, into.as_mut_ptr(), into.len(), &raw mut n) } {
            abi::IO_SUCCESS if n == 0 => Io::Ended,
            abi::IO_SUCCESS => Io::Done(n.min(into.len())),
            abi::IO_AGAIN => Io::Later,
            _ => Io::Broken,
        }
    }

    /// Writes to the network.
    pub(crate) fn write(self, bytes: &[u8]) -> Io {
        let mut n = 0;
        let function = self.1.socket_io_write;
        // SAFETY: as above.
        match unsafe { function(self.0, bytes.as_ptr(), bytes.len(), &raw mut n) } {
            abi::IO_SUCCESS => Io::Done(n.min(bytes.len())),
            abi::IO_AGAIN => Io::Later,
            _ => Io::Broken,
        }
    }

    /// Closes our half of the connection.
    pub(crate) fn shutdown_write(self) {
        // SAFETY: the socket is alive.
        unsafe { (self.1.socket_io_shutdown_write)(self.0) }
    }

    /// Hands bytes up to Envoy's codec. Only from the hook of a read.
    pub(crate) fn hand_up(self, bytes: &[u8]) {
        // SAFETY: the socket is alive; Envoy copies the bytes.
        unsafe { (self.1.socket_read_buffer_add)(self.0, bytes.as_ptr(), bytes.len()) }
    }

    /// Lends what Envoy's codec wants written, and takes all of it. Only from the hook of a write.
    pub(crate) fn take_down(self, each: impl FnMut(&[u8])) -> usize {
        let Self(ptr, callbacks) = self;
        // SAFETY: the socket is alive; the slices are valid until they are drained.
        unsafe {
            let slices = callbacks.socket_write_buffer_get_slices;
            let mut count = 0;
            slices(ptr, std::ptr::null_mut(), &raw mut count);
            let fill = |chunks: &mut [Buffer]| {
                let mut filled = chunks.len();
                slices(ptr, chunks.as_mut_ptr(), &raw mut filled);
                filled == chunks.len()
            };
            let length = lend(count, fill, each);
            (callbacks.socket_write_buffer_drain)(ptr, length);
            length
        }
    }

    /// Says that the connection can be used.
    pub(crate) fn raise_connected(self) {
        // SAFETY: the socket is alive. Envoy may call the hook of a write before this returns.
        unsafe { (self.1.socket_raise_event)(self.0, abi::EVENT_CONNECTED) }
    }

    /// Has the hook of a read called soon.
    pub(crate) fn ask_to_read(self) {
        // SAFETY: the socket is alive.
        unsafe { (self.1.socket_set_is_readable)(self.0) }
    }
}
