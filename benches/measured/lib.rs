//! What the programs of this package measure with.

mod again;
mod answer;
mod client;
mod machine;
mod raw;
mod summary;
mod usage;

pub use again::again;
pub use answer::Answer;
pub use client::{Client, SERVICE_ENTRY};
pub use machine::{load, locked, machine, said};
pub use raw::Raw;
pub use summary::{Summary, megabytes, time};
pub use usage::{cpu, peak, resident};

use std::io::Write as _;

/// Progress, for who waits.
pub fn say(text: &str) {
    // A run whose reader is gone goes on.
    let _ = writeln!(std::io::stderr(), "{text}");
}
