//! Both translators: joined back to back, and each with `h2` on its other side.

#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    reason = "what the files of one test binary share, and a failed unwrap is a failed test"
)]

#[path = "translators/allocations.rs"]
mod allocations;
#[path = "translators/caller.rs"]
mod caller;
#[path = "translators/frames.rs"]
mod frames;
#[path = "translators/hostile.rs"]
mod hostile;
#[path = "translators/joined.rs"]
mod joined;
#[path = "translators/provider.rs"]
mod provider;
#[path = "translators/stalled.rs"]
mod stalled;
#[path = "translators/times.rs"]
mod times;
