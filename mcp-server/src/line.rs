//! Text of strangers on one line.
//!
//! Whoever writes to a registry chooses what stands in our reports. It may neither look like a line
//! of ours nor steer the terminal of whoever reads it.

use std::fmt::Display;

/// The text with everything escaped that is not shown, or shown elsewhere than where it stands.
pub(crate) fn one_line(text: impl Display) -> String {
    let text = text.to_string();
    if !text.contains(is_unseen) {
        return text;
    }
    let mut line = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_unseen(c) {
            line.extend(c.escape_default());
        } else {
            line.push(c);
        }
    }
    line
}

/// Control characters, line and paragraph separators, and what turns the direction of writing.
pub(crate) fn is_unseen(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::one_line;

    #[test]
    fn what_is_not_seen_is_escaped_and_the_rest_stays() {
        for (text, line) in [
            (
                "dubbo://10.0.0.1:20880/com.acme.组",
                "dubbo://10.0.0.1:20880/com.acme.组",
            ),
            ("a\n2026 INFO b", "a\\n2026 INFO b"),
            ("\u{1b}[31m\u{85}\u{202e}", "\\u{1b}[31m\\u{85}\\u{202e}"),
        ] {
            assert_eq!(one_line(text), line);
        }
    }
}
