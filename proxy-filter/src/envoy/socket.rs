//! Transport sockets: Envoy's buffers above, the network below.

use super::lend;
use crate::abi::{self, Buffer, Callbacks, EnvoyPtr};

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
