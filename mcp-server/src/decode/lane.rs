//! One direction of a connection: from segments to pieces of a Dubbo stream, if it is one.
//!
//! This file joins order ([`Half`]) and framing ([`Framer`]), and knows from the first bytes whether
//! it is Dubbo at all. A direction that was seen from its start has to begin with a frame; in one
//! that was joined later a frame is looked for.

use dubbo_codec::Sniff;

use crate::decode::connections::Happening;
use crate::decode::framing::{Framer, Why};
use crate::decode::packet::Segment;
use crate::decode::stream::{Bit, Half};

#[derive(Debug)]
pub(crate) struct Lane {
    pub(crate) half: Half,
    pub(crate) sight: Sight,
    /// It was seen from its first byte.
    is_whole: bool,
    max_body: u32,
    /// What it seems to speak, if that is not Dubbo.
    other: Option<Sniff>,
    /// It had frames, and is over.
    had_frames: bool,
}

/// What a direction of a connection is known to be.
#[derive(Debug)]
pub(crate) enum Sight {
    /// Its first bytes, too few to tell.
    First(Vec<u8>),
    Dubbo(Framer),
    Over,
}

impl Lane {
    pub(crate) fn new(is_whole: bool, max_body: u32) -> Self {
        Self {
            half: Half::default(),
            sight: Sight::First(Vec::new()),
            is_whole,
            max_body,
            other: None,
            had_frames: false,
        }
    }

    /// Bytes that are held.
    pub(crate) fn held(&self) -> usize {
        let seen = match &self.sight {
            Sight::First(bytes) => bytes.len(),
            Sight::Dubbo(framer) => framer.held(),
            Sight::Over => 0,
        };
        self.half.held() + seen
    }

    /// How far the stream was looked at.
    pub(crate) const fn position(&self) -> u64 {
        match &self.sight {
            Sight::Dubbo(framer) => framer.position(),
            Sight::First(_) | Sight::Over => 0,
        }
    }

    /// A frame was seen.
    pub(crate) const fn has_frames(&self) -> bool {
        match &self.sight {
            Sight::Dubbo(framer) => framer.has_frames(),
            Sight::First(_) | Sight::Over => self.had_frames,
        }
    }

    /// What it seems to speak, if that is not Dubbo.
    pub(crate) fn other(&self) -> Option<Sniff> {
        match &self.sight {
            Sight::First(first) if !first.is_empty() && self.half.is_over() => {
                Some(Sniff::NeedMore)
            }
            _ => self.other,
        }
    }

    /// It speaks something else from its first byte on.
    pub(crate) const fn is_other(&self) -> bool {
        matches!(self.sight, Sight::Over) && self.other.is_some()
    }

    /// Takes a segment of this direction.
    pub(crate) fn segment(&mut self, segment: &Segment<'_>, tell: &mut dyn FnMut(Happening<'_>)) {
        if segment.syn {
            self.half.begin(segment.seq);
        }
        let seq = segment.seq.wrapping_add(u32::from(segment.syn));
        if segment.fin {
            let len = segment.data.len() as u32;
            self.half
                .finish(seq.wrapping_add(len).wrapping_add(segment.cut));
        }
        self.run(tell, |half, bit| {
            half.segment(seq, segment.data, segment.cut, bit)
        });
    }

    /// Takes an acknowledgement by the other side.
    pub(crate) fn acked(&mut self, ack: u32, tell: &mut dyn FnMut(Happening<'_>)) {
        self.run(tell, |half, bit| half.acked(ack, bit));
    }

    /// Yields what waits: nothing more will come.
    pub(crate) fn release(&mut self, tell: &mut dyn FnMut(Happening<'_>)) {
        self.run(tell, |half, bit| half.end(bit));
    }

    /// The direction ends.
    pub(crate) fn end(&mut self, tell: &mut dyn FnMut(Happening<'_>)) {
        self.release(tell);
        self.had_frames = self.has_frames();
        if let Sight::Dubbo(mut framer) = std::mem::replace(&mut self.sight, Sight::Over) {
            framer.end(&mut |piece| tell(Happening::Piece(piece)));
        }
    }

    fn run(
        &mut self,
        tell: &mut dyn FnMut(Happening<'_>),
        step: impl FnOnce(&mut Half, &mut dyn FnMut(Bit<'_>)),
    ) {
        let mut half = std::mem::take(&mut self.half);
        step(&mut half, &mut |bit| match bit {
            Bit::Data(data) => self.data(data, tell),
            Bit::Gap(missing) => self.gap(missing, tell),
        });
        self.half = half;
    }

    fn data(&mut self, data: &[u8], tell: &mut dyn FnMut(Happening<'_>)) {
        match &mut self.sight {
            Sight::Over => {}
            Sight::Dubbo(framer) => {
                framer.bytes(data, &mut |piece| tell(Happening::Piece(piece)));
            }
            Sight::First(first) => {
                first.extend_from_slice(data);
                let sniff = Sniff::of(first);
                if sniff == Sniff::NeedMore {
                    return;
                }
                let is_dubbo = sniff == Sniff::Dubbo;
                self.other = (!is_dubbo).then_some(sniff);
                let first = std::mem::take(first);
                self.sight = match (is_dubbo, self.is_whole) {
                    (true, _) => Sight::Dubbo(Framer::new(self.max_body)),
                    (_, false) => Sight::Dubbo(Framer::searching(self.max_body, Why::Joined)),
                    (false, true) => Sight::Over,
                };
                self.data(&first, tell);
            }
        }
    }

    fn gap(&mut self, missing: u64, tell: &mut dyn FnMut(Happening<'_>)) {
        if let Sight::First(first) = &mut self.sight {
            let first = std::mem::take(first);
            let mut framer = Framer::searching(self.max_body, Why::Joined);
            framer.bytes(&first, &mut |_| {});
            self.other.get_or_insert(Sniff::Other);
            self.sight = Sight::Dubbo(framer);
        }
        if let Sight::Dubbo(framer) = &mut self.sight {
            tell(Happening::Gap(framer.position(), missing));
            framer.gap(missing, &mut |piece| tell(Happening::Piece(piece)));
        }
    }
}
