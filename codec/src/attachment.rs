//! Attachments: the map at the end of a request or response, read lazily.
//!
//! Keys are strings in all that Dubbo sends; values are mostly strings, but since 2.7 they may be any
//! object: ints, null, lists, beans. A key that occurs twice counts with its last value, as in Java's
//! `Map.put`.

use crate::body::{Entries, Format};
use crate::error::What;
use crate::hessian2;
use crate::json;
use crate::jsonb;
use crate::msgpack;
use crate::protobuf;
use crate::reader::Reader;
use crate::text::Text;

/// The attachments of a body.
#[derive(Clone, Copy, Debug)]
pub struct Attachments<'a, 'i> {
    pub(crate) body: &'a [u8],
    pub(crate) format: Format,
    pub(crate) entries: &'i Entries,
}

/// The value of an attachment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "whatever else there is, is Other")]
pub enum AttachmentValue<'a> {
    /// A string.
    String(Text<'a>),
    /// An int (a short, a byte).
    Int(i32),
    /// A long.
    Long(i64),
    /// A boolean.
    Bool(bool),
    /// Null, which is not the same as absent.
    Null,
    /// Anything else, as it is on the wire. References in it may point out of it.
    Other(&'a [u8]),
}

impl<'a> AttachmentValue<'a> {
    /// The string, if it is one.
    pub const fn as_text(&self) -> Option<Text<'a>> {
        match self {
            Self::String(text) => Some(*text),
            _ => None,
        }
    }
}

/// An attachment that is read when it is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a, 'i> {
    all: Attachments<'a, 'i>,
    index: usize,
}

impl<'a> Entry<'a, '_> {
    /// The key; `None` if it is not a string.
    #[inline]
    pub fn key(&self) -> Option<Text<'a>> {
        match self.all.format {
            Format::Hessian2 => hessian2::string_of(self.all.raw(self.index)?.0),
            _ => self.all.key(self.index),
        }
    }

    /// The value.
    pub fn value(&self) -> AttachmentValue<'a> {
        let value = self.all.value(self.index);
        value.unwrap_or(AttachmentValue::Other(&[]))
    }
}

impl<'a, 'i> Attachments<'a, 'i> {
    /// How many there are, duplicates included.
    pub const fn len(&self) -> usize {
        self.entries.list.len()
    }

    /// There are none.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The value that Java sees under `key`: the last one, if there are several.
    pub fn get(&self, key: &str) -> Option<AttachmentValue<'a>> {
        (0..self.len())
            .rev()
            .find(|index| self.has_key(*index, key))
            .and_then(|i| self.value(i))
    }

    /// What [`get`](Self::get) would say of each of these keys, no two of which are the same, with one look at
    /// every attachment.
    pub fn get_each<const N: usize>(&self, keys: [&str; N]) -> [Option<AttachmentValue<'a>>; N] {
        let mut last = [None; N];
        for index in 0..self.len() {
            if let Some(place) = self.place_of(index, &keys) {
                last[place] = Some(index);
            }
        }
        last.map(|index| self.value(index?))
    }

    /// The string under `key`; `None` if there is none or it is not a string.
    pub fn text(&self, key: &str) -> Option<Text<'a>> {
        self.get(key)?.as_text()
    }

    /// All of them, in order. A key that is not a string is `None`.
    pub fn iter(
        &self,
    ) -> impl Iterator<Item = (Option<Text<'a>>, AttachmentValue<'a>)> + use<'a, 'i> {
        let all = *self;
        (0..all.len()).filter_map(move |index| match all.format {
            Format::Hessian2 => {
                let (key, value) = all.raw(index)?;
                let value = hessian_value(value).unwrap_or(AttachmentValue::Other(value));
                Some((hessian2::string_of(key), value))
            }
            _ => Some((all.key(index), all.value(index)?)),
        })
    }

    /// All of them, in order, none of them read yet.
    pub fn entries(&self) -> impl Iterator<Item = Entry<'a, 'i>> + use<'a, 'i> {
        let all = *self;
        (0..all.len()).map(move |index| Entry { all, index })
    }

    /// The entry's key and value as they are on the wire.
    pub(crate) fn raw(&self, index: usize) -> Option<(&'a [u8], &'a [u8])> {
        let (key, value, end) = self.entries.get(index)?;
        let bytes = |from: u32, to: u32| self.body.get(from as usize..to as usize);
        Some((bytes(key, value)?, bytes(value, end)?))
    }

    #[inline]
    pub(crate) fn has_key(&self, index: usize, key: &str) -> bool {
        self.place_of(index, &[key]).is_some()
    }

    /// Which of `keys` the entry has.
    #[inline]
    fn place_of(&self, index: usize, keys: &[&str]) -> Option<usize> {
        if let Some(short) = self.short_key(index) {
            return keys.iter().position(|key| short == key.as_bytes());
        }
        let found = self.key(index)?;
        keys.iter().position(|key| found == **key)
    }

    /// The common form of a key, to be compared without reading it: a length, then that many ASCII bytes.
    #[inline]
    fn short_key(&self, index: usize) -> Option<&'a [u8]> {
        let (at, value, _) = self.entries.get(index)?;
        let (first, rest) = (self.body.get(at as usize..value as usize)?).split_first()?;
        let lead = match self.format {
            Format::Hessian2 => 0,
            Format::Jsonb => jsonb::SHORT_ASCII,
            Format::MsgPack => 0xa0,
            _ => return None,
        };
        let len = usize::from(first.wrapping_sub(lead));
        // In JSONB the bytes are ISO 8859-1, which only agrees with ASCII.
        let agrees = self.format != Format::Jsonb || rest.is_ascii();
        (len < 0x20 && len == rest.len() && agrees).then_some(rest)
    }

    fn key(&self, index: usize) -> Option<Text<'a>> {
        if self.format == Format::Protobuf {
            return Some(protobuf::text_at(self.body, self.entries.get(index)?.0));
        }
        let raw = self.raw(index)?.0;
        match self.format {
            Format::Hessian2 => hessian2::string_of(raw),
            Format::JsonLines | Format::JsonFramed | Format::ProtobufJson => json::key(raw),
            Format::Protobuf => None,
            Format::MsgPack => {
                msgpack::optional_string(&mut Reader::new(raw), What::AttachmentKey).ok()?
            }
            Format::Jsonb => {
                let symbol = jsonb::name(raw)?;
                symbol
                    .name
                    .or_else(|| self.symbol_name(index, symbol.number))
            }
        }
    }

    /// The name that the last key before `index` gave to a number.
    fn symbol_name(&self, index: usize, number: i32) -> Option<Text<'a>> {
        let symbol = |index| jsonb::name(self.raw(index)?.0);
        (0..index)
            .rev()
            .filter_map(symbol)
            .find(|s| s.number == number)?
            .name
    }

    /// The key is a symbol by its number, and no key before it gave it a name.
    pub(crate) fn is_unknown_symbol(&self, index: usize) -> bool {
        let symbol = self.raw(index).and_then(|(key, _)| jsonb::name(key));
        symbol.is_some_and(|symbol| symbol.name.is_none()) && self.key(index).is_none()
    }

    pub(crate) fn value(&self, index: usize) -> Option<AttachmentValue<'a>> {
        if self.format == Format::Protobuf {
            let (_, at, _) = self.entries.get(index)?;
            return Some(AttachmentValue::String(protobuf::text_at(self.body, at)));
        }
        let (_, raw) = self.raw(index)?;
        let scalar = match self.format {
            Format::Hessian2 => hessian_value(raw),
            Format::Jsonb => jsonb_value(raw),
            Format::MsgPack => msgpack_value(raw),
            _ => return json::scalar(raw).map(json_value),
        };
        Some(scalar.unwrap_or(AttachmentValue::Other(raw)))
    }
}

fn hessian_value(raw: &[u8]) -> Option<AttachmentValue<'_>> {
    use hessian2::Scalar;
    if let Some(text) = hessian2::string_of(raw) {
        return Some(AttachmentValue::String(text));
    }
    Some(match hessian2::scalar(raw)? {
        Scalar::String(text) => AttachmentValue::String(text),
        Scalar::Int(value) => AttachmentValue::Int(value),
        Scalar::Long(value) => AttachmentValue::Long(value),
        Scalar::Bool(value) => AttachmentValue::Bool(value),
        Scalar::Null => AttachmentValue::Null,
        _ => return None,
    })
}

fn jsonb_value(raw: &[u8]) -> Option<AttachmentValue<'_>> {
    use jsonb::Scalar;
    Some(match jsonb::scalar(raw)? {
        Scalar::String(text) => AttachmentValue::String(text),
        Scalar::Byte(value) => AttachmentValue::Int(value.into()),
        Scalar::Short(value) => AttachmentValue::Int(value.into()),
        Scalar::Int(value) => AttachmentValue::Int(value),
        Scalar::Long(value) => AttachmentValue::Long(value),
        Scalar::Bool(value) => AttachmentValue::Bool(value),
        Scalar::Null => AttachmentValue::Null,
        _ => return None,
    })
}

fn json_value(value: json::Scalar<'_>) -> AttachmentValue<'_> {
    match value {
        json::Scalar::Null => AttachmentValue::Null,
        json::Scalar::Bool(value) => AttachmentValue::Bool(value),
        json::Scalar::Integer(value) => integer(value),
        json::Scalar::String(text) => AttachmentValue::String(text),
        json::Scalar::Other(raw) => AttachmentValue::Other(raw),
    }
}

fn msgpack_value(raw: &[u8]) -> Option<AttachmentValue<'_>> {
    Some(
        match msgpack::value(&mut Reader::new(raw), What::Attachments).ok()? {
            msgpack::Value::Null => AttachmentValue::Null,
            msgpack::Value::Bool(value) => AttachmentValue::Bool(value),
            msgpack::Value::Integer(value) => integer(value),
            msgpack::Value::String(text) => AttachmentValue::String(text),
            _ => return None,
        },
    )
}

/// Where ints and longs are not told apart: an int if it fits.
fn integer<'a>(value: i64) -> AttachmentValue<'a> {
    i32::try_from(value).map_or(AttachmentValue::Long(value), AttachmentValue::Int)
}
