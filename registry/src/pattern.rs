//! `com.acme.*`: a name with `*` for any part of it, the only pattern language of the configuration.

use serde::Deserialize;
use std::sync::Arc;

/// A name in which `*` stands for any text, dots included.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Pattern(Arc<str>);

impl From<&str> for Pattern {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl Pattern {
    /// Whether the whole of `name` fits.
    pub fn matches(&self, name: &str) -> bool {
        let mut parts = self.0.split('*');
        let Some(first) = parts.next() else {
            return name.is_empty();
        };
        let Some(mut rest) = name.strip_prefix(first) else {
            return false;
        };
        let Some(last) = parts.next_back() else {
            return rest.is_empty();
        };
        for part in parts {
            match rest.find(part) {
                Some(at) => rest = &rest[at + part.len()..],
                None => return false,
            }
        }
        rest.ends_with(last)
    }
}

#[cfg(test)]
mod tests {
    use super::Pattern;

    #[test]
    fn a_star_is_any_text() {
        for (pattern, name, expected) in [
            ("com.acme.Orders", "com.acme.Orders", true),
            ("com.acme.Orders", "com.acme.Orders2", false),
            ("com.acme.*", "com.acme.pay.Cards", true),
            ("com.acme.*", "com.acme", false),
            ("*", "", true),
            ("*.Orders", "a.Orders", true),
            ("a*b*c", "a1b2c", true),
            ("a*b*c", "acb", false),
            ("ab*ba", "aba", false),
            ("", "", true),
            ("", "a", false),
        ] {
            assert_eq!(
                Pattern::from(pattern).matches(name),
                expected,
                "{pattern} {name}"
            );
        }
    }
}
