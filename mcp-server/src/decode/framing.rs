//! Cutting a stream that may be damaged into Dubbo2 frames.
//!
//! This file owns where a frame begins and ends, and must not know what is in one. The codec's own
//! splitters stop at the first byte that is wrong, as a proxy has to; who looks at traffic wants the
//! rest of it too:
//!
//! ```text
//! in step ──no magic, bad length──→ searching ──a head that makes sense──→ in step
//!    │                                  ↑
//!    └─a hole, or a body too long─→ passing (the length says how far) ──→ in step
//! ```

use dubbo_codec::{Error, FrameHead, FrameKind};

/// What a stream is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Piece<'a> {
    /// Where it begins in the stream.
    pub(crate) offset: u64,
    pub(crate) kind: PieceKind<'a>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PieceKind<'a> {
    /// A frame.
    Whole(FrameHead, &'a [u8]),
    /// A frame whose body has not come completely: the bytes before the hole or the end.
    Cut(FrameHead, &'a [u8]),
    /// A frame whose body is longer than the limit; it is passed over.
    TooLong(FrameHead),
    /// Bytes that belong to no frame that could be seen.
    Passed(u64, Why),
}

/// Why bytes are passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// A frame should have begun there.
    Wrong(Error),
    /// Bytes before them are missing, and where a frame begins is not known.
    Hole,
    /// The stream had begun before it was seen.
    Joined,
    /// It ended within a head.
    End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    InStep,
    /// Within a body that nobody wants: that many bytes are left of it.
    Passing(u64),
    /// Where the bytes without a frame began, and why.
    Searching(u64, Why),
}

/// One direction of a connection, or a file. Holds one unfinished frame at most.
#[derive(Debug)]
pub(crate) struct Framer {
    max_body: u32,
    held: Vec<u8>,
    /// Place of the first held byte in the stream.
    offset: u64,
    state: State,
    has_frames: bool,
}

/// Room that is kept for the next frame.
const ROOM: usize = 64 * 1024;

impl Framer {
    /// At the start of a stream that begins with a frame.
    pub(crate) const fn new(max_body: u32) -> Self {
        Self {
            max_body,
            held: Vec::new(),
            offset: 0,
            state: State::InStep,
            has_frames: false,
        }
    }

    /// Somewhere in a stream, or where it begins with something else.
    pub(crate) const fn searching(max_body: u32, why: Why) -> Self {
        let mut framer = Self::new(max_body);
        framer.state = State::Searching(0, why);
        framer
    }

    /// Bytes that are held.
    pub(crate) const fn held(&self) -> usize {
        self.held.len()
    }

    /// At least the head of a frame was seen.
    pub(crate) const fn has_frames(&self) -> bool {
        self.has_frames
    }

    /// Place of the next byte in the stream.
    pub(crate) const fn position(&self) -> u64 {
        self.offset + self.held.len() as u64
    }

    /// Takes the next bytes of the stream.
    pub(crate) fn bytes(&mut self, chunk: &[u8], tell: &mut dyn FnMut(Piece<'_>)) {
        self.held.extend_from_slice(chunk);
        let mut at = 0;
        while let Some(used) = self.step(at, tell) {
            at += used;
        }
        self.drop_front(at);
    }

    /// Takes one step at `at` of what is held, and says how many bytes it used; `None` needs more.
    fn step(&mut self, at: usize, tell: &mut dyn FnMut(Piece<'_>)) -> Option<usize> {
        let offset = self.offset + at as u64;
        let rest = self.held.get(at..).filter(|rest| !rest.is_empty())?;
        match self.state {
            State::InStep => self.frame(at, tell),
            State::Passing(left) => {
                let used = rest.len().min(usize::try_from(left).unwrap_or(usize::MAX));
                self.state = match left - used as u64 {
                    0 => State::InStep,
                    left => State::Passing(left),
                };
                Some(used)
            }
            State::Searching(start, why) => match next_head(rest, self.max_body) {
                Ok(found) => {
                    self.state = State::InStep;
                    tell_passed(start, offset + found as u64, why, tell);
                    Some(found)
                }
                Err(0) => None,
                Err(used) => Some(used),
            },
        }
    }

    /// The frame that should begin at `at`.
    fn frame(&mut self, at: usize, tell: &mut dyn FnMut(Piece<'_>)) -> Option<usize> {
        let (offset, rest) = (self.offset + at as u64, self.held.get(at..)?);
        let head = match FrameHead::parse(rest) {
            Ok(head) => head?,
            Err(error) => {
                self.state = State::Searching(offset, Why::Wrong(error));
                return Some(1);
            }
        };
        self.has_frames = true;
        if head.body_len > self.max_body {
            let kind = PieceKind::TooLong(head);
            tell(Piece { offset, kind });
            self.state = State::Passing(u64::from(head.body_len));
            return Some(FrameHead::LEN);
        }
        let body = rest.get(FrameHead::LEN..head.frame_len())?;
        let kind = PieceKind::Whole(head, body);
        tell(Piece { offset, kind });
        Some(head.frame_len())
    }

    /// That many bytes of the stream are missing here.
    pub(crate) fn gap(&mut self, missing: u64, tell: &mut dyn FnMut(Piece<'_>)) {
        let next = self.position() + missing;
        let head = FrameHead::parse(&self.held).ok().flatten();
        self.state = match (self.state, head) {
            (State::Passing(left), _) if left > missing => State::Passing(left - missing),
            (State::Passing(left), _) if left == missing => State::InStep,
            (State::Passing(_), _) => State::Searching(next, Why::Hole),
            (State::Searching(start, why), _) => {
                tell_passed(start, self.position(), why, tell);
                State::Searching(next, Why::Hole)
            }
            (State::InStep, Some(head)) => {
                let left = (head.frame_len() - self.held.len()) as u64;
                self.tell_cut(head, tell);
                match left.checked_sub(missing) {
                    Some(0) => State::InStep,
                    Some(left) => State::Passing(left),
                    None => State::Searching(next, Why::Hole),
                }
            }
            (State::InStep, None) => {
                tell_passed(self.offset, self.position(), Why::Hole, tell);
                State::Searching(next, Why::Hole)
            }
        };
        self.held = Vec::new();
        self.offset = next;
    }

    /// The stream ends here.
    pub(crate) fn end(&mut self, tell: &mut dyn FnMut(Piece<'_>)) {
        let position = self.position();
        match (self.state, FrameHead::parse(&self.held).ok().flatten()) {
            (State::InStep, Some(head)) => self.tell_cut(head, tell),
            (State::InStep, None) => tell_passed(self.offset, position, Why::End, tell),
            (State::Searching(start, why), _) => tell_passed(start, position, why, tell),
            (State::Passing(_), _) => {}
        }
        (self.held, self.offset) = (Vec::new(), position);
        self.state = State::InStep;
    }

    fn tell_cut(&self, head: FrameHead, tell: &mut dyn FnMut(Piece<'_>)) {
        let body = self.held.get(FrameHead::LEN..).unwrap_or_default();
        tell(Piece {
            offset: self.offset,
            kind: PieceKind::Cut(head, body),
        });
    }

    fn drop_front(&mut self, used: usize) {
        if used > 0 {
            self.held.drain(..used.min(self.held.len()));
            self.offset += used as u64;
            if self.held.capacity() > ROOM && self.held.len() < ROOM {
                self.held.shrink_to(ROOM);
            }
        }
    }
}

fn tell_passed(from: u64, to: u64, why: Why, tell: &mut dyn FnMut(Piece<'_>)) {
    if to > from {
        tell(Piece {
            offset: from,
            kind: PieceKind::Passed(to - from, why),
        });
    }
}

/// Where the first head begins that makes sense; else how many bytes are certainly none of one.
fn next_head(bytes: &[u8], max_body: u32) -> Result<usize, usize> {
    for at in 0..bytes.len() {
        match FrameHead::parse(&bytes[at..]) {
            Ok(Some(head)) if makes_sense(&head, max_body) => return Ok(at),
            Ok(None) => return Err(at),
            Ok(Some(_)) | Err(_) => {}
        }
    }
    Err(bytes.len())
}

/// What Dubbo would send. Two bytes of magic occur by chance; these with them hardly.
fn makes_sense(head: &FrameHead, max_body: u32) -> bool {
    let by_kind = match head.kind {
        FrameKind::Request => head.status.0 == 0,
        FrameKind::Response => head.status.name().is_some() && !head.two_way,
    };
    by_kind && head.body_len <= max_body && head.serialization.name().is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEARTBEAT: &[u8] = b"\xda\xbb\xe2\0\0\0\0\0\0\0\0\x07\0\0\0\x01N";
    const FAILED: &[u8] = b"\xda\xbb\x02\x46\0\0\0\0\0\0\0\x09\0\0\0\x05\x04oops";

    /// Offset, what, length of what is there.
    fn seen(framer: &mut Framer, parts: &[Result<&[u8], u64>], end: bool) -> Vec<String> {
        let mut seen = Vec::new();
        let mut tell = |piece: Piece<'_>| {
            let offset = piece.offset;
            seen.push(match piece.kind {
                PieceKind::Whole(head, body) => {
                    format!("{offset} whole {} {}", head.id, body.len())
                }
                PieceKind::Cut(head, body) => format!("{offset} cut {} {}", head.id, body.len()),
                PieceKind::TooLong(head) => format!("{offset} too long {}", head.id),
                PieceKind::Passed(len, Why::Wrong(error)) => {
                    format!("{offset} passed {len} {error}")
                }
                PieceKind::Passed(len, why) => format!("{offset} passed {len} {why:?}"),
            });
        };
        for part in parts {
            match part {
                Ok(bytes) => framer.bytes(bytes, &mut tell),
                Err(missing) => framer.gap(*missing, &mut tell),
            }
        }
        if end {
            framer.end(&mut tell);
        }
        assert!(!end || framer.held() == 0);
        seen
    }

    #[test]
    fn chunks_of_any_size_make_no_difference() {
        let stream = [HEARTBEAT, b"junk\xda\xbb", FAILED, HEARTBEAT, &FAILED[..18]].concat();
        let expected = [
            "0 whole 7 1",
            "17 passed 6 magic at byte 0: not a Dubbo frame",
            "23 whole 9 5",
            "44 whole 7 1",
            "61 cut 9 2",
        ];
        for size in 1..=stream.len() {
            let chunks: Vec<_> = stream.chunks(size).map(Ok).collect();
            let found = seen(&mut Framer::new(100), &chunks, true);
            assert_eq!(found, expected, "{size}");
        }
    }

    #[test]
    fn a_hole_within_a_body_is_passed_by_its_length() {
        let parts = [Ok(&FAILED[..18]), Err(2), Ok(&FAILED[20..]), Ok(HEARTBEAT)];
        let found = seen(&mut Framer::new(100), &parts, true);
        assert_eq!(found, ["0 cut 9 2", "21 whole 7 1"]);
        let parts = [Ok(&FAILED[..18]), Err(3), Ok(HEARTBEAT)];
        let found = seen(&mut Framer::new(100), &parts, true);
        assert_eq!(found, ["0 cut 9 2", "21 whole 7 1"]);
    }

    #[test]
    fn behind_a_hole_of_unknown_content_a_head_is_looked_for() {
        let parts = [Ok(&FAILED[..10]), Err(100), Ok(b"rest"), Ok(HEARTBEAT)];
        let found = seen(&mut Framer::new(100), &parts, true);
        let expected = ["0 passed 10 Hole", "110 passed 4 Hole", "114 whole 7 1"];
        assert_eq!(found, expected);
    }

    #[test]
    fn a_body_above_the_limit_is_passed_and_not_held() {
        let mut framer = Framer::new(4);
        let found = seen(&mut framer, &[Ok(&FAILED[..19])], false);
        assert_eq!((found, framer.held()), (vec!["0 too long 9".into()], 0));
        let found = seen(&mut framer, &[Ok(&FAILED[19..]), Ok(HEARTBEAT)], true);
        assert_eq!(found, ["21 whole 7 1"]);
    }

    #[test]
    fn a_stream_that_is_joined_begins_at_the_first_head_that_makes_sense() {
        let chance = b"\xda\xbb\x1f\x01\0\0\0\0\0\0\0\0\0\0\0\0";
        let mut framer = Framer::searching(100, Why::Joined);
        let found = seen(&mut framer, &[Ok(chance), Ok(HEARTBEAT)], true);
        assert_eq!(found, ["0 passed 16 Joined", "16 whole 7 1"]);
    }
}
