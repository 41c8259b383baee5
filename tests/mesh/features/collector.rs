//! A collector of traces: OpenTelemetry over HTTP, as much of it as a test asks for.
//!
//! Source of the messages: opentelemetry-proto, `collector/trace/v1/trace_service.proto`,
//! `trace/v1/trace.proto`, `common/v1/common.proto`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use prost::Message;
use support::http_service;

/// OpenTelemetry's own.
const PORT: u16 = 4318;

/// What it was told so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Collector(Arc<Mutex<Vec<Span>>>);

/// A part of a trace.
#[derive(Debug, Clone)]
pub(super) struct Span {
    /// Hexadecimal, as `traceparent` writes it.
    pub(super) trace: String,
    pub(super) parent: String,
    pub(super) id: String,
    pub(super) name: String,
    /// Those that are strings.
    pub(super) attributes: BTreeMap<String, String>,
}

impl Collector {
    /// Listens where every pod reaches it, after the first pod of the test.
    pub(super) async fn start() -> Self {
        let collector = Self::default();
        let shared = collector.clone();
        http_service(PORT, move |request| shared.take(request)).await;
        collector
    }

    pub(super) fn spans(&self) -> Vec<Span> {
        self.0.lock().unwrap().clone()
    }

    fn take(&self, request: Request<Bytes>) -> Response<Full<Bytes>> {
        assert_eq!(request.uri().path(), "/v1/traces");
        let export = Export::decode(request.into_body()).unwrap();
        let scopes = export.resources.into_iter().flat_map(|it| it.scopes);
        let spans = scopes.flat_map(|it| it.spans).map(Span::of);
        self.0.lock().unwrap().extend(spans);
        Response::new(Full::default())
    }
}

impl Span {
    fn of(span: RawSpan) -> Self {
        let hex = |bytes: Vec<u8>| bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let attribute = |it: KeyValue| Some((it.key, it.value?.string?));
        Self {
            trace: hex(span.trace),
            parent: hex(span.parent),
            id: hex(span.id),
            name: span.name,
            attributes: span.attributes.into_iter().filter_map(attribute).collect(),
        }
    }
}

/// `ExportTraceServiceRequest`
#[derive(Clone, PartialEq, Message)]
struct Export {
    #[prost(message, repeated, tag = "1")]
    resources: Vec<ResourceSpans>,
}

#[derive(Clone, PartialEq, Message)]
struct ResourceSpans {
    #[prost(message, repeated, tag = "2")]
    scopes: Vec<ScopeSpans>,
}

#[derive(Clone, PartialEq, Message)]
struct ScopeSpans {
    #[prost(message, repeated, tag = "2")]
    spans: Vec<RawSpan>,
}

/// `Span`
#[derive(Clone, PartialEq, Message)]
struct RawSpan {
    #[prost(bytes, tag = "1")]
    trace: Vec<u8>,
    #[prost(bytes, tag = "2")]
    id: Vec<u8>,
    #[prost(bytes, tag = "4")]
    parent: Vec<u8>,
    #[prost(string, tag = "5")]
    name: String,
    #[prost(message, repeated, tag = "9")]
    attributes: Vec<KeyValue>,
}

#[derive(Clone, PartialEq, Message)]
struct KeyValue {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(message, optional, tag = "2")]
    value: Option<AnyValue>,
}

#[derive(Clone, PartialEq, Message)]
struct AnyValue {
    #[prost(string, optional, tag = "1")]
    string: Option<String>,
}
