//! Which providers of a service are shown, and which port number is whose.
//!
//! Must not know: what an entry looks like.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::net::{IpAddr, Ipv4Addr};

use super::{Member, Ports, Service, istio_protocol};
use crate::mesh::{IstioProtocol, Mesh, Pick};
use crate::ports::Mode;
use crate::provider::{Identity, Protocol};
use crate::resource::refusal::{Reason, Refusal};

/// The members that are published, by protocol, and the ports of each protocol.
#[derive(Default)]
pub(super) struct Sorted<'a> {
    pub(super) members: BTreeMap<Protocol, Vec<&'a Member>>,
    /// Where the members of each protocol are.
    addresses: BTreeMap<Protocol, HashSet<(IpAddr, u16)>>,
    pub(super) ports: Ports,
    /// Addresses of the number's owner that also speak another protocol.
    pub(super) also: BTreeMap<(IpAddr, u16), BTreeSet<Protocol>>,
    /// Whether calls go where they are dialled.
    pub(super) sdk_picks: bool,
}

/// Who comes first owns a number: its [owner](owners) where several protocols want it, and else
/// protocols in order, Dubbo first. A number that is only kept is free for those that use it.
pub(super) fn sort_out<'a>(
    service: Service<'a>,
    mesh: &Mesh,
    refused: &mut Vec<Refusal>,
) -> Sorted<'a> {
    let mut sorted = Sorted {
        sdk_picks: sdk_picks(service, mesh),
        ..Sorted::default()
    };
    let mut members: Vec<&Member> = service.members.iter().collect();
    let owners = owners(&members);
    members.sort_by_key(|member| {
        let Identity { protocol, port, .. } = &member.provider.id;
        (
            owners.get(port).is_some_and(|owner| owner != &protocol),
            protocol,
        )
    });
    for member in members {
        if let Err(reason) = sorted.take(member, service.vip, mesh) {
            refused.push(Refusal {
                provider: member.provider.id.clone(),
                reason,
            });
        }
    }
    let in_use: BTreeSet<u16> = sorted.ports.values().flatten().copied().collect();
    for (protocol, numbers) in service.kept_ports {
        let free = numbers.difference(&in_use).copied().filter(|number| {
            let routed = is_routed(protocol, *number, mesh);
            let by_address = istio_protocol(protocol, *number, mesh) == IstioProtocol::Tcp;
            match sorted.sdk_picks {
                true => routed,
                false => service.vip.is_some() || !by_address,
            }
        });
        sorted
            .ports
            .entry(protocol.clone())
            .or_default()
            .extend(free);
    }
    sorted.ports.retain(|_, numbers| !numbers.is_empty());
    sorted
}

/// Whether the SDK picks: only where the mesh would, which is on ports in http2 mode.
fn sdk_picks(service: Service<'_>, mesh: &Mesh) -> bool {
    let serves = |m: &&Member| m.provider.weight > 0 && m.provider.enabled;
    let ports = service
        .members
        .iter()
        .filter(serves)
        .map(|m| &m.provider.id);
    let kept = service.kept_ports.iter();
    let kept = kept.flat_map(|(protocol, numbers)| numbers.iter().map(move |n| (protocol, *n)));
    mesh.pick(service.key) == Pick::Sdk
        && ports
            .map(|id| (&id.protocol, id.port))
            .chain(kept)
            .any(|(protocol, number)| is_routed(protocol, number, mesh))
}

/// Whether calls to it are routed by host, each of its own.
fn is_routed(protocol: &Protocol, number: u16, mesh: &Mesh) -> bool {
    *protocol == Protocol::Dubbo && matches!(mesh.ports.mode(number), Mode::Http2(_))
}

/// The owners of the numbers that providers of several protocols have. Where one address speaks both
/// Dubbo and something else (port unification) it is Dubbo; else it is who has more providers there,
/// so that a stray entry does not put out all the others.
fn owners<'a>(members: &[&'a Member]) -> BTreeMap<u16, &'a Protocol> {
    let protocols: BTreeSet<&Protocol> = members.iter().map(|m| &m.provider.id.protocol).collect();
    if protocols.len() < 2 {
        return BTreeMap::new();
    }
    let mut at: BTreeMap<u16, BTreeMap<&Protocol, BTreeSet<IpAddr>>> = BTreeMap::new();
    let serves = |m: &&&Member| m.provider.weight > 0 && m.provider.enabled;
    for member in members.iter().filter(serves) {
        let Identity { protocol, port, .. } = &member.provider.id;
        let of_port = at.entry(*port).or_default();
        of_port.entry(protocol).or_default().insert(member.ip);
    }
    let owner = |of_port: &BTreeMap<&'a Protocol, BTreeSet<IpAddr>>| {
        let others = of_port.iter().filter(|(p, _)| ***p != Protocol::Dubbo);
        let dubbo = of_port.get_key_value(&Protocol::Dubbo);
        let unified = dubbo.filter(|(_, ips)| others.clone().any(|(_, o)| !o.is_disjoint(ips)));
        // Of equals the last one is taken, so they are asked in reverse.
        let most = || of_port.iter().rev().max_by_key(|(_, ips)| ips.len());
        unified.or_else(most).map(|(protocol, _)| *protocol)
    };
    at.iter()
        .filter_map(|(port, of_port)| Some((*port, owner(of_port)?)))
        .collect()
}

impl<'a> Sorted<'a> {
    fn take(
        &mut self,
        member: &'a Member,
        vip: Option<Ipv4Addr>,
        mesh: &Mesh,
    ) -> Result<(), Reason> {
        let provider = &member.provider;
        let (protocol, port) = (&provider.id.protocol, provider.id.port);
        if provider.weight == 0 || !provider.enabled {
            return Err(Reason::TakesNoCalls);
        }
        mesh.ports.check(port).map_err(Reason::Port)?;
        let istio = mesh
            .schemes
            .get(protocol)
            .ok_or_else(|| Reason::Scheme(protocol.clone()))?;
        let owner = self
            .ports
            .iter()
            .find(|(p, numbers)| *p != protocol && numbers.contains(&port));
        if let Some((owner, _)) = owner {
            let by = owner.clone();
            let unified = self.addresses.get(&by);
            if !unified.is_some_and(|of_owner| of_owner.contains(&(member.ip, port))) {
                return Err(Reason::PortTaken { port, by });
            }
            self.also
                .entry((member.ip, port))
                .or_default()
                .insert(protocol.clone());
            return Ok(());
        }
        if self.sdk_picks && !is_routed(protocol, port, mesh) {
            return Err(Reason::SdkPicks(port));
        }
        let tcp = *istio == IstioProtocol::Tcp;
        match mesh.ports.mode(port) {
            Mode::Http2(_) if *protocol != Protocol::Dubbo => {
                return Err(Reason::Http2PortIsDubbos(port));
            }
            Mode::Tcp if tcp && vip.is_none() => return Err(Reason::NoAddress),
            _ => {}
        }
        if let Some(also) = &provider.also_speaks {
            self.also
                .entry((member.ip, port))
                .or_default()
                .insert(also.clone());
        }
        self.ports.entry(protocol.clone()).or_default().insert(port);
        let members = self.members.entry(protocol.clone()).or_default();
        // One address is one endpoint, by however many names and paths it is registered.
        let addresses = self.addresses.entry(protocol.clone()).or_default();
        if addresses.insert((member.ip, port)) {
            members.push(member);
        }
        Ok(())
    }
}
