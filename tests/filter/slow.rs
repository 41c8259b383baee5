//! Peers that read more slowly than they are sent to, on either side, and bodies of the greatest length:
//! nothing stands still, nothing is lost, and Envoy's memory has a bound.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, Instant};

use dubbo_codec::{Assembler, FrameHead, Limits, Reply, Text};
use serde_json::json;
use support::{Call, Deed, Envoy, Methods, WireConsumer, WireProvider, isolated, isolated_for};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;

use super::{GREETER, WAYS, Way, answered, caller, echo, envoy, metric, set};

/// As long as a body may be that has no limits of its own, but for what stands around it.
const LONG: usize = 8_000_000;
/// A filter that is built for debugging takes its time over so many bytes.
const LIMIT: Duration = Duration::from_secs(600);
/// How many bytes a slow peer reads in one go.
const GULP: usize = 2 * 1024 * 1024;

/// A text that is nowhere the same.
fn long(seed: usize) -> String {
    let mut text = String::with_capacity(LONG + 32);
    for n in 0.. {
        if text.len() >= LONG {
            break;
        }
        let _ = write!(text, "{seed}:{n:x} ");
    }
    text.truncate(LONG);
    text
}

/// A socket with small buffers, so that who does not read is soon noticed.
fn small() -> TcpSocket {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.set_recv_buffer_size(64 * 1024).unwrap();
    socket
}

/// Reads, one gulp after the other, no more than `rate` bytes a second.
struct Sipper<R> {
    read: R,
    rate: usize,
    in_gulp: usize,
    buffer: Vec<u8>,
}

impl<R: AsyncRead + Unpin> Sipper<R> {
    fn new(read: R, rate: usize) -> Self {
        Self {
            read,
            rate,
            in_gulp: 0,
            buffer: vec![0; 256 * 1024],
        }
    }

    /// What comes next; `None` at the end.
    async fn next(&mut self) -> Option<&[u8]> {
        if self.in_gulp >= GULP {
            let pause = Duration::from_secs_f64(self.in_gulp as f64 / self.rate as f64);
            tokio::time::sleep(pause).await;
            self.in_gulp = 0;
        }
        let n = self.read.read(&mut self.buffer).await.unwrap_or(0);
        self.in_gulp += n;
        Some(&self.buffer[..n]).filter(|bytes| !bytes.is_empty())
    }
}

/// A provider that reads `rate` bytes a second and answers each call with the length of its frame.
async fn slow_provider(port: u16, rate: usize) {
    let socket = small();
    socket
        .bind(([127, 0, 0, 1], port).into())
        .expect("a free port");
    let listener = socket.listen(64).unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (read, mut write) = stream.into_split();
                let mut limits = Limits::default();
                limits.max_body = i32::MAX as u32;
                let mut assembler = Assembler::new(limits);
                let mut sipper = Sipper::new(read, rate);
                while let Some(mut bytes) = sipper.next().await {
                    let mut replies = Vec::new();
                    while let Some(frame) = assembler.next(&mut bytes).expect("Dubbo") {
                        if frame.head().event {
                            replies.extend(frame.head().heartbeat_reply().unwrap_or_default());
                        } else if frame.head().two_way {
                            let reply = Reply::to(frame.head(), Some(Text::new("2.0.2"))).unwrap();
                            replies.extend(reply.string(&frame.bytes().len().to_string()));
                        }
                    }
                    if write.write_all(&replies).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
}

/// What of Envoy is in memory, in MiB.
fn resident(envoy: &Envoy) -> u64 {
    super::hostile::resident(envoy) / 1024
}

/// The most of what Envoy has in memory beyond what it had, and of `dubbo.buffered_bytes`, both in MiB, until
/// `over`.
async fn watch(envoy: &Envoy, before: u64, over: &AtomicBool) -> (u64, u64) {
    let (mut grown, mut held) = (0, 0);
    while !over.load(Ordering::Relaxed) {
        grown = grown.max(resident(envoy).saturating_sub(before));
        let name = "dynamicmodulescustom.dubbo.buffered_bytes";
        // There is none before anything was held.
        held = held.max(envoy.stat(name).await.unwrap_or(0) >> 20);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    (grown, held)
}

/// One call after the other, each of which must be answered, until `over`. How many.
async fn meanwhile(over: Arc<AtomicBool>) -> u32 {
    let consumer = WireConsumer::connect(20880).await;
    let mut calls = 0;
    while !over.load(Ordering::Relaxed) {
        let call = Call::new(GREETER, "greet", "Bob").with("region", "gray");
        assert_eq!(consumer.call(&call).await, answered("Bob from v2"));
        calls += 1;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    calls
}

/// Nobody wakes a connection whose network had room when it was looked at: so as much must be taken.
#[test]
fn a_burst_of_one_way_calls_to_a_slow_provider_does_not_stand_still() {
    isolated(async || {
        slow_provider(20881, 8_000_000).await;
        let envoy = envoy(&caller(Way::Socket)).start().await;
        let consumer = Arc::new(WireConsumer::connect(20880).await);
        let call = Call::new(GREETER, "greet", &"x".repeat(30_000));
        let frames = call.clone().one_way().frame(7).repeat(8);
        let sender = Arc::clone(&consumer);
        let burst = tokio::spawn(async move {
            for _ in 0..200 {
                sender.send(&frames).await.unwrap();
            }
        });
        let limit = Duration::from_secs(60);
        let ended = tokio::time::timeout(limit, burst).await;
        ended.expect("the burst goes on").unwrap();
        let length = call.frame(7).len().to_string();
        // As long as the burst has not all gone there may be no stream for one more.
        let began = Instant::now();
        loop {
            let answer = consumer.call(&call).await.unwrap();
            match answer.status {
                20 => break assert_eq!(answer.text, length),
                100 if began.elapsed() < limit => {}
                _ => panic!("{answer:?}"),
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        for gauge in ["dubbo.requests.active", "dubbo.buffered_bytes"] {
            metric(&envoy, gauge, 0).await;
        }
    });
}

/// A provider that is always behind: what has gone to it does not stay in memory.
#[test]
fn a_provider_that_is_always_behind_does_not_fill_the_memory() {
    const CALLS: i64 = 4000;
    isolated_for(LIMIT, async || {
        slow_provider(20881, 8_000_000).await;
        let mut bootstrap = caller(Way::Socket);
        let mut cluster = super::cluster(Way::Socket, "v1", &[20881]);
        cluster["circuit_breakers"] = json!({"thresholds": [{"max_requests": 2000}]});
        set(&mut bootstrap, "/static_resources/clusters/0", cluster);
        let envoy = envoy(&bootstrap).start().await;
        let before = resident(&envoy);
        let consumer = Arc::new(WireConsumer::connect(20880).await);
        let over = Arc::new(AtomicBool::new(false));
        let call = Call::new(GREETER, "greet", &"x".repeat(30_000));
        let length = call.frame(7).len().to_string();
        let left = Arc::new(AtomicI64::new(CALLS));
        let mut callers = JoinSet::new();
        for _ in 0..400 {
            let (consumer, left) = (Arc::clone(&consumer), Arc::clone(&left));
            let (call, length) = (call.clone(), length.clone());
            callers.spawn(async move {
                while left.fetch_sub(1, Ordering::Relaxed) > 0 {
                    assert_eq!(consumer.call(&call).await, answered(&length));
                }
            });
        }
        let ends = Arc::clone(&over);
        let callers = tokio::spawn(async move {
            let ended = callers.join_all().await;
            ends.store(true, Ordering::Relaxed);
            ended.len()
        });
        let (grown, held) = watch(&envoy, before, &over).await;
        assert_eq!(callers.await.unwrap(), 400);
        println!("{grown} MiB more, {held} MiB held");
        // Twelve MB are on their way at any time, and ten times as much goes through.
        assert!(grown < 80, "{grown} MiB");
        // What waits for the provider is seen.
        assert!((1..40).contains(&held), "{held} MiB");
        metric(&envoy, "dubbo.buffered_bytes", 0).await;
    });
}

#[test]
fn the_longest_arguments_and_answers_come_whole() {
    isolated_for(LIMIT, async || {
        let methods: Methods = Arc::new(|method, argument| {
            Deed::Return(match method {
                "length" => argument.len().to_string(),
                "make" => long(argument.parse().unwrap()),
                _ => argument.to_owned(),
            })
        });
        let _provider = WireProvider::start(20881, methods).await;
        for way in WAYS {
            let envoy = envoy(&caller(way)).start().await;
            let consumer = WireConsumer::connect(20880).await;
            for seed in [1, 2] {
                let text = long(seed);
                for (method, argument, expected) in [
                    ("length", text.as_str(), LONG.to_string().as_str()),
                    ("make", &seed.to_string(), &text),
                    ("echo", &text, &text),
                ] {
                    let answer = consumer.call(&Call::new(GREETER, method, argument)).await;
                    let answer = answer.unwrap();
                    // A text of this length is not to be printed.
                    let same = (answer.status, answer.text == expected);
                    assert_eq!(same, (20, true), "{way:?} {method}");
                }
            }
            let reset = envoy.stat("http.dubbo.downstream_rq_rx_reset").await;
            assert_eq!(reset, Ok(0), "{way:?}");
            metric(&envoy, "dubbo.buffered_bytes", 0).await;
            envoy.stop().await;
        }
    });
}

#[test]
fn a_provider_that_reads_the_longest_arguments_slowly_holds_up_nobody_else() {
    const CALLS: usize = 4;
    isolated_for(LIMIT, async || {
        slow_provider(20881, 8_000_000).await;
        let _other = WireProvider::start(20882, echo("v2")).await;
        for way in WAYS {
            let envoy = envoy(&caller(way)).start().await;
            let before = resident(&envoy);
            let over = Arc::new(AtomicBool::new(false));
            let others = tokio::spawn(meanwhile(Arc::clone(&over)));
            let ends = Arc::clone(&over);
            let callers = tokio::spawn(async move {
                let mut callers = JoinSet::new();
                for seed in 0..CALLS {
                    callers.spawn(async move {
                        let call = Call::new(GREETER, "greet", &long(seed));
                        let length = call.frame(7).len().to_string();
                        let consumer = WireConsumer::connect(20880).await;
                        assert_eq!(consumer.call(&call).await, answered(&length));
                    });
                }
                let ended = callers.join_all().await;
                ends.store(true, Ordering::Relaxed);
                ended.len()
            });
            let (grown, held) = watch(&envoy, before, &over).await;
            assert_eq!(callers.await.unwrap(), CALLS);
            let others = others.await.unwrap();
            println!("{way:?}: {grown} MiB more, {held} MiB held, {others} calls meanwhile");
            assert!(others > 5, "{way:?}: {others}");
            // Half of it is with the callers' ends, and as much with the provider's.
            assert!(
                grown < 200 && held < 100,
                "{way:?}: {grown} MiB, {held} MiB"
            );
            metric(&envoy, "dubbo.buffered_bytes", 0).await;
            envoy.stop().await;
        }
    });
}

#[test]
fn a_caller_that_reads_the_longest_answers_slowly_holds_up_nobody_else() {
    const CALLS: usize = 4;
    isolated_for(LIMIT, async || {
        let methods: Methods = Arc::new(|_, seed| Deed::Return(long(seed.parse().unwrap())));
        let _provider = WireProvider::start(20881, methods).await;
        let _other = WireProvider::start(20882, echo("v2")).await;
        for way in WAYS {
            let envoy = envoy(&caller(way)).start().await;
            let before = resident(&envoy);
            let over = Arc::new(AtomicBool::new(false));
            let others = tokio::spawn(meanwhile(Arc::clone(&over)));
            let ends = Arc::clone(&over);
            let slow = tokio::spawn(async move {
                let answers = slow_answers(CALLS).await;
                ends.store(true, Ordering::Relaxed);
                answers
            });
            let (grown, held) = watch(&envoy, before, &over).await;
            let answers = slow.await.unwrap();
            for seed in 0..CALLS {
                let (head, same) = &answers[&(seed as i64)];
                assert_eq!((head.status.0, *same), (20, true), "{way:?} {seed}");
            }
            let others = others.await.unwrap();
            println!("{way:?}: {grown} MiB more, {held} MiB held, {others} calls meanwhile");
            assert!(others > 5, "{way:?}: {others}");
            assert!(
                grown < 200 && held < 100,
                "{way:?}: {grown} MiB, {held} MiB"
            );
            metric(&envoy, "dubbo.buffered_bytes", 0).await;
            envoy.stop().await;
        }
    });
}

/// Calls that are answered with [`long`] of their number, all on one connection that is read slowly: each
/// answer's head, and whether it holds that.
async fn slow_answers(calls: usize) -> HashMap<i64, (FrameHead, bool)> {
    let socket = small();
    let mut stream: TcpStream = socket
        .connect(([127, 0, 0, 1], 20880).into())
        .await
        .unwrap();
    for seed in 0..calls {
        let call = Call::new(GREETER, "make", &seed.to_string()).frame(seed as i64);
        stream.write_all(&call).await.unwrap();
    }
    let (mut answers, mut assembler) = (HashMap::new(), Assembler::new(Limits::default()));
    let mut sipper = Sipper::new(stream, 8_000_000);
    while answers.len() < calls
        && let Some(mut bytes) = sipper.next().await
    {
        while let Some(frame) = assembler.next(&mut bytes).expect("Dubbo") {
            let head = *frame.head();
            let holds = holds(frame.body(), &long(head.id as usize));
            answers.insert(head.id, (head, holds));
        }
    }
    assert_eq!(answers.len(), calls);
    answers
}

/// Whether a response's body is this string, in however many parts it is written.
fn holds(body: &[u8], text: &str) -> bool {
    let (_, values) = dubbo_codec::hessian2::decode(&body[1..], &Limits::default()).unwrap();
    match values.first() {
        Some(dubbo_codec::hessian2::Value::String(seen)) => seen.to_str_lossy() == text,
        _ => false,
    }
}
