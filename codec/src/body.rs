//! Reading the parts of a body, whatever its serialization.
//!
//! Dubbo writes the same things in the same order in all serializations (`DubboCodec`): strings, then
//! values, then a map of attachments; only their encoding differs. This file owns that common
//! vocabulary and must not know what the strings mean.

mod entries;
mod strings;

use crate::attachment::Attachments;
use crate::error::{Error, ErrorKind, Limits, What};
use crate::exception::{Exception, HessianSight, JsonbSight};
use crate::hessian2::{self, Plain, Tables};
use crate::inline::Inline;
use crate::json;
use crate::jsonb;
use crate::msgpack;
use crate::protobuf;
use crate::reader::Reader;
use crate::serialization::Serialization;
use crate::text::Text;

pub(crate) use entries::Entries;
pub(crate) use strings::{HessianStrings, Strings};

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

    #[inline(always)]
    pub(crate) const fn format(&self) -> Format {
        self.format
    }

    /// The strings that come next, if they are in Hessian 2. This reader does not move with them.
    #[inline(always)]
    pub(crate) fn hessian_strings(&self) -> Option<HessianStrings<'a>> {
        let is_hessian = self.format == Format::Hessian2;
        is_hessian.then(|| HessianStrings::new(self.r, self.limits))
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
        let mut entries = Entries::at(self.r.at());
        if hessian2::begin_map(&mut self.r, tables, self.limits, &mut ())? {
            entries.first = self.r.at() as u32;
            self.plain_entries(&mut entries);
            self.any_entries(tables, &mut entries)?;
            entries.end = self.r.at() as u32;
            self.r.byte(What::Attachments)?;
        }
        entries.after = self.r.at() as u32;
        Ok(entries)
    }

    /// Passes over the entries up to the end marker.
    #[inline(always)]
    fn any_entries(&mut self, tables: &mut Tables, entries: &mut Entries) -> Result<(), Error> {
        while self.r.peek() != Some(b'Z') {
            let key = self.r.at();
            if self.r.peek() == Some(b'C') {
                self.object_behind_classes(tables, What::AttachmentKey)?;
            }
            self.entry_part(tables)?;
            let value = self.r.at();
            if self.r.peek() == Some(b'C') {
                self.object_behind_classes(tables, What::AttachmentValue)?;
            }
            self.entry_part(tables)?;
            entries.push(key, value, self.limits)?;
        }
        Ok(())
    }

    /// Passes over the entries at the front whose keys and values are plain strings, as far as they fit
    /// in place; whatever else there is comes after.
    #[inline(always)]
    fn plain_entries(&mut self, entries: &mut Entries) {
        let mut run = Plain::at(&self.r);
        let most = self.limits.max_attachments as usize;
        let mut list = Inline::default();
        let end = loop {
            let key = run.place();
            if run.skip().is_none() || list.len() >= most.min(Entries::IN_PLACE) {
                break key;
            }
            let value = run.place();
            if run.skip().is_none() {
                break key;
            }
            list.push((key as u32, value as u32));
        };
        if run.holds(end) {
            self.r.skip(end - self.r.at());
            entries.list = list;
        }
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
        if hessian2::skip_plain(&mut self.r) {
            Ok(())
        } else {
            self.skip_long_part(tables)
        }
    }

    /// Passes over class definitions. An object comes behind them: to Java any key or value there would be
    /// what it is without them, and nobody writes that, except to hide it from who looks at its first byte.
    #[cold]
    fn object_behind_classes(&mut self, tables: &mut Tables, what: What) -> Result<(), Error> {
        hessian2::class_definitions(&mut self.r, tables, self.limits)?;
        match self.r.peek() {
            None | Some(b'O' | 0x60..=0x6f) => Ok(()),
            Some(lead) => {
                let kind = ErrorKind::UnexpectedByte(lead);
                Err(self.r.error(what, kind))
            }
        }
    }

    #[inline(never)]
    fn skip_long_part(&mut self, tables: &mut Tables) -> Result<(), Error> {
        hessian2::walk(&mut self.r, tables, self.limits, &mut ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    /// A string of one chunk, ASCII or not, with a length of either form, or an int.
    fn part() -> impl Strategy<Value = Vec<u8>> {
        let len = prop_oneof![0..40_usize, 120..140_usize, 250..260_usize];
        (len, 0..20_u8).prop_map(|(len, odd)| match odd {
            0 => b"\x91".to_vec(),
            1 => [&[len as u8 & 0x1f][..], "é".repeat(len & 0x1f).as_bytes()].concat(),
            _ if len < 32 => [&[len as u8][..], &b"a".repeat(len)].concat(),
            _ => [&[0x30 + (len >> 8) as u8, len as u8][..], &b"a".repeat(len)].concat(),
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: if cfg!(miri) { 8 } else { 2000 },
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        /// Runs of plain entries change nothing but speed: not what is found and not what is wrong.
        #[test]
        fn plain_entries_are_entries(
            parts in prop::collection::vec(part(), 0..50),
            change in prop::option::of((any::<prop::sample::Index>(), any::<u8>())),
            cut in any::<prop::sample::Index>(),
            max_attachments in 0..30_u32,
        ) {
            let mut bytes = [parts.concat(), b"Z".to_vec()].concat();
            if let Some((place, byte)) = change {
                let place = place.index(bytes.len());
                bytes[place] = byte;
            }
            let limits = Limits { max_attachments, ..Limits::default() };
            for bytes in [&bytes[..], &bytes[..cut.index(bytes.len())]] {
                let read = |plain: bool| {
                    let mut reader = BodyReader::new(Format::Hessian2, bytes, &limits);
                    let mut entries = Entries::at(0);
                    if plain {
                        reader.plain_entries(&mut entries);
                    }
                    let read = reader.any_entries(&mut Tables::default(), &mut entries);
                    read.map(|()| (entries, reader.r.at()))
                };
                prop_assert_eq!(read(true), read(false));
            }
        }
    }
}
