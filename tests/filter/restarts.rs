//! A provider that ends in the middle of everything and comes back, under load: no call is executed twice, and
//! none fails that has not met an end.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use dubbo_codec::{Assembler, Limits, Reply, Text};
use serde_json::json;
use support::{Call, WireConsumer, isolated, wait_until};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, JoinSet};

use super::{GREETER, ROUTES, SOON, WAYS, Way, caller, envoy, metric, set};

/// How often each call was executed, by its argument.
type Executed = Arc<Mutex<HashMap<String, u32>>>;

/// A provider that ends in the middle of everything.
struct Mortal {
    end: oneshot::Sender<()>,
    all: JoinHandle<()>,
}

impl Mortal {
    async fn start(port: u16, executed: &Executed) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let executed = Arc::clone(executed);
        let (end, mut ends) = oneshot::channel();
        let all = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                tokio::select! {
                    _ = &mut ends => break,
                    accepted = listener.accept() => {
                        let (stream, _) = accepted.unwrap();
                        connections.spawn(execute(stream, Arc::clone(&executed)));
                    }
                }
            }
            drop(listener);
            connections.shutdown().await;
        });
        Self { end, all }
    }

    /// Returns once all of it is gone: its port is free, and each of its connections was closed.
    async fn end(self) {
        drop(self.end);
        self.all.await.unwrap();
    }
}

/// Executes what comes: one after the other, with a pause before each answer.
async fn execute(mut stream: TcpStream, executed: Executed) {
    let mut assembler = Assembler::new(Limits::default());
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(n @ 1..) = stream.read(&mut buffer).await {
        let mut bytes = &buffer[..n];
        let mut replies = Vec::new();
        while let Some(frame) = assembler.next(&mut bytes).expect("Dubbo") {
            let head = *frame.head();
            let request = dubbo_codec::Request::parse(&head, frame.body(), &Limits::default());
            let request = request.expect("a request");
            let argument = request.arguments().next().unwrap();
            let text = String::from_utf8_lossy(&argument[1..]).into_owned();
            let reply = Reply::to(&head, Some(Text::new("2.0.2"))).unwrap();
            replies.extend(reply.string(&text));
            *executed.lock().unwrap().entry(text).or_default() += 1;
        }
        tokio::time::sleep(Duration::from_millis(3)).await;
        if stream.write_all(&replies).await.is_err() {
            return;
        }
    }
}

/// How many of the calls that a caller begins in a life of the provider are answered before that ends.
const IN_A_LIFE: usize = 20;

/// Lives and outages of a provider, counted together: it is there while the number is even.
#[derive(Default)]
struct Times {
    now: AtomicUsize,
    /// Of each caller, the last time that it has seen enough of, see [`load`].
    seen: Mutex<HashMap<usize, usize>>,
    over: AtomicBool,
}

impl Times {
    fn now(&self) -> usize {
        self.now.load(Ordering::SeqCst)
    }

    fn next(&self) {
        self.now.fetch_add(1, Ordering::SeqCst);
    }

    /// Waits until each of so many callers has seen enough of this time.
    async fn seen_by(&self, callers: usize) {
        let now = self.now();
        wait_until("calls of each caller", SOON, async || {
            let seen = self.seen.lock().unwrap().clone();
            let here = seen.values().filter(|time| **time == now).count();
            (here == callers)
                .then_some(())
                .ok_or_else(|| format!("{now}: {seen:?}"))
        })
        .await;
    }
}

/// With the retries that Istio makes if nobody says anything else.
#[test]
fn a_provider_that_is_restarted_under_load_executes_no_call_twice() {
    const CALLERS: usize = 20;
    isolated(async || {
        for way in WAYS {
            let executed = Executed::default();
            let mut provider = Mortal::start(20881, &executed).await;
            let mut bootstrap = caller(way);
            let retries = json!({
                "retry_on": "connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes",
                "retriable_status_codes": [503], "num_retries": 2
            });
            let routes = json!([
                {"match": {"prefix": "/"}, "route": {"cluster": "v1", "retry_policy": retries}}
            ]);
            set(&mut bootstrap, ROUTES, routes);
            let envoy = envoy(&bootstrap).start().await;
            let times = Arc::new(Times::default());
            let callers: Vec<_> = (0..CALLERS)
                .map(|caller| tokio::spawn(load(way, caller, Arc::clone(&times))))
                .collect();
            for _ in 0..5 {
                times.seen_by(CALLERS).await;
                times.next();
                provider.end().await;
                times.seen_by(CALLERS).await;
                provider = Mortal::start(20881, &executed).await;
                times.next();
            }
            times.seen_by(CALLERS).await;
            times.over.store(true, Ordering::SeqCst);
            let (mut good, mut bad) = (0, 0);
            for caller in callers {
                let (answered, failed) = caller.await.unwrap();
                good += answered;
                bad += failed;
            }
            println!("{way:?}: {good} answered, {bad} failed");
            assert!(
                good >= 6 * IN_A_LIFE * CALLERS && bad >= 5 * CALLERS,
                "{way:?}: {good}, {bad}"
            );
            let executed = executed.lock().unwrap().clone();
            let twice: Vec<_> = executed.iter().filter(|(_, times)| **times > 1).collect();
            assert!(twice.is_empty(), "{way:?}: {twice:?}");
            assert!(executed.len() >= good, "{way:?}");
            metric(&envoy, "dubbo.requests.active", 0).await;
            envoy.stop().await;
            provider.end().await;
        }
    });
}

/// One call after the other; how many were answered, and how many were told that they failed. A caller has seen
/// enough of a life of the provider when some calls of it were answered, and of an outage when one has failed.
///
/// Connections that have ended with the provider's last life are known to Envoy's worker by the time that it
/// has answered one call of this life: it looks at what comes in the order in which that came. So each later
/// call that begins and ends in this life must be answered.
async fn load(way: Way, caller: usize, times: Arc<Times>) -> (usize, usize) {
    let consumer = WireConsumer::connect(20880).await;
    let (mut good, mut bad) = (0, 0);
    // The time of the last call that was answered in its own time, and how many were in that.
    let (mut life, mut in_life) = (0, 0);
    while !times.over.load(Ordering::SeqCst) {
        let text = format!("{caller}-{}", good + bad);
        let before = times.now();
        let answer = consumer.call(&Call::new(GREETER, "greet", &text)).await;
        let same = times.now() == before;
        let answer = answer.unwrap();
        if answer.status == 20 {
            assert_eq!(answer.text, text);
            good += 1;
            if same && before.is_multiple_of(2) {
                in_life = if life == before { in_life + 1 } else { 1 };
                life = before;
            }
        } else {
            assert_eq!(answer.status, 80, "{way:?}: {answer:?}");
            assert!(!same || life != before, "{way:?} {text}: {answer:?}");
            bad += 1;
        }
        let down = !before.is_multiple_of(2);
        let enough = match down {
            true => answer.status != 20,
            false => life == before && in_life >= IN_A_LIFE,
        };
        if same && enough {
            times.seen.lock().unwrap().insert(caller, before);
        }
        if answer.status != 20 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    (good, bad)
}
