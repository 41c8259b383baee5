//! Providers in a YAML file: the registry of what does not register itself. [IO]
//!
//! ```text
//! # providers.yaml: a list, or one under `providers:`
//! - dubbo://10.0.0.1:20880/com.acme.Orders?version=1.0.0&group=gray&weight=50
//! - tri://orders.example.com:50051/com.acme.Orders
//!
//! file ─stamp is new, and stays→ read ─lists→ what changed → events
//! ```
//!
//! The file is looked at twice a second. A file that is missing or wrong removes nothing; a list
//! without providers has to be written as one (`[]`).

mod lists;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::Sender;
use tokio::time::sleep;
use tracing::info;

use self::lists::{lists, urls};
use crate::census::Census;
use crate::event::{Event, News, ProviderList, SourceId, SourceState};
use crate::provider::Reading;
use crate::source::{SourceError, percent_decode};

/// How often the file is looked at. A change is believed when it is as old as this, so that a
/// file that is being written is not read half.
const LOOK: Duration = Duration::from_millis(500);

/// Which file to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The file.
    pub path: PathBuf,
}

impl Config {
    /// The URL.
    pub fn id(&self) -> SourceId {
        SourceId(format!("file:{}", self.path.display()).into())
    }

    /// Reads what follows `file:`: a path, or `//` and an absolute path.
    pub(crate) fn from_rest(rest: &str) -> Result<Self, SourceError> {
        let path = match rest.strip_prefix("//") {
            Some(path) if path.starts_with('/') => path,
            Some(_) => return Err(SourceError::NoPath),
            None => rest,
        };
        if path.is_empty() {
            return Err(SourceError::NoPath);
        }
        let path = percent_decode(path, "path")?.into();
        Ok(Self { path })
    }
}

/// Reads once what the providers of a file say about how they are called. A file has no consumers.
///
/// # Errors
/// What to tell people.
pub(crate) async fn census(config: &Config) -> Result<Census, String> {
    let text = tokio::fs::read_to_string(&config.path).await;
    let mut census = Census::default();
    for url in urls(&text.map_err(|error| error.to_string())?)? {
        census.provider(url.trim());
    }
    Ok(census)
}

/// Reads a file for ever.
pub(crate) async fn run(config: Config, reading: Reading, tx: Sender<Event>) {
    let mut follower = Follower {
        source: config.id(),
        tx,
        known: None,
        state: None,
    };
    let mut believed = None;
    let mut before = stamp(&config.path).await;
    // The first reading does not wait.
    let mut settled = true;
    loop {
        if settled && believed.as_ref() != Some(&before) {
            let read = match &before {
                Ok(_) => read(&config.path, &reading).await,
                Err(why) => Err(why.clone()),
            };
            // Written meanwhile: what was read may be half of it.
            if stamp(&config.path).await == before {
                follower.take(read).await;
                believed = Some(before.clone());
            }
        }
        sleep(LOOK).await;
        let now = stamp(&config.path).await;
        settled = now == before;
        before = now;
    }
}

/// Device, inode, size, and time of change: what differs when the file is another one.
type Stamp = (u64, u64, u64, i64, i64);

async fn stamp(path: &Path) -> Result<Stamp, String> {
    match tokio::fs::metadata(path).await {
        Ok(m) => Ok((m.dev(), m.ino(), m.len(), m.mtime(), m.mtime_nsec())),
        Err(error) => Err(error.to_string()),
    }
}

type Lists = BTreeMap<Arc<str>, ProviderList>;

async fn read(path: &Path, reading: &Reading) -> Result<Lists, String> {
    let text = tokio::fs::read_to_string(path).await;
    let text = text.map_err(|error| error.to_string())?;
    lists(&text, &path.to_string_lossy(), reading)
}

struct Follower {
    source: SourceId,
    tx: Sender<Event>,
    /// What was told; none before the first good reading.
    known: Option<Lists>,
    /// The state that was told.
    state: Option<SourceState>,
}

impl Follower {
    /// Tells what a reading of the file means.
    async fn take(&mut self, read: Result<Lists, String>) {
        let lists = match (read, &self.known) {
            (Ok(lists), _) => lists,
            (Err(why), None) => return self.turn(SourceState::Connecting(why.into())).await,
            (Err(why), Some(_)) => return self.turn(SourceState::Stale(why.into())).await,
        };
        let providers: usize = lists.values().map(|list| list.providers.len()).sum();
        let rejected: usize = lists.values().map(|list| list.rejected.len()).sum();
        info!(source = %self.source, lists = lists.len(), providers, rejected, "read");
        match self.known.take() {
            Some(before) if self.state == Some(SourceState::Live) => {
                for list in changed(&before, &lists) {
                    self.tell(News::Providers(list)).await;
                }
            }
            _ => {
                self.tell(News::Restarted).await;
                for list in lists.values() {
                    self.tell(News::Providers(list.clone())).await;
                }
                self.tell(News::Synced).await;
            }
        }
        self.known = Some(lists);
        self.turn(SourceState::Live).await;
    }

    async fn turn(&mut self, state: SourceState) {
        if self.state.as_ref() != Some(&state) {
            self.state = Some(state.clone());
            self.tell(News::State(state)).await;
        }
    }

    /// Where nobody listens, the task is about to be dropped.
    async fn tell(&self, news: News) {
        let source = self.source.clone();
        let _ = self.tx.send(Event { source, news }).await;
    }
}

/// The lists that are other ones now; empty those that are not there any more.
fn changed(before: &Lists, now: &Lists) -> Vec<ProviderList> {
    let changed = |(name, list): &(&Arc<str>, &ProviderList)| before.get(*name) != Some(*list);
    let gone = before.keys().filter(|name| !now.contains_key(*name));
    let gone = gone.map(|name| ProviderList {
        list: name.clone(),
        providers: Vec::new(),
        rejected: Vec::new(),
    });
    let changed = now.iter().filter(changed).map(|(_, list)| list.clone());
    changed.chain(gone).collect()
}
