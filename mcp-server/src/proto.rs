//! The messages of the wire, as far as they are needed; fields that are not named here are skipped.
//!
//! Owns: field numbers. Must not know: what the messages mean.
//! Sources: envoy `service/discovery/v3/discovery.proto`, `config/core/v3/base.proto`; google
//! `rpc/status.proto`; grpc `health/v1/health.proto`.

/// `envoy.service.discovery.v3.DiscoveryRequest`. `resource_names` (3) and `resource_locators` (7)
/// are not read: subscribers get every resource of a type.
#[derive(Clone, PartialEq, prost::Message)]
pub struct DiscoveryRequest {
    /// The version that the client holds; echoed from the response it confirms.
    #[prost(string, tag = "1")]
    pub version_info: String,
    /// Who asks; on the first request of a stream, later at will.
    #[prost(message, optional, tag = "2")]
    pub node: Option<Node>,
    /// What is asked for.
    #[prost(string, tag = "4")]
    pub type_url: String,
    /// Which response this confirms or refuses.
    #[prost(string, tag = "5")]
    pub response_nonce: String,
    /// Why the response is refused; absent = it is confirmed.
    #[prost(message, optional, tag = "6")]
    pub error_detail: Option<Status>,
}

/// `envoy.service.discovery.v3.DiscoveryResponse`. The server encodes only its small fields with
/// this and appends `resources` from bytes that it has already.
#[derive(Clone, PartialEq, prost::Message)]
pub struct DiscoveryResponse {
    /// The version of the set.
    #[prost(string, tag = "1")]
    pub version_info: String,
    /// The full set.
    #[prost(message, repeated, tag = "2")]
    pub resources: Vec<prost_types::Any>,
    /// Exactly the string of the request.
    #[prost(string, tag = "4")]
    pub type_url: String,
    /// Names this response on its stream.
    #[prost(string, tag = "5")]
    pub nonce: String,
}

/// `envoy.config.core.v3.Node`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Node {
    /// Identity as the client gives it; it proves nothing.
    #[prost(string, tag = "1")]
    pub id: String,
    /// The cluster it says it is in.
    #[prost(string, tag = "2")]
    pub cluster: String,
    /// Free facts: istiod sends GENERATOR, ISTIO_REVISION, ISTIO_VERSION.
    #[prost(message, optional, tag = "3")]
    pub metadata: Option<prost_types::Struct>,
    /// Its software.
    #[prost(string, tag = "6")]
    pub user_agent_name: String,
}

/// `google.rpc.Status`; details are skipped.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Status {
    /// A gRPC code.
    #[prost(int32, tag = "1")]
    pub code: i32,
    /// For a person.
    #[prost(string, tag = "2")]
    pub message: String,
}

/// `grpc.health.v1.HealthCheckRequest`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct HealthCheckRequest {
    /// The service asked about; empty = the whole server.
    #[prost(string, tag = "1")]
    pub service: String,
}

/// `grpc.health.v1.HealthCheckResponse`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct HealthCheckResponse {
    /// 1 = SERVING, 2 = NOT_SERVING.
    #[prost(int32, tag = "1")]
    pub status: i32,
}
