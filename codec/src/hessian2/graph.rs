//! Values with identity: what a Hessian body means, cycles included.
//!
//! A graph is an arena. Lists, maps and objects are nodes, numbered in the order in which they begin,
//! which is the numbering of Hessian's own references; a second mention of a node is the same
//! [`Value::Node`] again. Order of entries and fields is kept, and so is every distinction that Java
//! sees (int and long, typed and untyped). What Java does not see is dropped: how a number was
//! packed, where a string was cut.

use alloc::vec::Vec;
use core::ops::Range;

use crate::hessian2::Binary;
use crate::text::Text;

/// One value. Lists, maps and objects are in the [`Graph`] that it belongs to.
#[derive(Clone, Copy, Debug, PartialEq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "the kinds of value that Hessian 2 has"
)]
pub enum Value<'a> {
    /// Java's `null`.
    Null,
    /// `boolean`.
    Bool(bool),
    /// `int`, and `short` and `byte`.
    Int(i32),
    /// `long`.
    Long(i64),
    /// `double`, and `float`.
    Double(f64),
    /// `java.util.Date`: milliseconds since 1970, UTC.
    Date(i64),
    /// `String`, and `char`.
    String(Text<'a>),
    /// `byte[]`.
    Binary(Binary<'a>),
    /// A list, map or object.
    Node(NodeId),
}

/// The number of a list, map or object in its [`Graph`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(pub(crate) u32);

impl NodeId {
    /// Position in the graph's order.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// The number of a class in its [`Graph`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClassId(pub(crate) u32);

/// A list, map or object.
#[derive(Clone, Copy, Debug, PartialEq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "the kinds of node that Hessian 2 has"
)]
pub enum Node<'g, 'a> {
    /// A Java collection or array.
    List {
        /// Java's class name or `[int`-like array name; `None` for an `ArrayList` of hessian-lite 4.
        class: Option<Text<'a>>,
        /// The elements.
        items: &'g [Value<'a>],
    },
    /// A Java map.
    Map {
        /// Java's class name; `None` for a `HashMap`.
        class: Option<Text<'a>>,
        /// Key, value, key, value: in order, duplicates included.
        entries: &'g [[Value<'a>; 2]],
    },
    /// Any other Java object, an enum constant or an exception too.
    Object {
        /// Java's class name.
        class: Text<'a>,
        /// Names of the fields; as many as there are values.
        names: &'g [Text<'a>],
        /// The fields' values, in the order of the names.
        fields: &'g [Value<'a>],
    },
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind<'a> {
    List(Option<Text<'a>>),
    Map(Option<Text<'a>>),
    Object(ClassId),
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry<'a> {
    pub(crate) kind: Kind<'a>,
    start: u32,
    len: u32,
}

#[derive(Clone, Debug)]
pub(crate) struct Class<'a> {
    pub(crate) name: Text<'a>,
    pub(crate) fields: Range<u32>,
}

/// The lists, maps and objects of one or more values.
///
/// Strings and binaries are borrowed: from the body that was decoded, or from whoever builds a graph
/// to encode it. A node is made in one step by [`list`](Self::list), [`map`](Self::map) or
/// [`object`](Self::object); for a cycle, [`reserve`](Self::reserve) one first and define it later.
#[derive(Clone, Debug, Default)]
pub struct Graph<'a> {
    pub(crate) nodes: Vec<Entry<'a>>,
    values: Vec<Value<'a>>,
    entries: Vec<[Value<'a>; 2]>,
    pub(crate) classes: Vec<Class<'a>>,
    pub(crate) names: Vec<Text<'a>>,
}

impl<'a> Graph<'a> {
    /// An empty graph.
    pub fn new() -> Self {
        Self::default()
    }

    /// The list, map or object of this number; `None` if the graph has no such node.
    pub fn node(&self, id: NodeId) -> Option<Node<'_, 'a>> {
        let entry = self.nodes.get(id.index())?;
        let range = entry.start as usize..(entry.start + entry.len) as usize;
        Some(match entry.kind {
            Kind::List(class) => Node::List {
                class,
                items: self.values.get(range)?,
            },
            Kind::Map(class) => Node::Map {
                class,
                entries: self.entries.get(range)?,
            },
            Kind::Object(class) => Node::Object {
                class: self.class_name(class)?,
                names: self.field_names(class)?.get(..range.len())?,
                fields: self.values.get(range)?,
            },
        })
    }

    /// How many lists, maps and objects there are.
    pub const fn len(&self) -> usize {
        self.nodes.len()
    }

    /// The node at a place in the graph's order.
    pub fn node_id(&self, index: usize) -> Option<NodeId> {
        (index < self.nodes.len()).then_some(NodeId(index as u32))
    }

    /// The class at a place in the graph's order.
    pub fn class_id(&self, index: usize) -> Option<ClassId> {
        (index < self.classes.len()).then_some(ClassId(index as u32))
    }

    /// How many bytes such a graph usually takes: a guess, to make room at once.
    pub(crate) const fn usual_len(&self) -> usize {
        let texts = self.values.len() + self.entries.len() * 2 + self.names.len();
        (texts + self.classes.len() * 2 + 4) * 16
    }

    /// There are none.
    pub const fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// The name of a class.
    pub fn class_name(&self, id: ClassId) -> Option<Text<'a>> {
        self.classes.get(id.0 as usize).map(|class| class.name)
    }

    /// The names of a class's fields.
    pub fn field_names(&self, id: ClassId) -> Option<&[Text<'a>]> {
        let fields = &self.classes.get(id.0 as usize)?.fields;
        self.names.get(fields.start as usize..fields.end as usize)
    }

    /// The value of an object's field of this name.
    pub fn field(&self, object: NodeId, name: &str) -> Option<Value<'a>> {
        let Some(Node::Object { names, fields, .. }) = self.node(object) else {
            return None;
        };
        let place = names.iter().position(|found| *found == name)?;
        fields.get(place).copied()
    }

    /// The class of an object; `None` for other nodes.
    pub fn class_of(&self, object: NodeId) -> Option<ClassId> {
        match self.nodes.get(object.index())?.kind {
            Kind::Object(class) => Some(class),
            Kind::List(_) | Kind::Map(_) => None,
        }
    }

    /// Defines a class.
    pub fn class(&mut self, name: Text<'a>, fields: impl IntoIterator<Item = Text<'a>>) -> ClassId {
        let start = self.names.len() as u32;
        self.names.extend(fields);
        self.classes.push(Class {
            name,
            fields: start..self.names.len() as u32,
        });
        ClassId(self.classes.len() as u32 - 1)
    }

    /// Makes room for so many values in objects and lists, and for what is usually beside them.
    pub(crate) fn reserve_values(&mut self, values: usize) {
        self.nodes.reserve(values / 2);
        self.values.reserve(values);
        self.entries.reserve(values / 2);
        self.classes.reserve(values / 4);
        self.names.reserve(values / 2);
    }

    /// A node without content, an empty list until it is defined.
    pub fn reserve(&mut self) -> NodeId {
        self.nodes.push(Entry {
            kind: Kind::List(None),
            start: 0,
            len: 0,
        });
        NodeId(self.nodes.len() as u32 - 1)
    }

    /// A new list.
    pub fn list(&mut self, class: Option<Text<'a>>, items: &[Value<'a>]) -> Value<'a> {
        let id = self.reserve();
        self.define_list(id, class, items);
        Value::Node(id)
    }

    /// A new map.
    pub fn map(&mut self, class: Option<Text<'a>>, entries: &[[Value<'a>; 2]]) -> Value<'a> {
        let id = self.reserve();
        self.define_map(id, class, entries);
        Value::Node(id)
    }

    /// A new object. Missing fields are null, surplus ones are dropped.
    pub fn object(&mut self, class: ClassId, fields: &[Value<'a>]) -> Value<'a> {
        let id = self.reserve();
        self.define_object(id, class, fields);
        Value::Node(id)
    }

    /// Makes a reserved node a list.
    pub fn define_list(&mut self, id: NodeId, class: Option<Text<'a>>, items: &[Value<'a>]) {
        let start = self.values.len();
        self.values.extend_from_slice(items);
        self.define(id, Kind::List(class), start, items.len());
    }

    /// Makes a reserved node a map.
    pub fn define_map(&mut self, id: NodeId, class: Option<Text<'a>>, entries: &[[Value<'a>; 2]]) {
        let start = self.entries.len();
        self.entries.extend_from_slice(entries);
        self.define(id, Kind::Map(class), start, entries.len());
    }

    /// Makes a reserved node an object. Missing fields are null, surplus ones are dropped.
    pub fn define_object(&mut self, id: NodeId, class: ClassId, fields: &[Value<'a>]) {
        let start = self.values.len();
        let count = self.field_names(class).map_or(0, <[_]>::len);
        self.values
            .extend_from_slice(&fields[..count.min(fields.len())]);
        self.values.resize(start + count, Value::Null);
        self.define(id, Kind::Object(class), start, count);
    }

    /// Makes a reserved node an object of which no more is known than its first fields.
    pub(crate) fn define_first_fields(&mut self, id: NodeId, class: ClassId, fields: &[Value<'a>]) {
        let start = self.values.len();
        self.values.extend_from_slice(fields);
        self.define(id, Kind::Object(class), start, fields.len());
    }

    fn define(&mut self, id: NodeId, kind: Kind<'a>, start: usize, len: usize) {
        if let Some(entry) = self.nodes.get_mut(id.index()) {
            *entry = Entry {
                kind,
                start: start as u32,
                len: len as u32,
            };
        }
    }
}
