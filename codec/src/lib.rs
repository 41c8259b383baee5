//! Dubbo2 and Hessian2 for proxies: bytes to meaning, without I/O.
//!
//! ```text
//! bytes ─Sniff─> Splitter | Assembler ─> FrameHead ─> RequestPeek ─> Request ─> hessian2::Graph
//!                                          3 ns        interface,     offsets     every value
//!                                                      method         of all
//! ```
//! Each step costs more than the one before it and is taken only if it is needed.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod attachment;
mod body;
mod error;
mod event;
mod exception;
mod frame;
pub mod hessian2;
mod inline;
mod json;
pub mod jsonb;
pub mod msgpack;
mod patch;
mod reader;
mod render;
mod reply;
mod request;
mod response;
mod service;
mod sniff;
mod split;
mod text;

pub use attachment::{AttachmentValue, Attachments};
pub use error::{Advice, Error, ErrorKind, Limit, Limits, What};
pub use event::Event;
pub use exception::{Exception, RpcCode};
pub use frame::{Frame, FrameHead, FrameKind, Serialization, Status, set_request_id};
pub use patch::{Patch, RequestEdit};
pub use reply::Reply;
pub use request::{Parameters, Request, RequestIndex, RequestPeek, Target};
pub use response::{Outcome, Response};
pub use service::{ServiceKey, ServiceKeyError};
pub use sniff::Sniff;
pub use split::{Assembler, Piece, Splitter};
pub use text::{Text, Units};
