//! Where a registry is: `--registry URL`, read once into types.
//!
//! ```text
//! zookeeper://[user[:password]@]host[:port][,host[:port]…][/root][?name=value&…]
//! file:PATH
//! ```
//!
//! Owns the URL; what its parts mean is each source's own (`zookeeper::Config`, `file::Config`).
//! Knows nothing of connections. Every part is percent-decoded once, so that a password may hold
//! any character.

#[cfg(test)]
mod tests;

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::Deserialize;

use crate::event::SourceId;
use crate::provider::form_decode;
use crate::{file, zookeeper};

/// A registry to read.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum SourceConfig {
    /// `zookeeper://…`
    Zookeeper(zookeeper::Config),
    /// `file:…`
    File(file::Config),
}

impl SourceConfig {
    /// The name of this registry: its URL without credentials and parameters.
    pub fn id(&self) -> SourceId {
        match self {
            Self::Zookeeper(config) => config.id(),
            Self::File(config) => config.id(),
        }
    }
}

impl FromStr for SourceConfig {
    type Err = SourceError;

    fn from_str(url: &str) -> Result<Self, SourceError> {
        match url.split_once(':') {
            Some(("zookeeper", rest)) => zookeeper::Config::from_rest(rest).map(Self::Zookeeper),
            Some(("file", rest)) => file::Config::from_rest(rest).map(Self::File),
            Some((scheme, _)) => Err(SourceError::UnknownScheme(scheme.into())),
            None => Err(SourceError::NoScheme),
        }
    }
}

impl TryFrom<String> for SourceConfig {
    type Error = SourceError;

    fn try_from(url: String) -> Result<Self, SourceError> {
        url.parse()
    }
}

/// Why a text is not the URL of a registry. Never shows credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SourceError {
    /// No `scheme:`.
    NoScheme,
    /// Neither `zookeeper` nor `file`.
    UnknownScheme(Box<str>),
    /// `zookeeper:` without `//`, or no host after it.
    NoHost,
    /// Not a host name and not an address.
    BadHost(Box<str>),
    /// What follows the host and a colon is not a port from 1 to 65535. Only the host is kept: it may
    /// be a user, and what follows the password, where somebody forgot the `@`.
    BadPort(Box<str>),
    /// The root is no path of ZooKeeper.
    BadRoot(Box<str>),
    /// `%` without two hex digits, or no UTF-8, in the named part.
    BadEscape(Box<str>),
    /// A parameter that nobody reads.
    UnknownParameter {
        /// The parameter.
        name: Box<str>,
        /// Those that are read.
        known: &'static [&'static str],
    },
    /// A parameter that has a value already.
    Twice(Box<str>),
    /// A value that the parameter cannot have.
    BadValue {
        /// The parameter.
        name: Box<str>,
        /// What it can have.
        expected: &'static str,
    },
    /// Two ways of saying one thing.
    Conflict(&'static str, &'static str),
    /// The first needs the second.
    Needs(&'static str, &'static str),
    /// `file:` without a path.
    NoPath,
}

impl fmt::Display for SourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoScheme => {
                f.write_str("not the URL of a registry: zookeeper://host:2181/root or file:PATH")
            }
            Self::UnknownScheme(scheme) => {
                write!(f, "unknown registry {scheme:?}; known: zookeeper, file")
            }
            Self::NoHost => f.write_str("no host: zookeeper://host:2181/root"),
            Self::BadHost(host) => write!(
                f,
                "host {host:?} is neither a host name nor an address (IPv6 in brackets)"
            ),
            Self::BadPort(host) => {
                write!(
                    f,
                    "what follows {host}: is not a port, a number from 1 to 65535"
                )
            }
            Self::BadRoot(root) => write!(f, "root {root:?} is not a path of ZooKeeper"),
            Self::BadEscape(part) => {
                write!(f, "{part}: % without two hex digits, or not UTF-8")
            }
            Self::UnknownParameter { name, known } => {
                write!(f, "unknown parameter {name:?}; known: {}", known.join(", "))
            }
            Self::Twice(name) => write!(f, "parameter {name} is given twice"),
            Self::BadValue { name, expected } => {
                write!(f, "parameter {name} must be {expected}")
            }
            Self::Conflict(one, other) => write!(f, "{one} and {other} say the same; give one"),
            Self::Needs(one, other) => write!(f, "{one} needs {other}"),
            Self::NoPath => f.write_str("no path: file:PATH"),
        }
    }
}

impl std::error::Error for SourceError {}

/// Undoes percent-encoding. `+` is itself: these are not forms.
pub(crate) fn percent_decode(text: &str, part: &str) -> Result<String, SourceError> {
    form_decode(&text.replace('+', "%2B")).map_err(|_| SourceError::BadEscape(part.into()))
}

/// The parameters of a URL, to be taken one by one.
pub(crate) struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// Splits and decodes a query. All names must be among `known`, each at most once.
    pub(crate) fn read(query: &str, known: &'static [&'static str]) -> Result<Self, SourceError> {
        let mut read: Vec<(String, String)> = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            if !known.contains(&name) {
                let name = name.into();
                return Err(SourceError::UnknownParameter { name, known });
            }
            if read.iter().any(|(before, _)| before == name) {
                return Err(SourceError::Twice(name.into()));
            }
            read.push((name.to_owned(), percent_decode(value, name)?));
        }
        Ok(Self(read))
    }

    /// The value of `name`; an empty one is none.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known == name);
        found
            .map(|(_, value)| value.as_str())
            .filter(|v| !v.is_empty())
    }

    /// The value of `name` as `read` understands it.
    pub(crate) fn get_as<T>(
        &self,
        name: &str,
        expected: &'static str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, SourceError> {
        let bad = || SourceError::BadValue {
            name: name.into(),
            expected,
        };
        self.get(name)
            .map(|text| read(text).ok_or_else(bad))
            .transpose()
    }
}

/// What [`duration`] reads, in words.
pub(crate) const DURATION: &str = "a duration such as 500ms, 30s or 2m, of 20 days at most";

/// ZooKeeper counts in milliseconds of 31 bits.
const LONGEST: Duration = Duration::from_secs(20 * 24 * 3600);

/// A duration as people write it; not zero.
pub(crate) fn duration(text: &str) -> Option<Duration> {
    let duration = humantime::parse_duration(text).ok()?;
    (!duration.is_zero() && duration <= LONGEST).then_some(duration)
}
