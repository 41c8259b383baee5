//! How large the table may be that the header blocks of a client are read and written with.
//!
//! The connection manager says how large a table of the client's it keeps, the client acknowledges, and
//! from then on its blocks keep to that. Between them stand two tables: the client's with ours, ours with
//! the manager's.
//!
//! - The client is never told more than the default, so that is all its blocks can ask of us.
//! - What we write keeps to a smaller size at once, and to a larger one when the manager has seen the
//!   client's acknowledgement: before that it may not know of it.

use std::collections::VecDeque;

use crate::hpack::{DEFAULT_TABLE_SIZE, Encoder};

/// `SETTINGS_HEADER_TABLE_SIZE` (RFC 9113, 6.5.2).
const HEADER_TABLE_SIZE: [u8; 2] = [0, 1];

/// What the manager announced.
#[derive(Debug)]
pub(super) struct Tables {
    /// What holds for the manager.
    acknowledged: usize,
    /// Of each frame that is not acknowledged the lowest size, and the last.
    announced: VecDeque<(usize, usize)>,
}

impl Default for Tables {
    fn default() -> Self {
        Self {
            acknowledged: DEFAULT_TABLE_SIZE,
            announced: VecDeque::new(),
        }
    }
}

impl Tables {
    /// The manager's settings go to the client; their sizes are cut to the default in place.
    pub(super) fn announced(&mut self, settings: &mut [u8], encoder: &mut Encoder) {
        let last = self.announced.back().map(|sizes| sizes.1);
        let mut last = last.unwrap_or(self.acknowledged);
        let mut lowest = last;
        for setting in settings.as_chunks_mut::<6>().0 {
            let [i0, i1, value @ ..] = setting;
            if [*i0, *i1] == HEADER_TABLE_SIZE {
                let size = u32::from_be_bytes(*value).min(DEFAULT_TABLE_SIZE as u32);
                *value = size.to_be_bytes();
                last = size as usize;
                lowest = lowest.min(last);
            }
        }
        self.announced.push_back((lowest, last));
        encoder.resize(self.usable());
    }

    /// The client's acknowledgement goes to the manager.
    pub(super) fn acknowledged(&mut self, encoder: &mut Encoder) {
        if let Some((lowest, last)) = self.announced.pop_front() {
            self.acknowledged = last;
            encoder.resize(lowest.min(self.usable()));
            encoder.resize(self.usable());
        }
    }

    /// What the manager takes now and will take in a moment.
    fn usable(&self) -> usize {
        let announced = self.announced.iter().map(|sizes| sizes.0);
        announced.min().unwrap_or(usize::MAX).min(self.acknowledged)
    }
}
