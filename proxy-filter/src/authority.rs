//! HTTP/2 connections of Triple and gRPC: the service's name as `:authority`, since their SDKs send
//! the address that they dialled.
//!
//! ```text
//! client ─from_client─> frames ─header blocks─> read, named, written anew ─to_envoy─> connection manager
//!                              └ all else: as it is ──────────────────────┘
//! client <─to_client──── as they are; of settings the size of the header table <─from_envoy─ manager
//! ```
//! This file owns what becomes of each frame. It must not know Envoy, has no clock, and keeps no state of
//! streams: windows, ids and the order of frames stay between client and manager.
//!
//! Header blocks are compressed with a table that both ends of a direction keep alike, so it is all
//! blocks of the client's that are written anew, trailers too, or none. What cannot be read whole cannot
//! be written, and ends the connection. The manager's blocks pass as they are.

use std::sync::Arc;

use dubbo_codec::ServiceKey;

use crate::config::Config;
use crate::hpack::{Decoder, Encoder, HeaderList, ListLimits};
use crate::http2::frame::{self, Head, PREFACE};
use crate::http2::{Code, Error};
use crate::metrics::{Counter, Event, Gauge};
use crate::translate::{Close, KEPT_OF_CALL, Millis, Unfinished};

mod frames;
mod name;
mod tables;

use frames::{Frames, Piece};
use tables::Tables;

/// Longest header block with all its continuations, in bytes; and CONTINUATION frames that it may have.
const BLOCK: usize = 256 * 1024;
const CONTINUATIONS: u32 = 64;
/// What waits for the manager at most of blocks that have been written anew: an index of one byte may
/// stand for thousands, and so what comes at once could become a thousand times as much.
const WRITTEN: usize = 4 * 1024 * 1024;
/// Longest payload that every peer takes.
const PAYLOAD: usize = 16_384;
/// What is read of a header list. Envoy's own limits are lower by default, and are for it to apply.
const LIST: ListLimits = ListLimits {
    fields: 2048,
    size: 512 * 1024,
    string: BLOCK,
};

/// One connection of a client that speaks HTTP/2.
#[derive(Debug)]
pub struct Authority {
    now: Millis,
    start: Start,
    client: Frames,
    envoy: Frames,
    /// The header block that has begun, and what has come of it.
    open: Option<Open>,
    block: Vec<u8>,
    decoder: Decoder,
    encoder: Encoder,
    tables: Tables,
    headers: HeaderList,
    written: Vec<u8>,
    to_envoy: Vec<u8>,
    /// Bytes of it that are blocks which have been written anew.
    blocks: usize,
    to_client: Vec<u8>,
    unfinished: Unfinished,
    named: u64,
    buffered: i64,
    events: Vec<Event>,
    close: Option<Close>,
    /// Nothing of what Envoy sends can be told apart any more.
    envoy_failed: bool,
}

/// What the client's first bytes are.
#[derive(Clone, Copy, Debug)]
enum Start {
    /// So many bytes of the preface.
    Preface(usize),
    Http2,
    /// Something else, which passes as it is.
    Other,
}

/// A header block of which parts are still to come.
#[derive(Clone, Copy, Debug)]
struct Open {
    stream: u32,
    /// Those of the first frame that say nothing of its own form.
    flags: u8,
    priority: Option<[u8; 5]>,
    frames: u32,
}

impl Authority {
    /// A connection of which nothing was read yet.
    pub fn new(config: &Arc<Config>, now: Millis) -> Self {
        Self {
            now,
            start: Start::Preface(0),
            client: Frames::default(),
            envoy: Frames::default(),
            open: None,
            block: Vec::new(),
            decoder: Decoder::new(),
            encoder: Encoder::new(),
            tables: Tables::default(),
            headers: HeaderList::new(),
            written: Vec::new(),
            to_envoy: Vec::new(),
            blocks: 0,
            to_client: Vec::new(),
            unfinished: Unfinished::new(config.half_frame_ms),
            named: 0,
            buffered: 0,
            events: Vec::new(),
            close: None,
            envoy_failed: false,
        }
    }

    /// Takes what the client sent.
    pub fn from_client(&mut self, mut bytes: &[u8]) {
        if self.close.is_some() {
            return;
        }
        if self.to_envoy.is_empty() {
            self.blocks = 0;
        }
        self.preface(&mut bytes);
        if matches!(self.start, Start::Other) {
            return self.to_envoy.extend_from_slice(bytes);
        }
        let mut frames = std::mem::take(&mut self.client);
        if let Err(error) = self.client_frames(&mut frames, bytes) {
            self.fail(error);
        }
        let partial = frames.held() > 0 || self.open.is_some();
        self.unfinished.came(partial, self.now);
        self.client = frames;
    }

    /// Takes what the connection manager sent.
    pub fn from_envoy(&mut self, mut bytes: &[u8]) {
        if self.envoy_failed {
            return;
        }
        if matches!(self.start, Start::Other) || self.close.is_some() {
            return self.to_client.extend_from_slice(bytes);
        }
        let mut frames = std::mem::take(&mut self.envoy);
        let is_wanted = |head: &Head| head.kind == frame::SETTINGS && !head.has(frame::ACK);
        loop {
            match frames.next(&mut bytes, is_wanted) {
                Ok(None) => break,
                Ok(Some(Piece::Bytes(bytes))) => self.to_client.extend_from_slice(bytes),
                Ok(Some(Piece::Frame(head, payload))) => {
                    self.to_client.extend_from_slice(&head.bytes());
                    let start = self.to_client.len();
                    self.to_client.extend_from_slice(payload);
                    self.tables
                        .announced(&mut self.to_client[start..], &mut self.encoder);
                }
                Err(error) => {
                    // What follows is the middle of a frame.
                    self.envoy_failed = true;
                    self.fail(error);
                    break;
                }
            }
        }
        self.envoy = frames;
    }

    /// What is to be sent to the connection manager. Whoever sends it takes it away.
    pub const fn to_envoy(&mut self) -> &mut Vec<u8> {
        &mut self.to_envoy
    }

    /// What is to be sent to the client. Whoever sends it takes it away.
    pub const fn to_client(&mut self) -> &mut Vec<u8> {
        &mut self.to_client
    }

    /// What happened since this was asked last, for metrics.
    pub fn events(&mut self) -> impl Iterator<Item = Event> + '_ {
        let named = std::mem::take(&mut self.named);
        if named > 0 {
            self.events.push(Event::Count(Counter::Authorities, named));
        }
        let buffered = self.buffered() as i64;
        let change = buffered - std::mem::replace(&mut self.buffered, buffered);
        if change != 0 {
            self.events.push(Event::Move(Gauge::Buffered, change));
        }
        self.events.drain(..)
    }

    /// Why the connection is to be closed, if it is. Nothing is taken of the client any more then.
    pub const fn closing(&self) -> Option<&Close> {
        self.close.as_ref()
    }

    /// When [`at`](Self::at) has something to do.
    pub fn next_deadline(&self) -> Option<Millis> {
        self.unfinished.deadline().filter(|_| self.close.is_none())
    }

    /// It is `now`, and something is about to come: nothing ends before that has been taken.
    pub fn clock(&mut self, now: Millis) {
        self.now = self.now.max(now);
    }

    /// Until `now` nothing was read from the client.
    pub fn not_read(&mut self, now: Millis) {
        self.unfinished.not_read(now);
    }

    /// It is `now`: a client that leaves a header block unfinished is waited for no longer.
    pub fn at(&mut self, now: Millis) {
        self.clock(now);
        if self.close.is_none() && self.unfinished.is_up(self.now) {
            self.events
                .push(Event::Count(Counter::ConnectionsHalfFrame, 1));
            self.close = Some(Close::HalfFrame);
        }
    }

    /// Bytes of unfinished header blocks that are held.
    pub const fn buffered(&self) -> usize {
        self.client.held() + self.envoy.held() + self.block.len()
    }

    fn fail(&mut self, error: Error) {
        self.events
            .push(Event::Count(Counter::ProtocolErrorsHttp2, 1));
        self.close = Some(Close::NotHttp2(error));
    }

    /// Passes the preface on as far as it comes. What begins like it and is something else was never
    /// held back.
    fn preface(&mut self, bytes: &mut &[u8]) {
        let Start::Preface(seen) = self.start else {
            return;
        };
        let expected = &PREFACE[seen..];
        let (taken, rest) = bytes.split_at(expected.len().min(bytes.len()));
        if !expected.starts_with(taken) {
            self.start = Start::Other;
            return;
        }
        self.to_envoy.extend_from_slice(taken);
        *bytes = rest;
        self.start = match seen + taken.len() {
            all if all == PREFACE.len() => Start::Http2,
            seen => Start::Preface(seen),
        };
    }

    fn client_frames(&mut self, frames: &mut Frames, mut bytes: &[u8]) -> Result<(), Error> {
        let is_wanted = |head: &Head| {
            matches!(head.kind, frame::HEADERS | frame::CONTINUATION)
                || (head.kind == frame::SETTINGS && head.has(frame::ACK))
        };
        while let Some(piece) = frames.next(&mut bytes, is_wanted)? {
            let continues = |open: Open| {
                matches!(&piece, Piece::Frame(head, _)
                    if head.kind == frame::CONTINUATION && head.stream == open.stream)
            };
            if !self.open.is_none_or(continues) {
                return Err(Error::protocol("a frame inside of a header block"));
            }
            match piece {
                Piece::Bytes(bytes) => self.to_envoy.extend_from_slice(bytes),
                Piece::Frame(head, payload) => match head.kind {
                    frame::HEADERS => self.begin(head, payload)?,
                    frame::CONTINUATION => self.go_on(head, payload)?,
                    _ => {
                        self.to_envoy.extend_from_slice(&head.bytes());
                        self.to_envoy.extend_from_slice(payload);
                        self.tables.acknowledged(&mut self.encoder);
                    }
                },
            }
        }
        Ok(())
    }

    /// A header block begins.
    fn begin(&mut self, head: Head, payload: &[u8]) -> Result<(), Error> {
        let Some(mut fragment) = frame::unpadded(&head, payload) else {
            return Err(Error::protocol("more padding than frame"));
        };
        let mut priority = None;
        if head.has(frame::WITH_PRIORITY) {
            let Some((first, rest)) = fragment.split_first_chunk() else {
                let what = "headers without the priority they announce";
                return Err(Error::new(Code::FRAME_SIZE_ERROR, what));
            };
            (priority, fragment) = (Some(*first), rest);
        }
        let open = Open {
            stream: head.stream,
            flags: head.flags & !(frame::PADDED | frame::END_HEADERS),
            priority,
            frames: 0,
        };
        if head.has(frame::END_HEADERS) {
            return self.whole(open, fragment);
        }
        self.block.extend_from_slice(fragment);
        self.open = Some(open);
        Ok(())
    }

    fn go_on(&mut self, head: Head, payload: &[u8]) -> Result<(), Error> {
        let Some(mut open) = self.open else {
            return Err(Error::protocol("a continuation of nothing"));
        };
        open.frames += 1;
        if open.frames > CONTINUATIONS || self.block.len() + payload.len() > BLOCK {
            let what = "too long a header block";
            return Err(Error::new(Code::ENHANCE_YOUR_CALM, what));
        }
        self.block.extend_from_slice(payload);
        if !head.has(frame::END_HEADERS) {
            self.open = Some(open);
            return Ok(());
        }
        self.open = None;
        let block = std::mem::take(&mut self.block);
        self.whole(open, &block)
    }

    /// A whole header block: of a request, or trailers, which have no path.
    fn whole(&mut self, open: Open, block: &[u8]) -> Result<(), Error> {
        self.headers.clear();
        let kept = self.decoder.decode(block, &LIST, &mut self.headers);
        match kept {
            Ok(true) => {}
            Ok(false) => {
                let what = "a header list too long to be written anew";
                return Err(Error::new(Code::ENHANCE_YOUR_CALM, what));
            }
            Err(_) => {
                let what = "a header block out of step";
                return Err(Error::new(Code::COMPRESSION_ERROR, what));
            }
        }
        self.written.clear();
        match name::service(&self.headers).map(|key| ServiceKey::host(&key)) {
            None => self
                .encoder
                .encode(self.headers.fields(), &mut self.written),
            Some(host) => {
                self.named += 1;
                let fields = name::under(&host, &self.headers);
                self.encoder.encode(fields, &mut self.written);
            }
        }
        self.blocks += self.written.len();
        if self.blocks > WRITTEN {
            let what = "header blocks that grow too much";
            return Err(Error::new(Code::ENHANCE_YOUR_CALM, what));
        }
        self.write(open);
        self.written.clear();
        self.written.shrink_to(KEPT_OF_CALL);
        self.headers.clear();
        Ok(())
    }

    /// Writes the block that was written anew, in as many frames as it needs.
    fn write(&mut self, open: Open) {
        let mut rest = &self.written[..];
        let mut kind = frame::HEADERS;
        let (mut flags, priority) = (open.flags, open.priority);
        let priority = priority.as_ref().map_or(&[][..], |priority| priority);
        let mut before = priority;
        loop {
            let (now, later) = rest.split_at(rest.len().min(PAYLOAD - before.len()));
            if later.is_empty() {
                flags |= frame::END_HEADERS;
            }
            let head = Head {
                len: before.len() + now.len(),
                kind,
                flags,
                stream: open.stream,
            };
            self.to_envoy.extend_from_slice(&head.bytes());
            self.to_envoy.extend_from_slice(before);
            self.to_envoy.extend_from_slice(now);
            if later.is_empty() {
                return;
            }
            (rest, before, kind, flags) = (later, &[], frame::CONTINUATION, 0);
        }
    }
}
