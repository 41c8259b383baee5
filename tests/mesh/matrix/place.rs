//! Where a provider of the matrix listens. It has a port for each choice that is a matter of ports, and on
//! each port a group of its own, so that a consumer that asks for the group finds the port by the registry.
//!
//! ```text
//! http2   tcp
//! 20880   20890   Permissive   at the pod's address: a sidecar, nothing of ours on the port
//! 20881   20891   Strict
//! 20882   20892   Permissive   and our filter
//! 20883   20893   Strict
//! 20884                        at its other address, without a sidecar: Dubbo and Triple
//! 20885   20895                Dubbo
//! ```

use std::net::{Ipv4Addr, SocketAddr};

use support::DubboVersion;

use super::combination::{Combination, End, Mode, Mtls};

/// Port of both Dubbo and Triple.
pub(super) const UNIFIED: u16 = 20884;
/// Ports that our filter has at the providers'.
pub(super) const FILTERED: [u16; 4] = [20882, 20883, 20892, 20893];
/// Ports where nothing but mutual TLS is taken.
pub(super) const STRICT: [u16; 4] = [20881, 20883, 20891, 20893];

/// One port of one provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) provider: DubboVersion,
    pub(super) address: SocketAddr,
    /// The group of its service, which nobody else has.
    pub(super) group: String,
}

impl Place {
    pub(super) fn of(combination: &Combination) -> Self {
        let Combination {
            provider,
            callee,
            mode,
            mtls,
            ..
        } = *combination;
        Self::at(provider, callee, mode, mtls)
    }

    pub(super) fn at(provider: DubboVersion, callee: End, mode: Mode, mtls: Mtls) -> Self {
        let base = match mode {
            Mode::Http2 => 20880,
            Mode::Tcp => 20890,
        };
        let offset = match (callee, mtls) {
            (End::Sidecar, Mtls::Permissive) => 0,
            (End::Sidecar, Mtls::Strict) => 1,
            (End::Filter, Mtls::Permissive) => 2,
            (End::Filter, Mtls::Strict) => 3,
            // Dubbo 3 has each port of an application once, whatever its address.
            (End::Bare, _) => 5,
        };
        let ip = match callee {
            End::Bare => bare(provider),
            End::Sidecar | End::Filter => pod(provider),
        };
        let name = format!("{}.{callee:?}.{mode:?}.{mtls:?}", provider.number());
        Self {
            provider,
            address: SocketAddr::from((ip, base + offset)),
            group: name.to_lowercase(),
        }
    }

    /// Without a sidecar, for Dubbo and Triple.
    pub(super) fn unified(provider: DubboVersion) -> Self {
        Self {
            provider,
            address: SocketAddr::from((bare(provider), UNIFIED)),
            group: format!("{}.unified", provider.number()),
        }
    }

    /// The service on the mesh.
    pub(super) fn host(&self) -> String {
        let group = self.group.replace('.', "-");
        format!("g-{group}.com.acme.sampler.dubbo")
    }

    /// Its cluster at a caller's.
    pub(super) fn outbound(&self) -> String {
        format!("outbound|{}||{}", self.address.port(), self.host())
    }
}

/// Number of a provider among all.
fn number(provider: DubboVersion) -> u8 {
    let position = DubboVersion::ALL.iter().position(|one| *one == provider);
    u8::try_from(position.unwrap()).unwrap()
}

/// The host part of the address of the provider's pod.
pub(super) fn pod_host(provider: DubboVersion) -> u8 {
    11 + number(provider)
}

/// The same of its other address.
pub(super) fn bare_host(provider: DubboVersion) -> u8 {
    111 + number(provider)
}

/// The address of the provider's pod, which has a sidecar.
pub(super) fn pod(provider: DubboVersion) -> Ipv4Addr {
    Ipv4Addr::new(10, 77, 0, pod_host(provider))
}

/// Its address that no sidecar sees.
fn bare(provider: DubboVersion) -> Ipv4Addr {
    Ipv4Addr::new(10, 77, 0, bare_host(provider))
}
