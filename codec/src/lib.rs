//! Dubbo2 and Hessian2 for proxies: bytes to meaning, without I/O.
//!
//! ```text
//! bytes ─Sniff─> Splitter | Assembler ─> FrameHead ─> RequestPeek ─> Request ─> hessian2::Graph
//!                                          3 ns        interface,     offsets     every value
//!                                                      method         of all
//! ```
//! Each step costs more than the one before it and is taken only if it is needed.
//!
//! # Features
//!
//! None is on by default: the core needs `core` and `alloc` alone. What else there is, is asked for:
//!
//! | feature | |
//! |---|---|
//! | `std` | for `simd`: what the processor can do is found out at run time, not when the crate is compiled |
//! | `simd` | long strings are validated with the vectors of x86-64 (SSSE3, AVX2); elsewhere it changes nothing. The one module with unsafe code; without this feature unsafe code is forbidden |
//! | `bytes` | `FrameBytes`: whole frames are split off a `BytesMut` without copying |
//! | `serde` | `hessian2::to_vec`, `hessian2::from_slice` and `Call`: calls with Rust's own types |
//!
//! # Where Java reads otherwise
//!
//! Java's readers coerce, guess and let be. Here that is an error, so that no caller can show a proxy
//! another call than the provider sees:
//!
//! | Java reads | here |
//! |---|---|
//! | numbers where a request's strings stand, and null for any of them | [`ErrorKind::UnexpectedByte`]; the service version alone may be null |
//! | parameter types that are no whole descriptors | [`ErrorKind::BadText`] |
//! | overlong UTF-8, stray continuations, anything at all behind a lead `e0` to `ef` | [`ErrorKind::BadText`]; lone surrogates, which Java has, are text |
//! | longs, doubles and null as a length, count or index | [`ErrorKind::UnexpectedByte`] |
//! | negative lengths, as if nothing were there | [`ErrorKind::NegativeLength`] |
//! | a class definition before the key or the value of an attachment that is no object | [`ErrorKind::UnexpectedByte`] |
//! | any nesting that its stack bears, any number of classes and attachments | [`ErrorKind::Limit`], as [`Limits`] say |
//!
//! [`jsonb`] says what of fastjson2 is refused. Bytes behind the attachments are let be, as by Java.
//!
//! The other way round little is read that Java refuses, since nothing is instantiated here: values of
//! classes that a provider does not have or does not allow, bodies above 8 MiB if
//! [`Limits::max_body`] admits them, and four-byte UTF-8 if [`Limits::four_byte_utf8`] does.
#![no_std]
#![cfg_attr(not(feature = "simd"), forbid(unsafe_code))]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

mod attachment;
mod body;
#[cfg(feature = "bytes")]
mod buffer;
#[cfg(feature = "serde")]
mod call;
mod descriptor;
mod error;
mod event;
mod exception;
mod frame;
pub mod hessian2;
mod inline;
mod json;
pub mod jsonb;
pub mod msgpack;
mod out;
mod patch;
mod peek;
mod protobuf;
mod reader;
mod render;
mod reply;
mod request;
mod response;
mod serialization;
mod service;
mod sniff;
mod split;
mod status;
mod text;

pub use attachment::{AttachmentValue, Attachments};
#[cfg(feature = "bytes")]
pub use buffer::FrameBytes;
#[cfg(feature = "serde")]
pub use call::{Call, Failure};
pub use error::{Advice, Error, ErrorKind, Limit, Limits, What};
pub use event::Event;
pub use exception::{Exception, RpcClass, RpcCode};
pub use frame::{Frame, FrameHead, FrameKind, set_request_id};
pub use patch::{Patch, RequestEdit};
pub use peek::{Parameters, RequestPeek};
pub use reply::Reply;
pub use request::{Request, RequestIndex, Target};
pub use response::{Outcome, Response};
pub use serialization::Serialization;
pub use service::{ServiceKey, ServiceKeyError};
pub use sniff::Sniff;
pub use split::{Assembler, Piece, Splitter};
pub use status::Status;
pub use text::{Text, Units};
