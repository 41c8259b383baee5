//! From bytes to a [`Graph`].
//!
//! A sink of the walk: it keeps the values of unfinished containers on one stack and moves them to
//! the graph when their container ends, so memory is bounded by the number of values, which
//! [`Limits::max_values`] bounds in turn.

use alloc::vec::Vec;

use crate::error::{Error, ErrorKind, Limit, Limits, What};
use crate::hessian2::container::begin_map;
use crate::hessian2::graph::{ClassId, Graph, Kind, NodeId, Value};
use crate::hessian2::walk::{Container, Scalar, Sink, Tables, Type, walk};
use crate::reader::Reader;
use crate::text::Text;

/// Decodes the values that `bytes` hold one after the other, which share their tables.
///
/// Fails on the first byte that is wrong; see the module for what is refused although Java reads it.
pub fn decode<'a>(bytes: &'a [u8], limits: &Limits) -> Result<(Graph<'a>, Vec<Value<'a>>), Error> {
    let mut reader = Reader::new(bytes);
    let mut decoder = Decoder::of(bytes.len());
    let mut values = Vec::with_capacity(8);
    while reader.left() > 0 {
        values.push(decoder.value(&mut reader, limits)?);
    }
    reader.finish(What::Value)?;
    Ok((decoder.into_graph(), values))
}

/// As much of some bytes as can be read, for people who look for what is wrong with them.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Readable<'a> {
    /// The lists, maps and objects.
    pub graph: Graph<'a>,
    /// The values that are whole.
    pub values: Vec<Value<'a>>,
    /// Where the last of them ends.
    pub len: usize,
    /// What is wrong with the next one, and its parts that come before that: an object has its
    /// first fields only, and a map no key without a value.
    pub broken: Option<(Error, Option<Value<'a>>)>,
}

/// Decodes up to `most` values, as [`decode`] does, and keeps what comes before the first byte that
/// is wrong. Bytes behind the last value are let be.
pub fn decode_readable<'a>(bytes: &'a [u8], most: usize, limits: &Limits) -> Readable<'a> {
    let mut reader = Reader::new(bytes);
    let mut decoder = Decoder::default();
    let (mut values, mut len, mut broken) = (Vec::new(), 0, None);
    while reader.left() > 0 && values.len() < most && broken.is_none() {
        match decoder.value(&mut reader, limits) {
            Ok(value) => {
                values.push(value);
                len = reader.at();
            }
            Err(error) => broken = Some((error, decoder.builder.end_all())),
        }
    }
    Readable {
        graph: decoder.into_graph(),
        values,
        len,
        broken,
    }
}

/// Decodes the values of one body, one at a time.
#[derive(Debug, Default)]
pub(crate) struct Decoder<'a> {
    tables: Tables,
    builder: Builder<'a>,
}

impl<'a> Decoder<'a> {
    /// One with room for what bodies of this length usually hold, at most for a small one.
    fn of(len: usize) -> Self {
        let few = (len / 16).min(32);
        let mut decoder = Self::default();
        decoder.builder.stack.reserve(few);
        decoder.builder.open.reserve(few / 4);
        decoder.builder.graph.reserve_values(few);
        decoder
    }

    pub(crate) fn value(
        &mut self,
        reader: &mut Reader<'a>,
        limits: &Limits,
    ) -> Result<Value<'a>, Error> {
        self.builder.left = limits.max_values.saturating_sub(self.builder.used);
        walk(reader, &mut self.tables, limits, &mut self.builder)?;
        self.builder.used = limits.max_values.saturating_sub(self.builder.left);
        let whole = self.builder.stack.pop();
        whole.ok_or_else(|| reader.short(What::Value))
    }

    pub(crate) fn into_graph(self) -> Graph<'a> {
        self.builder.graph
    }

    /// Enters a map whose keys and values are then read one by one; it takes its number.
    pub(crate) fn begin_map(
        &mut self,
        reader: &mut Reader<'a>,
        limits: &Limits,
    ) -> Result<bool, Error> {
        self.builder.left = limits.max_values.saturating_sub(self.builder.used);
        begin_map(reader, &mut self.tables, limits, &mut self.builder)
    }

    /// What has a number so far.
    pub(crate) fn mark(&self) -> Mark {
        Mark {
            nodes: self.builder.graph.nodes.len() as u32,
            classes: self.builder.graph.classes.len() as u32,
            types: self.builder.types.len(),
        }
    }

    /// The graph and all types that were named.
    pub(crate) fn into_parts(self) -> (Graph<'a>, Vec<Text<'a>>) {
        (self.builder.graph, self.builder.types)
    }
}

/// How many nodes, classes and types there are at a place in a body.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    pub(crate) nodes: u32,
    pub(crate) classes: u32,
    pub(crate) types: usize,
}

#[derive(Debug, Default)]
struct Builder<'a> {
    graph: Graph<'a>,
    types: Vec<Text<'a>>,
    /// Values of containers that have not ended.
    stack: Vec<Value<'a>>,
    /// Containers that have not ended: the node, what it is, where its values begin in `stack`.
    open: Vec<(NodeId, Kind<'a>, usize)>,
    left: u32,
    used: u32,
}

impl<'a> Builder<'a> {
    fn count(&mut self) -> Result<(), ErrorKind> {
        self.left = self
            .left
            .checked_sub(1)
            .ok_or(ErrorKind::Limit(Limit::Values))?;
        Ok(())
    }

    /// Ends everything that has begun with the parts that it has, and gives the outermost.
    fn end_all(&mut self) -> Option<Value<'a>> {
        while let Some((id, open, base)) = self.open.last().copied() {
            match open {
                Kind::Object(class) => {
                    let fields = self.stack.split_off(base);
                    self.graph.define_first_fields(id, class, &fields);
                    self.stack.push(Value::Node(id));
                    self.open.pop();
                }
                Kind::List(_) | Kind::Map(_) => self.end(),
            }
        }
        self.stack.pop()
    }

    fn resolve(&mut self, class: Type<'a>) -> Option<Text<'a>> {
        match class {
            Type::None => None,
            Type::Name(name) => {
                self.types.push(name);
                Some(name)
            }
            Type::Index(index) => self.types.get(index as usize).copied(),
        }
    }
}

impl<'a> Sink<'a> for Builder<'a> {
    fn scalar(&mut self, value: Scalar<'a>) -> Result<(), ErrorKind> {
        self.count()?;
        self.stack.push(match value {
            Scalar::Null => Value::Null,
            Scalar::Bool(value) => Value::Bool(value),
            Scalar::Int(value) => Value::Int(value),
            Scalar::Long(value) => Value::Long(value),
            Scalar::Double(value) => Value::Double(value),
            Scalar::Date(millis) => Value::Date(millis),
            Scalar::String(text) => Value::String(text),
            Scalar::Binary(bytes) => Value::Binary(bytes),
            Scalar::Reference(index) => Value::Node(NodeId(index)),
        });
        Ok(())
    }

    fn class(&mut self, name: Text<'a>, _: u32) {
        self.graph.class(name, []);
    }

    fn field(&mut self, name: Text<'a>) {
        self.graph.names.push(name);
        if let Some(class) = self.graph.classes.last_mut() {
            class.fields.end += 1;
        }
    }

    fn begin(&mut self, container: Container<'a>) -> Result<(), ErrorKind> {
        self.count()?;
        let open = match container {
            Container::List(class) => Kind::List(self.resolve(class)),
            Container::Map(class) => Kind::Map(self.resolve(class)),
            Container::Object(class) => Kind::Object(ClassId(class)),
        };
        let id = self.graph.reserve();
        self.open.push((id, open, self.stack.len()));
        Ok(())
    }

    fn end(&mut self) {
        let Some((id, open, base)) = self.open.pop() else {
            return;
        };
        let values = self.stack.get(base..).unwrap_or_default();
        match open {
            Kind::List(class) => self.graph.define_list(id, class, values),
            Kind::Object(class) => self.graph.define_object(id, class, values),
            Kind::Map(class) => (self.graph).define_map(id, class, values.as_chunks().0),
        }
        self.stack.truncate(base);
        self.stack.push(Value::Node(id));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of section 4.9 of the specification of Hessian 2.0, then a reserved byte.
    #[test]
    fn what_comes_before_the_wrong_byte_is_kept() {
        let bytes = b"\x91C\x0bexample.Car\x92\x05color\x05model\x60\x03red\x40";
        let read = decode_readable(bytes, 9, &Limits::default());
        assert_eq!((&*read.values, read.len), (&[Value::Int(1)][..], 1));
        let (error, part) = read.broken.unwrap();
        let expected = Error::new(
            bytes.len() - 1,
            What::Value,
            ErrorKind::UnexpectedByte(0x40),
        );
        assert_eq!(error, expected);
        let json = read.graph.to_json(part.unwrap());
        assert_eq!(json, r#"{"$class":"example.Car","color":"red"}"#);
        let read = decode_readable(bytes, 1, &Limits::default());
        assert!(read.broken.is_none() && read.len == 1);
    }
}
