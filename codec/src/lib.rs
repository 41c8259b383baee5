//! Dubbo2 and Hessian2 for proxies: bytes to meaning, without I/O.
//!
//! ```text
//! bytes ─Sniff─> Splitter | Assembler ─> FrameHead ─> RequestPeek ─> Request ─> hessian2::Graph
//!                                          3 ns        interface,     offsets     every value
//!                                                      method         of all
//! ```
//! Each step costs more than the one before it and is taken only if it is needed: [`Sniff`] tells Dubbo
//! from what shares its port, [`Splitter`] streams bodies and [`Assembler`] gathers whole frames,
//! [`FrameHead`] is the first 16 bytes, [`RequestPeek`] says from a prefix what is called, [`Request`] and
//! [`Response`] find all parts of a body, and [`hessian2::decode`] and [`jsonb::decode`] make values of them.
//! The other way, [`Request::patch`] changes a request in place, and [`Reply`] answers one. Errors are
//! values with an offset, and [`Error::advice`] says what a proxy may do about one.
//!
//! # A proxy
//!
//! ```
//! use dubbo_codec::{Assembler, Limits, Reply, Request, RequestEdit, Status};
//!
//! // submit("Ann") of com.acme.Orders 1.0.0 in the group gray, in Hessian 2.
//! let received = b"\xda\xbb\xc2\0\0\0\0\0\0\0\0\x07\0\0\0\x47\
//!     \x052.0.2\x0fcom.acme.Orders\x051.0.0\x06submit\x12Ljava/lang/String;\x03Ann\
//!     H\x05group\x04grayZ";
//!
//! let limits = Limits::default();
//! let mut assembler = Assembler::new(limits);
//! for mut chunk in received.chunks(40) {
//!     while let Some(frame) = assembler.next(&mut chunk)? {
//!         let head = frame.head();
//!         let request = Request::parse(head, frame.body(), &limits)?;
//!         let host = request.target().service_key()?.host();
//!         assert_eq!(host, "v1-0-0.g-gray.com.acme.orders.dubbo");
//!
//!         // On to a provider, with one more attachment: every other byte stays.
//!         let mut edit = RequestEdit::new();
//!         edit.set("dubbo.tag", "gray");
//!         let patch = request.patch(head, &edit, &limits)?;
//!         assert_eq!(patch.frame_len(), received.len() + "_dubbo.tag_gray".len());
//!
//!         // Or an answer of the proxy's own, if the caller waits for one.
//!         if head.two_way {
//!             let reply = Reply::to(head, Some(request.peek().dubbo_version))?;
//!             let answer = reply.error(Status::SERVER_ERROR, "no provider");
//!             assert_eq!(answer[..4], [0xda, 0xbb, 0x02, 80]);
//!         }
//!     }
//! }
//! assert_eq!(assembler.held(), 0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
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

pub use attachment::{AttachmentValue, Attachments, Entry};
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
