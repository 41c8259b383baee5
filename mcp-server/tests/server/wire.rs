//! A bare client of the aggregated discovery stream: what is said is what the test says.

use std::net::SocketAddr;
use std::time::Duration;

use http::uri::PathAndQuery;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::client::Grpc;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status, Streaming};
use tonic_prost::ProstCodec;

use crate::messages::{DiscoveryRequest, DiscoveryResponse, RpcStatus};

pub(crate) const STREAM: &str =
    "/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources";

/// Long enough for a loaded machine; nothing waits this long unless it fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// How long nothing must happen for "nothing happens".
pub(crate) const QUIET: Duration = Duration::from_millis(1500);

/// With the windows of istiod's client: 1 MiB of stream and connection (grpc-go options in
/// istio `pkg/adsc`).
pub(crate) fn endpoint(address: SocketAddr) -> Endpoint {
    Endpoint::from_shared(format!("http://{address}"))
        .unwrap()
        .initial_stream_window_size(1024 * 1024)
        .initial_connection_window_size(1024 * 1024)
        .tcp_nodelay(true)
}

pub(crate) async fn channel(address: SocketAddr) -> Channel {
    endpoint(address).connect().await.unwrap()
}

pub(crate) struct Wire {
    to: mpsc::UnboundedSender<DiscoveryRequest>,
    from: Streaming<DiscoveryResponse>,
}

impl Wire {
    pub(crate) async fn open(channel: Channel) -> Result<Self, Status> {
        Self::open_path(channel, STREAM).await
    }

    pub(crate) async fn open_path(channel: Channel, path: &'static str) -> Result<Self, Status> {
        let (to, requests) = mpsc::unbounded_channel();
        let mut grpc = Grpc::new(channel).max_decoding_message_size(i32::MAX as usize);
        grpc.ready()
            .await
            .map_err(|e| Status::unavailable(e.to_string()))?;
        let requests = Request::new(UnboundedReceiverStream::new(requests));
        let codec = ProstCodec::<DiscoveryRequest, DiscoveryResponse>::default();
        let response = grpc
            .streaming(requests, PathAndQuery::from_static(path), codec)
            .await?;
        Ok(Self {
            to,
            from: response.into_inner(),
        })
    }

    pub(crate) fn say(&self, request: DiscoveryRequest) {
        // A server that ended the stream does not hear it; what the test expects then is the end.
        let _ = self.to.send(request);
    }

    /// Asks for a type as istiod does: with a nonce that means nothing.
    pub(crate) fn ask(&self, type_url: &str) {
        self.say(DiscoveryRequest {
            type_url: type_url.into(),
            response_nonce: "2026-11-22 10:00:00.0 +0000 UTC m=+0.1".into(),
            ..DiscoveryRequest::default()
        });
    }

    pub(crate) fn ack(&self, response: &DiscoveryResponse) {
        self.say(answer(response));
    }

    pub(crate) fn nack(&self, response: &DiscoveryResponse, text: &str) {
        self.say(DiscoveryRequest {
            error_detail: Some(RpcStatus {
                code: 13,
                message: text.into(),
                details: Vec::new(),
            }),
            ..answer(response)
        });
    }

    pub(crate) async fn next(&mut self) -> Result<DiscoveryResponse, Status> {
        match timeout(PATIENCE, self.from.message()).await {
            Ok(Ok(Some(response))) => Ok(response),
            Ok(Ok(None)) => Err(Status::ok("the stream ended in order")),
            Ok(Err(status)) => Err(status),
            Err(_) => panic!("no response within {PATIENCE:?}"),
        }
    }

    /// How the stream ends; whatever is in front of the end is read over.
    pub(crate) async fn end(mut self) -> Status {
        loop {
            if let Err(status) = self.next().await {
                return status;
            }
        }
    }

    pub(crate) async fn expect_quiet(&mut self) {
        if let Ok(said) = timeout(QUIET, self.from.message()).await {
            let said = said.map(|m| m.map(|m| (m.type_url, m.nonce, m.resources.len())));
            panic!("nothing was to be said, but: {said:?}");
        }
    }
}

/// The request that confirms a response.
pub(crate) fn answer(response: &DiscoveryResponse) -> DiscoveryRequest {
    DiscoveryRequest {
        type_url: response.type_url.clone(),
        response_nonce: response.nonce.clone(),
        version_info: response.version_info.clone(),
        ..DiscoveryRequest::default()
    }
}
