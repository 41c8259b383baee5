//! Values as the text of `go/main.go`: without what dubbo-go-hessian2 does not keep.
//!
//! An object is a map, lists and maps have no names, a map has no order. A value that is met again
//! is shown again; one that holds itself is `^n`, what stands n levels further out.

use dubbo_codec::Text;
use dubbo_codec::hessian2::{Graph, Node, NodeId, Value};

use super::recorded::{Show, quote};

/// All values, a space between them.
pub(super) fn shown<'a>(graph: &Graph<'a>, values: &[Value<'a>]) -> String {
    let show = |value: &Value<'a>| show(graph, *value, &mut Vec::new());
    values.iter().map(show).collect::<Vec<_>>().join(" ")
}

fn show<'a>(graph: &Graph<'a>, value: Value<'a>, outer: &mut Vec<NodeId>) -> String {
    let Value::Node(id) = value else {
        return Show::default().value(graph, value);
    };
    if let Some(at) = outer.iter().rposition(|above| *above == id) {
        return format!("^{}", outer.len() - at);
    }
    outer.push(id);
    let text = match graph.node(id).expect("a node of the graph") {
        Node::List { items, .. } => {
            let items = items.iter().map(|item| show(graph, *item, outer));
            format!("[{}]", items.collect::<Vec<_>>().join(","))
        }
        Node::Map { entries, .. } => map(entries
            .iter()
            .map(|entry| entry.map(|part| show(graph, part, outer)))),
        Node::Object { names, fields, .. } => map(names
            .iter()
            .zip(fields)
            .map(|(name, value): (&Text<'a>, _)| [quote(*name), show(graph, *value, outer)])),
    };
    outer.pop();
    text
}

fn map(entries: impl Iterator<Item = [String; 2]>) -> String {
    let mut entries: Vec<String> = entries.map(|entry| entry.join("=")).collect();
    entries.sort();
    format!("{{{}}}", entries.join(","))
}
