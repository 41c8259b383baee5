//! `30s`, `500ms`, `24h`, `1h30m`.

use std::time::Duration;

use serde::Deserialize;
use serde::de::Error as _;

/// Longer ones could not be added to the time of a clock.
const LONGEST: Duration = Duration::from_secs(100 * 366 * 24 * 3600);

/// Reads a duration as people write it.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let bad = |why: &dyn std::fmt::Display| {
        format!("{text:?} is not a duration such as 500ms, 30s or 24h: {why}")
    };
    match humantime::parse_duration(text) {
        Ok(duration) if duration <= LONGEST => Ok(duration),
        Ok(_) => Err(bad(&"more than 100 years")),
        Err(error) => Err(bad(&error)),
    }
}

/// A duration as people write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Written(pub(super) Duration);

impl<'de> Deserialize<'de> for Written {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        parse(&text).map(Self).map_err(D::Error::custom)
    }
}
