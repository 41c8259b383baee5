//! The identity of a Dubbo service and the one name it has on the mesh.
//!
//! The picture is at [`ServiceKey`].
//!
//! The adapter writes `host()` into ServiceEntry.hosts and the filter sends it as `:authority`, so
//! it is formed here and nowhere else; `fixtures/service-hosts.tsv` holds both sides to it.
//! A label that cannot carry the original exactly ends in `-` and eight hex digits of a hash of the
//! original, so two different services never share a host by being made legal.

use alloc::string::String;
use core::fmt;
use core::str::FromStr;

/// Last label of every host: the domain of Dubbo services on the mesh.
const DOMAIN: &str = "dubbo";
/// Longest DNS label, RFC 1035 section 2.3.4.
const MAX_LABEL: usize = 63;
/// Longest host that istiod's `ValidateFQDN` and DNS accept.
const MAX_HOST: usize = 253;
/// `-` and eight hex digits.
const HASH_LEN: usize = 9;

/// Interface, group and version: what Dubbo calls the service key.
///
/// ```text
/// interface com.acme.Orders, group gray, version 1.0.0
///   Display  gray/com.acme.Orders:1.0.0                      Dubbo's own form
///   host()   v1-0-0.g-gray.com.acme.orders.dubbo             ServiceEntry.hosts and :authority
/// ```
///
/// The empty group and the versions `""` and `0.0.0` mean "none", as they do to Dubbo; the
/// constructor normalises both to `""`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceKey {
    interface: String,
    group: String,
    version: String,
}

/// Why a text is not a service key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServiceKeyError {
    /// The interface is empty.
    EmptyInterface,
}

impl fmt::Display for ServiceKeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EmptyInterface => f.write_str("the interface name is empty"),
        }
    }
}

impl core::error::Error for ServiceKeyError {}

impl ServiceKey {
    /// A key of its three parts. Fails on an empty interface only: Dubbo puts no limit on the
    /// characters, and [`host`](Self::host) copes with all of them.
    pub fn new(interface: &str, group: &str, version: &str) -> Result<Self, ServiceKeyError> {
        if interface.is_empty() {
            return Err(ServiceKeyError::EmptyInterface);
        }
        Ok(Self {
            interface: interface.into(),
            group: group.into(),
            version: if version == "0.0.0" {
                String::new()
            } else {
                version.into()
            },
        })
    }

    /// Fully qualified Java name of the interface.
    pub fn interface(&self) -> &str {
        &self.interface
    }

    /// Group, empty for none.
    pub fn group(&self) -> &str {
        &self.group
    }

    /// Version, empty for none (and for `0.0.0`).
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The name of this service on the mesh: `[v<version>.][g-<group>.]<interface>.dubbo`.
    ///
    /// Always a lower-case DNS name of at most 253 bytes whose labels are at most 63 bytes. Two
    /// keys have one host only if they differ by what the name does not carry: see the module.
    pub fn host(&self) -> String {
        let mut host = String::with_capacity(self.interface.len() + self.version.len() + 32);
        if !self.version.is_empty() {
            push_qualifier(&mut host, "v", &self.version);
            host.push('.');
        }
        if !self.group.is_empty() {
            push_qualifier(&mut host, "g-", &self.group);
            host.push('.');
        }
        push_interface(&mut host, &self.interface);
        host.push('.');
        host.push_str(DOMAIN);
        if host.len() > MAX_HOST {
            self.shortened(&host)
        } else {
            host
        }
    }

    /// A host that is too long keeps its tail (the interface's own name) behind a first label that
    /// is the hash of the whole key.
    fn shortened(&self, host: &str) -> String {
        let hash = fnv1a(&[&self.interface, "\0", &self.group, "\0", &self.version]);
        let room = MAX_HOST - (1 + HASH_LEN + 1);
        let mut from = host.len() - room;
        while from < host.len() && !host.as_bytes()[from].is_ascii_alphanumeric() {
            from += 1;
        }
        let mut short = String::with_capacity(MAX_HOST);
        short.push_str("h-");
        push_hash(&mut short, hash);
        short.push('.');
        short.push_str(&host[from..]);
        short
    }
}

impl fmt::Display for ServiceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.group.is_empty() {
            write!(f, "{}/", self.group)?;
        }
        f.write_str(&self.interface)?;
        if !self.version.is_empty() {
            write!(f, ":{}", self.version)?;
        }
        Ok(())
    }
}

impl FromStr for ServiceKey {
    type Err = ServiceKeyError;

    /// Reads Dubbo's form, `[group/]interface[:version]`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (group, rest) = text.split_once('/').unwrap_or(("", text));
        let (interface, version) = rest.split_once(':').unwrap_or((rest, ""));
        Self::new(interface, group, version)
    }
}

/// A version or group as one label: `.` becomes `-`; anything else that the label cannot carry
/// (a literal `-` included, since `.` maps to it) is replaced and the label gets a hash.
fn push_qualifier(host: &mut String, prefix: &str, original: &str) {
    let start = host.len();
    host.push_str(prefix);
    let mut exact = true;
    for c in original.chars() {
        match c {
            'a'..='z' | '0'..='9' => host.push(c),
            '.' => host.push('-'),
            'A'..='Z' => {
                exact = false;
                host.push(c.to_ascii_lowercase());
            }
            _ => {
                exact = false;
                host.push('-');
            }
        }
    }
    finish_label(host, start, exact, original);
}

/// The interface label by label; its dots stay dots, upper case becomes lower case.
fn push_interface(host: &mut String, interface: &str) {
    for (i, label) in interface.split('.').enumerate() {
        if i > 0 {
            host.push('.');
        }
        let start = host.len();
        let mut exact = true;
        for c in label.chars() {
            match c {
                'a'..='z' | '0'..='9' => host.push(c),
                'A'..='Z' => host.push(c.to_ascii_lowercase()),
                _ => {
                    exact = false;
                    host.push('-');
                }
            }
        }
        finish_label(host, start, exact, label);
    }
}

/// Makes the label that begins at `start` a legal one, with a hash of `original` if it is not exact.
fn finish_label(host: &mut String, start: usize, exact: bool, original: &str) {
    let label = &host[start..];
    if exact && !label.is_empty() && label.len() <= MAX_LABEL && !label.ends_with('-') {
        return;
    }
    host.truncate(host.len().min(start + MAX_LABEL - HASH_LEN));
    while host.len() > start && host.ends_with('-') {
        host.pop();
    }
    while host[start..].starts_with('-') {
        host.remove(start);
    }
    if host.len() == start {
        host.push('x');
    }
    host.push('-');
    push_hash(host, fnv1a(&[original]));
}

fn push_hash(host: &mut String, hash: u32) {
    for shift in (0..8).rev() {
        let digit = (hash >> (shift * 4)) & 0xf;
        host.push(char::from_digit(digit, 16).unwrap_or('0'));
    }
}

/// FNV-1a, 32 bits: published, stable for ever, and four lines long. It names, it does not protect.
fn fnv1a(parts: &[&str]) -> u32 {
    let bytes = parts.iter().flat_map(|part| part.bytes());
    bytes.fold(0x811c_9dc5, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    })
}
