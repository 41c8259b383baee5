//! Hessian 2: the values in the bodies of Dubbo2 frames.
//!
//! Source: the serialization specification of Hessian 2.0 and, where it is silent or wrong (`5f` is
//! a thousandth, not a float), what Dubbo's hessian-lite 3.2 and 4.0 read and write.
//!
//! ```text
//! string   strings and binaries: chunks, CESU-8
//!   walk   the one table of lead bytes; bounds, depth; tells a Sink what it finds
//!     (), skip      finds where a value ends, without allocation
//!     Decoder       builds a Graph
//! graph    values with identity: an arena, so that cycles are plain data
//!   encode  a Graph to bytes
//!    write  single values, packed as hessian-lite 4 does
//! ```

mod decode;
mod encode;
mod graph;
mod string;
mod walk;
mod write;

pub use decode::{Readable, decode, decode_readable};
pub use encode::{ArrayLists, Encoder};
pub use graph::{ClassId, Graph, Node, NodeId, Value};
pub use string::Binary;
pub use write::Writer;

pub(crate) use decode::Decoder;
pub(crate) use string::{chunk_head, read as read_string, skip_short};
pub(crate) use walk::{
    Container, Scalar, Sink, Tables, begin_map, has_parts, read_int, scalar, walk,
};
pub(crate) use write::push_string;
