//! Kubernetes label values out of whatever Dubbo lets people write.
//!
//! A subset selects by these, so two different originals must not become one label: what cannot
//! stand as it is gets the hash of the original, like the labels of a host name.

use std::borrow::Cow;

use xxhash_rust::xxh3::xxh3_64;

use super::validate::is_label_value;

/// Longest label value in Kubernetes; istiod does not look.
const MAX: usize = 63;

/// The label value for `original`: itself where it is one.
pub fn value(original: &str) -> Cow<'_, str> {
    if original.len() <= MAX && is_label_value(original) {
        return Cow::Borrowed(original);
    }
    let legal = |c: char| {
        if c.is_ascii_alphanumeric() || matches!(c, '.' | '_') {
            c
        } else {
            '-'
        }
    };
    let text: String = original.chars().map(legal).take(MAX - 9).collect();
    let text = text.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    let hash = xxh3_64(original.as_bytes()) as u32;
    let dash = if text.is_empty() { "x-" } else { "-" };
    Cow::Owned(format!("{text}{dash}{hash:08x}"))
}

#[cfg(test)]
mod tests {
    use super::{MAX, is_label_value, value};
    use proptest::prelude::*;

    #[test]
    fn a_legal_value_stays() {
        for legal in ["", "1.0.0", "gray", "a_b-c.d", &"x".repeat(63)] {
            assert_eq!(value(legal), legal);
        }
    }

    #[test]
    fn different_originals_stay_different() {
        let originals = [
            "a/b",
            "a,b",
            "a b",
            "a-b",
            "组",
            "組",
            "-",
            "_",
            &"x".repeat(64),
            &"x".repeat(65),
        ];
        let mut values: Vec<_> = originals.iter().map(|o| value(o)).collect();
        values.sort();
        values.dedup();
        assert_eq!(values.len(), originals.len());
    }

    proptest! {
        #[test]
        fn every_value_is_one_for_kubernetes(original in any::<String>()) {
            let value = value(&original);
            prop_assert!(value.len() <= MAX && is_label_value(&value), "{original:?} {value:?}");
        }
    }
}
