//! Walking over a value and telling a [`Sink`] what is there.
//!
//! It owns the syntax, the bounds and the depth. It must not build anything: with the sink `()` the
//! walk is a skip, and so passing over a value and decoding it cannot disagree.
//!
//! Nesting is a list of "values still to come", not recursion. Three tables live as long as a body:
//! classes (a walk needs their field counts), and how many types and objects there were, since an
//! index beyond them is an error. Objects count when they begin, in pre-order.
//!
//! Stricter than Java, which coerces: lengths, counts, indices and types must be ints or strings, not
//! longs, doubles or null; negative lengths are refused (Java takes them for empty).

use crate::error::{Error, ErrorKind, Limit, Limits, What};
use crate::hessian2::binary::{self, Binary};
use crate::hessian2::container::{class_definition, container};
use crate::hessian2::kind::{Kind, has_parts, kind};
use crate::hessian2::number::{date_after, double_after, index, int_after, long_after};
use crate::hessian2::string::{self, unexpected};
use crate::inline::Inline;
use crate::reader::Reader;
use crate::text::Text;

/// Receives what a walk finds. All methods default to doing nothing.
#[expect(unused_variables, reason = "the defaults ignore what they are told")]
pub(crate) trait Sink<'a> {
    /// A value that has no parts.
    #[inline(always)]
    fn scalar(&mut self, value: Scalar<'a>) -> Result<(), ErrorKind> {
        Ok(())
    }
    /// A class definition begins; its fields follow.
    #[inline(always)]
    fn class(&mut self, name: Text<'a>, fields: u32) {}
    /// The next field of the class definition.
    #[inline(always)]
    fn field(&mut self, name: Text<'a>) {}
    /// A list, map or object begins; its values follow, then [`end`](Self::end).
    #[inline(always)]
    fn begin(&mut self, container: Container<'a>) -> Result<(), ErrorKind> {
        Ok(())
    }
    /// The container that began last ends.
    #[inline(always)]
    fn end(&mut self) {}
}

impl Sink<'_> for () {}

/// A value that has no parts.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Scalar<'a> {
    Null,
    Bool(bool),
    Int(i32),
    Long(i64),
    Double(f64),
    /// Milliseconds since 1970.
    Date(i64),
    String(Text<'a>),
    Binary(Binary<'a>),
    /// The n-th list, map or object of the body.
    Reference(u32),
}

/// A value that has parts.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Container<'a> {
    List(Type<'a>),
    Map(Type<'a>),
    /// The n-th class of the body.
    Object(u32),
}

/// The type of a list or map.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Type<'a> {
    None,
    Name(Text<'a>),
    /// The n-th type name of the body; it is in bounds.
    Index(u32),
}

/// What the values of a body share.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tables {
    /// Field count of each class.
    pub(super) classes: Inline<u32, 16>,
    pub(super) types: u32,
    pub(super) objects: u32,
    levels: Inline<u32, 24>,
}

/// Values still to come at a level, or one of these: until `Z`.
const OPEN: u32 = 0xffff_fff0;
pub(super) const OPEN_LIST: u32 = OPEN;
pub(super) const OPEN_MAP_AT_KEY: u32 = OPEN + 1;
const OPEN_MAP_AT_VALUE: u32 = OPEN + 2;

/// Walks over one value at the reader.
pub(crate) fn walk<'a, S: Sink<'a>>(
    reader: &mut Reader<'a>,
    tables: &mut Tables,
    limits: &Limits,
    sink: &mut S,
) -> Result<(), Error> {
    let four = limits.four_byte_utf8;
    let depth = limits.max_depth.min(Limits::DEPTH_CEILING) as usize;
    let base = tables.levels.len();
    // A copy that no function which is not inlined gets a reference to can live in registers.
    let mut r = *reader;
    let mut left = 1;
    loop {
        let at = r.at();
        let lead = r.byte(What::Value)?;
        let refused = |kind| Error::new(at, What::Value, kind);
        let scalar = match kind(lead) {
            Kind::String => Scalar::String(string::read_after(&mut r, lead, four, What::String)?),
            Kind::Binary => Scalar::Binary(binary::read_after(&mut r, lead)?),
            Kind::Int => Scalar::Int(int_after(&mut r, lead, What::Int)?),
            Kind::Long => Scalar::Long(long_after(&mut r, lead)?),
            Kind::Double => Scalar::Double(double_after(&mut r, lead)?),
            Kind::Date => Scalar::Date(date_after(&mut r, lead)?),
            Kind::Null => Scalar::Null,
            Kind::Bool => Scalar::Bool(lead == b'T'),
            Kind::Reference => Scalar::Reference(index(&mut r, tables.objects, What::Reference)?),
            Kind::Class => {
                class_before_value(&mut r, tables, limits, sink)?;
                continue;
            }
            Kind::Container => {
                let (container, count) = container(&mut r, lead, tables, four)?;
                tables.objects += 1;
                sink.begin(container).map_err(refused)?;
                if count > 0 {
                    if tables.levels.len() - base >= depth {
                        return Err(refused(ErrorKind::Limit(Limit::Depth)));
                    }
                    tables.levels.push(left);
                    left = count;
                } else {
                    sink.end();
                    if is_last(&mut left, base, tables, sink) {
                        break;
                    }
                }
                continue;
            }
            Kind::End if left == OPEN_LIST || left == OPEN_MAP_AT_KEY => {
                sink.end();
                left = tables.levels.pop().unwrap_or(1);
                if is_last(&mut left, base, tables, sink) {
                    break;
                }
                continue;
            }
            Kind::End | Kind::Nothing => return Err(unexpected(&r, lead, What::Value)),
        };
        sink.scalar(scalar).map_err(refused)?;
        if is_last(&mut left, base, tables, sink) {
            break;
        }
    }
    *reader = r;
    Ok(())
}

/// A class definition, whose `C` has been read. A value must follow in the same place.
#[inline(always)]
fn class_before_value<'a, S: Sink<'a>>(
    r: &mut Reader<'a>,
    tables: &mut Tables,
    limits: &Limits,
    sink: &mut S,
) -> Result<(), Error> {
    let mut slow = *r;
    class_definition(&mut slow, tables, limits, sink)?;
    *r = slow;
    match r.peek() {
        Some(end @ b'Z') => Err(r.error(What::Value, ErrorKind::UnexpectedByte(end))),
        _ => Ok(()),
    }
}

/// One more value of its level is whole: true if that was all there is.
#[inline(always)]
fn is_last<'a, S: Sink<'a>>(
    left: &mut u32,
    base: usize,
    tables: &mut Tables,
    sink: &mut S,
) -> bool {
    *left = next(*left);
    *left == 0 && close(left, base, tables, sink)
}

/// What is still to come at a level once one more of its values is whole.
#[inline(always)]
const fn next(left: u32) -> u32 {
    match left {
        counted if counted < OPEN => counted - 1,
        OPEN_MAP_AT_KEY => OPEN_MAP_AT_VALUE,
        OPEN_MAP_AT_VALUE => OPEN_MAP_AT_KEY,
        _ => left,
    }
}

/// Ends the level of which nothing is to come, and those above it of which it was the last.
/// True if that was all there is.
#[inline]
fn close<'a, S: Sink<'a>>(left: &mut u32, base: usize, tables: &mut Tables, sink: &mut S) -> bool {
    while *left == 0 {
        if tables.levels.len() == base {
            return true;
        }
        sink.end();
        *left = next(tables.levels.pop().unwrap_or(1));
    }
    false
}

/// The value that `bytes` begin with, if it has no parts. They were walked over before.
pub(crate) fn scalar(bytes: &[u8]) -> Option<Scalar<'_>> {
    struct Capture<'a>(Option<Scalar<'a>>);
    impl<'a> Sink<'a> for Capture<'a> {
        #[inline]
        fn scalar(&mut self, value: Scalar<'a>) -> Result<(), ErrorKind> {
            self.0 = Some(value);
            Ok(())
        }
    }
    if has_parts(*bytes.first()?) {
        return None;
    }
    let mut found = Capture(None);
    // What four-byte UTF-8 there is was admitted then.
    let limits = Limits {
        four_byte_utf8: true,
        ..Limits::default()
    };
    walk(
        &mut Reader::new(bytes),
        &mut Tables::default(),
        &limits,
        &mut found,
    )
    .ok()?;
    found.0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where one value ends, or the error.
    fn end(bytes: &[u8]) -> Result<usize, Error> {
        let mut r = Reader::new(bytes);
        walk(&mut r, &mut Tables::default(), &Limits::default(), &mut ()).map(|()| r.at())
    }

    fn fails(bytes: &[u8], at: usize, what: What, kind: ErrorKind) {
        assert_eq!(end(bytes), Err(Error::new(at, what, kind)), "{bytes:x?}");
    }

    #[test]
    fn every_lead_byte_at_every_position_of_a_value() {
        // Length of a value by its lead byte, the rest being zeros; None: no value begins so.
        let len = |lead: u8| match lead {
            0x00..=0x1f => Some(1 + usize::from(lead)),
            0x20..=0x2f => Some(1 + usize::from(lead - 0x20)),
            0x30..=0x33 => Some(2 + (usize::from(lead) - 0x30) * 256),
            0x34..=0x37 => Some(2 + (usize::from(lead) - 0x34) * 256),
            0x38..=0x3f | 0xd0..=0xd7 | 0x5e => Some(3),
            b'B' | b'S' => Some(3),
            // A chunk of nothing, then the final chunk `00`, an empty string.
            b'R' => Some(4),
            b'D' | b'L' | 0x4a => Some(9),
            b'I' | b'Y' | 0x4b | 0x5f => Some(5),
            b'F' | b'T' | b'N' | 0x5b | 0x5c | 0x78 | 0x80..=0xbf | 0xd8..=0xef => Some(1),
            0x5d | 0xc0..=0xcf | 0xf0..=0xff => Some(2),
            // A typed list: the type `00`, then nothing or empty strings; an untyped one the same.
            0x70..=0x77 => Some(2 + usize::from(lead - 0x70)),
            0x79..=0x7f => Some(1 + usize::from(lead - 0x78)),
            _ => None,
        };
        for lead in 0..=255 {
            let mut bytes = [0; 1100];
            bytes[0] = lead;
            assert_eq!(end(&bytes).ok(), len(lead), "{lead:#x}");
            for (before, after) in [
                (&b"\x79"[..], 0),
                (b"H\x01k", 1),
                (b"W", 1),
                (b"H", 3),
                (b"\x71\x00", 0),
                (b"U\x00", 1),
                (b"V\x00\x91", 0),
                (b"X\x91", 0),
                (b"M\x00\x01k", 1),
                (b"C\x01a\x91\x01b\x60", 0),
                (b"C\x01a\x91\x01bO\x90", 0),
            ] {
                let mut nested = before.to_vec();
                nested.push(lead);
                let body = len(lead).unwrap_or(1) - 1;
                nested.extend(core::iter::repeat_n(0, body));
                nested.extend(if after == 3 {
                    &b"NZ"[..]
                } else {
                    &b"Z"[..after]
                });
                let whole = len(lead).map(|_| nested.len());
                // An end marker is legal where a key or an element of an open list may stand.
                let ends_early = lead == b'Z' && matches!(before, b"W" | b"H" | b"U\x00");
                let early = ends_early.then_some(before.len() + 1);
                let expected = early.or(whole);
                assert_eq!(end(&nested).ok(), expected, "{nested:x?}");
            }
        }
    }

    #[test]
    fn containers_end_where_they_end() {
        for bytes in [
            &b"\x78"[..],
            b"\x79\x51\x90",
            b"X\x92NN",
            b"\x72\x04[int\x91\x92",
            b"V\x04[int\x90",
            b"\x7a\x70\x01a\x70\x90",
            b"WNZ",
            b"U\x01aNZ",
            b"HZ",
            b"H\x01a\x91Z",
            b"M\x01t\x01a\x91Z",
            b"C\x01P\x92\x01a\x01b\x60NN",
            b"C\x01P\x90\x60",
            b"C\x01P\x90C\x01P\x91\x01aO\x91N",
            b"\x7aC\x01P\x90\x60\x60",
        ] {
            assert_eq!(end(bytes), Ok(bytes.len()), "{bytes:x?}");
            for cut in 0..bytes.len() {
                assert!(
                    end(&bytes[..cut]).is_err_and(|e| e.is_truncated()),
                    "{bytes:x?} {cut}"
                );
            }
        }
    }

    #[test]
    fn indices_and_lengths_are_checked() {
        fails(b"Q\x90", 1, What::Reference, ErrorKind::BadIndex);
        fails(b"\x79Q\x91", 2, What::Reference, ErrorKind::BadIndex);
        fails(b"\x79Q\x8f", 2, What::Reference, ErrorKind::BadIndex);
        fails(b"\x60", 0, What::ClassIndex, ErrorKind::BadIndex);
        fails(b"O\x90", 1, What::ClassIndex, ErrorKind::BadIndex);
        fails(b"\x70\x90", 1, What::Type, ErrorKind::BadIndex);
        fails(
            b"XI\xff\xff\xff\xff",
            1,
            What::ListLength,
            ErrorKind::NegativeLength,
        );
        fails(
            b"XI\x7f\xff\xff\xff",
            6,
            What::ListLength,
            ErrorKind::Truncated,
        );
        fails(
            b"C\x01PI\x7f\xff\xff\xff",
            8,
            What::FieldCount,
            ErrorKind::Truncated,
        );
        fails(
            b"X\xe1N",
            1,
            What::ListLength,
            ErrorKind::UnexpectedByte(0xe1),
        );
        fails(b"H\x01aZ", 3, What::Value, ErrorKind::UnexpectedByte(b'Z'));
        fails(
            b"HC\x01P\x90Z",
            5,
            What::Value,
            ErrorKind::UnexpectedByte(b'Z'),
        );
        fails(b"A\0\0N", 3, What::Binary, ErrorKind::UnexpectedByte(b'N'));
    }

    #[test]
    fn nesting_is_bounded() {
        for bomb in [&b"\x79"[..], b"W", b"H\x00", b"H", b"M\x00\x00", b"U\x00"] {
            let deep = bomb.repeat(100_000);
            let error = end(&deep).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Limit(Limit::Depth), "{bomb:x?}");
            assert!(error.at() <= 512 * bomb.len());
        }
        let chain = b"C\x01a\x90".repeat(100_000);
        assert_eq!(
            end(&chain).unwrap_err().kind(),
            ErrorKind::Limit(Limit::Classes)
        );
        let most = [&b"\x79".repeat(512)[..], b"N"].concat();
        assert_eq!(end(&most), Ok(513));
    }
}
