//! Decoding ends where it should, and what was decoded survives encoding.
#![no_main]

use dubbo_codec::hessian2::{Encoder, Graph, Node, Value, decode};
use dubbo_codec::Limits;
use libfuzzer_sys::fuzz_target;
use std::collections::HashMap;

/// The same value, node for node, in another graph.
fn same<'a>(a: (&Graph<'a>, Value<'a>), b: (&Graph<'_>, Value<'_>)) -> bool {
    let mut pairs = HashMap::new();
    let mut todo = vec![(a.1, b.1)];
    while let Some(pair) = todo.pop() {
        match pair {
            (Value::Double(x), Value::Double(y)) => {
                // The writer loses the sign of zero, as Java's does.
                if !(x == y || x.to_bits() == y.to_bits()) {
                    return false;
                }
            }
            (Value::Node(x), Value::Node(y)) => {
                if let Some(known) = pairs.insert(x, y) {
                    if known != y {
                        return false;
                    }
                    continue;
                }
                match (a.0.node(x), b.0.node(y)) {
                    (
                        Some(Node::List { class: c, items: i }),
                        Some(Node::List { class: d, items: j }),
                    ) if c == d && i.len() == j.len() => {
                        todo.extend(i.iter().copied().zip(j.iter().copied()));
                    }
                    (
                        Some(Node::Map { class: c, entries: i }),
                        Some(Node::Map { class: d, entries: j }),
                    ) if c == d && i.len() == j.len() => {
                        todo.extend(i.iter().flatten().copied().zip(j.iter().flatten().copied()));
                    }
                    (
                        Some(Node::Object { class: c, names: n, fields: i }),
                        Some(Node::Object { class: d, names: m, fields: j }),
                    ) if c == d && n == m && i.len() == j.len() => {
                        todo.extend(i.iter().copied().zip(j.iter().copied()));
                    }
                    _ => return false,
                }
            }
            (x, y) => {
                if x != y {
                    return false;
                }
            }
        }
    }
    true
}

fuzz_target!(|input: &[u8]| {
    let limits = Limits::default();
    let Ok((graph, values)) = decode(input, &limits) else { return };
    let mut encoder = Encoder::new(&graph);
    values.iter().for_each(|value| encoder.value(*value));
    let bytes = encoder.into_bytes();
    let (again, others) = decode(&bytes, &limits).expect("what was written can be read");
    assert_eq!(values.len(), others.len());
    for (value, other) in values.iter().zip(&others) {
        assert!(same((&graph, *value), (&again, *other)));
    }
    // Written once more it is the same: the form is canonical.
    let mut encoder = Encoder::new(&again);
    others.iter().for_each(|value| encoder.value(*value));
    assert_eq!(encoder.into_bytes(), bytes);
});
