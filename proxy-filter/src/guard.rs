//! No panic of ours reaches Envoy.
//!
//! Unwinding into Envoy would end it. So every hook runs inside of [`guard`]: a panic costs the one
//! connection, call or configuration whose hook it was, is counted, and is logged with its place.

use std::any::Any;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};

use crate::envoy::{Level, log};
use crate::metrics::{self, Counter, Event};

/// Runs the body of a hook. If it panics, `rescue` says what the hook answers instead: it has to see
/// to it that the object whose state may be half changed is never used again.
pub(crate) fn guard<T>(body: impl FnOnce() -> T, rescue: impl FnOnce() -> T, otherwise: T) -> T {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(answer) => answer,
        Err(payload) => {
            forget(payload);
            metrics::add_aside(Event::Count(Counter::Panics, 1));
            match catch_unwind(AssertUnwindSafe(rescue)) {
                Ok(answer) => answer,
                Err(payload) => {
                    forget(payload);
                    otherwise
                }
            }
        }
    }
}

/// Dropping what was thrown could panic again.
fn forget(payload: Box<dyn Any + Send>) {
    std::mem::forget(payload);
}

/// Sends the message of each panic to Envoy's log, in place of the standard error stream. The hook is
/// of this shared object alone.
pub(crate) fn log_panics() {
    std::panic::set_hook(Box::new(|panic: &PanicHookInfo<'_>| {
        let payload = panic.payload();
        let message = (payload.downcast_ref::<&str>().copied())
            .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
            .unwrap_or("a panic without a message");
        log(Level::Error, || match panic.location() {
            Some(place) => format!(
                "dubbo: panic at {}:{}: {message}",
                place.file(),
                place.line()
            ),
            None => format!("dubbo: panic: {message}"),
        });
    }));
}

/// In a debug build, panics if `bytes` contain the text of the environment variable
/// `DUBBO_MESH_PANIC_ON`: the tests' way to see what a panic costs. Nothing in a release build.
pub(crate) fn provoke(bytes: &[u8]) {
    #[cfg(debug_assertions)]
    {
        use std::sync::OnceLock;
        static TEXT: OnceLock<Option<String>> = OnceLock::new();
        let text = TEXT.get_or_init(|| std::env::var("DUBBO_MESH_PANIC_ON").ok());
        if let Some(text) = text.as_deref().filter(|text| !text.is_empty()) {
            let found = bytes
                .windows(text.len())
                .any(|bytes| bytes == text.as_bytes());
            assert!(!found, "as DUBBO_MESH_PANIC_ON asks for");
        }
    }
    #[cfg(not(debug_assertions))]
    let _ = bytes;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_answer() {
        assert_eq!(guard(|| 1, || 2, 3), 1);
        assert_eq!(guard(|| panic!("as intended"), || 2, 3), 2);
        assert_eq!(guard(|| panic!("as intended"), || panic!("again"), 3), 3);
    }

    #[test]
    fn a_payload_that_panics_when_dropped_does_not_come_through() {
        struct Bomb;
        impl Drop for Bomb {
            fn drop(&mut self) {
                panic!("dropped");
            }
        }
        assert_eq!(guard(|| std::panic::panic_any(Bomb), || 2, 3), 2);
    }
}
