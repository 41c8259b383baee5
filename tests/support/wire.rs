//! A consumer and a provider that speak Dubbo2 themselves: for calls by the hundred, and for what Dubbo
//! for Java would never do.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use dubbo_codec::hessian2::{Value, Writer, decode};
use dubbo_codec::{
    Assembler, FrameHead, FrameKind, Limits, Outcome, Reply, Request, Response, Text,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};

use crate::network::Namespace;

/// No call of a test takes longer.
const CALL: Duration = Duration::from_secs(20);

/// A call of a method with one string.
#[derive(Debug, Clone)]
pub struct Call {
    interface: String,
    method: String,
    argument: String,
    attachments: Vec<(String, String)>,
    two_way: bool,
}

impl Call {
    /// `interface.method(argument)`, without version and group.
    #[must_use]
    pub fn new(interface: &str, method: &str, argument: &str) -> Self {
        Self {
            interface: interface.to_owned(),
            method: method.to_owned(),
            argument: argument.to_owned(),
            attachments: Vec::new(),
            two_way: true,
        }
    }

    /// An attachment more.
    #[must_use]
    pub fn with(mut self, key: &str, value: &str) -> Self {
        self.attachments.push((key.to_owned(), value.to_owned()));
        self
    }

    /// Wants no response.
    #[must_use]
    pub fn one_way(mut self) -> Self {
        self.two_way = false;
        self
    }

    /// The frame, as Dubbo 2.7 and later write it.
    #[must_use]
    pub fn frame(&self, id: i64) -> Vec<u8> {
        let mut writer = Writer::new();
        for text in [
            "2.0.2",
            &self.interface,
            "0.0.0",
            &self.method,
            "Ljava/lang/String;",
            &self.argument,
        ] {
            writer.string(Text::new(text));
        }
        let path = [
            ("path", self.interface.as_str()),
            ("interface", &self.interface),
        ];
        writer.begin_map(None);
        for (key, value) in path
            .into_iter()
            .chain(self.attachments.iter().map(|(k, v)| (&k[..], &v[..])))
        {
            writer.string(Text::new(key));
            writer.string(Text::new(value));
        }
        writer.end_map();
        let body = writer.as_bytes();
        let flags = if self.two_way { 0xc2 } else { 0x82 };
        let mut frame = vec![0xda, 0xbb, flags, 0];
        frame.extend(id.to_be_bytes());
        frame.extend((body.len() as u32).to_be_bytes());
        frame.extend(body);
        frame
    }
}

/// How a call ended, as a consumer sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status of the frame.
    pub status: u8,
    /// The value if it is a string, the class and message of an exception, or the message of a failure.
    pub text: String,
}

impl Answer {
    fn of(head: &FrameHead, body: &[u8]) -> Self {
        let text = match Response::parse(head, body, &Limits::default()) {
            Err(error) => format!("unreadable: {error}"),
            Ok(response) => match response.outcome() {
                Outcome::Null => "null".to_owned(),
                Outcome::Failed(text) => text.unwrap_or(Text::new("")).to_str_lossy().into_owned(),
                Outcome::Value(value) => string_of(value),
                Outcome::Exception(exception) => format!(
                    "{}: {}",
                    exception.class.unwrap_or(Text::new("")).to_str_lossy(),
                    exception.message.unwrap_or(Text::new("")).to_str_lossy()
                ),
            },
        };
        Self {
            status: head.status.0,
            text,
        }
    }
}

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
        tokio::time::timeout(CALL, others.recv())
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

/// A value that is a string in Hessian2.
fn string_of(bytes: &[u8]) -> String {
    match decode(bytes, &Limits::default()) {
        Ok((_, values)) => match values.first() {
            Some(Value::String(text)) => text.to_str_lossy().into_owned(),
            other => format!("no string: {other:?}"),
        },
        Err(error) => format!("unreadable: {error}"),
    }
}

fn any_length() -> Limits {
    let mut limits = Limits::default();
    limits.max_body = i32::MAX as u32;
    limits
}
