//! Hessian's numbers, and those that count or point at something.

use crate::error::{Error, ErrorKind, What};
use crate::hessian2::string::unexpected;
use crate::reader::Reader;

/// Every value takes a byte, so a count above the bytes that are left cannot be true.
#[inline]
pub(crate) fn room_for(r: &Reader<'_>, count: u32, what: What) -> Result<u32, Error> {
    if count as usize > r.left() {
        Err(r.short(what))
    } else {
        Ok(count)
    }
}

/// A number of values to come.
#[inline(always)]
pub(crate) fn count(r: &mut Reader<'_>, what: What) -> Result<u32, Error> {
    let at = r.at();
    match u32::try_from(read_int(r, what)?) {
        Ok(count) => room_for(r, count, what),
        Err(_) => Err(Error::new(at, what, ErrorKind::NegativeLength)),
    }
}

/// An int from 0 up to, not including, `bound`.
#[inline(always)]
pub(crate) fn index(r: &mut Reader<'_>, bound: u32, what: What) -> Result<u32, Error> {
    let at = r.at();
    match u32::try_from(read_int(r, what)?) {
        Ok(index) if index < bound => Ok(index),
        _ => Err(Error::new(at, what, ErrorKind::BadIndex)),
    }
}

/// Reads an int in any of its forms.
#[inline(always)]
pub(crate) fn read_int(r: &mut Reader<'_>, what: What) -> Result<i32, Error> {
    match r.byte(what)? {
        lead @ (0x80..=0xd7 | b'I') => int_after(r, lead, what),
        lead => Err(unexpected(r, lead, what)),
    }
}

#[inline(always)]
pub(crate) fn int_after(r: &mut Reader<'_>, lead: u8, what: What) -> Result<i32, Error> {
    Ok(match lead {
        0x80..=0xbf => i32::from(lead) - 0x90,
        0xc0..=0xcf => (i32::from(lead) - 0xc8) << 8 | i32::from(r.byte(what)?),
        0xd0..=0xd7 => {
            (i32::from(lead) - 0xd4) << 16 | i32::from(u16::from_be_bytes(r.array(what)?))
        }
        _ => i32::from_be_bytes(r.array(what)?),
    })
}

#[inline(always)]
pub(crate) fn long_after(r: &mut Reader<'_>, lead: u8) -> Result<i64, Error> {
    const WHAT: What = What::Long;
    Ok(match lead {
        0xd8..=0xef => i64::from(lead) - 0xe0,
        0xf0..=0xff => (i64::from(lead) - 0xf8) << 8 | i64::from(r.byte(WHAT)?),
        0x38..=0x3f => {
            (i64::from(lead) - 0x3c) << 16 | i64::from(u16::from_be_bytes(r.array(WHAT)?))
        }
        b'Y' => i64::from(i32::from_be_bytes(r.array(WHAT)?)),
        _ => i64::from_be_bytes(r.array(WHAT)?),
    })
}

#[inline(always)]
pub(crate) fn double_after(r: &mut Reader<'_>, lead: u8) -> Result<f64, Error> {
    const WHAT: What = What::Double;
    Ok(match lead {
        0x5b => 0.0,
        0x5c => 1.0,
        0x5d => f64::from(i8::from_be_bytes(r.array(WHAT)?)),
        0x5e => f64::from(i16::from_be_bytes(r.array(WHAT)?)),
        // As Java computes it: a product, not a quotient.
        0x5f => 0.001 * f64::from(i32::from_be_bytes(r.array(WHAT)?)),
        _ => f64::from_be_bytes(r.array(WHAT)?),
    })
}

/// Milliseconds since 1970.
#[inline(always)]
pub(crate) fn date_after(r: &mut Reader<'_>, lead: u8) -> Result<i64, Error> {
    const WHAT: What = What::Date;
    Ok(match lead {
        0x4b => i64::from(i32::from_be_bytes(r.array(WHAT)?)) * 60_000,
        _ => i64::from_be_bytes(r.array(WHAT)?),
    })
}
