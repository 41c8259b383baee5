//! Who is called is decided by somebody: tags, consumers' own picks, callbacks, rules. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use dubbo_registry::census::Census;
use dubbo_registry::choice::{Choice, How};
use dubbo_registry::consumer::Consumer;
use dubbo_registry::mesh::Mesh;
use dubbo_registry::provider::Provider;
use dubbo_registry::rule::{Kind, Rule};

use super::estate::{Estate, Service, party};
use super::finding::{Finding, Party, Side, Topic};
use super::judge::Found;

/// Clusters of Dubbo's that make one call of one pick at a time; what they do when it fails stays in
/// the consumer. `mergeable` makes one for each group, and groups have hosts of their own. The names
/// are those of `META-INF/dubbo/internal/…cluster.Cluster` from 2.6.12 to 3.3.6; any other one,
/// `broadcast` or an application's own, picks for itself.
const ONE_AT_A_TIME: [&str; 5] = ["failover", "failfast", "failsafe", "failback", "mergeable"];
/// Load balancers that any provider will do for, in the same way.
const ANY_WILL_DO: [&str; 4] = ["roundrobin", "leastactive", "shortestresponse", "adaptive"];

/// Looks through the census. Returns the number of consumers of the port.
pub(super) fn find(estate: &Estate<'_>, census: &Census, mesh: &Mesh, found: &mut Found) -> usize {
    let mut applications = BTreeSet::new();
    for (key, service) in &estate.services {
        let topic = match mesh.routes_tags(key) {
            true => Topic::KeptTags,
            false => Topic::Tags,
        };
        for provider in estate.providers_of(service) {
            applications.insert(provider.application.to_string());
            if !provider.tag.is_empty() && !service.pick.spare(topic) {
                let setting = format!("dubbo.tag={}", provider.tag);
                let by = party(provider);
                note(found, topic, Finding::Setting { by, setting });
            }
        }
    }
    let mut consumers = 0;
    for consumer in census.consumers.iter().filter(|c| !is_outside(c, mesh)) {
        if find_choices(estate, consumer, found) {
            consumers += 1;
            applications.insert(consumer.application.to_string());
        }
    }
    find_offers(estate, census, found);
    for rule in &census.rules {
        if decides(rule) && concerns(rule, estate, &applications) {
            let finding = Finding::Rule {
                key: rule.key.to_string(),
                rule: rule.kind.to_string(),
            };
            note(found, Topic::Rules, finding);
        }
    }
    consumers
}

/// What a consumer says. False if it calls nobody here.
fn find_choices(estate: &Estate<'_>, consumer: &Consumer, found: &mut Found) -> bool {
    let called: Vec<&Service<'_>> = estate.called_by(consumer).collect();
    let is_tagged = |p: &Arc<Provider>| p.id.port == estate.number && !p.tag.is_empty();
    let concerned = |topic| {
        called.iter().any(|service| {
            let tagged = || service.providers.iter().any(|p| is_tagged(p));
            !service.pick.spare(topic) && (topic != Topic::Tags || tagged())
        })
    };
    for choice in &consumer.choices {
        if let Some(topic) = topic(choice).filter(|topic| concerned(*topic)) {
            note(found, topic, setting(consumer_party(consumer), choice));
        }
    }
    !called.is_empty()
}

/// What providers say, whose parameters consumers take over; their tags are known already.
fn find_offers(estate: &Estate<'_>, census: &Census, found: &mut Found) {
    let services = estate.services.values();
    let providers: BTreeMap<_, _> = services
        .flat_map(|s| estate.providers_of(s).map(|p| (&p.id, (p, s.pick))))
        .collect();
    for offer in &census.offers {
        let Some((provider, pick)) = providers.get(&offer.provider) else {
            continue;
        };
        for choice in &offer.choices {
            let told = |topic: &Topic| *topic != Topic::Tags && !pick.spare(*topic);
            if let Some(topic) = topic(choice).filter(told) {
                note(found, topic, setting(party(provider), choice));
            }
        }
    }
}

fn note(found: &mut Found, topic: Topic, finding: Finding) {
    found.entry(topic).or_default().insert(finding);
}

/// What it is about, if anything changes by it.
fn topic(choice: &Choice) -> Option<Topic> {
    match &choice.how {
        How::Cluster(name) if ONE_AT_A_TIME.contains(&&**name) => None,
        How::LoadBalance(name) if &**name == "random" => None,
        How::LoadBalance(name) if ANY_WILL_DO.contains(&&**name) => Some(Topic::Balance),
        How::Cluster(_) | How::LoadBalance(_) | How::Sticky | How::Router(_) => Some(Topic::Picks),
        How::Tag(_) => Some(Topic::Tags),
        How::CallbackArgument(_)
        | How::Callbacks(_)
        | How::StubEvent
        | How::OnConnect(_)
        | How::OnDisconnect(_) => Some(Topic::Callbacks),
    }
}

fn setting(by: Party, choice: &Choice) -> Finding {
    Finding::Setting {
        by,
        setting: choice.to_string(),
    }
}

fn consumer_party(consumer: &Consumer) -> Party {
    Party {
        service: consumer.reference(),
        side: Side::Consumer,
        application: consumer.application.to_string(),
        address: consumer.host.to_string(),
    }
}

/// Whether somebody said that it has no sidecar.
fn is_outside(consumer: &Consumer, mesh: &Mesh) -> bool {
    let ip = consumer.ip();
    ip.and_then(|ip| mesh.workloads.in_mesh(ip, &consumer.application)) == Some(false)
}

/// Whether it can decide who is called.
fn decides(rule: &Rule) -> bool {
    match &rule.kind {
        Kind::Override(choices) if choices.is_empty() => true,
        Kind::Override(choices) => choices
            .iter()
            .any(|choice| topic(choice).is_some_and(Topic::changes_calls)),
        Kind::Condition | Kind::Tag | Kind::Script | Kind::Mesh | Kind::Router(_) => true,
    }
}

/// A key is an application, an interface, or `interface:version:group`; `group*interface:version`
/// until 2.7.2.
fn concerns(rule: &Rule, estate: &Estate<'_>, applications: &BTreeSet<String>) -> bool {
    let key: &Arc<str> = &rule.key;
    let interface = key.rsplit('*').next().unwrap_or(key);
    let interface = interface.split(':').next().unwrap_or(interface);
    let has = |interface| estate.has_interface(interface, Topic::Rules);
    let of_application = || {
        let spared = |service: &Service<'_>| service.pick.spare(Topic::Rules);
        applications.contains(&**key) && !estate.services.values().all(spared)
    };
    of_application() || has(key) || has(interface)
}
