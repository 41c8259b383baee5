//! A provider that does with each request what the test says, and keeps what it has seen.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use dubbo_codec::{Assembler, FrameHead, FrameKind, Limits, Reply, Request, Text};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use super::{any_length, string_of};

/// What a provider does with a request.
#[derive(Debug, Clone)]
pub enum Deed {
    /// Returns a string.
    Return(String),
    /// Fails with this status and message.
    Fail(u8, String),
    /// Throws this class with this message.
    Throw(String, String),
    /// Does the other thing after this time.
    After(Duration, Box<Self>),
    /// Sends so many bytes of the answer and no more.
    Begin(usize, Box<Self>),
    /// Sends these bytes first, then does the other thing, in one write.
    Glued(Vec<u8>, Box<Self>),
    /// Does the other thing, with the first bytes behind it in one write, and the second ones after the time.
    Followed(Box<Self>, Vec<u8>, Duration, Vec<u8>),
    /// Never answers.
    Ignore,
    /// Closes the connection.
    Close,
}

/// What a provider's methods do: by method and argument.
pub type Methods = Arc<dyn Fn(&str, &str) -> Deed + Send + Sync>;

/// A provider on a port, of 127.0.0.1 unless said otherwise. It ends with the test.
#[derive(Debug, Default)]
pub struct WireProvider {
    opened: AtomicUsize,
    seen: Mutex<Vec<Vec<u8>>>,
}

impl WireProvider {
    /// Listens at `port`.
    ///
    /// # Panics
    /// If the port is taken.
    pub async fn start(port: u16, methods: Methods) -> Arc<Self> {
        Self::start_at(SocketAddr::from((Ipv4Addr::LOCALHOST, port)), methods).await
    }

    /// Listens at an address of this machine.
    ///
    /// # Panics
    /// If it is taken.
    pub async fn start_at(address: SocketAddr, methods: Methods) -> Arc<Self> {
        let listener = TcpListener::bind(address).await.expect("a free port");
        let provider = Arc::new(Self::default());
        let shared = Arc::clone(&provider);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                shared.opened.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(serve(Arc::clone(&shared), stream, Arc::clone(&methods)));
            }
        });
        provider
    }

    /// How many connections were opened so far.
    pub fn opened(&self) -> usize {
        self.opened.load(Ordering::Relaxed)
    }

    /// All frames that came, in order.
    ///
    /// # Panics
    /// If a task of the provider has panicked.
    pub fn seen(&self) -> Vec<Vec<u8>> {
        self.seen.lock().expect("no panic").clone()
    }
}

async fn serve(provider: Arc<WireProvider>, stream: TcpStream, methods: Methods) {
    let (mut read, mut write) = stream.into_split();
    let (answers, mut ready) = mpsc::unbounded_channel::<Option<Vec<u8>>>();
    tokio::spawn(async move {
        // `None` closes.
        while let Some(Some(bytes)) = ready.recv().await {
            if write.write_all(&bytes).await.is_err() {
                return;
            }
        }
    });
    let mut assembler = Assembler::new(any_length());
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let n = tokio::select! {
            n = read.read(&mut buffer) => n.unwrap_or(0),
            () = answers.closed() => 0,
        };
        let mut chunk = &buffer[..n];
        while let Some(frame) = assembler.next(&mut chunk).expect("Dubbo from Envoy") {
            let (head, bytes) = (*frame.head(), frame.bytes().to_vec());
            provider.seen.lock().expect("no panic").push(bytes.clone());
            if head.event || head.kind == FrameKind::Response {
                if let Some(reply) = head
                    .heartbeat_reply()
                    .filter(|_| head.event && head.two_way)
                {
                    drop(answers.send(Some(reply)));
                }
                continue;
            }
            let deed = {
                let request = Request::parse(&head, &bytes[FrameHead::LEN..], &Limits::default())
                    .expect("a request");
                let mut arguments = request.arguments();
                let argument = string_of(arguments.next().unwrap_or_default());
                methods(&request.peek().method.to_str_lossy(), &argument)
            };
            tokio::spawn(carry_out(deed, head, answers.clone()));
        }
        if n == 0 {
            return;
        }
    }
}

async fn carry_out(
    mut deed: Deed,
    head: FrameHead,
    answers: mpsc::UnboundedSender<Option<Vec<u8>>>,
) {
    let (mut before, mut behind) = (Vec::new(), (Vec::new(), Duration::ZERO, Vec::new()));
    let mut most = usize::MAX;
    loop {
        deed = match deed {
            Deed::After(time, next) => {
                tokio::time::sleep(time).await;
                *next
            }
            Deed::Begin(bytes, next) => {
                most = bytes;
                *next
            }
            Deed::Glued(bytes, next) => {
                before.extend(bytes);
                *next
            }
            Deed::Followed(next, first, time, second) => {
                behind = (first, time, second);
                *next
            }
            Deed::Ignore => return,
            Deed::Close => return drop(answers.send(None)),
            answer => {
                let reply = Reply::to(&head, Some(Text::new("2.0.2"))).expect("Hessian2");
                let mut bytes = match answer {
                    Deed::Return(text) => reply.string(&text),
                    Deed::Fail(status, text) => reply.error(dubbo_codec::Status(status), &text),
                    Deed::Throw(class, text) => reply.exception(&class, &text),
                    _ => return,
                };
                bytes.truncate(most);
                if head.two_way {
                    before.extend(bytes);
                }
                before.extend(behind.0);
                drop(answers.send(Some(before)));
                if !behind.2.is_empty() {
                    tokio::time::sleep(behind.1).await;
                    drop(answers.send(Some(behind.2)));
                }
                return;
            }
        }
    }
}
