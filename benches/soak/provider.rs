//! A provider that answers with the argument and its name, out of order.

use dubbo_codec::hessian2::{Value, decode};
use dubbo_codec::{Assembler, FrameHead, Limits, Reply, Request, Text};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Listens until it is aborted.
pub(crate) async fn start(name: &'static str, port: u16) -> JoinHandle<()> {
    let listener = TcpListener::bind(("127.0.0.1", port))
        .await
        .expect("a free port");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(name, stream));
        }
    })
}

async fn serve(name: &'static str, mut stream: TcpStream) {
    let mut assembler = Assembler::new(Limits::default());
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(length @ 1..) = stream.read(&mut buffer).await {
        let mut chunk = &buffer[..length];
        let mut answers = vec![];
        while let Some(frame) = assembler.next(&mut chunk).expect("Dubbo from Envoy") {
            answers.extend(answer(name, frame.head(), frame.body()));
        }
        // The last that was asked is the first that is answered.
        answers.reverse();
        if stream.write_all(&answers.concat()).await.is_err() {
            return;
        }
    }
}

fn answer(name: &str, head: &FrameHead, body: &[u8]) -> Option<Vec<u8>> {
    if head.event {
        return head.heartbeat_reply();
    }
    let limits = Limits::default();
    let request = Request::parse(head, body, &limits).expect("a request");
    let mut arguments = request.arguments();
    let values = decode(arguments.next().unwrap_or_default(), &limits).expect("an argument");
    let Some(Value::String(argument)) = values.1.first() else {
        panic!("no string: {values:?}");
    };
    let reply = Reply::to(head, Some(Text::new("2.0.2"))).expect("Hessian 2");
    Some(reply.string(&format!("{} from {name}", argument.to_str_lossy())))
}
