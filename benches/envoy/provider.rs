//! Who answers, the same for all paths: Dubbo at one port, HTTP/2 at another. A thread of its own.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use bytes::Bytes;
use dubbo_codec::{Assembler, FrameKind, Limits, set_request_id};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::dubbo::READ;
use crate::http2::{self, CONNECTION_WINDOW, STREAM_WINDOW};
use crate::payload;

/// Where Dubbo is spoken.
pub(crate) const DUBBO: SocketAddr = at(20900);
/// Where HTTP/2 is spoken.
pub(crate) const HTTP2: SocketAddr = at(20901);

/// A port of this machine's.
pub(crate) const fn at(port: u16) -> SocketAddr {
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), port)
}

/// A provider that runs until the program ends.
#[derive(Clone, Debug, Default)]
pub(crate) struct Provider(Arc<AtomicUsize>);

impl Provider {
    /// Starts it, and waits until it listens.
    pub(crate) fn start() -> Self {
        let provider = Self::default();
        let (shared, (ready, listening)) = (provider.clone(), std::sync::mpsc::channel());
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(async {
                let dubbo = TcpListener::bind(DUBBO).await.expect("a free port");
                let http2 = TcpListener::bind(HTTP2).await.expect("a free port");
                ready.send(()).expect("who started us waits");
                loop {
                    let shared = shared.clone();
                    tokio::select! {
                        Ok((stream, _)) = dubbo.accept() => drop(tokio::spawn(shared.dubbo(stream))),
                        Ok((stream, _)) = http2.accept() => drop(tokio::spawn(shared.http2(stream))),
                    }
                }
            });
        });
        listening.recv().expect("a provider that starts");
        provider
    }

    /// How many calls it has answered.
    pub(crate) fn answered(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    async fn dubbo(self, stream: TcpStream) {
        stream.set_nodelay(true).expect("a connection");
        let (mut read, mut write) = stream.into_split();
        let mut assembler = Assembler::new(Limits::default());
        let (answer, mut buffer, mut out) = (payload::answer(), vec![0; READ], Vec::new());
        while let Ok(n @ 1..) = read.read(&mut buffer).await {
            let mut chunk = &buffer[..n];
            while let Some(frame) = assembler.next(&mut chunk).expect("Dubbo") {
                let head = frame.head();
                if head.event {
                    out.extend(head.heartbeat_reply().unwrap_or_default());
                    continue;
                }
                assert!(head.kind == FrameKind::Request && head.two_way, "{head:?}");
                let begin = out.len();
                out.extend_from_slice(&answer);
                set_request_id(&mut out[begin..], head.id);
                self.0.fetch_add(1, Ordering::Relaxed);
            }
            if write.write_all(&out).await.is_err() {
                return;
            }
            out.clear();
        }
    }

    async fn http2(self, stream: TcpStream) {
        stream.set_nodelay(true).expect("a connection");
        let handshake = h2::server::Builder::new()
            .initial_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .handshake(stream);
        let mut connection = handshake.await.expect("HTTP/2");
        let (response, answer) = (payload::response(), Bytes::from(payload::answer()));
        while let Some(Ok((request, mut respond))) = connection.accept().await {
            let (shared, response, answer) = (self.clone(), response.clone(), answer.clone());
            tokio::spawn(async move {
                http2::read(request.into_body()).await;
                // Before its caller can know.
                shared.0.fetch_add(1, Ordering::Relaxed);
                let sent = respond.send_response(response, false);
                let body = sent.and_then(|mut stream| stream.send_data(answer, true));
                body.expect("a stream that waits for its answer");
            });
        }
    }
}
