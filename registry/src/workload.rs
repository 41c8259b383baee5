//! What is known about the workload behind an address: is it in the mesh, and where does it run.
//!
//! Pure input: a list of rules, by address range and application. The first rule that says
//! something about a question answers it. What no rule speaks of is not in the mesh, and gets plain
//! text: mutual TLS towards a workload without a sidecar would cut it off.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use serde::Deserialize;

use crate::pattern::Pattern;

/// One rule: for which providers, and what is so.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Rule {
    /// Address ranges, or single addresses; any address where there are none.
    #[serde(default, deserialize_with = "nets")]
    pub cidrs: Vec<IpNet>,
    /// Applications, `*` for any part; any application where there are none.
    #[serde(default)]
    pub applications: Vec<Pattern>,
    /// Has a sidecar that takes mutual TLS.
    pub in_mesh: Option<bool>,
    /// `region`, `region/zone` or `region/zone/subzone`.
    pub locality: Option<Arc<str>>,
    /// The name in its certificate, `spiffe://<trust domain>/ns/<namespace>/sa/<service account>`.
    /// The endpoints of a service should keep theirs for long: istiod makes a full push of a change.
    #[serde(default, deserialize_with = "identity")]
    pub identity: Option<Arc<str>>,
    /// Network of the address, for istiod's multi-network gateways.
    pub network: Option<Arc<str>>,
}

/// What the rules say of one workload.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Takes mutual TLS.
    pub in_mesh: bool,
    /// Empty where it is not known.
    pub locality: Arc<str>,
    /// Empty where it is not known.
    pub identity: Arc<str>,
    /// Empty for the mesh's own.
    pub network: Arc<str>,
}

/// The rules, in the order of the configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Workloads {
    rules: Vec<Rule>,
    /// Rules whose every range is a single address, by address: an export of ten thousand pods must
    /// not be searched for each endpoint.
    by_address: HashMap<IpAddr, Vec<usize>>,
    ranged: Vec<usize>,
}

impl Workloads {
    /// Rules, first match first.
    pub fn new(rules: Vec<Rule>) -> Self {
        let mut workloads = Self::default();
        let single = |net: &IpNet| net.prefix_len() == net.max_prefix_len();
        for (index, rule) in rules.iter().enumerate() {
            if !rule.cidrs.is_empty() && rule.cidrs.iter().all(single) {
                for net in &rule.cidrs {
                    workloads
                        .by_address
                        .entry(net.addr())
                        .or_default()
                        .push(index);
                }
            } else {
                workloads.ranged.push(index);
            }
        }
        workloads.rules = rules;
        workloads
    }

    /// Whether the rules say that an application's workload at `ip` is in the mesh, or is not.
    pub fn in_mesh(&self, ip: IpAddr, application: &str) -> Option<bool> {
        self.of(ip, application).iter().find_map(|r| r.in_mesh)
    }

    /// The rules that apply, in their order.
    fn of(&self, ip: IpAddr, application: &str) -> Vec<&Rule> {
        let single = self.by_address.get(&ip).map_or(&[][..], Vec::as_slice);
        let mut order: Vec<usize> = single.iter().chain(&self.ranged).copied().collect();
        order.sort_unstable();
        order.dedup();
        let rules = order.iter().map(|i| &self.rules[*i]);
        rules.filter(|r| r.applies(ip, application)).collect()
    }

    /// What is so for an application's provider at `ip`.
    pub fn facts(&self, ip: IpAddr, application: &str) -> Facts {
        let applying = self.of(ip, application);
        let rules = || applying.iter();
        Facts {
            in_mesh: rules().find_map(|r| r.in_mesh).unwrap_or(false),
            locality: rules().find_map(|r| r.locality.clone()).unwrap_or_default(),
            identity: rules().find_map(|r| r.identity.clone()).unwrap_or_default(),
            network: rules().find_map(|r| r.network.clone()).unwrap_or_default(),
        }
    }
}

impl Rule {
    fn applies(&self, ip: IpAddr, application: &str) -> bool {
        (self.cidrs.is_empty() || self.cidrs.iter().any(|net| net.contains(&ip)))
            && (self.applications.is_empty()
                || self
                    .applications
                    .iter()
                    .any(|pattern| pattern.matches(application)))
    }
}

/// Reads ranges, and addresses without a prefix length.
pub fn nets<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<IpNet>, D::Error> {
    let texts = Vec::<String>::deserialize(deserializer)?;
    let net = |text: String| {
        let address = || text.parse::<IpAddr>().map(IpNet::from);
        text.parse::<IpNet>().or_else(|_| address()).map_err(|_| {
            serde::de::Error::custom(format!("{text:?} is neither an address nor a CIDR"))
        })
    };
    texts.into_iter().map(net).collect()
}

/// A SPIFFE identity. A bare service account would not say of which namespace, and istiod would
/// take that of the entry for it.
fn identity<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Arc<str>>, D::Error> {
    let Some(text) = Option::<Arc<str>>::deserialize(deserializer)? else {
        return Ok(None);
    };
    let path = text
        .strip_prefix("spiffe://")
        .and_then(|rest| rest.split_once('/'));
    match path {
        Some((domain, path)) if !domain.is_empty() && !path.is_empty() => Ok(Some(text)),
        _ => Err(serde::de::Error::custom(format!(
            "{text:?} is no identity like spiffe://cluster.local/ns/shop/sa/orders"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(cidrs: &[&str], applications: &[&str]) -> Rule {
        Rule {
            cidrs: cidrs.iter().map(|c| c.parse().unwrap()).collect(),
            applications: applications.iter().map(|a| Pattern::from(*a)).collect(),
            in_mesh: None,
            locality: None,
            identity: None,
            network: None,
        }
    }

    #[test]
    fn the_first_rule_that_says_something_answers() {
        let workloads = Workloads::new(vec![
            Rule {
                in_mesh: Some(false),
                ..rule(&["10.0.7.7/32"], &[])
            },
            Rule {
                locality: Some("hz/b".into()),
                ..rule(&["10.0.0.0/16"], &[])
            },
            Rule {
                in_mesh: Some(true),
                ..rule(&[], &["shop-*"])
            },
            Rule {
                locality: Some("late".into()),
                ..rule(&[], &[])
            },
        ]);
        let facts = |ip: &str, application| workloads.facts(ip.parse().unwrap(), application);
        let of = |in_mesh, locality: &str| Facts {
            in_mesh,
            locality: locality.into(),
            ..Facts::default()
        };
        assert_eq!(facts("10.0.1.1", "shop-cart"), of(true, "hz/b"));
        assert_eq!(facts("10.0.7.7", "shop-cart"), of(false, "hz/b"));
        assert_eq!(facts("10.9.1.1", "pay"), of(false, "late"));
    }
}
