//! HTTP filters: one request, its route, and the cluster of that.

use super::scheduler::RawScheduler;
use super::{NOTHING, Scheduler, borrowed, bytes_of};
use crate::abi::{self, Callbacks, EnvoyPtr};

/// An HTTP filter on one request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Http(EnvoyPtr, &'static Callbacks);

impl Http {
    /// # Safety
    /// As of [`Network::new`](super::Network::new).
    pub(crate) unsafe fn new(ptr: EnvoyPtr) -> Option<Self> {
        Some(Self(ptr, abi::callbacks()?))
    }

    /// What tells it from all other requests of its worker that there are now.
    pub(crate) fn id(self) -> usize {
        self.0.addr()
    }

    /// Whether this worker has the cluster of the request's route. Chooses the route, if there is none yet.
    pub(crate) fn has_cluster(self) -> bool {
        let (mut all, mut healthy, mut degraded) = (0, 0, 0);
        let count = self.1.http_get_cluster_host_count;
        // SAFETY: the filter is alive.
        unsafe { count(self.0, 0, &raw mut all, &raw mut healthy, &raw mut degraded) }
    }

    /// Whether the metadata of the route that was chosen has `key: true`, under `dubbo`.
    pub(crate) fn route_says(self, key: &str) -> bool {
        let mut said = false;
        let (namespace, key) = (borrowed(b"dubbo"), borrowed(key.as_bytes()));
        let get = self.1.http_get_metadata_bool;
        // SAFETY: the filter is alive; Envoy keeps none of the texts.
        let known = unsafe {
            get(
                self.0,
                abi::METADATA_OF_ROUTE,
                namespace,
                key,
                &raw mut said,
            )
        };
        known && said
    }

    /// Lends the first value of a header; `None` if the request has none of this name.
    pub(crate) fn lend_header<T>(self, name: &str, each: impl FnOnce(&[u8]) -> T) -> Option<T> {
        let (mut value, mut count) = (NOTHING, 0);
        let (name, get) = (borrowed(name.as_bytes()), self.1.http_get_header);
        // SAFETY: the filter is alive; the value is valid until a header changes, and `each` cannot.
        unsafe {
            let found = get(
                self.0,
                abi::REQUEST_HEADER,
                name,
                &raw mut value,
                0,
                &raw mut count,
            );
            found.then(|| each(bytes_of(value)))
        }
    }

    /// Sets a header of the request; `None` removes it.
    pub(crate) fn set_header(self, name: &str, value: Option<&str>) {
        let value = value.map_or(NOTHING, |value| borrowed(value.as_bytes()));
        let (name, set) = (borrowed(name.as_bytes()), self.1.http_set_header);
        // SAFETY: the filter is alive; Envoy copies both.
        unsafe { set(self.0, abi::REQUEST_HEADER, name, value) };
    }

    /// Whether trailers have come.
    pub(crate) fn has_trailers(self) -> bool {
        // SAFETY: the filter is alive.
        let count = unsafe { (self.1.http_get_headers_size)(self.0, abi::REQUEST_TRAILER) };
        count > 0
    }

    /// The next question chooses the route again, from the table that the request began with.
    pub(crate) fn forget_route(self) {
        // SAFETY: the filter is alive.
        unsafe { (self.1.http_clear_route_cache)(self.0) }
    }

    /// Lets a request go on that was stopped. Everything may happen before this returns, up to its end.
    pub(crate) fn go_on(self) {
        // SAFETY: the filter is alive, and what follows does not use it.
        unsafe { (self.1.http_continue_decoding)(self.0) }
    }

    /// Ends this request and begins it anew, with the routes of today, before this returns; the caller
    /// sees one. False if it did nothing, since the request did not come whole yet.
    pub(crate) fn begin_anew(self) -> bool {
        // SAFETY: the filter is alive, and what follows a success does not use it; no headers.
        unsafe { (self.1.http_recreate_stream)(self.0, std::ptr::null_mut(), 0) }
    }

    /// A way to call `on_http_filter_scheduled` from any thread.
    pub(crate) fn scheduler(self) -> Option<Scheduler> {
        let Self(ptr, callbacks) = self;
        let raw = RawScheduler {
            // SAFETY: the filter is alive.
            scheduler: unsafe { (callbacks.http_scheduler_new)(ptr) },
            commit: callbacks.http_scheduler_commit,
            delete: callbacks.http_scheduler_delete,
        };
        // SAFETY: it is a scheduler of an HTTP filter, and nobody else has it.
        (!raw.scheduler.is_null()).then(|| unsafe { Scheduler::new(raw) })
    }
}
