//! `30s`, `500ms`, `24h`, `1h30m`.

use std::time::Duration;

use serde::Deserialize;
use serde::de::Error as _;

/// A duration as people write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Written(pub(super) Duration);

impl<'de> Deserialize<'de> for Written {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        humantime::parse_duration(&text).map(Self).map_err(|error| {
            D::Error::custom(format!(
                "{text:?} is not a duration such as 500ms, 30s or 24h: {error}"
            ))
        })
    }
}
