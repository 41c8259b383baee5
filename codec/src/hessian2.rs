//! Hessian 2: the values in the bodies of Dubbo2 frames.
//!
//! Source: the serialization specification of Hessian 2.0 and, where it is silent or wrong (`5f` is
//! a thousandth, not a float), what Dubbo's hessian-lite 3.2 and 4.0 read and write.
//!
//! ```text
//! string   lengths and chunks of strings; cesu8: their validation; binary: the like for bytes
//! plain    many short ASCII strings in one step
//! kind     the one table of lead bytes
//!   walk   bounds, depth; tells a Sink what it finds
//!     number, container   what is behind a lead byte
//!     (), skip      finds where a value ends, without allocation
//!     Decoder       builds a Graph
//! graph    values with identity: an arena, so that cycles are plain data
//!   encode  a Graph to bytes
//!    write  single values, packed as hessian-lite 4 does
//! leads    where the n-th UTF-16 unit is
//! ```

mod binary;
mod cesu8;
mod container;
mod decode;
mod encode;
mod graph;
mod kind;
mod leads;
#[cfg(feature = "serde")]
mod mapping;
mod number;
mod plain;
#[cfg(all(feature = "simd", target_arch = "x86_64"))]
#[allow(unsafe_code, reason = "vectors are loaded through pointers")]
mod simd;
mod string;
mod walk;
mod write;

pub use binary::Binary;
pub use decode::{Readable, decode, decode_readable};
pub use encode::{ArrayLists, Encoder};
pub use graph::{ClassId, Graph, Node, NodeId, Value};
#[cfg(feature = "serde")]
pub use mapping::{Date, Decimal, MappingError, from_slice, from_slice_within, to_vec};
pub use write::Writer;

pub(crate) use container::{begin_map, class_definitions};
pub(crate) use decode::Decoder;
pub(crate) use kind::has_parts;
#[cfg(feature = "serde")]
pub(crate) use mapping::Serializer;
pub(crate) use number::read_int;
pub(crate) use plain::Plain;
pub(crate) use string::{chunk_head, read as read_string, skip_plain, validated as string_of};
pub(crate) use walk::{Container, Scalar, Sink, Tables, scalar, walk};
pub(crate) use write::push_string;
