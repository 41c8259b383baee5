//! The reader of provider URLs. What it absorbs of the dialects stands at each function.

use std::net::IpAddr;
use std::sync::Arc;

use dubbo_codec::ServiceKey;

use super::{DEFAULT_WEIGHT, Host, Identity, Protocol, Provider, ProviderError, Reading};

/// Longest URL that is read, in bytes. Dubbo writes 400 to 700, with long method lists 2,000.
pub const MAX_URL: usize = 64 * 1024;

/// Schemes that Dubbo writes into registries and that name no provider.
const NOT_PROVIDERS: [&str; 7] = [
    "empty",
    "consumer",
    "override",
    "absent",
    "route",
    "condition",
    "admin",
];

/// Undoes `java.net.URLEncoder.encode(s, "UTF-8")`: `+` is a space, `%XX` a byte.
pub fn form_decode(name: &str) -> Result<String, ProviderError> {
    if name.len() > MAX_URL {
        return Err(ProviderError::TooLong(name.len()));
    }
    let bytes = name.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut done = 0;
    // Run by run, since there are many long names in a registry.
    for at in memchr::memchr2_iter(b'%', b'+', bytes) {
        decoded.extend_from_slice(&bytes[done..at]);
        done = at + 1;
        if bytes[at] == b'+' {
            decoded.push(b' ');
            continue;
        }
        let digit = |i: usize| bytes.get(i).and_then(|b| char::from(*b).to_digit(16));
        let (Some(high), Some(low)) = (digit(done), digit(done + 1)) else {
            return Err(ProviderError::BadEscape(at));
        };
        decoded.push((high * 16 + low) as u8);
        done += 2;
    }
    decoded.extend_from_slice(&bytes[done..]);
    String::from_utf8(decoded)
        .map_err(|error| ProviderError::NotUtf8(error.utf8_error().valid_up_to()))
}

impl Provider {
    /// Reads a decoded provider URL that stands in the directory of interface `directory`.
    pub fn parse(url: &str, directory: &str, reading: &Reading) -> Result<Self, ProviderError> {
        Self::from_url(&Url::split(url)?, Some(directory), reading)
    }

    /// Reads a decoded provider URL that stands in no directory: its `interface`, else its path,
    /// is the interface.
    pub fn parse_standalone(url: &str, reading: &Reading) -> Result<Self, ProviderError> {
        Self::from_url(&Url::split(url)?, None, reading)
    }

    fn from_url(
        url: &Url<'_>,
        directory: Option<&str>,
        reading: &Reading,
    ) -> Result<Self, ProviderError> {
        let parameters = Parameters::read(url.query, reading);
        let category = parameters.get(Key::Category).unwrap_or("providers");
        if category != "providers" {
            return Err(ProviderError::WrongCategory(category.into()));
        }
        let interface = interface_of(url, &parameters, directory)?;
        let (host, port) = host_and_port(url.authority)?;
        let text = |key| parameters.get(key).unwrap_or_default();
        let service = ServiceKey::new(interface, text(Key::Group), text(Key::Version))
            .map_err(|_| ProviderError::BadInterface(interface.into()))?;
        let path = if url.path == interface { "" } else { url.path };
        Ok(Self {
            id: Identity {
                service: Arc::new(service),
                protocol: Protocol::from(url.scheme),
                host,
                port,
                path: path.into(),
            },
            timestamp: text(Key::Timestamp).parse().unwrap_or(0),
            weight: weight_of(&parameters)?,
            enabled: parameters.get(Key::Enabled).is_none_or(is_true)
                && !parameters.get(Key::Disabled).is_some_and(is_true),
            also_speaks: parameters.get(Key::ExtProtocol).map(Protocol::from),
            application: text(Key::Application).into(),
            tag: text(Key::Tag).into(),
            labels: parameters.labels(reading),
        })
    }
}

/// A provider URL, cut into its parts; nothing of it is interpreted yet.
struct Url<'a> {
    scheme: &'a str,
    authority: &'a str,
    path: &'a str,
    query: &'a str,
}

impl<'a> Url<'a> {
    /// `scheme://[user:password@]authority/path?query`; a `#` ends the part before the query, as
    /// for Dubbo 2.7 and later.
    fn split(url: &'a str) -> Result<Self, ProviderError> {
        if url.len() > MAX_URL {
            return Err(ProviderError::TooLong(url.len()));
        }
        let (body, query) = url.split_once('?').unwrap_or((url, ""));
        let body = body.split_once('#').map_or(body, |(before, _)| before);
        let (scheme, rest) = body.split_once("://").ok_or(ProviderError::NoScheme)?;
        let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.' | b'_');
        if scheme.is_empty() || !scheme.bytes().all(legal) {
            return Err(ProviderError::NoScheme);
        }
        if NOT_PROVIDERS.iter().any(|s| s.eq_ignore_ascii_case(scheme)) {
            return Err(ProviderError::NotAProvider(scheme.into()));
        }
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let authority = authority
            .rsplit_once('@')
            .map_or(authority, |(_, host)| host);
        Ok(Self {
            scheme,
            authority,
            path,
            query,
        })
    }
}

/// The parameters that mean something to every provider.
#[derive(Clone, Copy)]
enum Key {
    Application,
    Category,
    Disabled,
    Enabled,
    ExtProtocol,
    Group,
    Interface,
    Tag,
    Timestamp,
    Version,
    Weight,
}

impl Key {
    const COUNT: usize = Self::Weight as usize + 1;

    fn of(name: &str) -> Option<Self> {
        Some(match name {
            "application" => Self::Application,
            "category" => Self::Category,
            "disabled" => Self::Disabled,
            "dubbo.tag" => Self::Tag,
            "enabled" => Self::Enabled,
            "ext.protocol" => Self::ExtProtocol,
            "group" => Self::Group,
            "interface" => Self::Interface,
            "timestamp" => Self::Timestamp,
            "version" => Self::Version,
            "weight" => Self::Weight,
            _ => return None,
        })
    }
}

/// The value of one parameter: its own, else that of `default.<name>`, where Dubbo 2.5 and 2.6
/// write what the provider's ProviderConfig says.
#[derive(Clone, Copy, Default)]
struct Value<'a> {
    own: &'a str,
    default: &'a str,
}

impl<'a> Value<'a> {
    /// Dubbo takes an empty value for none (`URL.getParameter`).
    fn get(self) -> Option<&'a str> {
        [self.own, self.default].into_iter().find(|v| !v.is_empty())
    }
}

/// What of a query is read, gathered in one pass: a registry has many long ones.
struct Parameters<'a> {
    known: [Value<'a>; Key::COUNT],
    /// As [`Reading::labels`].
    labels: Box<[Value<'a>]>,
}

impl<'a> Parameters<'a> {
    /// Pairs end at `&`, since 2.7 at `;` too. A value is not escaped, was trimmed by its writer,
    /// and holds all up to the next pair. Of two pairs with one name the later holds.
    fn read(query: &'a str, reading: &Reading) -> Self {
        let mut parameters = Self {
            known: [Value::default(); Key::COUNT],
            labels: vec![Value::default(); reading.labels.len()].into(),
        };
        for (name, value) in pairs(query).filter_map(|pair| pair.split_once('=')) {
            parameters.set(name, reading, |slot| slot.own = value);
            if let Some(name) = name.strip_prefix("default.") {
                parameters.set(name, reading, |slot| slot.default = value);
            }
        }
        parameters
    }

    fn set(&mut self, name: &str, reading: &Reading, put: impl Fn(&mut Value<'a>)) {
        if let Some(key) = Key::of(name) {
            put(&mut self.known[key as usize]);
        }
        for (label, slot) in reading.labels.iter().zip(&mut self.labels) {
            if **label == *name {
                put(slot);
            }
        }
    }

    fn get(&self, key: Key) -> Option<&'a str> {
        self.known[key as usize].get()
    }

    fn labels(&self, reading: &Reading) -> Box<[(Arc<str>, Arc<str>)]> {
        let pairs = reading.labels.iter().zip(&self.labels);
        pairs
            .filter_map(|(name, value)| Some((name.clone(), value.get()?.into())))
            .collect()
    }
}

/// Cuts at `&` and `;`.
pub(crate) fn pairs(query: &str) -> impl Iterator<Item = &str> {
    let ends = memchr::memchr2_iter(b'&', b';', query.as_bytes()).chain([query.len()]);
    let mut start = 0;
    ends.map(move |end| {
        let pair = &query[start..end];
        start = end + 1;
        pair
    })
}

/// As Dubbo reads a boolean: Java's `Boolean.parseBoolean`.
pub(crate) fn is_true(text: &str) -> bool {
    text.eq_ignore_ascii_case("true")
}

/// The interface: the `interface` parameter, else the directory, else the path. Simplified URLs
/// (2.7+) name it only where the path is another one.
fn interface_of<'a>(
    url: &Url<'a>,
    parameters: &Parameters<'a>,
    directory: Option<&'a str>,
) -> Result<&'a str, ProviderError> {
    let interface = match (parameters.get(Key::Interface), directory) {
        (Some(named), Some(directory)) if named != directory => {
            return Err(ProviderError::WrongDirectory {
                interface: named.into(),
                directory: directory.into(),
            });
        }
        (Some(named), _) => named,
        (None, Some(directory)) => directory,
        (None, None) => url.path,
    };
    let bad = |c: char| c.is_whitespace() || c.is_control();
    if interface.is_empty() || interface.contains(bad) {
        return Err(ProviderError::BadInterface(interface.into()));
    }
    Ok(interface)
}

/// 2.6 and 2.7 write IPv6 without brackets, so the port follows the last colon.
fn host_and_port(authority: &str) -> Result<(Host, u16), ProviderError> {
    let (host, port) = match authority
        .strip_prefix('[')
        .and_then(|rest| rest.split_once(']'))
    {
        Some((host, port)) => (host, port.strip_prefix(':').unwrap_or(port)),
        None => authority.rsplit_once(':').unwrap_or((authority, "")),
    };
    if host.is_empty() {
        return Err(ProviderError::NoHost);
    }
    if host.contains('%') {
        return Err(ProviderError::ScopeId(host.into()));
    }
    let host = host_of(host)?;
    let digits = port.bytes().all(|b| b.is_ascii_digit());
    match port.parse::<u16>() {
        Ok(number) if digits && number != 0 => Ok((host, number)),
        _ => Err(ProviderError::BadPort(port.into())),
    }
}

fn host_of(text: &str) -> Result<Host, ProviderError> {
    match text.parse::<IpAddr>().map(|ip| ip.to_canonical()) {
        Ok(ip) if !is_of_a_host(ip) => Err(ProviderError::NotAnAddressOfAHost(ip)),
        Ok(ip) => Ok(Host::Ip(ip)),
        Err(_) if is_host_name(text) => Ok(Host::Name(text.to_ascii_lowercase().into())),
        Err(_) => Err(ProviderError::BadHost(text.into())),
    }
}

/// Whether a host can have this address: not `0.0.0.0`, `::`, a multicast address or the broadcast
/// address. An IPv4 address in IPv6's clothes counts as what it is.
pub(crate) fn is_of_a_host(ip: IpAddr) -> bool {
    let ip = ip.to_canonical();
    let broadcast = matches!(ip, IpAddr::V4(ip) if ip.is_broadcast());
    !(ip.is_unspecified() || ip.is_multicast() || broadcast)
}

/// A DNS name, `_` allowed as resolvers do. The last label is not a number: that is an address
/// gone wrong (`10.0.0.300`).
fn is_host_name(text: &str) -> bool {
    let name = text.strip_suffix('.').unwrap_or(text);
    let label = |l: &str| {
        (1..=63).contains(&l.len())
            && l.bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    let last = name.rsplit('.').next().unwrap_or_default();
    name.len() <= 253 && name.split('.').all(label) && !last.bytes().all(|b| b.is_ascii_digit())
}

/// Dubbo reads the weight as a Java int; a negative one takes no calls
/// (`AbstractLoadBalance.getWeight`).
fn weight_of(parameters: &Parameters<'_>) -> Result<u32, ProviderError> {
    let Some(text) = parameters.get(Key::Weight) else {
        return Ok(DEFAULT_WEIGHT);
    };
    match text.parse::<i64>() {
        Ok(weight) => Ok(u32::try_from(weight.max(0)).unwrap_or(u32::MAX)),
        Err(_) => Err(ProviderError::BadWeight(text.into())),
    }
}
