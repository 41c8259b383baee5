//! Hessian's strings and binaries: lengths, chunks, and the validation of CESU-8.
//!
//! A length counts UTF-16 units and the data is CESU-8, each surrogate three bytes of its own, so the
//! end of a string is found only by reading it. Java does not validate: to it any `e?` lead takes
//! three bytes, whatever follows. A reader that counts another way can be made to see other
//! attachments than the provider does, so here structure is checked strictly and refused:
//! overlong forms (Java reads `c0 80`), stray continuation bytes, and four-byte UTF-8 (which Java
//! refuses too) unless [`Limits::four_byte_utf8`](crate::Limits::four_byte_utf8) says otherwise.

use alloc::borrow::Cow;
use alloc::vec::Vec;
use core::fmt;

use crate::error::{Error, ErrorKind, What};
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

#[inline(never)]
fn read_any<'a>(r: &mut Reader<'a>, lead: u8, four: bool, what: What) -> Result<Text<'a>, Error> {
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

/// The first `len` bytes, below 32, if all are ASCII and it can be told with whole loads.
#[inline(always)]
fn short_ascii(rest: &[u8], len: usize) -> Option<&[u8]> {
    /// High bits, then none: 32 bytes from `32 - len` on ask for the high bits of `len` bytes.
    const MASKS: [u8; 64] = {
        let mut masks = [0; 64];
        let mut at = 0;
        while at < 32 {
            masks[at] = 0x80;
            at += 1;
        }
        masks
    };
    let words = rest.first_chunk::<32>()?.as_chunks::<8>().0;
    let masks = MASKS
        .get(32 - (len & 31)..)?
        .first_chunk::<32>()?
        .as_chunks::<8>()
        .0;
    let high = |place: usize| u64::from_le_bytes(words[place]) & u64::from_le_bytes(masks[place]);
    if high(0) | high(1) | high(2) | high(3) == 0 {
        rest.get(..len)
    } else {
        None
    }
}

/// Passes over the string at the reader if that is quick: short and ASCII. False if it is not,
/// and nothing has moved.
#[inline(always)]
pub(crate) fn skip_short(r: &mut Reader<'_>) -> bool {
    let Some((lead @ 0x00..=0x1f, rest)) = r.rest().split_first() else {
        return false;
    };
    let found = short_ascii(rest, usize::from(*lead)).is_some();
    if found {
        r.skip(1 + usize::from(*lead));
    }
    found
}

/// Length in bytes of the `units` UTF-16 units that `bytes` begin with, or the offset and kind of
/// the first error.
pub(crate) fn span(bytes: &[u8], units: usize, four: bool) -> Result<usize, (usize, ErrorKind)> {
    let (mut at, mut left) = (0, units);
    while left > 0 {
        let rest = bytes.get(at..).unwrap_or_default();
        let ascii = ascii_run(rest, left);
        (at, left) = (at + ascii, left - ascii);
        let wide = wide_run(bytes.get(at..).unwrap_or_default(), left);
        (at, left) = (at + wide * 3, left - wide);
        // What neither run took, up to some units before they are worth another try.
        for _ in 0..left.min(8) {
            at += sequence(bytes.get(at..).unwrap_or_default(), four).map_err(|kind| {
                (
                    if kind == ErrorKind::Truncated {
                        bytes.len()
                    } else {
                        at
                    },
                    kind,
                )
            })?;
            left -= 1;
        }
    }
    Ok(at)
}

/// ASCII bytes at the front, in steps of eight, at most `most`.
#[inline]
fn ascii_run(bytes: &[u8], most: usize) -> usize {
    let words = bytes.get(..most).unwrap_or(bytes).as_chunks::<8>().0;
    let is_ascii = |word: &&[u8; 8]| u64::from_ne_bytes(**word) & 0x8080_8080_8080_8080 == 0;
    words.iter().take_while(is_ascii).count() * 8
}

/// Three-byte sequences at the front, in steps of eight, at most `most`. Eight sequences are three
/// words. What is not plainly a run of them, leads `e0` included, is left to [`sequence`].
#[inline]
fn wide_run(bytes: &[u8], most: usize) -> usize {
    let blocks = bytes.as_chunks::<24>().0;
    let blocks = blocks.get(..most / 8).unwrap_or(blocks);
    blocks.iter().take_while(|block| is_wide(block)).count() * 8
}

/// Eight sequences `e1..ef 80..bf 80..bf`.
#[inline]
fn is_wide(block: &[u8; 24]) -> bool {
    // Per word: the fixed bits and their values, and a 1 in each low nibble that is not a lead's.
    const CHECKS: [(u64, u64, u64, u64); 3] = [checks(0), checks(1), checks(2)];
    let mut wrong = 0;
    for (word, (mask, value, nibbles, filler)) in block.as_chunks::<8>().0.iter().zip(CHECKS) {
        let word = u64::from_le_bytes(*word);
        let low = word & nibbles | filler;
        // Bytes that are zero: leads e0, whose second byte has a narrower range.
        let zero = low.wrapping_sub(0x0101_0101_0101_0101) & !low & 0x8080_8080_8080_8080;
        wrong |= (word & mask ^ value) | zero;
    }
    wrong == 0
}

const fn checks(word: usize) -> (u64, u64, u64, u64) {
    let (mut mask, mut value, mut nibbles, mut filler) = (0, 0, 0, 0);
    let mut byte = 0;
    while byte < 8 {
        let shift = byte * 8;
        if (word * 8 + byte).is_multiple_of(3) {
            mask |= 0xf0 << shift;
            value |= 0xe0 << shift;
            nibbles |= 0x0f << shift;
        } else {
            mask |= 0xc0 << shift;
            value |= 0x80 << shift;
            filler |= 0x01 << shift;
        }
        byte += 1;
    }
    (mask, value, nibbles, filler)
}

/// Length of the one sequence at the front: CESU-8 strictly, and four-byte UTF-8 if `four`.
#[inline]
fn sequence(bytes: &[u8], four: bool) -> Result<usize, ErrorKind> {
    let continues = |byte: u8| byte & 0xc0 == 0x80;
    let len = match *bytes {
        [0x00..=0x7f, ..] => return Ok(1),
        [0xc2..=0xdf, second, ..] if continues(second) => return Ok(2),
        [0xe0, 0xa0..=0xbf, third, ..] if continues(third) => return Ok(3),
        [0xe1..=0xef, second, third, ..] if continues(second) && continues(third) => return Ok(3),
        [0xf0, 0x90..=0xbf, c, d, ..] if four && continues(c) && continues(d) => return Ok(4),
        [0xf1..=0xf3, b, c, d, ..] if four && continues(b) && continues(c) && continues(d) => {
            return Ok(4);
        }
        [0xf4, 0x80..=0x8f, c, d, ..] if four && continues(c) && continues(d) => return Ok(4),
        [] => return Err(ErrorKind::Truncated),
        [0xc2..=0xdf, ..] => 2,
        [0xe0..=0xef, ..] => 3,
        [0xf0..=0xf4, ..] if four => 4,
        _ => return Err(ErrorKind::BadText),
    };
    let cut_short = bytes.len() < len && bytes[1..].iter().all(|byte| continues(*byte));
    Err(if cut_short {
        ErrorKind::Truncated
    } else {
        ErrorKind::BadText
    })
}

#[cold]
pub(crate) fn unexpected(r: &Reader<'_>, lead: u8, what: What) -> Error {
    Error::new(
        r.at().saturating_sub(1),
        what,
        ErrorKind::UnexpectedByte(lead),
    )
}

/// Bytes of a peer, possibly in several chunks.
#[derive(Clone, Copy)]
pub struct Binary<'a> {
    bytes: &'a [u8],
    chunked: bool,
}

impl<'a> Binary<'a> {
    /// Bytes to be written.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            chunked: false,
        }
    }

    /// The pieces, in order.
    pub fn chunks(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let (mut rest, chunked) = (Some(self.bytes), self.chunked);
        core::iter::from_fn(move || {
            let bytes = rest.take()?;
            if !chunked {
                return Some(bytes);
            }
            let (len, after) = binary_head(bytes)?;
            rest = Some(after.get(len..)?);
            after.get(..len)
        })
    }

    /// The bytes, copied only if they stand in several chunks.
    pub fn to_cow(&self) -> Cow<'a, [u8]> {
        match self.chunked {
            false => Cow::Borrowed(self.bytes),
            true => Cow::Owned(self.chunks().fold(Vec::new(), |mut all, chunk| {
                all.extend_from_slice(chunk);
                all
            })),
        }
    }

    /// How many bytes.
    pub fn len(&self) -> usize {
        self.chunks().map(<[u8]>::len).sum()
    }

    /// No bytes at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl PartialEq for Binary<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.to_cow() == other.to_cow()
    }
}

impl Eq for Binary<'_> {}

impl fmt::Debug for Binary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("x")?;
        self.chunks()
            .flatten()
            .try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

fn binary_head(bytes: &[u8]) -> Option<(usize, &[u8])> {
    match *bytes {
        [n @ 0x20..=0x2f, ref rest @ ..] => Some((usize::from(n - 0x20), rest)),
        [h @ 0x34..=0x37, l, ref rest @ ..] => {
            Some((usize::from(h - 0x34) << 8 | usize::from(l), rest))
        }
        [b'A' | b'B', h, l, ref rest @ ..] => Some((usize::from(u16::from_be_bytes([h, l])), rest)),
        _ => None,
    }
}

/// Reads the binary whose lead byte was `lead`.
pub(crate) fn read_binary<'a>(r: &mut Reader<'a>, lead: u8) -> Result<Binary<'a>, Error> {
    const WHAT: What = What::Binary;
    let start = r.at() - 1;
    let (mut lead, chunked) = (lead, lead == b'A');
    loop {
        let len = match lead {
            0x20..=0x2f => usize::from(lead - 0x20),
            0x34..=0x37 => usize::from(lead - 0x34) << 8 | usize::from(r.byte(WHAT)?),
            b'A' | b'B' => usize::from(u16::from_be_bytes(r.array(WHAT)?)),
            _ => return Err(unexpected(r, lead, WHAT)),
        };
        let bytes = r.take(len, WHAT)?;
        if lead != b'A' {
            return Ok(Binary {
                bytes: if chunked { r.since(start) } else { bytes },
                chunked,
            });
        }
        lead = r.byte(WHAT)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::String;

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

    /// The two fast paths against the definition, at every length and alignment of a change.
    #[test]
    fn runs_agree_with_single_sequences() {
        let slow = |bytes: &[u8], units: usize| {
            (0..units).try_fold(0, |at, _| sequence(&bytes[at..], false).map(|n| at + n))
        };
        for filler in ["a", "é", "中", "\u{e000}", "a中", "\u{800}"] {
            for odd in [
                &b"a"[..],
                b"\xc3\xa9",
                b"\xed\xa0\xbd",
                b"\xe0\xa0\x80",
                b"\xe0\x80\x80",
                b"\x80",
                b"\xf0",
            ] {
                for place in 0..40 {
                    let mut bytes: Vec<u8> = filler.repeat(40).into_bytes();
                    let at = String::from_utf8(bytes.clone())
                        .unwrap()
                        .char_indices()
                        .nth(place)
                        .unwrap()
                        .0;
                    bytes.splice(at..at, odd.iter().copied());
                    for units in 0..=40 {
                        let fast = span(&bytes, units, false);
                        assert_eq!(
                            fast.ok(),
                            slow(&bytes, units).ok(),
                            "{filler} {odd:x?} {place} {units}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn binary_chunks() {
        let mut r = Reader::starting_at(b"A\x00\x02abA\x00\x00\x21c", 1);
        let binary = read_binary(&mut r, b'A').unwrap();
        assert_eq!((binary, r.left()), (Binary::new(b"abc"), 0));
        let mut r = Reader::starting_at(b"A\x00\x01aN", 1);
        let wrong = Error::new(4, What::Binary, ErrorKind::UnexpectedByte(b'N'));
        assert_eq!(read_binary(&mut r, b'A'), Err(wrong));
    }
}
