//! YAML into types, and what is wrong with it in an operator's words.
//!
//! The reader's own texts speak to the programmer who calls it; those that an operator is likely to
//! meet are told otherwise here.

use serde::de::DeserializeOwned;
use serde_saphyr::{Error, Location, Spanned};

/// Longest text of an error: it may quote a value, and a value may be anything.
const LONGEST: usize = 600;

/// Texts of the reader's that say what it cannot do, and what there is to do.
const SAID_OTHERWISE: [(&str, &str); 5] = [
    (
        "expected mapping start",
        "expected `key: value` lines here, not a list, a single value or nothing; take the key away \
         where nothing is configured",
    ),
    (
        "expected sequence start",
        "expected a list here: `[…]`, or lines that begin with `- `",
    ),
    ("cannot deserialize null", "a value is missing here"),
    (
        "multiple YAML documents detected",
        "another document begins here (`---`); a configuration is one",
    ),
    (
        "recursion limit exceeded",
        "nested deeper than any configuration is",
    ),
];

/// Reads `text`; an error begins with `line:column: ` if it has a place.
pub(super) fn read<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_saphyr::from_str(text).map_err(|error| {
        let at = error.location().map_or_else(String::new, at);
        format!("{at}{}", words(&error))
    })
}

/// The place of a value in front of an error about it that shows only together with others.
pub(super) fn place<T>(value: &Spanned<T>) -> String {
    match value.referenced {
        Location::UNKNOWN => String::new(),
        location => at(location),
    }
}

fn at(location: Location) -> String {
    format!("{}:{}: ", location.line(), location.column())
}

/// The error itself, without the picture of the source and without the place, which stands in
/// front.
fn words(error: &Error) -> String {
    let text = error.without_snippet().to_string();
    let text = match text.rsplit_once(" at line ") {
        Some((message, _)) => message,
        None => &text,
    };
    if let Some(twice) = text.strip_prefix("duplicate mapping key: ") {
        let key = twice.split(", set ").next().unwrap_or(twice);
        return short(&format!("`{key}` is there twice; put both into one"));
    }
    let otherwise = SAID_OTHERWISE
        .iter()
        .find(|(said, _)| text.starts_with(said));
    short(otherwise.map_or(text, |(_, words)| words))
}

/// The text, or its beginning.
fn short(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}
