//! What operators and probes ask over HTTP: `/livez`, `/readyz`, `/metrics`, `/clients`,
//! `/registries`, `/refused`, `/unidentified`.
//!
//! Owns: paths and formats. Must not know: how the answers come about. It shows no secrets and
//! changes nothing, but names clients: keep the port to those who operate the process.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use dubbo_registry::resource::Kind;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use prometheus_client::registry::Registry;
use serde::Serialize;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::{sleep, timeout};

use crate::server::{Published, Stop};
use crate::snapshot::Snapshot;
use crate::status::Status;
use crate::telemetry::{ClientView, Telemetry};

/// Requests at one time; more wait in the system's queue.
const MAX_CONNECTIONS: usize = 32;

/// How long a request and its answer may take together.
const PATIENCE: Duration = Duration::from_secs(15);

/// What the endpoint tells about.
#[derive(Clone, Debug)]
pub struct Admin {
    /// Every metric of the process.
    pub metrics: Arc<Registry>,
    /// Who is connected.
    pub telemetry: Telemetry,
    /// Ready = something is published.
    pub published: Published,
    /// The registries, and what is refused.
    pub status: watch::Receiver<Arc<Status>>,
    /// Not ready any more.
    pub stop: Stop,
}

/// What there is to ask, for those who ask for something else.
const PATHS: &str = "/livez /readyz /metrics /clients /registries /refused /unidentified\n";

type Answer = Response<Full<Bytes>>;

#[derive(Serialize)]
struct Listing {
    published: BTreeMap<String, SetView>,
    clients: Vec<ClientView>,
}

#[derive(Serialize)]
struct SetView {
    version: String,
    resources: usize,
    bytes: usize,
}

impl Admin {
    /// Binds the address.
    ///
    /// # Errors
    /// The address cannot be bound.
    pub async fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
        TcpListener::bind(address).await
    }

    /// Answers for ever; abort the task to end it.
    pub async fn run(self, listener: TcpListener) {
        let admin = Arc::new(self);
        let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        loop {
            let Ok(place) = Arc::clone(&places).acquire_owned().await else {
                return;
            };
            match listener.accept().await {
                Ok((tcp, _)) => {
                    let admin = Arc::clone(&admin);
                    tokio::spawn(async move {
                        // Whether the asker heard the answer is the asker's business.
                        let _ = timeout(PATIENCE, serve(tcp, admin)).await;
                        drop(place);
                    });
                }
                Err(_) => sleep(Duration::from_millis(100)).await,
            }
        }
    }

    fn answer(&self, method: &Method, path: &str) -> Answer {
        if method != Method::GET {
            return text(StatusCode::METHOD_NOT_ALLOWED, "only GET\n");
        }
        match path {
            "/livez" => text(StatusCode::OK, "ok\n"),
            "/readyz" => self.ready(),
            "/metrics" => self.metrics(),
            "/clients" => self.clients(),
            "/registries" => json(&self.status.borrow().registries),
            "/refused" => json(&self.status.borrow().refused),
            "/unidentified" => json(&self.status.borrow().unidentified),
            _ => text(StatusCode::NOT_FOUND, PATHS),
        }
    }

    fn ready(&self) -> Answer {
        let unready = |why| text(StatusCode::SERVICE_UNAVAILABLE, why);
        if *self.stop.borrow() {
            return unready("draining\n");
        }
        match *self.published.borrow() {
            Some(_) => text(StatusCode::OK, "ok\n"),
            None => unready("nothing is published yet: the registry was not read completely\n"),
        }
    }

    fn metrics(&self) -> Answer {
        let mut page = String::new();
        match prometheus_client::encoding::text::encode(&mut page, &self.metrics) {
            Ok(()) => typed(
                page,
                "application/openmetrics-text; version=1.0.0; charset=utf-8",
            ),
            Err(_) => text(StatusCode::INTERNAL_SERVER_ERROR, "metrics unreadable\n"),
        }
    }

    fn clients(&self) -> Answer {
        let snapshot = self.published.borrow().clone();
        let listing = Listing {
            published: snapshot.map(|s| sets(&s)).unwrap_or_default(),
            clients: self.telemetry.clients(),
        };
        json(&listing)
    }
}

fn json(value: &impl Serialize) -> Answer {
    match serde_json::to_string_pretty(value) {
        Ok(json) => typed(json + "\n", "application/json"),
        Err(_) => text(StatusCode::INTERNAL_SERVER_ERROR, "unreadable\n"),
    }
}

fn sets(snapshot: &Snapshot) -> BTreeMap<String, SetView> {
    let view = |kind: Kind| {
        let set = snapshot.set(kind);
        let view = SetView {
            version: set.version().to_string(),
            resources: set.len(),
            bytes: set.encoded_len(),
        };
        (format!("{kind:?}"), view)
    };
    Kind::ALL.into_iter().map(view).collect()
}

async fn serve(tcp: TcpStream, admin: Arc<Admin>) -> hyper::Result<()> {
    let service = service_fn(move |request: Request<_>| {
        let answer = admin.answer(request.method(), request.uri().path());
        async move { Ok::<_, Infallible>(answer) }
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .keep_alive(false)
        .max_buf_size(16 * 1024)
        .serve_connection(TokioIo::new(tcp), service)
        .await
}

fn text(status: StatusCode, text: &'static str) -> Answer {
    let mut answer = typed(text.to_owned(), "text/plain; charset=utf-8");
    *answer.status_mut() = status;
    answer
}

fn typed(body: String, content_type: &'static str) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::from(body)));
    let value = HeaderValue::from_static(content_type);
    answer.headers_mut().insert(header::CONTENT_TYPE, value);
    answer
}
