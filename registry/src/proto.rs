//! The Istio messages that we write, with the field numbers of `istio.io/api`
//! (`networking/v1alpha3/service_entry.proto`, `workload_entry.proto`, `mcp/v1alpha1/*.proto`).
//!
//! Maps are ordered, so that equal content is equal bytes. The `Serialize` side is the form that a
//! Kubernetes manifest has.

pub mod envoy_filter;
pub mod routing;

use std::collections::BTreeMap;

use prost::Message;
use serde::{Serialize, Serializer};

pub use envoy_filter::{ENVOY_FILTER_URL, EnvoyFilter};

/// Type URL of [`McpResource`].
pub const MCP_RESOURCE_URL: &str = "type.googleapis.com/istio.mcp.v1alpha1.Resource";
/// Type URL of [`ServiceEntry`]: `v1alpha3` whatever API version a client asks for.
pub const SERVICE_ENTRY_URL: &str = "type.googleapis.com/istio.networking.v1alpha3.ServiceEntry";

/// `istio.mcp.v1alpha1.Resource`.
#[derive(Clone, PartialEq, Message)]
pub struct McpResource {
    /// Name, version, labels, annotations.
    #[prost(message, optional, tag = "1")]
    pub metadata: Option<McpMetadata>,
    /// The object.
    #[prost(message, optional, tag = "2")]
    pub body: Option<prost_types::Any>,
}

/// `istio.mcp.v1alpha1.Metadata`.
#[derive(Clone, PartialEq, Message)]
pub struct McpMetadata {
    /// `<namespace>/<name>`.
    #[prost(string, tag = "1")]
    pub name: String,
    /// When the object was made; the oldest wins a conflict.
    #[prost(message, optional, tag = "2")]
    pub create_time: Option<prost_types::Timestamp>,
    /// Compared by the receiver: it looks at the content only if this differs.
    #[prost(string, tag = "3")]
    pub version: String,
    /// Labels of the object.
    #[prost(btree_map = "string, string", tag = "4")]
    pub labels: BTreeMap<String, String>,
    /// Annotations of the object.
    #[prost(btree_map = "string, string", tag = "5")]
    pub annotations: BTreeMap<String, String>,
}

/// `istio.networking.v1alpha3.ServiceEntry`, the fields that we write or check.
#[derive(Clone, PartialEq, Message, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceEntry {
    /// Host names; ours have one.
    #[prost(string, repeated, tag = "1")]
    pub hosts: Vec<String>,
    /// Virtual addresses.
    #[prost(string, repeated, tag = "2")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<String>,
    /// Ports of the service.
    #[prost(message, repeated, tag = "3")]
    pub ports: Vec<ServicePort>,
    /// In the mesh or outside of it.
    #[prost(enumeration = "Location", tag = "4")]
    #[serde(serialize_with = "location_name")]
    pub location: i32,
    /// How endpoints are found.
    #[prost(enumeration = "Resolution", tag = "5")]
    #[serde(serialize_with = "resolution_name")]
    pub resolution: i32,
    /// Endpoints.
    #[prost(message, repeated, tag = "6")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub endpoints: Vec<WorkloadEntry>,
    /// Namespaces that see it; all where there are none.
    #[prost(string, repeated, tag = "7")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub export_to: Vec<String>,
    /// Names one of which a server's certificate has to have; any of the mesh where there are none.
    #[prost(string, repeated, tag = "8")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub subject_alt_names: Vec<String>,
}

/// `istio.networking.v1alpha3.ServicePort`.
#[derive(Clone, PartialEq, Eq, Message, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ServicePort {
    /// 1 to 65535.
    #[prost(uint32, tag = "1")]
    pub number: u32,
    /// `TCP`, `HTTP2`, `GRPC`, `HTTP` …; Istio knows no Dubbo.
    #[prost(string, tag = "2")]
    pub protocol: String,
    /// A DNS label; endpoints name ports by it.
    #[prost(string, tag = "3")]
    pub name: String,
    /// Port of the endpoints where they name none.
    #[prost(uint32, tag = "4")]
    #[serde(skip_serializing_if = "is_zero")]
    pub target_port: u32,
}

/// `istio.networking.v1alpha3.WorkloadEntry`.
#[derive(Clone, PartialEq, Message, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkloadEntry {
    /// An IP address.
    #[prost(string, tag = "1")]
    pub address: String,
    /// Port name to number.
    #[prost(btree_map = "string, uint32", tag = "2")]
    pub ports: BTreeMap<String, u32>,
    /// Labels, which subsets select by.
    #[prost(btree_map = "string, string", tag = "3")]
    pub labels: BTreeMap<String, String>,
    /// Network of the address.
    #[prost(string, tag = "4")]
    #[serde(skip_serializing_if = "String::is_empty")]
    pub network: String,
    /// `region/zone/subzone`.
    #[prost(string, tag = "5")]
    #[serde(skip_serializing_if = "String::is_empty")]
    pub locality: String,
    /// Relative; 0 means 1 to istiod.
    #[prost(uint32, tag = "6")]
    #[serde(skip_serializing_if = "is_zero")]
    pub weight: u32,
}

/// `ServiceEntry.Location`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, prost::Enumeration)]
#[repr(i32)]
pub enum Location {
    /// Never mutual TLS by itself.
    MeshExternal = 0,
    /// Mutual TLS endpoint by endpoint, as their labels say.
    MeshInternal = 1,
}

/// `ServiceEntry.Resolution`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, prost::Enumeration)]
#[repr(i32)]
pub enum Resolution {
    /// The connection's own destination.
    None = 0,
    /// The endpoints, which are addresses.
    Static = 1,
    /// Asynchronous DNS.
    Dns = 2,
    /// One answer of DNS at a time.
    DnsRoundRobin = 3,
}

fn location_name<S: Serializer>(value: &i32, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(match Location::try_from(*value) {
        Ok(Location::MeshInternal) => "MESH_INTERNAL",
        _ => "MESH_EXTERNAL",
    })
}

fn resolution_name<S: Serializer>(value: &i32, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(match Resolution::try_from(*value) {
        Ok(Resolution::Static) => "STATIC",
        Ok(Resolution::Dns) => "DNS",
        Ok(Resolution::DnsRoundRobin) => "DNS_ROUND_ROBIN",
        _ => "NONE",
    })
}

pub(crate) fn is_zero(number: &u32) -> bool {
    *number == 0
}
