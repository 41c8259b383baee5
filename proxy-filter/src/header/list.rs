//! Which attachments are headers, and what never is one.

use std::borrow::Cow;

use super::{decode_name, encode_name};
use crate::names;

/// Headers of HTTP and Envoy that no attachment becomes and that are never written back, not even
/// under a prefix. What ends in `-` is a prefix.
const DENIED: [&str; 20] = [
    "x-envoy-",
    "x-forwarded-",
    "content-",
    "proxy-",
    "dubbo-mesh-",
    "connection",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "host",
    "expect",
    "via",
    "http2-settings",
    // Dubbo's own, which are told by headers of the table, decide which provider answers, or
    // decide how it reads the arguments.
    "path",
    "interface",
    "group",
    "version",
    "generic",
];

/// Whether a header never stands for an attachment: pseudo headers, what belongs to HTTP and Envoy,
/// and what the filter itself says.
pub(crate) fn is_denied(header: &[u8]) -> bool {
    header.is_empty()
        || header.starts_with(b":")
        || DENIED.iter().any(|denied| match denied.ends_with('-') {
            true => header.starts_with(denied.as_bytes()),
            false => header == denied.as_bytes(),
        })
        || names::TABLE.iter().any(|row| header == row.name.as_bytes())
}

/// Which attachments are headers, and how headers that are new are spelled as attachments.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct AllowList {
    exact: Vec<Entry>,
    prefixes: Vec<Entry>,
    outline: Outline,
}

/// With which letters, and how long, the names of a list are: most attachments of a call are on none. A
/// bit for the lower five of a letter's bits, which upper and lower case share, and one for each length.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Outline {
    exact: u32,
    lengths: u64,
    prefixes: u32,
}

impl Outline {
    fn add(&mut self, name: &[u8], is_prefix: bool) {
        let letter = name.first().map_or(u32::MAX, |first| Self::letter(*first));
        match is_prefix {
            true => self.prefixes |= letter,
            false => {
                self.exact |= letter;
                self.lengths |= Self::length(name);
            }
        }
    }

    fn admits_exact(self, name: &[u8]) -> bool {
        let letter = name.first().map_or(0, |first| Self::letter(*first));
        self.exact & letter != 0 && self.lengths & Self::length(name) != 0
    }

    fn admits_prefix(self, name: &[u8]) -> bool {
        let letter = name.first().map_or(0, |first| Self::letter(*first));
        self.prefixes & letter != 0
    }

    const fn letter(byte: u8) -> u32 {
        1 << (byte & 0x1f)
    }

    /// All lengths from 63 on are one.
    fn length(name: &[u8]) -> u64 {
        1 << name.len().min(63)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    /// As the attachment is spelled.
    spelled: String,
    /// As the header is: lower case, encoded.
    header: String,
}

impl AllowList {
    /// Reads names and `prefix*`. The error is a sentence about the one that cannot be.
    pub(crate) fn new<'s>(patterns: impl IntoIterator<Item = &'s str>) -> Result<Self, String> {
        let mut list = Self::default();
        for pattern in patterns {
            let (spelled, is_prefix) = match pattern.strip_suffix('*') {
                Some(prefix) => (prefix, true),
                None => (pattern, false),
            };
            if spelled.contains('*') {
                return Err(format!("`{pattern}`: a `*` can only be the last character"));
            }
            if spelled.is_empty() && !is_prefix {
                return Err("an attachment's name is not empty".into());
            }
            let header = encode_name(spelled.as_bytes());
            let denied = if is_prefix {
                denies_prefix(&header)
            } else {
                is_denied(header.as_bytes())
            };
            if denied {
                return Err(format!(
                    "`{pattern}` is never taken from a caller nor written back"
                ));
            }
            let entries = if is_prefix {
                &mut list.prefixes
            } else {
                &mut list.exact
            };
            if entries.iter().any(|entry| entry.header == header) {
                return Err(format!(
                    "`{pattern}` stands twice, upper case does not tell them apart"
                ));
            }
            list.outline.add(spelled.as_bytes(), is_prefix);
            list.outline.add(header.as_bytes(), is_prefix);
            entries.push(Entry {
                spelled: spelled.into(),
                header,
            });
        }
        Ok(list)
    }

    /// False for nearly all attachments that are not on the list, at once.
    #[inline]
    pub(crate) fn may_have(&self, attachment: &[u8]) -> bool {
        self.outline.admits_exact(attachment) || self.outline.admits_prefix(attachment)
    }

    /// The header of an attachment that is on the list.
    pub(crate) fn header_of<'l>(&'l self, attachment: &[u8]) -> Option<Cow<'l, str>> {
        if self.outline.admits_exact(attachment) {
            // Nearly always it is spelled as in the list.
            let mut exact = self.exact.iter();
            let as_listed = exact.find(|entry| entry.spelled.as_bytes() == attachment);
            let same = |entry: &&Entry| is_same(&entry.spelled, attachment);
            if let Some(entry) = as_listed.or_else(|| self.exact.iter().find(same)) {
                return Some(Cow::Borrowed(&entry.header));
            }
        }
        if !self.outline.admits_prefix(attachment) {
            return None;
        }
        let begins = |entry: &Entry| {
            let begin = attachment.get(..entry.spelled.len());
            begin.is_some_and(|begin| is_same(&entry.spelled, begin))
        };
        if !self.prefixes.iter().any(begins) {
            return None;
        }
        let header = encode_name(attachment);
        (!is_denied(header.as_bytes())).then_some(Cow::Owned(header))
    }

    /// Whether a header stands for an attachment of the list.
    pub(crate) fn admits(&self, header: &[u8]) -> bool {
        let (mut exact, mut prefixes) = (self.exact.iter(), self.prefixes.iter());
        (self.outline.admits_exact(header) && exact.any(|entry| entry.header.as_bytes() == header))
            || (self.outline.admits_prefix(header)
                && prefixes.any(|entry| header.starts_with(entry.header.as_bytes()))
                && !is_denied(header))
    }

    /// How the attachment is spelled that a header of the list stands for; the list's own spelling,
    /// lower case behind a prefix. `None` if it is on the list but is no attachment's name.
    pub(crate) fn spelling(&self, header: &[u8]) -> Option<String> {
        if let Some(entry) = self
            .exact
            .iter()
            .find(|entry| entry.header.as_bytes() == header)
        {
            return Some(entry.spelled.clone());
        }
        let longest = self
            .prefixes
            .iter()
            .filter(|entry| header.starts_with(entry.header.as_bytes()));
        let entry = longest.max_by_key(|entry| entry.header.len())?;
        let rest = decode_name(header.get(entry.header.len()..)?)?;
        Some(format!("{}{rest}", entry.spelled))
    }

    /// Whether the list itself spells an attachment so.
    pub(crate) fn spells(&self, attachment: &str) -> bool {
        self.exact.iter().any(|entry| entry.spelled == attachment)
    }

    /// Whether an attachment stands on the list by its name, however spelled.
    pub(crate) fn names(&self, attachment: &str) -> bool {
        let mut exact = self.exact.iter();
        exact.any(|entry| entry.spelled.eq_ignore_ascii_case(attachment))
    }

    /// The patterns, for a fingerprint.
    pub(crate) fn patterns(&self) -> impl Iterator<Item = (&str, bool)> {
        let exact = self.exact.iter().map(|entry| (&*entry.spelled, false));
        exact.chain(self.prefixes.iter().map(|entry| (&*entry.spelled, true)))
    }
}

fn is_same(spelled: &str, name: &[u8]) -> bool {
    spelled.as_bytes().eq_ignore_ascii_case(name)
}

/// Whether all that begins so is denied.
fn denies_prefix(header: &str) -> bool {
    header.starts_with(':')
        || DENIED
            .iter()
            .any(|denied| denied.ends_with('-') && header.starts_with(denied))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_knows_names_and_prefixes() {
        let list = AllowList::new(["dubbo.tag", "X-B3-TraceId", "X-Acme-*"]).unwrap();
        for (name, header) in [
            ("dubbo.tag", Some("dubbo.tag")),
            ("x-b3-traceid", Some("x-b3-traceid")),
            ("X-B3-TraceId", Some("x-b3-traceid")),
            ("x-ACME-Region", Some("x-acme-region")),
            ("x-acm", None),
            ("dubbo.tag2", None),
        ] {
            assert_eq!(list.header_of(name.as_bytes()).as_deref(), header, "{name}");
        }
        for (header, name) in [
            ("x-b3-traceid", Some("X-B3-TraceId")),
            ("x-acme-a%20b", Some("X-Acme-a b")),
            ("x-acme-%ff", None),
            ("region", None),
        ] {
            assert_eq!(
                list.spelling(header.as_bytes()).as_deref(),
                name,
                "{header}"
            );
        }
    }

    #[test]
    fn the_documentation_names_what_is_denied() {
        let readme = include_str!("../../README.md");
        let (_, after) = readme.split_once("\nNever taken from a caller").unwrap();
        let paragraph = after.split("\n\n").next().unwrap();
        let mut told: Vec<_> = paragraph.split('`').skip(1).step_by(2).collect();
        let mut denied: Vec<_> = DENIED.iter().map(ToString::to_string).collect();
        denied
            .iter_mut()
            .filter(|name| name.ends_with('-'))
            .for_each(|name| name.push('*'));
        denied.push(":*".into());
        told.sort_unstable();
        denied.sort_unstable();
        assert_eq!(told, denied);
    }

    #[test]
    fn what_is_denied_passes_under_no_prefix() {
        let all = AllowList::new(["*"]).unwrap();
        for name in [
            "content-length",
            "Content-Type",
            "X-Envoy-Original-Path",
            "x-forwarded-for",
            "TE",
            "host",
            "connection",
            "proxy-authorization",
            "dubbo-mesh-seal",
            "dubbo-status",
            "tri-service-version",
            "path",
            "interface",
            "group",
            "version",
            "generic",
            "",
        ] {
            assert_eq!(all.header_of(name.as_bytes()), None, "{name}");
            assert!(!all.admits(name.to_ascii_lowercase().as_bytes()), "{name}");
        }
        assert!(!all.admits(b":authority"));
        assert_eq!(all.header_of(b"contention").as_deref(), Some("contention"));
        for pattern in [
            "host",
            "Content-*",
            "x-envoy-retry-*",
            "a*b",
            "",
            "tri-service-group",
            "*a*",
        ] {
            assert!(AllowList::new([pattern]).is_err(), "{pattern}");
        }
        assert!(AllowList::new(["Region", "region"]).is_err());
    }
}
