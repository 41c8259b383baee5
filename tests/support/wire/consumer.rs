//! A consumer that counts its calls and gives each answer to who waits for it.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use dubbo_codec::{Assembler, FrameKind};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{mpsc, oneshot};

use super::{Answer, Call, any_length};
use crate::network::Namespace;

/// No call of a test takes longer.
const CALL: Duration = Duration::from_secs(40);
/// Nor does a frame of another kind, or the end of a connection: below the 45 s after which a sidecar that drains
/// would end it.
const OTHER: Duration = Duration::from_secs(20);

/// A frame that is not the answer to a call: a heartbeat, an event, a request of the provider's.
pub(crate) type Other = Vec<u8>;

type Waiting = Arc<Mutex<HashMap<i64, oneshot::Sender<Answer>>>>;

/// A consumer with one connection.
#[derive(Debug)]
pub struct WireConsumer {
    write: tokio::sync::Mutex<OwnedWriteHalf>,
    waiting: Waiting,
    others: tokio::sync::Mutex<mpsc::UnboundedReceiver<Other>>,
    last: AtomicI64,
    address: SocketAddr,
}

impl WireConsumer {
    /// Connects to this port of 127.0.0.1.
    ///
    /// # Panics
    /// If nobody listens.
    pub async fn connect(port: u16) -> Self {
        Self::connect_to(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await
    }

    /// Connects to an address.
    ///
    /// # Panics
    /// If nobody listens.
    pub async fn connect_to(server: SocketAddr) -> Self {
        Self::over(TcpStream::connect(server).await.expect("a listener"))
    }

    /// Connects from inside of a pod, as its applications do.
    ///
    /// # Panics
    /// If nobody listens.
    #[must_use]
    pub fn connect_from(pod: &Namespace, server: SocketAddr) -> Self {
        let stream = pod.connect(server);
        stream.set_nonblocking(true).expect("a socket");
        Self::over(TcpStream::from_std(stream).expect("a socket"))
    }

    fn over(stream: TcpStream) -> Self {
        let address = stream.local_addr().expect("an address");
        let (read, write) = stream.into_split();
        let waiting = Waiting::default();
        let (sender, others) = mpsc::unbounded_channel();
        tokio::spawn(receive(read, Arc::clone(&waiting), sender));
        Self {
            write: tokio::sync::Mutex::new(write),
            waiting,
            others: tokio::sync::Mutex::new(others),
            // As 3.x counts: from somewhere below zero.
            last: AtomicI64::new(-0x1234_5678_9abc),
            address,
        }
    }

    /// Its own address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Makes a call and waits for its answer.
    ///
    /// # Errors
    /// If the connection ends, or nothing comes.
    pub async fn call(&self, call: &Call) -> Result<Answer, String> {
        let id = self.last.fetch_add(1, Ordering::Relaxed);
        let (sender, receiver) = oneshot::channel();
        self.waiting.lock().expect("no panic").insert(id, sender);
        self.send(&call.frame(id))
            .await
            .map_err(|error| error.to_string())?;
        match tokio::time::timeout(CALL, receiver).await {
            Err(_) => Err(format!("no answer after {CALL:?}")),
            Ok(answer) => answer.map_err(|_| "the connection was closed".to_owned()),
        }
    }

    /// Sends bytes as they are.
    ///
    /// # Errors
    /// If the connection has ended.
    pub async fn send(&self, bytes: &[u8]) -> io::Result<()> {
        self.write.lock().await.write_all(bytes).await
    }

    /// The next frame that is no answer to a call; `None` once the connection has ended.
    pub async fn other(&self) -> Option<Vec<u8>> {
        let mut others = self.others.lock().await;
        tokio::time::timeout(OTHER, others.recv())
            .await
            .expect("a frame, or the end")
    }
}

async fn receive(mut read: OwnedReadHalf, waiting: Waiting, others: mpsc::UnboundedSender<Other>) {
    let mut assembler = Assembler::new(any_length());
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(n @ 1..) = read.read(&mut buffer).await {
        let mut chunk = &buffer[..n];
        while let Some(frame) = assembler.next(&mut chunk).expect("Dubbo from Envoy") {
            let head = frame.head();
            let answer = head.kind == FrameKind::Response && !head.event;
            let caller = waiting.lock().expect("no panic").remove(&head.id);
            match caller.filter(|_| answer) {
                Some(caller) => drop(caller.send(Answer::of(head, frame.body()))),
                None => drop(others.send(frame.bytes().to_vec())),
            }
        }
    }
    waiting.lock().expect("no panic").clear();
}
