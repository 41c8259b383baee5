//! Dubbo's tree in ZooKeeper, and what of it concerns us. Pure.
//!
//! ```text
//! /root/of/any/depth
//!   └ <encoded interface>          a "directory" here: the name as ZooKeeper has it
//!       ├ providers
//!       │   └ <encoded URL>        everything is in the name; its data means nothing
//!       └ consumers, configurators, routers         not read
//! ```
//! (`ZookeeperRegistry.toUrlPath` and the like, the same from 2.5 to 3.3.)

use std::fmt;
use std::sync::Arc;

use crate::provider::form_decode;
use crate::source::SourceError;

/// Children of the root that Dubbo keeps beside the interfaces.
const NOT_INTERFACES: [&str; 3] = ["config", "mapping", "metadata"];

/// The path under which Dubbo's interfaces stand: `/dubbo`, `/estate/a`, or `/`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Root(Arc<str>);

/// A node that we care for. Names are as ZooKeeper has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place<'p> {
    /// The root.
    Root,
    /// A child of the root, usually an interface.
    Interface(&'p str),
    /// The `providers` of an interface.
    Providers(&'p str),
    /// One provider.
    Provider {
        /// The interface.
        directory: &'p str,
        /// The encoded URL.
        node: &'p str,
    },
}

impl Root {
    /// A root of any depth; slashes at its end do not count. The rules are those of ZooKeeper's
    /// `PathUtils.validatePath`.
    pub fn new(path: &str) -> Result<Self, SourceError> {
        let bad = || SourceError::BadRoot(path.into());
        let trimmed = path.trim_end_matches('/');
        if trimmed.is_empty() {
            return if path.is_empty() {
                Err(bad())
            } else {
                Ok(Self("/".into()))
            };
        }
        let steps = trimmed.strip_prefix('/').ok_or_else(bad)?;
        let legal = |step: &str| !matches!(step, "" | "." | "..") && !step.contains(forbidden);
        if steps.split('/').all(legal) {
            Ok(Self(trimmed.into()))
        } else {
            Err(bad())
        }
    }

    /// The path, without a slash at its end unless it is `/`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The path of an interface's providers.
    pub(super) fn providers(&self, directory: &str) -> String {
        format!("{}/{directory}/providers", self.0.trim_end_matches('/'))
    }

    /// Where `path` is; none for what does not concern us.
    pub(super) fn place<'p>(&self, path: &'p str) -> Option<Place<'p>> {
        if path == &*self.0 {
            return Some(Place::Root);
        }
        let below = path.strip_prefix(self.0.trim_end_matches('/'))?;
        let mut steps = below.strip_prefix('/')?.splitn(3, '/');
        let directory = steps.next().filter(|name| self.may_be_interface(name))?;
        match (steps.next(), steps.next()) {
            (None, _) => Some(Place::Interface(directory)),
            (Some("providers"), None) => Some(Place::Providers(directory)),
            (Some("providers"), Some(node)) if !node.contains('/') => {
                Some(Place::Provider { directory, node })
            }
            _ => None,
        }
    }

    /// Whether a child of the root can be an interface.
    pub(super) fn may_be_interface(&self, name: &str) -> bool {
        let system = &*self.0 == "/" && name == "zookeeper";
        !name.is_empty() && !NOT_INTERFACES.contains(&name) && !system
    }
}

impl fmt::Display for Root {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What no node's name can hold.
fn forbidden(c: char) -> bool {
    matches!(c, '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{e000}'..='\u{f8ff}' | '\u{fff0}'..='\u{ffff}')
}

/// The interface that a directory stands for. A name that is not encoded as Dubbo encodes stays
/// as it is, so that two directories never have one name.
pub(super) fn interface_of(directory: &str) -> String {
    match form_decode(directory) {
        Ok(decoded) if form_encode(&decoded) == directory => decoded,
        _ => directory.to_owned(),
    }
}

/// `java.net.URLEncoder.encode(s, "UTF-8")`.
fn form_encode(text: &str) -> String {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'*' | b'_' => {
                encoded.push(char::from(byte));
            }
            b' ' => encoded.push('+'),
            _ => {
                encoded.push('%');
                encoded.push(char::from(DIGITS[usize::from(byte >> 4)]));
                encoded.push(char::from(DIGITS[usize::from(byte & 15)]));
            }
        }
    }
    encoded
}
