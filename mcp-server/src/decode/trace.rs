//! An exception's value, for people: where it was thrown, and what it says besides.
//!
//! All serializations write Java's `Throwable` as an object with a `stackTrace`; their names for its
//! parts differ a little. Works on JSON text, so that one reading serves all.

use serde_json::{Map, Value};

/// What is shown of an exception.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Trace {
    /// As Java prints them: `demo.GreetImpl.fail(GreetImpl.java:15)`.
    pub(crate) lines: Vec<String>,
    /// Fields of its own, as JSON.
    pub(crate) fields: Vec<(String, String)>,
}

/// What every exception has, and what is shown of it otherwise.
const KNOWN: [&str; 8] = [
    "$class",
    "@type",
    "detailMessage",
    "localizedMessage",
    "message",
    "stackTrace",
    "depth",
    "clazz",
];

/// Reads an exception; `None` if it is not written in a way that is known.
pub(crate) fn of(json: &str) -> Option<Trace> {
    let value: Value = serde_json::from_str(json).ok()?;
    let outer = value.as_object()?;
    let fields = match outer.get("exception") {
        Some(Value::Object(inner)) if outer.contains_key("clazz") => inner,
        _ => outer,
    };
    let trace = fields.get("stackTrace")?;
    let lines = items(trace)?
        .iter()
        .filter_map(Value::as_object)
        .map(line)
        .collect();
    let own = fields.iter().filter(|(name, value)| {
        let is_itself = *name == "cause" && value.get("$ref").is_some();
        let is_empty = value.is_null() || items(value).is_some_and(<[Value]>::is_empty);
        !KNOWN.contains(&name.as_str()) && !is_empty && !is_itself
    });
    let fields = own
        .map(|(name, value)| (name.clone(), value.to_string()))
        .collect();
    Some(Trace { lines, fields })
}

/// The elements of a list, whether its class is named or not.
fn items(value: &Value) -> Option<&[Value]> {
    let list = value.get("$items").unwrap_or(value);
    list.as_array().map(Vec::as_slice)
}

fn line(element: &Map<String, Value>) -> String {
    let text = |name: &str| element.get(name).and_then(Value::as_str);
    let class = text("declaringClass").or_else(|| text("className"));
    let place = match (
        text("fileName"),
        element.get("lineNumber").and_then(Value::as_i64),
    ) {
        (Some(file), Some(number @ 0..)) => format!("{file}:{number}"),
        (Some(file), _) => file.to_owned(),
        (None, Some(-2)) => "Native Method".to_owned(),
        (None, _) => "Unknown Source".to_owned(),
    };
    let (class, method) = (class.unwrap_or("?"), text("methodName").unwrap_or("?"));
    format!("{class}.{method}({place})")
}
