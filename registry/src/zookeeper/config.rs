//! A ZooKeeper registry as its URL describes it. Pure: files that are named here are read when a
//! connection is made, so that a renewed password or certificate needs no restart.
//!
//! Dubbo's own forms are read too: `?backup=` for further hosts, `?group=` for the root,
//! `?username=&password=`.

use std::fmt;
use std::net::Ipv6Addr;
use std::path::PathBuf;
use std::time::Duration;

use crate::event::SourceId;
use crate::source::{DURATION, Parameters, SourceError, duration, percent_decode};
use crate::zookeeper::path::Root;

/// ZooKeeper's port where none is given.
const PORT: u16 = 2181;
/// Dubbo's root where none is given (`ZookeeperRegistry.DEFAULT_ROOT`).
const ROOT: &str = "/dubbo";
/// Within what servers grant by default (2 to 20 ticks of 2 s), and above a long pause of theirs.
const SESSION_TIMEOUT: Duration = Duration::from_secs(30);
/// What servers withhold is found after at most this.
const AUDIT_INTERVAL: Duration = Duration::from_secs(60);

const PARAMETERS: &[&str] = &[
    "audit-interval",
    "backup",
    "ca-file",
    "cert-file",
    "empty-root",
    "group",
    "key-file",
    "password",
    "password-file",
    "session-timeout",
    "tls",
    "username",
];

/// Which ZooKeeper to read, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The servers, in the order given; at least one.
    pub hosts: Vec<Address>,
    /// Dubbo's root.
    pub root: Root,
    /// For digest authentication: what Dubbo 3 gives its nodes away to.
    pub credentials: Option<Credentials>,
    /// Speak TLS.
    pub tls: Option<Tls>,
    /// Asked of the server, which may grant another one.
    pub session_timeout: Duration,
    /// How often every directory's state is compared with what was read of it.
    pub audit_interval: Duration,
    /// An empty or missing root is a registry without services, not a mistake.
    pub empty_root_allowed: bool,
}

/// One server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// Host name or address, without brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
}

/// Who we say that we are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// The user.
    pub user: String,
    /// Where the password is.
    pub password: Password,
}

/// A password, or the file that holds it. Its `Debug` form does not show it.
#[derive(Clone, PartialEq, Eq)]
pub enum Password {
    /// The password.
    Text(String),
    /// The file; white space at its end does not count.
    File(PathBuf),
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(_) => f.write_str("Text(…)"),
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
        }
    }
}

/// How to speak TLS; all files are PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// Authorities that a server's certificate must come from.
    pub ca_file: PathBuf,
    /// Our certificate and its key, where the server asks for one.
    pub identity: Option<(PathBuf, PathBuf)>,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl Config {
    /// The URL without credentials and parameters: all hosts with their ports, and the root.
    pub fn id(&self) -> SourceId {
        let hosts: Vec<String> = self.hosts.iter().map(Address::to_string).collect();
        SourceId(format!("zookeeper://{}{}", hosts.join(","), self.root).into())
    }

    /// Reads what follows `zookeeper:`.
    pub(crate) fn from_rest(rest: &str) -> Result<Self, SourceError> {
        let rest = rest.strip_prefix("//").ok_or(SourceError::NoHost)?;
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        if path.contains('@') || query.split('&').any(has_at_in_name) {
            // A password with a raw slash or question mark: no message may show a piece of it.
            return Err(SourceError::BadEscape("user and password".into()));
        }
        let parameters = Parameters::read(query, PARAMETERS)?;
        let (user_info, hosts) = match authority.rsplit_once('@') {
            Some((user_info, hosts)) => (Some(user_info), hosts),
            None => (None, authority),
        };
        let allowed = |text: &str| match text {
            "allowed" => Some(true),
            "refused" => Some(false),
            _ => None,
        };
        Ok(Self {
            hosts: hosts_of(hosts, &parameters)?,
            root: root_of(path, &parameters)?,
            credentials: credentials_of(user_info, &parameters)?,
            tls: tls_of(&parameters)?,
            session_timeout: parameters
                .get_as("session-timeout", DURATION, duration)?
                .unwrap_or(SESSION_TIMEOUT),
            audit_interval: parameters
                .get_as("audit-interval", DURATION, duration)?
                .unwrap_or(AUDIT_INTERVAL),
            empty_root_allowed: parameters
                .get_as("empty-root", "allowed or refused", allowed)?
                .unwrap_or(false),
        })
    }
}

fn has_at_in_name(pair: &str) -> bool {
    pair.split('=')
        .next()
        .is_some_and(|name| name.contains('@'))
}

fn hosts_of(authority: &str, parameters: &Parameters) -> Result<Vec<Address>, SourceError> {
    if authority.is_empty() {
        return Err(SourceError::NoHost);
    }
    let backup = parameters.get("backup").into_iter();
    let all = backup.flat_map(|hosts| hosts.split(','));
    authority.split(',').chain(all).map(address).collect()
}

fn address(text: &str) -> Result<Address, SourceError> {
    let bad_host = || SourceError::BadHost(text.into());
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, after) = rest.split_once(']').ok_or_else(bad_host)?;
            host.parse::<Ipv6Addr>().map_err(|_| bad_host())?;
            match after.strip_prefix(':') {
                Some(port) => (host, Some(port)),
                None if after.is_empty() => (host, None),
                None => return Err(bad_host()),
            }
        }
        None => {
            let (host, port) = text
                .split_once(':')
                .map_or((text, None), |(h, p)| (h, Some(p)));
            let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
            if host.is_empty() || host.len() > 253 || !host.bytes().all(legal) {
                return Err(bad_host());
            }
            (host, port)
        }
    };
    let port = match port {
        None => PORT,
        Some(text) => match text.parse() {
            Ok(port) if port != 0 => port,
            _ => return Err(SourceError::BadPort(host.into())),
        },
    };
    Ok(Address {
        host: host.to_owned(),
        port,
    })
}

/// Dubbo puts a slash before `group` where it has none (`ZookeeperRegistry`).
fn root_of(path: &str, parameters: &Parameters) -> Result<Root, SourceError> {
    let path = percent_decode(path, "root")?;
    match (path.as_str(), parameters.get("group")) {
        ("", None) => Root::new(ROOT),
        ("", Some(group)) if group.starts_with('/') => Root::new(group),
        ("", Some(group)) => Root::new(&format!("/{group}")),
        (path, None) => Root::new(&format!("/{path}")),
        (_, Some(_)) => Err(SourceError::Conflict("the path", "group")),
    }
}

fn credentials_of(
    user_info: Option<&str>,
    parameters: &Parameters,
) -> Result<Option<Credentials>, SourceError> {
    let (user, in_url) = match user_info {
        Some(info) => {
            let (user, password) = info.split_once(':').unwrap_or((info, ""));
            let decode = |text| percent_decode(text, "user and password");
            (decode(user)?, decode(password)?)
        }
        None => Default::default(),
    };
    let user = match (user.as_str(), parameters.get("username")) {
        ("", name) => name.unwrap_or_default().to_owned(),
        (_, Some(_)) => return Err(SourceError::Conflict("the user before @", "username")),
        (_, None) => user,
    };
    let file = parameters.get("password-file");
    let password = match (in_url.as_str(), parameters.get("password"), file) {
        ("", None, Some(file)) => Password::File(file.into()),
        ("", Some(password), None) => Password::Text(password.to_owned()),
        ("", None, None) => Password::Text(String::new()),
        ("", Some(_), Some(_)) => return Err(SourceError::Conflict("password", "password-file")),
        (_, None, None) => Password::Text(in_url),
        _ => {
            return Err(SourceError::Conflict(
                "the password before @",
                "password or password-file",
            ));
        }
    };
    let given = password != Password::Text(String::new());
    match (user.is_empty(), given) {
        (true, false) => Ok(None),
        (true, true) => Err(SourceError::Needs("the password", "a user")),
        (false, false) => Err(SourceError::Needs("the user", "a password")),
        (false, true) => Ok(Some(Credentials { user, password })),
    }
}

fn tls_of(parameters: &Parameters) -> Result<Option<Tls>, SourceError> {
    let wanted = parameters
        .get_as("tls", "true or false", |text| text.parse().ok())?
        .unwrap_or(false);
    let file = |name| parameters.get(name).map(PathBuf::from);
    let identity = match (file("cert-file"), file("key-file")) {
        (None, None) => None,
        (Some(cert), Some(key)) => Some((cert, key)),
        (Some(_), None) => return Err(SourceError::Needs("cert-file", "key-file")),
        (None, Some(_)) => return Err(SourceError::Needs("key-file", "cert-file")),
    };
    match (wanted, file("ca-file")) {
        (true, Some(ca_file)) => Ok(Some(Tls { ca_file, identity })),
        (true, None) => Err(SourceError::Needs("tls=true", "ca-file")),
        (false, Some(_)) => Err(SourceError::Needs("ca-file", "tls=true")),
        (false, None) if identity.is_some() => Err(SourceError::Needs("cert-file", "tls=true")),
        (false, None) => Ok(None),
    }
}
