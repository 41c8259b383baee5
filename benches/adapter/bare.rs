//! The least that a program can do that does the same: what the bounds are measured against. Each
//! runs as a process of its own, as `dubbo-mesh` does.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::task::{Context, Poll};

use bytes::Bytes;
use dubbo_mesh_benches::Raw;
use futures::stream::BoxStream;
use futures::{StreamExt, stream};
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;
use tonic::codegen::Service;
use tonic::{Status, Streaming};
use zookeeper_client::Client;

/// As many as `dubbo-mesh` has under way while it reads (`IN_FLIGHT` of its ZooKeeper source).
const IN_FLIGHT: usize = 128;

/// Lists every provider directory under `root` and says how much there was.
pub(crate) async fn list(server: &str, root: &str) {
    let client = Client::connect(server).await.expect("a session");
    let interfaces = client.list_children(root).await.expect("the root");
    let listed = interfaces.into_iter().map(|interface| {
        let (client, path) = (client.clone(), format!("{root}/{interface}/providers"));
        async move { client.get_children(&path).await.expect("a directory") }
    });
    let (mut count, mut bytes) = (0_usize, 0_usize);
    let mut listed = stream::iter(listed).buffer_unordered(IN_FLIGHT);
    while let Some((names, _)) = listed.next().await {
        count += names.len();
        bytes += names.iter().map(String::len).sum::<usize>();
    }
    writeln!(std::io::stdout(), "{count} {bytes}").expect("a reader");
}

/// Answers each message of a stream with the content of a file.
pub(crate) async fn send(listen: SocketAddr, file: &Path) {
    let payload: Bytes = std::fs::read(file).expect("the file to send").into();
    let listener = TcpListener::bind(listen).await.expect("a free port");
    loop {
        let (tcp, _) = listener.accept().await.expect("a connection");
        tcp.set_nodelay(true).expect("a socket");
        let payload = payload.clone();
        let service = service_fn(move |request| answer(payload.clone(), request));
        let connection =
            http2::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(tcp), service);
        // It ends when the client goes; how does not matter.
        tokio::spawn(connection);
    }
}

async fn answer(
    payload: Bytes,
    request: Request<Incoming>,
) -> Result<Response<tonic::body::Body>, Infallible> {
    let mut grpc = tonic::server::Grpc::new(Raw);
    Ok(grpc.streaming(Same(payload), request).await)
}

/// Says the same to everything.
struct Same(Bytes);

impl Service<tonic::Request<Streaming<Bytes>>> for Same {
    type Response = tonic::Response<BoxStream<'static, Result<Bytes, Status>>>;
    type Error = Status;
    type Future = Ready<Result<Self::Response, Status>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: tonic::Request<Streaming<Bytes>>) -> Self::Future {
        let payload = self.0.clone();
        let answers = request
            .into_inner()
            .map(move |asked| asked.map(|_| payload.clone()));
        ready(Ok(tonic::Response::new(answers.boxed())))
    }
}
