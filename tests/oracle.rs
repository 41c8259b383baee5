//! The codec, and what the filter writes, against the libraries that Dubbo itself reads and writes with.
//!
//! Long-lived processes answer line by line what hessian-lite 3.2.13 (Dubbo 2.7 to 3.2), hessian-lite
//! 4.0.4 (3.3) and fastjson2 2.0.52 make of bytes; `oracle/java/` says what can be asked. They come
//! with the versions of Dubbo that `tests/setup` installs, and are compiled when the tests begin.

mod calls;
mod hessian;
mod java;
mod jsonb;
mod requests;
mod values;

#[path = "../codec/tests/support/mod.rs"]
mod recorded;
