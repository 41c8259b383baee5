//! Traces beside OpenTelemetry's: Zipkin with B3, SkyWalking with sw8. A caller for each, and what its
//! provider and the collector are told of one call.
//!
//! Sources: openzipkin/b3-propagation; Zipkin's API v2, `POST /api/v2/spans`; SkyWalking's
//! `language-agent/Tracing.proto` and its cross process propagation headers, v3.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use serde_json::Value;
use support::{attachment, grpc_service, http_service, isolated};

use super::super::{becomes, complaints};
use super::{Caller, Registered, Stage, call};

const SERVICES: &[Registered<'static>] = &[("traced", &["a"])];

const MESH: &str = "extensionProviders: [{name: zipkin, zipkin: {service: zipkin.example, port: 9411}}, \
    {name: skywalking, skywalking: {service: skywalking.example, port: 11800}}]";

/// Of a pod by the label `app`, at a collector of the same name.
fn telemetry(name: &str, port: u16, protocol: &str) -> String {
    format!(
        "---
apiVersion: telemetry.istio.io/v1
kind: Telemetry
metadata: {{name: {name}, namespace: shop}}
spec:
  selector: {{matchLabels: {{app: {name}}}}}
  tracing: [{{providers: [{{name: {name}}}], randomSamplingPercentage: 100}}]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: {name}, namespace: istio-system}}
spec:
  hosts: [{name}.example]
  location: MESH_EXTERNAL
  resolution: STATIC
  ports: [{{number: {port}, name: {protocol}, protocol: {protocol}}}]
  endpoints: [{{address: 10.77.0.254}}]
"
    )
}

#[test]
fn traces_of_zipkin_and_skywalking_go_on_at_the_provider() {
    isolated(async || {
        let resources = telemetry("zipkin", 9411, "HTTP") + &telemetry("skywalking", 11800, "GRPC");
        let stage = Stage::start(SERVICES, &resources, MESH).await;
        let (zipkin, skywalking) = (Zipkin::start().await, SkyWalking::start().await);
        let (of_zipkin, of_skywalking) =
            futures::join!(Caller::start("zipkin", 1), Caller::start("skywalking", 2));
        b3(&of_zipkin, &stage, &zipkin).await;
        sw8(&of_skywalking, &stage, &skywalking).await;
        assert_eq!(complaints(&stage.control.istiod), [""; 0]);
    });
}

/// What the provider was told by the last call.
fn told(stage: &Stage, name: &str) -> Option<String> {
    attachment(stage.seen("a", "traced").last().unwrap(), name)
}

/// Both spellings of B3; Envoy answers in the one that it was asked in.
async fn b3(caller: &Caller, stage: &Stage, zipkin: &Zipkin) {
    let consumer = caller.consumer("a");
    let (trace, parent) = ("80f198ee56343ba864fe8b2a57d3eff7", "e457b5a2e4d86bd1");
    let several = call("traced", "greet", "")
        .with("X-B3-TraceId", trace)
        .with("X-B3-SpanId", parent)
        .with("X-B3-Sampled", "1");
    let one = call("traced", "list", "").with("b3", &format!("{trace}-{parent}-1"));
    let mut ids = Vec::new();
    assert_eq!(consumer.make(&several).await.text, "a");
    let [told_trace, told_parent, sampled, id] = ["TraceId", "ParentSpanId", "Sampled", "SpanId"]
        .map(|name| told(stage, &format!("X-B3-{name}")).unwrap());
    assert_eq!([&*told_trace, &told_parent, &sampled], [trace, parent, "1"]);
    ids.push(id);
    assert_eq!(consumer.make(&one).await.text, "a");
    let b3 = told(stage, "b3").unwrap();
    let parts: Vec<&str> = b3.split('-').collect();
    assert_eq!((parts[0], &parts[2..]), (trace, &["1", parent][..]));
    ids.push(parts[1].to_owned());
    // What nobody has begun to trace begins here, and is told in several headers.
    assert_eq!(consumer.call("traced", "greet", "").await.text, "a");
    assert_ne!(told(stage, "X-B3-TraceId").unwrap(), trace);
    for id in ids {
        becomes("the span", true, async || Ok(zipkin.span(&id).is_some())).await;
        let span = zipkin.span(&id).unwrap();
        let (told_trace, told_parent) = (&span["traceId"], &span["parentId"]);
        assert_eq!((told_trace, told_parent), (&trace.into(), &parent.into()));
        assert_eq!(span["kind"], "CLIENT");
        assert_eq!(span["tags"]["http.status_code"], "200");
    }
}

async fn sw8(caller: &Caller, stage: &Stage, skywalking: &SkyWalking) {
    // Sampled; trace, segment, span 3, service, instance, endpoint, and whom it has called.
    let theirs = "1-dHJhY2U=-c2VnbWVudA==-3-c2hvcA==-cG9k-L2NhcnQ=-dHJhY2Vk";
    let traced = call("traced", "greet", "").with("sw8", theirs);
    assert_eq!(caller.consumer("a").make(&traced).await.text, "a");
    let told = told(stage, "sw8").unwrap();
    let parts: Vec<&str> = told.split('-').collect();
    assert_eq!((parts.len(), parts[0], parts[1]), (8, "1", "dHJhY2U="));
    assert_ne!(parts[2], "c2VnbWVudA==");
    becomes("the segment", true, async || {
        Ok(skywalking.segment("trace").is_some())
    })
    .await;
    let segment = skywalking.segment("trace").unwrap();
    let parent = Reference {
        trace: "trace".to_owned(),
        segment: "segment".to_owned(),
        span: 3,
        service: "shop".to_owned(),
    };
    let references: Vec<_> = segment.spans.iter().flat_map(|it| &it.references).collect();
    assert_eq!(references, [&parent], "{segment:?}");
}

/// Spans by their ids.
#[derive(Debug, Clone, Default)]
struct Zipkin(Arc<Mutex<BTreeMap<String, Value>>>);

impl Zipkin {
    async fn start() -> Self {
        let zipkin = Self::default();
        let shared = zipkin.clone();
        http_service(9411, move |request| shared.take(&request)).await;
        zipkin
    }

    fn take(&self, request: &Request<Bytes>) -> Response<Full<Bytes>> {
        assert_eq!(request.uri().path(), "/api/v2/spans");
        let spans: Vec<Value> = serde_json::from_slice(request.body()).unwrap();
        let named = spans
            .into_iter()
            .map(|span| (span["id"].as_str().unwrap().to_owned(), span));
        self.0.lock().unwrap().extend(named);
        Response::new(Full::default())
    }

    fn span(&self, id: &str) -> Option<Value> {
        self.0.lock().unwrap().get(id).cloned()
    }
}

/// Segments as they came.
#[derive(Debug, Clone, Default)]
struct SkyWalking(Arc<Mutex<Vec<Segment>>>);

impl SkyWalking {
    async fn start() -> Self {
        let skywalking = Self::default();
        let shared = skywalking.clone();
        let take = move |segment: Segment| {
            shared.0.lock().unwrap().push(segment);
            // Commands, of which there are none, are for the end of the stream.
            None::<()>
        };
        grpc_service(11800, take).await;
        skywalking
    }

    fn segment(&self, trace: &str) -> Option<Segment> {
        let segments = self.0.lock().unwrap();
        segments.iter().find(|it| it.trace == trace).cloned()
    }
}

/// `SegmentObject`
#[derive(Clone, PartialEq, prost::Message)]
struct Segment {
    #[prost(string, tag = "1")]
    trace: String,
    #[prost(message, repeated, tag = "3")]
    spans: Vec<SegmentSpan>,
}

/// `SpanObject`
#[derive(Clone, PartialEq, prost::Message)]
struct SegmentSpan {
    #[prost(message, repeated, tag = "5")]
    references: Vec<Reference>,
}

/// `SegmentReference`
#[derive(Clone, PartialEq, prost::Message)]
struct Reference {
    #[prost(string, tag = "2")]
    trace: String,
    #[prost(string, tag = "3")]
    segment: String,
    #[prost(int32, tag = "4")]
    span: i32,
    #[prost(string, tag = "5")]
    service: String,
}
