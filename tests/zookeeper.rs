//! The registry crate against real ZooKeepers: what its stream of events says is what a fresh
//! listing by another client says, whatever happens in between.

#![expect(clippy::unwrap_used, reason = "everything here is part of a test")]

mod access;
mod changes;
mod ensemble;
mod estate;
mod large;
mod loading;
mod odd;
mod outages;
mod proxy;
mod reader;
