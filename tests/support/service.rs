//! Small services that a mesh asks, where every pod of the test reaches them: a method of gRPC, a
//! resource over HTTP. They end with the test.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::marker::PhantomData;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message;
use tokio::net::TcpListener;
use tonic::codegen::Service;
use tonic::server::Grpc;
use tonic::{Request, Response, Status, Streaming};
use tonic_prost::ProstCodec;

use crate::network::GATEWAY;

/// Answers each message of each call, whatever the method is called, with one message or none: which
/// serves calls of every kind. Port 0 is any; the address says which.
///
/// # Panics
/// If the port is taken, or before the first [`Namespace`](crate::Namespace) of the test: it listens in
/// their network.
pub async fn grpc_service<Q, A, F>(port: u16, answer: F) -> SocketAddr
where
    Q: Message + Default + 'static,
    A: Message + Default + 'static,
    F: Fn(Q) -> Option<A> + Send + Sync + 'static,
{
    let (listener, address) = listen(port).await;
    let method = Method(Arc::new(answer), PhantomData);
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            let method = method.clone();
            let call = service_fn(move |request: http::Request<Incoming>| {
                let method = method.clone();
                async move {
                    let mut grpc = Grpc::new(ProstCodec::default());
                    Ok::<_, Infallible>(grpc.streaming(method, request).await)
                }
            });
            let server = http2::Builder::new(TokioExecutor::new());
            tokio::spawn(server.serve_connection(TokioIo::new(tcp), call));
        }
    });
    address
}

/// Answers each request over HTTP/1.
///
/// # Panics
/// As [`grpc_service`].
pub async fn http_service<F>(port: u16, answer: F) -> SocketAddr
where
    F: Fn(http::Request<Bytes>) -> http::Response<Full<Bytes>> + Send + Sync + 'static,
{
    let (listener, address) = listen(port).await;
    let answer = Arc::new(answer);
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            let answer = Arc::clone(&answer);
            let call = service_fn(move |request: http::Request<Incoming>| {
                let answer = Arc::clone(&answer);
                async move {
                    let (head, body) = request.into_parts();
                    let body = body.collect().await?.to_bytes();
                    Ok::<_, hyper::Error>(answer(http::Request::from_parts(head, body)))
                }
            });
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(tcp), call));
        }
    });
    address
}

async fn listen(port: u16) -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind((GATEWAY, port)).await.expect("the port");
    let address = listener.local_addr().expect("its address");
    (listener, address)
}

struct Method<Q, A, F>(Arc<F>, PhantomData<fn(Q) -> A>);

impl<Q, A, F> Clone for Method<Q, A, F> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0), PhantomData)
    }
}

impl<Q, A, F> Service<Request<Streaming<Q>>> for Method<Q, A, F>
where
    Q: Message + Default + 'static,
    A: Message + 'static,
    F: Fn(Q) -> Option<A> + Send + Sync + 'static,
{
    type Response = Response<BoxStream<'static, Result<A, Status>>>;
    type Error = Status;
    type Future = Ready<Result<Self::Response, Status>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Streaming<Q>>) -> Self::Future {
        let answer = Arc::clone(&self.0);
        let answers = request
            .into_inner()
            .filter_map(move |request| ready(request.map(|message| answer(message)).transpose()));
        ready(Ok(Response::new(answers.boxed())))
    }
}
