//! The server over real sockets, with clients that are not its own.

#![allow(clippy::unwrap_used, reason = "what fails here is the test")]

mod admin;
mod adsc;
mod drain;
mod hostile;
mod many;
mod messages;
mod protocol;
mod running;
mod tls;
mod wire;
