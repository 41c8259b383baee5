//! The dynamic table, RFC 7541 sections 2.3.2 and 4: fields in the order they came, the newest first.
//!
//! The text of all entries lies in one buffer, oldest first, whose dead beginning is cut off now and
//! then; so a full table takes and drops entries without allocating.

use std::collections::VecDeque;

use super::ENTRY_OVERHEAD;

#[derive(Clone, Debug)]
pub(super) struct Table {
    entries: VecDeque<Entry>,
    text: Vec<u8>,
    /// Where `text` begins, counted from the first byte that was ever added.
    base: usize,
    size: usize,
    max: usize,
    /// How many entries were ever added, which is the number of the newest.
    added: u32,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    at: usize,
    name_len: u32,
    value_len: u32,
}

impl Entry {
    const fn size(&self) -> usize {
        self.name_len as usize + self.value_len as usize + ENTRY_OVERHEAD
    }
}

impl Table {
    pub(super) const fn new(max: usize) -> Self {
        Self {
            entries: VecDeque::new(),
            text: Vec::new(),
            base: 0,
            size: 0,
            max,
            added: 0,
        }
    }

    pub(super) const fn max(&self) -> usize {
        self.max
    }

    /// The entry of this place, 0 is the newest.
    pub(super) fn get(&self, place: usize) -> Option<(&[u8], &[u8])> {
        let entry = self.entries.get(place)?;
        Some(self.field(entry))
    }

    fn field(&self, entry: &Entry) -> (&[u8], &[u8]) {
        let start = entry.at - self.base;
        let end = start + entry.name_len as usize + entry.value_len as usize;
        self.text[start..end].split_at(entry.name_len as usize)
    }

    /// The place of the entry with this number, and what stands at that place: after 2^32 entries it may
    /// be another's.
    pub(super) fn numbered(&self, number: u32) -> Option<(usize, &[u8], &[u8])> {
        let place = self.added.wrapping_sub(number) as usize;
        let (name, value) = self.get(place)?;
        Some((place, name, value))
    }

    /// The number of the newest entry.
    pub(super) const fn newest(&self) -> u32 {
        self.added
    }

    /// Adds an entry, dropping old ones until it fits. One that cannot fit empties the table
    /// (section 4.4).
    pub(super) fn insert(&mut self, name: &[u8], value: &[u8]) {
        let entry = Entry {
            at: self.base + self.text.len(),
            name_len: name.len() as u32,
            value_len: value.len() as u32,
        };
        self.shrink_to(self.max.saturating_sub(entry.size()));
        if entry.size() > self.max {
            return;
        }
        self.size += entry.size();
        self.added = self.added.wrapping_add(1);
        self.entries.push_front(entry);
        self.text.extend_from_slice(name);
        self.text.extend_from_slice(value);
    }

    /// Changes how large the table may be, dropping old entries (section 4.3).
    pub(super) fn resize(&mut self, max: usize) {
        self.max = max;
        self.shrink_to(max);
    }

    fn shrink_to(&mut self, size: usize) {
        while self.size > size {
            let Some(oldest) = self.entries.pop_back() else {
                break;
            };
            self.size -= oldest.size();
        }
        let live = self.entries.back().map(|oldest| oldest.at - self.base);
        let dead = live.unwrap_or(self.text.len());
        if dead > self.max {
            self.text.drain(..dead);
            self.base += dead;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_entries_go_and_memory_does_not_grow() {
        let mut table = Table::new(3 * (ENTRY_OVERHEAD + 6));
        for number in 0..10_000_u32 {
            let value = format!("{:04}", number % 10_000);
            table.insert(b"nr", value.as_bytes());
            assert_eq!(table.newest(), number + 1);
            let last = number.min(2);
            for place in 0..=last {
                let expected = format!("{:04}", number - place);
                let entry = (&b"nr"[..], expected.as_bytes());
                assert_eq!(table.get(place as usize), Some(entry));
                let numbered = table.numbered(number + 1 - place);
                assert_eq!(numbered, Some((place as usize, entry.0, entry.1)));
            }
            assert_eq!(table.get(last as usize + 1), None);
            assert_eq!(table.numbered(number.wrapping_sub(last)), None);
            assert!(table.text.capacity() < 1024);
        }
        table.insert(b"long", &[b'x'; 200]);
        assert_eq!((table.get(0), table.size), (None, 0));
    }
}
