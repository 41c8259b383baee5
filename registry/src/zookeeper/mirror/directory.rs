//! What is known of the providers of one interface. Pure.
//!
//! ```text
//! event  ─→ nodes ──────────────────────────→ list()
//!              ↑ whole set, then the events that came since it was asked for
//! answer ──────┘
//! ```
//!
//! An answer and the events around it come in no known order, but the last event of a node is the
//! truth about it: if the answer is newer than the event it says the same, and if it is older the
//! event has overtaken it. So events apply at once, and what came while an answer was awaited
//! applies again on top of the answer.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Refusal;
use crate::event::Rejection;
use crate::provider::Provider;

/// A node's name, as a hash with a seed of this process: names are long, and nobody needs them.
pub(super) type NodeHash = u128;

/// What a node's name says.
#[derive(Clone, Debug)]
pub(super) enum Entry {
    Provider(Arc<Provider>),
    Rejected(Box<Rejection>),
}

/// The state of a node as ZooKeeper's `Stat` has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::zookeeper) struct Version {
    /// Transaction that created it.
    pub(in crate::zookeeper) czxid: i64,
    /// How often a child was created or deleted.
    pub(in crate::zookeeper) cversion: i32,
    /// Children that it has.
    pub(in crate::zookeeper) children: i32,
}

/// What is known of a `providers` directory.
#[derive(Debug, Default)]
pub(super) struct Directory {
    /// Whether there is one, and whether it can be read.
    pub(super) held: Held,
    pub(super) nodes: BTreeMap<NodeHash, Entry>,
    /// The version at which ZooKeeper had exactly `nodes`; none if that is not known.
    version: Option<Version>,
    /// The newest version ever seen, by `czxid` and `cversion`.
    newest: Option<(i64, i32)>,
    /// Present while an answer is awaited. There is at most one request at a time.
    asked: Option<Asked>,
    /// The server withholds events of it.
    pub(super) silent: bool,
    /// Made known by an event while the root's children were being asked for.
    pub(super) fresh: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Held {
    /// There is no such directory.
    #[default]
    Nothing,
    /// There is one and it cannot be read, for this reason.
    Unreadable(Arc<str>),
    /// `nodes` is all of it.
    All,
}

#[derive(Debug, Default)]
struct Asked {
    /// What the events since said of each node, the last one only.
    since: BTreeMap<NodeHash, Option<Entry>>,
    /// The directory itself came or went since: the answer means nothing.
    overtaken: bool,
}

/// What an answer means for the directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// As known.
    Same,
    /// Different; `nodes` or `held` is new.
    Different,
    /// It must be listed to know.
    List,
    /// Older than what was seen before: the server is behind.
    Behind,
}

impl Directory {
    /// A request goes out. False if one is under way already.
    pub(super) fn ask(&mut self) -> bool {
        let free = self.asked.is_none();
        if free {
            self.asked = Some(Asked::default());
        }
        free
    }

    /// No answer will come any more: the connection is gone.
    pub(super) fn give_up(&mut self) {
        if let Some(asked) = self.asked.take()
            && (asked.overtaken || !asked.since.is_empty())
        {
            self.version = None;
        }
        self.fresh = false;
    }

    /// An answer is awaited.
    pub(super) fn is_asked(&self) -> bool {
        self.asked.is_some()
    }

    /// It is enough to ask for its version.
    pub(super) fn is_versioned(&self) -> bool {
        self.version.is_some()
    }

    /// Takes any version for news from now on.
    pub(super) fn forget_versions(&mut self) {
        self.version = None;
        self.newest = None;
    }

    /// The directory was created, empty as every new node. True if that is news.
    pub(super) fn created(&mut self) -> bool {
        if let Some(asked) = &mut self.asked {
            asked.overtaken = true;
        }
        self.emptied(Held::All)
    }

    /// The directory was deleted, or its parent was. True if that is news.
    pub(super) fn deleted(&mut self) -> bool {
        if let Some(asked) = &mut self.asked {
            asked.overtaken = true;
        }
        self.emptied(Held::Nothing)
    }

    /// No list and an empty list are the same to the reader.
    fn emptied(&mut self, held: Held) -> bool {
        let news = !self.nodes.is_empty() || matches!(self.held, Held::Unreadable(_));
        self.held = held;
        self.nodes.clear();
        self.version = None;
        news
    }

    /// A node was created, or with `None` deleted. True if that is news.
    pub(super) fn node(&mut self, hash: NodeHash, entry: Option<Entry>) -> bool {
        if let Some(asked) = &mut self.asked {
            asked.since.insert(hash, entry.clone());
        }
        if self.held != Held::All {
            return false;
        }
        let (news, children) = match entry {
            Some(entry) => (self.nodes.insert(hash, entry).is_none(), 1),
            None => (self.nodes.remove(&hash).is_some(), -1),
        };
        self.version = match self.version {
            Some(before) if news && self.asked.is_none() => {
                let cversion = before.cversion.wrapping_add(1);
                self.newest = Some((before.czxid, cversion));
                Some(Version {
                    cversion,
                    children: before.children + children,
                    ..before
                })
            }
            // While an answer is awaited, what came since may be in it or not; and an event that
            // says nothing new means that an earlier one is missing.
            _ => None,
        };
        news
    }

    /// The answer to a request for the version.
    pub(super) fn stat(&mut self, version: Option<Version>) -> Verdict {
        match &self.asked {
            None => return Verdict::Same,
            Some(asked) if asked.since.is_empty() && !asked.overtaken => {}
            Some(_) => return Verdict::List,
        }
        if version.is_some_and(|version| self.is_behind(version)) {
            return Verdict::Behind;
        }
        let known = match self.held {
            Held::All => self.version,
            Held::Nothing => None,
            Held::Unreadable(_) => return Verdict::List,
        };
        if version != known || (self.held == Held::All && known.is_none()) {
            return Verdict::List;
        }
        self.asked = None;
        Verdict::Same
    }

    /// The answer to a request for the names: all of them, by hash, or why there are none.
    pub(super) fn listed(
        &mut self,
        answer: Result<(BTreeMap<NodeHash, Entry>, Version), Refusal>,
    ) -> Verdict {
        match &self.asked {
            None => return Verdict::Same,
            Some(asked) if asked.overtaken => return self.ask_again(),
            Some(_) => {}
        }
        match answer {
            Ok((_, version)) if self.is_behind(version) => Verdict::Behind,
            Ok((nodes, version)) => self.take(nodes, version),
            Err(refusal) => self.refused(refusal),
        }
    }

    fn take(&mut self, mut nodes: BTreeMap<NodeHash, Entry>, version: Version) -> Verdict {
        let since = self.asked.take().unwrap_or_default().since;
        self.newest = Some((version.czxid, version.cversion));
        let counted = usize::try_from(version.children) == Ok(nodes.len());
        self.version = (counted && since.is_empty()).then_some(version);
        for (hash, entry) in since {
            match entry {
                Some(entry) => nodes.insert(hash, entry),
                None => nodes.remove(&hash),
            };
        }
        let same = self.held == Held::All && self.nodes.keys().eq(nodes.keys());
        self.held = Held::All;
        self.nodes = nodes;
        if same {
            Verdict::Same
        } else {
            Verdict::Different
        }
    }

    /// Nodes stay as they are where the directory cannot be read: a failed read is not an empty
    /// one.
    fn refused(&mut self, refusal: Refusal) -> Verdict {
        let events = self.asked.take().is_some_and(|a| !a.since.is_empty());
        self.version = None;
        let held = match refusal {
            // It has come since, without a word.
            Refusal::Missing if events => return self.ask_again(),
            Refusal::Missing => {
                self.nodes.clear();
                Held::Nothing
            }
            Refusal::Other(reason) => Held::Unreadable(reason),
        };
        let same = self.held == held;
        self.held = held;
        if same {
            Verdict::Same
        } else {
            Verdict::Different
        }
    }

    fn ask_again(&mut self) -> Verdict {
        self.asked = Some(Asked::default());
        Verdict::List
    }

    fn is_behind(&self, version: Version) -> bool {
        let behind = |newest| (version.czxid, version.cversion) < newest;
        self.newest.is_some_and(behind)
    }
}
