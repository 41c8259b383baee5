//! `istio.networking.v1alpha3.EnvoyFilter` (`envoy_filter.proto`), the fields that we write.

use std::collections::BTreeMap;

use prost::{Enumeration, Message, Oneof};
use prost_types::value::Kind;
use prost_types::{ListValue, Struct, Value};
use serde::{Serialize, Serializer};

/// Type URL of [`EnvoyFilter`].
pub const ENVOY_FILTER_URL: &str = "type.googleapis.com/istio.networking.v1alpha3.EnvoyFilter";

/// Changes to what istiod generates for proxies: in its own namespace, or everywhere if that is the
/// root namespace.
#[derive(Clone, PartialEq, Message, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EnvoyFilter {
    /// The changes, in the order in which they are made.
    #[prost(message, repeated, tag = "4")]
    pub config_patches: Vec<ConfigPatch>,
}

/// `EnvoyFilter.EnvoyConfigObjectPatch`.
#[derive(Clone, PartialEq, Message, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ConfigPatch {
    /// What is changed.
    #[prost(enumeration = "ApplyTo", tag = "1")]
    #[serde(serialize_with = "apply_to")]
    pub apply_to: i32,
    /// Which of them.
    #[prost(message, optional, tag = "2")]
    #[serde(rename = "match")]
    pub matches: Option<ObjectMatch>,
    /// How.
    #[prost(message, optional, tag = "3")]
    pub patch: Option<Patch>,
}

/// `EnvoyFilter.ApplyTo`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Enumeration, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[repr(i32)]
pub enum ApplyTo {
    /// Not legal.
    Invalid = 0,
    /// A filter of a filter chain.
    NetworkFilter = 3,
    /// A filter of an HTTP connection manager.
    HttpFilter = 4,
    /// A route of a virtual host.
    HttpRoute = 7,
    /// A cluster.
    Cluster = 8,
    /// A filter that sees a connection before its chain is chosen.
    ListenerFilter = 11,
}

/// `EnvoyFilter.EnvoyConfigObjectMatch`.
#[derive(Clone, PartialEq, Message, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectMatch {
    /// Which side of the proxy.
    #[prost(enumeration = "PatchContext", tag = "1")]
    #[serde(serialize_with = "context")]
    pub context: i32,
    /// Which proxies.
    #[prost(message, optional, tag = "2")]
    pub proxy: Option<ProxyMatch>,
    /// Which object.
    #[prost(oneof = "ObjectTypes", tags = "3, 4, 5")]
    #[serde(flatten)]
    pub object: Option<ObjectTypes>,
}

/// `EnvoyFilter.PatchContext`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Enumeration, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[repr(i32)]
pub enum PatchContext {
    /// Every side.
    Any = 0,
    /// Towards the application.
    SidecarInbound = 1,
    /// From the application.
    SidecarOutbound = 2,
}

/// `EnvoyFilter.ProxyMatch`.
#[derive(Clone, PartialEq, Eq, Message, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ProxyMatch {
    /// Metadata of the node, all of which it has to have.
    #[prost(btree_map = "string, string", tag = "2")]
    pub metadata: BTreeMap<String, String>,
}

/// `EnvoyFilter.EnvoyConfigObjectMatch.object_types`.
#[derive(Clone, PartialEq, Oneof, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum ObjectTypes {
    /// A listener, or something in it.
    #[prost(message, tag = "3")]
    Listener(ListenerMatch),
    /// A route configuration, or something in it.
    #[prost(message, tag = "4")]
    RouteConfiguration(RouteConfigurationMatch),
    /// A cluster.
    #[prost(message, tag = "5")]
    Cluster(ClusterMatch),
}

/// `EnvoyFilter.ListenerMatch`.
#[derive(Clone, PartialEq, Message, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ListenerMatch {
    /// Its port; for the virtual listeners the destination port of a filter chain.
    #[prost(uint32, tag = "1")]
    #[serde(skip_serializing_if = "super::is_zero")]
    pub port_number: u32,
    /// A filter chain of it.
    #[prost(message, optional, tag = "3")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter_chain: Option<FilterChainMatch>,
    /// Its name.
    #[prost(string, tag = "4")]
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
}

/// `EnvoyFilter.ListenerMatch.FilterChainMatch`.
#[derive(Clone, PartialEq, Message, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FilterChainMatch {
    /// Its name.
    #[prost(string, tag = "1")]
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// A filter of it.
    #[prost(message, optional, tag = "5")]
    pub filter: Option<FilterMatch>,
}

/// `EnvoyFilter.ListenerMatch.FilterMatch`.
#[derive(Clone, PartialEq, Eq, Message, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FilterMatch {
    /// Its name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// A filter inside of it.
    #[prost(message, optional, tag = "2")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sub_filter: Option<SubFilterMatch>,
}

/// `EnvoyFilter.ListenerMatch.SubFilterMatch`.
#[derive(Clone, PartialEq, Eq, Message, Serialize)]
pub struct SubFilterMatch {
    /// Its name.
    #[prost(string, tag = "1")]
    pub name: String,
}

/// `EnvoyFilter.RouteConfigurationMatch`.
#[derive(Clone, PartialEq, Message, Serialize)]
pub struct RouteConfigurationMatch {
    /// A virtual host of it; all of them if there is none.
    #[prost(message, optional, tag = "4")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vhost: Option<VirtualHostMatch>,
    /// Its name.
    #[prost(string, tag = "5")]
    pub name: String,
}

/// `EnvoyFilter.RouteConfigurationMatch.VirtualHostMatch`.
#[derive(Clone, PartialEq, Message, Serialize)]
pub struct VirtualHostMatch {
    /// Its name; any if empty.
    #[prost(string, tag = "1")]
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// A route of it; all of them if there is none.
    #[prost(message, optional, tag = "2")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub route: Option<RouteMatch>,
}

/// `EnvoyFilter.RouteConfigurationMatch.RouteMatch`.
#[derive(Clone, PartialEq, Eq, Message, Serialize)]
pub struct RouteMatch {
    /// What it does.
    #[prost(enumeration = "RouteAction", tag = "2")]
    #[serde(serialize_with = "route_action")]
    pub action: i32,
}

/// `EnvoyFilter.RouteConfigurationMatch.RouteMatch.Action`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Enumeration, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[repr(i32)]
pub enum RouteAction {
    /// Anything.
    Any = 0,
    /// It leads to a cluster, or to several.
    Route = 1,
}

/// `EnvoyFilter.ClusterMatch`.
#[derive(Clone, PartialEq, Eq, Message, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ClusterMatch {
    /// The port of its service; any where it is 0.
    #[prost(uint32, tag = "1")]
    #[serde(skip_serializing_if = "super::is_zero")]
    pub port_number: u32,
    /// The host of its service; any where it is empty.
    #[prost(string, tag = "2")]
    #[serde(skip_serializing_if = "String::is_empty")]
    pub service: String,
}

/// `EnvoyFilter.Patch`.
#[derive(Clone, PartialEq, Message, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Patch {
    /// What to do.
    #[prost(enumeration = "Operation", tag = "1")]
    #[serde(serialize_with = "operation")]
    pub operation: i32,
    /// A configuration of Envoy's, in its JSON form.
    #[prost(message, optional, tag = "2")]
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "value")]
    pub value: Option<Struct>,
}

/// `EnvoyFilter.Patch.Operation`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Enumeration, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[repr(i32)]
pub enum Operation {
    /// Not legal.
    Invalid = 0,
    /// Field by field into what is there.
    Merge = 1,
    /// One more.
    Add = 2,
    /// Taken out.
    Remove = 3,
    /// In front of what matches.
    InsertBefore = 4,
    /// In front of all others.
    InsertFirst = 6,
}

/// A JSON object as a message. Numbers become what JSON's are: doubles.
pub fn to_struct(object: &serde_json::Map<String, serde_json::Value>) -> Struct {
    let field = |(name, value): (&String, &serde_json::Value)| (name.clone(), to_value(value));
    Struct {
        fields: object.iter().map(field).collect(),
    }
}

fn to_value(json: &serde_json::Value) -> Value {
    let kind = match json {
        serde_json::Value::Null => Kind::NullValue(0),
        serde_json::Value::Bool(bool) => Kind::BoolValue(*bool),
        serde_json::Value::Number(number) => Kind::NumberValue(number.as_f64().unwrap_or(f64::NAN)),
        serde_json::Value::String(text) => Kind::StringValue(text.clone()),
        serde_json::Value::Array(values) => Kind::ListValue(ListValue {
            values: values.iter().map(to_value).collect(),
        }),
        serde_json::Value::Object(object) => Kind::StructValue(to_struct(object)),
    };
    Value { kind: Some(kind) }
}

/// The message as JSON again.
fn to_json(message: &Struct) -> serde_json::Value {
    let field = |(name, value): (&String, &Value)| (name.clone(), value_to_json(value));
    serde_json::Value::Object(message.fields.iter().map(field).collect())
}

fn value_to_json(value: &Value) -> serde_json::Value {
    match &value.kind {
        None | Some(Kind::NullValue(_)) => serde_json::Value::Null,
        Some(Kind::BoolValue(bool)) => (*bool).into(),
        Some(Kind::NumberValue(number)) => number_to_json(*number),
        Some(Kind::StringValue(text)) => text.clone().into(),
        Some(Kind::ListValue(list)) => list.values.iter().map(value_to_json).collect(),
        Some(Kind::StructValue(message)) => to_json(message),
    }
}

/// Whole numbers without a point, as people write them.
fn number_to_json(number: f64) -> serde_json::Value {
    const EXACT: f64 = 9_007_199_254_740_992.0; // 2^53
    if number.fract() == 0.0 && number.abs() < EXACT {
        #[expect(clippy::cast_possible_truncation, reason = "whole, and below 2^53")]
        let whole = number as i64;
        return whole.into();
    }
    number.into()
}

fn value<S: Serializer>(value: &Option<Struct>, serializer: S) -> Result<S::Ok, S::Error> {
    value.as_ref().map(to_json).serialize(serializer)
}

fn apply_to<S: Serializer>(value: &i32, serializer: S) -> Result<S::Ok, S::Error> {
    ApplyTo::try_from(*value)
        .unwrap_or(ApplyTo::Invalid)
        .serialize(serializer)
}

fn context<S: Serializer>(value: &i32, serializer: S) -> Result<S::Ok, S::Error> {
    PatchContext::try_from(*value)
        .unwrap_or(PatchContext::Any)
        .serialize(serializer)
}

fn route_action<S: Serializer>(value: &i32, serializer: S) -> Result<S::Ok, S::Error> {
    RouteAction::try_from(*value)
        .unwrap_or(RouteAction::Any)
        .serialize(serializer)
}

fn operation<S: Serializer>(value: &i32, serializer: S) -> Result<S::Ok, S::Error> {
    Operation::try_from(*value)
        .unwrap_or(Operation::Invalid)
        .serialize(serializer)
}
