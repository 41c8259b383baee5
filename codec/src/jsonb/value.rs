//! A JSONB value as a tree, from bytes and to bytes.
//!
//! JSONB has no identity of its own: what was met before is a path (`$.a.b`, `..`), kept as it is.
//! Symbols are resolved: a tree holds names only, and is written with names only, which every reader
//! takes. Depth is bounded by [`Limits::max_depth`], size by [`Limits::max_values`].

use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;

use crate::error::{Error, ErrorKind, Limit, Limits, What};
use crate::jsonb::string::{push_int, push_text};
use crate::jsonb::walk::{Calendar, Scalar, Sink, Symbol, Unscaled, walk};
use crate::jsonb::{GB18030, NULL, OBJECT, OBJECT_END};
use crate::reader::Reader;
use crate::text::Text;

/// A JSONB value.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Value<'a> {
    /// Java's `null`.
    Null,
    /// `boolean`.
    Bool(bool),
    /// `byte`.
    Byte(i8),
    /// `short`.
    Short(i16),
    /// `int`.
    Int(i32),
    /// `long`.
    Long(i64),
    /// `float`.
    Float(f32),
    /// `double`.
    Double(f64),
    /// `char`: one UTF-16 unit.
    Char(u16),
    /// `String`.
    String(Text<'a>),
    /// `String` in the encoding GB18030, if it is not ASCII: its bytes, which are not looked into.
    Gb18030(&'a [u8]),
    /// `byte[]`.
    Binary(&'a [u8]),
    /// `BigInteger` of the size of a long.
    BigLong(i64),
    /// `BigInteger`: two's complement, high byte first.
    BigInt(&'a [u8]),
    /// `BigDecimal`: an unscaled value of the size of a long, and the digits after the point.
    Decimal(i64, i32),
    /// `BigDecimal`: an unscaled value as in [`BigInt`](Self::BigInt), and the digits after the point.
    BigDecimal(&'a [u8], i32),
    /// `Date` and `Instant`: seconds since 1970, UTC, and nanoseconds.
    Instant(i64, i32),
    /// A local date, time, or both, or with a zone.
    Calendar {
        /// Year, month, day.
        date: Option<(i16, u8, u8)>,
        /// Hour, minute, second, nanosecond.
        time: Option<(u8, u8, u8, i32)>,
        /// Name of the zone.
        zone: Option<Text<'a>>,
    },
    /// A path to a value that was met before.
    Reference(Text<'a>),
    /// A collection or array.
    Array(Vec<Self>),
    /// A map or bean: names, which may be any value in a map, and values, in order.
    Object(Vec<[Self; 2]>),
    /// A value of a Java class that its reader could not know from the declared type.
    Typed(Text<'a>, alloc::boxed::Box<Self>),
}

/// Decodes the one value that `bytes` are. Fails on the first byte that is wrong.
pub fn decode<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Value<'a>, Error> {
    let mut reader = Reader::new(bytes);
    let value = read(&mut reader, limits)?;
    reader.finish(What::Value)?;
    Ok(value)
}

pub(crate) fn read<'a>(reader: &mut Reader<'a>, limits: &Limits) -> Result<Value<'a>, Error> {
    let mut builder = Builder {
        left: limits.max_values,
        ..Builder::default()
    };
    walk(reader, limits, &mut builder)?;
    builder.stack.pop().ok_or_else(|| reader.short(What::Value))
}

#[derive(Debug, Default)]
struct Builder<'a> {
    /// Values of containers that have not ended.
    stack: Vec<Value<'a>>,
    /// Containers that have not ended: class, whether an object, where the values begin.
    open: Vec<(Option<Text<'a>>, bool, usize)>,
    /// The class of the value that comes next.
    class: Option<Text<'a>>,
    symbols: BTreeMap<i32, Text<'a>>,
    left: u32,
}

impl<'a> Builder<'a> {
    fn count(&mut self) -> Result<(), ErrorKind> {
        self.left = self
            .left
            .checked_sub(1)
            .ok_or(ErrorKind::Limit(Limit::Values))?;
        Ok(())
    }

    fn resolve(&mut self, symbol: Symbol<'a>) -> Result<Text<'a>, ErrorKind> {
        match symbol.name {
            Some(name) => {
                self.symbols.insert(symbol.number, name);
                Ok(name)
            }
            None => self
                .symbols
                .get(&symbol.number)
                .copied()
                .ok_or(ErrorKind::BadIndex),
        }
    }

    fn push(&mut self, class: Option<Text<'a>>, value: Value<'a>) {
        self.stack.push(match class {
            Some(class) => Value::Typed(class, value.into()),
            None => value,
        });
    }
}

impl<'a> Sink<'a> for Builder<'a> {
    fn scalar(&mut self, value: Scalar<'a>) -> Result<(), ErrorKind> {
        self.count()?;
        let value = match value {
            Scalar::Null => Value::Null,
            Scalar::Bool(value) => Value::Bool(value),
            Scalar::Byte(value) => Value::Byte(value),
            Scalar::Short(value) => Value::Short(value),
            Scalar::Int(value) => Value::Int(value),
            Scalar::Long(value) => Value::Long(value),
            Scalar::Float(value) => Value::Float(value),
            Scalar::Double(value) => Value::Double(value),
            Scalar::Char(unit) => Value::Char(unit),
            Scalar::String(text) => Value::String(text),
            Scalar::Gb18030(bytes) => Value::Gb18030(bytes),
            Scalar::Symbol(symbol) => Value::String(self.resolve(symbol)?),
            Scalar::Reference(path) => Value::Reference(path),
            Scalar::Binary(bytes) => Value::Binary(bytes),
            Scalar::BigInt(bytes) => Value::BigInt(bytes),
            Scalar::BigLong(value) => Value::BigLong(value),
            Scalar::Decimal(Unscaled::Long(value), scale) => Value::Decimal(value, scale),
            Scalar::Decimal(Unscaled::Bytes(bytes), scale) => Value::BigDecimal(bytes, scale),
            Scalar::Instant(seconds, nanos) => Value::Instant(seconds, nanos),
            Scalar::Calendar(Calendar { date, time, zone }) => Value::Calendar { date, time, zone },
        };
        let class = self.class.take();
        self.push(class, value);
        Ok(())
    }

    fn typed(&mut self, class: Symbol<'a>) -> Result<(), ErrorKind> {
        self.class = Some(self.resolve(class)?);
        Ok(())
    }

    fn begin(&mut self, is_object: bool) -> Result<(), ErrorKind> {
        self.count()?;
        self.open
            .push((self.class.take(), is_object, self.stack.len()));
        Ok(())
    }

    fn end(&mut self) {
        let Some((class, is_object, base)) = self.open.pop() else {
            return;
        };
        let values = self.stack.split_off(base);
        let value = if is_object {
            let mut values = values.into_iter();
            let pairs = core::iter::from_fn(|| Some([values.next()?, values.next()?]));
            Value::Object(pairs.collect())
        } else {
            Value::Array(values)
        };
        self.push(class, value);
    }
}

/// Encodes a value. What fastjson2 would write with symbols is written with names.
pub fn encode(value: &Value<'_>) -> Vec<u8> {
    enum Step<'v, 'a> {
        Value(&'v Value<'a>),
        End,
    }
    let mut out = Vec::new();
    let mut steps = vec![Step::Value(value)];
    let mut types = 0;
    while let Some(step) = steps.pop() {
        match step {
            Step::End => out.push(OBJECT_END),
            Step::Value(Value::Array(items)) => {
                match items.len() {
                    len @ 0..16 => out.push(0x94 + len as u8),
                    len => {
                        out.push(0xa4);
                        push_int(&mut out, len as i32);
                    }
                }
                steps.extend(items.iter().rev().map(Step::Value));
            }
            Step::Value(Value::Object(entries)) => {
                out.push(OBJECT);
                steps.push(Step::End);
                steps.extend(entries.iter().flatten().rev().map(Step::Value));
            }
            Step::Value(Value::Typed(class, value)) => {
                out.push(0x92);
                push_text(&mut out, *class);
                push_int(&mut out, types);
                types += 1;
                steps.push(Step::Value(value));
            }
            Step::Value(scalar) => push_scalar(&mut out, scalar),
        }
    }
    out
}

fn push_scalar(out: &mut Vec<u8>, value: &Value<'_>) {
    match *value {
        Value::Bool(value) => out.push(if value { 0xb1 } else { 0xb0 }),
        Value::Byte(value) => out.extend([0xbd, value as u8]),
        Value::Short(value) => push_lead(out, 0xbc, &value.to_be_bytes()),
        Value::Int(value) => push_int(out, value),
        Value::Long(value) => push_long(out, value),
        Value::Float(value) => push_lead(out, 0xb7, &value.to_be_bytes()),
        Value::Double(value) => push_lead(out, 0xb5, &value.to_be_bytes()),
        Value::Char(unit) => {
            out.push(0x90);
            push_int(out, i32::from(unit));
        }
        Value::String(text) => push_text(out, text),
        Value::Gb18030(bytes) => push_bytes(out, GB18030, bytes),
        Value::Binary(bytes) => push_bytes(out, 0x91, bytes),
        Value::BigInt(bytes) => push_bytes(out, 0xbb, bytes),
        Value::BigLong(value) => {
            out.push(0xba);
            push_long(out, value);
        }
        Value::Decimal(unscaled, scale) => {
            out.push(0xb9);
            push_int(out, scale);
            match i32::try_from(unscaled) {
                Ok(unscaled) => push_int(out, unscaled),
                Err(_) => push_lead(out, 0xbe, &unscaled.to_be_bytes()),
            }
        }
        Value::BigDecimal(unscaled, scale) => {
            out.push(0xb9);
            push_int(out, scale);
            push_bytes(out, 0xbb, unscaled);
        }
        Value::Instant(seconds, nanos) => push_instant(out, seconds, nanos),
        Value::Calendar { date, time, zone } => push_calendar(out, date, time, zone),
        Value::Reference(path) => {
            out.push(0x93);
            push_text(out, path);
        }
        // Containers have parts and are not given to this function.
        Value::Null | Value::Array(_) | Value::Object(_) | Value::Typed(..) => out.push(NULL),
    }
}

fn push_lead(out: &mut Vec<u8>, lead: u8, rest: &[u8]) {
    out.push(lead);
    out.extend_from_slice(rest);
}

fn push_bytes(out: &mut Vec<u8>, lead: u8, bytes: &[u8]) {
    out.push(lead);
    push_int(out, bytes.len() as i32);
    out.extend_from_slice(bytes);
}

fn push_long(out: &mut Vec<u8>, value: i64) {
    let [.., c, d] = value.to_be_bytes();
    match value {
        -0x08..=0x0f => out.push((0xe0 + value) as u8),
        -0x800..=0x7ff => out.extend([(0xd0 + (value >> 8)) as u8, d]),
        -0x40000..=0x3ffff => out.extend([(0xc4 + (value >> 16)) as u8, c, d]),
        _ => match i32::try_from(value) {
            Ok(value) => push_lead(out, 0xbf, &value.to_be_bytes()),
            Err(_) => push_lead(out, 0xbe, &value.to_be_bytes()),
        },
    }
}

/// Milliseconds where that says all, as for a `Date`.
fn push_instant(out: &mut Vec<u8>, seconds: i64, nanos: i32) {
    let whole = (0..1_000_000_000).contains(&nanos) && nanos % 1_000_000 == 0;
    let millis = seconds
        .checked_mul(1000)
        .and_then(|n| n.checked_add(i64::from(nanos) / 1_000_000));
    match millis.filter(|_| whole) {
        Some(millis) => push_lead(out, 0xab, &millis.to_be_bytes()),
        None => {
            out.push(0xae);
            push_long(out, seconds);
            push_int(out, nanos);
        }
    }
}

fn push_calendar(
    out: &mut Vec<u8>,
    date: Option<(i16, u8, u8)>,
    time: Option<(u8, u8, u8, i32)>,
    zone: Option<Text<'_>>,
) {
    out.push(match (date, time, zone) {
        (None, ..) => 0xa7,
        (_, None, _) => 0xa9,
        (_, _, None) => 0xa8,
        _ => 0xaa,
    });
    if let Some((year, month, day)) = date {
        out.extend(year.to_be_bytes());
        out.extend([month, day]);
    }
    if let Some((hour, minute, second, nano)) =
        time.or_else(|| date.is_none().then_some((0, 0, 0, 0)))
    {
        out.extend([hour, minute, second]);
        push_int(out, nano);
    }
    if let (Some(_), Some(_), Some(zone)) = (date, time, zone) {
        push_text(out, zone);
    }
}
