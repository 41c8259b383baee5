//! Calling a filter's hook from another thread.

use std::sync::{Mutex, PoisonError};

use crate::abi::EnvoyPtr;

/// Of one kind of filters, with what that kind does with it.
#[derive(Debug)]
pub(super) struct RawScheduler {
    pub(super) scheduler: EnvoyPtr,
    pub(super) commit: unsafe extern "C" fn(EnvoyPtr, u64),
    pub(super) delete: unsafe extern "C" fn(EnvoyPtr),
}

// SAFETY: committing is allowed from any thread.
unsafe impl Send for RawScheduler {}

/// Calls the filter's hook `scheduled` on the filter's own thread, soon.
///
/// The lock is for the thread of timers: a scheduler must not go while it is being used there, and
/// must have gone before Envoy takes its event loop away. And before Envoy lets go of the filter:
/// while it commits, Envoy shares the filter with the committing thread, on which the filter would be
/// destroyed if the owner let go meanwhile, within this very lock.
#[derive(Debug)]
pub(crate) struct Scheduler(Mutex<Option<RawScheduler>>);

impl Scheduler {
    /// # Safety
    /// `raw` must have been made by Envoy, with the callbacks of its kind, and nobody else may use it.
    pub(super) unsafe fn new(raw: RawScheduler) -> Self {
        Self(Mutex::new(Some(raw)))
    }

    /// One whose filter is gone.
    #[cfg(test)]
    pub(crate) const fn gone() -> Self {
        Self(Mutex::new(None))
    }

    /// Asks for one call of the hook with `event`. Nothing happens once the filter is gone.
    pub(crate) fn commit(&self, event: u64) {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(raw) = &*held {
            // SAFETY: it is deleted only under the lock.
            unsafe { (raw.commit)(raw.scheduler, event) }
        }
    }

    /// Ends it: to be called when the filter goes.
    pub(crate) fn end(&self) {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(raw) = held.take() {
            // SAFETY: it was made by Envoy and is not used again.
            unsafe { (raw.delete)(raw.scheduler) }
        }
    }
}
