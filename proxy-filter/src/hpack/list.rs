//! A header list: names and values in order, in one buffer that is used again and again.

/// What a cleared list keeps: bytes of text, and fields. A list of a call has a tenth of that.
const KEPT_TEXT: usize = 4 * 1024;
const KEPT_FIELDS: usize = 128;

/// Names and values in the order they were added. Cleared, it keeps memory for the next, but not that of
/// an unusually long one: a connection has one list for each of its calls.
#[derive(Clone, Debug, Default)]
pub struct HeaderList {
    text: Vec<u8>,
    fields: Vec<Place>,
}

/// `text[start..middle]` is a name, `text[middle..end]` its value.
#[derive(Clone, Copy, Debug)]
struct Place {
    start: u32,
    middle: u32,
    end: u32,
    never_indexed: bool,
}

/// A field of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "RFC 7541 knows no more of a field"
)]
pub struct Field<'h> {
    /// The name.
    pub name: &'h [u8],
    /// The value.
    pub value: &'h [u8],
    /// Nobody who passes it on may put it into a table (RFC 7541, 7.1.3).
    pub never_indexed: bool,
}

/// One that may be in tables.
impl<'h> From<(&'h [u8], &'h [u8])> for Field<'h> {
    fn from((name, value): (&'h [u8], &'h [u8])) -> Self {
        Self {
            name,
            value,
            never_indexed: false,
        }
    }
}

impl HeaderList {
    /// An empty list.
    pub const fn new() -> Self {
        Self {
            text: Vec::new(),
            fields: Vec::new(),
        }
    }

    /// Forgets all fields.
    pub fn clear(&mut self) {
        self.text.clear();
        self.text.shrink_to(KEPT_TEXT);
        self.fields.clear();
        self.fields.shrink_to(KEPT_FIELDS);
    }

    /// Forgets all fields of a list that holds more memory than a cleared one may.
    pub(crate) fn clear_if_long(&mut self) {
        if self.text.capacity() > KEPT_TEXT || self.fields.capacity() > KEPT_FIELDS {
            self.clear();
        }
    }

    /// Becomes a copy of `other`, keeping its own memory.
    pub fn copy_from(&mut self, other: &Self) {
        self.text.clone_from(&other.text);
        self.fields.clone_from(&other.fields);
    }

    /// Adds a field at the end.
    pub fn push(&mut self, name: &[u8], value: &[u8]) {
        let start = self.text.len();
        self.text.extend_from_slice(name);
        self.text.extend_from_slice(value);
        self.keep(start, start + name.len(), false);
    }

    /// Names and values of the fields.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> + Clone {
        self.fields().map(|field| (field.name, field.value))
    }

    /// The fields.
    pub fn fields(&self) -> impl Iterator<Item = Field<'_>> + Clone {
        self.fields.iter().map(|place| Field {
            name: &self.text[place.start as usize..place.middle as usize],
            value: &self.text[place.middle as usize..place.end as usize],
            never_indexed: place.never_indexed,
        })
    }

    /// The value of the first field of this name.
    pub fn get(&self, name: &[u8]) -> Option<&[u8]> {
        self.iter().find(|field| field.0 == name).map(|f| f.1)
    }

    /// How many fields there are.
    pub const fn len(&self) -> usize {
        self.fields.len()
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// What HTTP/2 counts as the list's size: each field is 32 bytes longer than its text
    /// (RFC 9113, 6.5.2).
    pub const fn size(&self) -> usize {
        self.text.len() + self.fields.len() * super::ENTRY_OVERHEAD
    }

    /// Where text is written before [`keep`](Self::keep) or [`drop_from`](Self::drop_from).
    pub(super) const fn text(&mut self) -> &mut Vec<u8> {
        &mut self.text
    }

    /// Makes a field of the text from `start`: name, then from `middle` value.
    /// Lengths are those of header blocks, far below 2^32.
    pub(super) fn keep(&mut self, start: usize, middle: usize, never_indexed: bool) {
        self.fields.push(Place {
            start: start as u32,
            middle: middle as u32,
            end: self.text.len() as u32,
            never_indexed,
        });
    }

    /// Forgets the text from `start`.
    pub(super) fn drop_from(&mut self, start: usize) {
        self.text.truncate(start);
    }
}
