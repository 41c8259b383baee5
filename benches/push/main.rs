//! From a change to the client that has it, against a bare stream of the same bytes.
//!
//! One process: the server's runtime and the client's runtime have a thread each. Both sides use the
//! windows of istiod's client (1 MiB). The client reads a message and throws it away, so that what
//! is measured is the way there. "Bare" is a tonic server that copies bytes, encoded beforehand,
//! into its stream; "prost" is one that encodes the message, as a server without shared bytes does.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a program for a terminal"
)]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Buf, BufMut, Bytes};
use dubbo_mcp_server::proto::{DiscoveryRequest, DiscoveryResponse};
use dubbo_mcp_server::server::{Server, Settings};
use dubbo_mcp_server::snapshot::Snapshot;
use dubbo_mcp_server::telemetry::Telemetry;
use dubbo_registry::proto::{ServiceEntry, ServicePort, WorkloadEntry};
use dubbo_registry::resource::{Change, Kind, Object, Resource};
use http::uri::PathAndQuery;
use prost::Message as _;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status, Streaming};

mod bare;

const V1: &str = "networking.istio.io/v1/ServiceEntry";
const PATH: &str =
    "/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources";
const ROUNDS: usize = 60;

fn main() {
    let server = runtime();
    let client = runtime();
    println!("change → client has it, ms, median and p99 of {ROUNDS}; loopback, one thread a side");
    println!(
        "{:>9} {:>9} {:>8} {:>15} {:>15} {:>15} {:>15} {:>10}",
        "services", "endpoints", "MB", "bare", "prost", "ours, 1 client", "ours, 3", "with(), µs"
    );
    for (services, endpoints) in [(500, 4), (5_000, 4), (5_000, 10), (20_000, 10)] {
        let state = state(services, endpoints);
        let bytes = state.set(Kind::ServiceEntry).encoded_len();
        let bare = measure_bare(&server, &client, &state, bare::Kind::Bytes);
        let prost = measure_bare(&server, &client, &state, bare::Kind::Message);
        let (one, with) = measure_ours(&server, &client, &state, 1);
        let (three, _) = measure_ours(&server, &client, &state, 3);
        println!(
            "{services:>9} {endpoints:>9} {:>8.1} {:>15} {:>15} {:>15} {:>15} {:>10.0}",
            bytes as f64 / 1e6,
            show(bare),
            show(prost),
            show(one),
            show(three),
            with[with.len() / 2].as_secs_f64() * 1e6,
        );
    }
}

fn runtime() -> Runtime {
    Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap()
}

fn show(mut times: Vec<Duration>) -> String {
    times.sort();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e3;
    format!("{:.1} / {:.1}", at(0.5), at(0.99))
}

fn state(services: usize, endpoints: usize) -> Snapshot {
    let all = (0..services).map(|n| service(n, endpoints, 100));
    Snapshot::empty().with(all.collect()).0
}

/// A service as the adapter makes them, with so many endpoints.
fn service(n: usize, endpoints: usize, weight: u32) -> Change {
    let host = format!("v1-0-0.com.acme.department{}.api.service{n}.dubbo", n % 97);
    let text = |pairs: &[(&str, &str)]| {
        pairs
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect()
    };
    let endpoint = |e: usize| WorkloadEntry {
        address: format!("10.{}.{}.{}", n % 200, e, n % 250),
        ports: [("dubbo-20880".to_owned(), 20880)].into(),
        labels: text(&[
            ("application", "department-service"),
            ("version", "1.0.0"),
            ("tag", "untagged"),
            ("protocol", "dubbo"),
            ("revision", "1.2.3-RELEASE"),
        ]),
        locality: "region/zone".into(),
        weight,
        ..WorkloadEntry::default()
    };
    let spec = ServiceEntry {
        hosts: vec![host.clone()],
        ports: vec![ServicePort {
            number: 20880,
            protocol: "HTTP2".into(),
            name: "dubbo-20880".into(),
            target_port: 0,
        }],
        resolution: 1,
        endpoints: (0..endpoints).map(endpoint).collect(),
        ..ServiceEntry::default()
    };
    let object = Object {
        namespace: "dubbo-mesh-services".into(),
        name: format!("{host}--dubbo").into(),
        labels: text(&[("application", "department-service")]),
        annotations: text(&[("interface", &host)]),
        spec,
    };
    let resource = Resource::from(&object);
    Change {
        kind: Kind::ServiceEntry,
        name: Arc::clone(&resource.name),
        resource: Some(resource),
    }
}

fn measure_ours(
    server: &Runtime,
    client: &Runtime,
    first: &Snapshot,
    clients: usize,
) -> (Vec<Duration>, Vec<Duration>) {
    let (publish, published) = watch::channel(Some(Arc::new(first.clone())));
    let (stop, stopped) = watch::channel(false);
    let bound = server.block_on(async {
        let telemetry = Telemetry::new(&mut Default::default());
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        Server::bind(address, Settings::default(), telemetry)
            .await
            .unwrap()
    });
    let address = bound.local_addr().unwrap();
    let served = server.spawn(bound.run(published, stopped));
    let mut readers: Vec<Reader> = (0..clients)
        .map(|_| client.block_on(Reader::open(address)))
        .collect();
    let (mut times, mut withs) = (Vec::new(), Vec::new());
    let mut state = first.clone();
    client.block_on(async {
        for reader in &mut readers {
            reader.read().await;
        }
    });
    for round in 0..ROUNDS {
        // From quiet: longer than any rest that the server gives a client.
        std::thread::sleep(Duration::from_millis(350));
        let change = service(round * 7 % 500, 4, 101 + round as u32);
        let begin = Instant::now();
        state = state.with(vec![change]).0;
        withs.push(begin.elapsed());
        publish.send_replace(Some(Arc::new(state.clone())));
        client.block_on(async {
            for reader in &mut readers {
                reader.read().await;
            }
        });
        times.push(begin.elapsed());
    }
    stop.send_replace(true);
    drop(readers);
    server.block_on(served).unwrap();
    withs.sort();
    (times, withs)
}

fn measure_bare(
    server: &Runtime,
    client: &Runtime,
    state: &Snapshot,
    kind: bare::Kind,
) -> Vec<Duration> {
    let bytes: Vec<u8> = state
        .set(Kind::ServiceEntry)
        .chunks()
        .collect::<Vec<_>>()
        .concat();
    let message = match kind {
        bare::Kind::Bytes => bare::Payload::Bytes(bytes.into()),
        bare::Kind::Message => {
            bare::Payload::Message(Arc::new(DiscoveryResponse::decode(&*bytes).unwrap()))
        }
    };
    let (send, address, task) = server.block_on(bare::start());
    let mut reader = client.block_on(Reader::open(address));
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        std::thread::sleep(Duration::from_millis(350));
        let begin = Instant::now();
        send.send(message.clone()).unwrap();
        client.block_on(reader.read());
        times.push(begin.elapsed());
    }
    task.abort();
    times
}

/// Reads messages and keeps nothing of them but what an acknowledgement needs.
struct Reader {
    to: mpsc::UnboundedSender<DiscoveryRequest>,
    from: Streaming<Skipped>,
}

impl Reader {
    async fn open(address: SocketAddr) -> Self {
        let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap();
        let endpoint = endpoint
            .initial_stream_window_size(1024 * 1024)
            .initial_connection_window_size(1024 * 1024);
        let channel: Channel = endpoint.connect().await.unwrap();
        let mut grpc = tonic::client::Grpc::new(channel).max_decoding_message_size(1 << 31);
        grpc.ready().await.unwrap();
        let (to, requests) = mpsc::unbounded_channel();
        to.send(DiscoveryRequest {
            type_url: V1.into(),
            ..Default::default()
        })
        .unwrap();
        let requests = Request::new(UnboundedReceiverStream::new(requests));
        let path = PathAndQuery::from_static(PATH);
        let from = grpc
            .streaming(requests, path, Skip)
            .await
            .unwrap()
            .into_inner();
        Self { to, from }
    }

    async fn read(&mut self) {
        let Skipped(head) = self.from.message().await.unwrap().unwrap();
        // The small fields come first; the rest was cut off in the middle of a resource.
        let mut head = &head[..];
        let mut fields = Vec::new();
        while let Ok((tag, wire)) = prost::encoding::decode_key(&mut head)
            && wire == prost::encoding::WireType::LengthDelimited
            && tag != 2
        {
            let mut text = String::new();
            let context = Default::default();
            prost::encoding::string::merge(wire, &mut text, &mut head, context).unwrap();
            fields.push((tag, text));
        }
        let field = |tag| {
            fields
                .iter()
                .find(|(t, _)| *t == tag)
                .map(|(_, v)| v.clone())
        };
        if let (Some(version_info), Some(nonce)) = (field(1), field(5)) {
            let ack = DiscoveryRequest {
                type_url: V1.into(),
                version_info,
                response_nonce: nonce,
                ..Default::default()
            };
            self.to.send(ack).unwrap();
        }
    }
}

/// The first bytes of a message.
struct Skipped(Bytes);

#[derive(Clone, Default)]
struct Skip;

impl Codec for Skip {
    type Encode = DiscoveryRequest;
    type Decode = Skipped;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Skip {
    type Item = DiscoveryRequest;
    type Error = Status;

    fn encode(&mut self, item: DiscoveryRequest, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        to.put_slice(&item.encode_to_vec());
        Ok(())
    }
}

impl Decoder for Skip {
    type Item = Skipped;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Skipped>, Status> {
        let head = Bytes::copy_from_slice(&from.chunk()[..from.chunk().len().min(512)]);
        from.advance(from.remaining());
        Ok(Some(Skipped(head)))
    }
}
