//! The roads that a call can take. Pure.
//!
//! ```text
//! caller ─→ [ caller's Envoy ─→ [ provider's Envoy ─→ ]] provider
//!            port 210xx            port 220xx            20900 Dubbo, 20901 HTTP/2
//! ```

use std::net::SocketAddr;

use clap::ValueEnum;

use crate::provider::{self, at};

/// One road. All listeners of one side are in the same Envoy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, ValueEnum)]
pub(crate) enum Path {
    /// No proxy at all
    Direct,
    /// Envoy's plain TCP proxy
    TcpProxy,
    /// The same behind `dubbo_observe`
    Observe,
    /// Envoy's own Dubbo proxy
    DubboProxy,
    /// Envoy's own generic proxy with its Dubbo codec
    GenericProxy,
    /// The call as plain HTTP/2, from the caller to the provider: the reference
    Http2,
    /// Ours at the caller: network filter and transport socket
    Socket,
    /// Ours at the caller: network filter and bridge
    Bridge,
    /// Ours in both sidecars, Dubbo between them
    Both,
    /// Ours in both sidecars, HTTP/2 between them
    BothHttp2,
    /// Ours in both sidecars, Dubbo in mutual TLS between them
    BothMtls,
    /// Ours in both sidecars, HTTP/2 in mutual TLS between them
    BothHttp2Mtls,
    /// Two plain TCP proxies
    TcpSidecars,
    /// Two of Envoy's own Dubbo proxies
    DubboSidecars,
}

/// The table of the filter, in its order.
pub(crate) const FILTER: [Path; 10] = [
    Path::Direct,
    Path::TcpProxy,
    Path::Observe,
    Path::DubboProxy,
    Path::GenericProxy,
    Path::Http2,
    Path::Socket,
    Path::Bridge,
    Path::Both,
    Path::BothHttp2,
];

/// The table of the whole road, in its order.
pub(crate) const ROAD: [Path; 8] = [
    Path::Direct,
    Path::TcpSidecars,
    Path::DubboSidecars,
    Path::Bridge,
    Path::Both,
    Path::BothMtls,
    Path::BothHttp2,
    Path::BothHttp2Mtls,
];

impl Path {
    /// In the tables and for `--rows`.
    pub(crate) fn name(self) -> String {
        let value = self.to_possible_value().expect("none is hidden");
        value.get_name().to_owned()
    }

    /// Where the caller connects to.
    pub(crate) fn entry(self) -> SocketAddr {
        match self {
            Self::Direct => provider::DUBBO,
            _ => at(21000 + self as u16),
        }
    }

    /// Whether the call is Dubbo at both ends.
    pub(crate) fn is_dubbo(self) -> bool {
        self != Self::Http2
    }

    /// How many Envoys are on it; the caller's is the first.
    pub(crate) fn proxies(self) -> usize {
        match self {
            Self::Direct => 0,
            Self::Both | Self::BothHttp2 | Self::BothMtls | Self::BothHttp2Mtls => 2,
            Self::TcpSidecars | Self::DubboSidecars => 2,
            _ => 1,
        }
    }

    /// How many times the CPU time of another path this one may take, by the same calls in the same
    /// round.
    pub(crate) fn bound(self) -> Option<(f64, Self)> {
        match self {
            Self::Observe => Some((1.5, Self::TcpProxy)),
            Self::Socket => Some((1.25, Self::Http2)),
            Self::Bridge => Some((1.4, Self::Http2)),
            Self::Both | Self::BothHttp2 => Some((2.0, Self::Bridge)),
            _ => None,
        }
    }
}
