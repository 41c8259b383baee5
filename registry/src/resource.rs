//! What is published: Istio resources, encoded once.
//!
//! A resource is immutable and carries its own bytes; whoever sends it shares them.

use std::sync::Arc;

use bytes::Bytes;

/// The kinds of resources that we publish. Closed on purpose: a new kind is a new variant, and the
/// compiler lists the places that have to know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// `networking.istio.io/*/ServiceEntry`.
    ServiceEntry,
}

impl Kind {
    /// Every kind, in the order in which they are told to a client that asks for all.
    pub const ALL: [Self; 1] = [Self::ServiceEntry];

    /// The kind that a subscriber names by a type URL, whatever version it asks for: istiod up to
    /// 1.23 says `networking.istio.io/v1alpha3/ServiceEntry`, later ones `…/v1/…`; the body is the
    /// same message.
    pub fn of_type_url(url: &str) -> Option<Self> {
        let mut parts = url.split('/');
        match (parts.next()?, parts.next()?, parts.next()?, parts.next()) {
            ("networking.istio.io", "v1alpha3" | "v1beta1" | "v1", "ServiceEntry", None) => {
                Some(Self::ServiceEntry)
            }
            _ => None,
        }
    }
}

/// One published object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// Its kind.
    pub kind: Kind,
    /// `<namespace>/<name>`, the key of the object.
    pub name: Arc<str>,
    /// Hash of the content: equal on every replica and after every restart.
    pub version: u64,
    /// The encoded `google.protobuf.Any` that holds an `istio.mcp.v1alpha1.Resource`.
    pub any: Bytes,
}
