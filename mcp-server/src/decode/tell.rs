//! From pieces of streams to what is told of them.
//!
//! ```text
//! Piece ─→ Body ─┬─→ Pairs ─→ Item ─→ text or JSON, appended to `out`
//! Gap, NotDubbo ─┘
//! ```
//! This file owns what an [`Item`] is, and the count of what was told. It does no I/O: whoever drives
//! it takes `out` away and writes it.

use dubbo_codec::{Error, FrameHead, FrameKind, Limits, Sniff};

use crate::decode::body::{Body, Call};
use crate::decode::capture::Nanos;
use crate::decode::connections::{Ends, Happening};
use crate::decode::framing::{Piece, PieceKind, Why};
use crate::decode::pair::{Asked, Pairs};
use crate::decode::{json, text};

/// Something that is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    pub(crate) place: Place,
    pub(crate) what: What,
}

/// Where something was seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    /// In a capture: between whom, and whether it was sent to the server.
    pub(crate) flow: Option<(Ends, bool)>,
    /// When the packet came that completed it.
    pub(crate) time: Option<Nanos>,
    /// Offset in the file, or in what one end sent to the other.
    pub(crate) offset: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Frame(Box<Seen>),
    /// That many bytes are not in the capture.
    Gap(u64),
    /// That many bytes belong to no frame.
    Passed(u64, Why),
    NotDubbo(Sniff),
}

/// A frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) head: FrameHead,
    pub(crate) body: Body,
    /// How many bytes of the body there are, if that is not all.
    pub(crate) cut: Option<usize>,
    /// The body is longer than the limit.
    pub(crate) is_too_long: bool,
    /// The request that a response answers.
    pub(crate) asked: Option<Asked>,
    /// Bytes around the one that is wrong.
    pub(crate) around: Option<Around>,
}

/// The bytes around one that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Around {
    pub(crate) before: Vec<u8>,
    pub(crate) behind: Vec<u8>,
}

impl Around {
    const BYTES: usize = 12;

    pub(crate) fn new(bytes: &[u8], error: Error) -> Self {
        let (before, behind) = bytes.split_at(error.at().min(bytes.len()));
        Self {
            before: before[before.len().saturating_sub(Self::BYTES)..].to_vec(),
            behind: behind[..behind.len().min(Self::BYTES + 1)].to_vec(),
        }
    }
}

/// How things are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// For people; values are cut behind so many characters.
    Text(usize),
    /// An object a line.
    Json,
}

/// How much was told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) frames: u64,
    /// Frames and places in streams with something wrong.
    pub(crate) broken: u64,
    /// Frames in serializations that are not read.
    pub(crate) unread: u64,
    pub(crate) not_dubbo: u64,
}

/// Tells things one after the other.
#[derive(Debug)]
pub(crate) struct Teller {
    limits: Limits,
    form: Form,
    pairs: Pairs,
    pub(crate) counts: Counts,
    /// What was told and not yet taken away.
    pub(crate) out: String,
}

/// Most requests that are remembered for their responses.
const MOST_WAITING: usize = 65_536;

impl Teller {
    pub(crate) fn new(limits: Limits, form: Form) -> Self {
        Self {
            limits,
            form,
            pairs: Pairs::new(MOST_WAITING),
            counts: Counts::default(),
            out: String::new(),
        }
    }

    /// Something happened on a connection.
    pub(crate) fn happening(
        &mut self,
        ends: &Ends,
        to_server: bool,
        time: Option<Nanos>,
        what: Happening<'_>,
    ) {
        let mut place = Place {
            flow: Some((*ends, to_server)),
            time,
            offset: 0,
        };
        match what {
            Happening::Piece(piece) => self.piece(place, &piece),
            Happening::Gap(offset, missing) => {
                place.offset = offset;
                self.counts.broken += 1;
                self.item(place, What::Gap(missing));
            }
            Happening::NotDubbo(sniff) => {
                self.counts.not_dubbo += 1;
                self.item(place, What::NotDubbo(sniff));
            }
        }
    }

    /// A piece of a stream was read.
    pub(crate) fn piece(&mut self, place: Place, piece: &Piece<'_>) {
        let place = Place {
            offset: piece.offset,
            ..place
        };
        match piece.kind {
            PieceKind::Whole(head, body) => self.frame(place, &head, body, None),
            PieceKind::Cut(head, body) => self.frame(place, &head, body, Some(body.len())),
            PieceKind::TooLong(head) => {
                let seen = Seen {
                    is_too_long: true,
                    ..Seen::new(head, Body::default())
                };
                self.seen(place, seen);
            }
            PieceKind::Passed(bytes, why) => {
                // What was sent before the capture began is nobody's mistake.
                self.counts.broken += u64::from(why != Why::Joined);
                self.item(place, What::Passed(bytes, why));
            }
        }
    }

    fn frame(&mut self, place: Place, head: &FrameHead, bytes: &[u8], cut: Option<usize>) {
        let body = Body::read(head, bytes, &self.limits);
        let around = body.broken.map(|error| Around::new(bytes, error));
        let seen = Seen {
            cut,
            around,
            ..Seen::new(*head, body)
        };
        self.seen(place, seen);
    }

    fn seen(&mut self, place: Place, mut seen: Seen) {
        // In a file both directions are one stream.
        let (connection, to_server) = place.flow.map_or((0, None), |(ends, to_server)| {
            (ends.number, Some(to_server))
        });
        let id = seen.head.id;
        match seen.head.kind {
            FrameKind::Request if seen.head.two_way => {
                let key = (connection, to_server.unwrap_or(true), id);
                self.pairs.asked(key, seen.call(), place.time);
            }
            FrameKind::Response => {
                let key = (connection, to_server.is_none_or(|to_server| !to_server), id);
                seen.asked = self.pairs.answered(key);
            }
            FrameKind::Request => {}
        }
        let is_broken = seen.body.broken.is_some() || seen.cut.is_some() || seen.is_too_long;
        self.counts.frames += 1;
        self.counts.broken += u64::from(is_broken);
        self.counts.unread += u64::from(seen.body.is_unread);
        self.item(place, What::Frame(Box::new(seen)));
    }

    fn item(&mut self, place: Place, what: What) {
        let item = Item { place, what };
        match self.form {
            Form::Text(longest) => text::item(&mut self.out, &item, longest),
            Form::Json => json::item(&mut self.out, &item),
        }
    }
}

impl Seen {
    fn new(head: FrameHead, body: Body) -> Self {
        Self {
            head,
            body,
            cut: None,
            is_too_long: false,
            asked: None,
            around: None,
        }
    }

    /// Nanoseconds between a request and this response.
    pub(crate) fn elapsed(&self, place: &Place) -> Option<Nanos> {
        place.time?.checked_sub(self.asked.as_ref()?.time?)
    }

    /// Where an error of the body is in the frame.
    pub(crate) const fn offset_in_frame(&self, error: Error) -> usize {
        FrameHead::LEN + error.at()
    }

    const fn call(&self) -> Option<&Call> {
        self.body.call.as_ref()
    }
}

/// What a stream speaks instead of Dubbo.
pub(crate) const fn sniffed(sniff: Sniff) -> &'static str {
    match sniff {
        Sniff::Dubbo => "Dubbo",
        Sniff::Http1 => "HTTP/1",
        Sniff::Http2 => "HTTP/2 (Triple, gRPC)",
        Sniff::Tls => "TLS",
        Sniff::Telnet => "text",
        Sniff::NeedMore => "too short to tell",
        _ => "unknown",
    }
}
