//! Dubbo's providers in a ZooKeeper (3.6 and later), read and followed. [IO]
//!
//! Owns the sessions and what is told of their trouble. Never writes to ZooKeeper.
//!
//! ```text
//! run: connect ─→ follow: watch, sync, read, replay, tell ─→ events … ─→ connection lost
//!         ↑                                                                   │
//!         └───────────── State(Stale), pause, a new session ──────────────────┘
//! ```

mod ask;
mod census;
mod config;
mod connect;
mod follow;
mod interner;
mod mirror;
mod outbox;
mod path;

#[cfg(test)]
mod tests;

use std::hash::{BuildHasher, RandomState};
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures::{FutureExt, future};
use tokio::sync::mpsc::Sender;
use tokio::time::{Instant, sleep};
use tracing::{debug, warn};

pub(crate) use self::census::census;
pub use self::config::{Address, Config, Credentials, Password, Tls};
use self::connect::connect;
use self::follow::{End, follow};
use self::mirror::Mirror;
use self::outbox::Outbox;
pub use self::path::Root;
use crate::event::{Event, SourceId};
use crate::provider::Reading;

/// Pause after the first failure; each further one doubles it.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// Longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// A tree that stays older than what was read for so long is the tree: an ensemble was set up
/// anew, or from a backup.
const BEHIND_FOR: Duration = Duration::from_secs(30);
/// How long after the loss of the root a reading is not believed: providers that find their nodes
/// gone register again one by one, each within its session timeout.
const REFILL: Duration = Duration::from_secs(30);

/// Reads a registry for ever.
pub(crate) async fn run(config: Config, reading: Reading, tx: Sender<Event>) {
    let mut feed = Feed::new(config, reading, tx);
    feed.trouble("connecting").await;
    loop {
        let end = AssertUnwindSafe(session(&mut feed)).catch_unwind().await;
        let end = end.unwrap_or_else(|_| feed.panicked());
        let why = feed.judge(end);
        feed.trouble(&why).await;
        sleep(feed.pause()).await;
    }
}

async fn session(feed: &mut Feed) -> End {
    match connect(&feed.config).await {
        Ok(client) => {
            debug!(source = %feed.source, session = %client.session_id(), "connected");
            follow(client, feed).await
        }
        Err(why) => End::Trouble(why),
    }
}

/// All that outlives a session.
struct Feed {
    source: SourceId,
    config: Config,
    reading: Reading,
    mirror: Mirror,
    outbox: Outbox,
    tx: Sender<Event>,
    /// Sessions in a row that came to nothing.
    failures: u32,
    /// Since when servers are behind what was read.
    behind: Option<Instant>,
    /// When the root of a registry that was read before was last seen to be missing or empty.
    root_lost: Option<Instant>,
}

impl Feed {
    fn new(config: Config, reading: Reading, tx: Sender<Event>) -> Self {
        Self {
            source: config.id(),
            mirror: new_mirror(&config, &reading),
            config,
            reading,
            outbox: Outbox::default(),
            tx,
            failures: 0,
            behind: None,
            root_lost: None,
        }
    }

    /// Tells what the reader has room for.
    fn tell(&mut self) {
        while !self.outbox.is_empty()
            && let Ok(permit) = self.tx.try_reserve()
            && let Some(news) = self.outbox.next(&self.mirror)
        {
            permit.send(Event {
                source: self.source.clone(),
                news,
            });
        }
    }

    /// Waits until the reader has room. For ever if there is no reader: this task is about to be
    /// dropped.
    async fn room(&self) {
        if self.tx.reserve().await.is_err() {
            future::pending().await
        }
    }

    /// Tells that the registry cannot be followed now.
    async fn trouble(&mut self, why: &str) {
        self.outbox.trouble(why);
        while let Some(news) = self.outbox.next(&self.mirror) {
            let source = self.source.clone();
            if self.tx.send(Event { source, news }).await.is_err() {
                return;
            }
        }
    }

    /// Everything has been read.
    fn on_live(&mut self) {
        self.failures = 0;
        self.behind = None;
        self.root_lost = None;
    }

    /// The root is missing or empty.
    fn on_root_lost(&mut self) {
        if self.outbox.was_read() {
            self.root_lost = Some(Instant::now());
        }
    }

    /// When a reading can be believed; none for at once.
    fn refilled_at(&self) -> Option<Instant> {
        let at = self.root_lost? + REFILL;
        (at > Instant::now()).then_some(at)
    }

    /// What an end means for the next session, and for people.
    fn judge(&mut self, end: End) -> String {
        match end {
            End::Trouble(why) => why,
            End::Behind(why) => {
                let since = *self.behind.get_or_insert_with(Instant::now);
                if since.elapsed() >= BEHIND_FOR {
                    warn!(source = %self.source, "every server is behind: taking that for the truth");
                    self.mirror.forget_versions();
                }
                why
            }
        }
    }

    /// A defect of ours or of the client library must not end the stream.
    fn panicked(&mut self) -> End {
        self.mirror = new_mirror(&self.config, &self.reading);
        End::Trouble("internal error in the session, see the log".to_owned())
    }

    /// The pause before the next session: doubling, and of random length, so that replicas do not
    /// come back all at once.
    fn pause(&mut self) -> Duration {
        let longest = FIRST_PAUSE * 2u32.saturating_pow(self.failures.min(16));
        self.failures += 1;
        let longest = longest.min(LONGEST_PAUSE);
        let pause = longest.mul_f64(0.5 + 0.5 * random_share());
        debug!(source = %self.source, milliseconds = pause.as_millis(), "pause");
        pause
    }
}

fn new_mirror(config: &Config, reading: &Reading) -> Mirror {
    let allowed = config.empty_root_allowed;
    Mirror::new(config.root.clone(), reading.clone(), allowed, random())
}

/// The standard library's own source of randomness: a new hasher has new keys.
fn random() -> u64 {
    RandomState::new().hash_one(0_u8)
}

/// From 0 to 1.
fn random_share() -> f64 {
    f64::from((random() >> 32) as u32) / f64::from(u32::MAX)
}
