//! What is published, as one immutable value: kind → [`ResourceSet`].
//!
//! Owns: the shape of the published state and how a change makes the next one. Must not know: who
//! reads it, when it is sent, where changes come from.
//!
//! ```text
//! Snapshot ── with(changes) ──→ Snapshot'      every bucket that no change touched is shared
//!    └ ResourceSet (one per kind)
//!         └ 256 buckets by a stable hash of the name, each one contiguous run of bytes
//! ```
//!
//! Equal content makes equal bytes and an equal version, whatever the order in which it came:
//! replicas agree, and a restart changes nothing for a client.

use dubbo_registry::resource::{Change, Kind};

mod set;

pub use set::{ResourceSet, Version};

/// What a number of changes really changed. All zero: the content is what it was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Names that were not there before.
    pub added: usize,
    /// Names whose bytes differ now.
    pub updated: usize,
    /// Names that are gone.
    pub removed: usize,
}

impl Counts {
    /// Whether nothing changed, so that there is nothing to publish.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// The published state. Cloning shares everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    sets: [ResourceSet; Kind::ALL.len()],
}

impl Snapshot {
    /// The state that holds nothing.
    pub fn empty() -> Self {
        Self::default()
    }

    /// The full set of a kind.
    pub fn set(&self, kind: Kind) -> &ResourceSet {
        &self.sets[kind as usize]
    }

    /// The state after these changes, and what they really changed. Of several changes of one name
    /// the last one counts; removing what is not there changes nothing. The cost is that of the
    /// touched buckets.
    #[must_use]
    pub fn with(&self, changes: Vec<Change>) -> (Self, Counts) {
        let mut by_kind: [Vec<Change>; Kind::ALL.len()] = Default::default();
        for change in changes {
            by_kind[change.kind as usize].push(change);
        }
        let mut next = self.clone();
        let mut counts = Counts::default();
        for (set, changes) in next.sets.iter_mut().zip(by_kind) {
            if !changes.is_empty() {
                *set = set.with(changes, &mut counts);
            }
        }
        (next, counts)
    }
}

#[cfg(test)]
mod tests;
