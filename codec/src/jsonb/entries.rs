//! A map of attachments in JSONB, its names, and what its values have to do with each other.

use crate::body::Entries;
use crate::error::{Error, ErrorKind, Limits, What};
use crate::jsonb::string::string_after;
use crate::jsonb::walk::{REFERENCE, SYMBOL, Scalar, Sink, Symbol, TYPED, symbol, walk};
use crate::jsonb::{NULL, OBJECT, OBJECT_END};
use crate::reader::Reader;

/// Passes over a map of attachments, all of what the reader has, and remembers where each one is.
pub(crate) fn entries(r: &mut Reader<'_>, limits: &Limits) -> Result<Entries, Error> {
    const WHAT: What = What::Attachments;
    let mut entries = Entries::at(r.at());
    let mut lead = r.byte(WHAT)?;
    if lead == TYPED {
        symbol(r, What::Type)?;
        lead = r.byte(WHAT)?;
    }
    match lead {
        NULL => {}
        OBJECT => {
            entries.first = r.at() as u32;
            while r.peek() != Some(OBJECT_END) {
                let key = r.at();
                entry_name(r, limits)?;
                let value = r.at();
                // Java reads no symbol where a value stands.
                if let Some(SYMBOL) = r.peek() {
                    return Err(r.error(WHAT, ErrorKind::UnexpectedByte(SYMBOL)));
                }
                walk(r, limits, &mut ())?;
                entries.push(key, value, limits)?;
            }
            entries.end = r.at() as u32;
            r.byte(WHAT)?;
        }
        _ => {
            return Err(Error::new(
                r.at() - 1,
                WHAT,
                ErrorKind::UnexpectedByte(lead),
            ));
        }
    }
    entries.after = r.at() as u32;
    Ok(entries)
}

/// The name of an attachment: text, which may be a symbol, or a number or null, which names nothing
/// that Dubbo looks for. What Java might resolve to text in another way is refused, so that nobody
/// can hide a name.
fn entry_name(r: &mut Reader<'_>, limits: &Limits) -> Result<(), Error> {
    match r.peek() {
        Some(lead @ (TYPED | REFERENCE | 0x90 | 0x94..=0xa4 | OBJECT)) => {
            Err(r.error(What::AttachmentKey, ErrorKind::UnexpectedByte(lead)))
        }
        _ => walk(r, limits, &mut ()),
    }
}

/// The name that `bytes` are; a symbol that is a number only has none here.
pub(crate) fn name(bytes: &[u8]) -> Option<Symbol<'_>> {
    let mut r = Reader::new(bytes);
    match r.byte(What::AttachmentKey).ok()? {
        SYMBOL => symbol(&mut r, What::Symbol).ok(),
        lead => {
            let name = Some(string_after(&mut r, lead, What::AttachmentKey).ok()?);
            // No symbol has this number: they count from 0.
            Some(Symbol {
                name,
                number: i32::MIN,
            })
        }
    }
}

/// Something in a value that matters to those around it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Part {
    /// An array or object.
    Container,
    /// A symbol or type that gets a number.
    Definition,
    /// A symbol or type that is meant by its number.
    Use,
    /// A path to another value.
    Path,
}

/// Folds over the parts of a value that was walked over before.
pub(crate) fn facts<T: Copy>(value: &[u8], start: T, fold: impl Fn(T, Part) -> T) -> T {
    struct Collect<T, F>(T, F);
    impl<T: Copy, F: Fn(T, Part) -> T> Collect<T, F> {
        fn see(&mut self, part: Part) -> Result<(), ErrorKind> {
            self.0 = (self.1)(self.0, part);
            Ok(())
        }
    }
    impl<'a, T: Copy, F: Fn(T, Part) -> T> Sink<'a> for Collect<T, F> {
        fn scalar(&mut self, value: Scalar<'a>) -> Result<(), ErrorKind> {
            match value {
                Scalar::Symbol(Symbol { name: Some(_), .. }) => self.see(Part::Definition),
                Scalar::Symbol(_) => self.see(Part::Use),
                Scalar::Reference(_) => self.see(Part::Path),
                _ => Ok(()),
            }
        }
        fn typed(&mut self, class: Symbol<'a>) -> Result<(), ErrorKind> {
            self.see(if class.name.is_some() {
                Part::Definition
            } else {
                Part::Use
            })
        }
        fn begin(&mut self, _: bool) -> Result<(), ErrorKind> {
            self.see(Part::Container)
        }
    }
    let mut collect = Collect(start, fold);
    let limits = Limits {
        max_depth: Limits::DEPTH_CEILING,
        ..Limits::default()
    };
    // It was walked over before, so it ends well; what an error hid would be refused there.
    match walk(&mut Reader::new(value), &limits, &mut collect) {
        Ok(()) | Err(_) => collect.0,
    }
}
