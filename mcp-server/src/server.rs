//! Serves snapshots to control planes: gRPC over HTTP/2, plain or TLS.
//!
//! Owns: everything that waits (the crate's `select!` is in this file): accepting, the life of a
//! connection, the life of a stream. Must not know: what the protocol says (`session`), what bytes
//! look like (`message`).
//!
//! ```text
//! accept ─→ connection ─→ stream: requests, snapshots, time ─→ Session ─→ body ─→ HTTP/2
//! ```
//!
//! Whoever reaches the port can cost no more than the limits allow: connections that say nothing
//! give way to newer ones, requests are small, streams few, and what a client does not read stays
//! shared bytes.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tonic::{Status, Streaming};

use crate::proto::DiscoveryRequest;
use crate::session::{Decision, Session};
use crate::snapshot::Snapshot;
use crate::telemetry::{Refusal, StreamObserver, Telemetry};

mod body;
mod message;
mod route;
mod settings;
mod tls;
mod waiting;

use body::{Body, Outgoing, Sender};
use route::Call;
pub use settings::{Settings, TlsFiles};
use waiting::{TooLate, changed, progress, stopped, wait_until};

/// What is published; `None` until the first complete load.
pub type Published = watch::Receiver<Option<Arc<Snapshot>>>;

/// Becomes `true`, or loses its sender, when the server shall end.
pub type Stop = watch::Receiver<bool>;

/// A bound server.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    settings: Settings,
    tls: Option<watch::Receiver<Arc<ServerConfig>>>,
    reloading: JoinSet<()>,
    telemetry: Telemetry,
}

/// What every connection and stream needs.
struct Context {
    settings: Settings,
    published: Published,
    stop: Stop,
    telemetry: Telemetry,
}

/// The acceptor lets it go to make a silent connection give way.
type Place = oneshot::Sender<Infallible>;

impl Server {
    /// Binds the address and reads certificate and key, if there are to be any.
    ///
    /// # Errors
    /// The address cannot be bound; a file cannot be read or its content not used.
    pub async fn bind(
        address: SocketAddr,
        settings: Settings,
        telemetry: Telemetry,
    ) -> io::Result<Self> {
        let mut reloading = JoinSet::new();
        let tls = match settings.tls.clone() {
            None => None,
            Some(files) => {
                let pair = tls::Pair::read(&files).await?;
                let (current, tls) = watch::channel(pair.config()?);
                reloading.spawn(tls::reload(files, pair, current, telemetry.clone()));
                Some(tls)
            }
        };
        Ok(Self {
            listener: TcpListener::bind(address).await?,
            settings,
            tls,
            reloading,
            telemetry,
        })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// As the system says.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `stop`, then drains: streams end with UNAVAILABLE, so that control planes come
    /// back to another replica or to the next process, and what has not ended in time is cut.
    pub async fn run(self, published: Published, stop: Stop) {
        let Self {
            listener,
            settings,
            tls,
            telemetry,
            reloading: _reloading,
        } = self;
        if let Ok(address) = listener.local_addr() {
            telemetry.listening(address, tls.is_some());
        }
        let context = Arc::new(Context {
            settings,
            published,
            stop: stop.clone(),
            telemetry,
        });
        let mut connections = JoinSet::new();
        accept(listener, &mut connections, &context, tls, stop).await;
        drain(connections, &context).await;
    }
}

async fn accept(
    listener: TcpListener,
    connections: &mut JoinSet<()>,
    context: &Arc<Context>,
    tls: Option<watch::Receiver<Arc<ServerConfig>>>,
    mut stop: Stop,
) {
    let mut silent: VecDeque<Place> = VecDeque::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((tcp, peer)) => {
                    let tls = tls.as_ref().map(|tls| Arc::clone(&tls.borrow()));
                    admit(tcp, peer, tls, connections, &mut silent, context);
                }
                Err(error) => {
                    let detail = error.to_string();
                    context.telemetry.refused(None, Refusal::Accept, &detail);
                    // Out of file descriptors, most likely: give others time to return some.
                    sleep(Duration::from_millis(100)).await;
                }
            },
            Some(_) = connections.join_next() => {}
            () = stopped(&mut stop) => return,
        }
    }
}

/// Starts a connection, if it may come in.
fn admit(
    tcp: TcpStream,
    peer: SocketAddr,
    tls: Option<Arc<ServerConfig>>,
    connections: &mut JoinSet<()>,
    silent: &mut VecDeque<Place>,
    context: &Arc<Context>,
) {
    let Context {
        settings,
        telemetry,
        ..
    } = &**context;
    if !settings.allows(peer.ip()) {
        return telemetry.refused(Some(peer), Refusal::Address, "not in the allowed networks");
    }
    if connections.len() >= settings.max_connections {
        return telemetry.refused(Some(peer), Refusal::Limit, "too many connections");
    }
    silent.retain(|place| !place.is_closed());
    if silent.len() >= settings.max_silent_connections {
        silent.pop_front();
    }
    let (place, crowded) = oneshot::channel();
    silent.push_back(place);
    connections.spawn(connection(tcp, peer, tls, crowded, Arc::clone(context)));
}

async fn drain(mut connections: JoinSet<()>, context: &Context) {
    let within = context.settings.drain;
    context.telemetry.draining(within);
    let all = async { while connections.join_next().await.is_some() {} };
    let in_time = timeout(within, all).await.is_ok();
    let cut = if in_time { 0 } else { connections.len() };
    connections.shutdown().await;
    context.telemetry.drained(cut);
}

/// One connection, from the TCP handshake on.
async fn connection(
    tcp: TcpStream,
    peer: SocketAddr,
    tls: Option<Arc<ServerConfig>>,
    crowded: oneshot::Receiver<Infallible>,
    context: Arc<Context>,
) {
    let _counted = context.telemetry.connected();
    let mut too_late = TooLate::new(crowded, context.settings.handshake_timeout);
    // Small frames (acknowledgements of pings, headers) must not wait for more to come. An error
    // here is one of the socket, and shows at the next read.
    let _ = tcp.set_nodelay(true);
    let refused = |why, detail: &str| context.telemetry.refused(Some(peer), why, detail);
    let Some(config) = tls else {
        return serve(tcp, peer, false, too_late, context).await;
    };
    let handshake = tokio::select! {
        handshake = TlsAcceptor::from(config).accept(tcp) => handshake,
        why = too_late.wait() => return refused(why, "during the TLS handshake"),
    };
    match handshake {
        Ok(encrypted) => serve(encrypted, peer, true, too_late, context).await,
        Err(error) => refused(Refusal::Tls, &error.to_string()),
    }
}

/// HTTP/2 on a connection, until it ends or the server does.
async fn serve<I>(io: I, peer: SocketAddr, tls: bool, mut too_late: TooLate, context: Arc<Context>)
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let spoke = Arc::new(Notify::new());
    let service = {
        let (spoke, context) = (Arc::clone(&spoke), Arc::clone(&context));
        service_fn(move |request| {
            spoke.notify_one();
            let context = Arc::clone(&context);
            async move { Ok::<_, Infallible>(answer(request, peer, tls, context).await) }
        })
    };
    let http = http(&context.settings);
    let connection = http.serve_connection(TokioIo::new(io), service);
    let mut connection = std::pin::pin!(connection);
    let mut stop = context.stop.clone();
    let mut stopping = false;
    loop {
        tokio::select! {
            ended = connection.as_mut() => {
                if let (Err(error), true) = (ended, too_late.is_waiting()) {
                    let detail = error.to_string();
                    context.telemetry.refused(Some(peer), Refusal::Protocol, &detail);
                }
                return;
            }
            () = spoke.notified(), if too_late.is_waiting() => too_late.called_off(),
            why = too_late.wait() => {
                return context.telemetry.refused(Some(peer), why, "no request");
            }
            () = stopped(&mut stop), if !stopping => {
                stopping = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}

fn http(settings: &Settings) -> http2::Builder<TokioExecutor> {
    let mut http = http2::Builder::new(TokioExecutor::new());
    http.timer(TokioTimer::new())
        .keep_alive_interval(settings.keepalive)
        .keep_alive_timeout(settings.keepalive_timeout)
        .max_concurrent_streams(settings.max_streams)
        .max_header_list_size(settings.max_headers)
        .max_send_buf_size(1024 * 1024)
        // What clients send is small; what we send is in windows that they choose.
        .initial_stream_window_size(64 * 1024)
        .initial_connection_window_size(256 * 1024);
    http
}

async fn answer(
    request: http::Request<Incoming>,
    peer: SocketAddr,
    tls: bool,
    context: Arc<Context>,
) -> http::Response<Body> {
    let limit = context.settings.max_request;
    match route::call(&request) {
        Call::Refused(response) => response,
        Call::Health => {
            let well = context.published.borrow().is_some();
            let within = context.settings.handshake_timeout;
            let answer = route::health(route::messages(request, limit), well);
            let answer = timeout(within, answer).await;
            answer.unwrap_or_else(|_| Status::deadline_exceeded("no request").into_http())
        }
        Call::Stream => {
            let observer = context.telemetry.stream(peer, tls);
            // One response per type, and the trailers.
            let (sender, body) = Body::stream(context.settings.session.max_types + 1);
            let requests = route::messages(request, limit);
            tokio::spawn(stream(requests, sender, observer, context));
            route::streaming(body)
        }
    }
}

/// What can happen to a stream.
enum Event {
    Request(Result<Option<DiscoveryRequest>, Status>),
    Published(Option<Arc<Snapshot>>),
    Progress,
    Time,
    Stop,
    Gone,
}

/// One client's stream: hands what happens to the session, and does what it decides.
async fn stream(
    mut requests: Streaming<DiscoveryRequest>,
    mut to: Sender,
    mut observer: StreamObserver,
    context: Arc<Context>,
) {
    let began = Instant::now();
    let mut published = context.published.clone();
    let mut stop = context.stop.clone();
    let first = published.borrow_and_update().clone();
    let mut session = Session::new(observer.id(), context.settings.session, first);
    let status = loop {
        let wake = session.next_wake().map(|at| began + at);
        let event = tokio::select! {
            request = requests.message() => Event::Request(request),
            snapshot = changed(&mut published) => Event::Published(snapshot),
            () = progress(&mut to.taken) => Event::Progress,
            () = wait_until(wake) => Event::Time,
            () = stopped(&mut stop) => Event::Stop,
            () = to.queue.closed() => Event::Gone,
        };
        let now = began.elapsed();
        let decisions = match event {
            Event::Request(Ok(Some(request))) => session.on_request(&request, now),
            Event::Request(Ok(None)) => break Status::new(tonic::Code::Ok, ""),
            Event::Request(Err(status)) => break status,
            Event::Published(Some(snapshot)) => session.on_snapshot(snapshot, now),
            Event::Published(None) => continue,
            Event::Progress => {
                session.on_progress(now);
                continue;
            }
            Event::Time => session.on_time(now),
            Event::Stop => break Status::unavailable("the server ends"),
            // The observer says so when it is dropped.
            Event::Gone => return,
        };
        if let Err(status) = carry_out(decisions, &to.queue, &mut observer) {
            break status;
        }
    };
    // There is room: messages leave one place free. An error means that nobody reads any more.
    let _ = to
        .queue
        .try_send(Outgoing::Trailers(route::trailers(&status)));
    observer.ended(&status);
}

fn carry_out(
    decisions: Vec<Decision>,
    to: &mpsc::Sender<Outgoing>,
    observer: &mut StreamObserver,
) -> Result<(), Status> {
    for decision in decisions {
        observer.decided(&decision);
        match decision {
            Decision::Send(response) => {
                let message = message::response(&response)?;
                if to.capacity() <= 1 {
                    let text = "responses are acknowledged that were not read";
                    return Err(Status::resource_exhausted(text));
                }
                // An error means that nobody reads any more; the loop sees that next.
                let _ = to.try_send(Outgoing::Message(message));
            }
            Decision::Close(why) => return Err(route::end(&why)),
            Decision::Identified(_)
            | Decision::Subscribed { .. }
            | Decision::AskedAgain { .. }
            | Decision::Acked { .. }
            | Decision::Nacked { .. }
            | Decision::Ignored { .. } => {}
        }
    }
    Ok(())
}
