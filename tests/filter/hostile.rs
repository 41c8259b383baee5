//! Peers that mean harm: what they can cost, and whom.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use support::{Call, Deed, Envoy, Methods, WireConsumer, WireProvider, isolated, wait_until};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::{GREETER, SOON, WAYS, Way, answered, caller, echo, envoy, metric, set};

const HEARTBEAT: &[u8] = b"\xda\xbb\xe2\0\0\0\0\0\0\0\0\x63\0\0\0\x01N";
/// Bytes of questions that nobody reads the answers to.
const FLOOD: usize = 192 * 1024 * 1024;
/// How much Envoy may grow by them, in KiB.
const GROWTH: u64 = 64 * 1024;

/// What of Envoy is in memory, in KiB.
pub(super) fn resident(envoy: &Envoy) -> u64 {
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

/// Connections of those who mean harm, and how many of them are open at one time.
const HOSTILE: u64 = 10_000;
const OPEN: usize = 300;

/// Numbers that look random and are the same in each run (SplitMix64).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % below
    }

    fn bytes(&mut self, most: u64) -> Vec<u8> {
        (0..self.next(most)).map(|_| self.next(256) as u8).collect()
    }
}

/// What becomes of a connection that means harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// It is reset.
    Reset,
    /// It is left as it is; who is told what was wrong, or was answered, may stay.
    Left,
    /// It is left in the middle of a frame: Envoy has to close it.
    Half,
}

/// What one of them sends, and what it does then.
fn harm(kind: u64, numbers: &mut Numbers) -> (Vec<u8>, End) {
    let argument = "x".repeat(numbers.next(3000) as usize);
    let call = Call::new(GREETER, "greet", &argument).frame(7);
    let part =
        |numbers: &mut Numbers| call[..2 + numbers.next(call.len() as u64 - 2) as usize].to_vec();
    match kind {
        // Garbage, from the first byte and behind a call.
        0 => (numbers.bytes(200), End::Left),
        1 => (
            [b"\xda\xbb".to_vec(), numbers.bytes(300)].concat(),
            End::Left,
        ),
        2 => ([call, numbers.bytes(300)].concat(), End::Left),
        // Half frames, left so or reset.
        3 => (part(numbers), End::Half),
        4 => (part(numbers), End::Reset),
        // Bodies that are not what their heads say: of some lengths, and longer than anybody takes.
        5 => {
            let mut bad = call;
            let body = bad.len() - 16;
            (0..body.min(40)).for_each(|at| bad[16 + at] = numbers.next(256) as u8);
            (bad, End::Left)
        }
        6 => (
            [&call[..12], b"\x7f\xff\xff\xff", &numbers.bytes(900)[..]].concat(),
            End::Half,
        ),
        // Calls whose callers are gone.
        7 => (call.repeat(3), End::Reset),
        // HTTP/2 that is none.
        _ => (
            [
                b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
                numbers.bytes(100),
            ]
            .concat(),
            End::Left,
        ),
    }
}

/// All of it at once, while others call and get their answers.
#[test]
fn ten_thousand_hostile_connections_cost_nobody_a_call() {
    isolated(async || {
        let _provider = WireProvider::start(20881, echo("v1")).await;
        let _other = WireProvider::start(20882, echo("v2")).await;
        for way in WAYS {
            let mut bootstrap = caller(way);
            let options = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config/filter_config/value";
            let options_value =
                serde_json::json!({"half_frame_ms": 2000, "attachments": ["region"]});
            set(&mut bootstrap, options, options_value);
            let envoy = envoy(&bootstrap).workers(2).start().await;
            let over = Arc::new(AtomicBool::new(false));
            let answers = Arc::new(AtomicU64::new(0));
            let callers: Vec<_> = (0..3)
                .map(|caller| {
                    let (over, answers) = (Arc::clone(&over), Arc::clone(&answers));
                    tokio::spawn(async move {
                        let consumer = WireConsumer::connect(20880).await;
                        let mut calls = 0_u64;
                        while !over.load(Ordering::Relaxed) {
                            let text = format!("{caller}-{calls}");
                            let call = Call::new(GREETER, "greet", &text);
                            let (call, expected) = match calls % 2 {
                                0 => (call, format!("{text} from v1")),
                                _ => (call.with("region", "gray"), format!("{text} from v2")),
                            };
                            assert_eq!(consumer.call(&call).await, answered(&expected));
                            calls += 1;
                            answers.fetch_add(1, Ordering::Relaxed);
                        }
                    })
                })
                .collect();
            let mut numbers = Numbers(way as u64);
            let (mut open, mut first) = (VecDeque::new(), 0);
            for n in 0..HOSTILE {
                // Those that were there before the others came.
                if n == HOSTILE / 5 {
                    first = resident(&envoy);
                }
                let (bytes, end) = harm(numbers.next(9), &mut numbers);
                let mut stream = TcpStream::connect("127.0.0.1:20880").await.unwrap();
                // Envoy may have closed before all is out.
                let _ = stream.write_all(&bytes).await;
                if end == End::Reset {
                    stream.set_zero_linger().unwrap();
                    drop(stream);
                } else {
                    open.push_back((stream, end, bytes));
                }
                if open.len() > OPEN {
                    open.pop_front();
                }
                // However much of this comes, those who mean well are answered.
                if n % 100 == 99 {
                    let enough = 10 * (n / 100 + 1);
                    wait_until("answers", SOON, async || {
                        match answers.load(Ordering::Relaxed) {
                            seen if seen >= enough => Ok(()),
                            seen => Err(format!("{seen} of {enough}")),
                        }
                    })
                    .await;
                }
            }
            let last = resident(&envoy);
            over.store(true, Ordering::Relaxed);
            for caller in callers {
                caller.await.unwrap();
            }
            assert!(last < first + GROWTH, "{first} KiB, then {last} KiB");
            // Half frames go by themselves, all of those that are still there.
            let mut half = [0; 64 * 1024];
            let left = (open.iter_mut()).filter(|(_, end, _)| *end == End::Half);
            let mut closed = 0;
            for (stream, _, sent) in left {
                let ends =
                    async { while !matches!(stream.read(&mut half).await, Ok(0) | Err(_)) {} };
                let ends = tokio::time::timeout(SOON, ends).await;
                let begin = &sent[..sent.len().min(20)];
                assert!(
                    ends.is_ok(),
                    "{way:?}: half a frame is waited for: {} bytes, {begin:02x?}",
                    sent.len()
                );
                closed += 1;
            }
            assert!(closed > OPEN / 10, "{closed} of {OPEN}");
            drop(open);
            for name in [
                "dubbo.connections.active",
                "dubbo.requests.active",
                "dubbo.buffered_bytes",
                "dubbo.panics",
            ] {
                metric(&envoy, name, 0).await;
            }
            wait_until("no connection left", SOON, async || {
                let name = "listener.127.0.0.1_20880.downstream_cx_active";
                match envoy.stat(name).await? {
                    0 => Ok(()),
                    left => Err(left.to_string()),
                }
            })
            .await;
            envoy.stop().await;
        }
    });
}
