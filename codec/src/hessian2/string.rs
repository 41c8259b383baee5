//! Hessian's strings: lengths and chunks.
//!
//! A length counts UTF-16 units and the data is CESU-8, each surrogate three bytes of its own, so the
//! end of a string is found only by reading it. Java does not validate: to it any `e?` lead takes
//! three bytes, whatever follows. A reader that counts another way can be made to see other
//! attachments than the provider does, so here structure is checked strictly and refused:
//! overlong forms (Java reads `c0 80`), stray continuation bytes, and four-byte UTF-8 (which Java
//! refuses too) unless [`Limits::four_byte_utf8`](crate::Limits::four_byte_utf8) says otherwise.

use alloc::vec::Vec;

use crate::error::{Error, ErrorKind, What};
use crate::hessian2::cesu8::{short_ascii, span};
use crate::hessian2::leads::nth_lead;
use crate::hessian2::plain::is_ascii;
use crate::reader::Reader;
use crate::text::{Encoding, Text};

/// Reads the string whose lead byte is at the reader.
#[inline(always)]
pub(crate) fn read<'a>(r: &mut Reader<'a>, four: bool, what: What) -> Result<Text<'a>, Error> {
    let lead = r.byte(what)?;
    read_after(r, lead, four, what)
}

/// Reads the string whose lead byte was `lead`. The common case, short and ASCII, is kept small so
/// that it can be part of its caller.
#[inline(always)]
pub(crate) fn read_after<'a>(
    r: &mut Reader<'a>,
    lead: u8,
    four: bool,
    what: What,
) -> Result<Text<'a>, Error> {
    if lead <= 0x1f
        && let Some(bytes) = short_ascii(r.rest(), usize::from(lead))
    {
        r.skip(bytes.len());
        return Ok(Text::of(bytes, Encoding::Cesu8));
    }
    let mut slow = *r;
    let text = read_any(&mut slow, lead, four, what)?;
    *r = slow;
    Ok(text)
}

/// How long the length behind `lead` is and the data after it, of an ASCII string below 1,024 units.
#[inline(always)]
fn plain(rest: &[u8], lead: u8) -> Option<(usize, &[u8])> {
    match lead {
        0x00..=0x1f => Some((0, short_ascii(rest, usize::from(lead))?)),
        0x30..=0x33 => {
            let (low, rest) = rest.split_first()?;
            let data = rest.get(..usize::from(lead - 0x30) << 8 | usize::from(*low))?;
            is_ascii(data).then_some((1, data))
        }
        _ => None,
    }
}

#[inline(never)]
fn read_any<'a>(r: &mut Reader<'a>, lead: u8, four: bool, what: What) -> Result<Text<'a>, Error> {
    if let Some((head, data)) = plain(r.rest(), lead) {
        r.skip(head + data.len());
        return Ok(Text::of(data, Encoding::Cesu8));
    }
    let units = match lead {
        0x00..=0x1f => usize::from(lead),
        0x30..=0x33 => usize::from(lead - 0x30) << 8 | usize::from(r.byte(what)?),
        b'S' => usize::from(u16::from_be_bytes(r.array(what)?)),
        b'R' => return read_chunks(r, four, what),
        _ => return Err(unexpected(r, lead, what)),
    };
    Ok(Text::of(data(r, units, four, what)?, Encoding::Cesu8))
}

/// A string of several chunks; the reader is behind the `R` of the first.
#[cold]
fn read_chunks<'a>(r: &mut Reader<'a>, four: bool, what: What) -> Result<Text<'a>, Error> {
    let start = r.at() - 1;
    let mut lead = b'R';
    loop {
        let units = match lead {
            0x00..=0x1f => usize::from(lead),
            0x30..=0x33 => usize::from(lead - 0x30) << 8 | usize::from(r.byte(what)?),
            b'S' | b'R' => usize::from(u16::from_be_bytes(r.array(what)?)),
            _ => return Err(unexpected(r, lead, what)),
        };
        data(r, units, four, what)?;
        if lead != b'R' {
            return Ok(Text::of(r.since(start), Encoding::HessianChunks));
        }
        lead = r.byte(what)?;
    }
}

/// The text of a string that is all of `bytes`, which were read before: nothing is validated again.
/// `None` if they are another value.
#[inline]
pub(crate) const fn validated(bytes: &[u8]) -> Option<Text<'_>> {
    match bytes {
        [0x00..=0x1f, data @ ..] | [0x30..=0x33, _, data @ ..] | [b'S', _, _, data @ ..] => {
            Some(Text::of(data, Encoding::Cesu8))
        }
        [b'R', ..] => Some(Text::of(bytes, Encoding::HessianChunks)),
        _ => None,
    }
}

/// Length in units and the rest, of the chunk that validated `bytes` begin with.
pub(crate) fn chunk_head(bytes: &[u8]) -> Option<(usize, &[u8])> {
    match *bytes {
        [n @ 0x00..=0x1f, ref rest @ ..] => Some((usize::from(n), rest)),
        [h @ 0x30..=0x33, l, ref rest @ ..] => {
            Some((usize::from(h - 0x30) << 8 | usize::from(l), rest))
        }
        [b'S' | b'R', h, l, ref rest @ ..] => Some((usize::from(u16::from_be_bytes([h, l])), rest)),
        _ => None,
    }
}

/// The data of the chunks that validated `bytes` are, in one piece. `None` if there is four-byte
/// UTF-8 in it, which is not what the writer writes.
pub(crate) fn joined(mut bytes: &[u8]) -> Option<Vec<u8>> {
    let mut all = Vec::with_capacity(bytes.len());
    while let Some((units, rest)) = chunk_head(bytes) {
        let (data, after) = rest.split_at_checked(nth_lead(rest, units))?;
        all.extend_from_slice(data);
        bytes = after;
    }
    let is_cesu8 = all.is_ascii() || all.iter().fold(0, |max, byte| *byte.max(&max)) < 0xf0;
    is_cesu8.then_some(all)
}

#[inline]
fn data<'a>(r: &mut Reader<'a>, units: usize, four: bool, what: What) -> Result<&'a [u8], Error> {
    let rest = r.rest();
    if let Some(short) = rest.get(..units)
        && short.is_ascii()
    {
        return r.take(units, what);
    }
    match span(rest, units, four) {
        Ok(len) => r.take(len, what),
        Err((at, kind)) => Err(Error::new(r.at() + at, what, kind)),
    }
}

/// Passes over the string at the reader if that is quick: below 1,024 units and ASCII. False if it
/// is not, and nothing has moved.
#[inline(always)]
pub(crate) fn skip_plain(r: &mut Reader<'_>) -> bool {
    let Some((lead, rest)) = r.rest().split_first() else {
        return false;
    };
    let found = plain(rest, *lead);
    if let Some((head, data)) = found {
        r.skip(1 + head + data.len());
    }
    found.is_some()
}

#[cold]
pub(crate) fn unexpected(r: &Reader<'_>, lead: u8, what: What) -> Error {
    Error::new(
        r.at().saturating_sub(1),
        what,
        ErrorKind::UnexpectedByte(lead),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_all(bytes: &[u8]) -> Result<Text<'_>, Error> {
        let mut r = Reader::new(bytes);
        let text = read(&mut r, false, What::String)?;
        r.finish(What::String)?;
        Ok(text)
    }

    /// Bytes of hessian-lite 3.2.13 and 4.0.4, Caucho 4.0.38 and hessian.js 2.11.0.
    #[test]
    fn what_the_other_writers_write() {
        assert_eq!(read_all(b"\x04a\xed\xa0\xbd\xed\xb8\x80b").unwrap(), "a😀b");
        assert_eq!(read_all(b"\x03a\xed\xa0\xbdb").unwrap().as_str(), None);
        assert_eq!(read_all(b"\x00").unwrap(), "");
    }

    #[test]
    fn refuses_what_readers_would_read_differently() {
        let bad = |at| Err(Error::new(at, What::String, ErrorKind::BadText));
        assert_eq!(read_all(b"\x03\xe4\xe4\xe4a"), bad(1));
        assert_eq!(read_all(b"\x02a\xf0\x9f\x98\x80"), bad(2));
        assert_eq!(read_all(b"\x01\xc0\x80"), bad(1));
        assert_eq!(read_all(b"\x01\xe0\x80\x80"), bad(1));
        assert_eq!(read_all(b"\x01\x80"), bad(1));
        let short = |at| Err(Error::new(at, What::String, ErrorKind::Truncated));
        assert_eq!(read_all(b"\x02a"), short(2));
        assert_eq!(read_all(b"\x01\xe4\xb8"), short(3));
        assert_eq!(read_all(b"R\x00"), short(2));
        assert_eq!(read_all(b"R\x00\x01a"), short(4));
    }
}
