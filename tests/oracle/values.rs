//! Values at random: trees whose leaves may point back, made into graphs.

use dubbo_codec::Text;
use dubbo_codec::hessian2::{Binary, Graph, NodeId, Value};
use proptest::collection;
use proptest::prelude::*;

/// A value and what it holds; `Back` is a node that began before it, itself and its parents included.
#[derive(Clone, Debug)]
pub(super) enum Tree {
    Null,
    Bool(bool),
    Int(i32),
    Long(i64),
    Double(f64),
    Date(i64),
    /// UTF-16 units, high byte first: lone surrogates occur.
    String(Vec<u8>),
    Binary(Vec<u8>),
    Back(u16),
    List(Option<String>, Vec<Self>),
    Map(Option<String>, Vec<(Self, Self)>),
    /// One of some classes, and as many fields as that has.
    Object(u8, Vec<Self>),
}

const CLASSES: u8 = 20;

impl Tree {
    /// Changes this value and all that it holds, from the inside out.
    pub(super) fn change(&mut self, how: fn(&mut Self)) {
        let children: Vec<&mut Self> = match self {
            Self::List(_, items) | Self::Object(_, items) => items.iter_mut().collect(),
            Self::Map(_, entries) => entries.iter_mut().flat_map(|(k, v)| [k, v]).collect(),
            _ => Vec::new(),
        };
        children.into_iter().for_each(|child| child.change(how));
        how(self);
    }
}

pub(super) fn tree() -> impl Strategy<Value = Tree> {
    let ints = prop_oneof![-20..60, -3000..3000, -300_000..300_000, any::<i32>()];
    let longs = prop_oneof![
        -20..60_i64,
        -3000..3000_i64,
        -300_000..300_000_i64,
        any::<i64>()
    ];
    let doubles = prop_oneof![
        any::<i32>().prop_map(f64::from),
        (-200..200).prop_map(f64::from),
        (-200_000..200_000).prop_map(|n| f64::from(n) / 1000.0),
        any::<f64>(),
    ];
    // Java's writer loses the sign of zero and the payload of NaN.
    let doubles = doubles.prop_map(|n| match n {
        0.0 => 0.0,
        n if n.is_nan() => f64::from_bits(0x7ff8_0000_0000_0000),
        n => n,
    });
    let dates = prop_oneof![
        any::<i64>(),
        any::<i32>().prop_map(|n| i64::from(n) * 60_000)
    ];
    let units = prop_oneof![
        0x20..0x7f_u16,
        any::<u16>(),
        0xd7f0..0xe010_u16,
        0..0x900_u16
    ];
    let strings = collection::vec(units, 0..40)
        .prop_map(|u| u.into_iter().flat_map(u16::to_be_bytes).collect());
    let leaf = prop_oneof![
        Just(Tree::Null),
        any::<bool>().prop_map(Tree::Bool),
        ints.prop_map(Tree::Int),
        longs.prop_map(Tree::Long),
        doubles.prop_map(Tree::Double),
        dates.prop_map(Tree::Date),
        strings.prop_map(Tree::String),
        collection::vec(any::<u8>(), 0..40).prop_map(Tree::Binary),
        any::<u16>().prop_map(Tree::Back),
    ];
    leaf.prop_recursive(5, 120, 12, |inner| {
        let name = || {
            proptest::option::of(
                proptest::sample::select(vec!["[int", "java.util.T", "a.B$é", "[string"])
                    .prop_map(String::from),
            )
        };
        prop_oneof![
            (name(), collection::vec(inner.clone(), 0..12))
                .prop_map(|(name, items)| Tree::List(name, items)),
            (
                name(),
                collection::vec((inner.clone(), inner.clone()), 0..6)
            )
                .prop_map(|(n, e)| Tree::Map(n, e)),
            (0..CLASSES, collection::vec(inner, 6))
                .prop_map(|(class, fields)| Tree::Object(class, fields)),
        ]
    })
}

/// The graph of some trees, and the values that they are.
pub(super) fn graph(trees: &[Tree]) -> (Graph<'_>, Vec<Value<'_>>) {
    const NAMES: [&str; 6] = ["a", "b", "field", "naïve", "次", "z"];
    let mut graph = Graph::new();
    let classes = [
        "p.C0", "p.C1", "p.C2", "p.C3", "p.C4", "p.C5", "p.C6", "p.C7", "p.C8", "p.C9", "p.C10",
        "p.C11", "p.C12", "p.C13", "p.C14", "p.C15", "p.C16", "p.C17", "p.C18", "p.C19",
    ];
    for (index, class) in classes.into_iter().enumerate() {
        graph.class(
            Text::new(class),
            NAMES[..index % 7].iter().map(|name| Text::new(name)),
        );
    }
    let values = trees.iter().map(|tree| value(&mut graph, tree)).collect();
    (graph, values)
}

fn value<'a>(graph: &mut Graph<'a>, tree: &'a Tree) -> Value<'a> {
    match tree {
        Tree::Null => Value::Null,
        Tree::Bool(value) => Value::Bool(*value),
        Tree::Int(value) => Value::Int(*value),
        Tree::Long(value) => Value::Long(*value),
        Tree::Double(value) => Value::Double(*value),
        Tree::Date(millis) => Value::Date(*millis),
        Tree::String(units) => Value::String(Text::from_utf16_be(units)),
        Tree::Binary(bytes) => Value::Binary(Binary::new(bytes)),
        Tree::Back(_) if graph.is_empty() => Value::Null,
        Tree::Back(n) => Value::Node(graph.node_id(usize::from(*n) % graph.len()).unwrap()),
        Tree::List(name, items) => node(graph, |graph, id| {
            let items: Vec<_> = items.iter().map(|item| value(graph, item)).collect();
            graph.define_list(id, name.as_deref().map(Text::new), &items);
        }),
        Tree::Map(name, entries) => node(graph, |graph, id| {
            let pair = |(k, v): &'a (Tree, Tree)| [k, v].map(|part| value(graph, part));
            let entries: Vec<_> = entries.iter().map(pair).collect();
            graph.define_map(id, name.as_deref().map(Text::new), &entries);
        }),
        Tree::Object(class, fields) => node(graph, |graph, id| {
            let class = graph.class_id(usize::from(*class)).unwrap();
            let len = graph.field_names(class).unwrap().len();
            let fields: Vec<_> = fields[..len].iter().map(|f| value(graph, f)).collect();
            graph.define_object(id, class, &fields);
        }),
    }
}

fn node<'a>(graph: &mut Graph<'a>, define: impl FnOnce(&mut Graph<'a>, NodeId)) -> Value<'a> {
    let id = graph.reserve();
    define(graph, id);
    Value::Node(id)
}
