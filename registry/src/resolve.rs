//! Host names that providers registered, resolved again and again. [IO]
//!
//! ```text
//! Wanted (the set of names) ─→ one lookup per name, each interval ─→ (name, addresses or reason)
//! ```
//!
//! Answers are level-triggered: one after every lookup, the same or not. A failure is an answer
//! with a reason, never an empty set of addresses; what to keep then is the reader's decision.

#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::{Stream, future};
use tokio::net::lookup_host;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_stream::wrappers::ReceiverStream;

use crate::provider::is_of_a_host;

/// The names to resolve. When it is another set, new names are looked up at once, and those that
/// are not in it any more no longer.
pub type Wanted = watch::Receiver<BTreeSet<Arc<str>>>;

/// What a name resolved to: at least one address, sorted; or the reason.
pub type Answer = Result<Vec<IpAddr>, Arc<str>>;

/// A lookup that takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(5);
/// Lookups under way at once: the system resolver uses a thread for each.
const IN_FLIGHT: usize = 32;
/// Shortest pause between two lookups of a name.
const SHORTEST: Duration = Duration::from_millis(100);

/// Resolves the names of `wanted`, each again after `interval`. The stream ends only when the
/// sender of `wanted` is gone.
///
/// # Panics
/// Outside of a tokio runtime.
pub fn watch(
    wanted: Wanted,
    interval: Duration,
) -> impl Stream<Item = (Arc<str>, Answer)> + Send + Unpin + use<> {
    let (tx, rx) = mpsc::channel(IN_FLIGHT);
    let listener = tx.clone();
    tokio::spawn(async move {
        let run = Box::pin(run(wanted, interval, tx));
        let unheard = Box::pin(listener.closed());
        drop(future::select(run, unheard).await);
    });
    ReceiverStream::new(rx)
}

/// Resolves a name once.
pub async fn once(name: &str) -> Answer {
    let found = match timeout(PATIENCE, lookup_host((name, 0))).await {
        Err(_) => return Err(format!("no answer within {} s", PATIENCE.as_secs()).into()),
        Ok(Err(error)) => return Err(error.to_string().into()),
        Ok(Ok(found)) => found,
    };
    let found = found.map(|address| address.ip().to_canonical());
    // A blocked name is often answered with 0.0.0.0.
    let addresses: BTreeSet<IpAddr> = found.filter(|ip| is_of_a_host(*ip)).collect();
    if addresses.is_empty() {
        return Err("the name has no address of a host".into());
    }
    Ok(addresses.into_iter().collect())
}

async fn run(mut wanted: Wanted, interval: Duration, tx: mpsc::Sender<(Arc<str>, Answer)>) {
    let limit = Arc::new(Semaphore::new(IN_FLIGHT));
    let mut tasks: HashMap<Arc<str>, Task> = HashMap::new();
    loop {
        let names = wanted.borrow_and_update().clone();
        tasks.retain(|name, _| names.contains(name));
        for name in names {
            let follow = || Task::follow(name.clone(), interval, limit.clone(), tx.clone());
            tasks.entry(name.clone()).or_insert_with(follow);
        }
        if wanted.changed().await.is_err() {
            return;
        }
    }
}

/// Resolves one name until it is dropped.
struct Task(JoinHandle<()>);

impl Task {
    fn follow(
        name: Arc<str>,
        interval: Duration,
        limit: Arc<Semaphore>,
        tx: mpsc::Sender<(Arc<str>, Answer)>,
    ) -> Self {
        Self(tokio::spawn(async move {
            loop {
                let turn = limit.acquire().await;
                let answer = once(&name).await;
                drop(turn);
                if tx.send((name.clone(), answer)).await.is_err() {
                    return;
                }
                sleep(interval.max(SHORTEST)).await;
            }
        }))
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}
