//! What the mirror asks, and what it is answered. Pure.

use std::sync::Arc;

use super::Version;

/// Something to ask the server. Directories are named as ZooKeeper has them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::zookeeper) enum Request {
    /// The children of the root.
    Root,
    /// The version of a directory.
    Stat(Arc<str>),
    /// The nodes of a directory, and its version.
    List(Arc<str>),
    /// As `List`, and a word at the next change.
    Watch(Arc<str>),
}

/// What the server answers.
#[derive(Debug)]
pub(in crate::zookeeper) enum Answer {
    /// The root's children.
    Root(Result<Vec<String>, Refusal>),
    /// A directory's version; none if there is no such directory.
    Stat(Arc<str>, Option<Version>),
    /// A directory's nodes.
    Listed(Arc<str>, Result<(Vec<String>, Version), Refusal>),
}

/// Why the server does not tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::zookeeper) enum Refusal {
    /// There is no such node.
    Missing,
    /// Any other reason, for people.
    Other(Arc<str>),
}

/// What happened to a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::zookeeper) enum Change {
    /// It came.
    Created,
    /// It went.
    Deleted,
}

/// Why the registry cannot be believed although the server answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::zookeeper) enum Distrust {
    /// The root does not exist.
    RootMissing,
    /// The root has no interface with providers.
    RootEmpty,
    /// The root cannot be read.
    RootUnreadable(Arc<str>),
    /// This interface is older than what was read before.
    Behind(Arc<str>),
}
