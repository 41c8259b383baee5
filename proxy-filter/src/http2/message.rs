//! What makes a header list a request, a response or trailers, RFC 9113 section 8.
//!
//! Length of content is not compared with `content-length`: the frame that a body is here has a length
//! of its own, which is.

use super::Role;
use crate::hpack::HeaderList;

/// What a head is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Head {
    Request,
    /// 100 to 199: another head follows.
    Informational,
    Response,
}

/// Names that concern one connection of HTTP/1 and must not occur (8.2.2).
const CONNECTION_NAMES: [&[u8]; 5] = [
    b"connection",
    b"proxy-connection",
    b"keep-alive",
    b"transfer-encoding",
    b"upgrade",
];

/// The first head of a stream, as sent to `role`. `None` if it is malformed.
pub(super) fn head(list: &HeaderList, role: Role) -> Option<Head> {
    let pseudo = list.iter().take_while(|(name, _)| name.starts_with(b":"));
    let names_once = |known: &[&[u8]]| {
        let mut seen = 0_u8;
        pseudo.clone().all(|(name, _)| {
            let place = known.iter().position(|known| *known == name);
            let bit = place.map_or(0, |place| 1 << place);
            let first = bit & !seen != 0;
            seen |= bit;
            first
        })
    };
    let has = |name: &[u8]| list.get(name).is_some_and(|value| !value.is_empty());
    if !fields(list, pseudo.clone().count()) {
        return None;
    }
    match role {
        Role::Server => {
            let known: [&[u8]; 5] = [
                b":method",
                b":scheme",
                b":path",
                b":authority",
                b":protocol",
            ];
            let whole = has(b":method") && has(b":scheme") && has(b":path");
            (names_once(&known) && whole).then_some(Head::Request)
        }
        Role::Client => {
            let status: &[u8; 3] = list.get(b":status")?.try_into().ok()?;
            let is_number = status.iter().all(u8::is_ascii_digit);
            match status {
                _ if !is_number || !names_once(&[b":status"]) => None,
                b"101" => None,
                [b'1', ..] => Some(Head::Informational),
                _ => Some(Head::Response),
            }
        }
    }
}

/// Whether a list may be trailers: no pseudo fields (8.1).
pub(super) fn trailers(list: &HeaderList) -> bool {
    fields(list, 0)
}

/// Whether all fields behind the first `pseudo` are ordinary ones, and all values may stand (8.2.1).
fn fields(list: &HeaderList, pseudo: usize) -> bool {
    let ordinary = |name: &[u8], value: &[u8]| {
        !name.is_empty()
            && name
                .iter()
                .fold(true, |all, byte| all & IN_NAMES[usize::from(*byte)])
            && !CONNECTION_NAMES.contains(&name)
            && (name != b"te" || value == b"trailers")
    };
    list.iter()
        .enumerate()
        .all(|(at, (name, value))| (at < pseudo || ordinary(name, value)) && may_stand(value))
}

/// Which bytes stand in names: visible ASCII but upper case and the colon, which only a pseudo field
/// begins with.
static IN_NAMES: [bool; 256] = {
    let mut all = [false; 256];
    let mut byte = 0x21_u8;
    while byte <= 0x7e {
        all[byte as usize] = !byte.is_ascii_uppercase() && byte != b':';
        byte += 1;
    }
    all
};

/// Whether a value has no NUL, CR and LF in it. Eight bytes at a time: all values of all heads are
/// looked at.
fn may_stand(value: &[u8]) -> bool {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGH: u64 = u64::from_ne_bytes([0x80; 8]);
    const CR: u64 = u64::from_ne_bytes([b'\r'; 8]);
    const LF: u64 = u64::from_ne_bytes([b'\n'; 8]);
    // Not 0 if a byte of the word is.
    let zero = |word: u64| word.wrapping_sub(ONES) & !word & HIGH;
    let (words, rest) = value.as_chunks::<8>();
    let bad = words.iter().fold(0, |bad, word| {
        let word = u64::from_ne_bytes(*word);
        bad | zero(word) | zero(word ^ CR) | zero(word ^ LF)
    });
    bad == 0 && !rest.iter().any(|b| matches!(b, 0 | b'\r' | b'\n'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(text: &str) -> HeaderList {
        let mut list = HeaderList::new();
        for field in text.split('|') {
            let (name, value) = field.split_once('=').unwrap();
            list.push(name.as_bytes(), value.as_bytes());
        }
        list
    }

    #[test]
    fn requests() {
        for (text, expected) in [
            (":method=POST|:scheme=http|:path=/a|:authority=b|x=y", true),
            (":path=/a|:method=POST|:scheme=http", true),
            (":method=POST|:scheme=http|:path=/a|te=trailers", true),
            (":method=POST|:scheme=http|:path=/a|te=gzip", false),
            (":method=POST|:scheme=http|:path=/a|connection=close", false),
            (":method=POST|:scheme=http|:path=/a|X=y", false),
            (":method=POST|:scheme=http|:path=/a|x y=z", false),
            (":method=POST|:scheme=http|:path=/a|x=y\n", false),
            (":method=POST|:scheme=http|:path=/a|=y", false),
            (":method=POST|:scheme=http|:path=", false),
            (":method=POST|:scheme=http", false),
            (":method=POST|:scheme=http|:path=/a|:path=/b", false),
            (":method=POST|:scheme=http|x=y|:path=/a", false),
            (":method=POST|:scheme=http|:path=/a|:status=200", false),
            (":method=POST|:scheme=http|:path=/a|:what=1", false),
        ] {
            let head = head(&list(text), Role::Server);
            assert_eq!(head.is_some(), expected, "{text}");
        }
    }

    #[test]
    fn responses() {
        for (text, expected) in [
            (":status=200|x=y", Some(Head::Response)),
            (":status=100", Some(Head::Informational)),
            (":status=101", None),
            (":status=20", None),
            (":status=", None),
            (":status=|x=y", None),
            (":status=2x0", None),
            ("x=y", None),
            (":status=200|:status=200", None),
            (":status=200|:path=/", None),
        ] {
            assert_eq!(head(&list(text), Role::Client), expected, "{text}");
        }
        assert!(trailers(&list("grpc-status=0")));
        assert!(!trailers(&list(":status=200")));
    }

    #[test]
    fn bytes_that_no_value_has_are_found_wherever_they_are() {
        for len in 0..20 {
            for at in 0..len {
                for byte in 0..=255 {
                    // Neighbours that a word's arithmetic could mistake.
                    for around in [b'x', 1, 0x80, 0xff, 0x0b, 0x0e] {
                        let mut value = vec![around; len];
                        value[at] = byte;
                        let expected = !matches!(byte, 0 | b'\r' | b'\n');
                        assert_eq!(may_stand(&value), expected, "{value:?}");
                    }
                }
            }
        }
    }
}
