//! Network filters: the bytes of a connection in both directions, metrics, metadata.

use super::scheduler::RawScheduler;
use super::{Scheduler, borrowed, lend};
use crate::abi::{self, Buffer, Callbacks, EnvoyPtr};
use crate::metrics::{Counter, Event, Gauge, Histogram};

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
        let raw = RawScheduler {
            // SAFETY: the filter is alive.
            scheduler: unsafe { (callbacks.network_scheduler_new)(ptr) },
            commit: callbacks.network_scheduler_commit,
            delete: callbacks.network_scheduler_delete,
        };
        // SAFETY: it is a scheduler of a network filter, and nobody else has it.
        (!raw.scheduler.is_null()).then(|| unsafe { Scheduler::new(raw) })
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
