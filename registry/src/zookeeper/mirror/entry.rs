//! What a node's name says, and the hash that stands for it. Pure.

use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_128_with_seed;

use crate::event::Rejection;
use crate::provider::{Provider, Reading, form_decode};
use crate::zookeeper::interner::Interner;

/// A node's name, as a hash with a seed of this process: names are long, and nobody needs them.
pub(super) type NodeHash = u128;

/// What a node's name says.
#[derive(Clone, Debug)]
pub(super) enum Entry {
    Provider(Arc<Provider>),
    Rejected(Box<Rejection>),
}

/// The hash of a node's name.
pub(super) fn hash(node: &str, seed: u64) -> NodeHash {
    xxh3_128_with_seed(node.as_bytes(), seed)
}

impl Entry {
    /// Reads a node's name: a provider's URL, encoded.
    pub(super) fn read(
        node: &str,
        interface: &str,
        reading: &Reading,
        interner: &mut Interner,
    ) -> Self {
        let refuse =
            |subject: &str, error| Self::Rejected(Box::new(Rejection::new(subject, error)));
        let url = match form_decode(node) {
            Ok(url) => url,
            Err(error) => return refuse(node, error),
        };
        match Provider::parse(&url, interface, reading) {
            Ok(provider) => Self::Provider(interner.share(provider)),
            Err(error) => refuse(&url, error),
        }
    }
}
