//! A tonic server that does nothing but stream what it is given.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bytes::{BufMut, Bytes};
use dubbo_mcp_server::proto::{DiscoveryRequest, DiscoveryResponse};
use prost::Message as _;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::{TcpListenerStream, UnboundedReceiverStream};
use tonic::body::Body;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::{BoxFuture, Service};
use tonic::server::{Grpc, NamedService, StreamingService};
use tonic::{Request, Response, Status, Streaming};

pub(crate) enum Kind {
    Bytes,
    Message,
}

#[derive(Clone)]
pub(crate) enum Payload {
    Bytes(Bytes),
    Message(Arc<DiscoveryResponse>),
}

type Queue = mpsc::UnboundedReceiver<Payload>;

#[derive(Clone)]
struct Bare(Arc<Mutex<Option<Queue>>>);

pub(crate) async fn start() -> (mpsc::UnboundedSender<Payload>, SocketAddr, JoinHandle<()>) {
    let (send, queue) = mpsc::unbounded_channel();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = Bare(Arc::new(Mutex::new(Some(queue))));
    let server = tonic::transport::Server::builder().add_service(service);
    let incoming = TcpListenerStream::new(listener).map(|tcp| {
        let tcp = tcp?;
        tcp.set_nodelay(true)?;
        Ok::<_, std::io::Error>(tcp)
    });
    let task = tokio::spawn(async move { server.serve_with_incoming(incoming).await.unwrap() });
    (send, address, task)
}

impl NamedService for Bare {
    const NAME: &'static str = "envoy.service.discovery.v3.AggregatedDiscoveryService";
}

impl Service<http::Request<Body>> for Bare {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Self::Error>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let method = self.clone();
        Box::pin(async move { Ok(Grpc::new(Copying).streaming(method, request).await) })
    }
}

impl StreamingService<DiscoveryRequest> for Bare {
    type Response = Payload;
    type ResponseStream = tokio_stream::adapters::Map<
        UnboundedReceiverStream<Payload>,
        fn(Payload) -> Result<Payload, Status>,
    >;
    type Future = BoxFuture<Response<Self::ResponseStream>, Status>;

    fn call(&mut self, _: Request<Streaming<DiscoveryRequest>>) -> Self::Future {
        let queue = self.0.lock().unwrap().take().unwrap();
        let ok: fn(Payload) -> Result<Payload, Status> = Ok;
        let stream = UnboundedReceiverStream::new(queue).map(ok);
        Box::pin(async move { Ok(Response::new(stream)) })
    }
}

#[derive(Clone, Default)]
struct Copying;

impl Codec for Copying {
    type Encode = Payload;
    type Decode = DiscoveryRequest;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Copying {
    type Item = Payload;
    type Error = Status;

    fn encode(&mut self, item: Payload, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        match item {
            Payload::Bytes(bytes) => to.put(bytes),
            Payload::Message(message) => message.encode(to).unwrap(),
        }
        Ok(())
    }
}

impl Decoder for Copying {
    type Item = DiscoveryRequest;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<DiscoveryRequest>, Status> {
        Ok(Some(DiscoveryRequest::decode(from).unwrap()))
    }
}
