//! Dubbo's tag rule for services whose calls the mesh balances: without it, taking the choice of a
//! provider from the SDK would send calls to providers that are tagged in order not to get them.
//!
//! ```text
//! call with dubbo.tag=gray ─→ endpoints tagged gray, while there are any
//!                           └→ none: endpoints without a tag, or an error if dubbo.force.tag=true
//! call without a tag ──────→ endpoints without a tag, never another one
//! ```
//!
//! As `TagStateRouter` of Dubbo decides it by a provider's own `dubbo.tag` (the rules of a
//! configuration center are not read). A DestinationRule with a subset for each tag, and a
//! VirtualService; only where some endpoint has a tag. Of several VirtualServices for one host istiod asks
//! those first that no other namespace sees, then those that are exported to the caller's namespace by
//! name, as ours are on ports in http2 mode, and then those for all; of equals the oldest, which is never
//! ours.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use dubbo_codec::ServiceKey;
use xxhash_rust::xxh3::xxh3_64;

use super::service_entry::{Member, TAG, UNTAGGED};
use super::validate::is_dns_label;
use super::{Object, annotations, label};
use crate::mesh::Mesh;
use crate::proto::ServiceEntry;
use crate::proto::routing::{
    Destination, DestinationRule, DirectResponse, HttpBody, HttpMatch, HttpRoute,
    HttpRouteDestination, MatchType, StringMatch, Subset, VirtualService,
};
use crate::provider::Protocol;

/// The headers that the attachments of the same names become.
const TAG_HEADER: &str = "dubbo.tag";
const FORCE_HEADER: &str = "dubbo.force.tag";

/// The two objects that keep the tag rule of a service.
#[derive(Clone, Debug, PartialEq)]
pub struct TagRoutes {
    /// Its subsets.
    pub rule: Object<DestinationRule>,
    /// Its routes.
    pub routes: Object<VirtualService>,
}

/// The tag rule of a service with these entries; none where no call of it is routed, no endpoint has a
/// tag, or somebody else sees to it.
pub fn render(
    key: &ServiceKey,
    entries: &BTreeMap<Protocol, Object<ServiceEntry>>,
    members: &[Member],
    mesh: &Mesh,
) -> Option<TagRoutes> {
    let routed = || {
        let entries = entries.iter();
        entries.filter_map(|(protocol, entry)| is_routed(protocol, entry, mesh).then_some(entry))
    };
    // Host and namespaces are the same in all of them.
    let entry = routed().next().filter(|_| mesh.routes_tags(key))?;
    let spec = &entry.spec;
    let host = spec.hosts.first()?;
    let published: BTreeSet<&str> = routed()
        .flat_map(|entry| &entry.spec.endpoints)
        .filter_map(|endpoint| Some(&**endpoint.labels.get(TAG)?))
        .collect();
    // By the originals: a label may be another text than its tag.
    let tags: BTreeSet<&Arc<str>> = members
        .iter()
        .map(|member| &member.provider.tag)
        .filter(|tag| !tag.is_empty() && published.contains(&*label::value(tag)))
        .collect();
    if tags.is_empty() {
        return None;
    }
    let tagged = tags
        .iter()
        .map(|tag| subset(&subset_name(tag), &label::value(tag)));
    let rule = DestinationRule {
        host: host.clone(),
        subsets: [subset(UNTAGGED, UNTAGGED)]
            .into_iter()
            .chain(tagged)
            .collect(),
        export_to: spec.export_to.clone(),
    };
    let to_tag = |tag: &&Arc<str>| HttpRoute {
        matches: vec![HttpMatch {
            headers: [header(TAG_HEADER, MatchType::Exact(tag.to_string()))].into(),
        }],
        ..to(host, &subset_name(tag))
    };
    let known = tags.iter().filter(|tag| is_header_text(tag)).map(to_tag);
    let routes = VirtualService {
        hosts: vec![host.clone()],
        http: known.chain([forced(), to(host, UNTAGGED)]).collect(),
        export_to: spec.export_to.clone(),
    };
    Some(TagRoutes {
        rule: object(key, entry, host, rule),
        routes: object(key, entry, host, routes),
    })
}

/// Whether calls to some port of it are balanced by sidecars that have the filter, which takes the choice
/// from the SDK: Dubbo's in http2 mode, Triple's and gRPC's where they get an authority.
fn is_routed(protocol: &Protocol, entry: &Object<ServiceEntry>, mesh: &Mesh) -> bool {
    let mut ports = entry.spec.ports.iter();
    match protocol {
        Protocol::Dubbo => ports.any(|port| port.protocol == "HTTP2"),
        Protocol::Tri | Protocol::Grpc => {
            let named = |number| {
                mesh.installation
                    .as_ref()
                    .is_some_and(|it| it.names(number))
            };
            ports.any(|port| u16::try_from(port.number).is_ok_and(named))
        }
        Protocol::Rest | Protocol::Http | Protocol::Other(_) => false,
    }
}

fn to(host: &str, subset: &str) -> HttpRoute {
    HttpRoute {
        name: subset.to_owned(),
        route: vec![HttpRouteDestination {
            destination: Some(Destination {
                host: host.to_owned(),
                subset: subset.to_owned(),
            }),
        }],
        ..HttpRoute::default()
    }
}

/// A call that insists on a tag that no endpoint has.
fn forced() -> HttpRoute {
    HttpRoute {
        matches: vec![HttpMatch {
            headers: BTreeMap::from([
                header(TAG_HEADER, MatchType::Regex(".+".to_owned())),
                header(FORCE_HEADER, MatchType::Exact("true".to_owned())),
            ]),
        }],
        name: "forced-tag".to_owned(),
        direct_response: Some(DirectResponse {
            status: 503,
            body: Some(HttpBody {
                string: "no provider has the tag that dubbo.force.tag insists on".to_owned(),
            }),
        }),
        ..HttpRoute::default()
    }
}

fn header(name: &str, match_type: MatchType) -> (String, StringMatch) {
    let matches = StringMatch {
        match_type: Some(match_type),
    };
    (name.to_owned(), matches)
}

fn subset(name: &str, label: &str) -> Subset {
    Subset {
        name: name.to_owned(),
        labels: BTreeMap::from([(TAG.to_owned(), label.to_owned())]),
    }
}

/// A DNS label for a tag: itself where it is one.
fn subset_name(tag: &str) -> String {
    let name = format!("tag-{tag}");
    if is_dns_label(&name) && !tag.bytes().any(|b| b.is_ascii_uppercase()) {
        return name;
    }
    format!("tag--{:08x}", xxh3_64(tag.as_bytes()) as u32)
}

/// What else would be, is written otherwise in a header, and not matched: such calls go to endpoints
/// without a tag.
fn is_header_text(tag: &str) -> bool {
    tag.bytes().all(|b| b.is_ascii_graphic())
}

fn object<B>(key: &ServiceKey, entry: &Object<ServiceEntry>, host: &str, spec: B) -> Object<B> {
    Object {
        namespace: entry.namespace.clone(),
        name: format!("{host}--tags").into(),
        labels: entry.labels.clone(),
        annotations: annotations(key),
        spec,
    }
}

#[cfg(test)]
mod tests;
