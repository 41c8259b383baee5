//! Why a provider that could be read is not published, or not as it asked.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use dubbo_codec::ServiceKey;

use super::validate::Violation;
use crate::ports::PortRefused;
use crate::provider::{Identity, Protocol};

/// One provider that is left out, by name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Refusal {
    /// The provider.
    pub provider: Identity,
    /// Why.
    pub reason: Reason,
}

/// Why.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Reason {
    /// Weight 0, or disabled: Dubbo sends it no calls either. Not a fault.
    TakesNoCalls,
    /// Its port may not become a listener.
    Port(PortRefused),
    /// Nobody configured its scheme to be published.
    Scheme(Protocol),
    /// Its port belongs to another protocol of the service.
    PortTaken {
        /// The number.
        port: u16,
        /// Whose it is.
        by: Protocol,
    },
    /// It is not Dubbo and stands on a port whose sidecars speak Dubbo.
    Http2PortIsDubbos(u16),
    /// The SDK picks the providers of its service, which is shown on ports in http2 mode only.
    SdkPicks(u16),
    /// The range of virtual addresses is exhausted, and TCP needs one.
    NoAddress,
    /// Another service has the same host name and comes first.
    HostTaken {
        /// The host.
        host: Arc<str>,
        /// The service that has it.
        by: Arc<ServiceKey>,
    },
    /// Its host name could not be resolved (yet); the text says why.
    Unresolved(Arc<str>),
    /// Host names are not resolved here, by configuration.
    HostName,
    /// istiod would not take it at this address.
    Invalid(IpAddr, Violation),
    /// istiod would not take the service.
    InvalidService(Violation),
}

impl Reason {
    /// Whether somebody should do something about it.
    pub fn is_fault(&self) -> bool {
        !matches!(self, Self::TakesNoCalls | Self::SdkPicks(_))
    }

    /// One word for metrics.
    pub fn word(&self) -> &'static str {
        match self {
            Self::TakesNoCalls => "takes-no-calls",
            Self::Port(PortRefused::NotListed(_)) => "port-not-listed",
            Self::Port(PortRefused::WellKnown(_)) => "port-well-known",
            Self::Scheme(_) => "scheme",
            Self::PortTaken { .. } => "port-taken",
            Self::Http2PortIsDubbos(_) => "http2-port",
            Self::SdkPicks(_) => "sdk-picks",
            Self::NoAddress => "no-address",
            Self::HostTaken { .. } => "host-taken",
            Self::Unresolved(_) => "unresolved",
            Self::HostName => "host-name",
            Self::Invalid(..) | Self::InvalidService(_) => "invalid",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.provider, self.reason)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TakesNoCalls => f.write_str("weight 0 or disabled, takes no calls"),
            Self::Port(refused) => refused.fmt(f),
            Self::Scheme(scheme) => write!(
                f,
                "scheme {scheme} is not published; to publish it, say what it is: \
                 `schemes: {{{scheme}: TCP}}` (or HTTP, HTTP2, GRPC)"
            ),
            Self::PortTaken { port, by } => {
                write!(
                    f,
                    "port {port} of this service belongs to {by}; give it a port of its own"
                )
            }
            Self::Http2PortIsDubbos(port) => write!(
                f,
                "port {port} is in http2 mode, where sidecars expect Dubbo only; take it off the \
                 http2 list or give this protocol another port"
            ),
            Self::SdkPicks(port) => write!(
                f,
                "the SDK picks the providers of its service (`pick: sdk`), so nothing but Dubbo on \
                 ports in http2 mode is shown, and port {port} is dialled as before"
            ),
            Self::NoAddress => f.write_str(
                "no virtual address is left for its service; configure a larger vips.cidr",
            ),
            Self::HostTaken { host, by } => {
                write!(f, "host {host} belongs to {by}, which comes first")
            }
            Self::Unresolved(reason) => write!(f, "its host name is not resolved: {reason}"),
            Self::HostName => f.write_str(
                "it registered a host name, and hostNames is `refuse`; set it to `resolve`",
            ),
            Self::Invalid(ip, violation) => {
                write!(f, "istiod would refuse it at {ip}: {violation}")
            }
            Self::InvalidService(violation) => {
                write!(f, "istiod would refuse its service: {violation}")
            }
        }
    }
}
