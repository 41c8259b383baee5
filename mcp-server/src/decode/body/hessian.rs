//! Values in Hessian 2, up to the first byte that is wrong.

use dubbo_codec::Limits;
use dubbo_codec::hessian2::{Graph, Node, Value, decode_readable};

use super::{Json, Rest, Thrown};

/// `count` values, and attachments behind them.
pub(super) fn rest(bytes: &[u8], count: usize, has_attachments: bool, limits: &Limits) -> Rest {
    let most = count + usize::from(has_attachments);
    let read = decode_readable(bytes, most, limits);
    let mut values = read.values;
    let broken = read.broken.map(|(error, part)| {
        values.extend(part);
        error
    });
    let attachments = match values.get(count) {
        Some(Value::Node(id)) => match read.graph.node(*id) {
            Some(Node::Map { entries, .. }) => pairs(&read.graph, entries),
            _ => Vec::new(),
        },
        _ => Vec::new(),
    };
    values.truncate(count);
    Rest {
        thrown: values
            .last()
            .map_or_else(Thrown::default, |v| thrown(&read.graph, *v)),
        values: values
            .into_iter()
            .map(|value| read.graph.to_json(value))
            .collect(),
        attachments,
        // Where too few values are, something is missing.
        broken,
    }
}

fn pairs(graph: &Graph<'_>, entries: &[[Value<'_>; 2]]) -> Vec<(Json, Json)> {
    let json = |value: &Value<'_>| graph.to_json(*value);
    let key = |value: &Value<'_>| match value {
        Value::String(_) => json(value),
        other => serde_json::Value::from(json(other)).to_string(),
    };
    entries
        .iter()
        .map(|[name, value]| (key(name), json(value)))
        .collect()
}

fn thrown(graph: &Graph<'_>, value: Value<'_>) -> Thrown {
    let Value::Node(id) = value else {
        return Thrown::default();
    };
    Thrown {
        class: graph
            .class_of(id)
            .and_then(|class| graph.class_name(class))
            .map(|name| name.to_string()),
        message: match graph.field(id, "detailMessage") {
            Some(Value::String(message)) => Some(message.to_string()),
            _ => None,
        },
        code: match graph.field(id, "code") {
            Some(Value::Int(code)) => Some(code),
            _ => None,
        },
    }
}
