//! All resources of one kind, already encoded as the `resources` field of a `DiscoveryResponse`.
//!
//! Owns: the buckets, their bytes and the version. Must not know: kinds, clients, protocols other
//! than the one field that it encodes (envoy `discovery.proto`: `repeated Any resources = 2`).

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use dubbo_registry::resource::{Change, Resource};
use xxhash_rust::xxh3::{Xxh3, xxh3_64, xxh3_128};

use super::Counts;

/// How many runs of bytes a set is cut into. A change rewrites one of them, a response is a chain of
/// all: at 25 MB a run is 100 kB, which costs some ten microseconds to copy.
const BUCKETS: usize = 256;

/// Tag of `DiscoveryResponse.resources`: field 2, length-delimited.
const RESOURCES_TAG: u8 = 0x12;

/// Names the content of a set: a hash of its bytes, independent of history and order of arrival,
/// equal on every replica.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Version(u128);

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// Every resource of one kind. Cloning shares everything.
#[derive(Clone, Debug)]
pub struct ResourceSet {
    version: Version,
    len: usize,
    encoded_len: usize,
    /// Indexed by [`bucket_of`]; no element at all in the empty set, [`BUCKETS`] else.
    buckets: Arc<[Arc<Bucket>]>,
}

/// The resources whose names hash to one bucket, in order of their names.
#[derive(Debug, Default)]
struct Bucket {
    /// Their `any` are slices of `encoded`: the content is in memory once.
    resources: Vec<Resource>,
    encoded: Bytes,
    hash: u128,
}

impl Default for ResourceSet {
    fn default() -> Self {
        Self::of(Arc::new([]))
    }
}

/// Two sets are equal if their content is.
impl PartialEq for ResourceSet {
    fn eq(&self, other: &Self) -> bool {
        self.version == other.version
    }
}

impl Eq for ResourceSet {}

impl ResourceSet {
    /// The name of this content.
    pub fn version(&self) -> Version {
        self.version
    }

    /// How many resources there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many bytes [`chunks`](Self::chunks) yields together.
    pub fn encoded_len(&self) -> usize {
        self.encoded_len
    }

    /// The `resources` field of a `DiscoveryResponse`, in pieces that are shared, not copied.
    /// Deterministic: by bucket, then by name.
    pub fn chunks(&self) -> impl Iterator<Item = Bytes> + '_ {
        let encoded = self.buckets.iter().map(|bucket| bucket.encoded.clone());
        encoded.filter(|bytes| !bytes.is_empty())
    }

    /// The resource of this name. Its bytes are a slice of its whole bucket and keep that alive.
    pub fn get(&self, name: &str) -> Option<&Resource> {
        let bucket = self.buckets.get(bucket_of(name))?;
        let at = bucket.resources.binary_search_by(|r| (*r.name).cmp(name));
        at.ok().map(|at| &bucket.resources[at])
    }

    /// Every resource, in the order of [`chunks`](Self::chunks).
    pub fn iter(&self) -> impl Iterator<Item = &Resource> {
        self.buckets.iter().flat_map(|bucket| &bucket.resources)
    }

    /// The set after these changes, which are counted.
    pub(super) fn with(&self, changes: Vec<Change>, counts: &mut Counts) -> Self {
        let mut by_bucket: BTreeMap<usize, Vec<Change>> = BTreeMap::new();
        for change in changes {
            let bucket = by_bucket.entry(bucket_of(&change.name)).or_default();
            bucket.push(change);
        }
        let mut buckets = self.buckets.to_vec();
        buckets.resize_with(BUCKETS, Arc::default);
        let before = *counts;
        for (at, changes) in by_bucket {
            if let Some(bucket) = buckets[at].with(changes, counts) {
                buckets[at] = Arc::new(bucket);
            }
        }
        if *counts == before {
            return self.clone();
        }
        Self::of(buckets.into())
    }

    fn of(buckets: Arc<[Arc<Bucket>]>) -> Self {
        let mut hash = Xxh3::new();
        let (mut len, mut encoded_len) = (0, 0);
        for (at, bucket) in buckets.iter().enumerate() {
            if !bucket.resources.is_empty() {
                hash.update(&(at as u64).to_le_bytes());
                hash.update(&bucket.hash.to_le_bytes());
                len += bucket.resources.len();
                encoded_len += bucket.encoded.len();
            }
        }
        Self {
            version: Version(hash.digest128()),
            len,
            encoded_len,
            buckets,
        }
    }
}

impl Bucket {
    /// The bucket after these changes; `None` if they change nothing.
    fn with(&self, changes: Vec<Change>, counts: &mut Counts) -> Option<Self> {
        let old = self.resources.iter();
        let mut merged: BTreeMap<Arc<str>, Resource> =
            old.map(|r| (Arc::clone(&r.name), r.clone())).collect();
        for change in changes {
            match change.resource {
                Some(mut resource) => {
                    resource.name = Arc::clone(&change.name);
                    merged.insert(change.name, resource)
                }
                None => merged.remove(&change.name),
            };
        }
        let found = self.compare(&merged);
        counts.added += found.added;
        counts.updated += found.updated;
        counts.removed += found.removed;
        (!found.is_empty()).then(|| Self::encode(merged.into_values().collect()))
    }

    fn compare(&self, merged: &BTreeMap<Arc<str>, Resource>) -> Counts {
        let kept = |old: &&Resource| merged.get(&old.name);
        let here = self.resources.iter().filter(|old| kept(old).is_some());
        let here = here.count();
        let changed = |old: &&Resource| kept(old).is_some_and(|new| new.any != old.any);
        Counts {
            added: merged.len() - here,
            updated: self.resources.iter().filter(changed).count(),
            removed: self.resources.len() - here,
        }
    }

    fn encode(mut resources: Vec<Resource>) -> Self {
        let room = |r: &Resource| 1 + prost::length_delimiter_len(r.any.len()) + r.any.len();
        let mut encoded = BytesMut::with_capacity(resources.iter().map(room).sum());
        let mut ends = Vec::with_capacity(resources.len());
        for resource in &resources {
            encoded.put_u8(RESOURCES_TAG);
            put_varint(&mut encoded, resource.any.len());
            encoded.put_slice(&resource.any);
            ends.push(encoded.len());
        }
        let encoded = encoded.freeze();
        for (resource, end) in resources.iter_mut().zip(ends) {
            resource.any = encoded.slice(end - resource.any.len()..end);
        }
        Self {
            hash: xxh3_128(&encoded),
            resources,
            encoded,
        }
    }
}

fn put_varint(buffer: &mut BytesMut, mut value: usize) {
    while value >= 0x80 {
        buffer.put_u8((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    buffer.put_u8(value as u8);
}

/// Stable for ever and on every machine: the order of the bytes follows from it.
fn bucket_of(name: &str) -> usize {
    (xxh3_64(name.as_bytes()) % BUCKETS as u64) as usize
}
