//! Runs of plain strings: below 128 units and ASCII, as nearly all names and attachments are.
//!
//! ```text
//! \x05hello\x30\x2ahow do you do ..\x03...      lengths lead from one string to the next,
//! ^-------------- ASCII? ---------------^       and one look validates the whole run
//! ```
//! Such a length is ASCII itself (`00..1f`, or `30` and below `80`), so nothing in a run is not, and
//! in ASCII a unit is a byte. A run with anything else in it moves nothing and says nothing: whoever
//! asked reads it string by string, which also finds the error if there is one.

use crate::reader::Reader;

/// A cursor over a run. What it passed counts for nothing until [`holds`](Self::holds) is asked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plain<'a> {
    bytes: &'a [u8],
    from: usize,
    at: usize,
}

impl<'a> Plain<'a> {
    #[inline(always)]
    pub(crate) const fn at(r: &Reader<'a>) -> Self {
        let (bytes, from) = (r.all(), r.at());
        Self {
            bytes,
            from,
            at: from,
        }
    }

    /// Where the next string begins. The bytes may end before that.
    #[inline(always)]
    pub(crate) const fn place(&self) -> usize {
        self.at
    }

    /// Passes over a string; `None` if it has another length, or none begins here.
    #[inline(always)]
    pub(crate) fn skip(&mut self) -> Option<()> {
        self.span().map(|(_, end)| self.at = end)
    }

    /// Passes over a string and shows its data.
    #[inline(always)]
    pub(crate) fn data(&mut self) -> Option<&'a [u8]> {
        let (start, end) = self.span()?;
        self.at = end;
        self.bytes.get(start..end)
    }

    #[inline(always)]
    fn span(&self) -> Option<(usize, usize)> {
        let after = self.at + 1;
        match *self.bytes.get(self.at)? {
            lead @ 0x00..=0x1f => Some((after, after + usize::from(lead))),
            0x30 => match *self.bytes.get(after)? {
                low @ 0x00..=0x7f => Some((after + 1, after + 1 + usize::from(low))),
                _ => None,
            },
            _ => None,
        }
    }

    /// Whether all of the run up to `to`, where a string began, is there and is plain.
    #[inline(always)]
    pub(crate) fn holds(&self, to: usize) -> bool {
        self.bytes.get(self.from..to).is_some_and(is_ascii)
    }
}

/// For some dozens of bytes, which are looked at to the end: what is not ASCII is rare. Apart, so that
/// callers into which runs are inlined stay small; its answer fits a register.
#[inline(never)]
pub(crate) fn is_ascii(bytes: &[u8]) -> bool {
    let (blocks, rest) = bytes.as_chunks::<32>();
    let (words, tail) = rest.as_chunks::<8>();
    let mut all = match bytes.last_chunk() {
        Some(last) => u64::from_ne_bytes(*last),
        None => tail.iter().fold(0, |all, byte| all | u64::from(*byte)),
    };
    for block in blocks {
        let words = block.as_chunks::<8>().0;
        let word = |place: usize| u64::from_ne_bytes(words[place]);
        all |= word(0) | word(1) | word(2) | word(3);
    }
    for word in words {
        all |= u64::from_ne_bytes(*word);
    }
    all & 0x8080_8080_8080_8080 == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_byte_that_is_not_ascii_is_found_wherever_it_is() {
        for len in 0..140 {
            let mut bytes = [b'a'; 140];
            assert!(is_ascii(&bytes[..len]), "{len}");
            for place in 0..len {
                bytes[place] = 0x80;
                assert!(!is_ascii(&bytes[..len]), "{len} {place}");
                bytes[place] = b'a';
            }
        }
    }
}
