//! JSONB: fastjson2's binary JSON, serialization 23, which Dubbo 3.2 prefers.
//!
//! Source: `com.alibaba.fastjson2.JSONB.Constants`, `JSONBDump` and `JSONReaderJSONB` of fastjson2
//! 2.0.52, and Dubbo's `FastJson2ObjectOutput`: every write is a length of four bytes and one value,
//! so a value ends where its length says, and references and symbols never cross writes.
//!
//! ```text
//! string   strings, ints, lengths: the leads 00..7f and f0..ff
//!   walk   the table of lead bytes; bounds, depth; tells a Sink what it finds
//!     (), skip      finds where a value ends, without allocation
//!     value         builds a Value; writes one
//! ```
//! Stricter than Java: UTF-8 must be valid, lengths are ints and not negative, a length names exactly
//! its value, a type annotates a value and not another type.

mod string;
mod value;
mod walk;

pub use value::{Value, decode, encode};

pub(crate) use string::{framed, optional_string, push_text};
pub(crate) use walk::{Part, Scalar, Sink, Symbol, entries, facts, name, read_byte, scalar, walk};

/// The lead of null.
pub(crate) const NULL: u8 = 0xaf;
/// The lead of the empty string; that plus n is the lead of n bytes of ISO 8859-1, up to 47.
pub(crate) const SHORT_ASCII: u8 = 0x49;
/// The lead of an object.
pub(crate) const OBJECT: u8 = 0xa6;
/// The end of an object.
pub(crate) const OBJECT_END: u8 = 0xa5;
