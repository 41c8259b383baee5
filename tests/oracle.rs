//! The codec, and what the filter writes, against the libraries that Dubbo itself reads and writes with,
//! and against others.
//!
//! Long-lived processes answer line by line what hessian-lite 3.2.13 (Dubbo 2.7 to 3.2), hessian-lite
//! 4.0.4 (3.3) and fastjson2 2.0.52 make of bytes; `oracle/java/` says what can be asked. They come
//! with the versions of Dubbo that `tests/setup` installs, and are compiled when the tests begin.
//! `oracle/js/` and `oracle/go/` ask hessian.js and dubbo-go-hessian2, which were written apart from
//! Java's; where those depart from it, `oracle/deviations.rs` says how, and that is tested as well.

mod calls;
mod deviations;
mod foreign;
mod hessian;
mod jsonb;
mod jsonb_values;
mod loose;
mod process;
mod requests;
mod values;

#[path = "../codec/tests/support/mod.rs"]
mod recorded;
