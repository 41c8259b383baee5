//! Certificates for a sidecar, as the agent beside it serves them: the secrets `default` (its own) and
//! `ROOTCA` (whom it trusts), by Envoy's secret discovery.
//!
//! Sources of the messages: envoy `service/discovery/v3/discovery.proto`,
//! `extensions/transport_sockets/tls/v3/{secret,common}.proto`, `config/core/v3/base.proto`.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message as _;
use prost_types::Any;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tonic::codegen::Service;
use tonic::server::Grpc;
use tonic::{Request, Response, Status, Streaming};
use tonic_prost::ProstCodec;

use crate::certificates::{Authority, Certificate};
use crate::network::GATEWAY;

const SECRET: &str = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret";

/// A server for one sidecar, where every pod reaches it. It ends when dropped.
#[derive(Debug)]
pub struct Secrets {
    address: SocketAddr,
    held: watch::Sender<Held>,
    server: JoinHandle<()>,
}

impl Secrets {
    /// Serves this identity and this authority.
    ///
    /// # Panics
    /// Before the first [`Namespace`](crate::Namespace) of the test: it listens in their network.
    pub async fn start(authority: &Authority, own: &Certificate) -> Self {
        let listener = TcpListener::bind((GATEWAY, 0)).await.expect("a port");
        let address = listener.local_addr().expect("the port");
        let held = watch::Sender::new(Held {
            chain: own.pem.clone(),
            key: own.key.clone(),
            trusted: authority.pem.clone(),
            version: 1,
        });
        let server = tokio::spawn(serve(listener, held.subscribe()));
        Self {
            address,
            held,
            server,
        }
    }

    /// Serves this identity from now on, to a sidecar that is connected too, as the agent does when a
    /// certificate has lived for half of its time.
    pub fn renew(&self, own: &Certificate) {
        self.held.send_modify(|held| {
            held.chain.clone_from(&own.pem);
            held.key.clone_from(&own.key);
            held.version += 1;
        });
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Secrets {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// Accepts for ever; its connections end with it.
async fn serve(listener: TcpListener, held: watch::Receiver<Held>) {
    let mut connections = JoinSet::new();
    while let Ok((tcp, _)) = listener.accept().await {
        let service = Asked(held.clone());
        // There is one method that a sidecar asks for.
        let answer = service_fn(move |request: http::Request<Incoming>| {
            let service = service.clone();
            async move {
                let mut grpc = Grpc::new(ProstCodec::default());
                Ok::<_, Infallible>(grpc.streaming(service, request).await)
            }
        });
        let server = http2::Builder::new(TokioExecutor::new());
        connections.spawn(server.serve_connection(TokioIo::new(tcp), answer));
    }
}

/// What it serves, PEM.
#[derive(Debug, Clone)]
struct Held {
    chain: String,
    key: String,
    trusted: String,
    /// Of what it is.
    version: u64,
}

impl Held {
    fn answer(&self, names: &[String]) -> DiscoveryResponse {
        let resources = names.iter().map(|name| Any {
            type_url: SECRET.to_owned(),
            value: self.secret(name).encode_to_vec(),
        });
        DiscoveryResponse {
            version_info: self.version.to_string(),
            resources: resources.collect(),
            type_url: SECRET.to_owned(),
            nonce: self.version.to_string(),
        }
    }

    fn secret(&self, name: &str) -> Secret {
        let source = |pem: &str| {
            let inline_string = pem.to_owned();
            Some(DataSource { inline_string })
        };
        let own = TlsCertificate {
            certificate_chain: source(&self.chain),
            private_key: source(&self.key),
        };
        let trust = CertificateValidationContext {
            trusted_ca: source(&self.trusted),
        };
        Secret {
            name: name.to_owned(),
            tls_certificate: (name == "default").then_some(own),
            validation_context: (name == "ROOTCA").then_some(trust),
        }
    }
}

/// Answers a sidecar's stream with what is held, and again with what is held instead.
#[derive(Debug, Clone)]
struct Asked(watch::Receiver<Held>);

impl Service<Request<Streaming<DiscoveryRequest>>> for Asked {
    type Response = Response<BoxStream<'static, Result<DiscoveryResponse, Status>>>;
    type Error = Status;
    type Future = Ready<Result<Self::Response, Status>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Streaming<DiscoveryRequest>>) -> Self::Future {
        let held = self.0.clone();
        let answers = request.into_inner().filter_map(|request| {
            // What has a nonce acknowledges what was sent; a sidecar has a stream for each secret.
            ready(match request {
                Ok(request) if request.response_nonce.is_empty() => Some(request.resource_names),
                Ok(_) | Err(_) => None,
            })
        });
        let answers = answers.flat_map_unordered(None, move |names| {
            let names: Arc<[String]> = names.into();
            let first = (held.clone(), true);
            let versions = stream::unfold(first, async |(mut held, first)| {
                if !first {
                    held.changed().await.ok()?;
                }
                let now = held.borrow_and_update().clone();
                Some((now, (held, false)))
            });
            versions.map(move |held| Ok(held.answer(&names))).boxed()
        });
        ready(Ok(Response::new(answers.boxed())))
    }
}

/// `envoy.service.discovery.v3.DiscoveryRequest`
#[derive(Clone, PartialEq, prost::Message)]
struct DiscoveryRequest {
    #[prost(string, repeated, tag = "3")]
    resource_names: Vec<String>,
    #[prost(string, tag = "5")]
    response_nonce: String,
}

/// `envoy.service.discovery.v3.DiscoveryResponse`
#[derive(Clone, PartialEq, prost::Message)]
struct DiscoveryResponse {
    #[prost(string, tag = "1")]
    version_info: String,
    #[prost(message, repeated, tag = "2")]
    resources: Vec<Any>,
    #[prost(string, tag = "4")]
    type_url: String,
    #[prost(string, tag = "5")]
    nonce: String,
}

/// `envoy.extensions.transport_sockets.tls.v3.Secret`
#[derive(Clone, PartialEq, prost::Message)]
struct Secret {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(message, optional, tag = "2")]
    tls_certificate: Option<TlsCertificate>,
    #[prost(message, optional, tag = "4")]
    validation_context: Option<CertificateValidationContext>,
}

/// `envoy.extensions.transport_sockets.tls.v3.TlsCertificate`
#[derive(Clone, PartialEq, prost::Message)]
struct TlsCertificate {
    #[prost(message, optional, tag = "1")]
    certificate_chain: Option<DataSource>,
    #[prost(message, optional, tag = "2")]
    private_key: Option<DataSource>,
}

/// `envoy.extensions.transport_sockets.tls.v3.CertificateValidationContext`
#[derive(Clone, PartialEq, prost::Message)]
struct CertificateValidationContext {
    #[prost(message, optional, tag = "1")]
    trusted_ca: Option<DataSource>,
}

/// `envoy.config.core.v3.DataSource`
#[derive(Clone, PartialEq, prost::Message)]
struct DataSource {
    #[prost(string, tag = "3")]
    inline_string: String,
}
