//! Bodies of MessagePack values, serialization 27, as Jackson's data format writes them. Read only.
//!
//! Source: the MessagePack specification, and `MsgpackObjectOutput` of Dubbo 2.7: values one after
//! the other without framing, an exception as the name of its class and a map. All containers are counted, so
//! passing over a value is one count of the values still to come.

mod json;

pub use json::to_json;

use crate::body::Entries;
use crate::error::{Error, ErrorKind, Limits, What};
use crate::exception::Exception;
use crate::reader::Reader;
use crate::text::{Encoding, Text};

pub(crate) const NULL: u8 = 0xc0;

/// A value, or the beginning of one that has parts.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Value<'a> {
    Null,
    Bool(bool),
    Integer(i64),
    String(Text<'a>),
    /// A number, bytes or an extension.
    Other,
    /// That many values follow.
    Array(u64),
    /// That many pairs of values follow.
    Map(u64),
}

/// A string or null.
pub(crate) fn optional_string<'a>(
    r: &mut Reader<'a>,
    what: What,
) -> Result<Option<Text<'a>>, Error> {
    let at = r.at();
    match (value(r, what)?, r.since(at).first()) {
        (Value::Null, _) => Ok(None),
        (Value::String(text), _) => Ok(Some(text)),
        (_, lead) => {
            let lead = lead.copied().unwrap_or_default();
            Err(Error::new(at, what, ErrorKind::UnexpectedByte(lead)))
        }
    }
}

/// Reads one value, of a container its head alone.
pub(crate) fn value<'a>(r: &mut Reader<'a>, what: What) -> Result<Value<'a>, Error> {
    let at = r.at();
    let lead = r.byte(what)?;
    Ok(match lead {
        0x00..=0x7f | 0xe0..=0xff => Value::Integer(i64::from(lead as i8)),
        0x80..=0x8f => Value::Map(u64::from(lead & 0xf)),
        0x90..=0x9f => Value::Array(u64::from(lead & 0xf)),
        0xa0..=0xbf => text(r, u64::from(lead & 0x1f), what)?,
        NULL => Value::Null,
        0xc2 | 0xc3 => Value::Bool(lead == 0xc3),
        0xc4..=0xc6 => {
            let len = unsigned(r, lead - 0xc4, what)?;
            over(r, len, what)?
        }
        0xc7..=0xc9 => {
            let len = unsigned(r, lead - 0xc7, what)?;
            over(r, len.saturating_add(1), what)?
        }
        0xca => over(r, 4, what)?,
        0xcb => over(r, 8, what)?,
        0xcc..=0xcf => {
            let value = unsigned(r, lead - 0xcc, what)?;
            i64::try_from(value).map_or(Value::Other, Value::Integer)
        }
        0xd0 => Value::Integer(i64::from(i8::from_be_bytes(r.array(what)?))),
        0xd1 => Value::Integer(i64::from(i16::from_be_bytes(r.array(what)?))),
        0xd2 => Value::Integer(i64::from(i32::from_be_bytes(r.array(what)?))),
        0xd3 => Value::Integer(i64::from_be_bytes(r.array(what)?)),
        0xd4..=0xd8 => over(r, 1 + (1 << (lead - 0xd4)), what)?,
        0xd9..=0xdb => {
            let len = unsigned(r, lead - 0xd9, what)?;
            text(r, len, what)?
        }
        0xdc | 0xdd => Value::Array(unsigned(r, lead - 0xdc + 1, what)?),
        0xde | 0xdf => Value::Map(unsigned(r, lead - 0xde + 1, what)?),
        0xc1 => return Err(Error::new(at, what, ErrorKind::UnexpectedByte(lead))),
    })
}

/// A number of 1, 2, 4 or 8 bytes.
fn unsigned(r: &mut Reader<'_>, log: u8, what: What) -> Result<u64, Error> {
    let bytes = r.take(1 << log, what)?;
    Ok(bytes
        .iter()
        .fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

fn over<'a>(r: &mut Reader<'a>, len: u64, what: What) -> Result<Value<'a>, Error> {
    r.take(usize::try_from(len).unwrap_or(usize::MAX), what)?;
    Ok(Value::Other)
}

fn text<'a>(r: &mut Reader<'a>, len: u64, what: What) -> Result<Value<'a>, Error> {
    let at = r.at();
    let bytes = r.take(usize::try_from(len).unwrap_or(usize::MAX), what)?;
    match core::str::from_utf8(bytes) {
        Ok(_) => Ok(Value::String(Text::of(bytes, Encoding::Utf8))),
        Err(error) => Err(Error::new(
            at + error.valid_up_to(),
            what,
            ErrorKind::BadText,
        )),
    }
}

/// Passes over one value with all its parts.
pub(crate) fn skip(r: &mut Reader<'_>) -> Result<(), Error> {
    let mut left = 1_u64;
    while left > 0 {
        left -= 1;
        let more = match value(r, What::Value)? {
            Value::Array(count) => count,
            Value::Map(count) => count.saturating_mul(2),
            _ => 0,
        };
        left = left.saturating_add(more);
        // Every value takes a byte.
        if left > r.left() as u64 {
            return Err(r.short(What::Value));
        }
    }
    Ok(())
}

/// Passes over a map of attachments and remembers where each one is.
pub(crate) fn entries(r: &mut Reader<'_>, limits: &Limits) -> Result<Entries, Error> {
    const WHAT: What = What::Attachments;
    let at = r.at();
    let mut entries = Entries::at(at);
    let count = match value(r, WHAT)? {
        Value::Map(count) => count,
        Value::Null => 0,
        _ => {
            let lead = r.since(at).first().copied().unwrap_or_default();
            return Err(Error::new(at, WHAT, ErrorKind::UnexpectedByte(lead)));
        }
    };
    entries.first = r.at() as u32;
    for _ in 0..count {
        let key = r.at();
        skip(r)?;
        let value = r.at();
        skip(r)?;
        entries.push(key, value, limits)?;
    }
    entries.end = r.at() as u32;
    entries.after = entries.end;
    Ok(entries)
}

/// What can be seen of an exception: the name of its class, then its properties as a map.
pub(crate) fn exception<'a>(r: &mut Reader<'a>, limits: &Limits) -> Result<Exception<'a>, Error> {
    let mut found = Exception {
        class: optional_string(r, What::Type)?,
        ..Exception::default()
    };
    let (before, body) = (*r, r.all());
    skip(r)?;
    let Ok(fields) = entries(&mut before.clone(), limits) else {
        return Ok(found);
    };
    let at = |at: u32| value(&mut Reader::starting_at(body, at as usize), What::Value).ok();
    for (name, field) in fields.list.iter() {
        match (at(name), at(field)) {
            (Some(Value::String(name)), Some(Value::String(text))) if name == "message" => {
                found.message = Some(text);
            }
            (Some(Value::String(name)), Some(Value::Integer(code))) if name == "code" => {
                found.code = i32::try_from(code).ok();
            }
            _ => {}
        }
    }
    Ok(found)
}
