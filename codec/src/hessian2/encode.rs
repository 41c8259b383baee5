//! From a [`Graph`] to bytes, as hessian-lite 4 writes them.
//!
//! A node is written where it is first met and is a reference from then on. The walk keeps a list of
//! unfinished nodes rather than recursing, so depth is bounded by memory that the graph already took.

use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;

use crate::hessian2::decode::Mark;
use crate::hessian2::graph::{ClassId, Graph, Node, NodeId, Value};
use crate::hessian2::write::Writer;
use crate::text::Text;

/// How a list without a class, Java's `ArrayList`, is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ArrayLists {
    /// Without a type, as hessian-lite 4 does (Dubbo 3.3).
    #[default]
    Untyped,
    /// With the type `java.util.ArrayList`, as hessian-lite 3 does (Dubbo 2.7 to 3.2).
    Typed,
}

/// Encodes values of one graph, which share the tables of one body.
#[derive(Clone, Debug)]
pub struct Encoder<'g, 'a> {
    graph: &'g Graph<'a>,
    writer: Writer<'a>,
    lists: ArrayLists,
    /// Index on the wire of each node that has begun.
    begun: Vec<Option<u32>>,
    next: u32,
    /// Index on the wire of each class, and the latest class of a name.
    classes: Vec<Option<u32>>,
    by_name: BTreeMap<Text<'a>, ClassId>,
}

impl<'g, 'a> Encoder<'g, 'a> {
    /// An encoder at the start of a body.
    pub fn new(graph: &'g Graph<'a>) -> Self {
        let mut writer = Writer::new();
        writer.reserve(graph.usual_len());
        Self {
            graph,
            writer,
            lists: ArrayLists::default(),
            begun: vec![None; graph.nodes.len()],
            next: 0,
            classes: vec![None; graph.classes.len()],
            by_name: BTreeMap::new(),
        }
    }

    /// Sets how lists without a class are written.
    #[must_use]
    pub const fn array_lists(mut self, lists: ArrayLists) -> Self {
        self.lists = lists;
        self
    }

    /// An encoder that goes on behind bytes that the graph was decoded of, up to `mark`; `types` are
    /// all that were named, in order.
    pub(crate) fn resume(graph: &'g Graph<'a>, mark: Mark, types: &[Text<'a>]) -> Self {
        let known = |count: u32| move |index| (index < count).then_some(index);
        let types = types.iter().take(mark.types).copied();
        Self {
            writer: Writer::resume(types, mark.classes),
            begun: (0..graph.nodes.len() as u32)
                .map(known(mark.nodes))
                .collect(),
            next: mark.nodes,
            classes: (0..graph.classes.len() as u32)
                .map(known(mark.classes))
                .collect(),
            by_name: (0..mark.classes)
                .filter_map(|id| Some((graph.class_name(ClassId(id))?, ClassId(id))))
                .collect(),
            ..Self::new(graph)
        }
    }

    /// Writes a string that is none of the graph's.
    pub(crate) fn text(&mut self, text: &str) {
        self.writer.string(Text::new(text));
    }

    /// Writes one value. A node that the graph does not have is written as null.
    pub fn value(&mut self, value: Value<'a>) {
        let Value::Node(id) = value else {
            return scalar(&mut self.writer, value);
        };
        let mut open = Vec::with_capacity(8);
        open.extend(self.begin_node(id));
        while let Some(innermost) = open.last_mut() {
            match self.scalars(innermost) {
                Some(id) => open.extend(self.begin_node(id)),
                None => {
                    if innermost.is_map {
                        self.writer.end_map();
                    }
                    open.pop();
                }
            }
        }
    }

    /// Writes the values of a node up to the first that is one itself.
    fn scalars(&mut self, open: &mut Open<'g, 'a>) -> Option<NodeId> {
        let mut rest = open.rest.iter();
        let node = rest.find_map(|value| match *value {
            Value::Node(id) => Some(id),
            value => {
                scalar(&mut self.writer, value);
                None
            }
        });
        open.rest = rest.as_slice();
        node
    }

    /// The bytes of all values.
    pub fn into_bytes(self) -> Vec<u8> {
        self.writer.into_bytes()
    }

    /// Writes a node that has begun before as a reference, of another one the beginning: what is
    /// left is returned.
    fn begin_node(&mut self, id: NodeId) -> Option<Open<'g, 'a>> {
        let (graph, place) = (self.graph, id.index());
        let Some(node) = graph.node(id) else {
            self.writer.null();
            return None;
        };
        if let Some(index) = self.begun[place] {
            self.writer.reference(index);
            return None;
        }
        self.begun[place] = Some(self.next);
        self.next += 1;
        Some(match node {
            Node::List { class, items } => {
                let default = match self.lists {
                    ArrayLists::Untyped => None,
                    ArrayLists::Typed => Some(Text::new("java.util.ArrayList")),
                };
                self.writer.begin_list(class.or(default), items.len());
                Open {
                    rest: items,
                    is_map: false,
                }
            }
            Node::Map { class, entries } => {
                self.writer.begin_map(class);
                Open {
                    rest: entries.as_flattened(),
                    is_map: true,
                }
            }
            Node::Object { fields, .. } => {
                let class = self.class_of(id);
                self.writer.begin_object(class);
                Open {
                    rest: fields,
                    is_map: false,
                }
            }
        })
    }

    /// The index on the wire of an object's class, which is defined if it is met first.
    /// Java's writer knows a class by its name; of equal definitions only one is written.
    fn class_of(&mut self, object: NodeId) -> u32 {
        let graph = self.graph;
        let Some(id) = graph.class_of(object) else {
            return 0;
        };
        if let Some(index) = self.classes[id.0 as usize] {
            return index;
        }
        let (name, fields) = graph
            .class_name(id)
            .zip(graph.field_names(id))
            .unwrap_or((Text::EMPTY, &[]));
        let same = self
            .by_name
            .get(&name)
            .filter(|same| graph.field_names(**same) == Some(fields));
        let index = match same.and_then(|same| self.classes[same.0 as usize]) {
            Some(index) => index,
            None => self.writer.class(name, fields.iter().copied()),
        };
        self.classes[id.0 as usize] = Some(index);
        self.by_name.insert(name, id);
        index
    }
}

/// Writes a value that is no node.
#[inline]
fn scalar(w: &mut Writer<'_>, value: Value<'_>) {
    match value {
        Value::Null | Value::Node(_) => w.null(),
        Value::Bool(value) => w.bool(value),
        Value::Int(value) => w.int(value),
        Value::Long(value) => w.long(value),
        Value::Double(value) => w.double(value),
        Value::Date(millis) => w.date(millis),
        Value::String(text) => w.string(text),
        Value::Binary(bytes) => w.binary(bytes),
    }
}

/// A node whose beginning is written.
#[derive(Debug)]
struct Open<'g, 'a> {
    /// Its values that are not: of a map keys and values by turns.
    rest: &'g [Value<'a>],
    is_map: bool,
}
