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
//! Text is ISO 8859-1, UTF-8, UTF-16, or, if its writer was told to, the Chinese national encoding
//! GB18030. The tables of the last are larger than this crate: such text is bytes here
//! ([`Value::Gb18030`]) unless it is ASCII, and is refused where a name of Dubbo's stands.
//!
//! Stricter than Java: UTF-8 must be valid, lengths are ints and not negative, a length names exactly
//! its value, a type annotates a value and not another type.

mod entries;
mod string;
mod value;
mod walk;

pub use value::{Value, decode, encode};

pub(crate) use entries::{Part, entries, facts, name};
pub(crate) use string::{framed, optional_string, push_int, push_text};
pub(crate) use walk::{Scalar, Sink, Symbol, read_byte, scalar, walk};

/// The lead of null.
pub(crate) const NULL: u8 = 0xaf;
/// The lead of the empty string; that plus n is the lead of n bytes of ISO 8859-1, up to 47.
pub(crate) const SHORT_ASCII: u8 = 0x49;
/// The lead of an object.
pub(crate) const OBJECT: u8 = 0xa6;
/// The lead of text in GB18030.
pub(crate) const GB18030: u8 = 0x7e;
/// The end of an object.
pub(crate) const OBJECT_END: u8 = 0xa5;
