//! The TCP connections of a capture: segments in, pieces of Dubbo streams out.
//!
//! ```text
//! Segment ─→ Connection ─→ Half (order) ─→ Lane (Dubbo or not, Framer) ─→ Happening
//! ```
//! This file owns which connections there are, who of the two is the server, and how much all of
//! them may hold; it must not know what frames mean. When there are too many, or they hold too much,
//! those that were silent longest are ended, as if the capture had ended for them.

use std::collections::HashMap;
use std::net::SocketAddr;

use dubbo_codec::{FrameHead, FrameKind, Sniff};

use crate::decode::framing::Piece;
use crate::decode::lane::{Lane, Sight};
use crate::decode::packet::Segment;
use crate::decode::stream::Half;

/// Between whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Ends {
    /// Numbers the connections of a capture: the same two ends may meet again.
    pub(crate) number: u64,
    pub(crate) client: SocketAddr,
    pub(crate) server: SocketAddr,
}

/// What happens on a connection, and to whom the bytes were sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Happening<'a> {
    Piece(Piece<'a>),
    /// Bytes of the stream are not in the capture: from where, how many.
    Gap(u64, u64),
    /// The connection speaks something else, and is not looked at any more.
    NotDubbo(Sniff),
}

/// Who is told: the ends, whether the bytes went to the server, what happened.
pub(crate) type Tell<'t> = &'t mut dyn FnMut(&Ends, bool, Happening<'_>);

/// How much is followed at once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) connections: usize,
    /// Bytes that all connections hold together.
    pub(crate) held: usize,
    pub(crate) max_body: u32,
}

/// Bytes without any frame after which a connection that was joined is not Dubbo.
const PATIENCE: u64 = 1024 * 1024;

/// All connections of a capture.
#[derive(Debug)]
pub(crate) struct Connections {
    bounds: Bounds,
    /// By the two ends, the lesser address first.
    open: HashMap<(SocketAddr, SocketAddr), Connection>,
    opened: u64,
    segments: u64,
    held: usize,
}

#[derive(Debug)]
struct Connection {
    ends: Ends,
    /// The first sequence number of the client, where it was seen.
    begun: Option<u32>,
    to_server: Lane,
    to_client: Lane,
    /// What it was told to speak, if that is not Dubbo.
    other: Option<Sniff>,
    /// The segment that was seen last.
    last: u64,
}

impl Connections {
    pub(crate) fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            open: HashMap::new(),
            opened: 0,
            segments: 0,
            held: 0,
        }
    }

    /// How many there were.
    pub(crate) const fn opened(&self) -> u64 {
        self.opened
    }

    /// Takes a segment.
    pub(crate) fn segment(&mut self, segment: &Segment<'_>, tell: Tell<'_>) {
        self.segments += 1;
        let key = (segment.from.min(segment.to), segment.from.max(segment.to));
        let begins = segment.syn && segment.ack.is_none();
        if let Some(known) = self.open.get(&key)
            && begins
            && known.begun != Some(segment.seq)
        {
            self.close(key, tell);
        }
        if !self.open.contains_key(&key) {
            if segment.data.is_empty() && segment.cut == 0 && !segment.syn {
                return;
            }
            self.make_room(tell);
            self.opened += 1;
            let connection = Connection::new(segment, self.opened, self.bounds.max_body);
            self.open.insert(key, connection);
        }
        if let Some(connection) = self.open.get_mut(&key) {
            let before = connection.held();
            connection.last = self.segments;
            connection.segment(segment, tell);
            self.held = self.held + connection.held() - before;
        }
        while self.held > self.bounds.held && self.open.len() > 1 {
            self.forget(tell);
        }
    }

    /// The capture ends.
    pub(crate) fn end(&mut self, tell: Tell<'_>) {
        let mut left: Vec<_> = self
            .open
            .iter()
            .map(|(key, c)| (c.ends.number, *key))
            .collect();
        left.sort_unstable_by_key(|(number, _)| *number);
        left.into_iter().for_each(|(_, key)| self.close(key, tell));
    }

    fn make_room(&mut self, tell: Tell<'_>) {
        if self.open.len() >= self.bounds.connections {
            self.forget(tell);
        }
    }

    /// Ends the tenth of all connections that was silent longest.
    fn forget(&mut self, tell: Tell<'_>) {
        let mut silent: Vec<_> = self.open.iter().map(|(key, c)| (c.last, *key)).collect();
        silent.sort_unstable_by_key(|(last, _)| *last);
        silent.truncate(silent.len() / 10 + 1);
        silent
            .into_iter()
            .for_each(|(_, key)| self.close(key, tell));
    }

    fn close(&mut self, key: (SocketAddr, SocketAddr), tell: Tell<'_>) {
        if let Some(mut connection) = self.open.remove(&key) {
            self.held -= connection.held();
            connection.finish(tell);
        }
    }
}

impl Connection {
    fn new(segment: &Segment<'_>, number: u64, max_body: u32) -> Self {
        let (client, server) = match from_client(segment) {
            true => (segment.from, segment.to),
            false => (segment.to, segment.from),
        };
        let begun = (segment.syn && segment.ack.is_none()).then_some(segment.seq);
        Self {
            ends: Ends {
                number,
                client,
                server,
            },
            begun,
            to_server: Lane::new(begun.is_some(), max_body),
            to_client: Lane::new(begun.is_some(), max_body),
            other: None,
            last: 0,
        }
    }

    fn held(&self) -> usize {
        self.to_server.held() + self.to_client.held()
    }

    fn segment(&mut self, segment: &Segment<'_>, tell: Tell<'_>) {
        if self.other.is_some() {
            return;
        }
        let (ends, to_server) = (self.ends, segment.from == self.ends.client);
        let (there, back) = match to_server {
            true => (&mut self.to_server, &mut self.to_client),
            false => (&mut self.to_client, &mut self.to_server),
        };
        if let Some(ack) = segment.ack {
            back.acked(ack, &mut |what| tell(&ends, !to_server, what));
        }
        there.segment(segment, &mut |what| tell(&ends, to_server, what));
        let searched = there.position() + back.position();
        let has_frames = there.has_frames() || back.has_frames();
        let is_other = there.is_other() || back.is_other() || searched > PATIENCE;
        if segment.rst || there.half.is_over() && back.half.is_over() {
            self.finish(tell);
        } else if there.half.is_over() && there.has_frames() {
            there.end(&mut |what| tell(&ends, to_server, what));
        } else if let Some(sniff) = there.other().or_else(|| back.other())
            && is_other
            && !has_frames
        {
            self.give_up(sniff, tell);
        }
    }

    /// Nothing more comes, or shall be looked at.
    fn finish(&mut self, tell: Tell<'_>) {
        let ends = self.ends;
        let lanes = [&mut self.to_server, &mut self.to_client];
        let has_frames = lanes.iter().any(|lane| lane.has_frames());
        for (lane, to_server) in lanes.into_iter().zip([true, false]) {
            if has_frames {
                lane.end(&mut |what| tell(&ends, to_server, what));
            } else {
                lane.release(&mut |what| tell(&ends, to_server, what));
            }
        }
        let sniff = self.to_server.other().or_else(|| self.to_client.other());
        if !has_frames
            && self.other.is_none()
            && let Some(sniff) = sniff
        {
            self.give_up(sniff, tell);
        }
    }

    fn give_up(&mut self, sniff: Sniff, tell: Tell<'_>) {
        self.other = Some(sniff);
        for lane in [&mut self.to_server, &mut self.to_client] {
            (lane.half, lane.sight) = (Half::default(), Sight::Over);
        }
        tell(&self.ends, true, Happening::NotDubbo(sniff));
    }
}

/// Whether the sender of the first segment that was seen is the client.
fn from_client(segment: &Segment<'_>) -> bool {
    if segment.syn {
        return segment.ack.is_none();
    }
    match FrameHead::parse(segment.data) {
        Ok(Some(head)) if !head.event => head.kind == FrameKind::Request,
        // Servers have the lesser port.
        _ => segment.from.port() >= segment.to.port(),
    }
}
