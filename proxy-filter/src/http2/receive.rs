//! What we receive: bytes to frames, frames to events, RFC 9113 sections 4 to 6.
//!
//! ```text
//! Preface (server) ─> Head ─> Payload ─> Head ...      any frame but DATA: whole, borrowed or gathered
//!                          └> Data ──────┘             DATA: passed on in pieces as they come
//! ```

use super::block::Continued;
use super::error::{Code, Error};
use super::frame::{self, Head, MAX_PAYLOAD, PREFACE};
use super::stream::{KEPT, StreamKey};
use super::{Connection, Event, Role};

#[derive(Debug)]
pub(super) struct Reading {
    state: State,
    /// A head or payload that has not come whole.
    held: Vec<u8>,
    /// The first parts of a header block.
    pub(super) block: Vec<u8>,
    pub(super) continued: Option<Continued>,
    /// The peer's first frame has come.
    settled: bool,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// So many bytes of the client's preface have come.
    Preface(usize),
    Head,
    Payload(Head),
    Data(Data),
}

/// The DATA frame that is being read.
#[derive(Clone, Copy, Debug)]
struct Data {
    /// `None` if nobody wants it, or all of it was passed on.
    stream: Option<StreamKey>,
    /// What is left of its content.
    content: usize,
    padding: usize,
    /// The length of the padding is still to come, and counted as content.
    padded: bool,
    end: bool,
}

impl Reading {
    pub(super) const fn new(role: Role) -> Self {
        Self {
            state: match role {
                Role::Server => State::Preface(0),
                Role::Client => State::Head,
            },
            held: Vec::new(),
            block: Vec::new(),
            continued: None,
            settled: false,
        }
    }

    /// Takes bytes until `len` are held.
    fn gather(&mut self, chunk: &mut &[u8], len: usize) -> bool {
        let missing = len - self.held.len();
        let (taken, rest) = chunk.split_at(missing.min(chunk.len()));
        self.held.extend_from_slice(taken);
        *chunk = rest;
        self.held.len() == len
    }

    fn head(&mut self, chunk: &mut &[u8]) -> Option<Head> {
        if self.held.is_empty()
            && let Some((head, rest)) = chunk.split_first_chunk()
        {
            *chunk = rest;
            return Some(Head::parse(head));
        }
        if !self.gather(chunk, Head::LEN) {
            return None;
        }
        let head = self.held.first_chunk().map(Head::parse);
        self.held.clear();
        head
    }
}

impl Connection {
    /// Takes the next event from the front of `chunk`; `None` when the chunk is used up. What is to be
    /// sent in answer is in [`out`](Self::out).
    ///
    /// After an error the connection is done; the peer is told why, and every call returns the error.
    pub fn next<'c>(&mut self, chunk: &mut &'c [u8]) -> Result<Option<Event<'c>>, Error> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        self.headers.clear_if_long();
        let event = self.step(chunk);
        if let Err(error) = event {
            self.fail(error);
        }
        event
    }

    /// Bytes of a frame or header block that has not come whole. Data is not held.
    pub const fn held(&self) -> usize {
        self.reading.held.len() + self.reading.block.len()
    }

    fn step<'c>(&mut self, chunk: &mut &'c [u8]) -> Result<Option<Event<'c>>, Error> {
        loop {
            if let Some(event) = self.next_refused() {
                return Ok(Some(event));
            }
            let event = match self.reading.state {
                State::Preface(seen) => {
                    if !self.preface(seen, chunk)? {
                        return Ok(None);
                    }
                    None
                }
                State::Head => {
                    let Some(head) = self.reading.head(chunk) else {
                        return Ok(None);
                    };
                    self.begin(head)?
                }
                State::Payload(head) => match self.payload(head, chunk)? {
                    Some(event) => event,
                    None => return Ok(None),
                },
                State::Data(data) => {
                    let event = self.data(data, chunk)?;
                    if event.is_none() && matches!(self.reading.state, State::Data(_)) {
                        return Ok(None);
                    }
                    event
                }
            };
            if event.is_some() {
                return Ok(event);
            }
        }
    }

    fn preface(&mut self, seen: usize, chunk: &mut &[u8]) -> Result<bool, Error> {
        let missing = &PREFACE[seen..];
        let (taken, rest) = chunk.split_at(missing.len().min(chunk.len()));
        if !missing.starts_with(taken) {
            return Err(Error::protocol("not the preface of HTTP/2"));
        }
        *chunk = rest;
        let whole = taken.len() == missing.len();
        self.reading.state = match whole {
            true => State::Head,
            false => State::Preface(seen + taken.len()),
        };
        Ok(whole)
    }

    fn begin(&mut self, head: Head) -> Result<Option<Event<'static>>, Error> {
        if head.len > MAX_PAYLOAD {
            return Err(frame_size("a frame longer than 16,384 bytes"));
        }
        if !self.reading.settled && (head.kind != frame::SETTINGS || head.has(frame::ACK)) {
            return Err(Error::protocol("the first frame is not SETTINGS"));
        }
        self.reading.settled = true;
        let continues = |c: Continued| head.kind == frame::CONTINUATION && head.stream == c.stream;
        if !self.reading.continued.is_none_or(continues) {
            return Err(Error::protocol("a frame inside of a header block"));
        }
        if head.kind == frame::DATA {
            return self.begin_data(head);
        }
        self.reading.state = State::Payload(head);
        Ok(None)
    }

    fn begin_data(&mut self, head: Head) -> Result<Option<Event<'static>>, Error> {
        let padded = head.has(frame::PADDED);
        if self.is_idle(head.stream) || (padded && head.len == 0) {
            return Err(Error::protocol("data that belongs to no stream"));
        }
        if !self.take_from_window(head.len) {
            return Err(Error::new(
                Code::FLOW_CONTROL_ERROR,
                "data beyond the connection's window",
            ));
        }
        let mut data = Data {
            stream: self.streams.find(head.stream),
            content: head.len,
            padding: 0,
            padded,
            end: head.has(frame::END_STREAM),
        };
        let event = match data.stream {
            Some(key) => self.admit_data(key, head.len)?,
            None => {
                self.flood.idle(&self.limits)?;
                None
            }
        };
        if event.is_some() {
            data.stream = None;
        }
        self.reading.state = State::Data(data);
        Ok(event)
    }

    /// Takes a frame's length from the stream's window, or resets the stream.
    fn admit_data(&mut self, key: StreamKey, len: usize) -> Result<Option<Event<'static>>, Error> {
        let Some(stream) = self.streams.get(key) else {
            return Ok(None);
        };
        stream.receive_window -= len as i64;
        let code = match () {
            () if stream.peer_ended => Code::STREAM_CLOSED,
            () if !stream.has_head => Code::PROTOCOL_ERROR,
            () if stream.receive_window < 0 => Code::FLOW_CONTROL_ERROR,
            () => return Ok(None),
        };
        self.stream_error(key, code).map(Some)
    }

    fn data<'c>(
        &mut self,
        mut data: Data,
        chunk: &mut &'c [u8],
    ) -> Result<Option<Event<'c>>, Error> {
        if data.padded {
            let Some((padding, rest)) = chunk.split_first() else {
                return Ok(None);
            };
            *chunk = rest;
            data.padded = false;
            data.padding = usize::from(*padding);
            let content = data.content.checked_sub(1 + data.padding);
            data.content = content.ok_or(Error::protocol("more padding than frame"))?;
            if let Some(key) = data.stream {
                self.release(key, 1 + data.padding);
            }
        }
        let (bytes, rest) = chunk.split_at(data.content.min(chunk.len()));
        data.content -= bytes.len();
        let last = data.content == 0;
        let skipped = if last {
            data.padding.min(rest.len())
        } else {
            0
        };
        data.padding -= skipped;
        *chunk = &rest[skipped..];
        let stream = if last {
            data.stream.take()
        } else {
            data.stream
        };
        self.reading.state = match last && data.padding == 0 {
            true => State::Head,
            false => State::Data(data),
        };
        self.data_event(stream, bytes, last, data.end)
    }

    fn data_event<'c>(
        &mut self,
        stream: Option<StreamKey>,
        bytes: &'c [u8],
        last: bool,
        end: bool,
    ) -> Result<Option<Event<'c>>, Error> {
        // The caller may have reset it since the frame began.
        let Some(stream) = stream.filter(|key| self.streams.peek(*key).is_some()) else {
            return Ok(None);
        };
        let end = last && end;
        if !bytes.is_empty() {
            self.flood.useful();
        } else if !end {
            if last {
                self.flood.idle(&self.limits)?;
            }
            return Ok(None);
        }
        if end {
            self.peer_ended(stream);
        }
        Ok(Some(Event::Data { stream, bytes, end }))
    }

    pub(super) fn peer_ended(&mut self, key: StreamKey) {
        let Some(stream) = self.streams.get(key) else {
            return;
        };
        stream.peer_ended = true;
        if stream.we_ended {
            self.streams.remove(key);
        }
    }

    /// A whole payload, from the chunk or gathered; `None` asks for more bytes.
    fn payload(
        &mut self,
        head: Head,
        chunk: &mut &[u8],
    ) -> Result<Option<Option<Event<'static>>>, Error> {
        if self.reading.held.is_empty()
            && let Some((payload, rest)) = chunk.split_at_checked(head.len)
        {
            *chunk = rest;
            self.reading.state = State::Head;
            return self.frame(head, payload).map(Some);
        }
        if !self.reading.gather(chunk, head.len) {
            return Ok(None);
        }
        self.reading.state = State::Head;
        let mut payload = std::mem::take(&mut self.reading.held);
        let event = self.frame(head, &payload);
        payload.clear();
        payload.shrink_to(KEPT);
        self.reading.held = payload;
        event.map(Some)
    }

    fn frame(&mut self, head: Head, payload: &[u8]) -> Result<Option<Event<'static>>, Error> {
        match head.kind {
            frame::HEADERS => self.on_headers(head, payload),
            frame::CONTINUATION => self.on_continuation(head, payload),
            frame::RST_STREAM => self.on_reset(head, payload),
            frame::WINDOW_UPDATE => self.on_window_update(head, payload),
            frame::SETTINGS => self.on_settings(head, payload).map(|()| None),
            frame::PING => self.on_ping(head, payload).map(|()| None),
            frame::GOAWAY => self.on_go_away(head, payload),
            frame::PUSH_PROMISE => Err(Error::protocol("a push, which was forbidden")),
            frame::PRIORITY if head.stream == 0 => Err(Error::protocol("priority of no stream")),
            // Priorities are gone from HTTP/2, and unknown frames are ignored (5.5).
            _ => self.flood.idle(&self.limits).map(|()| None),
        }
    }

    /// Ends a stream whose peer broke a rule. Such resets are counted like the peer's own.
    pub(super) fn stream_error(
        &mut self,
        stream: StreamKey,
        code: Code,
    ) -> Result<Event<'static>, Error> {
        self.flood.reset(&self.limits)?;
        self.reset(stream, code);
        Ok(Event::Reset { stream, code })
    }

    /// No stream has, or had, this id.
    pub(super) const fn is_idle(&self, stream: u32) -> bool {
        match (self.role, stream % 2) {
            (_, 0) => true,
            (Role::Client, _) => stream >= self.next_id,
            (Role::Server, _) => stream > self.last_received,
        }
    }
}

pub(super) const fn frame_size(what: &'static str) -> Error {
    Error::new(Code::FRAME_SIZE_ERROR, what)
}
