//! `dubbo-mesh decode`: what is printed for real frames, for captures of them, and for damage.

#![allow(
    clippy::unwrap_used,
    reason = "a failed test is what a failed unwrap is for"
)]

mod captures;
mod command;
mod damage;
mod meaning;
mod recorded;
mod support;
