//! Text as it stands on the wire, in any of the encodings that Dubbo's serializations use.
//!
//! Java strings are UTF-16 and may hold lone surrogates, which no `&str` can. So text is borrowed as
//! it is, and its meaning is a sequence of UTF-16 units ([`Text::units`]), by which texts of different
//! encodings compare. For ASCII, which nearly all names are, all of it comes down to comparing bytes.

use alloc::borrow::Cow;
use alloc::string::{String, ToString};
use core::cmp::Ordering;
use core::fmt;
use core::fmt::Write as _;

/// Borrowed text of a peer, already validated.
#[derive(Clone, Copy)]
pub struct Text<'a> {
    bytes: &'a [u8],
    encoding: Encoding,
}

/// How the bytes of a [`Text`] stand for characters. As wide as a register, so that a text has no
/// padding: copying that byte by byte, in parts of other widths, makes the processor wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub(crate) enum Encoding {
    /// UTF-8.
    Utf8,
    /// CESU-8: surrogates are three bytes each.
    Cesu8,
    /// A Hessian string of several chunks, each with its lead bytes and CESU-8 data.
    HessianChunks,
    /// ISO 8859-1.
    Latin1,
    /// UTF-16, low byte first.
    Utf16Le,
    /// UTF-16, high byte first.
    Utf16Be,
    /// What stands between the quotes of a JSON string.
    Json,
}

impl<'a> Text<'a> {
    pub(crate) const EMPTY: Self = Self::new("");

    /// The text of a Rust string, to be written.
    pub const fn new(text: &'a str) -> Self {
        Self {
            bytes: text.as_bytes(),
            encoding: Encoding::Utf8,
        }
    }

    /// Text of UTF-16 units, high byte first, lone surrogates included: what no Rust string can hold.
    /// A last odd byte is ignored.
    pub const fn from_utf16_be(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            encoding: Encoding::Utf16Be,
        }
    }

    pub(crate) const fn of(bytes: &'a [u8], encoding: Encoding) -> Self {
        Self { bytes, encoding }
    }

    /// The bytes, if their encoding agrees with UTF-8 wherever both are defined.
    #[inline]
    pub(crate) fn utf8_like(&self) -> Option<&'a [u8]> {
        match self.encoding {
            Encoding::Utf8 | Encoding::Cesu8 => Some(self.bytes),
            Encoding::Latin1 if self.bytes.is_ascii() => Some(self.bytes),
            Encoding::Json if !self.bytes.contains(&b'\\') => Some(self.bytes),
            _ => None,
        }
    }

    /// The bytes, if they are ASCII in one piece, as nearly all names are.
    #[inline]
    pub fn ascii(&self) -> Option<&'a [u8]> {
        let one_piece = matches!(
            self.encoding,
            Encoding::Utf8 | Encoding::Cesu8 | Encoding::Latin1
        );
        (one_piece && self.bytes.is_ascii()).then_some(self.bytes)
    }

    /// The bytes, if they are the chunks of a Hessian string.
    pub(crate) fn chunks(&self) -> Option<&'a [u8]> {
        (self.encoding == Encoding::HessianChunks).then_some(self.bytes)
    }

    /// The text without copying, if it stands on the wire as one piece of UTF-8: always so for
    /// ASCII, and for characters of the basic plane in a Hessian string of one chunk.
    pub fn as_str(&self) -> Option<&'a str> {
        core::str::from_utf8(self.utf8_like()?).ok()
    }

    /// The text; lone surrogates become U+FFFD.
    pub fn to_str_lossy(&self) -> Cow<'a, str> {
        self.as_str()
            .map_or_else(|| Cow::Owned(self.to_string()), Cow::Borrowed)
    }

    /// The UTF-16 units: the text exactly as Java holds it.
    pub const fn units(&self) -> Units<'a> {
        Units {
            bytes: self.bytes,
            encoding: self.encoding,
            chunk_left: 0,
            low: None,
        }
    }

    /// The characters; a lone surrogate is an error that holds it.
    pub fn chars(&self) -> impl Iterator<Item = Result<char, u16>> + 'a {
        char::decode_utf16(self.units()).map(|c| c.map_err(|e| e.unpaired_surrogate()))
    }

    /// No characters at all.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty() || self.units().next().is_none()
    }

    /// The bytes if they are CESU-8 as they are: no sequence of four.
    pub(crate) fn as_cesu8_bytes(&self) -> Option<&'a [u8]> {
        self.utf8_like().filter(|bytes| {
            bytes.is_ascii() || bytes.iter().fold(0, |max, byte| *byte.max(&max)) < 0xf0
        })
    }
}

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(text) = self.as_str() {
            return f.write_str(text);
        }
        self.chars()
            .try_for_each(|c| f.write_char(c.unwrap_or(char::REPLACEMENT_CHARACTER)))
    }
}

impl fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for c in self.chars() {
            match c {
                Ok(c) => write!(f, "{}", c.escape_debug())?,
                Err(unit) => write!(f, "\\u{{{unit:x}}}")?,
            }
        }
        f.write_char('"')
    }
}

impl PartialEq<str> for Text<'_> {
    #[inline]
    fn eq(&self, other: &str) -> bool {
        if let (Encoding::Utf8 | Encoding::Cesu8, true) = (self.encoding, other.is_ascii()) {
            return self.bytes == other.as_bytes();
        }
        *self == Text::new(other)
    }
}

impl PartialEq<&str> for Text<'_> {
    #[inline]
    fn eq(&self, other: &&str) -> bool {
        self == *other
    }
}

impl PartialEq for Text<'_> {
    fn eq(&self, other: &Self) -> bool {
        if self.encoding == other.encoding && self.bytes == other.bytes {
            return true;
        }
        self.units().eq(other.units())
    }
}

impl Eq for Text<'_> {}

impl PartialOrd for Text<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The order of Java's `String.compareTo`: by UTF-16 units.
impl Ord for Text<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        if let (Some(ours), Some(theirs)) = (self.ascii(), other.ascii()) {
            return ours.cmp(theirs);
        }
        self.units().cmp(other.units())
    }
}

impl<'a> From<&'a str> for Text<'a> {
    fn from(text: &'a str) -> Self {
        Self::new(text)
    }
}

impl From<Text<'_>> for String {
    fn from(text: Text<'_>) -> Self {
        text.to_str_lossy().into_owned()
    }
}

/// The UTF-16 units of a [`Text`].
#[derive(Clone, Debug)]
pub struct Units<'a> {
    bytes: &'a [u8],
    encoding: Encoding,
    /// Units left in the chunk, of [`Encoding::HessianChunks`].
    chunk_left: usize,
    /// The second half of a character that was one sequence of bytes.
    low: Option<u16>,
}

impl Iterator for Units<'_> {
    type Item = u16;

    fn next(&mut self) -> Option<u16> {
        if let Some(low) = self.low.take() {
            return Some(low);
        }
        match self.encoding {
            Encoding::Utf8 | Encoding::Cesu8 => self.sequence(),
            Encoding::HessianChunks => {
                while self.chunk_left == 0 {
                    let (units, rest) = crate::hessian2::chunk_head(self.bytes)?;
                    (self.chunk_left, self.bytes) = (units, rest);
                }
                self.chunk_left -= 1;
                self.sequence()
            }
            Encoding::Latin1 => self.byte().map(u16::from),
            Encoding::Utf16Le => Some(u16::from_le_bytes([self.byte()?, self.byte()?])),
            Encoding::Utf16Be => Some(u16::from_be_bytes([self.byte()?, self.byte()?])),
            Encoding::Json => match self.bytes {
                [b'\\', ..] => self.escape(),
                _ => self.sequence(),
            },
        }
    }
}

impl Units<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.bytes.split_first()?;
        self.bytes = rest;
        Some(*first)
    }

    fn continuation(&mut self) -> u32 {
        u32::from(self.byte().unwrap_or_default() & 0x3f)
    }

    /// One sequence of UTF-8 or CESU-8; they differ only in what occurs.
    fn sequence(&mut self) -> Option<u16> {
        let lead = u32::from(self.byte()?);
        let code = match lead {
            0x00..0xc0 => lead,
            0xc0..0xe0 => (lead & 0x1f) << 6 | self.continuation(),
            0xe0..0xf0 => (lead & 0x0f) << 12 | self.continuation() << 6 | self.continuation(),
            _ => {
                let high = (lead & 0x07) << 18 | self.continuation() << 12;
                high | self.continuation() << 6 | self.continuation()
            }
        };
        Some(self.split(code))
    }

    /// The first unit of a code point; the second, if there is one, comes next.
    fn split(&mut self, code: u32) -> u16 {
        let Some(above) = code.checked_sub(0x10000) else {
            return code as u16;
        };
        self.low = Some(0xdc00 | (above & 0x3ff) as u16);
        0xd800 | ((above >> 10) & 0x3ff) as u16
    }

    /// A backslash escape, RFC 8259 section 7.
    fn escape(&mut self) -> Option<u16> {
        self.byte()?;
        Some(match self.byte()? {
            b'b' => 8,
            b'f' => 12,
            b'n' => 10,
            b'r' => 13,
            b't' => 9,
            b'u' => {
                let mut unit = 0;
                for _ in 0..4 {
                    unit = unit << 4 | (self.byte()? as char).to_digit(16)? as u16;
                }
                unit
            }
            other => u16::from(other),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn one_text_in_every_encoding() {
        let smile: Vec<u16> = "aé中😀".encode_utf16().collect();
        let le: Vec<u8> = smile.iter().flat_map(|u| u.to_le_bytes()).collect();
        let be: Vec<u8> = smile.iter().flat_map(|u| u.to_be_bytes()).collect();
        let all = [
            Text::new("aé中😀"),
            Text::of(
                b"a\xc3\xa9\xe4\xb8\xad\xed\xa0\xbd\xed\xb8\x80",
                Encoding::Cesu8,
            ),
            Text::of(
                b"R\0\x04a\xc3\xa9\xe4\xb8\xad\xed\xa0\xbd\x01\xed\xb8\x80",
                Encoding::HessianChunks,
            ),
            Text::of(&le, Encoding::Utf16Le),
            Text::of(&be, Encoding::Utf16Be),
            Text::of(br"a\u00e9\u4E2D\ud83d\ude00", Encoding::Json),
            Text::of("aé中😀".as_bytes(), Encoding::Json),
        ];
        for text in all {
            assert_eq!(text.units().collect::<Vec<_>>(), smile, "{text:?}");
            assert_eq!(text, "aé中😀");
            assert_eq!(text.to_string(), "aé中😀");
        }
        assert_eq!(Text::of(b"\xe9t\xe9", Encoding::Latin1), "été");
        assert_eq!(
            Text::of(br#"\b\f\n\r\t\"\\\/"#, Encoding::Json),
            "\u{8}\u{c}\n\r\t\"\\/"
        );
    }

    #[test]
    fn lone_surrogates_are_kept_and_shown() {
        let lone = Text::of(b"a\xed\xa0\xbdb", Encoding::Cesu8);
        assert_eq!(lone.as_str(), None);
        assert_eq!(lone.to_string(), "a\u{fffd}b");
        assert_eq!(alloc::format!("{lone:?}"), r#""a\u{d83d}b""#);
        assert!(lone != "a\u{fffd}b");
    }
}
