//! The packing of single values, byte for byte as hessian-lite 4 does it.
//!
//! It owns the compact forms, the cutting of strings, and the tables of types and classes. It must not
//! know graphs. Numbers take the shortest form that Java's writer takes for them, which is not always
//! the shortest there is.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::hessian2::leads::{leads, nth_lead};
use crate::hessian2::{Binary, string};
use crate::out::Out;
use crate::text::Text;

/// Longest chunk of a string, in UTF-16 units (`Hessian2Output.writeString`).
const STRING_CHUNK: usize = 0x8000;
/// Longest chunk of a binary, in bytes. Java cuts where its buffer happens to end; any cut is legal.
const BINARY_CHUNK: usize = 0x8000;

/// Writes Hessian 2 values one after the other. The caller keeps containers and counts in step.
#[derive(Clone, Debug, Default)]
pub struct Writer<'a> {
    bytes: Vec<u8>,
    types: BTreeMap<Text<'a>, u32>,
    types_len: u32,
    classes: u32,
}

impl<'a> Writer<'a> {
    /// A writer of the first value of a body.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes room for so many bytes more.
    pub(crate) fn reserve(&mut self, bytes: usize) {
        self.bytes.reserve(bytes);
    }

    /// A writer that goes on where other values of the same body left off: with the types that they
    /// named, in order, and the number of classes that they defined.
    pub(crate) fn resume(types: impl Iterator<Item = Text<'a>>, classes: u32) -> Self {
        let mut writer = Self {
            classes,
            ..Self::default()
        };
        types.for_each(|name| writer.learn_type(name));
        writer
    }

    /// The bytes written so far.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The bytes.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// `null`.
    pub fn null(&mut self) {
        self.bytes.push(b'N');
    }

    /// A boolean.
    pub fn bool(&mut self, value: bool) {
        self.bytes.push(if value { b'T' } else { b'F' });
    }

    /// An int.
    pub fn int(&mut self, value: i32) {
        let [a, b, c, d] = value.to_be_bytes();
        match value {
            -0x10..=0x2f => self.bytes.push((0x90 + value) as u8),
            -0x800..=0x7ff => self.bytes.extend([(0xc8 + (value >> 8)) as u8, d]),
            -0x40000..=0x3ffff => self.bytes.extend([(0xd4 + (value >> 16)) as u8, c, d]),
            _ => self.bytes.extend([b'I', a, b, c, d]),
        }
    }

    /// A long; it stays one however small.
    pub fn long(&mut self, value: i64) {
        let [.., c, d] = value.to_be_bytes();
        match value {
            -0x08..=0x0f => self.bytes.push((0xe0 + value) as u8),
            -0x800..=0x7ff => self.bytes.extend([(0xf8 + (value >> 8)) as u8, d]),
            -0x40000..=0x3ffff => self.bytes.extend([(0x3c + (value >> 16)) as u8, c, d]),
            _ => match i32::try_from(value) {
                Ok(value) => self.lead_and(b'Y', value.to_be_bytes()),
                Err(_) => self.lead_and(b'L', value.to_be_bytes()),
            },
        }
    }

    /// A double. Like Java's writer, this loses the sign of a zero.
    pub fn double(&mut self, value: f64) {
        // `as` is Java's cast: it saturates, and NaN becomes 0.
        let whole = value as i32;
        if f64::from(whole) == value {
            match whole {
                0 => return self.bytes.push(0x5b),
                1 => return self.bytes.push(0x5c),
                -0x80..=0x7f => return self.bytes.extend([0x5d, whole as u8]),
                -0x8000..=0x7fff => return self.lead_and(0x5e, (whole as i16).to_be_bytes()),
                _ => {}
            }
        }
        let thousandths = (value * 1000.0) as i32;
        if 0.001 * f64::from(thousandths) == value {
            self.lead_and(0x5f, thousandths.to_be_bytes());
        } else {
            self.lead_and(b'D', value.to_be_bytes());
        }
    }

    /// A date in milliseconds since 1970, UTC.
    pub fn date(&mut self, millis: i64) {
        let minutes = (millis % 60_000 == 0)
            .then(|| i32::try_from(millis / 60_000).ok())
            .flatten();
        match minutes {
            Some(minutes) => self.lead_and(0x4b, minutes.to_be_bytes()),
            None => self.lead_and(0x4a, millis.to_be_bytes()),
        }
    }

    /// A string.
    pub fn string(&mut self, text: Text<'_>) {
        push_string(&mut self.bytes, text);
    }

    /// Bytes.
    pub fn binary(&mut self, binary: Binary<'_>) {
        let bytes = binary.to_cow();
        let mut bytes = &*bytes;
        while let Some((chunk, rest)) = bytes.split_at_checked(BINARY_CHUNK)
            && !rest.is_empty()
        {
            self.lead_and(b'A', (BINARY_CHUNK as u16).to_be_bytes());
            self.bytes.extend_from_slice(chunk);
            bytes = rest;
        }
        let [high, low] = (bytes.len() as u16).to_be_bytes();
        match bytes.len() {
            0..0x10 => self.bytes.push(0x20 + low),
            0x10..0x400 => self.bytes.extend([0x34 + high, low]),
            _ => self.bytes.extend([b'B', high, low]),
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// The list, map or object that was the `index`-th to begin in this body, once more.
    pub fn reference(&mut self, index: u32) {
        self.bytes.push(b'Q');
        self.int(index as i32);
    }

    /// Begins a list; `len` values follow, and no end.
    pub fn begin_list(&mut self, class: Option<Text<'a>>, len: usize) {
        let short = u8::try_from(len).ok().filter(|len| *len < 8);
        match (class, short) {
            (Some(class), Some(len)) => {
                self.bytes.push(0x70 + len);
                self.type_name(class);
            }
            (None, Some(len)) => self.bytes.push(0x78 + len),
            (Some(class), None) => {
                self.bytes.push(b'V');
                self.type_name(class);
                self.int(len as i32);
            }
            (None, None) => {
                self.bytes.push(b'X');
                self.int(len as i32);
            }
        }
    }

    /// Begins a map; keys and values follow, then [`end_map`](Self::end_map).
    pub fn begin_map(&mut self, class: Option<Text<'a>>) {
        match class {
            Some(class) => {
                self.bytes.push(b'M');
                self.type_name(class);
            }
            None => self.bytes.push(b'H'),
        }
    }

    /// Ends a map.
    pub fn end_map(&mut self) {
        self.bytes.push(b'Z');
    }

    /// Defines a class and returns its index, for [`begin_object`](Self::begin_object).
    pub fn class<'t>(
        &mut self,
        name: Text<'_>,
        fields: impl ExactSizeIterator<Item = Text<'t>>,
    ) -> u32 {
        self.bytes.push(b'C');
        self.string(name);
        self.int(fields.len() as i32);
        fields.for_each(|field| self.string(field));
        self.classes += 1;
        self.classes - 1
    }

    /// Begins an object of a class; the values of its fields follow, and no end.
    pub fn begin_object(&mut self, class: u32) {
        match class {
            0..0x10 => self.bytes.push(0x60 + class as u8),
            _ => {
                self.bytes.push(b'O');
                self.int(class as i32);
            }
        }
    }

    fn type_name(&mut self, name: Text<'a>) {
        match self.types.get(&name) {
            Some(index) => self.int(*index as i32),
            None => {
                self.learn_type(name);
                self.string(name);
            }
        }
    }

    /// Puts bytes in the place of others that were written.
    #[cfg(feature = "serde")]
    pub(crate) fn replace(&mut self, place: core::ops::Range<usize>, bytes: &[u8]) {
        self.bytes.splice(place, bytes.iter().copied());
    }

    /// A name that is named again takes an index too; the first one is used.
    fn learn_type(&mut self, name: Text<'a>) {
        self.types.entry(name).or_insert(self.types_len);
        self.types_len += 1;
    }

    fn lead_and<const N: usize>(&mut self, lead: u8, rest: [u8; N]) {
        self.bytes.push(lead);
        self.bytes.extend(rest);
    }
}

/// Appends a string.
#[inline]
pub(crate) fn push_string(out: &mut impl Out, text: Text<'_>) {
    match text.ascii() {
        Some(bytes) if bytes.len() <= STRING_CHUNK => push_chunk(out, bytes.len(), bytes),
        _ => push_any(out, text),
    }
}

/// The string that is not short or not ASCII.
#[inline(never)]
fn push_any(out: &mut impl Out, text: Text<'_>) {
    if let Some(bytes) = text.as_cesu8_bytes() {
        return push_cesu8(out, bytes);
    }
    let joined = text.chunks().and_then(string::joined);
    let bytes = joined.unwrap_or_else(|| {
        let mut bytes = Vec::new();
        text.units().for_each(|unit| push_unit(&mut bytes, unit));
        bytes
    });
    push_cesu8(out, &bytes);
}

fn push_cesu8(out: &mut impl Out, mut bytes: &[u8]) {
    // Validated sequences have one lead each, and each is one unit.
    let mut units = leads(bytes);
    while units > STRING_CHUNK {
        let mut chunk = STRING_CHUNK;
        let mut end = nth_lead(bytes, chunk);
        // A chunk does not end between the halves of a pair.
        if let Some([0xed, 0xa0..=0xaf, _]) = bytes[..end].last_chunk::<3>() {
            (chunk, end) = (chunk - 1, end - 3);
        }
        out.byte(b'R');
        out.bytes(&(chunk as u16).to_be_bytes());
        out.bytes(&bytes[..end]);
        (units, bytes) = (units - chunk, &bytes[end..]);
    }
    push_chunk(out, units, bytes);
}

/// Appends the last chunk of a string, which most often is the only one.
#[inline]
fn push_chunk(out: &mut impl Out, units: usize, bytes: &[u8]) {
    let [high, low] = (units as u16).to_be_bytes();
    match units {
        0..0x20 => out.byte(low),
        0x20..0x400 => out.bytes(&[0x30 + high, low]),
        _ => out.bytes(&[b'S', high, low]),
    }
    out.bytes(bytes);
}

/// Appends a UTF-16 unit as a sequence of its own.
pub(crate) fn push_unit(out: &mut Vec<u8>, unit: u16) {
    let [top, middle, low] = [unit >> 12, unit >> 6 & 0x3f, unit & 0x3f].map(|n| n as u8);
    match unit {
        0..0x80 => out.push(unit as u8),
        0x80..0x800 => out.extend([0xc0 | middle, 0x80 | low]),
        _ => out.extend([0xe0 | top, 0x80 | middle, 0x80 | low]),
    }
}
