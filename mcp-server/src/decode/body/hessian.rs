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
    let entries = match values.get(count) {
        Some(Value::Node(id)) => match read.graph.node(*id) {
            Some(Node::Map { entries, .. }) => entries,
            _ => &[],
        },
        _ => &[],
    };
    let shown = entries.len().min(limits.max_attachments as usize);
    values.truncate(count);
    // One rendering of all: what a later value says of an earlier one is a reference.
    let all = values.iter().chain(entries[..shown].iter().flatten());
    let mut json = read.graph.to_json_each(all.copied());
    let pairs = json.split_off(values.len());
    let keys = entries
        .iter()
        .map(|[key, _]| matches!(key, Value::String(_)));
    Rest {
        thrown: values
            .last()
            .map_or_else(Thrown::default, |v| thrown(&read.graph, *v)),
        values: json,
        attachments: pairs.as_chunks().0.iter().zip(keys).map(pair).collect(),
        broken,
    }
}

fn pair(([name, value], is_text): (&[Json; 2], bool)) -> (Json, Json) {
    let name = match is_text {
        true => name.clone(),
        false => serde_json::Value::from(&**name).to_string(),
    };
    (name, value.clone())
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
