//! The strings that a request begins with, through a way of their own for Hessian 2.

use crate::body::{BodyReader, Format};
use crate::error::{Error, ErrorKind, Limits, What};
use crate::hessian2;
use crate::reader::Reader;
use crate::text::Text;

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
    #[inline(always)]
    pub(super) const fn new(r: Reader<'a>, limits: &Limits) -> Self {
        Self {
            r,
            four: limits.four_byte_utf8,
        }
    }

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
