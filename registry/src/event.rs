//! What a registry says: the one vocabulary between the sources and [`Services`](crate::Services).
//!
//! ```text
//! zookeeper ─┐
//! file ──────┼─ Event ─→ Services::apply
//! (nacos) ───┘
//! ```
//!
//! Events are level-triggered: "the set of X is now …". A doubled event is harmless, a removal
//! needs no event of its own, and a reader that missed one is right again after the next.
//! A stream of events never ends and never carries an error: trouble is retried inside the source
//! and shown as its [`SourceState`].

use std::fmt;
use std::sync::Arc;

use crate::provider::{Provider, ProviderError};

/// Name of a configured registry, unique within one process: its URL without credentials.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceId(pub Arc<str>);

impl fmt::Display for SourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One statement of one registry.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// The registry that says it.
    pub source: SourceId,
    /// What it says.
    pub news: News,
}

/// What a registry can say.
#[derive(Clone, Debug, PartialEq)]
pub enum News {
    /// The state of the connection. Obligation: while it is not [`SourceState::Live`], nothing of
    /// this registry may be removed.
    State(SourceState),
    /// A complete reading begins. Obligation: set aside what follows until [`News::Synced`]; if
    /// another `Restarted` comes first, drop what was set aside.
    Restarted,
    /// The complete set of one list is now this. Outside of a reading it takes effect at once.
    Providers(ProviderList),
    /// One list exists but cannot be read (forbidden, or a read that kept failing). Obligation:
    /// keep what was known of it; a failed read is not an empty read.
    Unreadable {
        /// The list, as in [`ProviderList::list`].
        list: Arc<str>,
        /// Why, for people.
        reason: Arc<str>,
    },
    /// The reading is complete: lists that it did not name do not exist any more.
    Synced,
}

/// The complete set of one list: in ZooKeeper the providers of one interface, in a file the file.
#[derive(Clone, Debug, PartialEq)]
pub struct ProviderList {
    /// The registry's own name of the list: an interface, or a file's path.
    pub list: Arc<str>,
    /// Every provider that could be read, in no order.
    pub providers: Vec<Arc<Provider>>,
    /// Every entry that could not, with the reason.
    pub rejected: Vec<Rejection>,
}

/// An entry of a registry that is not published, by name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rejection {
    /// The entry as the registry holds it, decoded where it can be, at most
    /// [`Rejection::MAX_SUBJECT`] bytes of it.
    pub subject: Arc<str>,
    /// What is wrong with it.
    pub error: ProviderError,
}

impl Rejection {
    /// Longest part of a refused entry that is kept, in bytes: enough to find it by.
    pub const MAX_SUBJECT: usize = 512;

    /// A rejection of `subject`, which is cut at a character boundary if it is long.
    pub fn new(subject: &str, error: ProviderError) -> Self {
        let mut end = subject.len().min(Self::MAX_SUBJECT);
        while !subject.is_char_boundary(end) {
            end -= 1;
        }
        Self {
            subject: subject[..end].into(),
            error,
        }
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.subject, self.error)
    }
}

/// How far a registry can be believed now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceState {
    /// Never read completely yet; the text says what it is doing or waiting for.
    Connecting(Arc<str>),
    /// Read completely and followed.
    Live,
    /// Read before, not followed now (disconnected, being read again); the text says why.
    Stale(Arc<str>),
}
