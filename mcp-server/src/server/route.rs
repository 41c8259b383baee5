//! Which gRPC method is called, and the answers that need no stream.
//!
//! Owns: paths, HTTP-level refusals, statuses, the health service, decoding of request messages
//! (limits included). Must not know: what a session decides, but for its last word.

use std::marker::PhantomData;

use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header};
use hyper::body::Incoming;
use tonic::codec::{DecodeBuf, Decoder, Streaming};
use tonic::{Code, Status};

use super::body::{Body, Outgoing};
use super::message;
use crate::proto::{HealthCheckRequest, HealthCheckResponse};
use crate::session::Close;

type Response = http::Response<Body>;

const SERVICE: &str = "envoy.service.discovery.v3.AggregatedDiscoveryService";
const GRPC: &str = "application/grpc";

/// What a request wants.
pub(super) enum Call {
    /// The aggregated discovery stream.
    Stream,
    /// Whether we are well.
    Health,
    /// Nothing that we have; the answer says so.
    Refused(Response),
}

/// Reads method, content type and path.
pub(super) fn call<B>(request: &Request<B>) -> Call {
    if request.method() != Method::POST {
        return Call::Refused(plain(StatusCode::METHOD_NOT_ALLOWED));
    }
    let content_type = request.headers().get(header::CONTENT_TYPE);
    let is_grpc = |value: &HeaderValue| value.as_bytes().starts_with(GRPC.as_bytes());
    if !content_type.is_some_and(is_grpc) {
        return Call::Refused(plain(StatusCode::UNSUPPORTED_MEDIA_TYPE));
    }
    let path = request.uri().path();
    let (service, method) = path[path.len().min(1)..]
        .rsplit_once('/')
        .unwrap_or_default();
    match (service, method) {
        (SERVICE, "StreamAggregatedResources") => Call::Stream,
        (SERVICE, "DeltaAggregatedResources") => refuse(
            "incremental xDS is not served: use StreamAggregatedResources (state of the world)",
        ),
        ("grpc.health.v1.Health", "Check") => Call::Health,
        ("grpc.health.v1.Health", _) => refuse("of the health service only Check is served"),
        (service, _) if service.starts_with("envoy.service.discovery.v2") => {
            refuse("xDS v2 is not served: use envoy.service.discovery.v3")
        }
        _ => refuse("served: the aggregated discovery service of xDS v3, and grpc.health.v1"),
    }
}

fn refuse(text: &str) -> Call {
    Call::Refused(Status::unimplemented(text).into_http())
}

fn plain(status: StatusCode) -> Response {
    let mut response = Response::default();
    *response.status_mut() = status;
    response
}

/// A response that goes on as long as its body does.
pub(super) fn streaming(body: Body) -> Response {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(GRPC));
    response
}

/// How a stream ends.
pub(super) fn trailers(status: &Status) -> HeaderMap {
    let mut map = HeaderMap::new();
    if status.add_header(&mut map).is_err() {
        // A text that no header can carry: the code alone says enough.
        let code = HeaderValue::from(status.code() as i32);
        map.insert("grpc-status", code);
    }
    map
}

/// The status of a stream that the session ends.
pub(super) fn end(why: &Close) -> Status {
    let text = why.to_string();
    match why {
        Close::NoTypeUrl | Close::LongTypeUrl(_) => Status::invalid_argument(text),
        Close::TooManyTypes(_) => Status::resource_exhausted(text),
        Close::Silent(_) | Close::NoAck { .. } => Status::deadline_exceeded(text),
    }
}

/// The messages of a request, each at most `limit` bytes.
pub(super) fn messages<M>(request: Request<Incoming>, limit: usize) -> Streaming<M>
where
    M: prost::Message + Default + 'static,
{
    Streaming::new_request(
        Messages(PhantomData),
        request.into_body(),
        None,
        Some(limit),
    )
}

/// `grpc.health.v1.Health/Check` (grpc `doc/health-checking.md`): of the whole server and of the
/// discovery service; well = something is published.
pub(super) async fn health(mut ask: Streaming<HealthCheckRequest>, well: bool) -> Response {
    let asked = match ask.message().await {
        Ok(asked) => asked.unwrap_or_default().service,
        Err(status) => return status.into_http(),
    };
    if !asked.is_empty() && asked != SERVICE {
        return Status::not_found("no such service").into_http();
    }
    let answer = HealthCheckResponse {
        status: if well { 1 } else { 2 },
    };
    match message::small(&answer) {
        Err(status) => status.into_http(),
        Ok(message) => streaming(Body::ready([
            Outgoing::Message(message),
            Outgoing::Trailers(trailers(&Status::new(Code::Ok, ""))),
        ])),
    }
}

struct Messages<M>(PhantomData<M>);

impl<M: prost::Message + Default> Decoder for Messages<M> {
    type Item = M;
    type Error = Status;

    fn decode(&mut self, bytes: &mut DecodeBuf<'_>) -> Result<Option<M>, Status> {
        let message = M::decode(bytes).map_err(|e| Status::invalid_argument(e.to_string()))?;
        Ok(Some(message))
    }
}
