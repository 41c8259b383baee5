//! HPACK, RFC 7541: header lists as HTTP/2 writes them.
//!
//! This module owns the two tables, the integer and string forms and the Huffman code. It must not
//! know what a header means, nor frames: a block is a slice of bytes.
//!
//! ```text
//! block ─integers, strings, Huffman─> field ─static and dynamic table─> HeaderList
//! ```
//! Decoder and encoder each have a dynamic table that the other end mirrors; a block that was begun
//! must therefore be decoded to its end, and one that was encoded must be sent.

mod decode;
mod encode;
mod huffman;
mod integer;
mod list;
mod statics;
mod table;

pub use decode::{DecodeError, Decoder, ListLimits};
pub use encode::Encoder;
pub use list::{Field, HeaderList};

/// Size of a dynamic table that both ends begin with, in bytes (RFC 9113, 6.5.2).
pub const DEFAULT_TABLE_SIZE: usize = 4096;

/// What an entry counts in a table and in a list beyond its name and value (RFC 7541, 4.1).
pub const ENTRY_OVERHEAD: usize = 32;
