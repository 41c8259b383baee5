//! Listener filters: the first bytes of a connection.

use super::{NOTHING, borrowed, bytes_of};
use crate::abi::{self, Callbacks, EnvoyPtr};

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

    /// Lends the address that the client dialled, without its port; empty if it has none.
    pub(crate) fn lend_local_address<T>(self, each: impl FnOnce(&[u8]) -> T) -> T {
        let (mut address, mut port) = (NOTHING, 0);
        // SAFETY: the filter is alive; the text is the connection's own and outlives the hook.
        unsafe {
            (self.1.listener_get_local_address)(self.0, &raw mut address, &raw mut port);
            each(bytes_of(address))
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
