//! A reader of a stream of events: holds the source to its contract, and keeps what it says.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use dubbo_registry::event::{Event, News, ProviderList, SourceId, SourceState};
use dubbo_registry::provider::{Provider, Reading};
use dubbo_registry::removal::{Policy, Time};
use dubbo_registry::services::Services;
use dubbo_registry::source::SourceConfig;
use dubbo_registry::watch;
use futures::StreamExt;
use futures::stream::BoxStream;
use tokio::time::timeout;

use super::estate::Tree;

/// Longer than anything takes on a busy machine.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// When a removal is believed.
const DELAY: Duration = Duration::from_secs(1);

pub(crate) struct Reader {
    events: BoxStream<'static, Event>,
    source: SourceId,
    pub(crate) state: Option<SourceState>,
    pub(crate) lists: BTreeMap<String, ProviderList>,
    reading: Option<BTreeMap<String, ProviderList>>,
    pub(crate) unreadable: BTreeMap<String, String>,
    /// Every event, in few words.
    pub(crate) said: Vec<String>,
    /// What the product makes of it.
    services: Services,
    began: Instant,
}

impl Reader {
    /// Starts to watch `url`.
    pub(crate) fn start(url: &str) -> Self {
        let config: SourceConfig = url.parse().unwrap_or_else(|error| panic!("{url}: {error}"));
        let labels = ["revision".into()].into();
        Self {
            source: config.id(),
            events: watch(config.clone(), Reading { labels }).boxed(),
            state: None,
            lists: BTreeMap::new(),
            reading: None,
            unreadable: BTreeMap::new(),
            said: Vec::new(),
            services: Services::new([config.id()], Policy { delay: DELAY }),
            began: Instant::now(),
        }
    }

    /// Starts to watch, and reads until everything was read.
    pub(crate) async fn live(url: &str) -> Self {
        let mut reader = Self::start(url);
        reader.until_live().await;
        reader
    }

    /// Takes in the next event, if one comes within `patience`.
    pub(crate) async fn next(&mut self, patience: Duration) -> bool {
        match timeout(patience, self.events.next()).await {
            Ok(Some(event)) => {
                self.take(event);
                true
            }
            Ok(None) => panic!("the stream has ended; said {:?}", self.said),
            Err(_) => false,
        }
    }

    /// Takes in events until `done`, whose error says what is missing.
    pub(crate) async fn until(
        &mut self,
        what: &str,
        mut done: impl FnMut(&Self) -> Result<(), String>,
    ) {
        let began = Instant::now();
        while let Err(seen) = done(self) {
            let left = LIMIT.saturating_sub(began.elapsed());
            if !self.next(left).await {
                let tail = self.said.len().saturating_sub(20);
                panic!(
                    "waited for: {what}\nlast seen: {seen}\nstate {:?}\nlast said: {:#?}",
                    self.state,
                    &self.said[tail..]
                );
            }
        }
    }

    pub(crate) async fn until_live(&mut self) {
        let live = |r: &Self| match &r.state {
            Some(SourceState::Live) => Ok(()),
            state => Err(format!("{state:?}")),
        };
        self.until("live", live).await;
    }

    /// Until the state's reason contains `text`.
    pub(crate) async fn until_says(&mut self, text: &str) {
        let says = |r: &Self| match &r.state {
            Some(SourceState::Connecting(why) | SourceState::Stale(why)) if why.contains(text) => {
                Ok(())
            }
            state => Err(format!("{state:?}")),
        };
        self.until(&format!("a state that says {text:?}"), says)
            .await;
    }

    /// Until it says exactly this; no list and an empty list are the same.
    pub(crate) async fn until_tree(&mut self, expected: &Tree) {
        let full = |mut tree: Tree| {
            tree.retain(|_, providers| !providers.is_empty());
            tree
        };
        let expected = full(expected.clone());
        let equal = |r: &Self| {
            let seen = full(r.tree());
            if seen == expected {
                return Ok(());
            }
            let differs = |name: &&String| seen.get(*name) != expected.get(*name);
            let names: BTreeSet<_> = seen.keys().chain(expected.keys()).collect();
            let names: Vec<_> = names.into_iter().filter(differs).take(3).collect();
            let of = |tree: &Tree| {
                names
                    .iter()
                    .map(|n| tree.get(*n).cloned())
                    .collect::<Vec<_>>()
            };
            Err(format!(
                "{names:?}: {:#?}\ninstead of {:#?}",
                of(&seen),
                of(&expected)
            ))
        };
        self.until("the tree", equal).await;
    }

    /// Takes in whatever still comes, until nothing comes for `quiet`.
    pub(crate) async fn settle(&mut self, quiet: Duration) {
        while self.next(quiet).await {}
    }

    /// What it says now; lists without entries do not count, as the contract has it.
    pub(crate) fn tree(&self) -> Tree {
        let brief = |list: &ProviderList| list.providers.iter().map(|p| brief(p)).collect();
        self.lists
            .iter()
            .map(|(name, list)| (name.clone(), brief(list)))
            .collect()
    }

    /// How many providers are believed to be there after all removals that are due.
    pub(crate) async fn believed(&mut self) -> usize {
        tokio::time::sleep(2 * DELAY).await;
        self.services.tick(Time(self.began.elapsed()));
        let keys: Vec<_> = self.services.keys().cloned().collect();
        keys.iter()
            .map(|key| self.services.providers(key).count())
            .sum()
    }

    fn take(&mut self, event: Event) {
        assert_eq!(event.source, self.source);
        self.services
            .apply(event.clone(), Time(self.began.elapsed()));
        let live = self.state == Some(SourceState::Live);
        self.said.push(match &event.news {
            News::State(state) => format!("{state:?}"),
            News::Restarted => "Restarted".to_owned(),
            News::Synced => "Synced".to_owned(),
            News::Unreadable { list, .. } => format!("Unreadable {list}"),
            News::Providers(list) => {
                format!(
                    "{} {}+{}",
                    list.list,
                    list.providers.len(),
                    list.rejected.len()
                )
            }
        });
        match event.news {
            News::State(state) => self.state = Some(state),
            News::Restarted => {
                self.reading = Some(BTreeMap::new());
                self.unreadable.clear();
            }
            News::Providers(list) => {
                self.unreadable.remove(&*list.list);
                let into = match &mut self.reading {
                    Some(reading) => reading,
                    None => {
                        assert!(live, "{:?} while {:?}", list.list, self.state);
                        &mut self.lists
                    }
                };
                into.insert(list.list.to_string(), list);
            }
            News::Unreadable { list, reason } => {
                let known = self.lists.get(&*list).cloned();
                if let (Some(reading), Some(known)) = (&mut self.reading, known) {
                    reading.insert(list.to_string(), known);
                }
                self.unreadable.insert(list.to_string(), reason.to_string());
            }
            News::Synced => {
                self.lists = self.reading.take().expect("Restarted before Synced");
            }
        }
    }
}

/// A provider as `estate::brief` writes it.
fn brief(provider: &Provider) -> String {
    let id = &provider.id;
    format!(
        "{}://{}:{} weight {} at {}",
        id.protocol, id.host, id.port, provider.weight, provider.timestamp
    )
}
