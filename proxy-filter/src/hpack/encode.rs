//! Encoding header blocks, RFC 7541 section 6.
//!
//! What goes into the dynamic table is what repeats: a field that is seen for the second time. So a
//! path or a version that all calls share costs one byte, and an id that no two calls share costs the
//! table nothing, without anybody saying which is which. No text is Huffman-coded: our blocks do not
//! leave the process, and bytes are cheaper there than bits.

use super::table::Table;
use super::{DEFAULT_TABLE_SIZE, ENTRY_OVERHEAD, Field, integer, statics};

/// The index of the newest entry of the dynamic table.
const DYNAMIC: usize = statics::TABLE.len() + 1;
/// Sets of places that remember what was seen, and places of a set: so many that hardly ever all places
/// of a set are those of entries in the table.
const SETS: usize = 128;
const WAYS: usize = 4;

/// A name or a field that was seen, by its hash, and the number of the table's entry that had it last; 0
/// if none has.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    hash: u32,
    entry: u32,
}

/// Where a field stands as a whole.
#[derive(Clone, Copy, Debug)]
enum Stood {
    Nowhere,
    /// At this index of the static table.
    Static(usize),
    /// In the dynamic table, under this number.
    Entry(u32),
}

/// So many fields of a block are looked for where they stood in the last.
const FOLLOWED: usize = 64;

/// Encodes the blocks of one direction of a connection. A block that it made must be sent.
#[derive(Clone, Debug)]
pub struct Encoder {
    table: Table,
    seen: Box<[[Seen; WAYS]; SETS]>,
    /// Where each field of the last block stood: the next often has the same in the same place.
    last: Vec<Stood>,
    /// Sizes to announce at the start of the next block: the lowest since the last, and the last.
    resized: Option<(usize, usize)>,
}

impl Default for Encoder {
    fn default() -> Self {
        Self::new()
    }
}

impl Encoder {
    /// An encoder with a table of the default size, which holds until the peer says otherwise.
    pub fn new() -> Self {
        Self {
            table: Table::new(DEFAULT_TABLE_SIZE),
            seen: Box::new([[Seen::default(); WAYS]; SETS]),
            last: Vec::new(),
            resized: None,
        }
    }

    /// The peer's decoder admits a table of `max` bytes (its `SETTINGS_HEADER_TABLE_SIZE`). More than
    /// the default is not used.
    pub fn resize(&mut self, max: usize) {
        let max = max.min(DEFAULT_TABLE_SIZE);
        let announced = self.resized.map(|sizes| sizes.1);
        if announced.is_none() && max == self.table.max() {
            return;
        }
        let lowest = self.resized.map_or(max, |sizes| sizes.0.min(max));
        self.resized = Some((lowest, max));
    }

    /// Appends a block of these fields.
    pub fn encode<'h>(
        &mut self,
        fields: impl Iterator<Item = impl Into<Field<'h>>>,
        out: &mut Vec<u8>,
    ) {
        if let Some((lowest, last)) = self.resized.take() {
            self.announce(lowest, out);
            if last != lowest {
                self.announce(last, out);
            }
        }
        for (at, field) in fields.enumerate() {
            let field = field.into();
            if let Some(index) = self.where_it_stood(at, &field) {
                integer::write(out, 0x80, 7, index);
                continue;
            }
            let stands = self.field(&field, out);
            if let Some(stood) = self.last.get_mut(at) {
                *stood = stands;
            } else if at < FOLLOWED {
                self.last.push(stands);
            }
        }
    }

    /// The index of a field that stands where the last block had it from.
    fn where_it_stood(&self, at: usize, field: &Field<'_>) -> Option<usize> {
        if field.never_indexed {
            return None;
        }
        let (index, name, value) = match *self.last.get(at)? {
            Stood::Nowhere => return None,
            Stood::Static(index) => {
                let (name, value) = statics::TABLE.get(index - 1)?;
                (index, *name, *value)
            }
            Stood::Entry(number) => {
                let (place, name, value) = self.table.numbered(number)?;
                (DYNAMIC + place, name, value)
            }
        };
        ((name, value) == (field.name, field.value)).then_some(index)
    }

    fn announce(&mut self, size: usize, out: &mut Vec<u8>) {
        self.table.resize(size);
        integer::write(out, 0x20, 5, size);
    }

    /// Appends a field, and says where it stands from now on.
    fn field(&mut self, field: &Field<'_>, out: &mut Vec<u8>) -> Stood {
        let Field { name, value, .. } = *field;
        if field.never_indexed {
            self.never_indexed(name, value, out);
            return Stood::Nowhere;
        }
        let in_statics = statics::name_index(name);
        if let Some(index) = in_statics.and_then(|i| statics::field_index(i, name, value)) {
            integer::write(out, 0x80, 7, index);
            return Stood::Static(index);
        }
        let name_hash = hash(0, name);
        let field_hash = fold(hash(name_hash, value));
        let field_seen = self.see(field_hash);
        if let Some((place, found, its)) = self.entry(field_seen)
            && (found, its) == (name, value)
        {
            integer::write(out, 0x80, 7, DYNAMIC + place);
            return Stood::Entry(self.table.newest().wrapping_sub(place as u32));
        }
        let (name_index, name_seen) = match in_statics {
            Some(index) => (Some(index), None),
            None => self.name_in_table(fold(name_hash), name),
        };
        let repeats = field_seen.is_some() || (name_index.is_none() && name_seen.is_some());
        // A long value would push everything else out.
        let worth = name.len() + value.len() + ENTRY_OVERHEAD <= self.table.max() / 4;
        let (first, bits) = if repeats && worth { (0x40, 6) } else { (0, 4) };
        integer::write(out, first, bits, name_index.unwrap_or(0));
        if name_index.is_none() {
            string(out, name);
        }
        string(out, value);
        if repeats && worth {
            self.table.insert(name, value);
            self.stands_in_table(field_hash);
            if in_statics.is_none() {
                self.stands_in_table(fold(name_hash));
            }
            return Stood::Entry(self.table.newest());
        }
        Stood::Nowhere
    }

    /// The index of a name that an entry has, and whether the name was seen before.
    fn name_in_table(&mut self, hash: u32, name: &[u8]) -> (Option<usize>, Option<u32>) {
        let seen = self.see(hash);
        let entry = self.entry(seen).filter(|(_, found, _)| *found == name);
        (entry.map(|(place, ..)| DYNAMIC + place), seen)
    }

    /// The entry that something seen had last, if it still stands.
    fn entry(&self, seen: Option<u32>) -> Option<(usize, &[u8], &[u8])> {
        let number = seen.filter(|number| *number != 0)?;
        self.table.numbered(number)
    }

    /// Section 6.2.3: even where a table has the field, its value stands in the block.
    fn never_indexed(&self, name: &[u8], value: &[u8], out: &mut Vec<u8>) {
        let index = statics::name_index(name);
        integer::write(out, 0x10, 4, index.unwrap_or(0));
        if index.is_none() {
            string(out, name);
        }
        string(out, value);
    }

    /// Remembers what is seen. If it was seen before: the number of its entry, or 0. Ids that no two calls
    /// share must not displace what stands in the table.
    fn see(&mut self, hash: u32) -> Option<u32> {
        let set = &mut self.seen[hash as usize / 2 % SETS];
        if let Some(seen) = set.iter().find(|seen| seen.hash == hash) {
            return Some(seen.entry);
        }
        let is_free = |seen: &Seen| self.table.numbered(seen.entry).is_none();
        let at = set.iter().position(is_free);
        set[at.unwrap_or(hash as usize / 2 / SETS % WAYS)] = Seen { hash, entry: 0 };
        None
    }

    /// What was seen is the newest entry.
    fn stands_in_table(&mut self, hash: u32) {
        let set = &mut self.seen[hash as usize / 2 % SETS];
        if let Some(seen) = set.iter_mut().find(|seen| seen.hash == hash) {
            seen.entry = self.table.newest();
        }
    }
}

fn string(out: &mut Vec<u8>, text: &[u8]) {
    integer::write(out, 0, 7, text.len());
    out.extend_from_slice(text);
}

/// A quick hash; whoever makes two texts collide gains a comparison.
fn hash(seed: u64, bytes: &[u8]) -> u64 {
    const FACTOR: u64 = 0x517c_c1b7_2722_0a95;
    let mix = |hash: u64, word: u64| (hash.rotate_left(5) ^ word).wrapping_mul(FACTOR);
    let (words, rest) = bytes.as_chunks::<8>();
    let hash = words
        .iter()
        .fold(mix(seed, bytes.len() as u64), |hash, word| {
            mix(hash, u64::from_le_bytes(*word))
        });
    let last = rest
        .iter()
        .fold(0, |word, byte| word << 8 | u64::from(*byte));
    mix(hash, last)
}

/// The high half, which depends on all bytes; never 0, which stands for nothing seen.
const fn fold(hash: u64) -> u32 {
    (hash >> 32) as u32 | 1
}

#[cfg(test)]
mod tests {
    use super::super::{Decoder, HeaderList, ListLimits};
    use super::*;

    const LIMITS: ListLimits = ListLimits {
        fields: 100,
        size: 1 << 16,
        string: 1 << 16,
    };

    fn pairs(list: &HeaderList) -> Vec<(Vec<u8>, Vec<u8>)> {
        list.iter().map(|(n, v)| (n.to_vec(), v.to_vec())).collect()
    }

    fn call(id: usize) -> HeaderList {
        let mut list = HeaderList::new();
        list.push(b":method", b"POST");
        list.push(b":path", b"/com.acme.Orders/create");
        list.push(b":authority", b"com.acme.orders.dubbo");
        list.push(b"x-id", format!("{id}").as_bytes());
        list
    }

    #[test]
    fn what_repeats_is_one_byte_and_what_does_not_leaves_the_table_alone() {
        let (mut encoder, mut decoder) = (Encoder::new(), Decoder::new());
        let mut lengths = vec![];
        for id in 1000..1200 {
            let (mut block, mut list) = (vec![], HeaderList::new());
            encoder.encode(call(id).iter(), &mut block);
            assert_eq!(decoder.decode(&block, &LIMITS, &mut list), Ok(true));
            assert_eq!(pairs(&list), pairs(&call(id)));
            lengths.push(block.len());
        }
        // Static, two indexed, and a literal with an indexed name: 2 + 1 + 4.
        assert_eq!(lengths[3..], [10; 197][..]);
    }

    #[test]
    fn the_peers_table_size_is_followed() {
        let (mut encoder, mut decoder) = (Encoder::new(), Decoder::new());
        for size in [4096, 0, 100, 4096, 65_536, 60] {
            encoder.resize(0);
            encoder.resize(size);
            for id in 0..5 {
                let (mut block, mut list) = (vec![], HeaderList::new());
                encoder.encode(call(id).iter(), &mut block);
                assert_eq!(decoder.decode(&block, &LIMITS, &mut list), Ok(true));
                assert_eq!(pairs(&list), pairs(&call(id)));
            }
            assert!(encoder.table.max() <= size.min(DEFAULT_TABLE_SIZE));
        }
    }

    proptest::proptest! {
        /// Fields keep their places, or do not, while a small table drops what it had.
        #[test]
        fn any_lists_one_after_the_other_come_back(
            lists in proptest::collection::vec(proptest::collection::vec((0_usize..6, 0_usize..4), 0..9), 1..40),
            max in 0_usize..400,
        ) {
            let names = [":method", ":path", "x-id", "region", "traceparent", "dubbo.tag"];
            let values = ["POST", "gray", "", "a value that takes more room than others do"];
            let (mut encoder, mut decoder) = (Encoder::new(), Decoder::new());
            encoder.resize(max);
            for list in lists {
                let mut sent = HeaderList::new();
                for (name, value) in list {
                    sent.push(names[name].as_bytes(), values[value].as_bytes());
                }
                let (mut block, mut got) = (vec![], HeaderList::new());
                encoder.encode(sent.fields(), &mut block);
                proptest::prop_assert_eq!(decoder.decode(&block, &LIMITS, &mut got), Ok(true));
                proptest::prop_assert_eq!(pairs(&got), pairs(&sent));
            }
        }
    }
}
