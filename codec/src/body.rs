//! Reading the parts of a body, whatever its serialization.
//!
//! Dubbo writes the same things in the same order in all serializations (`DubboCodec`): strings, then
//! values, then a map of attachments; only their encoding differs. This file owns that common
//! vocabulary and must not know what the strings mean.

use crate::attachment::Attachments;
use crate::error::{Error, ErrorKind, Limit, Limits, What};
use crate::exception::{Exception, HessianSight, JsonbSight};
use crate::hessian2::{self, Tables};
use crate::inline::Inline;
use crate::json;
use crate::jsonb;
use crate::msgpack;
use crate::protobuf;
use crate::reader::Reader;
use crate::serialization::Serialization;
use crate::text::Text;

/// An encoding of bodies that this crate reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// Hessian 2, by Dubbo or by Caucho.
    Hessian2,
    /// JSONB: each write is a length of four bytes and a value.
    Jsonb,
    /// JSON texts, a line each.
    JsonLines,
    /// JSON texts, a length of four bytes before each.
    JsonFramed,
    /// MessagePack values.
    MsgPack,
    /// Protobuf messages, a length before each.
    Protobuf,
    /// Protobuf messages as JSON texts, a line each.
    ProtobufJson,
}

impl Format {
    /// The encoding of a body, or of what has come of it.
    #[inline]
    pub(crate) fn of(serialization: Serialization, body: &[u8]) -> Result<Self, Error> {
        match serialization {
            Serialization::FASTJSON if body.first() == Some(&0) => Ok(Self::JsonFramed),
            Serialization::FASTJSON | Serialization::GSON | Serialization::JACKSON => {
                Ok(Self::JsonLines)
            }
            Serialization::MSGPACK => Ok(Self::MsgPack),
            Serialization::HESSIAN2 | Serialization::NATIVE_HESSIAN => Ok(Self::Hessian2),
            Serialization::FASTJSON2 => Ok(Self::Jsonb),
            Serialization::PROTOBUF => Ok(Self::Protobuf),
            Serialization::PROTOBUF_JSON => Ok(Self::ProtobufJson),
            _ => Err(Error::new(0, What::Body, ErrorKind::Unsupported)),
        }
    }

    /// The same as one that can be written and changed too.
    pub(crate) const fn written(self) -> Result<Written, Error> {
        match self {
            Self::Hessian2 => Ok(Written::Hessian2),
            Self::Jsonb => Ok(Written::Jsonb),
            _ => Err(Error::new(0, What::Body, ErrorKind::Unsupported)),
        }
    }
}

/// An encoding of bodies that this crate also writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    Hessian2,
    Jsonb,
}

/// What the strings at the beginning of a request are read through.
pub(crate) trait Strings<'a> {
    /// Where the next one begins.
    fn at(&self) -> u32;
    /// A string that must not be null.
    fn string(&mut self, what: What) -> Result<Text<'a>, Error>;
    /// A string; `None` is null.
    fn optional_string(&mut self, what: What) -> Result<Option<Text<'a>>, Error>;
    /// The int that old dubbox peers write where the parameter types stand; `None` if there is none.
    fn dubbox_count(&mut self) -> Result<Option<i32>, Error>;
    /// The string that comes next, and nothing moves; `None` if it is something else.
    fn peek_string(&self) -> Result<Option<Text<'a>>, Error>;
}

/// The strings of Hessian 2 alone: apart from all other encodings, it is read in registers.
#[derive(Debug)]
pub(crate) struct HessianStrings<'a> {
    r: Reader<'a>,
    four: bool,
}

impl<'a> HessianStrings<'a> {
    /// The reader, behind what was read.
    #[inline(always)]
    pub(crate) const fn into_reader(self) -> Reader<'a> {
        self.r
    }
}

impl<'a> Strings<'a> for HessianStrings<'a> {
    #[inline(always)]
    fn at(&self) -> u32 {
        self.r.at() as u32
    }

    #[inline(always)]
    fn string(&mut self, what: What) -> Result<Text<'a>, Error> {
        hessian2::read_string(&mut self.r, self.four, what)
    }

    #[inline(always)]
    fn optional_string(&mut self, what: What) -> Result<Option<Text<'a>>, Error> {
        match self.r.peek() {
            Some(b'N') => self.r.byte(what).map(|_| None),
            _ => self.string(what).map(Some),
        }
    }

    #[inline(always)]
    fn dubbox_count(&mut self) -> Result<Option<i32>, Error> {
        dubbox_count(&mut self.r)
    }

    #[inline(never)]
    fn peek_string(&self) -> Result<Option<Text<'a>>, Error> {
        let mut strings = Self { ..*self };
        unless_other(strings.optional_string(What::Arguments))
    }
}

impl<'a> Strings<'a> for BodyReader<'a, '_> {
    fn at(&self) -> u32 {
        self.r.at() as u32
    }

    fn string(&mut self, what: What) -> Result<Text<'a>, Error> {
        let at = self.r.at();
        match BodyReader::optional_string(self, what)? {
            Some(text) => Ok(text),
            None => Err(Error::new(at, what, ErrorKind::UnexpectedByte(self.null()))),
        }
    }

    fn optional_string(&mut self, what: What) -> Result<Option<Text<'a>>, Error> {
        BodyReader::optional_string(self, what)
    }

    fn dubbox_count(&mut self) -> Result<Option<i32>, Error> {
        match self.format {
            Format::Hessian2 => dubbox_count(&mut self.r),
            _ => Ok(None),
        }
    }

    fn peek_string(&self) -> Result<Option<Text<'a>>, Error> {
        let mut reader = Self { ..*self };
        unless_other(BodyReader::optional_string(&mut reader, What::Arguments))
    }
}

#[inline(always)]
fn dubbox_count(r: &mut Reader<'_>) -> Result<Option<i32>, Error> {
    match r.peek() {
        Some(0x80..=0xd7 | b'I') => hessian2::read_int(r, What::ParameterTypes).map(Some),
        _ => Ok(None),
    }
}

/// Nothing where something else than a string stands; what is cut short stays an error.
fn unless_other(read: Result<Option<Text<'_>>, Error>) -> Result<Option<Text<'_>>, Error> {
    match read {
        Err(error) if !error.is_truncated() => Ok(None),
        read => read,
    }
}

/// A cursor over a body.
#[derive(Debug)]
pub(crate) struct BodyReader<'a, 'l> {
    pub(crate) r: Reader<'a>,
    format: Format,
    limits: &'l Limits,
}

impl<'a, 'l> BodyReader<'a, 'l> {
    pub(crate) fn new(format: Format, body: &'a [u8], limits: &'l Limits) -> Self {
        Self {
            r: Reader::new(body),
            format,
            limits,
        }
    }

    /// The strings that come next, if they are in Hessian 2. This reader does not move with them.
    #[inline(always)]
    pub(crate) fn hessian_strings(&self) -> Option<HessianStrings<'a>> {
        (self.format == Format::Hessian2).then_some(HessianStrings {
            r: self.r,
            four: self.limits.four_byte_utf8,
        })
    }

    /// A string; `None` is null.
    pub(crate) fn optional_string(&mut self, what: What) -> Result<Option<Text<'a>>, Error> {
        match self.format {
            Format::Hessian2 if self.r.peek() == Some(b'N') => self.r.byte(what).map(|_| None),
            Format::Hessian2 => {
                hessian2::read_string(&mut self.r, self.limits.four_byte_utf8, what).map(Some)
            }
            Format::Jsonb => jsonb::framed(&mut self.r, what, |r| jsonb::optional_string(r, what)),
            Format::JsonLines | Format::JsonFramed | Format::ProtobufJson => {
                self.json(what, |r| json::optional_string(r, what))
            }
            Format::MsgPack => msgpack::optional_string(&mut self.r, what),
            Format::Protobuf => protobuf::string(&mut self.r, what).map(Some),
        }
    }

    /// The lead byte of null.
    const fn null(&self) -> u8 {
        match self.format {
            Format::Hessian2 => b'N',
            Format::Jsonb => jsonb::NULL,
            Format::JsonLines | Format::JsonFramed | Format::ProtobufJson => b'n',
            Format::MsgPack => msgpack::NULL,
            // It has none.
            Format::Protobuf => 0,
        }
    }

    /// Reads one JSON text, which must be all that its line or its length holds.
    fn json<T>(
        &mut self,
        what: What,
        read: impl FnOnce(&mut Reader<'a>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        if self.format == Format::JsonFramed {
            return jsonb::framed(&mut self.r, what, read);
        }
        let mut line = json::line(&mut self.r, what)?;
        let value = read(&mut line).map_err(|error| match error.is_truncated() {
            // The line is whole; it is the text that is not.
            true => Error::new(error.at(), what, ErrorKind::BadText),
            false => error,
        })?;
        line.finish(what)?;
        Ok(value)
    }

    /// A byte: the flag of a response.
    pub(crate) fn flag(&mut self) -> Result<i32, Error> {
        match self.format {
            Format::Hessian2 => hessian2::read_int(&mut self.r, What::ResponseFlag),
            Format::Jsonb => jsonb::framed(&mut self.r, What::ResponseFlag, |r| {
                jsonb::read_byte(r, What::ResponseFlag)
            }),
            Format::JsonLines | Format::JsonFramed | Format::ProtobufJson => {
                let at = self.r.at();
                let flag =
                    self.json(What::ResponseFlag, |r| json::integer(r, What::ResponseFlag))?;
                let wrong = || Error::new(at, What::ResponseFlag, ErrorKind::BadText);
                i32::try_from(flag).map_err(|_| wrong())
            }
            Format::MsgPack => match msgpack::value(&mut self.r, What::ResponseFlag)? {
                msgpack::Value::Integer(flag @ 0..=5) => Ok(flag as i32),
                _ => Err(self.r.error(What::ResponseFlag, ErrorKind::BadText)),
            },
            Format::Protobuf => protobuf::int(&mut self.r, What::ResponseFlag),
        }
    }

    /// Passes over one value.
    #[inline]
    pub(crate) fn skip(&mut self, tables: &mut Tables) -> Result<(), Error> {
        match self.format {
            Format::Hessian2 => hessian2::walk(&mut self.r, tables, self.limits, &mut ()),
            Format::Jsonb => jsonb::framed(&mut self.r, What::Value, |r| {
                jsonb::walk(r, self.limits, &mut ())
            }),
            Format::JsonLines | Format::JsonFramed | Format::ProtobufJson => {
                let limits = self.limits;
                self.json(What::Value, |r| json::value(r, limits))
            }
            Format::MsgPack => msgpack::skip(&mut self.r),
            Format::Protobuf => protobuf::skip(&mut self.r),
        }
    }

    /// Passes over an exception and tells what can be seen of it.
    pub(crate) fn exception(&mut self, tables: &mut Tables) -> Result<Exception<'a>, Error> {
        let start = self.r.at();
        let mut found = match self.format {
            Format::Hessian2 => {
                let mut sight = HessianSight::default();
                hessian2::walk(&mut self.r, tables, self.limits, &mut sight)?;
                sight.found
            }
            Format::Jsonb => {
                let mut sight = JsonbSight::default();
                jsonb::framed(&mut self.r, What::Value, |r| {
                    jsonb::walk(r, self.limits, &mut sight)
                })?;
                sight.found
            }
            Format::JsonLines | Format::JsonFramed | Format::ProtobufJson => {
                let limits = self.limits;
                self.json(What::Value, |r| json::exception(r, limits))?
            }
            Format::MsgPack => msgpack::exception(&mut self.r, self.limits)?,
            Format::Protobuf => protobuf::exception(&mut self.r)?,
        };
        found.bytes = self.r.since(start);
        Ok(found)
    }

    /// Passes over the attachments and remembers where each one is.
    pub(crate) fn attachments(&mut self, tables: &mut Tables) -> Result<Entries, Error> {
        match self.format {
            Format::Hessian2 => self.hessian_entries(tables),
            Format::Jsonb => self.jsonb_entries(),
            Format::JsonLines | Format::JsonFramed => {
                let limits = self.limits;
                self.json(What::Attachments, |r| json::entries(r, limits))
            }
            Format::MsgPack => msgpack::entries(&mut self.r, self.limits),
            Format::Protobuf => protobuf::entries(&mut self.r, self.limits),
            Format::ProtobufJson => {
                let limits = self.limits;
                self.json(What::Attachments, |r| protobuf::json_entries(r, limits))
            }
        }
    }

    fn hessian_entries(&mut self, tables: &mut Tables) -> Result<Entries, Error> {
        let start = self.r.at();
        let mut entries = Entries::at(start);
        if hessian2::begin_map(&mut self.r, tables, self.limits, &mut ())? {
            entries.first = self.r.at() as u32;
            while self.r.peek() != Some(b'Z') {
                let key = self.r.at();
                // Java would read a class and then a key; nobody writes that, except to hide a key.
                if self.r.peek() == Some(b'C') {
                    let kind = ErrorKind::UnexpectedByte(b'C');
                    return Err(self.r.error(What::AttachmentKey, kind));
                }
                self.entry_part(tables)?;
                let value = self.r.at();
                self.entry_part(tables)?;
                entries.push(key, value, self.limits)?;
            }
            entries.end = self.r.at() as u32;
            self.r.byte(What::Attachments)?;
        }
        entries.after = self.r.at() as u32;
        Ok(entries)
    }

    fn jsonb_entries(&mut self) -> Result<Entries, Error> {
        let (limits, before) = (self.limits, self.r);
        let entries = jsonb::framed(&mut self.r, What::Attachments, |r| {
            jsonb::entries(r, limits)
        })?;
        // A name that is a number must be the number of an earlier name: Java would resolve it.
        let all = Attachments {
            body: before.all(),
            format: self.format,
            entries: &entries,
        };
        let unknown = (0..all.len()).find(|index| all.is_unknown_symbol(*index));
        match unknown.and_then(|index| entries.get(index)) {
            Some((key, ..)) => Err(Error::new(key as usize, What::Symbol, ErrorKind::BadIndex)),
            None => Ok(entries),
        }
    }

    /// A key or a value: nearly always a string.
    #[inline(always)]
    fn entry_part(&mut self, tables: &mut Tables) -> Result<(), Error> {
        if hessian2::skip_short(&mut self.r) {
            Ok(())
        } else {
            self.skip_long_part(tables)
        }
    }

    #[inline(never)]
    fn skip_long_part(&mut self, tables: &mut Tables) -> Result<(), Error> {
        hessian2::walk(&mut self.r, tables, self.limits, &mut ())
    }
}

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
    pub(crate) list: Inline<(u32, u32), 20>,
}

impl Entries {
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
