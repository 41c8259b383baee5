//! From a decoded graph to Rust's types.
//!
//! The graph bounds what is read once; here it is bounded how often: a value that is met again is
//! given again, so every value that is given counts, and a node within itself is an error.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::cell::Cell;

use serde::de::value::{CowStrDeserializer, SeqDeserializer};
use serde::de::{
    Deserialize, DeserializeSeed, Error as _, IntoDeserializer, MapAccess, SeqAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use crate::error::{ErrorKind, Limits};
use crate::hessian2::mapping::{DATE, MAX_DEPTH, MappingError};
use crate::hessian2::walk::{Container, Sink, Tables, walk};
use crate::hessian2::{Binary, Graph, Node, NodeId, Value, decode};
use crate::reader::Reader;
use crate::text::Text;

type Result<T> = core::result::Result<T, MappingError>;

pub(crate) fn read<'de, T: Deserialize<'de>>(bytes: &'de [u8], limits: &Limits) -> Result<T> {
    let (graph, values) = decode(bytes, limits)?;
    let [value] = values[..] else {
        return Err(MappingError::new(format_args!(
            "{} values where one is expected",
            values.len()
        )));
    };
    let whole = Whole {
        open: vec![Cell::new(false); graph.len()],
        graph,
        left: Cell::new(limits.max_values),
        depth_left: Cell::new(limits.max_depth.min(MAX_DEPTH)),
        misfit: Cell::new(None),
    };
    T::deserialize(Part {
        whole: &whole,
        value,
    })
    .map_err(|error| MappingError {
        at: error
            .at
            .or_else(|| offset_of(bytes, whole.misfit.get()?, limits)),
        ..error
    })
}

/// Where a node begins.
fn offset_of(bytes: &[u8], node: NodeId, limits: &Limits) -> Option<usize> {
    /// Nodes that begin before the one that is looked for, at which the walk is made to fail.
    struct Before(usize);
    impl Sink<'_> for Before {
        fn begin(&mut self, _: Container<'_>) -> core::result::Result<(), ErrorKind> {
            self.0 = self.0.checked_sub(1).ok_or(ErrorKind::BadIndex)?;
            Ok(())
        }
    }
    let mut before = Before(node.index());
    let found = walk(
        &mut Reader::new(bytes),
        &mut Tables::default(),
        limits,
        &mut before,
    );
    found.err().map(|error| error.at())
}

/// What all parts of a value share.
struct Whole<'de> {
    graph: Graph<'de>,
    /// The nodes that are being given.
    open: Vec<Cell<bool>>,
    /// Values and levels that may still be given.
    left: Cell<u32>,
    depth_left: Cell<u32>,
    /// The innermost node in which something did not fit.
    misfit: Cell<Option<NodeId>>,
}

impl<'de> Whole<'de> {
    fn count(&self) -> Result<()> {
        let left = self.left.get().checked_sub(1);
        self.left
            .set(left.ok_or_else(|| MappingError::new("limit on the number of values exceeded"))?);
        Ok(())
    }

    /// Gives a node, which is open meanwhile.
    fn enter<'w, T>(
        &'w self,
        id: NodeId,
        give: impl FnOnce(Node<'w, 'de>) -> Result<T>,
    ) -> Result<T> {
        let open = self.open.get(id.index());
        let (Some(node), Some(open)) = (self.graph.node(id), open) else {
            return Err(MappingError::new("no such object"));
        };
        let given = if open.replace(true) {
            Err(MappingError::new("an object within itself"))
        } else {
            let deeper = self.depth_left.get().checked_sub(1);
            let given = match deeper {
                Some(left) => {
                    self.depth_left.set(left);
                    let given = give(node);
                    self.depth_left.set(left + 1);
                    given
                }
                None => Err(MappingError::new("nested too deeply")),
            };
            open.set(false);
            given
        };
        if given.is_err() && self.misfit.get().is_none() {
            self.misfit.set(Some(id));
        }
        given
    }
}

/// A value of a whole.
#[derive(Clone, Copy)]
struct Part<'w, 'de> {
    whole: &'w Whole<'de>,
    value: Value<'de>,
}

fn to_str(text: Text<'_>) -> Result<Cow<'_, str>> {
    match text.as_str() {
        Some(text) => Ok(Cow::Borrowed(text)),
        None => {
            let text: core::result::Result<String, u16> = text.chars().collect();
            text.map(Cow::Owned).map_err(|unit| {
                MappingError::new(format_args!("a lone surrogate, {unit:04x}, in a string"))
            })
        }
    }
}

fn visit_text<'de, V: Visitor<'de>>(text: Text<'de>, visitor: V) -> Result<V::Value> {
    match to_str(text)? {
        Cow::Borrowed(text) => visitor.visit_borrowed_str(text),
        Cow::Owned(text) => visitor.visit_string(text),
    }
}

fn visit_binary<'de, V: Visitor<'de>>(binary: Binary<'de>, visitor: V) -> Result<V::Value> {
    match binary.to_cow() {
        Cow::Borrowed(bytes) => visitor.visit_borrowed_bytes(bytes),
        Cow::Owned(bytes) => visitor.visit_byte_buf(bytes),
    }
}

impl<'w, 'de> Part<'w, 'de> {
    fn visit_node<V: Visitor<'de>>(self, id: NodeId, visitor: V) -> Result<V::Value> {
        let whole = self.whole;
        whole.enter(id, |node| match node {
            Node::List { items, .. } => {
                let mut items = Items {
                    whole,
                    rest: items.iter(),
                };
                let given = visitor.visit_seq(&mut items)?;
                match items.rest.len() {
                    0 => Ok(given),
                    left => Err(MappingError::new(format_args!("{left} elements too many"))),
                }
            }
            Node::Map { entries, .. } => visitor.visit_map(Pairs {
                whole,
                rest: entries.iter().map(|[key, value]| (*key, *value)),
                value: None,
            }),
            Node::Object { names, fields, .. } => visitor.visit_map(Pairs {
                whole,
                rest: names
                    .iter()
                    .zip(fields)
                    .map(|(name, value)| (Value::String(*name), *value)),
                value: None,
            }),
        })
    }

    /// The name of an enum constant: its object's field, or a string.
    fn constant(self) -> Result<Cow<'de, str>> {
        let name = match self.value {
            Value::Node(id) => self.whole.graph.field(id, "name"),
            other => Some(other),
        };
        match name {
            Some(Value::String(text)) => to_str(text),
            _ => Err(MappingError::custom("no enum constant")),
        }
    }
}

impl<'de> serde::Deserializer<'de> for Part<'_, 'de> {
    type Error = MappingError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.whole.count()?;
        match self.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(value),
            Value::Int(value) => visitor.visit_i32(value),
            Value::Long(value) | Value::Date(value) => visitor.visit_i64(value),
            Value::Double(value) => visitor.visit_f64(value),
            Value::String(text) => visit_text(text, visitor),
            Value::Binary(binary) => visit_binary(binary, visitor),
            Value::Node(id) => self.visit_node(id, visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.value {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value> {
        match self.value {
            Value::Date(_) => visitor.visit_newtype_struct(self),
            _ if name == DATE => Err(MappingError::custom("no date where one is expected")),
            _ => visitor.visit_newtype_struct(self),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.value {
            Value::Binary(binary) => {
                let bytes = binary.to_cow();
                visitor.visit_seq(SeqDeserializer::new(bytes.iter().copied()))
            }
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value> {
        visitor.visit_unit()
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        let name: CowStrDeserializer<'_, MappingError> = self.constant()?.into_deserializer();
        visitor.visit_enum(name)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        map struct identifier
    }
}

/// The elements of a list.
struct Items<'w, 'de> {
    whole: &'w Whole<'de>,
    rest: core::slice::Iter<'w, Value<'de>>,
}

impl<'de> SeqAccess<'de> for Items<'_, 'de> {
    type Error = MappingError;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>> {
        let whole = self.whole;
        let next = self.rest.next();
        next.map(|value| {
            seed.deserialize(Part {
                whole,
                value: *value,
            })
        })
        .transpose()
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.rest.len())
    }
}

/// The keys and values of a map, or the fields of an object.
struct Pairs<'w, 'de, I> {
    whole: &'w Whole<'de>,
    rest: I,
    value: Option<Value<'de>>,
}

impl<'de, I: ExactSizeIterator<Item = (Value<'de>, Value<'de>)>> MapAccess<'de>
    for Pairs<'_, 'de, I>
{
    type Error = MappingError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>> {
        let whole = self.whole;
        let Some((value, mapped)) = self.rest.next() else {
            return Ok(None);
        };
        self.value = Some(mapped);
        seed.deserialize(Part { whole, value }).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value> {
        let Some(value) = self.value.take() else {
            return Err(MappingError::custom("a value was asked for before its key"));
        };
        let whole = self.whole;
        seed.deserialize(Part { whole, value })
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.rest.len())
    }
}
