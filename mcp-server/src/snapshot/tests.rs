use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use dubbo_registry::resource::{Change, Kind, Resource};
use proptest::prelude::*;
use prost::Message;

use super::{Counts, Snapshot};
use crate::proto::DiscoveryResponse;

const KIND: Kind = Kind::ServiceEntry;

/// As in what is really sent, the name is part of the bytes: equal bytes are the same resource.
fn put(name: &str, content: &[u8]) -> Change {
    let any = prost_types::Any {
        type_url: format!("type.googleapis.com/{name}"),
        value: content.to_vec(),
    };
    let resource = Resource {
        kind: KIND,
        name: name.into(),
        version: content.len() as u64,
        any: Bytes::from(any.encode_to_vec()),
    };
    Change {
        kind: KIND,
        name: name.into(),
        resource: Some(resource),
    }
}

fn remove(name: &str) -> Change {
    Change {
        kind: KIND,
        name: name.into(),
        resource: None,
    }
}

fn build(changes: Vec<Change>) -> Snapshot {
    Snapshot::empty().with(changes).0
}

fn bytes(snapshot: &Snapshot) -> Vec<u8> {
    snapshot.set(KIND).chunks().collect::<Vec<_>>().concat()
}

fn counts(added: usize, updated: usize, removed: usize) -> Counts {
    Counts {
        added,
        updated,
        removed,
    }
}

#[test]
fn a_kind_is_its_own_index() {
    let indices: Vec<usize> = Kind::ALL.iter().map(|kind| *kind as usize).collect();
    assert_eq!(indices, (0..Kind::ALL.len()).collect::<Vec<_>>());
}

/// The decoder is prost's: the bytes are a `DiscoveryResponse` to others than us.
#[test]
fn the_chunks_are_the_resources_field() {
    let long = vec![7; 300];
    let snapshot = build(vec![put("n/b", b"two"), put("n/a", &long), put("n/c", b"")]);
    let decoded = DiscoveryResponse::decode(&*bytes(&snapshot)).unwrap();
    let mut values: Vec<Vec<u8>> = decoded.resources.into_iter().map(|any| any.value).collect();
    values.sort();
    assert_eq!(values, [vec![], long, b"two".to_vec()]);
    let set = snapshot.set(KIND);
    assert_eq!((set.len(), set.encoded_len()), (3, bytes(&snapshot).len()));
}

#[test]
fn counts_say_what_really_changed() {
    let first = build(vec![put("n/a", b"1"), put("n/b", b"1")]);
    let (second, change) = first.with(vec![
        put("n/a", b"1"),
        put("n/b", b"2"),
        put("n/c", b"1"),
        remove("n/d"),
    ]);
    assert_eq!(change, counts(1, 1, 0));
    assert_ne!(second, first);
    assert_eq!(
        second.set(KIND).get("n/b"),
        put("n/b", b"2").resource.as_ref()
    );
    let (third, change) = second.with(vec![remove("n/a"), remove("n/b"), remove("n/c")]);
    assert_eq!(change, counts(0, 0, 3));
    assert_eq!(third, Snapshot::empty());
    assert_eq!(third.set(KIND).get("n/b"), None);
}

#[test]
fn nothing_changed_is_the_same_snapshot() {
    let first = build(vec![put("n/a", b"1")]);
    for changes in [
        vec![],
        vec![put("n/a", b"1")],
        vec![remove("n/b")],
        vec![put("n/a", b"2"), put("n/a", b"1")],
        vec![put("n/b", b"2"), remove("n/b")],
    ] {
        assert_eq!(first.with(changes), (first.clone(), counts(0, 0, 0)));
    }
}

#[test]
fn a_change_shares_what_it_does_not_touch() {
    let names: Vec<String> = (0..2000).map(|i| format!("n/{i}")).collect();
    let first = build(names.iter().map(|name| put(name, b"1")).collect());
    let (second, _) = first.with(vec![put("n/77", b"2")]);
    let place = |s: &Snapshot| -> Vec<*const u8> {
        s.set(KIND).chunks().map(|chunk| chunk.as_ptr()).collect()
    };
    let (old, new) = (place(&first), place(&second));
    assert_eq!(old.len(), new.len());
    assert_eq!(old.iter().zip(&new).filter(|(a, b)| a != b).count(), 1);
}

#[test]
fn the_content_is_in_memory_once() {
    let snapshot = build((0..50).map(|i| put(&format!("n/{i}"), b"1")).collect());
    let chunks: Vec<Bytes> = snapshot.set(KIND).chunks().collect();
    for resource in snapshot.set(KIND).iter() {
        let inside = |chunk: &Bytes| chunk.as_ptr_range().contains(&resource.any.as_ptr());
        assert_eq!(chunks.iter().filter(|chunk| inside(chunk)).count(), 1);
    }
}

fn operations() -> impl Strategy<Value = Vec<Vec<(u8, Option<u8>)>>> {
    let one = (0..40u8, proptest::option::of(0..4u8));
    proptest::collection::vec(proptest::collection::vec(one, 0..12), 0..12)
}

fn change((name, content): (u8, Option<u8>)) -> Change {
    let name = format!("n/{name}");
    match content {
        Some(content) => put(&name, &[content]),
        None => remove(&name),
    }
}

proptest! {
    /// Any history leads to what a build from scratch of the final content is, in any order.
    #[test]
    fn history_leaves_no_trace(batches in operations(), rotate in 0..40usize) {
        let mut grown = Snapshot::empty();
        let mut content = BTreeMap::new();
        for batch in batches {
            content.extend(batch.iter().copied());
            let before = grown.clone();
            let (next, counts) = grown.with(batch.into_iter().map(change).collect());
            prop_assert_eq!(next == before, counts.is_empty());
            prop_assert_eq!(
                next.set(KIND).len() + counts.removed,
                before.set(KIND).len() + counts.added
            );
            grown = next;
        }
        let mut final_content: Vec<_> = content.into_iter().filter(|c| c.1.is_some()).collect();
        let turn = rotate.min(final_content.len());
        final_content.rotate_left(turn);
        let fresh = build(final_content.into_iter().rev().map(change).collect());
        prop_assert_eq!(bytes(&grown), bytes(&fresh));
        prop_assert_eq!(grown.set(KIND).version(), fresh.set(KIND).version());
        prop_assert_eq!(&grown, &fresh);
        let listed: Vec<Arc<str>> = grown.set(KIND).iter().map(|r| Arc::clone(&r.name)).collect();
        for name in &listed {
            prop_assert_eq!(&grown.set(KIND).get(name).unwrap().name, name);
        }
        prop_assert_eq!(listed.len(), grown.set(KIND).len());
    }
}
