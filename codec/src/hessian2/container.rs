//! The beginnings of values that have parts: lists, maps, objects, and the classes of objects.

use crate::error::{Error, ErrorKind, Limit, Limits, What};
use crate::hessian2::number::{count, index, room_for};
use crate::hessian2::plain::Plain;
use crate::hessian2::string::{self, unexpected};
use crate::hessian2::walk::{Container, OPEN_LIST, OPEN_MAP_AT_KEY, Sink, Tables, Type};
use crate::reader::Reader;
use crate::text::{Encoding, Text};

/// Enters the map at the reader: what follows are its keys and values, then `Z`. False for a null.
pub(crate) fn begin_map<'a, S: Sink<'a>>(
    r: &mut Reader<'a>,
    tables: &mut Tables,
    limits: &Limits,
    sink: &mut S,
) -> Result<bool, Error> {
    const WHAT: What = What::Attachments;
    definitions(r, tables, limits, sink)?;
    let lead = r.byte(WHAT)?;
    match lead {
        b'N' => Ok(false),
        b'H' | b'M' => {
            let at = r.at() - 1;
            let (map, _) = container(r, lead, tables, limits.four_byte_utf8)?;
            tables.objects += 1;
            sink.begin(map).map_err(|kind| Error::new(at, WHAT, kind))?;
            Ok(true)
        }
        _ => Err(unexpected(r, lead, WHAT)),
    }
}

/// Passes over the class definitions that stand at the reader.
pub(crate) fn class_definitions(
    r: &mut Reader<'_>,
    tables: &mut Tables,
    limits: &Limits,
) -> Result<(), Error> {
    definitions(r, tables, limits, &mut ())
}

fn definitions<'a, S: Sink<'a>>(
    r: &mut Reader<'a>,
    tables: &mut Tables,
    limits: &Limits,
    sink: &mut S,
) -> Result<(), Error> {
    while r.peek() == Some(b'C') {
        r.byte(What::ClassDefinition)?;
        class_definition(r, tables, limits, sink)?;
    }
    Ok(())
}

/// The container whose lead byte was `lead`, and how many values it has (or an `OPEN_..`).
#[inline(always)]
pub(crate) fn container<'a>(
    r: &mut Reader<'a>,
    lead: u8,
    tables: &mut Tables,
    four: bool,
) -> Result<(Container<'a>, u32), Error> {
    Ok(match lead {
        0x60..=0x6f | b'O' => {
            let class = match lead {
                b'O' => index(r, tables.classes.len() as u32, What::ClassIndex)?,
                _ => u32::from(lead - 0x60),
            };
            let Some(fields) = tables.classes.get(class as usize) else {
                return Err(Error::new(
                    r.at() - 1,
                    What::ClassIndex,
                    ErrorKind::BadIndex,
                ));
            };
            (
                Container::Object(class),
                room_for(r, fields, What::FieldCount)?,
            )
        }
        b'H' => (Container::Map(Type::None), OPEN_MAP_AT_KEY),
        b'M' => (Container::Map(read_type(r, tables, four)?), OPEN_MAP_AT_KEY),
        0x78..=0x7f => (
            Container::List(Type::None),
            room_for(r, u32::from(lead & 7), What::ListLength)?,
        ),
        0x70..=0x77 => {
            let name = read_type(r, tables, four)?;
            (
                Container::List(name),
                room_for(r, u32::from(lead & 7), What::ListLength)?,
            )
        }
        b'X' => (Container::List(Type::None), count(r, What::ListLength)?),
        b'V' => {
            let name = read_type(r, tables, four)?;
            (Container::List(name), count(r, What::ListLength)?)
        }
        b'U' => (Container::List(read_type(r, tables, four)?), OPEN_LIST),
        // What is left is `W`.
        _ => (Container::List(Type::None), OPEN_LIST),
    })
}

/// A name, which joins the table of types, or the index of one.
#[inline(always)]
fn read_type<'a>(r: &mut Reader<'a>, tables: &mut Tables, four: bool) -> Result<Type<'a>, Error> {
    let mut slow = *r;
    let found = read_type_slowly(&mut slow, tables, four)?;
    *r = slow;
    Ok(found)
}

#[inline(never)]
fn read_type_slowly<'a>(
    r: &mut Reader<'a>,
    tables: &mut Tables,
    four: bool,
) -> Result<Type<'a>, Error> {
    match r.peek() {
        Some(0x00..=0x1f | 0x30..=0x33 | b'R' | b'S') => {
            tables.types += 1;
            Ok(Type::Name(string::read(r, four, What::Type)?))
        }
        _ => Ok(Type::Index(index(r, tables.types, What::Type)?)),
    }
}

/// The reader is behind the `C`.
#[cold]
pub(crate) fn class_definition<'a, S: Sink<'a>>(
    r: &mut Reader<'a>,
    tables: &mut Tables,
    limits: &Limits,
    sink: &mut S,
) -> Result<(), Error> {
    const WHAT: What = What::ClassDefinition;
    if tables.classes.len() >= limits.max_classes as usize {
        return Err(r.error(WHAT, ErrorKind::Limit(Limit::Classes)));
    }
    let name = string::read(r, limits.four_byte_utf8, WHAT)?;
    let fields = count(r, What::FieldCount)?;
    sink.class(name, fields);
    if !plain_fields(r, fields, sink) {
        for _ in 0..fields {
            sink.field(string::read(r, limits.four_byte_utf8, WHAT)?);
        }
    }
    tables.classes.push(fields);
    Ok(())
}

/// Reads the names of a class's fields if all are plain. False if one is not, and nothing has moved.
#[inline(always)]
fn plain_fields<'a, S: Sink<'a>>(r: &mut Reader<'a>, fields: u32, sink: &mut S) -> bool {
    let start = Plain::at(r);
    let mut names = start;
    let found = (0..fields).try_for_each(|_| names.skip());
    let end = names.place();
    if found.is_none() || !start.holds(end) {
        return false;
    }
    let mut names = start;
    for name in (0..fields).map_while(|_| names.data()) {
        sink.field(Text::of(name, Encoding::Cesu8));
    }
    r.skip(end - r.at());
    true
}
