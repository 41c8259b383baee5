//! From bytes to a [`Graph`].
//!
//! A sink of the walk: it keeps the values of unfinished containers on one stack and moves them to
//! the graph when their container ends, so memory is bounded by the number of values, which
//! [`Limits::max_values`] bounds in turn.

use alloc::vec::Vec;

use crate::error::{Error, ErrorKind, Limit, Limits, What};
use crate::hessian2::container::begin_map;
use crate::hessian2::graph::{ClassId, Graph, NodeId, Value};
use crate::hessian2::walk::{Container, Scalar, Sink, Tables, Type, walk};
use crate::reader::Reader;
use crate::text::Text;

/// Decodes the values that `bytes` hold one after the other, which share their tables.
///
/// Fails on the first byte that is wrong; see the module for what is refused although Java reads it.
pub fn decode<'a>(bytes: &'a [u8], limits: &Limits) -> Result<(Graph<'a>, Vec<Value<'a>>), Error> {
    let mut reader = Reader::new(bytes);
    let mut decoder = Decoder::default();
    let mut values = Vec::new();
    while reader.left() > 0 {
        values.push(decoder.value(&mut reader, limits)?);
    }
    reader.finish(What::Value)?;
    Ok((decoder.into_graph(), values))
}

/// Decodes the values of one body, one at a time.
#[derive(Debug, Default)]
pub(crate) struct Decoder<'a> {
    tables: Tables,
    builder: Builder<'a>,
}

impl<'a> Decoder<'a> {
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
    open: Vec<(NodeId, Open<'a>, usize)>,
    pairs: Vec<[Value<'a>; 2]>,
    left: u32,
    used: u32,
}

#[derive(Clone, Copy, Debug)]
enum Open<'a> {
    List(Option<Text<'a>>),
    Map(Option<Text<'a>>),
    Object(ClassId),
}

impl<'a> Builder<'a> {
    fn count(&mut self) -> Result<(), ErrorKind> {
        self.left = self
            .left
            .checked_sub(1)
            .ok_or(ErrorKind::Limit(Limit::Values))?;
        Ok(())
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
            Container::List(class) => Open::List(self.resolve(class)),
            Container::Map(class) => Open::Map(self.resolve(class)),
            Container::Object(class) => Open::Object(ClassId(class)),
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
            Open::List(class) => self.graph.define_list(id, class, values),
            Open::Object(class) => self.graph.define_object(id, class, values),
            Open::Map(class) => {
                self.pairs.clear();
                self.pairs.extend(values.as_chunks::<2>().0);
                self.graph.define_map(id, class, &self.pairs);
            }
        }
        self.stack.truncate(base);
        self.stack.push(Value::Node(id));
    }
}
