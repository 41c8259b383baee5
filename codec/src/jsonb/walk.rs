//! The table of lead bytes, once: walking over a value and telling a [`Sink`] what is there.
//!
//! The twin of Hessian's walk, with the same shape: no recursion, `()` is the sink that skips.

use crate::error::{Error, ErrorKind, Limit, Limits, What};
use crate::inline::Inline;
use crate::jsonb::string::{gb18030, int_after, length, long_after, read_int, string_after};
use crate::jsonb::{GB18030, NULL, OBJECT, OBJECT_END};
use crate::reader::Reader;
use crate::text::{Encoding, Text};

pub(super) const SYMBOL: u8 = 0x7f;
pub(super) const TYPED: u8 = 0x92;
pub(super) const REFERENCE: u8 = 0x93;

/// Receives what a walk finds. All methods default to doing nothing.
#[expect(unused_variables, reason = "the defaults ignore what they are told")]
pub(crate) trait Sink<'a> {
    /// A value that has no parts.
    #[inline(always)]
    fn scalar(&mut self, value: Scalar<'a>) -> Result<(), ErrorKind> {
        Ok(())
    }
    /// The value that comes next is of this Java class.
    #[inline(always)]
    fn typed(&mut self, class: Symbol<'a>) -> Result<(), ErrorKind> {
        Ok(())
    }
    /// An array begins, or an object, whose names and values follow in turn; then `end`.
    #[inline(always)]
    fn begin(&mut self, is_object: bool) -> Result<(), ErrorKind> {
        Ok(())
    }
    /// The container that began last ends.
    #[inline(always)]
    fn end(&mut self) {}
}

impl Sink<'_> for () {}

/// A name that stands for itself when it is first written and for its number afterwards.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Symbol<'a> {
    pub(crate) name: Option<Text<'a>>,
    pub(crate) number: i32,
}

/// A value that has no parts.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Scalar<'a> {
    Null,
    Bool(bool),
    Byte(i8),
    Short(i16),
    Int(i32),
    Long(i64),
    Float(f32),
    Double(f64),
    Char(u16),
    String(Text<'a>),
    /// Text in GB18030 that is not ASCII.
    Gb18030(&'a [u8]),
    Symbol(Symbol<'a>),
    /// A path to a value that came before.
    Reference(Text<'a>),
    Binary(&'a [u8]),
    /// Two's complement, high byte first.
    BigInt(&'a [u8]),
    /// A number that Java keeps as an object: BigInteger of a long, or BigDecimal.
    BigLong(i64),
    /// Unscaled value and scale.
    Decimal(Unscaled<'a>, i32),
    /// Seconds and nanoseconds since 1970.
    Instant(i64, i32),
    /// Java's local date, time, or both, or with a zone: the parts as they are.
    Calendar(Calendar<'a>),
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Unscaled<'a> {
    Long(i64),
    Bytes(&'a [u8]),
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Calendar<'a> {
    /// Year, month, day.
    pub(crate) date: Option<(i16, u8, u8)>,
    /// Hour, minute, second, nanosecond.
    pub(crate) time: Option<(u8, u8, u8, i32)>,
    pub(crate) zone: Option<Text<'a>>,
}

const AT_NAME: u32 = u32::MAX;
const AT_VALUE: u32 = u32::MAX - 1;

/// Walks over one value at the reader.
pub(crate) fn walk<'a, S: Sink<'a>>(
    r: &mut Reader<'a>,
    limits: &Limits,
    sink: &mut S,
) -> Result<(), Error> {
    let depth = limits.max_depth.min(Limits::DEPTH_CEILING) as usize;
    let mut levels = Inline::<u32, 24>::default();
    let mut left = 1;
    loop {
        let at = r.at();
        let mut lead = r.byte(What::Value)?;
        let refused = |kind| Error::new(at, What::Value, kind);
        if lead == TYPED {
            sink.typed(symbol(r, What::Type)?).map_err(refused)?;
            lead = r.byte(What::Value)?;
            if matches!(lead, TYPED | OBJECT_END) {
                return Err(Error::new(
                    r.at() - 1,
                    What::Value,
                    ErrorKind::UnexpectedByte(lead),
                ));
            }
        }
        let count = match lead {
            OBJECT => Some(AT_NAME),
            0x94..=0xa3 => Some(room_for(r, usize::from(lead - 0x94))?),
            0xa4 => Some(length(r, What::ListLength)? as u32),
            _ => None,
        };
        if let Some(count) = count {
            sink.begin(count == AT_NAME).map_err(refused)?;
            if count > 0 {
                if levels.len() >= depth {
                    return Err(refused(ErrorKind::Limit(Limit::Depth)));
                }
                levels.push(left);
                left = count;
                continue;
            }
            sink.end();
        } else if lead == OBJECT_END && left == AT_NAME {
            sink.end();
            left = levels.pop().unwrap_or(1);
        } else {
            sink.scalar(scalar_after(r, lead)?).map_err(refused)?;
        }
        while left == 1 {
            let Some(outer) = levels.pop() else {
                return Ok(());
            };
            sink.end();
            left = outer;
        }
        left = match left {
            AT_NAME => AT_VALUE,
            AT_VALUE => AT_NAME,
            counted => counted - 1,
        };
    }
}

fn room_for(r: &Reader<'_>, count: usize) -> Result<u32, Error> {
    if count > r.left() {
        Err(r.short(What::ListLength))
    } else {
        Ok(count as u32)
    }
}

/// The reader is behind the lead of a symbol or type: a name and a number, or a number alone.
pub(super) fn symbol<'a>(r: &mut Reader<'a>, what: What) -> Result<Symbol<'a>, Error> {
    let lead = r.byte(what)?;
    if let Some(number) = int_after(r, lead, what)? {
        return Ok(Symbol { name: None, number });
    }
    let name = Some(string_after(r, lead, what)?);
    Ok(Symbol {
        name,
        number: read_int(r, what)?,
    })
}

fn scalar_after<'a>(r: &mut Reader<'a>, lead: u8) -> Result<Scalar<'a>, Error> {
    const WHAT: What = What::Value;
    if let Some(value) = int_after(r, lead, WHAT)? {
        return Ok(Scalar::Int(value));
    }
    if let Some(value) = long_after(r, lead, WHAT)? {
        return Ok(Scalar::Long(value));
    }
    Ok(match lead {
        0x49..=0x7d => Scalar::String(string_after(r, lead, What::String)?),
        GB18030 => {
            let bytes = gb18030(r, What::String)?;
            match bytes.is_ascii() {
                true => Scalar::String(Text::of(bytes, Encoding::Latin1)),
                false => Scalar::Gb18030(bytes),
            }
        }
        SYMBOL => Scalar::Symbol(symbol(r, What::Symbol)?),
        0x90 => Scalar::Char(read_int(r, WHAT)? as u16),
        0x91 => {
            let len = length(r, What::Binary)?;
            Scalar::Binary(r.take(len, What::Binary)?)
        }
        REFERENCE => {
            let lead = r.byte(What::Reference)?;
            Scalar::Reference(string_after(r, lead, What::Reference)?)
        }
        0xa7..=0xaa => Scalar::Calendar(calendar(r, lead)?),
        0xab => {
            let millis = i64::from_be_bytes(r.array(What::Date)?);
            Scalar::Instant(
                millis.div_euclid(1000),
                millis.rem_euclid(1000) as i32 * 1_000_000,
            )
        }
        0xac => Scalar::Instant(i64::from(i32::from_be_bytes(r.array(What::Date)?)), 0),
        0xad => Scalar::Instant(i64::from(i32::from_be_bytes(r.array(What::Date)?)) * 60, 0),
        0xae => Scalar::Instant(any_long(r, What::Date)?, read_int(r, What::Date)?),
        NULL => Scalar::Null,
        0xb0 => Scalar::Bool(false),
        0xb1 => Scalar::Bool(true),
        0xb2 => Scalar::Double(0.0),
        0xb3 => Scalar::Double(1.0),
        0xb4 => Scalar::Double(any_long(r, What::Double)? as f64),
        0xb5 => Scalar::Double(f64::from_be_bytes(r.array(What::Double)?)),
        0xb6 => Scalar::Float(read_int(r, WHAT)? as f32),
        0xb7 => Scalar::Float(f32::from_be_bytes(r.array(WHAT)?)),
        0xb8 => Scalar::Decimal(Unscaled::Long(any_long(r, WHAT)?), 0),
        0xb9 => {
            let scale = read_int(r, WHAT)?;
            Scalar::Decimal(unscaled(r)?, scale)
        }
        0xba => Scalar::BigLong(any_long(r, WHAT)?),
        0xbb => {
            let len = length(r, WHAT)?;
            Scalar::BigInt(r.take(len, WHAT)?)
        }
        0xbc => Scalar::Short(i16::from_be_bytes(r.array(WHAT)?)),
        0xbd => Scalar::Byte(i8::from_be_bytes(r.array(WHAT)?)),
        _ => {
            return Err(Error::new(
                r.at() - 1,
                WHAT,
                ErrorKind::UnexpectedByte(lead),
            ));
        }
    })
}

/// An int or a long.
fn any_long(r: &mut Reader<'_>, what: What) -> Result<i64, Error> {
    let at = r.at();
    let lead = r.byte(what)?;
    if let Some(value) = int_after(r, lead, what)? {
        return Ok(i64::from(value));
    }
    let value = long_after(r, lead, what)?;
    value.ok_or_else(|| Error::new(at, what, ErrorKind::UnexpectedByte(lead)))
}

/// The unscaled value of a decimal: an int, a long, or a big integer.
fn unscaled<'a>(r: &mut Reader<'a>) -> Result<Unscaled<'a>, Error> {
    match r.peek() {
        Some(0xbb | 0x91) => {
            r.byte(What::Value)?;
            let len = length(r, What::Value)?;
            Ok(Unscaled::Bytes(r.take(len, What::Value)?))
        }
        Some(0xba) => {
            r.byte(What::Value)?;
            any_long(r, What::Value).map(Unscaled::Long)
        }
        _ => any_long(r, What::Value).map(Unscaled::Long),
    }
}

fn calendar<'a>(r: &mut Reader<'a>, lead: u8) -> Result<Calendar<'a>, Error> {
    const WHAT: What = What::Date;
    let mut found = Calendar {
        date: None,
        time: None,
        zone: None,
    };
    if lead != 0xa7 {
        let [y1, y0, month, day] = r.array(WHAT)?;
        found.date = Some((i16::from_be_bytes([y1, y0]), month, day));
    }
    if lead != 0xa9 {
        let [hour, minute, second] = r.array(WHAT)?;
        found.time = Some((hour, minute, second, read_int(r, WHAT)?));
    }
    if lead == 0xaa {
        let lead = r.byte(WHAT)?;
        found.zone = Some(string_after(r, lead, WHAT)?);
    }
    Ok(found)
}

/// A byte, as Dubbo writes the flag of a response; an int is taken too.
pub(crate) fn read_byte(r: &mut Reader<'_>, what: What) -> Result<i32, Error> {
    let at = r.at();
    let lead = r.byte(what)?;
    if lead == 0xbd {
        return Ok(i32::from(i8::from_be_bytes(r.array(what)?)));
    }
    let value = int_after(r, lead, what)?;
    value.ok_or_else(|| Error::new(at, what, ErrorKind::UnexpectedByte(lead)))
}

/// The value that `bytes` are, if it has no parts.
pub(crate) fn scalar(bytes: &[u8]) -> Option<Scalar<'_>> {
    let mut r = Reader::new(bytes);
    let lead = r.byte(What::Value).ok()?;
    scalar_after(&mut r, lead).ok()
}
