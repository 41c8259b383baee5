//! MessagePack values as JSON text, for people and their tools.
//!
//! It is a rendering, as that of the other formats is: bytes are `{"$bytes": "00ff"}`, an extension is
//! `{"$type": 5, "$ext": {"$bytes": "aa"}}`, keys that are no strings stand in quotes.

use alloc::string::{String, ToString as _};
use alloc::vec::Vec;
use core::fmt::Write as _;

use crate::error::{Error, ErrorKind, Limit, Limits, What};
use crate::hessian2::Binary;
use crate::msgpack::{Value, value};
use crate::reader::Reader;
use crate::render::{push_bytes, push_double, push_text};
use crate::text::Text;

/// A container that has begun and not ended.
struct Open {
    /// Parts that were written, and all that there are; of a map its keys and values.
    done: u64,
    count: u64,
    is_map: bool,
}

/// The values that `bytes` hold one after the other, each as JSON text on one line.
///
/// Fails on the first byte that is wrong, on a key that has parts, and on
/// [`Limits::max_depth`].
pub fn to_json(bytes: &[u8], limits: &Limits) -> Result<Vec<String>, Error> {
    let mut reader = Reader::new(bytes);
    let mut values = Vec::new();
    while reader.left() > 0 {
        values.push(one(&mut reader, limits)?);
    }
    Ok(values)
}

fn one(r: &mut Reader<'_>, limits: &Limits) -> Result<String, Error> {
    let (mut out, mut open) = (String::new(), Vec::<Open>::new());
    loop {
        let mut is_key = false;
        if let Some(around) = open.last_mut() {
            is_key = around.is_map && around.done.is_multiple_of(2);
            if around.done > 0 {
                out.push(if around.is_map && !is_key { ':' } else { ',' });
            }
            around.done += 1;
        }
        let at = r.at();
        let (count, is_map) = match value(r, What::Value)? {
            Value::Array(count) => (count, false),
            Value::Map(count) => (count.saturating_mul(2), true),
            scalar => {
                push_scalar(&mut out, &scalar, r.since(at), is_key);
                (0, false)
            }
        };
        if is_container(r.since(at)) {
            if is_key {
                return Err(Error::new(at, What::Value, ErrorKind::Unsupported));
            }
            if open.len() >= limits.max_depth as usize {
                return Err(Error::new(at, What::Value, ErrorKind::Limit(Limit::Depth)));
            }
            out.push(if is_map { '{' } else { '[' });
            open.push(Open {
                done: 0,
                count,
                is_map,
            });
        }
        while let Some(whole) = open.pop_if(|open| open.done == open.count) {
            out.push(if whole.is_map { '}' } else { ']' });
        }
        if open.is_empty() {
            return Ok(out);
        }
    }
}

fn is_container(read: &[u8]) -> bool {
    matches!(read.first(), Some(0x80..=0x9f | 0xdc..=0xdf))
}

fn push_scalar(out: &mut String, scalar: &Value<'_>, raw: &[u8], is_key: bool) {
    match scalar {
        Value::String(text) => push_text(out, *text),
        scalar if is_key => {
            let mut text = String::new();
            push_scalar(&mut text, scalar, raw, false);
            push_text(out, Text::new(&text));
        }
        Value::Bool(value) => out.push_str(&value.to_string()),
        Value::Integer(value) => out.push_str(&value.to_string()),
        Value::Other => push_other(out, raw),
        Value::Null | Value::Array(_) | Value::Map(_) => out.push_str("null"),
    }
}

/// What the walk takes no notice of: its lead byte and what follows.
fn push_other(out: &mut String, raw: &[u8]) {
    let bytes = |out: &mut String, head: usize| {
        push_bytes(out, &Binary::new(raw.get(head..).unwrap_or_default()));
    };
    match raw {
        [0xca, b0, b1, b2, b3] => {
            push_double(out, f64::from(f32::from_be_bytes([*b0, *b1, *b2, *b3])));
        }
        [0xcb, rest @ ..] => match rest.try_into() {
            Ok(rest) => push_double(out, f64::from_be_bytes(rest)),
            Err(_) => out.push_str("null"),
        },
        [0xcf, rest @ ..] => match rest.try_into() {
            Ok(rest) => out.push_str(&u64::from_be_bytes(rest).to_string()),
            Err(_) => out.push_str("null"),
        },
        [lead @ 0xc4..=0xc6, ..] => bytes(out, 1 + (1 << (lead - 0xc4))),
        [lead, ..] => {
            let head = match lead {
                0xc7..=0xc9 => 1 + (1 << (lead - 0xc7)),
                _ => 1,
            };
            let kind = raw.get(head).copied().unwrap_or_default() as i8;
            // Writing to a string does not fail.
            let _ = write!(out, "{{\"$type\":{kind},\"$ext\":");
            bytes(out, head + 1);
            out.push('}');
        }
        [] => out.push_str("null"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `msgpack.packb` of msgpack 1.2 for Python wrote the bytes.
    #[test]
    fn values_of_all_kinds() {
        let limits = Limits::default();
        let bytes =
            b"\x84\xa1a\x93\x01\xc0\xc3\xa1b\xcb\x3f\xf8\0\0\0\0\0\0\xa1c\xc4\x02\x00\xff\x07\x80";
        let expected = r#"{"a":[1,null,true],"b":1.5,"c":{"$bytes":"00ff"},"7":{}}"#;
        assert_eq!(to_json(bytes, &limits).unwrap(), [expected]);
        let two = b"\xa3one\x90";
        assert_eq!(to_json(two, &limits).unwrap(), ["\"one\"", "[]"]);
        let ext = b"\xd4\x05\xaa";
        let expected = r#"{"$type":5,"$ext":{"$bytes":"aa"}}"#;
        assert_eq!(to_json(ext, &limits).unwrap(), [expected]);
    }

    #[test]
    fn what_is_wrong_or_too_deep_is_an_error() {
        let limits = Limits::default();
        assert!(to_json(b"\x92\x01", &limits).is_err());
        assert!(to_json(b"\x81\x90\x01", &limits).is_err());
        assert!(to_json(&[0x91; 100_000], &limits).is_err());
        assert!(to_json(b"\xdd\xff\xff\xff\xff\x01", &limits).is_err());
    }
}
