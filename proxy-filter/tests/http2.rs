//! Our HTTP/2 against the crate `h2`, which serves hyper, in both roles.

#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    reason = "what the files of one test binary share, and a failed unwrap is a failed test"
)]

#[path = "http2/answers.rs"]
mod answers;
#[path = "http2/bodies.rs"]
mod bodies;
#[path = "http2/client.rs"]
mod client;
#[path = "http2/floods.rs"]
mod floods;
#[path = "http2/hostile.rs"]
mod hostile;
#[path = "http2/rules.rs"]
mod rules;
#[path = "http2/server.rs"]
mod server;
#[path = "http2/splits.rs"]
mod splits;
#[path = "http2/windows.rs"]
mod windows;
