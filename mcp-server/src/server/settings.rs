//! What an operator may choose about the server.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

use crate::session::Limits;

/// Limits are on what clients send and hold; what we send has none of ours.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `None`: plain text.
    pub tls: Option<TlsFiles>,
    /// Who may connect; empty: everybody who can reach the port.
    pub allow: Vec<IpNet>,
    /// Of each stream.
    pub session: Limits,
    /// Connections at one time; more are closed as they come.
    pub max_connections: usize,
    /// Connections that have not asked for anything yet; the oldest gives way to a newer one.
    pub max_silent_connections: usize,
    /// How long a connection may take for its handshakes and its first request.
    pub handshake_timeout: Duration,
    /// Streams at one time on one connection.
    pub max_streams: u32,
    /// Largest request message in bytes. istiod's have some hundred.
    pub max_request: usize,
    /// Largest set of request headers in bytes.
    pub max_headers: u32,
    /// Between HTTP/2 pings.
    pub keepalive: Duration,
    /// How long a ping may stay unanswered.
    pub keepalive_timeout: Duration,
    /// How long connections may take to end when the server stops.
    pub drain: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            tls: None,
            allow: Vec::new(),
            session: Limits::default(),
            max_connections: 1024,
            max_silent_connections: 128,
            handshake_timeout: Duration::from_secs(10),
            max_streams: 8,
            max_request: 256 * 1024,
            max_headers: 16 * 1024,
            keepalive: Duration::from_secs(30),
            keepalive_timeout: Duration::from_secs(10),
            drain: Duration::from_secs(5),
        }
    }
}

impl Settings {
    /// Whether this address may connect. A listener on `::` shows IPv4 peers as mapped addresses.
    pub(super) fn allows(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        self.allow.is_empty() || self.allow.iter().any(|net| net.contains(&peer))
    }
}

/// Where certificate and key are, as PEM. They are read again every `poll`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The chain, leaf first.
    pub certificate: PathBuf,
    /// The key of the leaf.
    pub key: PathBuf,
    /// Between two looks at the files.
    pub poll: Duration,
}

impl TlsFiles {
    /// These files, looked at every 5 seconds.
    pub fn new(certificate: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        Self {
            certificate: certificate.into(),
            key: key.into(),
            poll: Duration::from_secs(5),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_allowed_in_either_notation() {
        let allow = ["10.0.0.0/8", "fd00::/8"].map(|net| net.parse().unwrap());
        let some = Settings {
            allow: allow.into(),
            ..Settings::default()
        };
        for (peer, allowed) in [
            ("10.1.2.3", true),
            ("::ffff:10.1.2.3", true),
            ("11.1.2.3", false),
            ("::ffff:11.1.2.3", false),
            ("fd12::1", true),
            ("fe80::1", false),
        ] {
            assert_eq!(some.allows(peer.parse().unwrap()), allowed, "{peer}");
            assert!(Settings::default().allows(peer.parse().unwrap()), "{peer}");
        }
    }
}
