//! The integration tests: everything here runs against real servers.
//!
//! `tests/setup` installs them; a test whose server is missing fails and says
//! so. `cargo test -p dubbo-mesh-tests` runs all of it, and the tests of the
//! other crates need none of it.

mod isolation;
mod oracle;
mod servers;
