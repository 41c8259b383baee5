//! What is configured, is right, and has no effect, or hardly the one that was meant.
//!
//! Nothing here is an error: each can be a step on a way, as `filter.bypass` is for a port that is in
//! no http2 list any longer. `check` shows it, and `serve` logs it when it starts.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use dubbo_registry::installation::{EVERYWHERE, Installation, Reach};
use dubbo_registry::ports::Ports;
use ipnet::IpNet;

use super::Config;

impl Config {
    /// A line for each; none for a configuration that raises no question.
    pub fn notices(&self) -> Vec<String> {
        let mut notices = Vec::new();
        let ports = &self.mesh.ports;
        match &self.mesh.installation {
            Some(installation) => notices.extend(of_filter(installation, ports)),
            None if !ports.http2_by_namespace().is_empty() => notices.push(
                "ports.http2 without filter: no EnvoyFilter is published, so callers need the filter \
                 from elsewhere"
                    .to_owned(),
            ),
            None => {}
        }
        notices.extend(of_except(ports));
        if let Some(tls) = &self.listen.tls {
            let unreadable = |file: &&Path| std::fs::File::open(file).is_err();
            let files = [&*tls.certificate, &*tls.key];
            notices.extend(
                files
                    .iter()
                    .filter(|file| unreadable(file))
                    .map(|file| format!("listen.tls: {} cannot be read here", file.display())),
            );
        }
        notices
    }
}

fn of_filter(installation: &Installation, ports: &Ports) -> Vec<String> {
    let routed = ports.http2_by_namespace();
    let mut notices = Vec::new();
    for (namespace, numbers) in &installation.bypassed {
        notices.extend(numbers.iter().filter_map(|port| {
            let namespaces = unrouted(&routed, namespace, *port)?;
            Some(format!(
                "filter.bypass: port {port} is not in ports.http2 for {namespace}{namespaces}; that \
                 is right only where it was until now"
            ))
        }));
    }
    let lists = [
        ("bypass", &installation.bypassed),
        ("observe", &installation.observed),
        ("providers", &installation.providers),
        ("triple", &installation.triple),
    ];
    for (list, reach) in lists {
        let numbers: BTreeSet<u16> = reach.values().flatten().copied().collect();
        let refused = numbers
            .into_iter()
            .filter_map(|port| ports.check(port).err());
        notices.extend(refused.map(|refused| format!("filter.{list}: {refused}")));
    }
    let (observed, triple) = (&installation.observed, &installation.triple);
    let bypassed = both(observed, &installation.bypassed).map(|(namespace, port)| {
        format!("filter.observe: port {port} is in filter.bypass for {namespace} too")
    });
    notices.extend(bypassed);
    let uncounted = both(triple, observed).map(|(namespace, port)| {
        format!(
            "filter.triple: port {port} is in filter.observe for {namespace} too; HTTP/2 that the mesh \
             knows is not counted there"
        )
    });
    notices.extend(uncounted);
    // Whoever lists it: these are the namespaces of callers, and those of providers.
    let provided: BTreeSet<u16> = installation.providers.values().flatten().copied().collect();
    let named: BTreeSet<u16> = triple.values().flatten().copied().collect();
    notices.extend(named.intersection(&provided).map(|port| {
        format!(
            "filter.triple: port {port} is in filter.providers too; a provider's half takes Dubbo alone and \
             answers Triple with 415"
        )
    }));
    notices
}

/// The ports that both lists have for one namespace.
fn both<'a>(one: &'a Reach, other: &'a Reach) -> impl Iterator<Item = (&'a Arc<str>, u16)> {
    one.iter().flat_map(move |(namespace, numbers)| {
        let others = other.get(namespace).into_iter().flatten();
        others.filter_map(move |port| numbers.contains(port).then_some((namespace, *port)))
    })
}

/// Who is routed instead, if `namespace` is not.
fn unrouted(routed: &Reach, namespace: &Arc<str>, port: u16) -> Option<String> {
    let namespaces: Vec<&str> = routed
        .iter()
        .filter(|(_, numbers)| numbers.contains(&port))
        .map(|(namespace, _)| &**namespace)
        .collect();
    let covered = |other: &&str| **other == **namespace || **other == *EVERYWHERE;
    if namespaces.iter().any(covered) || (**namespace == *EVERYWHERE && !namespaces.is_empty()) {
        return None;
    }
    Some(match namespaces.is_empty() {
        true => String::new(),
        false => format!(" (but for {})", namespaces.join(", ")),
    })
}

fn of_except(ports: &Ports) -> impl Iterator<Item = String> + '_ {
    let numbers: BTreeSet<u16> = ports.http2_by_namespace().into_values().flatten().collect();
    numbers.into_iter().filter_map(|port| {
        let all = ports
            .except(port)
            .find(|net: &&IpNet| net.prefix_len() == 0)?;
        Some(format!(
            "ports.http2: {all} in except leaves nothing of port {port} to be routed"
        ))
    })
}

#[cfg(test)]
mod tests;
