//! The cursor over input: the only place that slices bytes of a peer.
//!
//! It knows offsets and nothing of any format. Every verb checks before it moves, and a failure
//! names what was being read and leaves the position where it was.

use crate::error::{Error, ErrorKind, What};

/// A position in a slice.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// A reader of `bytes` that stands at `at`, or at the end if that is sooner.
    pub(crate) fn starting_at(bytes: &'a [u8], at: usize) -> Self {
        Self {
            bytes,
            at: at.min(bytes.len()),
        }
    }

    #[inline]
    pub(crate) const fn at(&self) -> usize {
        self.at
    }

    #[inline]
    pub(crate) const fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// All there is, from the very start.
    pub(crate) const fn all(&self) -> &'a [u8] {
        self.bytes
    }

    /// All that is left, without moving.
    #[inline]
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    /// The bytes from `from` up to here.
    #[inline]
    pub(crate) fn since(&self, from: usize) -> &'a [u8] {
        self.bytes.get(from..self.at).unwrap_or_default()
    }

    #[inline]
    pub(crate) fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    #[inline]
    pub(crate) fn byte(&mut self, what: What) -> Result<u8, Error> {
        let Some(&byte) = self.bytes.get(self.at) else {
            return Err(self.short(what));
        };
        self.at += 1;
        Ok(byte)
    }

    #[inline]
    pub(crate) fn array<const N: usize>(&mut self, what: What) -> Result<[u8; N], Error> {
        let Some(found) = self.rest().first_chunk::<N>() else {
            return Err(self.short(what));
        };
        self.at += N;
        Ok(*found)
    }

    /// Moves over `len` bytes of what [`rest`](Self::rest) showed.
    #[inline]
    pub(crate) fn skip(&mut self, len: usize) {
        self.at = (self.at + len).min(self.bytes.len());
    }

    #[inline]
    pub(crate) fn take(&mut self, len: usize, what: What) -> Result<&'a [u8], Error> {
        let Some(found) = self.rest().get(..len) else {
            return Err(self.short(what));
        };
        self.at += len;
        Ok(found)
    }

    /// A reader of the next `len` bytes alone, with the same offsets; this one moves behind them.
    #[inline]
    pub(crate) fn sub(&mut self, len: usize, what: What) -> Result<Self, Error> {
        let from = self.at;
        self.take(len, what)?;
        Ok(Self {
            bytes: self.bytes.get(..self.at).unwrap_or_default(),
            at: from,
        })
    }

    /// Refuses bytes that are left over.
    pub(crate) fn finish(&self, what: What) -> Result<(), Error> {
        match self.left() {
            0 => Ok(()),
            _ => Err(self.error(what, ErrorKind::Trailing)),
        }
    }

    /// "The input ends too early", where it ends.
    #[cold]
    pub(crate) fn short(&self, what: What) -> Error {
        Error::new(self.bytes.len(), what, ErrorKind::Truncated)
    }

    #[cold]
    pub(crate) fn error(&self, what: What, kind: ErrorKind) -> Error {
        Error::new(self.at, what, kind)
    }
}
