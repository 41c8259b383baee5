//! Frames out of a stream of bytes. A frame that lies within a chunk is borrowed from it; one that
//! spans chunks is gathered. One that is too long to be gathered is told by its head and passed over.

use dubbo_codec::{Error, Event, Frame, FrameHead, Limits};

use super::KEPT;

/// What was found.
#[derive(Debug)]
pub(crate) enum Taken<'a> {
    Frame(Frame<'a>),
    /// The head of a frame that is longer than the limit.
    TooLong(FrameHead),
}

/// Cuts one direction of a connection into frames.
#[derive(Debug, Default)]
pub(crate) struct Intake {
    held: Vec<u8>,
    /// `held` is the frame that was taken last.
    taken: bool,
    /// Bytes of a frame to be passed over.
    skip: usize,
}

impl Intake {
    /// Takes the next frame from the front of `chunk`; `None` when the chunk is used up. Calls may have
    /// `calls` bytes of body at most, everything else what `limits` say, events the 15 bytes of Java.
    ///
    /// Fails on what is no frame; the stream is then out of step for good.
    pub(crate) fn next<'f, 'c: 'f>(
        &'f mut self,
        chunk: &mut &'c [u8],
        limits: &Limits,
        calls: usize,
    ) -> Result<Option<Taken<'f>>, Error> {
        if std::mem::take(&mut self.taken) {
            self.held.clear();
            self.held.shrink_to(KEPT);
        }
        take(chunk, &mut self.skip);
        if self.skip > 0 {
            return Ok(None);
        }
        let Some(head) = self.head(chunk)? else {
            return Ok(None);
        };
        let most = match head.event {
            true => Event::MAX_BODY,
            false => calls.min(limits.max_body as usize),
        };
        if head.body_len as usize > most {
            self.skip = head.frame_len() - self.held.len();
            self.held.clear();
            take(chunk, &mut self.skip);
            return Ok(Some(Taken::TooLong(head)));
        }
        if self.held.is_empty()
            && let Some((frame, rest)) = chunk.split_at_checked(head.frame_len())
        {
            *chunk = rest;
            return Frame::parse(frame, limits).map(|frame| frame.map(Taken::Frame));
        }
        self.taken = self.gather(chunk, head.frame_len());
        match self.taken {
            true => Frame::parse(&self.held, limits).map(|frame| frame.map(Taken::Frame)),
            false => Ok(None),
        }
    }

    /// The head of the next frame, from the chunk where it is whole there.
    fn head(&mut self, chunk: &mut &[u8]) -> Result<Option<FrameHead>, Error> {
        if self.held.is_empty()
            && let Some(head) = FrameHead::parse(chunk)?
        {
            return Ok(Some(head));
        }
        if self.held.len() < FrameHead::LEN {
            self.gather(chunk, FrameHead::LEN);
        }
        match self.held.is_empty() {
            true => Ok(None),
            false => FrameHead::parse(&self.held),
        }
    }

    fn gather(&mut self, chunk: &mut &[u8], len: usize) -> bool {
        let missing = len - self.held.len();
        let (taken, rest) = chunk.split_at(missing.min(chunk.len()));
        self.held.extend_from_slice(taken);
        *chunk = rest;
        self.held.len() == len
    }

    /// The last byte that came was not the last of a frame.
    pub(crate) const fn is_partial(&self) -> bool {
        self.held() > 0 || self.skip > 0
    }

    /// Bytes of an unfinished frame that are held.
    pub(crate) const fn held(&self) -> usize {
        if self.taken { 0 } else { self.held.len() }
    }
}

/// Takes up to `count` bytes from the front of `chunk` and from `count`.
fn take(chunk: &mut &[u8], count: &mut usize) {
    let len = chunk.len().min(*count);
    *chunk = &chunk[len..];
    *count -= len;
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEARTBEAT: &[u8] = b"\xda\xbb\xe2\0\0\0\0\0\0\0\0\x07\0\0\0\x01N";
    const LONG_EVENT: &[u8] = b"\xda\xbb\xe2\0\0\0\0\0\0\0\0\x07\0\0\0\x100123456789abcdef";
    const CALL: &[u8] = b"\xda\xbb\xc2\0\0\0\0\0\0\0\0\x08\0\0\0\x05hello";
    const LONG_CALL: &[u8] = b"\xda\xbb\xc2\0\0\0\0\0\0\0\0\x09\0\0\0\x06hello!";

    #[test]
    fn frames_are_the_same_however_the_stream_is_cut() {
        let stream = [HEARTBEAT, LONG_CALL, CALL, LONG_EVENT, CALL].concat();
        for size in 1..=stream.len() {
            let mut intake = Intake::default();
            let mut found = vec![];
            for mut chunk in stream.chunks(size) {
                while let Some(taken) = intake.next(&mut chunk, &Limits::default(), 5).unwrap() {
                    found.push(match taken {
                        Taken::Frame(frame) => frame.bytes().to_vec(),
                        Taken::TooLong(head) => head.to_bytes().to_vec(),
                    });
                }
                assert!(chunk.is_empty());
                assert!(intake.held() <= 16 + 5);
            }
            let expected = [HEARTBEAT, &LONG_CALL[..16], CALL, &LONG_EVENT[..16], CALL];
            assert_eq!(found, expected, "{size}");
            assert!(!intake.is_partial());
        }
    }

    #[test]
    fn what_is_no_frame_fails() {
        for size in 1..20 {
            let stream = [HEARTBEAT, b"GET / HTTP/1.1\r\n\r\n"].concat();
            let mut intake = Intake::default();
            let failed = stream.chunks(size).any(|mut chunk| {
                loop {
                    match intake.next(&mut chunk, &Limits::default(), 5) {
                        Ok(Some(_)) => {}
                        Ok(None) => break false,
                        Err(_) => break true,
                    }
                }
            });
            assert!(failed, "{size}");
        }
    }
}
