//! Values as JSON text, for people and their tools.
//!
//! It is a rendering, not an encoding: nothing reads it back. What JSON has no word for stands under
//! names that begin with `$`:
//!
//! ```text
//! object, typed map   {"$class": "demo.Person", "name": "Ann", ...}
//! typed list          {"$class": "[int", "$items": [1, 2]}
//! met again           {"$ref": 3}: the 3rd list, map or object of the body, counted from 0
//! date                {"$date": "2023-11-14T22:13:20.123Z"}
//! bytes               {"$bytes": "00ff"}
//! text in GB18030     {"$gb18030": "d6d0"}
//! NaN, infinities     "NaN", "Infinity", "-Infinity"
//! lone surrogate      \ud83d
//! ```
//! Keys of maps that are no strings are rendered as JSON and put in quotes; a key with parts within
//! such a key is only named: `{"$ref": 3}`, in JSONB, which has no numbers for them, `"$key"`.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt::Write as _;

use crate::hessian2::{Binary, Graph, Node, NodeId, Value};
use crate::jsonb;
use crate::text::Text;

impl<'a> Graph<'a> {
    /// A value of this graph as JSON text, on one line; the head of the module says how.
    /// A node that is met again within the value is a reference, so cycles end.
    pub fn to_json(&self, value: Value<'a>) -> String {
        Rendering::new(self).text(value)
    }

    /// Several values, each as [`to_json`](Self::to_json) has it. A node that was met in an earlier
    /// one is a reference too, so that all texts together are not much longer than the bytes.
    pub fn to_json_each(&self, values: impl IntoIterator<Item = Value<'a>>) -> Vec<String> {
        let mut rendering = Rendering::new(self);
        let text = |value| rendering.text(value);
        values.into_iter().map(text).collect()
    }

    fn begin(&self, id: NodeId, steps: &mut Vec<Step<'a>>) {
        let Some(node) = self.node(id) else {
            return steps.push(Step::Verbatim("null"));
        };
        let mut parts = Vec::new();
        let (class, open, close) = match node {
            Node::List { class, items } => {
                for (at, item) in items.iter().enumerate() {
                    parts.extend((at > 0).then_some(Step::Verbatim(",")));
                    parts.push(Step::Value(*item));
                }
                match class {
                    Some(class) => (Some(class), "{", "]}"),
                    None => (None, "[", "]"),
                }
            }
            Node::Map { class, entries } => {
                for (at, [key, value]) in entries.iter().enumerate() {
                    parts.extend((at > 0 || class.is_some()).then_some(Step::Verbatim(",")));
                    parts.extend([Step::Key(*key), Step::Value(*value)]);
                }
                (class, "{", "}")
            }
            Node::Object {
                class,
                names,
                fields,
            } => {
                for (name, value) in names.iter().zip(fields) {
                    parts.extend([Step::Verbatim(","), Step::Name(*name), Step::Value(*value)]);
                }
                (Some(class), "{", "}")
            }
        };
        steps.push(Step::Verbatim(close));
        steps.extend(parts.into_iter().rev());
        if let (Some(_), "]}") = (class, close) {
            steps.push(Step::Verbatim(",\"$items\":["));
        }
        if let Some(class) = class {
            steps.extend([
                Step::Value(Value::String(class)),
                Step::Name(Text::new("$class")),
            ]);
        }
        steps.push(Step::Verbatim(open));
    }
}

/// Values on their way to text.
struct Rendering<'g, 'a> {
    graph: &'g Graph<'a>,
    /// Which nodes were written.
    met: Vec<bool>,
    /// A key is being written. Keys within keys are not: each level would double the quotes.
    is_key: bool,
}

impl<'g, 'a> Rendering<'g, 'a> {
    fn new(graph: &'g Graph<'a>) -> Self {
        Self {
            graph,
            met: vec![false; graph.len()],
            is_key: false,
        }
    }

    fn text(&mut self, value: Value<'a>) -> String {
        let mut out = String::new();
        let mut steps = vec![Step::Value(value)];
        while let Some(step) = steps.pop() {
            match step {
                Step::Verbatim(text) => out.push_str(text),
                Step::Name(name) | Step::Key(Value::String(name)) => {
                    push_text(&mut out, name);
                    out.push(':');
                }
                Step::Key(other) => {
                    let key = self.key(other);
                    push_text(&mut out, Text::new(&key));
                    out.push(':');
                }
                Step::Value(Value::Node(id)) => match self.met.get_mut(id.index()) {
                    Some(met) if !*met => {
                        *met = true;
                        self.graph.begin(id, &mut steps);
                    }
                    _ => push_reference(&mut out, id),
                },
                Step::Value(scalar) => push_scalar(&mut out, scalar),
            }
        }
        out
    }

    fn key(&mut self, key: Value<'a>) -> String {
        match key {
            Value::Node(id) if self.is_key => {
                let mut out = String::new();
                push_reference(&mut out, id);
                out
            }
            key => {
                let was_key = core::mem::replace(&mut self.is_key, true);
                let text = self.text(key);
                self.is_key = was_key;
                text
            }
        }
    }
}

fn push_reference(out: &mut String, id: NodeId) {
    push(out, format_args!("{{\"$ref\":{}}}", id.index()));
}

/// What is still to be written.
enum Step<'a> {
    Value(Value<'a>),
    Key(Value<'a>),
    Name(Text<'a>),
    Verbatim(&'static str),
}

fn push(out: &mut String, text: core::fmt::Arguments<'_>) {
    // Writing to a string does not fail.
    let _ = out.write_fmt(text);
}

fn push_scalar(out: &mut String, value: Value<'_>) {
    match value {
        Value::Null | Value::Node(_) => out.push_str("null"),
        Value::Bool(value) => push(out, format_args!("{value}")),
        Value::Int(value) => push(out, format_args!("{value}")),
        Value::Long(value) => push(out, format_args!("{value}")),
        Value::Double(value) => push_double(out, value),
        Value::Date(millis) => push_instant(
            out,
            millis.div_euclid(1000),
            millis.rem_euclid(1000) as u32 * 1_000_000,
        ),
        Value::String(text) => push_text(out, text),
        Value::Binary(binary) => push_bytes(out, &binary),
    }
}

pub(crate) fn push_double(out: &mut String, value: f64) {
    match value {
        f64::INFINITY => out.push_str("\"Infinity\""),
        f64::NEG_INFINITY => out.push_str("\"-Infinity\""),
        value if value.is_nan() => out.push_str("\"NaN\""),
        value => push(out, format_args!("{value:?}")),
    }
}

pub(crate) fn push_bytes(out: &mut String, binary: &Binary<'_>) {
    push_hex(out, "$bytes", binary);
}

fn push_hex(out: &mut String, name: &str, binary: &Binary<'_>) {
    push(out, format_args!("{{\"{name}\":\""));
    binary
        .chunks()
        .flatten()
        .for_each(|byte| push(out, format_args!("{byte:02x}")));
    out.push_str("\"}");
}

/// A JSON string, RFC 8259 section 7; lone surrogates are escaped.
pub(crate) fn push_text(out: &mut String, text: Text<'_>) {
    out.push('"');
    for c in text.chars() {
        match c {
            Ok(c @ ('"' | '\\')) => out.extend(['\\', c]),
            Ok('\n') => out.push_str("\\n"),
            Ok('\r') => out.push_str("\\r"),
            Ok('\t') => out.push_str("\\t"),
            Ok(c @ '\0'..' ') => push(out, format_args!("\\u{:04x}", u32::from(c))),
            Ok(c) => out.push(c),
            Err(unit) => push(out, format_args!("\\u{unit:04x}")),
        }
    }
    out.push('"');
}

fn push_instant(out: &mut String, seconds: i64, nanos: u32) {
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    push(
        out,
        format_args!(
            "{{\"$date\":\"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}"
        ),
    );
    match nanos {
        0 => {}
        nanos if nanos % 1_000_000 == 0 => push(out, format_args!(".{:03}", nanos / 1_000_000)),
        nanos => push(out, format_args!(".{nanos:09}")),
    }
    out.push_str("Z\"}");
}

/// Year, month and day of a day counted from 1 January 1970, in the Gregorian calendar
/// (Howard Hinnant, "chrono-compatible low-level date algorithms").
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

impl jsonb::Value<'_> {
    /// The value as JSON text, on one line; the head of the module says how. A path to what was met
    /// before is `{"$ref": "$.a"}`.
    pub fn to_json(&self) -> String {
        self.text(false)
    }

    fn text(&self, is_key: bool) -> String {
        enum Step<'v, 'a> {
            Value(&'v jsonb::Value<'a>),
            Key(&'v jsonb::Value<'a>),
            Verbatim(&'static str),
        }
        use jsonb::Value as V;
        let mut out = String::new();
        let mut steps = vec![Step::Value(self)];
        while let Some(step) = steps.pop() {
            match step {
                Step::Verbatim(text) => out.push_str(text),
                Step::Key(V::String(name)) => {
                    push_text(&mut out, *name);
                    out.push(':');
                }
                Step::Key(V::Array(_) | V::Object(_) | V::Typed(..)) if is_key => {
                    out.push_str("\"$key\":");
                }
                Step::Key(other) => {
                    push_text(&mut out, Text::new(&other.text(true)));
                    out.push(':');
                }
                Step::Value(V::Array(items)) => {
                    steps.push(Step::Verbatim("]"));
                    for (at, item) in items.iter().enumerate().rev() {
                        steps.push(Step::Value(item));
                        steps.extend((at > 0).then_some(Step::Verbatim(",")));
                    }
                    steps.push(Step::Verbatim("["));
                }
                Step::Value(V::Object(entries)) => {
                    steps.push(Step::Verbatim("}"));
                    for (at, [key, value]) in entries.iter().enumerate().rev() {
                        steps.extend([Step::Value(value), Step::Key(key)]);
                        steps.extend((at > 0).then_some(Step::Verbatim(",")));
                    }
                    steps.push(Step::Verbatim("{"));
                }
                Step::Value(V::Typed(class, value)) => {
                    out.push_str("{\"$class\":");
                    push_text(&mut out, *class);
                    match &**value {
                        V::Object(entries) => {
                            steps.push(Step::Verbatim("}"));
                            for [key, value] in entries.iter().rev() {
                                steps.extend([
                                    Step::Value(value),
                                    Step::Key(key),
                                    Step::Verbatim(","),
                                ]);
                            }
                        }
                        other => {
                            out.push_str(",\"$items\":");
                            steps.extend([Step::Verbatim("}"), Step::Value(other)]);
                        }
                    }
                }
                Step::Value(scalar) => push_jsonb(&mut out, scalar),
            }
        }
        out
    }
}

fn push_jsonb(out: &mut String, value: &jsonb::Value<'_>) {
    use jsonb::Value as V;
    match value {
        V::Null | V::Array(_) | V::Object(_) | V::Typed(..) => out.push_str("null"),
        V::Bool(value) => push(out, format_args!("{value}")),
        V::Byte(value) => push(out, format_args!("{value}")),
        V::Short(value) => push(out, format_args!("{value}")),
        V::Int(value) => push(out, format_args!("{value}")),
        V::Long(value) | V::BigLong(value) => push(out, format_args!("{value}")),
        V::Float(value) => push_double(out, f64::from(*value)),
        V::Double(value) => push_double(out, *value),
        V::Char(unit) => push_text(out, Text::from_utf16_be(&unit.to_be_bytes())),
        V::String(text) => push_text(out, *text),
        V::Gb18030(bytes) => push_hex(out, "$gb18030", &Binary::new(bytes)),
        V::Binary(bytes) | V::BigInt(bytes) => push_bytes(out, &Binary::new(bytes)),
        V::Decimal(unscaled, 0) => push(out, format_args!("{unscaled}")),
        V::Decimal(unscaled, scale) => push(out, format_args!("{unscaled}e{}", -i64::from(*scale))),
        V::BigDecimal(unscaled, scale) => {
            out.push_str("{\"$unscaled\":");
            push_bytes(out, &Binary::new(unscaled));
            push(out, format_args!(",\"$scale\":{scale}}}"));
        }
        V::Instant(seconds, nanos) => push_instant(out, *seconds, (*nanos).unsigned_abs()),
        V::Calendar { date, time, zone } => {
            out.push_str("{\"$date\":\"");
            if let Some((year, month, day)) = date {
                push(out, format_args!("{year:04}-{month:02}-{day:02}"));
            }
            if let Some((hour, minute, second, nano)) = time {
                push(
                    out,
                    format_args!("T{hour:02}:{minute:02}:{second:02}.{nano:09}"),
                );
            }
            out.push('"');
            if let Some(zone) = zone {
                out.push_str(",\"$zone\":");
                push_text(out, *zone);
            }
            out.push('}');
        }
        V::Reference(path) => {
            out.push_str("{\"$ref\":");
            push_text(out, *path);
            out.push('}');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Limits;
    use crate::hessian2::decode;

    #[test]
    fn a_bean_with_a_cycle() {
        // hessian-lite 4.0.4 wrote it: a bean whose `boss` is itself, with an enum and a decimal.
        let bytes = b"C\x0bdemo.Person\x95\x04boss\x04born\x04kind\x04tags\x03age\x60\x51\x90\
            \x4a\0\0\x01\x8b\xcf\xe5h{C\x10demo.Person$Kind\x91\x04name\x61\x05STAFF\x7a\x01a\x01\xe4\xb8\xad\xb1";
        let (graph, values) = decode(bytes, &Limits::default()).unwrap();
        let expected = r#"{"$class":"demo.Person","boss":{"$ref":0},"born":{"$date":"2023-11-14T22:13:20.123Z"},"kind":{"$class":"demo.Person$Kind","name":"STAFF"},"tags":["a","中"],"age":33}"#;
        assert_eq!(graph.to_json(values[0]), expected);
    }

    #[test]
    fn what_json_has_no_word_for() {
        let bytes = b"H\x91\x72\x04[int\x91\x92\x01b\x22\0\xff\x01n\x44\x7f\xf8\0\0\0\0\0\0\x01s\x01\xed\xa0\xbd\x01d\x5f\0\0\x05\xdcZ";
        let (graph, values) = decode(bytes, &Limits::default()).unwrap();
        let expected = r#"{"1":{"$class":"[int","$items":[1,2]},"b":{"$bytes":"00ff"},"n":"NaN","s":"\ud83d","d":1.5}"#;
        assert_eq!(graph.to_json(values[0]), expected);
    }

    /// A map that is its own key, and keys of keys of keys: neither ends the stack nor fills the
    /// memory.
    #[test]
    fn keys_within_keys_are_named() {
        let (graph, values) = decode(b"HQ\x90NZ", &Limits::default()).unwrap();
        assert_eq!(graph.to_json(values[0]), r#"{"{\"$ref\":0}":null}"#);
        let mut deep = vec![b'H'; 400];
        deep.extend(b"\x01a\x01b");
        deep.extend([b'Z', b'N'].repeat(399));
        deep.push(b'Z');
        let (graph, values) = decode(&deep, &Limits::default()).unwrap();
        let expected = r#"{"{\"{\\\"$ref\\\":2}\":null}":null}"#;
        assert_eq!(graph.to_json(values[0]), expected);
        let mut deep = vec![0xa6; 400];
        deep.extend([0x4a, b'a', 0x4a, b'b']);
        deep.extend([0xa5, 0xaf].repeat(399));
        deep.push(0xa5);
        let value = jsonb::decode(&deep, &Limits::default()).unwrap();
        assert_eq!(value.to_json(), r#"{"{\"$key\":null}":null}"#);
    }

    #[test]
    fn a_node_of_an_earlier_value_is_a_reference() {
        let (graph, values) = decode(b"\x79\x91\x51\x90", &Limits::default()).unwrap();
        assert_eq!(graph.to_json_each(values), ["[1]", r#"{"$ref":0}"#]);
    }

    /// `date -u -d @N` of GNU coreutils.
    #[test]
    fn dates() {
        for (seconds, expected) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (-1, "1969-12-31T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
            (-62_135_596_800, "0001-01-01T00:00:00Z"),
        ] {
            let mut out = String::new();
            push_instant(&mut out, seconds, 0);
            assert_eq!(out, alloc::format!("{{\"$date\":\"{expected}\"}}"));
        }
    }
}
