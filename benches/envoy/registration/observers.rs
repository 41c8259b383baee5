//! Who sees when a provider comes, and goes.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use bytes::Bytes;
use dubbo_codec::{Assembler, Limits, set_request_id};
use dubbo_mesh_benches::Client;
use http::Request;
use http_body_util::{BodyExt as _, Empty};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::pods::{PORT, Pods, connect};
use crate::payload::{HOST, SMALL};
use crate::provider::at;

/// Between two looks at Envoy.
const LOOK: Duration = Duration::from_millis(2);
/// Between two calls.
const CALL: Duration = Duration::from_millis(1);
/// Nothing takes longer.
const PATIENCE: Duration = Duration::from_secs(30);

/// A client of dubbo-mesh beside istiod.
pub(crate) struct Adapter {
    seen: watch::Receiver<(Vec<String>, Instant)>,
    task: JoinHandle<()>,
}

impl Adapter {
    pub(crate) async fn connect(server: SocketAddr) -> Self {
        let mut client = Client::connect(server, PATIENCE).await;
        client.subscribe();
        let (seen, receiver) = watch::channel((Vec::new(), Instant::now()));
        let task = tokio::spawn(async move {
            loop {
                let answer = client.answer().await;
                let endpoints = answer.endpoints(HOST).into_keys().collect();
                if seen.send((endpoints, Instant::now())).is_err() {
                    return;
                }
                client.acknowledge(&answer);
            }
        });
        Self {
            seen: receiver,
            task,
        }
    }

    /// Listens no longer: its server may end.
    pub(crate) async fn stop(self) {
        self.task.abort();
        // It says that it was aborted.
        let _ = self.task.await;
    }

    /// When the service had this endpoint, or no longer had it.
    pub(crate) async fn until(&mut self, endpoint: Ipv4Addr, there: bool) -> Instant {
        let endpoint = endpoint.to_string();
        let fits = |(all, _): &(Vec<String>, Instant)| all.contains(&endpoint) == there;
        let seen = timeout(PATIENCE, self.seen.wait_for(fits)).await;
        let seen = seen.expect("a change in time");
        seen.expect("a client that goes on").1
    }
}

/// The admin page of the sidecar.
pub(crate) struct Admin(SendRequest<Empty<Bytes>>);

impl Admin {
    pub(crate) async fn connect() -> Self {
        let stream = connect(at(15000));
        let (sender, connection) = handshake(TokioIo::new(stream)).await.expect("HTTP");
        // If it breaks, so does the next look.
        tokio::spawn(connection);
        Self(sender)
    }

    /// When the cluster had this endpoint, or no longer had it.
    pub(crate) async fn until(&mut self, endpoint: Ipv4Addr, there: bool) -> Instant {
        let line = format!("outbound|{PORT}||{HOST}::{endpoint}:{PORT}::");
        let began = Instant::now();
        while self.page().await.contains(&line) != there {
            assert!(began.elapsed() < PATIENCE, "{line}: {}", !there);
            sleep(LOOK).await;
        }
        Instant::now()
    }

    async fn page(&mut self) -> String {
        self.0.ready().await.expect("an open connection");
        let request = Request::get("/clusters").header("host", "admin");
        let request = request.body(Empty::new()).expect("a request");
        let page = self.0.send_request(request).await.expect("an answer");
        let body = page.into_body().collect().await.expect("a page").to_bytes();
        String::from_utf8_lossy(&body).into_owned()
    }
}

/// An application in the caller's pod that has dialled provider `one`.
pub(crate) struct Caller {
    stream: TcpStream,
    assembler: Assembler,
    frame: Vec<u8>,
    next: i64,
}

impl Caller {
    pub(crate) fn connect(pods: &Pods) -> Self {
        let stream = connect(SocketAddr::from((pods.one.address(), PORT)));
        Self {
            stream,
            assembler: Assembler::new(Limits::default()),
            frame: SMALL.frame(),
            next: 0,
        }
    }

    /// Calls until the provider of this name has answered, and says when that was.
    pub(crate) async fn until(&mut self, name: &str) -> Instant {
        let began = Instant::now();
        while !self.call().await.ends_with(name.as_bytes()) {
            assert!(began.elapsed() < PATIENCE, "nothing came from {name}");
            sleep(CALL).await;
        }
        Instant::now()
    }

    /// The value of the answer.
    async fn call(&mut self) -> Vec<u8> {
        self.next += 1;
        set_request_id(&mut self.frame, self.next);
        let sent = self.stream.write_all(&self.frame).await;
        sent.expect("an open connection");
        let mut buffer = [0; 4096];
        loop {
            let n = self.stream.read(&mut buffer).await.expect("a connection");
            assert_ne!(n, 0, "the connection was closed");
            if let Some(frame) = self.assembler.next(&mut &buffer[..n]).expect("Dubbo") {
                assert_eq!(frame.head().id, self.next);
                return frame.body().to_vec();
            }
        }
    }
}
