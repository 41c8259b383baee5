//! Dubbo2 and Hessian2 for proxies: bytes to meaning, without I/O.
//!
//! Today this crate holds the identity of a Dubbo service, which the registry adapter and the
//! proxy filter share: [`ServiceKey`].
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod service;

pub use service::{ServiceKey, ServiceKeyError};
