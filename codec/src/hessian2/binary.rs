//! Hessian's binaries: bytes in one chunk or several.

use alloc::borrow::Cow;
use alloc::vec::Vec;
use core::fmt;

use crate::error::{Error, What};
use crate::hessian2::string::unexpected;
use crate::reader::Reader;

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

/// Reads the binary whose lead byte was `lead`. Its reader can live in registers.
#[inline(always)]
pub(crate) fn read_after<'a>(r: &mut Reader<'a>, lead: u8) -> Result<Binary<'a>, Error> {
    let mut slow = *r;
    let binary = read_binary(&mut slow, lead)?;
    *r = slow;
    Ok(binary)
}

fn read_binary<'a>(r: &mut Reader<'a>, lead: u8) -> Result<Binary<'a>, Error> {
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
    use crate::error::ErrorKind;

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
