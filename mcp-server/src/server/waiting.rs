//! What the server waits for, one at a time; `server` chooses between them. Each can be dropped and
//! waited for again without missing anything.

use std::convert::Infallible;
use std::future::pending;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, sleep_until, timeout};

use super::{Published, Stop};
use crate::snapshot::Snapshot;
use crate::telemetry::Refusal;

/// The end of patience with a connection that does not ask for anything.
pub(super) struct TooLate(Option<Pin<Box<dyn Future<Output = Refusal> + Send>>>);

impl TooLate {
    pub(super) fn new(crowded: oneshot::Receiver<Infallible>, patience: Duration) -> Self {
        Self(Some(Box::pin(async move {
            match timeout(patience, crowded).await {
                Ok(_) => Refusal::Crowded,
                Err(_) => Refusal::Timeout,
            }
        })))
    }

    pub(super) fn is_waiting(&self) -> bool {
        self.0.is_some()
    }

    /// It asked; its place among the silent ones is free.
    pub(super) fn called_off(&mut self) {
        self.0 = None;
    }

    pub(super) async fn wait(&mut self) -> Refusal {
        match &mut self.0 {
            Some(end) => end.await,
            None => pending().await,
        }
    }
}

/// The server shall end.
pub(super) async fn stopped(stop: &mut Stop) {
    // A lost sender means the same.
    let _ = stop.wait_for(|stop| *stop).await;
}

/// The next snapshot; never, when there will be none: the last one stays.
pub(super) async fn changed(published: &mut Published) -> Option<Arc<Snapshot>> {
    match published.changed().await {
        Ok(()) => published.borrow_and_update().clone(),
        Err(_) => pending().await,
    }
}

/// The client took some bytes.
pub(super) async fn progress(taken: &mut watch::Receiver<u64>) {
    if taken.changed().await.is_err() {
        // The body is gone, which is an event of its own.
        pending().await
    }
}

/// That time has come.
pub(super) async fn wait_until(wake: Option<Instant>) {
    match wake {
        Some(at) => sleep_until(at).await,
        None => pending().await,
    }
}
