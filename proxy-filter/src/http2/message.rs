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
                .fold(true, |all, byte| all & is_name_byte(*byte))
            && !CONNECTION_NAMES.contains(&name)
            && (name != b"te" || value == b"trailers")
    };
    // Both look at all bytes, whatever comes: that is many at a time.
    let stands = |value: &[u8]| {
        let is_bad = |byte: u8| matches!(byte, 0 | b'\r' | b'\n');
        !value.iter().fold(false, |any, byte| any | is_bad(*byte))
    };
    list.iter()
        .enumerate()
        .all(|(at, (name, value))| (at < pseudo || ordinary(name, value)) && stands(value))
}

/// Visible ASCII but upper case and the colon, which only a pseudo field begins with.
const fn is_name_byte(byte: u8) -> bool {
    matches!(byte, 0x21..=0x7e) && !byte.is_ascii_uppercase() && byte != b':'
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
}
