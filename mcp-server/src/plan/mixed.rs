//! Providers of one service that want calls to hold different things. Pure.
//!
//! A consumer makes a call for the provider that it picked: with its path, its token, in a
//! serialization that it reads. Once the mesh picks, another provider may get that call.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use dubbo_registry::census::Census;
use dubbo_registry::provider::{Identity, Provider};
use dubbo_registry::terms::Terms;

use super::estate::{Estate, Service, party};
use super::finding::{Finding, Topic};
use super::judge::Found;

/// A provider that the mesh may pick, and what it wants.
type Wants<'a> = (&'a Provider, &'a Terms);

/// Looks through the services.
pub(super) fn find(estate: &Estate<'_>, census: &Census, found: &mut Found) {
    let offers = census.offers.iter();
    let terms: BTreeMap<&Identity, &Terms> = offers.map(|o| (&o.provider, &o.terms)).collect();
    let spared = |service: &&Service<'_>| service.pick.spare(Topic::MixedProviders);
    for service in estate.services.values().filter(|s| !spared(s)) {
        let providers = service.providers.iter().map(|p| Arc::as_ref(p));
        let published = providers.filter(|p| !estate.refused.contains_key(&p.id));
        let all: Vec<Wants<'_>> = published
            .filter_map(|p| Some((p, *terms.get(&p.id)?)))
            .collect();
        let reads = |(_, terms): &Wants<'_>| format!("reads {}", terms.serializations);
        differ(&all, reads, found);
        differ(&all, path, found);
        let tokens: BTreeSet<u64> = all.iter().filter_map(|(_, terms)| terms.token).collect();
        let token = |(_, terms): &Wants<'_>| match terms.token {
            None => "wants no token".to_owned(),
            // Neither it nor its hash is anybody's business; which ones are the same is.
            Some(token) => format!("wants token number {}", tokens.range(..=token).count()),
        };
        differ(&all, token, found);
    }
}

fn path((provider, _): &Wants<'_>) -> String {
    match &*provider.id.path {
        "" => format!("has path {}", provider.id.service.interface()),
        path => format!("has path {path}"),
    }
}

/// Notes all where they do not all want the same.
fn differ<'a>(all: &[Wants<'a>], what: impl Fn(&Wants<'a>) -> String, found: &mut Found) {
    let wanted: BTreeSet<String> = all.iter().map(&what).collect();
    if wanted.len() < 2 {
        return;
    }
    let finding = |wants: &Wants<'a>| Finding::Provider {
        by: party(wants.0),
        reason: what(wants),
    };
    let section = found.entry(Topic::MixedProviders).or_default();
    section.extend(all.iter().map(finding));
}
