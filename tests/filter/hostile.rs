//! Peers that mean harm: what they can cost, and whom.

use std::sync::Arc;
use std::time::Duration;

use support::{Call, Deed, Envoy, Methods, WireConsumer, WireProvider, isolated};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::{GREETER, Way, answered, caller, echo, envoy, metric};

const HEARTBEAT: &[u8] = b"\xda\xbb\xe2\0\0\0\0\0\0\0\0\x63\0\0\0\x01N";
/// Bytes of questions that nobody reads the answers to.
const FLOOD: usize = 192 * 1024 * 1024;
/// How much Envoy may grow by them, in KiB.
const GROWTH: u64 = 64 * 1024;

/// What of Envoy is in memory, in KiB.
fn resident(envoy: &Envoy) -> u64 {
    let status = format!("/proc/{}/status", envoy.process().id());
    let status = std::fs::read_to_string(status).unwrap();
    let line = status.lines().find(|l| l.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Sends heartbeats and reads nothing, until nothing more is taken.
async fn flood(mut stream: TcpStream) -> TcpStream {
    let chunk = HEARTBEAT.repeat(4096);
    for _ in 0..FLOOD / chunk.len() {
        let sent = tokio::time::timeout(Duration::from_secs(1), stream.write_all(&chunk)).await;
        if !matches!(sent, Ok(Ok(()))) {
            break;
        }
    }
    stream
}

#[test]
fn an_application_that_reads_no_answers_does_not_fill_the_memory() {
    isolated(async || {
        let _provider = WireProvider::start(20881, echo("v1")).await;
        let envoy = envoy(&caller(Way::Bridge)).start().await;
        let before = resident(&envoy);
        let stream = flood(TcpStream::connect("127.0.0.1:20880").await.unwrap()).await;
        let grown = resident(&envoy).saturating_sub(before);
        assert!(grown < GROWTH, "{grown} KiB");
        let consumer = WireConsumer::connect(20880).await;
        let answer = consumer.call(&Call::new(GREETER, "greet", "Ann")).await;
        assert_eq!(answer, answered("Ann from v1"));
        drop(stream);
        metric(&envoy, "dubbo.connections.active", 1).await;
    });
}

#[test]
fn a_provider_that_reads_no_answers_does_not_fill_the_memory() {
    isolated(async || {
        let listener = TcpListener::bind("127.0.0.1:20881").await.unwrap();
        let envoy = envoy(&caller(Way::Socket)).start().await;
        let before = resident(&envoy);
        let consumer = WireConsumer::connect(20880).await;
        let call = Call::new(GREETER, "greet", "Ann").frame(7);
        consumer.send(&call).await.unwrap();
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = [0; 16];
        stream.read_exact(&mut head).await.unwrap();
        let _stream = flood(stream).await;
        let grown = resident(&envoy).saturating_sub(before);
        assert!(grown < GROWTH, "{grown} KiB");
    });
}

/// Envoy takes the headers of a response once.
#[test]
fn a_provider_that_answers_twice_is_heard_once() {
    isolated(async || {
        let answer = b"\xda\xbb\x02\x14\0\0\0\0\0\0\0\x08\0\0\0\x04\x94\x01AN";
        let methods: Methods = Arc::new(move |_, argument| {
            let (first, second) = answer.split_at(argument.parse().unwrap());
            Deed::Followed(
                Box::new(Deed::Return(argument.to_owned())),
                first.to_vec(),
                Duration::from_millis(200),
                second.to_vec(),
            )
        });
        let _provider = WireProvider::start(20881, methods).await;
        let envoy = envoy(&caller(Way::Bridge)).start().await;
        let consumer = WireConsumer::connect(20880).await;
        for (id, split) in [(8, "10"), (9, "20"), (8, "18")] {
            let call = Call::new(GREETER, "greet", split).frame(id);
            consumer.send(&call).await.unwrap();
            let answer = consumer.other().await.expect("an answer");
            assert_eq!((answer[3], answer[11]), (20, id as u8), "{split}");
        }
        metric(&envoy, "dubbo.responses.ok", 3).await;
        metric(&envoy, "dubbo.panics", 0).await;
    });
}
