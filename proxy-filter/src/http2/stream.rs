//! The streams of a connection that have not ended: their states and windows, and what waits.
//!
//! Streams lie in slots that are used again, with their buffers. A [`StreamKey`] names slot and
//! stream, so a caller can keep what it knows of a stream in slots of its own, and a key of a stream
//! that ended is recognised.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// Capacity that an empty buffer may keep, in bytes: that of an ended stream, or of what was read.
pub(super) const KEPT: usize = 4 * 1024;

/// A stream of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StreamKey {
    slot: u32,
    id: u32,
}

impl StreamKey {
    /// A small number that no other open stream of the connection has: the slot.
    pub const fn slot(self) -> usize {
        self.slot as usize
    }

    /// The number on the wire.
    pub const fn id(self) -> u32 {
        self.id
    }
}

#[derive(Debug, Default)]
pub(super) struct Stream {
    /// 0: the slot is free.
    id: u32,
    /// What we may send. Below 0 after the peer made its initial window smaller.
    pub(super) send_window: i64,
    /// What the peer may send.
    pub(super) receive_window: i64,
    /// Bytes that the windows do not admit yet, from `sent` on.
    waiting: Vec<u8>,
    sent: usize,
    /// The stream ends behind what waits.
    pub(super) ends: bool,
    pub(super) we_ended: bool,
    pub(super) peer_ended: bool,
    /// The peer's (final) head has come.
    pub(super) has_head: bool,
    /// It stands in the queue of those that could send.
    pub(super) queued: bool,
}

impl Stream {
    pub(super) const fn waiting(&self) -> usize {
        self.waiting.len() - self.sent
    }

    pub(super) fn wait(&mut self, bytes: &[u8]) {
        self.waiting.extend_from_slice(bytes);
    }

    pub(super) fn front(&self, len: usize) -> &[u8] {
        &self.waiting[self.sent..self.sent + len]
    }

    pub(super) fn advance(&mut self, len: usize) {
        self.sent += len;
        if self.waiting() == 0 {
            self.waiting.clear();
            self.sent = 0;
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Streams {
    slots: Vec<Stream>,
    free: Vec<u32>,
    by_id: HashMap<u32, u32, BuildHasherDefault<IdHasher>>,
    /// Bytes that wait, of all streams.
    pub(super) waiting: usize,
}

impl Streams {
    pub(super) const fn active(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    pub(super) fn add(&mut self, id: u32, send_window: u32, receive_window: u32) -> StreamKey {
        let slot = self.free.pop().unwrap_or(self.slots.len() as u32);
        if slot as usize == self.slots.len() {
            self.slots.push(Stream::default());
        }
        let stream = &mut self.slots[slot as usize];
        *stream = Stream {
            id,
            send_window: i64::from(send_window),
            receive_window: i64::from(receive_window),
            waiting: std::mem::take(&mut stream.waiting),
            ..Stream::default()
        };
        self.by_id.insert(id, slot);
        StreamKey { slot, id }
    }

    pub(super) fn remove(&mut self, key: StreamKey) {
        let Some(stream) = self.get(key) else { return };
        let waiting = stream.waiting();
        stream.id = 0;
        stream.sent = 0;
        stream.waiting.clear();
        stream.waiting.shrink_to(KEPT);
        self.waiting -= waiting;
        self.by_id.remove(&key.id);
        self.free.push(key.slot);
    }

    pub(super) fn get(&mut self, key: StreamKey) -> Option<&mut Stream> {
        let stream = self.slots.get_mut(key.slot())?;
        (stream.id == key.id).then_some(stream)
    }

    pub(super) fn peek(&self, key: StreamKey) -> Option<&Stream> {
        let stream = self.slots.get(key.slot())?;
        (stream.id == key.id).then_some(stream)
    }

    pub(super) fn find(&self, id: u32) -> Option<StreamKey> {
        let slot = *self.by_id.get(&id)?;
        Some(StreamKey { slot, id })
    }

    /// All open streams, for what concerns each.
    pub(super) fn keys(&self) -> impl Iterator<Item = StreamKey> {
        let open = self.slots.iter().zip(0..).filter(|(s, _)| s.id != 0);
        open.map(|(stream, slot)| StreamKey {
            slot,
            id: stream.id,
        })
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Stream> {
        self.slots.iter_mut().filter(|stream| stream.id != 0)
    }
}

/// Ids come in order, so spreading them is enough; a peer that leaves gaps gains nothing, as few are
/// open at once.
#[derive(Default)]
struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        // The table looks at the low bits first, the product is best in its high ones.
        self.0.rotate_left(32)
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u32((*byte).into()));
    }

    fn write_u32(&mut self, id: u32) {
        self.0 = (self.0 ^ u64::from(id)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}
