//! A direction of an HTTP/2 connection, cut into what is looked at, whole, and what passes as it comes.

use crate::http2::frame::Head;
use crate::http2::{Code, Error};
use crate::translate::KEPT_OF_CALL;

/// Longest frame that is gathered, in bytes of its payload.
const LONGEST: usize = 256 * 1024;

/// What was found.
#[derive(Debug, PartialEq)]
pub(super) enum Piece<'a> {
    /// A whole frame that was wanted.
    Frame(Head, &'a [u8]),
    /// A head with what has come behind it, or more of that.
    Bytes(&'a [u8]),
}

/// One direction.
#[derive(Debug, Default)]
pub(super) struct Frames {
    held: Vec<u8>,
    /// `held` was given out.
    given: bool,
    /// Bytes of the payload that pass.
    passing: usize,
}

impl Frames {
    /// Takes the next piece from the front of `chunk`; `None` when it is used up. Fails on a wanted
    /// frame that is too long to be gathered.
    pub(super) fn next<'f, 'c: 'f>(
        &'f mut self,
        chunk: &mut &'c [u8],
        is_wanted: impl Fn(&Head) -> bool,
    ) -> Result<Option<Piece<'f>>, Error> {
        if std::mem::take(&mut self.given) {
            self.held.clear();
            self.held.shrink_to(KEPT_OF_CALL);
        }
        if chunk.is_empty() && self.passing == 0 {
            return Ok(None);
        }
        if self.passing > 0 {
            let piece = take(chunk, self.passing);
            self.passing -= piece.len();
            return Ok((!piece.is_empty()).then_some(Piece::Bytes(piece)));
        }
        if let Some(piece) = self.within(chunk, &is_wanted) {
            return Ok(Some(piece));
        }
        self.gather(chunk, Head::LEN);
        let Some(head) = self.held.first_chunk().map(Head::parse) else {
            return Ok(None);
        };
        if !is_wanted(&head) {
            self.passing = head.len;
            self.given = true;
            return Ok(Some(Piece::Bytes(&self.held)));
        }
        if head.len > LONGEST {
            let what = "a frame too long to be looked into";
            return Err(Error::new(Code::FRAME_SIZE_ERROR, what));
        }
        self.gather(chunk, Head::LEN + head.len);
        self.given = self.held.len() == Head::LEN + head.len;
        Ok(self
            .given
            .then(|| Piece::Frame(head, &self.held[Head::LEN..])))
    }

    /// What begins in `chunk` and need not be gathered.
    fn within<'c>(
        &mut self,
        chunk: &mut &'c [u8],
        is_wanted: impl Fn(&Head) -> bool,
    ) -> Option<Piece<'c>> {
        let head = Head::parse(chunk.first_chunk()?);
        let len = Head::LEN + head.len;
        if !self.held.is_empty() || (is_wanted(&head) && chunk.len() < len) {
            return None;
        }
        let frame = take(chunk, len);
        if is_wanted(&head) {
            return Some(Piece::Frame(head, &frame[Head::LEN..]));
        }
        self.passing = len - frame.len();
        Some(Piece::Bytes(frame))
    }

    fn gather(&mut self, chunk: &mut &[u8], len: usize) {
        let missing = len.saturating_sub(self.held.len());
        self.held.extend_from_slice(take(chunk, missing));
    }

    /// Bytes of an unfinished frame that are held.
    pub(super) const fn held(&self) -> usize {
        if self.given { 0 } else { self.held.len() }
    }
}

/// Takes up to `len` bytes from the front of `chunk`.
fn take<'c>(chunk: &mut &'c [u8], len: usize) -> &'c [u8] {
    let (taken, rest) = chunk.split_at(len.min(chunk.len()));
    *chunk = rest;
    taken
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pieces_are_the_stream_however_it_is_cut() {
        let mut stream = vec![];
        for (kind, payload) in [
            (0, &b"hello"[..]),
            (1, b"head"),
            (1, b""),
            (7, b""),
            (1, b"x"),
        ] {
            let head = Head {
                len: payload.len(),
                kind,
                flags: 0,
                stream: 1,
            };
            stream.extend(head.bytes());
            stream.extend(payload);
        }
        for size in 1..=stream.len() {
            let (mut frames, mut all, mut wanted) = (Frames::default(), vec![], vec![]);
            for mut chunk in stream.chunks(size) {
                while let Some(piece) = frames.next(&mut chunk, |head| head.kind == 1).unwrap() {
                    match piece {
                        Piece::Bytes(bytes) => all.extend(bytes),
                        Piece::Frame(head, payload) => {
                            wanted.push(payload.to_vec());
                            all.extend(head.bytes());
                            all.extend(payload);
                        }
                    }
                }
            }
            assert_eq!((&all, frames.held()), (&stream, 0), "{size}");
            assert_eq!(wanted, [&b"head"[..], b"", b"x"], "{size}");
        }
    }
}
