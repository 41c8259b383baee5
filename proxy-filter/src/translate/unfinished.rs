//! How long a peer may leave a frame unfinished.
//!
//! Half a frame holds memory and says nothing. The clock runs from the last byte that came, and only
//! while somebody reads: what is not read cannot be finished.

use super::Millis;

/// The clock of one direction of a connection.
#[derive(Debug)]
pub(crate) struct Unfinished {
    /// 0: for ever.
    patience: Millis,
    since: Option<Millis>,
}

impl Unfinished {
    pub(crate) fn new(patience_ms: u32) -> Self {
        Self {
            patience: patience_ms.into(),
            since: None,
        }
    }

    /// Bytes came; `partial` says that they end inside of a frame.
    pub(crate) fn came(&mut self, partial: bool, now: Millis) {
        self.since = (partial && self.patience > 0).then_some(now);
    }

    /// Nothing is read at the moment.
    pub(crate) fn not_read(&mut self, now: Millis) {
        self.since = self.since.map(|_| now);
    }

    pub(crate) fn deadline(&self) -> Option<Millis> {
        let since = self.since?;
        Some(since.saturating_add(self.patience))
    }

    /// Whether the rest has not come in time.
    pub(crate) fn is_up(&self, now: Millis) -> bool {
        self.deadline().is_some_and(|at| at <= now)
    }
}
