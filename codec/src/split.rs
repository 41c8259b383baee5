//! Cutting a byte stream into Dubbo2 frames.
//!
//! Two ways: [`Splitter`] streams, for a proxy that decides on the head and forwards bodies as they
//! come; [`Assembler`] gathers whole frames. Neither knows what a body means. Both are pure: bytes
//! in, frames out, and what they may hold is bounded by [`Limits`].

use alloc::vec::Vec;

use crate::error::{Error, Limits};
use crate::frame::{Frame, FrameHead};

/// What [`Splitter::next`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a frame has these two parts")]
pub enum Piece<'a> {
    /// A frame begins. If its `body_len` is 0 it ends here too.
    Head(FrameHead),
    /// The next bytes of the frame's body; never empty.
    Body {
        /// Borrowed from the chunk.
        bytes: &'a [u8],
        /// These are the last of the frame.
        last: bool,
    },
}

/// Cuts a stream that arrives in chunks into heads and pieces of bodies, without buffering bodies:
/// it holds 16 bytes at most.
#[derive(Clone, Debug, Default)]
pub struct Splitter {
    limits: Limits,
    head: [u8; FrameHead::LEN],
    head_len: usize,
    body_left: usize,
    failed: Option<Error>,
}

impl Splitter {
    /// A splitter at the start of a stream.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            ..Self::default()
        }
    }

    /// Takes the next piece from the front of `chunk`; `None` when the chunk is used up.
    ///
    /// Fails as [`FrameHead::parse`] and [`FrameHead::check`] do, with offsets from the start of the
    /// frame; the stream is then out of step, and the same error is returned from there on.
    pub fn next<'a>(&mut self, chunk: &mut &'a [u8]) -> Result<Option<Piece<'a>>, Error> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        if self.body_left > 0 {
            let bytes = take_upto(chunk, self.body_left);
            self.body_left -= bytes.len();
            let last = self.body_left == 0;
            return Ok((!bytes.is_empty()).then_some(Piece::Body { bytes, last }));
        }
        let taken = take_upto(chunk, FrameHead::LEN - self.head_len);
        let seen = self.head_len + taken.len();
        self.head[self.head_len..seen].copy_from_slice(taken);
        self.head_len = seen;
        let head = checked_head(&self.head[..seen], &self.limits, &mut self.failed)?;
        Ok(head.map(|head| {
            self.head_len = 0;
            self.body_left = head.body_len as usize;
            Piece::Head(head)
        }))
    }

    /// No frame has begun that has not ended: the stream may end here.
    pub const fn is_between_frames(&self) -> bool {
        self.head_len == 0 && self.body_left == 0
    }
}

/// Cuts a stream that arrives in chunks into whole frames. A frame that lies within a chunk is
/// borrowed from it; one that spans chunks is gathered. It holds one frame's received bytes at most,
/// and a head with a length above [`Limits::max_body`] is refused before any of its body is kept.
#[derive(Clone, Debug, Default)]
pub struct Assembler {
    limits: Limits,
    held: Vec<u8>,
    done: bool,
    failed: Option<Error>,
}

impl Assembler {
    /// An assembler at the start of a stream.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            ..Self::default()
        }
    }

    /// Takes the next frame from the front of `chunk`; `None` when the chunk is used up.
    /// Fails as [`Splitter::next`] does.
    pub fn next<'f, 'c: 'f>(
        &'f mut self,
        chunk: &mut &'c [u8],
    ) -> Result<Option<Frame<'f>>, Error> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        if core::mem::take(&mut self.done) {
            self.held.clear();
        }
        if self.held.is_empty() {
            checked_head(chunk, &self.limits, &mut self.failed)?;
            if let Some(frame) = Frame::parse(chunk, &self.limits)? {
                take_upto(chunk, frame.bytes.len());
                return Ok(Some(frame));
            }
        }
        self.gather(chunk, FrameHead::LEN);
        let Some(head) = checked_head(&self.held, &self.limits, &mut self.failed)? else {
            return Ok(None);
        };
        self.gather(chunk, head.frame_len());
        self.done = self.held.len() == head.frame_len();
        Ok(self.done.then_some(Frame {
            head,
            bytes: &self.held,
        }))
    }

    fn gather(&mut self, chunk: &mut &[u8], upto: usize) {
        let missing = upto.saturating_sub(self.held.len());
        self.held.extend_from_slice(take_upto(chunk, missing));
    }

    /// Bytes of an unfinished frame that are held.
    pub const fn held(&self) -> usize {
        if self.done { 0 } else { self.held.len() }
    }
}

fn take_upto<'a>(chunk: &mut &'a [u8], most: usize) -> &'a [u8] {
    let (taken, rest) = chunk.split_at(most.min(chunk.len()));
    *chunk = rest;
    taken
}

/// Parses and checks a head; an error is kept in `failed`.
fn checked_head(
    bytes: &[u8],
    limits: &Limits,
    failed: &mut Option<Error>,
) -> Result<Option<FrameHead>, Error> {
    let head = match FrameHead::parse(bytes) {
        Ok(Some(head)) => head.check(limits).map(|()| Some(head)),
        incomplete_or_wrong => incomplete_or_wrong,
    };
    *failed = head.err();
    head
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{ErrorKind, Limit, What};
    use alloc::vec;

    const HEARTBEAT: &[u8] = b"\xda\xbb\xe2\0\0\0\0\0\0\0\0\x07\0\0\0\x01N";
    const EMPTY: &[u8] = b"\xda\xbb\x02\x14\0\0\0\0\0\0\0\x08\0\0\0\0";
    const ERROR: &[u8] = b"\xda\xbb\x02\x46\0\0\0\0\0\0\0\x09\0\0\0\x05\x04oops";

    fn limits(max_body: u32) -> Limits {
        Limits {
            max_body,
            ..Limits::default()
        }
    }

    /// The stream as the splitter's pieces say it was.
    fn rebuilt(splitter: &mut Splitter, chunks: core::slice::Chunks<'_, u8>) -> Vec<u8> {
        let mut bytes = vec![];
        for mut chunk in chunks {
            while let Some(piece) = splitter.next(&mut chunk).unwrap() {
                match piece {
                    Piece::Head(head) => bytes.extend(head.to_bytes()),
                    Piece::Body { bytes: body, .. } => bytes.extend(body),
                }
            }
        }
        bytes
    }

    #[test]
    fn frames_are_the_same_however_the_stream_is_cut() {
        let stream = [HEARTBEAT, EMPTY, ERROR].concat();
        for size in 1..=stream.len() {
            let mut assembler = Assembler::new(limits(5));
            let mut frames = vec![];
            for mut chunk in stream.chunks(size) {
                while let Some(frame) = assembler.next(&mut chunk).unwrap() {
                    frames.push(frame.bytes().to_vec());
                }
                assert!(chunk.is_empty());
            }
            assert_eq!(frames, [HEARTBEAT, EMPTY, ERROR], "{size}");
            assert_eq!(assembler.held(), 0);
            let mut splitter = Splitter::new(limits(5));
            assert_eq!(
                rebuilt(&mut splitter, stream.chunks(size)),
                stream,
                "{size}"
            );
            assert!(splitter.is_between_frames());
        }
    }

    #[test]
    fn a_frame_within_a_chunk_is_not_copied() {
        let stream = [HEARTBEAT, ERROR].concat();
        let mut chunk = &stream[..];
        let mut assembler = Assembler::new(limits(5));
        let first = assembler
            .next(&mut chunk)
            .unwrap()
            .unwrap()
            .bytes()
            .as_ptr();
        let second = assembler
            .next(&mut chunk)
            .unwrap()
            .unwrap()
            .bytes()
            .as_ptr();
        assert_eq!(
            (first, second),
            (stream.as_ptr(), stream[HEARTBEAT.len()..].as_ptr())
        );
    }

    #[test]
    fn too_long_a_body_is_refused_before_any_of_it_is_held() {
        let refused = Error::new(12, What::Length, ErrorKind::Limit(Limit::Body));
        for size in 1..=ERROR.len() {
            let (mut assembler, mut splitter) =
                (Assembler::new(limits(4)), Splitter::new(limits(4)));
            let mut errors = vec![];
            for chunk in ERROR.chunks(size) {
                let (mut left, mut again) = (chunk, chunk);
                errors.extend(assembler.next(&mut left).err());
                assert!(assembler.held() <= 16);
                errors.extend(splitter.next(&mut again).err());
            }
            assert!(
                errors.len() >= 2 && errors.iter().all(|error| *error == refused),
                "{size}"
            );
        }
    }
}
