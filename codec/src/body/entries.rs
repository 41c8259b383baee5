//! Where the attachments of a body are.

use crate::error::{Error, ErrorKind, Limit, Limits, What};
use crate::inline::Inline;

/// Where the attachments of a body are. Offsets are from the start of the body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Entries {
    /// Of the map: its lead byte, or of the null in its place.
    pub(crate) start: u32,
    /// Of the first key; `end` if there is none, 0 if there is no map.
    pub(crate) first: u32,
    /// Of the map's end marker; 0 if there is no map.
    pub(crate) end: u32,
    /// Behind the map.
    pub(crate) after: u32,
    /// Of each key and its value; an entry ends where the next begins, the last one at `end`. In
    /// protobuf, where they may stand in any order, of the length before each.
    pub(crate) list: Inline<(u32, u32), { Self::IN_PLACE }>,
}

impl Entries {
    /// So many take no allocation.
    pub(crate) const IN_PLACE: usize = 20;

    pub(crate) fn at(start: usize) -> Self {
        Self {
            start: start as u32,
            ..Self::default()
        }
    }

    #[inline]
    pub(crate) fn push(&mut self, key: usize, value: usize, limits: &Limits) -> Result<(), Error> {
        if self.list.len() >= limits.max_attachments as usize {
            return Err(Error::new(
                key,
                What::Attachments,
                ErrorKind::Limit(Limit::Attachments),
            ));
        }
        self.list.push((key as u32, value as u32));
        Ok(())
    }

    /// Offsets of the `index`-th entry: key, value, end.
    pub(crate) fn get(&self, index: usize) -> Option<(u32, u32, u32)> {
        let (key, value) = self.list.get(index)?;
        let end = self.list.get(index + 1).map_or(self.end, |(next, _)| next);
        Some((key, value, end))
    }
}
