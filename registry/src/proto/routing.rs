//! `istio.networking.v1alpha3.VirtualService` and `DestinationRule` (`virtual_service.proto`,
//! `destination_rule.proto`), the fields that we write.

use std::collections::BTreeMap;

use prost::{Message, Oneof};
use serde::Serialize;

/// Type URL of [`VirtualService`].
pub const VIRTUAL_SERVICE_URL: &str =
    "type.googleapis.com/istio.networking.v1alpha3.VirtualService";
/// Type URL of [`DestinationRule`].
pub const DESTINATION_RULE_URL: &str =
    "type.googleapis.com/istio.networking.v1alpha3.DestinationRule";

/// Where the requests of a host go.
#[derive(Clone, PartialEq, Message, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VirtualService {
    /// The hosts.
    #[prost(string, repeated, tag = "1")]
    pub hosts: Vec<String>,
    /// Routes; the first one that matches.
    #[prost(message, repeated, tag = "3")]
    pub http: Vec<HttpRoute>,
    /// Namespaces that see it; all where there are none.
    #[prost(string, repeated, tag = "6")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub export_to: Vec<String>,
}

/// `HTTPRoute`.
#[derive(Clone, PartialEq, Message, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HttpRoute {
    /// One of these; any request where there are none.
    #[prost(message, repeated, tag = "1")]
    #[serde(rename = "match", skip_serializing_if = "Vec::is_empty")]
    pub matches: Vec<HttpMatch>,
    /// Where to.
    #[prost(message, repeated, tag = "2")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub route: Vec<HttpRouteDestination>,
    /// For logs and statistics.
    #[prost(string, tag = "17")]
    pub name: String,
    /// An answer without a destination.
    #[prost(message, optional, tag = "21")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub direct_response: Option<DirectResponse>,
}

/// `HTTPMatchRequest`.
#[derive(Clone, PartialEq, Message, Serialize)]
pub struct HttpMatch {
    /// All of these headers, lower case.
    #[prost(btree_map = "string, message", tag = "5")]
    pub headers: BTreeMap<String, StringMatch>,
}

/// `StringMatch`.
#[derive(Clone, PartialEq, Eq, Message, Serialize)]
pub struct StringMatch {
    /// How.
    #[prost(oneof = "MatchType", tags = "1, 3")]
    #[serde(flatten)]
    pub match_type: Option<MatchType>,
}

/// `StringMatch.match_type`.
#[derive(Clone, PartialEq, Eq, Oneof, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum MatchType {
    /// The whole value.
    #[prost(string, tag = "1")]
    Exact(String),
    /// RE2, the whole value.
    #[prost(string, tag = "3")]
    Regex(String),
}

/// `HTTPRouteDestination`.
#[derive(Clone, PartialEq, Eq, Message, Serialize)]
pub struct HttpRouteDestination {
    /// The service.
    #[prost(message, optional, tag = "1")]
    pub destination: Option<Destination>,
}

/// `Destination`.
#[derive(Clone, PartialEq, Eq, Message, Serialize)]
pub struct Destination {
    /// The host of the service.
    #[prost(string, tag = "1")]
    pub host: String,
    /// A subset of its endpoints.
    #[prost(string, tag = "2")]
    pub subset: String,
}

/// `HTTPDirectResponse`.
#[derive(Clone, PartialEq, Eq, Message, Serialize)]
pub struct DirectResponse {
    /// HTTP status.
    #[prost(uint32, tag = "1")]
    pub status: u32,
    /// The body.
    #[prost(message, optional, tag = "2")]
    pub body: Option<HttpBody>,
}

/// `HTTPBody`.
#[derive(Clone, PartialEq, Eq, Message, Serialize)]
pub struct HttpBody {
    /// As text.
    #[prost(string, tag = "1")]
    pub string: String,
}

/// Subsets of the endpoints of a host.
#[derive(Clone, PartialEq, Message, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DestinationRule {
    /// The host.
    #[prost(string, tag = "1")]
    pub host: String,
    /// The subsets.
    #[prost(message, repeated, tag = "3")]
    pub subsets: Vec<Subset>,
    /// Namespaces that see it; all where there are none.
    #[prost(string, repeated, tag = "4")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub export_to: Vec<String>,
}

/// `Subset`.
#[derive(Clone, PartialEq, Eq, Message, Serialize)]
pub struct Subset {
    /// A DNS label.
    #[prost(string, tag = "1")]
    pub name: String,
    /// Labels that its endpoints have.
    #[prost(btree_map = "string, string", tag = "2")]
    pub labels: BTreeMap<String, String>,
}
