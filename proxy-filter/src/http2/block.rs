//! Header blocks: requests, responses and trailers, RFC 9113 sections 6.2, 6.10 and 8.1.

use super::error::{Code, Error};
use super::frame::{self, Head};
use super::message;
use super::receive::frame_size;
use super::stream::{KEPT, StreamKey};
use super::{Connection, Event, Role};

/// CONTINUATION frames that a header block may have.
const CONTINUATIONS: u32 = 64;

/// A header block of which parts are still to come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Continued {
    pub(super) stream: u32,
    end: bool,
    frames: u32,
}

impl Connection {
    pub(super) fn on_headers(
        &mut self,
        head: Head,
        payload: &[u8],
    ) -> Result<Option<Event<'static>>, Error> {
        let Some(mut fragment) = frame::unpadded(&head, payload) else {
            return Err(Error::protocol("more padding than frame"));
        };
        if head.has(frame::WITH_PRIORITY) {
            let rest = fragment.get(5..);
            fragment = rest.ok_or(frame_size("headers without the priority they announce"))?;
        }
        let end = head.has(frame::END_STREAM);
        if head.has(frame::END_HEADERS) {
            return self.on_block(head.stream, end, fragment);
        }
        self.reading.block.extend_from_slice(fragment);
        self.reading.continued = Some(Continued {
            stream: head.stream,
            end,
            frames: 0,
        });
        Ok(None)
    }

    pub(super) fn on_continuation(
        &mut self,
        head: Head,
        payload: &[u8],
    ) -> Result<Option<Event<'static>>, Error> {
        let Some(mut continued) = self.reading.continued else {
            return Err(Error::protocol("a continuation of nothing"));
        };
        continued.frames += 1;
        let len = self.reading.block.len() + payload.len();
        if continued.frames > CONTINUATIONS || len > self.limits.block {
            return Err(Error::new(
                Code::ENHANCE_YOUR_CALM,
                "too long a header block",
            ));
        }
        self.reading.block.extend_from_slice(payload);
        if !head.has(frame::END_HEADERS) {
            self.reading.continued = Some(continued);
            return Ok(None);
        }
        self.reading.continued = None;
        let mut block = std::mem::take(&mut self.reading.block);
        let event = self.on_block(continued.stream, continued.end, &block);
        block.clear();
        block.shrink_to(KEPT);
        self.reading.block = block;
        event
    }

    /// A whole header block. It is decoded whatever it belongs to, for the table's sake.
    fn on_block(
        &mut self,
        stream: u32,
        end: bool,
        block: &[u8],
    ) -> Result<Option<Event<'static>>, Error> {
        self.headers.clear();
        let kept = self
            .decoder
            .decode(block, &self.limits.list, &mut self.headers)
            .map_err(|_| Error::new(Code::COMPRESSION_ERROR, "a header block out of step"))?;
        match self.streams.find(stream) {
            Some(key) => self.on_further_block(key, end, kept),
            None if !self.is_idle(stream) => {
                // Of a stream that has ended, by us perhaps, what the peer could not know yet.
                self.flood.idle(&self.limits)?;
                Ok(None)
            }
            None if self.role == Role::Server && stream % 2 == 1 => {
                self.on_request(stream, end, kept)
            }
            None => Err(Error::protocol("headers that belong to no stream")),
        }
    }

    fn on_request(
        &mut self,
        id: u32,
        end: bool,
        kept: bool,
    ) -> Result<Option<Event<'static>>, Error> {
        if self.we_go.is_some_and(|last| id > last) {
            return Ok(None);
        }
        self.last_received = id;
        let refusal = match () {
            () if self.streams.active() >= self.limits.streams as usize => Code::REFUSED_STREAM,
            () if !kept => Code::ENHANCE_YOUR_CALM,
            () if message::head(&self.headers, self.role).is_none() => Code::PROTOCOL_ERROR,
            () => {
                self.flood.useful();
                let windows = (self.peer.initial_window, self.limits.initial_window);
                let stream = self.streams.add(id, windows.0, windows.1);
                if let Some(state) = self.streams.get(stream) {
                    state.has_head = true;
                    state.peer_ended = end;
                }
                return Ok(Some(Event::Head { stream, end }));
            }
        };
        self.flood.reset(&self.limits)?;
        self.send_reset(id, refusal);
        Ok(None)
    }

    /// A response, or trailers.
    fn on_further_block(
        &mut self,
        key: StreamKey,
        end: bool,
        kept: bool,
    ) -> Result<Option<Event<'static>>, Error> {
        let Some(stream) = self.streams.get(key) else {
            return Ok(None);
        };
        let code = match () {
            () if stream.peer_ended => Code::STREAM_CLOSED,
            () if !kept => Code::ENHANCE_YOUR_CALM,
            () if stream.has_head => {
                if end && message::trailers(&self.headers) {
                    self.peer_ended(key);
                    return Ok(Some(Event::Trailers { stream: key }));
                }
                Code::PROTOCOL_ERROR
            }
            () => match message::head(&self.headers, self.role) {
                Some(message::Head::Informational) if !end => {
                    self.flood.idle(&self.limits)?;
                    return Ok(None);
                }
                Some(message::Head::Response) => {
                    stream.has_head = true;
                    self.flood.useful();
                    if end {
                        self.peer_ended(key);
                    }
                    return Ok(Some(Event::Head { stream: key, end }));
                }
                _ => Code::PROTOCOL_ERROR,
            },
        };
        self.stream_error(key, code).map(Some)
    }
}
