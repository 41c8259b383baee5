//! What is published: Istio resources, encoded once.
//!
//! ```text
//! Service       ─service_entry::render→ Object ─Resource::from→ Resource (bytes, version)
//! Service       ─tag_routes::render ───↗ ↑
//! configuration ─envoy_filter::render ───┘
//! ```
//!
//! A resource is immutable and carries its own bytes; whoever sends it shares them.

pub mod envoy_filter;
pub mod label;
mod refusal;
pub mod service_entry;
pub mod tag_routes;
pub mod validate;

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use dubbo_codec::ServiceKey;
use prost::Message;
use prost_types::{Any, Timestamp};
use xxhash_rust::xxh3::xxh3_64;

use crate::proto::routing::{
    DESTINATION_RULE_URL, DestinationRule, VIRTUAL_SERVICE_URL, VirtualService,
};
use crate::proto::{
    ENVOY_FILTER_URL, EnvoyFilter, MCP_RESOURCE_URL, McpMetadata, McpResource, SERVICE_ENTRY_URL,
    ServiceEntry,
};

pub use refusal::{Reason, Refusal};

/// When every resource of ours was made, so to speak: 2200-01-01. One constant, so that replicas
/// agree; far in the future, since of two objects in conflict that are exported alike istiod keeps the
/// older one, and that shall be the user's own.
const CREATED: Timestamp = Timestamp {
    seconds: 7_258_118_400,
    nanos: 0,
};

/// The kinds of resources that we publish. Closed on purpose: a new kind is a new variant, and the
/// compiler lists the places that have to know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// `networking.istio.io/*/ServiceEntry`.
    ServiceEntry,
    /// `networking.istio.io/*/EnvoyFilter`.
    EnvoyFilter,
    /// `networking.istio.io/*/DestinationRule`.
    DestinationRule,
    /// `networking.istio.io/*/VirtualService`.
    VirtualService,
}

impl Kind {
    /// Every kind, in the order in which they are told to a client that asks for all.
    pub const ALL: [Self; 4] = [
        Self::ServiceEntry,
        Self::EnvoyFilter,
        Self::DestinationRule,
        Self::VirtualService,
    ];

    /// The kind that a subscriber names by a type URL, whatever version it asks for: istiod up to
    /// 1.23 says `networking.istio.io/v1alpha3/ServiceEntry`, later ones `…/v1/…`; the body is the
    /// same message.
    pub fn of_type_url(url: &str) -> Option<Self> {
        let mut parts = url.split('/');
        let (group, version, name) = (parts.next()?, parts.next()?, parts.next()?);
        let ours = group == "networking.istio.io"
            && matches!(version, "v1alpha3" | "v1beta1" | "v1")
            && parts.next().is_none();
        let mut kinds = Self::ALL.into_iter().filter(|_| ours);
        kinds.find(|kind| kind.name() == name)
    }

    /// Its name in Kubernetes.
    pub fn name(self) -> &'static str {
        match self {
            Self::ServiceEntry => "ServiceEntry",
            Self::EnvoyFilter => "EnvoyFilter",
            Self::DestinationRule => "DestinationRule",
            Self::VirtualService => "VirtualService",
        }
    }

    /// Its API version in Kubernetes.
    pub fn api_version(self) -> &'static str {
        match self {
            Self::EnvoyFilter => "networking.istio.io/v1alpha3",
            _ => "networking.istio.io/v1",
        }
    }
}

/// A resource with its name, before it is encoded: what a Kubernetes manifest would hold.
#[derive(Clone, Debug, PartialEq)]
pub struct Object<B> {
    /// Namespace.
    pub namespace: Arc<str>,
    /// Name within the namespace.
    pub name: Arc<str>,
    /// Labels; equal for all ServiceEntries of one host.
    pub labels: BTreeMap<String, String>,
    /// Annotations.
    pub annotations: BTreeMap<String, String>,
    /// What it says.
    pub spec: B,
}

/// A message that can be published.
pub trait Body: Message + Default {
    /// Its kind.
    const KIND: Kind;
    /// Type URL of the message: `v1alpha3` whatever API version a client asks for.
    const TYPE_URL: &'static str;
}

impl Body for ServiceEntry {
    const KIND: Kind = Kind::ServiceEntry;
    const TYPE_URL: &'static str = SERVICE_ENTRY_URL;
}

impl Body for EnvoyFilter {
    const KIND: Kind = Kind::EnvoyFilter;
    const TYPE_URL: &'static str = ENVOY_FILTER_URL;
}

impl Body for DestinationRule {
    const KIND: Kind = Kind::DestinationRule;
    const TYPE_URL: &'static str = DESTINATION_RULE_URL;
}

impl Body for VirtualService {
    const KIND: Kind = Kind::VirtualService;
    const TYPE_URL: &'static str = VIRTUAL_SERVICE_URL;
}

/// One step from a published state to the next: the object of this name is now this, or is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Its kind.
    pub kind: Kind,
    /// `<namespace>/<name>`.
    pub name: Arc<str>,
    /// What it is from now on; none where it is gone.
    pub resource: Option<Resource>,
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

impl From<Resource> for Change {
    /// It is this from now on.
    fn from(resource: Resource) -> Self {
        Self {
            kind: resource.kind,
            name: resource.name.clone(),
            resource: Some(resource),
        }
    }
}

impl<B: Body> From<&Object<B>> for Resource {
    fn from(object: &Object<B>) -> Self {
        let name = format!("{}/{}", object.namespace, object.name);
        let body = Any {
            type_url: B::TYPE_URL.into(),
            value: object.spec.encode_to_vec(),
        };
        let metadata = McpMetadata {
            name: name.clone(),
            create_time: Some(CREATED),
            version: String::new(),
            labels: object.labels.clone(),
            annotations: object.annotations.clone(),
        };
        let mut resource = McpResource {
            metadata: Some(metadata),
            body: Some(body),
        };
        let version = xxh3_64(&resource.encode_to_vec());
        if let Some(metadata) = &mut resource.metadata {
            metadata.version = format!("{version:016x}");
        }
        let any = Any {
            type_url: MCP_RESOURCE_URL.into(),
            value: resource.encode_to_vec(),
        };
        let any = any.encode_to_vec().into();
        Self {
            kind: B::KIND,
            name: name.into(),
            version,
            any,
        }
    }
}

impl<B: Body> Object<B> {
    /// The object that a resource holds, read back from the very bytes that are sent.
    pub fn decode(resource: &Resource) -> Result<Self, prost::DecodeError> {
        let any = Any::decode(&*resource.any)?;
        let McpResource { metadata, body } = McpResource::decode(&*any.value)?;
        let metadata = metadata.unwrap_or_default();
        let (namespace, name) = metadata
            .name
            .split_once('/')
            .unwrap_or(("", &metadata.name));
        Ok(Self {
            namespace: namespace.into(),
            name: name.into(),
            labels: metadata.labels,
            annotations: metadata.annotations,
            spec: B::decode(&*body.unwrap_or_default().value)?,
        })
    }
}

/// The names of a service as Dubbo has them; its host carries them only as far as DNS allows.
fn annotations(key: &ServiceKey) -> BTreeMap<String, String> {
    let names = [
        ("interface", key.interface()),
        ("group", key.group()),
        ("version", key.version()),
    ];
    let given = names.into_iter().filter(|(_, value)| !value.is_empty());
    given
        .map(|(name, value)| (format!("dubbo.apache.org/{name}"), value.to_owned()))
        .collect()
}
