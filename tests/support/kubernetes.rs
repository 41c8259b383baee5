//! The part of a Kubernetes API that istiod needs to start: what the test gives
//! it can be listed, watches stay open and silent, writes are refused.
//!
//! Recent versions of istiod do not start without a Kubernetes client, though
//! they then ask it for nothing that a mesh of plain services needs.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;
use futures::stream;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

type Body = UnsyncBoxBody<Bytes, Infallible>;

/// The resources that it has, with the kinds of their items.
const KINDS: &[(&str, &str)] = &[
    ("clustertrustbundles", "ClusterTrustBundle"),
    ("configmaps", "ConfigMap"),
    ("customresourcedefinitions", "CustomResourceDefinition"),
    ("deployments", "Deployment"),
    ("endpointslices", "EndpointSlice"),
    ("httproutes", "HTTPRoute"),
    ("ingressclasses", "IngressClass"),
    ("ingresses", "Ingress"),
    ("leases", "Lease"),
    (
        "mutatingwebhookconfigurations",
        "MutatingWebhookConfiguration",
    ),
    ("namespaces", "Namespace"),
    ("nodes", "Node"),
    ("peerauthentications", "PeerAuthentication"),
    ("pods", "Pod"),
    ("secrets", "Secret"),
    ("serviceaccounts", "ServiceAccount"),
    ("serviceentries", "ServiceEntry"),
    ("services", "Service"),
    (
        "validatingwebhookconfigurations",
        "ValidatingWebhookConfiguration",
    ),
];

/// A policy that lets workloads do without certificates: else the inbound listener
/// of a true sidecar waits for them, and none of its listeners starts before.
#[must_use]
pub fn without_certificates() -> Vec<Value> {
    vec![
        json!({"kind": "CustomResourceDefinition", "metadata": {
            "name": "peerauthentications.security.istio.io", "uid": "1", "resourceVersion": "1",
        }}),
        json!({"kind": "PeerAuthentication", "apiVersion": "security.istio.io/v1", "metadata": {
            "name": "default", "namespace": "istio-system", "uid": "2", "resourceVersion": "1",
        }, "spec": {"mtls": {"mode": "DISABLE"}}}),
    ]
}

/// A server on a loopback port of its own. It ends when dropped.
#[derive(Debug)]
pub struct Kubernetes {
    address: SocketAddr,
    server: JoinHandle<()>,
}

impl Kubernetes {
    /// Serves `objects`, each with its `kind` and `metadata`.
    ///
    /// # Panics
    /// If an object is of a kind that it does not know.
    pub async fn start(objects: Vec<Value>) -> Self {
        for object in &objects {
            let kind = object["kind"].as_str();
            assert!(
                KINDS.iter().any(|(_, known)| Some(*known) == kind),
                "unknown kind: {object}"
            );
        }
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .expect("a port");
        let address = listener.local_addr().expect("the port");
        Self {
            address,
            server: tokio::spawn(serve(listener, objects.into())),
        }
    }

    /// A kubeconfig that leads to it.
    #[must_use]
    pub fn config(&self) -> String {
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "tests",
            "clusters": [{"name": "tests", "cluster": {"server": format!("http://{}", self.address)}}],
            "users": [{"name": "tests", "user": {}}],
            "contexts": [{"name": "tests", "context": {"cluster": "tests", "user": "tests"}}],
        });
        config.to_string()
    }
}

impl Drop for Kubernetes {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// Accepts for ever; its connections end with it.
async fn serve(listener: TcpListener, objects: Arc<[Value]>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let objects = Arc::clone(&objects);
        let service = service_fn(move |request: Request<Incoming>| {
            let answer = answer(&request, &objects);
            async { Ok::<_, Infallible>(answer) }
        });
        connections.spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

fn answer(request: &Request<Incoming>, objects: &[Value]) -> Response<Body> {
    let query = request.uri().query().unwrap_or("");
    let accept = request
        .headers()
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok())
        .unwrap_or("");
    if request.method() != Method::GET {
        return failure(StatusCode::FORBIDDEN, "Forbidden");
    }
    if request.uri().path() == "/version" {
        return say(
            StatusCode::OK,
            &json!({"major": "1", "minor": "34", "gitVersion": "v1.34.0"}),
        );
    }
    // A streamed list: the client falls back to a list and a watch.
    if query.contains("sendInitialEvents=true") {
        return failure(StatusCode::UNPROCESSABLE_ENTITY, "Invalid");
    }
    if query.contains("watch=") {
        let silence = stream::pending::<Result<Frame<Bytes>, Infallible>>();
        return response(StatusCode::OK, StreamBody::new(silence).boxed_unsync());
    }
    match list(
        request.uri().path(),
        objects,
        accept.contains("PartialObjectMetadata"),
    ) {
        Some(list) => say(StatusCode::OK, &list),
        None => failure(StatusCode::NOT_FOUND, "NotFound"),
    }
}

/// The list at `/api/v1[/namespaces/NS]/RESOURCE` or
/// `/apis/GROUP/VERSION[/namespaces/NS]/RESOURCE`.
fn list(path: &str, objects: &[Value], only_metadata: bool) -> Option<Value> {
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    let (version, rest) = match *parts {
        ["api", version, ref rest @ ..] => (version.to_owned(), rest),
        ["apis", group, version, ref rest @ ..] => (format!("{group}/{version}"), rest),
        _ => return None,
    };
    let (namespace, resource) = match *rest {
        ["namespaces", namespace, resource] => (Some(namespace), resource),
        [resource] => (None, resource),
        _ => return None,
    };
    let (_, kind) = KINDS.iter().find(|(name, _)| *name == resource)?;
    let items: Vec<&Value> = objects
        .iter()
        .filter(|object| object["kind"] == *kind)
        .filter(|object| {
            namespace.is_none_or(|namespace| object["metadata"]["namespace"] == namespace)
        })
        .collect();
    Some(if only_metadata {
        let items: Vec<Value> = items
            .iter()
            .map(|item| json!({"metadata": item["metadata"]}))
            .collect();
        json!({"kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1", "metadata": {"resourceVersion": "1"}, "items": items})
    } else {
        json!({"kind": format!("{kind}List"), "apiVersion": version, "metadata": {"resourceVersion": "1"}, "items": items})
    })
}

fn failure(status: StatusCode, reason: &str) -> Response<Body> {
    let code = status.as_u16();
    say(
        status,
        &json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason}),
    )
}

fn say(status: StatusCode, value: &Value) -> Response<Body> {
    response(
        status,
        Full::new(Bytes::from(value.to_string())).boxed_unsync(),
    )
}

fn response(status: StatusCode, body: Body) -> Response<Body> {
    let builder = Response::builder()
        .status(status)
        .header(header::CONTENT_TYPE, "application/json");
    builder.body(body).expect("a status and one header")
}
