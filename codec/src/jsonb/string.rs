//! Strings, ints and lengths of JSONB, and Dubbo's framing of each value.

use alloc::string::String;
use alloc::vec::Vec;

use crate::error::{Error, ErrorKind, What};
use crate::jsonb::{GB18030, NULL, SHORT_ASCII};
use crate::out::Out;
use crate::reader::Reader;
use crate::text::{Encoding, Text};

/// Reads what Dubbo wrote in one go: a length of four bytes, then exactly that.
#[inline]
pub(crate) fn framed<'a, T>(
    r: &mut Reader<'a>,
    what: What,
    read: impl FnOnce(&mut Reader<'a>) -> Result<T, Error>,
) -> Result<T, Error> {
    let at = r.at();
    let Ok(len) = usize::try_from(i32::from_be_bytes(r.array(what)?)) else {
        return Err(Error::new(at, what, ErrorKind::NegativeLength));
    };
    let mut inner = r.sub(len, what)?;
    let value = read(&mut inner).map_err(|error| match error.is_truncated() && r.left() > 0 {
        // The frame goes on; it is the length that is wrong.
        true => Error::new(inner.at(), what, ErrorKind::BadLength),
        false => error,
    })?;
    inner.finish(what)?;
    Ok(value)
}

/// A string or null.
#[inline]
pub(crate) fn optional_string<'a>(
    r: &mut Reader<'a>,
    what: What,
) -> Result<Option<Text<'a>>, Error> {
    match r.byte(what)? {
        NULL => Ok(None),
        lead => string_after(r, lead, what).map(Some),
    }
}

/// The string whose lead byte was `lead`.
pub(crate) fn string_after<'a>(
    r: &mut Reader<'a>,
    lead: u8,
    what: What,
) -> Result<Text<'a>, Error> {
    let at = r.at();
    let (len, encoding) = match lead {
        SHORT_ASCII..=0x78 => (usize::from(lead - SHORT_ASCII), Encoding::Latin1),
        0x79 => (length(r, what)?, Encoding::Latin1),
        0x7a => (length(r, what)?, Encoding::Utf8),
        0x7b => (length(r, what)?, Encoding::Utf16Be),
        0x7c => (length(r, what)?, Encoding::Utf16Le),
        0x7d => (length(r, what)?, Encoding::Utf16Be),
        GB18030 => {
            let bytes = gb18030(r, what)?;
            // ASCII is ASCII in it, and nothing else decodes to ASCII.
            return match bytes.is_ascii() {
                true => Ok(Text::of(bytes, Encoding::Latin1)),
                false => Err(Error::new(at - 1, what, ErrorKind::Unsupported)),
            };
        }
        _ => return Err(Error::new(at - 1, what, ErrorKind::UnexpectedByte(lead))),
    };
    let start = r.at();
    let bytes = r.take(len, what)?;
    let valid = match encoding {
        Encoding::Utf8 => core::str::from_utf8(bytes).map_err(|error| error.valid_up_to()),
        Encoding::Latin1 => Ok(""),
        _ if len % 2 == 0 => Ok(""),
        _ => Err(len),
    };
    if let Err(wrong) = valid {
        return Err(Error::new(start + wrong, what, ErrorKind::BadText));
    }
    // Lead 7b is UTF-16 by its byte order mark, high byte first without one.
    let text = match (lead, bytes) {
        (0x7b, [0xff, 0xfe, rest @ ..]) => Text::of(rest, Encoding::Utf16Le),
        (0x7b, [0xfe, 0xff, rest @ ..]) => Text::of(rest, Encoding::Utf16Be),
        _ => Text::of(bytes, encoding),
    };
    Ok(text)
}

/// The bytes of a text in GB18030, whose lead has been read.
pub(crate) fn gb18030<'a>(r: &mut Reader<'a>, what: What) -> Result<&'a [u8], Error> {
    let len = length(r, what)?;
    r.take(len, what)
}

/// A number of bytes or values to come: an int that is not negative and not above what is left.
pub(crate) fn length(r: &mut Reader<'_>, what: What) -> Result<usize, Error> {
    let at = r.at();
    match usize::try_from(read_int(r, what)?) {
        Ok(len) if len <= r.left() => Ok(len),
        Ok(_) => Err(r.short(what)),
        Err(_) => Err(Error::new(at, what, ErrorKind::NegativeLength)),
    }
}

/// An int in any of its packed forms.
pub(crate) fn read_int(r: &mut Reader<'_>, what: What) -> Result<i32, Error> {
    let at = r.at();
    let lead = r.byte(what)?;
    match int_after(r, lead, what)? {
        Some(value) => Ok(value),
        None => Err(Error::new(at, what, ErrorKind::UnexpectedByte(lead))),
    }
}

/// The int whose lead byte was `lead`; `None` if it is no lead of an int.
#[inline]
pub(crate) fn int_after(r: &mut Reader<'_>, lead: u8, what: What) -> Result<Option<i32>, Error> {
    Ok(Some(match lead {
        0xf0..=0xff | 0x00..=0x2f => i32::from(lead as i8),
        0x30..=0x3f => (i32::from(lead) - 0x38) << 8 | i32::from(r.byte(what)?),
        0x40..=0x47 => {
            (i32::from(lead) - 0x44) << 16 | i32::from(u16::from_be_bytes(r.array(what)?))
        }
        0x48 => i32::from_be_bytes(r.array(what)?),
        _ => return Ok(None),
    }))
}

/// The long whose lead byte was `lead`; `None` if it is no lead of a long.
pub(crate) fn long_after(r: &mut Reader<'_>, lead: u8, what: What) -> Result<Option<i64>, Error> {
    Ok(Some(match lead {
        0xc0..=0xc7 => {
            (i64::from(lead) - 0xc4) << 16 | i64::from(u16::from_be_bytes(r.array(what)?))
        }
        0xc8..=0xd7 => (i64::from(lead) - 0xd0) << 8 | i64::from(r.byte(what)?),
        0xd8..=0xef => i64::from(lead) - 0xe0,
        0xbf => i64::from(i32::from_be_bytes(r.array(what)?)),
        0xbe => i64::from_be_bytes(r.array(what)?),
        _ => return Ok(None),
    }))
}

/// Appends an int as fastjson2 packs it.
pub(crate) fn push_int(out: &mut impl Out, value: i32) {
    let [a, b, c, d] = value.to_be_bytes();
    match value {
        -0x10..=0x2f => out.byte(value as u8),
        -0x800..=0x7ff => out.bytes(&[(0x38 + (value >> 8)) as u8, d]),
        -0x40000..=0x3ffff => out.bytes(&[(0x44 + (value >> 16)) as u8, c, d]),
        _ => out.bytes(&[0x48, a, b, c, d]),
    }
}

/// Appends a string: ASCII as such, other text as UTF-8, and what has no UTF-8 as UTF-16.
pub(crate) fn push_text(out: &mut impl Out, text: Text<'_>) {
    if let Some(text) = text.as_str() {
        return push_str(out, text);
    }
    let whole: Result<String, u16> = text.chars().collect();
    match whole {
        Ok(text) => push_str(out, &text),
        Err(_) => {
            let bytes: Vec<u8> = text.units().flat_map(u16::to_le_bytes).collect();
            out.byte(0x7c);
            push_int(out, bytes.len() as i32);
            out.bytes(&bytes);
        }
    }
}

fn push_str(out: &mut impl Out, text: &str) {
    match (text.is_ascii(), text.len()) {
        (true, len @ 0..=47) => out.byte(SHORT_ASCII + len as u8),
        (ascii, len) => {
            out.byte(if ascii { 0x79 } else { 0x7a });
            push_int(out, len as i32);
        }
    }
    out.bytes(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Limits;
    use crate::jsonb::{Value, decode, encode};

    fn value(bytes: &[u8]) -> Value<'_> {
        decode(bytes, &Limits::default()).unwrap()
    }

    /// The encodings are Python's, the leads and lengths as `JSONWriterJSONB` writes them.
    #[test]
    fn one_text_in_every_encoding() {
        for bytes in [
            &b"\x7a\x0a\xc3\xa9\xe4\xb8\xad\xf0\x9f\x98\x80!"[..],
            b"\x7b\x0c\xfe\xff\0\xe9\x4e\x2d\xd8\x3d\xde\x00\0!",
            b"\x7b\x0c\xff\xfe\xe9\0\x2d\x4e\x3d\xd8\x00\xde!\0",
            b"\x7b\x0a\0\xe9\x4e\x2d\xd8\x3d\xde\x00\0!",
            b"\x7c\x0a\xe9\0\x2d\x4e\x3d\xd8\x00\xde!\0",
            b"\x7d\x0a\0\xe9\x4e\x2d\xd8\x3d\xde\x00\0!",
        ] {
            assert_eq!(value(bytes), Value::String("é中😀!".into()), "{bytes:x?}");
        }
        assert_eq!(value(b"\x7c\x02\x3d\xd8").to_json(), "\"\\ud83d\"");
        let odd = decode(b"\x7c\x03abc", &Limits::default()).unwrap_err();
        assert_eq!((odd.at(), odd.kind()), (5, ErrorKind::BadText));
    }

    /// "中文" in GB18030 is d6 d0 ce c4.
    #[test]
    fn gb18030_is_bytes_unless_it_is_ascii() {
        let bytes = b"\x7e\x04\xd6\xd0\xce\xc4";
        assert_eq!(value(bytes), Value::Gb18030(b"\xd6\xd0\xce\xc4"));
        assert_eq!(value(bytes).to_json(), r#"{"$gb18030":"d6d0cec4"}"#);
        assert_eq!(encode(&value(bytes)), bytes);
        assert_eq!(value(b"\x7e\x05group"), Value::String("group".into()));
        // As a key it names nothing that is looked for; around it all is seen.
        let map = b"\xa6\x7e\x02\xd6\xd0\x4aa\x7e\x05group\x4ag\xa5";
        let key = Value::Gb18030(b"\xd6\xd0");
        let pairs = [[key, "a".into()], ["group".into(), "g".into()]];
        assert_eq!(value(map), Value::Object(pairs.into()));
        let mut r = Reader::new(bytes);
        let refused = optional_string(&mut r, What::MethodName).unwrap_err();
        assert_eq!((refused.at(), refused.kind()), (0, ErrorKind::Unsupported));
    }

    impl<'a> From<&'a str> for Value<'a> {
        fn from(text: &'a str) -> Self {
            Value::String(text.into())
        }
    }
}
