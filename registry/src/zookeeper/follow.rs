//! One session: read everything, then follow. [IO]
//!
//! ```text
//!            ┌── events of the recursive watch ──┐
//!  ZooKeeper ┼── answers, up to 64 under way   ──┼→ Mirror ─→ Outbox ─→ channel ─→ reader
//!            └── child watches that fired      ──┘
//! ```
//!
//! Events are taken in as fast as they come, whatever the reader does: what it has not taken yet
//! waits as the names of lists, not as events. So a burst needs no queue of ours, and no resync.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tracing::{info, warn};
use zookeeper_client::{
    AddWatchMode, Client, Error, EventType, PersistentWatcher, SessionState, WatchedEvent,
};

use super::Feed;
use super::ask::{Reply, ask, forbidden};
use super::mirror::{Answer, Change, Distrust, Kind};

/// Requests under way at once: enough to hide the way to the server and back.
const IN_FLIGHT: usize = 64;
/// How often progress is told during a long reading, and time is looked at.
const TICK: Duration = Duration::from_secs(1);
/// How often a root that is missing or empty is looked at again.
const ROOT_AGAIN: Duration = Duration::from_secs(2);
/// At least this long between two looks at it.
const ROOT_PAUSE: Duration = Duration::from_millis(50);
/// Servers before 3.6 do not know the request, and some close the connection.
const TOO_OLD: &str = "ZooKeeper before 3.6 has no recursive watch; older servers are not \
                       supported yet";

/// Why a session ended.
#[derive(Debug)]
pub(super) enum End {
    /// For people.
    Trouble(String),
    /// The server is behind what was read before.
    Behind(String),
}

impl From<Error> for End {
    fn from(error: Error) -> Self {
        Self::Trouble(match error {
            Error::ConnectionLoss => "connection lost".to_owned(),
            Error::SessionExpired => "session expired".to_owned(),
            error => error.to_string(),
        })
    }
}

/// Reads and follows until the connection breaks or the server cannot be believed.
pub(super) async fn follow(client: Client, feed: &mut Feed) -> End {
    let mut session = match Session::open(client, feed).await {
        Ok(session) => session,
        Err(end) => return end,
    };
    loop {
        let why = match session.run().await {
            Ok(distrust) => distrust,
            Err(end) => return end,
        };
        if let Err(end) = session.await_root(&why).await {
            return end;
        }
    }
}

struct Session<'f> {
    feed: &'f mut Feed,
    client: Client,
    watcher: PersistentWatcher,
    replies: FuturesUnordered<BoxFuture<'static, Result<Reply, Error>>>,
    fired: FuturesUnordered<BoxFuture<'static, Arc<str>>>,
    phase: Phase,
    reading_since: Instant,
    audit_at: Instant,
}

/// What is told of the mirror.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Nothing yet: it is being read.
    Reading,
    /// Nothing until then: it is complete, but the root was lost before.
    Refilling(Instant),
    /// Everything.
    Following,
}

impl<'f> Session<'f> {
    /// Sets the watch first, so that nothing is missed between it and the reading; then has the
    /// server catch up with its leader.
    async fn open(client: Client, feed: &'f mut Feed) -> Result<Self, End> {
        let root = feed.config.root.as_str();
        let watcher = match client.watch(root, AddWatchMode::PersistentRecursive).await {
            Ok(watcher) => watcher,
            Err(Error::Unimplemented) => return Err(End::Trouble(TOO_OLD.to_owned())),
            Err(Error::NoAuth) => return Err(End::Trouble(forbidden(root))),
            Err(error) => return Err(error.into()),
        };
        client.sync(root).await?;
        let now = Instant::now();
        Ok(Self {
            feed,
            client,
            watcher,
            replies: FuturesUnordered::new(),
            fired: FuturesUnordered::new(),
            phase: Phase::Reading,
            reading_since: now,
            audit_at: now,
        })
    }

    /// Reads everything and follows, until the root cannot be believed.
    async fn run(&mut self) -> Result<Distrust, End> {
        self.replies.clear();
        self.fired.clear();
        self.phase = Phase::Reading;
        self.reading_since = Instant::now();
        self.feed.mirror.begin_reading();
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        tick.reset();
        loop {
            self.take_events()?;
            if let Some(distrust) = self.feed.mirror.distrust().cloned() {
                return match distrust {
                    Distrust::Behind(interface) => Err(End::Behind(behind(&interface))),
                    distrust => Ok(distrust),
                };
            }
            self.ask_more();
            self.conclude();
            self.feed.tell();
            tokio::select! {
                biased;
                event = self.watcher.changed() => self.take_event(&event)?,
                Some(directory) = self.fired.next() => self.feed.mirror.watch_fired(&directory),
                Some(reply) = self.replies.next() => {
                    // What came before the answer must be taken in before it.
                    self.take_events()?;
                    self.take_reply(reply?);
                }
                () = self.feed.room(), if !self.feed.outbox.is_empty() => {}
                _ = tick.tick() => self.tick(),
            }
        }
    }

    /// Takes in all events that have arrived.
    fn take_events(&mut self) -> Result<(), End> {
        while let Some(event) = self.watcher.changed().now_or_never() {
            self.take_event(&event)?;
        }
        Ok(())
    }

    fn take_event(&mut self, event: &WatchedEvent) -> Result<(), End> {
        let mirror = &mut self.feed.mirror;
        match event.event_type {
            EventType::NodeCreated => mirror.event(&event.path, Change::Created),
            EventType::NodeDeleted => mirror.event(&event.path, Change::Deleted),
            // Data means nothing, and recursive watches tell of no children.
            EventType::NodeDataChanged | EventType::NodeChildrenChanged => {}
            EventType::Session => {
                return Err(match event.session_state {
                    SessionState::Expired => Error::SessionExpired.into(),
                    SessionState::AuthFailed => Error::AuthFailed.into(),
                    _ => Error::ConnectionLoss.into(),
                });
            }
        }
        Ok(())
    }

    fn take_reply(&mut self, Reply(answer, watcher): Reply) {
        if let (Answer::Listed(directory, _), Some(watcher)) = (&answer, watcher) {
            let directory = directory.clone();
            self.fired
                .push(watcher.changed().map(|_| directory).boxed());
        }
        self.feed.mirror.answer(answer);
    }

    fn ask_more(&mut self) {
        while self.replies.len() < IN_FLIGHT
            && let Some(request) = self.feed.mirror.next_request()
        {
            let root = self.feed.config.root.clone();
            self.replies
                .push(ask(self.client.clone(), root, request).boxed());
        }
    }

    /// Hands on what is known now: everything after a complete reading, else what changed.
    fn conclude(&mut self) {
        let touched = self.feed.mirror.take_touched();
        if self.phase == Phase::Following {
            self.feed.outbox.touch(touched);
        }
        match self.feed.mirror.take_completed().map(|pass| pass.kind) {
            Some(Kind::Reading) => match self.feed.refilled_at() {
                Some(at) => self.phase = Phase::Refilling(at),
                None => self.complete(),
            },
            Some(Kind::Audit) => {
                self.audit_at = Instant::now() + self.feed.config.audit_interval;
            }
            None => {}
        }
        self.report_missed();
    }

    /// Tells everything.
    fn complete(&mut self) {
        let Feed {
            mirror,
            outbox,
            source,
            ..
        } = &mut *self.feed;
        outbox.complete(mirror.lists());
        let (read, took) = (mirror.summary(), self.reading_since.elapsed());
        info!(
            %source,
            interfaces = read.interfaces,
            providers = read.providers,
            rejected = read.rejected,
            unreadable = read.unreadable,
            milliseconds = took.as_millis(),
            "read completely"
        );
        self.phase = Phase::Following;
        self.audit_at = Instant::now() + self.feed.config.audit_interval;
        self.feed.on_live();
    }

    fn report_missed(&mut self) {
        let missed = self.feed.mirror.take_missed();
        if let [first, ..] = missed.as_slice() {
            warn!(
                source = %self.feed.source,
                directories = missed.len(),
                first,
                "the server withheld events: these directories are watched one by one from now on"
            );
        }
    }

    fn tick(&mut self) {
        let Feed {
            mirror,
            outbox,
            config,
            ..
        } = &mut *self.feed;
        let (root, now) = (&config.root, Instant::now());
        match (self.phase, mirror.pass()) {
            (Phase::Reading, Some(pass)) => {
                let (done, total) = (pass.done(), pass.total);
                outbox.trouble(&format!("reading {root}: {done} of {total} interfaces"));
            }
            (Phase::Refilling(at), _) if now < at => {
                outbox.trouble(&format!(
                    "{root} is there again: providers may still come back"
                ));
            }
            (Phase::Refilling(_), _) => self.complete(),
            (Phase::Following, None) if now >= self.audit_at => mirror.begin_audit(),
            _ => {}
        }
    }

    /// Waits until something happens to the root. What is known stays as it is meanwhile.
    async fn await_root(&mut self, why: &Distrust) -> Result<(), End> {
        self.replies.clear();
        if matches!(why, Distrust::RootMissing | Distrust::RootEmpty) {
            self.feed.on_root_lost();
        }
        self.feed
            .trouble(&root_trouble(self.feed.config.root.as_str(), why))
            .await;
        if let Ok(event) = timeout(ROOT_AGAIN, self.watcher.changed()).await {
            self.take_event(&event)?;
            // Whoever makes the root goes on to fill it.
            tokio::time::sleep(ROOT_PAUSE).await;
        }
        self.take_events()
    }
}

fn root_trouble(root: &str, why: &Distrust) -> String {
    match why {
        Distrust::RootMissing => format!(
            "{root} does not exist: wrong root, or nothing was ever registered \
             (empty-root=allowed accepts that)"
        ),
        Distrust::RootEmpty => format!(
            "no interface under {root} has providers: wrong root, or nothing was ever registered \
             (empty-root=allowed accepts that)"
        ),
        Distrust::RootUnreadable(reason) => reason.to_string(),
        Distrust::Behind(interface) => behind(interface),
    }
}

fn behind(interface: &str) -> String {
    format!("the server is behind what was read before, for one in {interface}")
}
