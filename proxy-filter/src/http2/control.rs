//! Frames that carry no message: resets, windows, settings, pings and goodbyes, RFC 9113 sections 6.4 to 6.9.

use super::error::{Code, Error};
use super::frame::{self, Head, MAX_31};
use super::receive::frame_size;
use super::{Connection, Event, Role};

impl Connection {
    pub(super) fn on_reset(
        &mut self,
        head: Head,
        payload: &[u8],
    ) -> Result<Option<Event<'static>>, Error> {
        let Ok(code) = payload.try_into().map(u32::from_be_bytes) else {
            return Err(frame_size("a reset that is not 4 bytes long"));
        };
        if self.is_idle(head.stream) {
            return Err(Error::protocol("a reset that belongs to no stream"));
        }
        let Some(stream) = self.streams.find(head.stream) else {
            return self.flood.idle(&self.limits).map(|()| None);
        };
        if self.role == Role::Server {
            self.flood.reset(&self.limits)?;
        }
        self.streams.remove(stream);
        let code = Code(code);
        Ok(Some(Event::Reset { stream, code }))
    }

    pub(super) fn on_window_update(
        &mut self,
        head: Head,
        payload: &[u8],
    ) -> Result<Option<Event<'static>>, Error> {
        let Ok(bytes) = payload.try_into().map(u32::from_be_bytes) else {
            return Err(frame_size("a window update that is not 4 bytes long"));
        };
        let bytes = bytes & MAX_31;
        if head.stream == 0 {
            if bytes == 0 {
                return Err(Error::protocol("a window update of nothing"));
            }
            return self.widen(bytes).map(|()| None);
        }
        if self.is_idle(head.stream) {
            return Err(Error::protocol("a window update that belongs to no stream"));
        }
        let Some(key) = self.streams.find(head.stream) else {
            return Ok(None);
        };
        let Some(stream) = self.streams.get(key) else {
            return Ok(None);
        };
        if bytes == 0 {
            return self.stream_error(key, Code::PROTOCOL_ERROR).map(Some);
        }
        stream.send_window += i64::from(bytes);
        if stream.send_window > i64::from(MAX_31) {
            return self.stream_error(key, Code::FLOW_CONTROL_ERROR).map(Some);
        }
        self.make_ready(key);
        self.pump();
        Ok(None)
    }

    pub(super) fn on_settings(&mut self, head: Head, payload: &[u8]) -> Result<(), Error> {
        self.flood.idle(&self.limits)?;
        if head.stream != 0 {
            return Err(Error::protocol("settings of a stream"));
        }
        if head.has(frame::ACK) {
            return match payload {
                [] => Ok(()),
                _ => Err(frame_size("an acknowledgement with settings")),
            };
        }
        let before = self.peer;
        self.peer = before.after(payload, self.role)?;
        self.encoder.resize(self.peer.header_table as usize);
        frame::write(&mut self.out, frame::SETTINGS, frame::ACK, 0, &[]);
        let wider = i64::from(self.peer.initial_window) - i64::from(before.initial_window);
        if wider != 0 {
            self.move_windows(wider)?;
        }
        Ok(())
    }

    /// A new initial window is one for the streams that are open too (6.9.2).
    fn move_windows(&mut self, wider: i64) -> Result<(), Error> {
        for stream in self.streams.iter_mut() {
            stream.send_window += wider;
            if stream.send_window > i64::from(MAX_31) {
                return Err(Error::new(
                    Code::FLOW_CONTROL_ERROR,
                    "a stream's window above 2^31-1",
                ));
            }
        }
        if self.waiting() > 0 {
            let keys: Vec<_> = self.streams.keys().collect();
            keys.into_iter().for_each(|key| self.make_ready(key));
            self.pump();
        }
        Ok(())
    }

    pub(super) fn on_ping(&mut self, head: Head, payload: &[u8]) -> Result<(), Error> {
        self.flood.idle(&self.limits)?;
        if payload.len() != 8 {
            return Err(frame_size("a ping that is not 8 bytes long"));
        }
        if head.stream != 0 {
            return Err(Error::protocol("a ping of a stream"));
        }
        if !head.has(frame::ACK) {
            frame::write(&mut self.out, frame::PING, frame::ACK, 0, payload);
        }
        Ok(())
    }

    pub(super) fn on_go_away(
        &mut self,
        head: Head,
        payload: &[u8],
    ) -> Result<Option<Event<'static>>, Error> {
        self.flood.idle(&self.limits)?;
        let Some([l0, l1, l2, l3, c0, c1, c2, c3]) = payload.first_chunk::<8>().copied() else {
            return Err(frame_size("a goodbye that is not 8 bytes long"));
        };
        if head.stream != 0 {
            return Err(Error::protocol("a goodbye of a stream"));
        }
        let last = u32::from_be_bytes([l0, l1, l2, l3]) & MAX_31;
        let last = self.peer_goes.map_or(last, |before| before.min(last));
        self.peer_goes = Some(last);
        if self.role == Role::Client {
            let untouched = self.streams.keys().filter(|key| key.id() > last);
            self.refused.extend(untouched);
        }
        let code = Code(u32::from_be_bytes([c0, c1, c2, c3]));
        Ok(Some(Event::GoAway { last, code }))
    }

    pub(super) fn next_refused(&mut self) -> Option<Event<'static>> {
        loop {
            let stream = self.refused.pop()?;
            if self.streams.peek(stream).is_some() {
                self.streams.remove(stream);
                let code = Code::REFUSED_STREAM;
                return Some(Event::Reset { stream, code });
            }
        }
    }
}
