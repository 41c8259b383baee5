//! Dubbo2 frames: the 16-byte head.
//!
//! This file owns the head's layout (Dubbo's `ExchangeCodec`) and must not know what a body means. The
//! picture is at [`FrameHead`].

use crate::error::{Error, ErrorKind, Limit, Limits, What};
use crate::serialization::Serialization;
use crate::status::Status;

const MAGIC: [u8; 2] = [0xda, 0xbb];
const FLAG_REQUEST: u8 = 0x80;
const FLAG_TWO_WAY: u8 = 0x40;
const FLAG_EVENT: u8 = 0x20;

/// The head of a frame: everything that the first 16 bytes say.
///
/// ```text
///  0     2      3       4            12          16
///  da bb flags  status  request id   body length  body ...
///        80 request  40 two-way  20 event  1f serialization
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHead {
    /// Request or response.
    pub kind: FrameKind,
    /// The sender of a request waits for a response. A Java response never has the bit.
    pub two_way: bool,
    /// Heartbeat, readonly or writable notice; [`Event`](crate::Event) tells them apart.
    pub event: bool,
    /// How the body is written.
    pub serialization: Serialization,
    /// Outcome, in a response; 0 in a request.
    pub status: Status,
    /// Number that a response repeats. Unique among the unanswered requests of one direction of one
    /// connection only; from 0 in Dubbo 2, random and often negative in Dubbo 3.
    pub id: i64,
    /// Length of the body in bytes; never above `i32::MAX`.
    pub body_len: u32,
}

/// Request or response. Both flow in both directions of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "it is one bit")]
pub enum FrameKind {
    /// A request, one-way call or event.
    Request,
    /// The answer to a two-way request.
    Response,
}

impl FrameHead {
    /// Length of a head in bytes.
    pub const LEN: usize = 16;

    /// Reads the head of the frame that `bytes` begins with; `None` asks for more bytes.
    ///
    /// Fails on the first byte that is not the magic, however few bytes there are, and on a
    /// negative length. Says nothing about [`Limits::max_body`]; that is [`check`](Self::check).
    #[inline]
    pub fn parse(bytes: &[u8]) -> Result<Option<Self>, Error> {
        let Some(head) = bytes.first_chunk::<16>() else {
            return Self::parse_short(bytes);
        };
        let [m0, m1, flags, status, id @ .., l0, l1, l2, l3] = *head;
        if [m0, m1] != MAGIC {
            return Err(not_dubbo(bytes));
        }
        let Ok(body_len) = u32::try_from(i32::from_be_bytes([l0, l1, l2, l3])) else {
            return Err(Error::new(12, What::Length, ErrorKind::NegativeLength));
        };
        Ok(Some(Self {
            kind: if flags & FLAG_REQUEST == 0 {
                FrameKind::Response
            } else {
                FrameKind::Request
            },
            two_way: flags & FLAG_TWO_WAY != 0,
            event: flags & FLAG_EVENT != 0,
            serialization: Serialization::new(flags),
            status: Status(status),
            id: i64::from_be_bytes(id),
            body_len,
        }))
    }

    #[cold]
    fn parse_short(bytes: &[u8]) -> Result<Option<Self>, Error> {
        let seen = bytes.len().min(MAGIC.len());
        if bytes[..seen] == MAGIC[..seen] {
            Ok(None)
        } else {
            Err(not_dubbo(bytes))
        }
    }

    /// Refuses a body longer than [`Limits::max_body`].
    #[inline]
    pub const fn check(&self, limits: &Limits) -> Result<(), Error> {
        if self.body_len > limits.max_body {
            return Err(Error::new(12, What::Length, ErrorKind::Limit(Limit::Body)));
        }
        Ok(())
    }

    /// Length of the whole frame in bytes.
    pub const fn frame_len(&self) -> usize {
        Self::LEN + self.body_len as usize
    }

    /// The 16 bytes of this head. A length above `i32::MAX` is cut to it.
    pub fn to_bytes(&self) -> [u8; 16] {
        let mut flags = self.serialization.id();
        if self.kind == FrameKind::Request {
            flags |= FLAG_REQUEST;
        }
        if self.two_way {
            flags |= FLAG_TWO_WAY;
        }
        if self.event {
            flags |= FLAG_EVENT;
        }
        let mut bytes = [0; 16];
        bytes[..2].copy_from_slice(&MAGIC);
        bytes[2] = flags;
        bytes[3] = self.status.0;
        bytes[4..12].copy_from_slice(&self.id.to_be_bytes());
        bytes[12..].copy_from_slice(&self.body_len.min(i32::MAX as u32).to_be_bytes());
        bytes
    }

    /// The head of the answer to this request: its id, serialization and event bit.
    ///
    /// Java consumers refuse a good response whose serialization is not the request's
    /// (`DubboCodec.decodeBody`), so what a proxy answers must carry it.
    pub const fn reply(&self, status: Status, body_len: u32) -> Self {
        Self {
            kind: FrameKind::Response,
            two_way: false,
            status,
            body_len,
            ..*self
        }
    }
}

/// Writes `id` into the head of the frame that `frame` begins with; nothing else changes.
/// Returns the id that was there, or `None` (and changes nothing) if this is no head.
pub fn set_request_id(frame: &mut [u8], id: i64) -> Option<i64> {
    let head = frame.first_chunk_mut::<16>()?;
    if head[..2] != MAGIC {
        return None;
    }
    let place = head[4..].first_chunk_mut::<8>()?;
    Some(i64::from_be_bytes(core::mem::replace(
        place,
        id.to_be_bytes(),
    )))
}

#[cold]
fn not_dubbo(bytes: &[u8]) -> Error {
    let at = usize::from(bytes.first() == Some(&MAGIC[0]));
    Error::new(at, What::Magic, ErrorKind::NotDubbo)
}

/// A whole frame, borrowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    pub(crate) head: FrameHead,
    pub(crate) bytes: &'a [u8],
}

impl<'a> Frame<'a> {
    /// The frame that `bytes` begins with; `None` asks for more bytes. Bytes after it are ignored.
    /// Fails as [`FrameHead::parse`] and [`FrameHead::check`] do.
    pub fn parse(bytes: &'a [u8], limits: &Limits) -> Result<Option<Self>, Error> {
        let Some(head) = FrameHead::parse(bytes)? else {
            return Ok(None);
        };
        head.check(limits)?;
        Ok(bytes
            .get(..head.frame_len())
            .map(|bytes| Self { head, bytes }))
    }

    /// The head.
    pub const fn head(&self) -> &FrameHead {
        &self.head
    }

    /// Head and body as they are on the wire.
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The body.
    pub fn body(&self) -> &'a [u8] {
        self.bytes.get(FrameHead::LEN..).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Heads that Dubbo 2.6.12 to 3.3.6 sent, without their bodies.
    #[test]
    fn heads() {
        let heartbeat = b"\xda\xbb\xe2\0\0\0\0\0\0\0\0\x07\0\0\0\x01N";
        let head = FrameHead::parse(heartbeat).unwrap().unwrap();
        let expected = FrameHead {
            kind: FrameKind::Request,
            two_way: true,
            event: true,
            serialization: Serialization::HESSIAN2,
            status: Status(0),
            id: 7,
            body_len: 1,
        };
        assert_eq!(head, expected);
        assert_eq!(head.to_bytes(), heartbeat[..16]);
        assert_eq!(
            head.reply(Status::OK, 1).to_bytes(),
            *b"\xda\xbb\x22\x14\0\0\0\0\0\0\0\x07\0\0\0\x01"
        );
        let refused = b"\xda\xbb\x17\x28\xff\xff\xff\xff\xff\xff\xff\xfe\0\0\x01\0";
        let head = FrameHead::parse(refused).unwrap().unwrap();
        let expected = FrameHead {
            kind: FrameKind::Response,
            two_way: false,
            event: false,
            serialization: Serialization::FASTJSON2,
            status: Status::BAD_REQUEST,
            id: -2,
            body_len: 256,
        };
        assert_eq!(head, expected);
        assert_eq!(head.to_bytes(), *refused);
    }

    #[test]
    fn a_head_is_incomplete_or_wrong_at_the_first_byte() {
        let whole = b"\xda\xbb\xc2\0\0\0\0\0\0\0\0\x07\x80\0\0\0";
        for n in 0..16 {
            assert_eq!(FrameHead::parse(&whole[..n]), Ok(None), "{n}");
        }
        let negative = Error::new(12, What::Length, ErrorKind::NegativeLength);
        assert_eq!(FrameHead::parse(whole), Err(negative));
        let wrong = |at| Err(Error::new(at, What::Magic, ErrorKind::NotDubbo));
        assert_eq!(FrameHead::parse(b"G"), wrong(0));
        assert_eq!(FrameHead::parse(b"\xda\xba"), wrong(1));
        assert_eq!(FrameHead::parse(b"GET / HTTP/1.1\r\n\r\n"), wrong(0));
    }

    #[test]
    fn the_request_id_alone_changes() {
        let mut frame = *b"\xda\xbb\xc2\0\0\0\0\0\0\0\0\x07\0\0\0\x01N";
        assert_eq!(set_request_id(&mut frame, -2), Some(7));
        assert_eq!(
            &frame,
            b"\xda\xbb\xc2\0\xff\xff\xff\xff\xff\xff\xff\xfe\0\0\0\x01N"
        );
        let mut not_dubbo = *b"GET / HTTP/1.1\r\n\r\n";
        assert_eq!(set_request_id(&mut not_dubbo, 1), None);
        assert_eq!(&not_dubbo, b"GET / HTTP/1.1\r\n\r\n");
        assert_eq!(set_request_id(&mut frame[..15], 1), None);
    }
}
