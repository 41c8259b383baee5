//! A caller's pod, and two with a provider that says its name.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd as _;
use std::{fs, thread};

use dubbo_codec::{Assembler, Limits, Reply};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use support::Namespace;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::payload::{INTERFACE, METHOD};

/// Where providers listen.
pub(crate) const PORT: u16 = 20880;

pub(crate) struct Pods {
    pub(crate) caller: Namespace,
    pub(crate) one: Namespace,
    pub(crate) two: Namespace,
}

impl Pods {
    /// Both providers answer, whether registered or not.
    pub(crate) fn start() -> Self {
        let [caller, one, two] =
            [("caller", 1), ("one", 2), ("two", 3)].map(|(name, host)| Namespace::new(name, host));
        caller.redirect_to_sidecar();
        for name in ["one", "two"] {
            let all = SocketAddr::from((Ipv4Addr::UNSPECIFIED, PORT));
            let listener = inside(name, || TcpListener::bind(all)).expect("a free port");
            tokio::spawn(provide(listener, name));
        }
        Self { caller, one, two }
    }
}

/// A connection from within the caller's pod.
pub(crate) fn connect(server: SocketAddr) -> tokio::net::TcpStream {
    let stream = inside("caller", || TcpStream::connect(server)).expect("a listener");
    stream.set_nodelay(true).expect("a connection");
    stream.set_nonblocking(true).expect("a connection");
    tokio::net::TcpStream::from_std(stream).expect("a runtime")
}

/// Makes a socket in a pod's network; there it stays, whoever uses it.
fn inside<T: Send>(pod: &str, make: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
    let network = fs::File::open(format!("/run/netns/{pod}"))?;
    // A thread of its own, since it cannot come back from there.
    thread::scope(|scope| {
        let made = scope.spawn(|| {
            move_into_link_name_space(network.as_fd(), Some(LinkNameSpaceType::Network))?;
            make()
        });
        made.join().expect("no panic")
    })
}

/// The node of a provider, as Dubbo 3 writes it.
pub(crate) fn node(pod: &Namespace) -> String {
    let url = format!(
        "dubbo://{}:{PORT}/{INTERFACE}?anyhost=true&application=greeter&background=false&deprecated=false\
         &dubbo=2.0.2&dynamic=true&generic=false&interface={INTERFACE}&methods={METHOD}&pid=7\
         &prefer.serialization=hessian2&release=3.2.16&side=provider&timestamp=1700000000000",
        pod.address()
    );
    let encoded: String = url
        .bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect();
    format!("/dubbo/{INTERFACE}/providers/{encoded}")
}

async fn provide(listener: TcpListener, name: &'static str) {
    listener.set_nonblocking(true).expect("a listener");
    let listener = tokio::net::TcpListener::from_std(listener).expect("a runtime");
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(serve(stream, name));
    }
}

/// Answers each call with the name, which is the end of the frame.
async fn serve(mut stream: tokio::net::TcpStream, name: &str) {
    let (mut assembler, mut buffer) = (Assembler::new(Limits::default()), vec![0; 4096]);
    while let Ok(n @ 1..) = stream.read(&mut buffer).await {
        let (mut chunk, mut out) = (&buffer[..n], Vec::new());
        while let Some(frame) = assembler.next(&mut chunk).expect("Dubbo") {
            let head = frame.head();
            if head.event {
                out.extend(head.heartbeat_reply().unwrap_or_default());
                continue;
            }
            let reply = Reply::to(head, None).expect("Hessian2");
            out.extend(reply.string(name));
        }
        if stream.write_all(&out).await.is_err() {
            return;
        }
    }
}
