//! Bodies of protobuf messages, serializations 22 (binary) and 21 (JSON). Read only.
//!
//! Source: `GenericProtobufObjectOutput` and `GenericProtobufJsonObjectOutput` of Dubbo 2.7, the
//! encoding of protocol buffers 3 and its JSON mapping. There is no null. All that is written is a
//! message:
//!
//! ```text
//! string        google.protobuf.StringValue     { string value = 1 }     JSON: a string
//! flag          google.protobuf.Int32Value      { int32 value = 1 }      JSON: a number
//! attachments   MapValue.Map                    { map<string, string> attachments = 1 }
//! exception     ThrowableProto                  { original_class_name = 1, original_message = 2 ..}
//! 22            each behind its length, a varint      21   each as JSON on a line of its own
//! ```
//! Fields are looked for as every reader of protobuf does it: in any order, unknown ones are passed
//! over, of several the last one counts. Stricter than Java: groups, which proto 3 has none of, are
//! refused.

use crate::body::Entries;
use crate::error::{Error, ErrorKind, Limits, What};
use crate::exception::Exception;
use crate::json;
use crate::reader::Reader;
use crate::text::{Encoding, Text};

/// The place of what a message does not have: its default, an empty string.
const ABSENT: usize = u32::MAX as usize;

/// A number in groups of seven bits, low ones first.
fn varint(r: &mut Reader<'_>, what: What) -> Result<u64, Error> {
    let at = r.at();
    let mut value = 0;
    for group in 0..10 {
        let byte = r.byte(what)?;
        value |= u64::from(byte & 0x7f) << (group * 7);
        if byte < 0x80 {
            return Ok(value);
        }
    }
    Err(Error::new(at, what, ErrorKind::BadLength))
}

/// A reader of the message whose length is at the reader.
fn message<'a>(r: &mut Reader<'a>, what: What) -> Result<Reader<'a>, Error> {
    let len = varint(r, what)?;
    // Java's length is an int.
    let at = r.at();
    match i32::try_from(len) {
        Ok(len) => r.sub(len as usize, what),
        Err(_) => Err(Error::new(at, what, ErrorKind::BadLength)),
    }
}

/// A field of a message.
enum Field<'a> {
    Number(u64),
    /// Where its length stands, and its bytes.
    Bytes(usize, Reader<'a>),
    Other,
}

/// The next field of a message, if there is one: its number and value.
fn field<'a>(r: &mut Reader<'a>, what: What) -> Result<Option<(u64, Field<'a>)>, Error> {
    if r.left() == 0 {
        return Ok(None);
    }
    let at = r.at();
    let tag = varint(r, what)?;
    let value = match tag & 7 {
        0 => Field::Number(varint(r, what)?),
        1 => {
            r.take(8, what)?;
            Field::Other
        }
        2 => Field::Bytes(r.at(), message(r, what)?),
        5 => {
            r.take(4, what)?;
            Field::Other
        }
        _ => return Err(Error::new(at, what, ErrorKind::UnexpectedByte(tag as u8))),
    };
    match tag >> 3 {
        0 => Err(Error::new(at, what, ErrorKind::UnexpectedByte(tag as u8))),
        number => Ok(Some((number, value))),
    }
}

/// Reads a message with `see`, which is told of each field.
fn fields<'a>(
    r: &mut Reader<'a>,
    what: What,
    mut see: impl FnMut(u64, Field<'a>) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut inner = message(r, what)?;
    let end = r.at();
    let cut = |error: Error| match error.is_truncated() {
        // The message is whole; a length within it is not.
        true => Error::new(end, what, ErrorKind::BadLength),
        false => error,
    };
    while let Some((number, value)) = field(&mut inner, what).map_err(cut)? {
        see(number, value)?;
    }
    Ok(())
}

fn text<'a>(r: &Reader<'a>, what: What) -> Result<Text<'a>, Error> {
    let bytes = r.rest();
    match core::str::from_utf8(bytes) {
        Ok(_) => Ok(Text::of(bytes, Encoding::Utf8)),
        Err(error) => {
            let at = r.at() + error.valid_up_to();
            Err(Error::new(at, what, ErrorKind::BadText))
        }
    }
}

/// A string.
pub(crate) fn string<'a>(r: &mut Reader<'a>, what: What) -> Result<Text<'a>, Error> {
    let mut found = Text::EMPTY;
    fields(r, what, |number, value| {
        if let (1, Field::Bytes(_, bytes)) = (number, value) {
            found = text(&bytes, what)?;
        }
        Ok(())
    })?;
    Ok(found)
}

/// An int.
pub(crate) fn int(r: &mut Reader<'_>, what: What) -> Result<i32, Error> {
    let mut found = 0;
    fields(r, what, |number, value| {
        if let (1, Field::Number(value)) = (number, value) {
            found = value as i32;
        }
        Ok(())
    })?;
    Ok(found)
}

/// Passes over one message.
pub(crate) fn skip(r: &mut Reader<'_>) -> Result<(), Error> {
    message(r, What::Value).map(drop)
}

/// Passes over the attachments and remembers where the text of each key and value is.
pub(crate) fn entries(r: &mut Reader<'_>, limits: &Limits) -> Result<Entries, Error> {
    const WHAT: What = What::Attachments;
    let (body, mut entries) = (r.all(), Entries::at(r.at()));
    fields(r, WHAT, |number, value| {
        let (1, Field::Bytes(start, _)) = (number, value) else {
            return Ok(());
        };
        entry(body, start, limits, &mut entries)
    })?;
    entries.end = r.at() as u32;
    entries.after = entries.end;
    Ok(entries)
}

/// One entry of the map, whose length is at `start`.
fn entry(body: &[u8], start: usize, limits: &Limits, entries: &mut Entries) -> Result<(), Error> {
    let (mut key, mut mapped) = (ABSENT, ABSENT);
    let mut r = Reader::starting_at(body, start);
    fields(&mut r, What::Attachments, |number, value| {
        if let (1 | 2, Field::Bytes(at, bytes)) = (number, value) {
            text(&bytes, What::Attachments)?;
            *(if number == 1 { &mut key } else { &mut mapped }) = at;
        }
        Ok(())
    })?;
    entries.push(key, mapped, limits)
}

/// The text whose length stands at an offset that [`entries`] found.
pub(crate) fn text_at(body: &[u8], at: u32) -> Text<'_> {
    let mut r = Reader::starting_at(body, at as usize);
    let bytes = message(&mut r, What::Attachments);
    bytes
        .and_then(|bytes| text(&bytes, What::Attachments))
        .unwrap_or(Text::EMPTY)
}

/// What can be seen of an exception: the names that `ThrowableProto` has for it.
pub(crate) fn exception<'a>(r: &mut Reader<'a>) -> Result<Exception<'a>, Error> {
    let mut found = Exception::default();
    fields(r, What::Value, |number, value| {
        match (number, value) {
            (1, Field::Bytes(_, bytes)) => found.class = Some(text(&bytes, What::Type)?),
            (2, Field::Bytes(_, bytes)) => found.message = Some(text(&bytes, What::ErrorMessage)?),
            _ => {}
        }
        Ok(())
    })?;
    Ok(found)
}

/// The attachments of a body in JSON: the one field of an object, `{"attachments":{..}}`, or `{}`.
/// Java refuses other fields, and takes numbers for strings, which nobody writes: refused too.
pub(crate) fn json_entries(r: &mut Reader<'_>, limits: &Limits) -> Result<Entries, Error> {
    const WHAT: What = What::Attachments;
    let body = r.all();
    let outer = json::entries(r, limits)?;
    let refused = |at: u32| Error::new(at as usize, WHAT, ErrorKind::BadText);
    let (at, value) = match (outer.list.get(0), outer.list.get(1)) {
        (None, _) => return Ok(outer),
        (Some(found), None) => found,
        (_, Some((second, _))) => return Err(refused(second)),
    };
    if json::key(body.get(at as usize..).unwrap_or_default()).is_none_or(|key| key != "attachments")
    {
        return Err(refused(at));
    }
    let entries = json::entries(&mut Reader::starting_at(body, value as usize), limits)?;
    for (_, value) in entries.list.iter() {
        if body.get(value as usize) != Some(&b'"') {
            return Err(refused(value));
        }
    }
    Ok(entries)
}
