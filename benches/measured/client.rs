//! A client of configuration sources, as cheap as can be: takes the bytes of each response, and
//! acknowledges as istiod does (istio `pkg/adsc/adsc.go`).

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use dubbo_mcp_server::proto::{DiscoveryRequest, Node};
use http::uri::PathAndQuery;
use prost::Message as _;
use tokio::sync::mpsc;
use tokio::time::sleep;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::client::Grpc;
use tonic::transport::Endpoint;
use tonic::{Request, Streaming};

use crate::answer::Answer;
use crate::raw::{METHOD, Raw};

/// The windows of istiod's client, of a stream and of a connection.
const WINDOW: u32 = 1024 * 1024;
/// Between two attempts to connect.
const AGAIN: Duration = Duration::from_millis(1);

/// The type that we look at.
pub const SERVICE_ENTRY: &str = "networking.istio.io/v1/ServiceEntry";

/// What istiod 1.29 asks for, in its order.
const TYPES: [&str; 15] = [
    "core/v1alpha1/MeshConfig",
    "security.istio.io/v1/AuthorizationPolicy",
    "networking.istio.io/v1/DestinationRule",
    "networking.istio.io/v1alpha3/EnvoyFilter",
    "networking.istio.io/v1/Gateway",
    "security.istio.io/v1/PeerAuthentication",
    "networking.istio.io/v1beta1/ProxyConfig",
    "security.istio.io/v1/RequestAuthentication",
    SERVICE_ENTRY,
    "networking.istio.io/v1/Sidecar",
    "telemetry.istio.io/v1/Telemetry",
    "networking.istio.io/v1/VirtualService",
    "extensions.istio.io/v1alpha1/WasmPlugin",
    "networking.istio.io/v1/WorkloadEntry",
    "networking.istio.io/v1/WorkloadGroup",
];

/// One stream.
pub struct Client {
    requests: mpsc::UnboundedSender<Bytes>,
    responses: Streaming<Bytes>,
}

impl Client {
    /// Opens a stream as soon as the server accepts connections, at most after `patience`.
    pub async fn connect(server: SocketAddr, patience: Duration) -> Self {
        let endpoint = Endpoint::from_shared(format!("http://{server}"))
            .expect("an address makes a URI")
            .initial_stream_window_size(WINDOW)
            .initial_connection_window_size(WINDOW)
            .tcp_nodelay(true);
        let began = Instant::now();
        let channel = loop {
            match endpoint.connect().await {
                Ok(channel) => break channel,
                Err(error) => assert!(began.elapsed() < patience, "{server}: {error}"),
            }
            sleep(AGAIN).await;
        };
        let mut grpc = Grpc::new(channel).max_decoding_message_size(usize::MAX);
        grpc.ready().await.expect("a connection that was just made");
        let (requests, outgoing) = mpsc::unbounded_channel();
        let outgoing = Request::new(UnboundedReceiverStream::new(outgoing));
        let method = PathAndQuery::from_static(METHOD);
        let response = grpc.streaming(outgoing, method, Raw).await;
        let responses = response.unwrap_or_else(|status| panic!("{server}: {status}"));
        Self {
            requests,
            responses: responses.into_inner(),
        }
    }

    /// Asks for everything, as istiod does: all types at once, with nonces that mean nothing.
    pub fn subscribe(&self) {
        for (n, type_url) in TYPES.iter().enumerate() {
            self.say(&DiscoveryRequest {
                node: (n == 0).then(node),
                type_url: (*type_url).to_owned(),
                response_nonce: format!("2026-11-22 10:00:00.{n} +0000 UTC m=+0.{n}"),
                ..DiscoveryRequest::default()
            });
        }
    }

    /// The next message, whole.
    pub async fn message(&mut self) -> Bytes {
        let message = self.responses.message().await;
        let message = message.unwrap_or_else(|status| panic!("the stream ended: {status}"));
        message.expect("a stream that does not end")
    }

    /// The next ServiceEntries; all that comes is acknowledged but them.
    pub async fn answer(&mut self) -> Answer {
        loop {
            let answer = Answer::read(self.message().await);
            if answer.type_url == SERVICE_ENTRY {
                return answer;
            }
            self.acknowledge(&answer);
        }
    }

    /// Takes a set as good.
    pub fn acknowledge(&self, answer: &Answer) {
        self.say(&DiscoveryRequest {
            node: Some(node()),
            type_url: answer.type_url.clone(),
            version_info: answer.version.clone(),
            response_nonce: answer.nonce.clone(),
            ..DiscoveryRequest::default()
        });
    }

    /// A small message of no meaning: the bare server answers to each.
    pub fn nudge(&self) {
        self.say(&DiscoveryRequest {
            type_url: SERVICE_ENTRY.to_owned(),
            ..DiscoveryRequest::default()
        });
    }

    fn say(&self, request: &DiscoveryRequest) {
        // If nobody listens any more the next message is an error.
        let _ = self.requests.send(request.encode_to_vec().into());
    }
}

fn node() -> Node {
    Node {
        id: "sidecar~10.0.0.1~istiod-0.istio-system~istio-system.svc.cluster.local".to_owned(),
        ..Node::default()
    }
}
