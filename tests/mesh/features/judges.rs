//! Servers that Envoy asks about each call: whether it may be made, over HTTP and gRPC, and whether there
//! were too many of its kind.
//!
//! Sources of the messages: envoy `service/auth/v3/external_auth.proto`, `attribute_context.proto`,
//! `service/ratelimit/v3/rls.proto`, `extensions/common/ratelimit/v3/ratelimit.proto`,
//! `config/core/v3/base.proto`.

use std::collections::BTreeMap;
use std::sync::Mutex;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use prost::Message;
use support::{grpc_service, http_service};

/// Lets pass what is no failure and not from Europe, and says so as `region`.
pub(super) async fn over_http(port: u16) {
    let judge = |request: Request<Bytes>| {
        let region = request.headers().get("region").map(|it| it.as_bytes());
        let (status, why) = match (request.uri().path(), region) {
            ("/com.acme.Greeter/fail", _) => (403, "nothing may fail"),
            (_, Some(b"eu")) => (429, "too many from eu"),
            _ => (200, ""),
        };
        let response = Response::builder().status(status).header("region", "http");
        response.body(Full::from(why)).unwrap()
    };
    http_service(port, judge).await;
}

/// Lets pass what this workload calls, and says so as `region`.
pub(super) async fn over_grpc(port: u16, principal: &'static str) {
    let judge = move |check: CheckRequest| {
        let source = check.attributes.and_then(|it| it.source);
        let allowed = source.unwrap_or_default().principal == principal;
        let region = HeaderValue {
            key: "region".to_owned(),
            value: "grpc".to_owned(),
        };
        let ok = OkResponse {
            headers: vec![HeaderOption {
                header: Some(region),
                action: OVERWRITE,
            }],
        };
        let denied = DeniedResponse {
            status: Some(HttpStatus { code: 403 }),
            body: "not you".to_owned(),
        };
        Some(CheckResponse {
            status: Some(RpcStatus {
                code: if allowed { 0 } else { PERMISSION_DENIED },
            }),
            denied: (!allowed).then_some(denied),
            ok: allowed.then_some(ok),
        })
    };
    grpc_service(port, judge).await;
}

/// Lets pass so many calls of each kind, ever.
pub(super) async fn rate_limit(port: u16, calls: usize) {
    let seen = Mutex::new(BTreeMap::<Vec<String>, usize>::new());
    let judge = move |request: RateLimitRequest| {
        let entries = request.descriptors.into_iter().flat_map(|it| it.entries);
        let kind = entries.map(|it| format!("{}={}", it.key, it.value));
        let mut seen = seen.lock().unwrap();
        let count = seen.entry(kind.collect()).or_default();
        *count += 1;
        let code = if *count > calls { OVER_LIMIT } else { OK };
        Some(RateLimitResponse { code })
    };
    grpc_service(port, judge).await;
}

/// `google.rpc.Code.PERMISSION_DENIED`
const PERMISSION_DENIED: i32 = 7;
/// `HeaderValueOption.OVERWRITE_IF_EXISTS_OR_ADD`
const OVERWRITE: i32 = 2;
/// `RateLimitResponse.Code`
const OK: i32 = 1;
const OVER_LIMIT: i32 = 2;

#[derive(Clone, PartialEq, Message)]
struct CheckRequest {
    #[prost(message, optional, tag = "1")]
    attributes: Option<Attributes>,
}

/// `AttributeContext`
#[derive(Clone, PartialEq, Message)]
struct Attributes {
    #[prost(message, optional, tag = "1")]
    source: Option<Peer>,
}

#[derive(Clone, PartialEq, Message)]
struct Peer {
    #[prost(string, tag = "4")]
    principal: String,
}

#[derive(Clone, PartialEq, Message)]
struct CheckResponse {
    #[prost(message, optional, tag = "1")]
    status: Option<RpcStatus>,
    #[prost(message, optional, tag = "2")]
    denied: Option<DeniedResponse>,
    #[prost(message, optional, tag = "3")]
    ok: Option<OkResponse>,
}

/// `google.rpc.Status`
#[derive(Clone, PartialEq, Message)]
struct RpcStatus {
    #[prost(int32, tag = "1")]
    code: i32,
}

/// `DeniedHttpResponse`
#[derive(Clone, PartialEq, Message)]
struct DeniedResponse {
    #[prost(message, optional, tag = "1")]
    status: Option<HttpStatus>,
    #[prost(string, tag = "3")]
    body: String,
}

#[derive(Clone, PartialEq, Message)]
struct HttpStatus {
    #[prost(int32, tag = "1")]
    code: i32,
}

/// `OkHttpResponse`
#[derive(Clone, PartialEq, Message)]
struct OkResponse {
    #[prost(message, repeated, tag = "2")]
    headers: Vec<HeaderOption>,
}

/// `HeaderValueOption`
#[derive(Clone, PartialEq, Message)]
struct HeaderOption {
    #[prost(message, optional, tag = "1")]
    header: Option<HeaderValue>,
    #[prost(int32, tag = "3")]
    action: i32,
}

#[derive(Clone, PartialEq, Message)]
struct HeaderValue {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(string, tag = "2")]
    value: String,
}

#[derive(Clone, PartialEq, Message)]
struct RateLimitRequest {
    #[prost(message, repeated, tag = "2")]
    descriptors: Vec<Descriptor>,
}

/// `RateLimitDescriptor`
#[derive(Clone, PartialEq, Message)]
struct Descriptor {
    #[prost(message, repeated, tag = "1")]
    entries: Vec<Entry>,
}

#[derive(Clone, PartialEq, Message)]
struct Entry {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(string, tag = "2")]
    value: String,
}

#[derive(Clone, PartialEq, Message)]
struct RateLimitResponse {
    #[prost(int32, tag = "1")]
    code: i32,
}
