//! Where istiod connects, and who may.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use dubbo_registry::workload::nets;
use ipnet::IpNet;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

/// Where istiod connects where nothing else is said: loopback, the port that configuration sources
/// of istiod have by custom.
pub(super) const DEFAULT_LISTEN: SocketAddr =
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 18848);

/// The port that istiod connects to. Who can pose as this server owns the mesh, so plain text is
/// for loopback unless somebody says otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Written")]
pub struct Listen {
    /// The address.
    pub address: SocketAddr,
    /// With TLS.
    pub tls: Option<Tls>,
    /// Plain text is allowed anywhere.
    pub insecure: bool,
    /// Who may connect; anybody where there are none.
    pub clients: Vec<IpNet>,
}

/// Certificate and key, read again when the files change.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// PEM file of the certificate and its chain.
    pub certificate: PathBuf,
    /// PEM file of its key.
    pub key: PathBuf,
}

/// The section `listen`, as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default = "default_listen", deserialize_with = "address")]
    address: SocketAddr,
    tls: Option<Tls>,
    #[serde(default)]
    insecure: bool,
    #[serde(default, deserialize_with = "nets")]
    clients: Vec<IpNet>,
}

impl Listen {
    /// Refuses plain text beyond loopback unless `insecure`.
    pub fn new(
        address: SocketAddr,
        tls: Option<Tls>,
        insecure: bool,
        clients: Vec<IpNet>,
    ) -> Result<Self, String> {
        if !address.ip().is_loopback() && tls.is_none() && !insecure {
            return Err(format!(
                "listening on {address} without TLS: whoever can pose as this server owns the mesh. \
                 Give a certificate and a key (tls), listen on 127.0.0.1 beside istiod, or say \
                 insecure"
            ));
        }
        Ok(Self {
            address,
            tls,
            insecure,
            clients,
        })
    }
}

impl Default for Listen {
    fn default() -> Self {
        Self {
            address: DEFAULT_LISTEN,
            tls: None,
            insecure: false,
            clients: Vec::new(),
        }
    }
}

impl TryFrom<Written> for Listen {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        Self::new(
            written.address,
            written.tls,
            written.insecure,
            written.clients,
        )
    }
}

fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(|_| {
        D::Error::custom(format!(
            "{text:?} is no address with a port such as {DEFAULT_LISTEN}; names are not looked up"
        ))
    })
}

pub(super) fn address_if_any<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<SocketAddr>, D::Error> {
    address(deserializer).map(Some)
}

fn default_listen() -> SocketAddr {
    DEFAULT_LISTEN
}
