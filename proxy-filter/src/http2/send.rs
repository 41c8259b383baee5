//! What we send: heads, data within the peer's windows, resets, credit, and our farewell.
//!
//! ```text
//! send_data ─window─> out          windows closed ─> waits in its stream ─WINDOW_UPDATE─> ready ─> out
//! ```
//! Streams whose data waits for the connection's window take turns, a frame each.

use std::collections::VecDeque;

use super::error::{Code, Error};
use super::frame::{self, MAX_31, MAX_PAYLOAD};
use super::stream::StreamKey;
use super::{Connection, Role, settings};
use crate::hpack::HeaderList;

/// What the peer may send on the connection before more is granted, which is done as it arrives: what
/// bounds memory are the windows of the streams.
const CONNECTION_WINDOW: i64 = 64 << 20;

/// Both flow-control windows of the connection, and the streams that wait for the first of them.
#[derive(Debug)]
pub(super) struct Windows {
    pub(super) send: i64,
    pub(super) receive: i64,
    ready: VecDeque<StreamKey>,
}

impl Default for Windows {
    fn default() -> Self {
        Self {
            send: 65_535,
            receive: CONNECTION_WINDOW,
            ready: VecDeque::new(),
        }
    }
}

impl Connection {
    pub(super) fn send_preface(&mut self) {
        if self.role == Role::Client {
            self.out.extend_from_slice(frame::PREFACE);
        }
        let settings = settings::ours(self.role, &self.limits);
        frame::write(&mut self.out, frame::SETTINGS, 0, 0, &settings);
        self.send_credit(0, (CONNECTION_WINDOW - 65_535) as u32);
    }

    /// As client: begins a request, whose body follows unless `end`. `None`, and nothing is sent, if
    /// the peer takes no more streams for now ([`PeerSettings::streams`](super::PeerSettings)) or for
    /// ever ([`is_closing`](Self::is_closing)).
    pub fn open(&mut self, head: &HeaderList, end: bool) -> Option<StreamKey> {
        if !self.can_open() {
            return None;
        }
        let id = self.next_id;
        self.next_id += 2;
        let key = self
            .streams
            .add(id, self.peer.initial_window, self.limits.initial_window);
        self.send_head(key, head, end);
        Some(key)
    }

    /// Whether [`open`](Self::open) would open a stream now.
    pub const fn can_open(&self) -> bool {
        matches!(self.role, Role::Client)
            && !self.is_closing()
            && self.streams.active() < self.peer.streams as usize
    }

    /// The connection failed, either end said goodbye, or the ids are used up: no stream of ours will
    /// be opened any more. A goodbye that names streams which are yet to come (6.8: the first of two)
    /// is a notice: up to there the peer still takes them.
    pub const fn is_closing(&self) -> bool {
        let peer_goes = match self.peer_goes {
            Some(last) => self.next_id > last,
            None => false,
        };
        self.failed.is_some() || peer_goes || self.we_go.is_some() || self.next_id > MAX_31
    }

    /// Streams that can still be opened before the ids end; a connection has 2^30 of them.
    pub const fn ids_left(&self) -> u32 {
        (MAX_31 + 2).saturating_sub(self.next_id) / 2
    }

    /// As if all streams before `id` had been opened and had ended.
    #[cfg(test)]
    pub(crate) const fn skip_to(&mut self, id: u32) {
        self.next_id = id;
    }

    /// Whether the peer takes a header list of this size.
    pub const fn admits(&self, head: &HeaderList) -> bool {
        head.size() <= self.peer.header_list as usize
    }

    /// Sends a head, or trailers with `end`. Nothing happens if the stream has ended.
    pub fn send_head(&mut self, key: StreamKey, head: &HeaderList, end: bool) {
        if self.streams.peek(key).is_none_or(|s| s.we_ended || s.ends) {
            return;
        }
        let start = self.out.len();
        self.out.extend_from_slice(&[0; frame::Head::LEN]);
        self.encoder.encode(head.fields(), &mut self.out);
        self.frame_block(start, key.id(), end);
        if end {
            self.we_ended(key);
        }
    }

    /// Puts heads to the block that begins 9 bytes behind `start`.
    fn frame_block(&mut self, start: usize, stream: u32, end: bool) {
        let at = start + frame::Head::LEN;
        let len = self.out.len() - at;
        let flags = if end { frame::END_STREAM } else { 0 };
        if len <= MAX_PAYLOAD {
            let head = frame::Head {
                len,
                kind: frame::HEADERS,
                flags: flags | frame::END_HEADERS,
                stream,
            };
            self.out[start..at].copy_from_slice(&head.bytes());
            return;
        }
        let block = self.out.split_off(at);
        self.out.truncate(start);
        let mut parts = block.chunks(MAX_PAYLOAD).peekable();
        let (mut kind, mut flags) = (frame::HEADERS, flags);
        while let Some(part) = parts.next() {
            if parts.peek().is_none() {
                flags |= frame::END_HEADERS;
            }
            frame::write(&mut self.out, kind, flags, stream, part);
            (kind, flags) = (frame::CONTINUATION, 0);
        }
    }

    /// Sends data as far as the windows admit; the rest waits. Nothing happens if the stream has ended.
    pub fn send_data(&mut self, key: StreamKey, bytes: &[u8], end: bool) {
        let open = self.windows.send;
        let Some(stream) = self.streams.get(key) else {
            return;
        };
        if stream.we_ended || stream.ends {
            return;
        }
        let mut now = 0;
        if stream.waiting() == 0 {
            now = window(open.min(stream.send_window)).min(bytes.len());
        }
        let (now, later) = bytes.split_at(now);
        stream.send_window -= now.len() as i64;
        stream.ends = end;
        stream.wait(later);
        self.windows.send -= now.len() as i64;
        self.streams.waiting += later.len();
        write_data(&mut self.out, key.id(), now, end && later.is_empty());
        if !later.is_empty() {
            self.make_ready(key);
        } else if end && self.streams.peek(key).is_some_and(|s| s.waiting() == 0) {
            self.we_ended(key);
        }
    }

    /// Bytes of bodies that wait for the peer's windows.
    pub const fn waiting(&self) -> usize {
        self.streams.waiting
    }

    /// Bytes of this stream that wait for the peer's windows.
    pub fn waiting_of(&self, key: StreamKey) -> usize {
        self.streams
            .peek(key)
            .map_or(0, super::stream::Stream::waiting)
    }

    /// The stream of which most bytes wait.
    pub fn most_waiting(&self) -> Option<StreamKey> {
        let waiting = self.streams.keys().map(|key| (self.waiting_of(key), key));
        let most = waiting.max_by_key(|(bytes, _)| *bytes);
        most.filter(|(bytes, _)| *bytes > 0).map(|(_, key)| key)
    }

    /// How much a new stream could send at once.
    pub fn room(&self) -> usize {
        window(self.windows.send.min(i64::from(self.peer.initial_window)))
    }

    /// What waits, waits for the window of the connection: no stream can send.
    pub const fn is_stalled(&self) -> bool {
        self.windows.send <= 0
    }

    /// Cancels a stream. Nothing happens if it has ended.
    pub fn reset(&mut self, key: StreamKey, code: Code) {
        if self.streams.peek(key).is_some() {
            self.streams.remove(key);
            self.send_reset(key.id(), code);
        }
    }

    /// Lets the peer send `bytes` more of a stream, beyond its initial window.
    pub fn release(&mut self, key: StreamKey, bytes: usize) {
        let Some(stream) = self.streams.get(key) else {
            return;
        };
        if stream.peer_ended || bytes == 0 {
            return;
        }
        let most = i64::from(MAX_31) - stream.receive_window;
        let bytes = most.min(bytes as i64);
        stream.receive_window += bytes;
        self.send_credit(key.id(), bytes as u32);
    }

    /// Says goodbye: the peer shall open no more streams. Those that are on their way are still taken.
    pub fn shut_down(&mut self) {
        if self.we_go.is_none() {
            self.send_go_away(MAX_31, Code::NO_ERROR);
        }
    }

    /// Says goodbye for good: no stream that has not come yet will be taken.
    pub fn go_away(&mut self, code: Code) {
        if self.we_go.is_none() {
            self.we_go = Some(self.last_received);
            self.send_go_away(self.last_received, code);
        }
    }

    pub(super) fn fail(&mut self, error: Error) {
        self.go_away(error.code());
        self.failed = Some(error);
    }

    fn send_go_away(&mut self, last: u32, code: Code) {
        let ([l0, l1, l2, l3], [c0, c1, c2, c3]) = (last.to_be_bytes(), code.0.to_be_bytes());
        let payload = [l0, l1, l2, l3, c0, c1, c2, c3];
        frame::write(&mut self.out, frame::GOAWAY, 0, 0, &payload);
    }

    pub(super) fn send_reset(&mut self, stream: u32, code: Code) {
        let payload = code.0.to_be_bytes();
        frame::write(&mut self.out, frame::RST_STREAM, 0, stream, &payload);
    }

    fn send_credit(&mut self, stream: u32, bytes: u32) {
        let payload = bytes.to_be_bytes();
        frame::write(&mut self.out, frame::WINDOW_UPDATE, 0, stream, &payload);
    }

    /// Data came on the connection; false if it was more than the window.
    pub(super) fn take_from_window(&mut self, bytes: usize) -> bool {
        self.windows.receive -= bytes as i64;
        let left = self.windows.receive;
        if (0..CONNECTION_WINDOW / 2).contains(&left) {
            self.windows.receive = CONNECTION_WINDOW;
            self.send_credit(0, (CONNECTION_WINDOW - left) as u32);
        }
        left >= 0
    }

    /// The stream's window is open: it may take its turn.
    pub(super) fn make_ready(&mut self, key: StreamKey) {
        let Some(stream) = self.streams.get(key) else {
            return;
        };
        if stream.waiting() > 0 && stream.send_window > 0 && !stream.queued {
            stream.queued = true;
            self.windows.ready.push_back(key);
            // Streams that ended meanwhile are passed over when their turn comes; here they are
            // dropped, in case it never does.
            if self.windows.ready.len() > 2 * self.streams.active() + 64 {
                let streams = &self.streams;
                self.windows
                    .ready
                    .retain(|key| streams.peek(*key).is_some());
            }
        }
    }

    /// Sends what waits, as far as the windows admit, a frame of each stream in turn.
    pub(super) fn pump(&mut self) {
        while self.windows.send > 0 {
            let Some(key) = self.windows.ready.pop_front() else {
                return;
            };
            let Some(stream) = self.streams.get(key) else {
                continue;
            };
            stream.queued = false;
            let open = window(self.windows.send.min(stream.send_window));
            let len = open.min(stream.waiting()).min(MAX_PAYLOAD);
            let last = len == stream.waiting();
            let end = last && stream.ends;
            if len > 0 {
                write_data(&mut self.out, key.id(), stream.front(len), end);
                stream.advance(len);
                stream.send_window -= len as i64;
                self.windows.send -= len as i64;
                self.streams.waiting -= len;
            }
            if end {
                self.we_ended(key);
            } else {
                self.make_ready(key);
            }
        }
    }

    pub(super) fn widen(&mut self, bytes: u32) -> Result<(), Error> {
        self.windows.send += i64::from(bytes);
        if self.windows.send > i64::from(MAX_31) {
            return Err(Error::new(
                Code::FLOW_CONTROL_ERROR,
                "a connection window above 2^31-1",
            ));
        }
        self.pump();
        Ok(())
    }

    fn we_ended(&mut self, key: StreamKey) {
        let Some(stream) = self.streams.get(key) else {
            return;
        };
        stream.we_ended = true;
        if stream.peer_ended {
            self.streams.remove(key);
        }
        if self.role == Role::Server {
            self.flood.answered();
        }
    }
}

/// A window as a length; closed or overdrawn is 0.
fn window(size: i64) -> usize {
    usize::try_from(size).unwrap_or(0)
}

/// Appends DATA frames; none for nothing that does not end the stream.
fn write_data(out: &mut Vec<u8>, stream: u32, mut bytes: &[u8], end: bool) {
    while !bytes.is_empty() || end {
        let (part, rest) = bytes.split_at(bytes.len().min(MAX_PAYLOAD));
        let last = rest.is_empty();
        let flags = if last && end { frame::END_STREAM } else { 0 };
        frame::write(out, frame::DATA, flags, stream, part);
        if last {
            return;
        }
        bytes = rest;
    }
}
