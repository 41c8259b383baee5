//! How far a reading or an audit is, and what it amounts to. Pure.

use std::collections::HashSet;
use std::sync::Arc;

/// Why everything is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::zookeeper) enum Kind {
    /// After a connection was made: everything is to be verified before anything is told.
    Reading,
    /// In between: everything should be as known.
    Audit,
}

/// How a reading or an audit is going.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::zookeeper) struct Pass {
    pub(in crate::zookeeper) kind: Kind,
    /// Directories to look at; none before the root is read.
    pub(in crate::zookeeper) total: usize,
    /// Those not looked at yet; unknown before the root is read.
    left: Option<HashSet<Arc<str>>>,
}

impl Pass {
    pub(super) fn new(kind: Kind) -> Self {
        Self {
            kind,
            total: 0,
            left: None,
        }
    }

    /// The root is read: these are to be looked at.
    pub(super) fn look_at(&mut self, directories: Vec<Arc<str>>) {
        self.total = directories.len();
        self.left = Some(directories.into_iter().collect());
    }

    /// A directory is as the server has it.
    pub(super) fn seen(&mut self, directory: &str) {
        if let Some(left) = &mut self.left {
            left.remove(directory);
        }
    }

    pub(super) fn is_complete(&self) -> bool {
        self.left.as_ref().is_some_and(HashSet::is_empty)
    }

    /// Directories that were looked at.
    pub(in crate::zookeeper) fn done(&self) -> usize {
        self.total - self.left.as_ref().map_or(0, HashSet::len)
    }
}

/// How much is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::zookeeper) struct Summary {
    pub(in crate::zookeeper) interfaces: usize,
    pub(in crate::zookeeper) providers: usize,
    pub(in crate::zookeeper) rejected: usize,
    pub(in crate::zookeeper) unreadable: usize,
}
