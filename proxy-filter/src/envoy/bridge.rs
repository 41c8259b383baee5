//! The bridge of a cluster: an HTTP request above, a TCP connection below.

use super::{NOTHING, borrowed, bytes_of, lend};
use crate::abi::{self, Buffer, Callbacks, EnvoyPtr, Header};

const NO_HEADER: Header = Header {
    key: NOTHING,
    value: NOTHING,
};

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
