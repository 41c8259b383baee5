//! The integration tests: everything here runs against real servers.
//!
//! `tests/setup` installs them; a test whose server is missing fails and says
//! so. `cargo test -p dubbo-mesh-tests` runs all of it, and the tests of the
//! other crates need none of it.

#![allow(
    clippy::unwrap_used,
    reason = "a failed test is what a failed unwrap is for"
)]

mod decode;
mod filter;
mod isolation;
mod mesh;
mod oracle;
mod plan;
mod servers;
mod zookeeper;
