//! Hessian values as Rust's own types, through serde: feature `serde`.
//!
//! ```text
//! struct Order, renamed "com.acme.Order"   object of that Java class, its fields by their names
//! unit struct                              object without fields
//! enum of unit variants                    object with the field `name`: Java's enum constant
//! Option, ()                               null
//! bool, i8..i32, u8, u16                   boolean, int
//! i64, u32, u64 below 2^63                 long
//! f64; f32 by its decimal digits           double
//! String, &str, char                       String
//! bytes (serde_bytes)                      byte[]
//! Vec, tuple                               list without a type: an ArrayList
//! HashMap, BTreeMap                        map without a type: a HashMap
//! Date, Decimal                            java.util.Date, java.math.BigDecimal
//! ```
//! Reading takes more than writing makes: any list for a sequence, any map or object for a struct
//! or a map whatever their class, any bytes for a sequence of `u8`. An object that is met again is
//! read again; within itself it is an error, and so is reading more than
//! [`Limits::max_values`] in all. What Java can say and Rust cannot (lone surrogates) is an error.
//!
//! Enums with data have no counterpart in Java and are refused.

mod de;
mod ser;

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde::ser::{Serialize, SerializeStruct};

use crate::error::{Error, Limits};

pub(crate) use ser::Serializer;

/// Encodes a value as hessian-lite 4 would encode its Java counterpart.
///
/// Fails on what has no counterpart: an enum with data, a number beyond a long; and on what is nested
/// more than 128 times.
pub fn to_vec<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, MappingError> {
    let mut serializer = Serializer::new();
    value.serialize(&mut serializer)?;
    Ok(serializer.into_bytes())
}

/// Decodes the one value that `bytes` are, within the default limits.
///
/// Fails on bytes that are not Hessian 2, on a value that does not fit the type, and on nesting beyond
/// 128 or [`Limits::max_depth`].
pub fn from_slice<'de, T: Deserialize<'de>>(bytes: &'de [u8]) -> Result<T, MappingError> {
    from_slice_within(bytes, &Limits::default())
}

/// Decodes the one value that `bytes` are.
///
/// Fails as [`from_slice`] does; text is borrowed from `bytes` where the type borrows.
pub fn from_slice_within<'de, T: Deserialize<'de>>(
    bytes: &'de [u8],
    limits: &Limits,
) -> Result<T, MappingError> {
    de::read(bytes, limits)
}

/// Why a value and a type do not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MappingError {
    at: Option<usize>,
    why: Why,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Why {
    Wire(Error),
    Fit(String),
}

impl MappingError {
    /// Offset of the bytes that were not Hessian 2, or of the innermost list, map or object that did
    /// not fit; `None` if it is in none, or nothing was read.
    pub const fn at(&self) -> Option<usize> {
        self.at
    }

    /// What was wrong with the bytes; `None` if they are well-formed and do not fit.
    pub const fn wire(&self) -> Option<Error> {
        match self.why {
            Why::Wire(error) => Some(error),
            Why::Fit(_) => None,
        }
    }

    pub(crate) fn new(why: impl fmt::Display) -> Self {
        Self {
            at: None,
            why: Why::Fit(why.to_string()),
        }
    }
}

impl From<Error> for MappingError {
    fn from(error: Error) -> Self {
        Self {
            at: Some(error.at()),
            why: Why::Wire(error),
        }
    }
}

impl fmt::Display for MappingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.why, self.at) {
            (Why::Wire(error), _) => error.fmt(f),
            (Why::Fit(why), Some(at)) => write!(f, "value at byte {at}: {why}"),
            (Why::Fit(why), None) => f.write_str(why),
        }
    }
}

impl core::error::Error for MappingError {}

impl serde::ser::Error for MappingError {
    fn custom<T: fmt::Display>(why: T) -> Self {
        Self::new(why)
    }
}

impl serde::de::Error for MappingError {
    fn custom<T: fmt::Display>(why: T) -> Self {
        Self::new(why)
    }
}

/// Deepest nesting of lists, maps and objects, both ways: serde's functions call themselves, so the
/// depth is bounded by the stack, and for less than [`Limits::max_depth`].
const MAX_DEPTH: u32 = 128;

/// The name by which a date tells these two formats what it is.
const DATE: &str = "java.util.Date";
/// Java's class of decimals, and its one field.
const DECIMAL: &str = "java.math.BigDecimal";
const DECIMAL_VALUE: &str = "value";

/// `java.util.Date`: milliseconds since 1970, UTC. In other formats it is that number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Date(pub i64);

impl Serialize for Date {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_newtype_struct(DATE, &self.0)
    }
}

impl<'de> Deserialize<'de> for Date {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Millis;
        impl<'de> Visitor<'de> for Millis {
            type Value = Date;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a date")
            }

            fn visit_newtype_struct<D: Deserializer<'de>>(self, d: D) -> Result<Date, D::Error> {
                i64::deserialize(d).map(Date)
            }
        }
        deserializer.deserialize_newtype_struct(DATE, Millis)
    }
}

/// `java.math.BigDecimal`: its digits as Java writes them, `12.50` or `1E+3`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Decimal(pub String);

impl Serialize for Decimal {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct(DECIMAL, 1)?;
        object.serialize_field(DECIMAL_VALUE, &self.0)?;
        object.end()
    }
}

impl<'de> Deserialize<'de> for Decimal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Digits;
        impl<'de> Visitor<'de> for Digits {
            type Value = Decimal;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a decimal")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Decimal, A::Error> {
                let mut digits = None;
                while let Some(name) = fields.next_key::<String>()? {
                    if name == DECIMAL_VALUE {
                        digits = Some(fields.next_value()?);
                    } else {
                        fields.next_value::<serde::de::IgnoredAny>()?;
                    }
                }
                let missing = || serde::de::Error::missing_field(DECIMAL_VALUE);
                digits.map(Decimal).ok_or_else(missing)
            }
        }
        deserializer.deserialize_struct(DECIMAL, &[DECIMAL_VALUE], Digits)
    }
}
