//! Envoy's objects, with the callbacks that each has.
//!
//! This file owns how a callback is called: nothing outside of it and the shells' hooks is unsafe.
//! A handle is a plain number to Rust. Callbacks may call other hooks of the same object before they
//! return, so a shell must hold no borrow of its state across any of them. Bytes of Envoy's are lent to
//! a closure and gone when it returns.
#![allow(unsafe_code)]

use crate::abi::{self, Buffer};

mod bridge;
mod http;
mod listener;
mod network;
mod scheduler;
mod socket;

pub(crate) use bridge::Bridge;
pub(crate) use http::Http;
pub(crate) use listener::Listener;
pub(crate) use network::{Metrics, Network, NetworkConfig};
pub(crate) use scheduler::Scheduler;
pub(crate) use socket::{Io, Socket};

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
