//! Attachments as header text, and back without loss.
//!
//! ```text
//! attachment  Region = eu         dubbo.tag = gray    用户 = 张三
//! header      region: eu          dubbo.tag: gray     %e7%94%a8%e6%88%b7: UTF-8''%E5%BC%A0%E4%B8%89
//! ```
//! This file owns the two encodings and, in `list`, what may pass. It must not know what a call is.
//! Header names are lower case; the attachment's own spelling comes from the frame, or else from the
//! list. Values that are not header text are written as RFC 8187 has it (section 3.2.1), and so are
//! values that look as if they were.

use std::borrow::Cow;

use dubbo_codec::{AttachmentValue, Text};

mod list;

pub(crate) use list::AllowList;

/// Takes headers one after the other, pseudo headers first.
pub trait HeaderSink {
    /// The next header. Both are legal HTTP/2.
    fn header(&mut self, name: &[u8], value: &[u8]);
}

impl HeaderSink for Vec<(Vec<u8>, Vec<u8>)> {
    fn header(&mut self, name: &[u8], value: &[u8]) {
        self.push((name.to_vec(), value.to_vec()));
    }
}

/// A number as text, on the stack.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Decimal {
    digits: [u8; 10],
    start: usize,
}

impl Decimal {
    pub(crate) fn new(mut number: u32) -> Self {
        let (mut digits, mut start) = ([b'0'; 10], 10);
        while number > 0 || start == 10 {
            start -= 1;
            digits[start] = b'0' + (number % 10) as u8;
            number /= 10;
        }
        Self { digits, start }
    }

    pub(crate) fn as_str(&self) -> &str {
        // All of them are ASCII.
        std::str::from_utf8(&self.digits[self.start..]).unwrap_or_default()
    }
}

/// What a value begins with that is not written as it is.
const ENCODED: &str = "UTF-8''";

/// An attachment's name as a header's: lower case; what is no token (RFC 9110 section 5.6.2), and
/// `%` itself, percent-encoded.
pub(crate) fn encode_name(name: &[u8]) -> String {
    let is_plain = |byte: u8| is_token(byte) && byte != b'%' && !byte.is_ascii_uppercase();
    let mut header = String::with_capacity(name.len());
    for byte in name.iter().map(u8::to_ascii_lowercase) {
        match is_plain(byte) {
            true => header.push(char::from(byte)),
            false => push_percent(&mut header, byte, b"0123456789abcdef"),
        }
    }
    header
}

/// The name that [`encode_name`] made the header of, but for its upper case.
pub(crate) fn decode_name(header: &[u8]) -> Option<String> {
    String::from_utf8(percent_decode(header)?).ok()
}

/// An attachment's value as a header's. `None` for what is no text: null, which says as little as
/// an absent header, and objects.
pub(crate) fn encode_value<'a>(value: &AttachmentValue<'a>) -> Option<Cow<'a, str>> {
    Some(match value {
        AttachmentValue::String(text) => encode_text(*text),
        AttachmentValue::Int(value) => value.to_string().into(),
        AttachmentValue::Long(value) => value.to_string().into(),
        AttachmentValue::Bool(value) => value.to_string().into(),
        AttachmentValue::Null | AttachmentValue::Other(_) => return None,
    })
}

/// Text as a header's value: itself, or encoded if it is not printable ASCII, begins or ends with a
/// space, or looks as if it were encoded. Lone surrogates are written as if UTF-8 had them.
pub(crate) fn encode_text<'a>(text: Text<'a>) -> Cow<'a, str> {
    if let Some(text) = text.as_str().filter(|text| is_header_text(text)) {
        return Cow::Borrowed(text);
    }
    let mut value = String::from(ENCODED);
    for c in text.chars() {
        match c {
            Ok(c) => {
                let mut bytes = [0; 4];
                c.encode_utf8(&mut bytes)
                    .bytes()
                    .for_each(|byte| push_byte(&mut value, byte));
            }
            Err(unit) => {
                let [high, low] = [unit >> 6 & 0x3f, unit & 0x3f];
                let bytes = [0xed, 0x80 | high as u8, 0x80 | low as u8];
                bytes.iter().for_each(|byte| push_byte(&mut value, *byte));
            }
        }
    }
    Cow::Owned(value)
}

/// The text that a header's value stands for. Bytes that are not ASCII are taken for UTF-8, as
/// routes may hold them. `None` if it is no text.
pub(crate) fn decode_text(value: &[u8]) -> Option<Cow<'_, str>> {
    match value.strip_prefix(ENCODED.as_bytes()) {
        None => std::str::from_utf8(value).ok().map(Cow::Borrowed),
        Some(rest) => String::from_utf8(percent_decode(rest)?)
            .ok()
            .map(Cow::Owned),
    }
}

fn is_header_text(text: &str) -> bool {
    let bytes = text.as_bytes();
    // To the end, whatever comes: that is many bytes at a time.
    let printable = bytes
        .iter()
        .fold(true, |all, byte| all & matches!(byte, b' '..=b'~'));
    printable
        && bytes.first() != Some(&b' ')
        && bytes.last() != Some(&b' ')
        && !text.starts_with(ENCODED)
}

/// `tchar` of RFC 9110.
const fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'-'
                | b'.'
                | b'^'
                | b'_'
                | b'`'
                | b'|'
                | b'~'
        )
}

/// A byte of a value: `attr-char` of RFC 8187 as it is, anything else encoded.
fn push_byte(value: &mut String, byte: u8) {
    match is_token(byte) && !matches!(byte, b'%' | b'\'' | b'*') {
        true => value.push(char::from(byte)),
        false => push_percent(value, byte, b"0123456789ABCDEF"),
    }
}

fn push_percent(text: &mut String, byte: u8, digits: &[u8; 16]) {
    let digit = |nibble: u8| char::from(digits[usize::from(nibble & 0xf)]);
    text.extend(['%', digit(byte >> 4), digit(byte)]);
}

pub(crate) fn percent_decode(mut text: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    while let [first, rest @ ..] = text {
        text = rest;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let [high, low, rest @ ..] = rest else {
            return None;
        };
        let digit = |byte: u8| char::from(byte).to_digit(16);
        bytes.push((digit(*high)? << 4 | digit(*low)?) as u8);
        text = rest;
    }
    Some(bytes)
}

/// Appends a name as a segment of a path: unreserved characters and `$` as they are (RFC 3986
/// section 2.3), anything else encoded, so that no proxy has anything to normalise in it. False for
/// what could be taken for another path, and for lone surrogates.
pub(crate) fn push_segment(path: &mut String, text: Text<'_>) -> bool {
    let is_plain =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'$');
    let start = path.len();
    match text.as_str() {
        Some(text) if text.bytes().all(is_plain) => path.push_str(text),
        _ => {
            for c in text.chars() {
                let Ok(c) = c else { return false };
                if matches!(c, '/' | '\\' | '\0'..=' ' | '\x7f') {
                    return false;
                }
                for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                    match is_plain(byte) {
                        true => path.push(char::from(byte)),
                        false => push_percent(path, byte, b"0123456789ABCDEF"),
                    }
                }
            }
        }
    }
    !matches!(&path[start..], "" | "." | "..")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_are_told_in_decimal() {
        for (number, text) in [
            (0, "0"),
            (9, "9"),
            (10, "10"),
            (5000, "5000"),
            (u32::MAX, "4294967295"),
        ] {
            assert_eq!(Decimal::new(number).as_str(), text);
        }
    }

    #[test]
    fn names_are_lower_case_tokens() {
        for (name, header) in [
            ("dubbo.tag", "dubbo.tag"),
            ("Region", "region"),
            ("a b", "a%20b"),
            ("100%", "100%25"),
            (":path", "%3apath"),
            ("用户", "%e7%94%a8%e6%88%b7"),
        ] {
            assert_eq!(encode_name(name.as_bytes()), header);
            assert_eq!(
                decode_name(header.as_bytes()),
                Some(name.to_ascii_lowercase())
            );
        }
    }

    /// The encoded ones: RFC 8187, section 3.2.2, has the pound and euro signs as its example.
    #[test]
    fn values_are_header_text() {
        for (text, value) in [
            ("eu-west", "eu-west"),
            ("", ""),
            ("a b", "a b"),
            (
                "\u{a3} and \u{20ac} rates",
                "UTF-8''%C2%A3%20and%20%E2%82%AC%20rates",
            ),
            (" a", "UTF-8''%20a"),
            ("a ", "UTF-8''a%20"),
            ("a\r\nb: c", "UTF-8''a%0D%0Ab%3A%20c"),
            ("UTF-8''a", "UTF-8''UTF-8%27%27a"),
            ("50%", "50%"),
            ("😀", "UTF-8''%F0%9F%98%80"),
        ] {
            assert_eq!(encode_text(Text::new(text)), value);
            assert_eq!(decode_text(value.as_bytes()).as_deref(), Some(text));
        }
    }

    #[test]
    fn values_of_all_types() {
        for (value, header) in [
            (AttachmentValue::String(Text::new("17")), Some("17")),
            (AttachmentValue::Int(-17), Some("-17")),
            (AttachmentValue::Long(1 << 40), Some("1099511627776")),
            (AttachmentValue::Bool(true), Some("true")),
            (AttachmentValue::Null, None),
            (AttachmentValue::Other(b"HZ"), None),
        ] {
            assert_eq!(encode_value(&value).as_deref(), header);
        }
        let lone = Text::from_utf16_be(&[0xd8, 0x3d, 0, 0x61]);
        assert_eq!(encode_text(lone), "UTF-8''%ED%A0%BDa");
        assert_eq!(decode_text(b"UTF-8''%ED%A0%BDa"), None);
    }

    #[test]
    fn segments_of_a_path() {
        for (name, segment) in [
            ("com.acme.Outer$Inner", Some("com.acme.Outer$Inner")),
            ("支付", Some("%E6%94%AF%E4%BB%98")),
            ("a?b#c%d", Some("a%3Fb%23c%25d")),
            ("a/b", None),
            ("a\\b", None),
            ("..", None),
            ("", None),
            ("a\nb", None),
        ] {
            let mut path = String::from("/");
            let is_segment = push_segment(&mut path, Text::new(name));
            assert_eq!(is_segment.then(|| &path[1..]), segment, "{name:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_comes_back(text in any::<String>()) {
            let value = encode_text(Text::new(&text)).into_owned();
            prop_assert!(value.bytes().all(|byte| matches!(byte, b' '..=b'~')));
            prop_assert!(!value.starts_with(' ') && !value.ends_with(' '));
            prop_assert_eq!(decode_text(value.as_bytes()), Some(Cow::Borrowed(&*text)));
        }

        #[test]
        fn any_name_comes_back_but_for_its_case(name in any::<String>()) {
            let header = encode_name(name.as_bytes());
            prop_assert!(header.bytes().all(|byte| is_token(byte) && !byte.is_ascii_uppercase()));
            prop_assert_eq!(decode_name(header.as_bytes()), Some(name.to_ascii_lowercase()));
        }

        #[test]
        fn any_bytes_are_text_or_not(bytes in any::<Vec<u8>>()) {
            let encoded = [ENCODED.as_bytes(), &bytes].concat();
            for value in [&bytes, &encoded] {
                if let Some(text) = decode_text(value) {
                    let again = encode_text(Text::new(&text)).into_owned();
                    prop_assert_eq!(decode_text(again.as_bytes()), Some(text));
                }
            }
            let _ = decode_name(&bytes);
        }
    }
}
