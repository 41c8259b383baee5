//! The text of a provider file. Pure.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::event::{ProviderList, Rejection};
use crate::provider::{Provider, Reading};

/// One list per interface, and one under the file's own name for what names no interface.
///
/// # Errors
/// Where the text is not a list of texts, with line and column.
pub(super) fn lists(
    text: &str,
    file: &str,
    reading: &Reading,
) -> Result<BTreeMap<Arc<str>, ProviderList>, String> {
    let urls = urls(text)?;
    let mut lists: BTreeMap<Arc<str>, ProviderList> = BTreeMap::new();
    for url in urls {
        let parsed = Provider::parse_standalone(url.trim(), reading);
        let name = parsed.as_ref().map_or(file, |p| p.id.service.interface());
        if !lists.contains_key(name) {
            let list = ProviderList {
                list: name.into(),
                providers: Vec::new(),
                rejected: Vec::new(),
            };
            lists.insert(list.list.clone(), list);
        }
        let Some(list) = lists.get_mut(name) else {
            continue;
        };
        match parsed {
            Ok(provider) => list.providers.push(Arc::new(provider)),
            Err(error) => list.rejected.push(Rejection::new(&url, error)),
        }
    }
    Ok(lists)
}

/// The URLs themselves.
///
/// # Errors
/// As [`lists`].
pub(super) fn urls(text: &str) -> Result<Vec<String>, String> {
    let Urls(urls) = serde_saphyr::from_str(text).map_err(|error| place(&error))?;
    Ok(urls)
}

fn place(error: &serde_saphyr::Error) -> String {
    let text = error.without_snippet().to_string();
    let (text, _) = text.rsplit_once(" at line ").unwrap_or((&text, ""));
    match error.location() {
        Some(at) => format!("line {}, column {}: {text}", at.line(), at.column()),
        None => text.to_owned(),
    }
}

/// A list of texts, at the top or under `providers`.
struct Urls(Vec<String>);

impl<'de> Deserialize<'de> for Urls {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(UrlsVisitor)
    }
}

struct UrlsVisitor;

impl<'de> Visitor<'de> for UrlsVisitor {
    type Value = Urls;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of provider URLs, `[]` for none")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Urls, A::Error> {
        let mut urls = Vec::new();
        while let Some(url) = list.next_element()? {
            urls.push(url);
        }
        Ok(Urls(urls))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Urls, A::Error> {
        let mut urls = None;
        while let Some(key) = map.next_key::<String>()? {
            if key != "providers" {
                return Err(A::Error::unknown_field(&key, &["providers"]));
            }
            urls = Some(map.next_value::<Vec<String>>()?);
        }
        urls.map(Urls)
            .ok_or_else(|| A::Error::missing_field("providers"))
    }
}
