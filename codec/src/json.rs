//! Bodies of JSON texts: fastjson (6), gson (16), jackson (18), and the texts of protobuf-json (21).
//! Read only.
//!
//! Every write is one JSON text (RFC 8259): on a line of its own, or, as the newer fastjson extension
//! does under the same number 6, behind a length of four bytes. The first byte of a body tells:
//! a text begins with a quote, a length below 16 Mi with a zero.

use crate::body::Entries;
use crate::error::{Error, ErrorKind, Limit, Limits, What};
use crate::exception::Exception;
use crate::inline::Inline;
use crate::reader::Reader;
use crate::text::{Encoding, Text};

/// The next line without its end; the reader moves behind that.
pub(crate) fn line<'a>(r: &mut Reader<'a>, what: What) -> Result<Reader<'a>, Error> {
    let rest = r.rest();
    let Some(len) = rest.iter().position(|byte| *byte == b'\n') else {
        return Err(r.short(what));
    };
    let ends_crlf = rest[..len].ends_with(b"\r");
    let line = r.sub(len - usize::from(ends_crlf), what)?;
    r.skip(1 + usize::from(ends_crlf));
    Ok(line)
}

/// A string or null.
pub(crate) fn optional_string<'a>(
    r: &mut Reader<'a>,
    what: What,
) -> Result<Option<Text<'a>>, Error> {
    match r.peek() {
        Some(b'"') => string(r, what).map(Some),
        _ => literal(r, b"null", what).map(|()| None),
    }
}

/// A string, quotes included.
fn string<'a>(r: &mut Reader<'a>, what: What) -> Result<Text<'a>, Error> {
    expect(r, b'"', what)?;
    let start = r.at();
    loop {
        match r.byte(what)? {
            b'"' => break,
            b'\\' => match r.byte(what)? {
                b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => {}
                b'u' if r.array::<4>(what)?.iter().all(u8::is_ascii_hexdigit) => {}
                _ => return Err(Error::new(r.at() - 1, what, ErrorKind::BadText)),
            },
            0x00..0x20 => return Err(Error::new(r.at() - 1, what, ErrorKind::BadText)),
            _ => {}
        }
    }
    let bytes = r.since(start);
    let bytes = &bytes[..bytes.len() - 1];
    match core::str::from_utf8(bytes) {
        Ok(_) => Ok(Text::of(bytes, Encoding::Json)),
        Err(error) => Err(Error::new(
            start + error.valid_up_to(),
            what,
            ErrorKind::BadText,
        )),
    }
}

/// A whole number.
pub(crate) fn integer(r: &mut Reader<'_>, what: What) -> Result<i64, Error> {
    let start = r.at();
    number(r, what)?;
    let text = core::str::from_utf8(r.since(start)).unwrap_or_default();
    text.parse()
        .map_err(|_| Error::new(start, what, ErrorKind::BadText))
}

fn number(r: &mut Reader<'_>, what: What) -> Result<(), Error> {
    let start = r.at();
    while let Some(b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E') = r.peek() {
        r.skip(1);
    }
    let digits = r
        .since(start)
        .iter()
        .filter(|byte| byte.is_ascii_digit())
        .count();
    if digits == 0 {
        Err(unexpected(r, what))
    } else {
        Ok(())
    }
}

fn literal(r: &mut Reader<'_>, text: &[u8], what: What) -> Result<(), Error> {
    text.iter().try_for_each(|byte| expect(r, *byte, what))
}

fn expect(r: &mut Reader<'_>, byte: u8, what: What) -> Result<(), Error> {
    if r.peek() == Some(byte) {
        r.skip(1);
        return Ok(());
    }
    Err(unexpected(r, what))
}

fn unexpected(r: &Reader<'_>, what: What) -> Error {
    r.peek().map_or_else(
        || r.short(what),
        |byte| r.error(what, ErrorKind::UnexpectedByte(byte)),
    )
}

fn space(r: &mut Reader<'_>) {
    while let Some(b' ' | b'\t' | b'\r' | b'\n') = r.peek() {
        r.skip(1);
    }
}

/// Passes over one value, whatever it is.
pub(crate) fn value(r: &mut Reader<'_>, limits: &Limits) -> Result<(), Error> {
    const WHAT: What = What::Value;
    let depth = limits.max_depth.min(Limits::DEPTH_CEILING) as usize;
    // The end that each container that has begun waits for.
    let mut ends = Inline::<u8, 24>::default();
    loop {
        space(r);
        match r.peek() {
            Some(open @ (b'{' | b'[')) => {
                r.skip(1);
                let end = if open == b'{' { b'}' } else { b']' };
                space(r);
                if r.peek() != Some(end) {
                    if ends.len() >= depth {
                        return Err(r.error(WHAT, ErrorKind::Limit(Limit::Depth)));
                    }
                    ends.push(end);
                    name(r, end)?;
                    continue;
                }
                r.skip(1);
            }
            Some(b'"') => drop(string(r, WHAT)?),
            Some(b't') => literal(r, b"true", WHAT)?,
            Some(b'f') => literal(r, b"false", WHAT)?,
            Some(b'n') => literal(r, b"null", WHAT)?,
            _ => number(r, WHAT)?,
        }
        // One value is whole; its container goes on, or ends and is whole too.
        loop {
            let Some(end) = ends.pop() else {
                return Ok(());
            };
            space(r);
            if r.peek() == Some(b',') {
                r.skip(1);
                ends.push(end);
                name(r, end)?;
                break;
            }
            expect(r, end, WHAT)?;
        }
    }
}

/// In an object, the name of the next value.
fn name(r: &mut Reader<'_>, end: u8) -> Result<(), Error> {
    if end == b'}' {
        space(r);
        string(r, What::Value)?;
        space(r);
        expect(r, b':', What::Value)?;
    }
    Ok(())
}

/// Passes over a map of attachments and remembers where each one is.
pub(crate) fn entries(r: &mut Reader<'_>, limits: &Limits) -> Result<Entries, Error> {
    const WHAT: What = What::Attachments;
    let mut entries = Entries::at(r.at());
    space(r);
    if r.peek() == Some(b'n') {
        literal(r, b"null", WHAT)?;
    } else {
        expect(r, b'{', WHAT)?;
        space(r);
        entries.first = r.at() as u32;
        while r.peek() != Some(b'}') {
            if entries.list.len() > 0 {
                expect(r, b',', WHAT)?;
                space(r);
            }
            let key = r.at();
            string(r, What::AttachmentKey)?;
            space(r);
            expect(r, b':', WHAT)?;
            space(r);
            let at = r.at();
            value(r, limits)?;
            entries.push(key, at, limits)?;
            space(r);
        }
        entries.end = r.at() as u32;
        r.skip(1);
    }
    space(r);
    entries.after = r.at() as u32;
    Ok(entries)
}

/// The name that `bytes` begin with.
pub(crate) fn key(bytes: &[u8]) -> Option<Text<'_>> {
    string(&mut Reader::new(bytes), What::AttachmentKey).ok()
}

/// A value that `bytes` begin with.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Scalar<'a> {
    Null,
    Bool(bool),
    Integer(i64),
    String(Text<'a>),
    /// What else there is, without what comes after it.
    Other(&'a [u8]),
}

pub(crate) fn scalar(bytes: &[u8]) -> Option<Scalar<'_>> {
    let mut r = Reader::new(bytes);
    Some(match bytes.first()? {
        b'"' => Scalar::String(string(&mut r, What::Value).ok()?),
        b'n' => Scalar::Null,
        lead @ (b't' | b'f') => Scalar::Bool(*lead == b't'),
        _ => {
            let limits = Limits {
                max_depth: Limits::DEPTH_CEILING,
                ..Limits::default()
            };
            value(&mut r, &limits).ok()?;
            let whole = r.since(0);
            let text = core::str::from_utf8(whole).ok();
            match text.and_then(|text| text.parse().ok()) {
                Some(integer) => Scalar::Integer(integer),
                None => Scalar::Other(whole),
            }
        }
    })
}

/// What can be seen of an exception: fastjson writes a bean with `@type` and `message`, gson and
/// jackson a wrapper with `clazz` and the bean, protobuf the names of its `ThrowableProto`.
pub(crate) fn exception<'a>(r: &mut Reader<'a>, limits: &Limits) -> Result<Exception<'a>, Error> {
    let mut found = Exception::default();
    let body = r.all();
    let before = *r;
    value(r, limits)?;
    // An object's values are looked at one by one, as attachments are; others have nothing to see.
    let Ok(fields) = entries(&mut before.clone(), limits) else {
        return Ok(found);
    };
    look(body, &fields, &mut found, limits);
    Ok(found)
}

/// What the writers call the name of an exception's class, and its message.
const CLASS: [&str; 3] = ["@type", "clazz", "originalClassName"];
const MESSAGE: [&str; 3] = ["message", "detailMessage", "originalMessage"];

fn look<'a>(body: &'a [u8], fields: &Entries, found: &mut Exception<'a>, limits: &Limits) {
    for (at, value_at) in fields.list.iter() {
        let (Some(name), Some(value)) = (
            body.get(at as usize..).and_then(key),
            body.get(value_at as usize..).and_then(scalar),
        ) else {
            continue;
        };
        match value {
            Scalar::String(text) if CLASS.iter().any(|wanted| name == *wanted) => {
                found.class = Some(text);
            }
            Scalar::String(text) if MESSAGE.iter().any(|wanted| name == *wanted) => {
                found.message = Some(text);
            }
            Scalar::Integer(code) if name == "code" => found.code = i32::try_from(code).ok(),
            Scalar::Other(_) if name == "exception" && found.bytes.is_empty() => {
                let mut inner = Reader::starting_at(body, value_at as usize);
                if let Ok(inner) = entries(&mut inner, limits) {
                    // One level only: the mark says that it was gone down already.
                    found.bytes = body;
                    look(body, &inner, found, limits);
                }
            }
            _ => {}
        }
    }
}
