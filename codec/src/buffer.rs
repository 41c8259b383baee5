//! Frames that own their bytes, split off a buffer without copying: feature `bytes`.
//!
//! ```text
//! BytesMut   frame frame fra..          what a connection has read
//! split      FrameBytes  FrameBytes     shares the buffer's memory; the rest stays
//! ```
//! For tasks that pass frames on to each other. Who looks at a frame and is done with it borrows it
//! instead, from an [`Assembler`](crate::Assembler).

use bytes::{Bytes, BytesMut};

use crate::error::{Error, Limits};
use crate::frame::{Frame, FrameHead};

/// A whole frame whose bytes are shared, so that it is cheap to clone and to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FrameBytes {
    head: FrameHead,
    bytes: Bytes,
}

impl FrameBytes {
    /// Splits off the frame that `buffer` begins with; `None` asks for more bytes, and then, as on
    /// an error, nothing has changed.
    ///
    /// Fails as [`FrameHead::parse`] and [`FrameHead::check`] do. Memory for a body that was only
    /// announced is not reserved: that is for the caller, who knows how much there is for a peer.
    pub fn split(buffer: &mut BytesMut, limits: &Limits) -> Result<Option<Self>, Error> {
        let Some(head) = Frame::parse(buffer, limits)?.map(|frame| *frame.head()) else {
            return Ok(None);
        };
        let bytes = buffer.split_to(head.frame_len()).freeze();
        Ok(Some(Self { head, bytes }))
    }

    /// The head.
    pub const fn head(&self) -> &FrameHead {
        &self.head
    }

    /// Head and body as they are on the wire.
    pub const fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The body.
    pub fn body(&self) -> Bytes {
        self.bytes.slice(FrameHead::LEN..)
    }

    /// A part of this frame that was borrowed from it, as one that owns its bytes. `None` if `part`
    /// is no part of it.
    pub fn share(&self, part: &[u8]) -> Option<Bytes> {
        let start = (part.as_ptr() as usize).checked_sub(self.bytes.as_ptr() as usize)?;
        let end = start.checked_add(part.len())?;
        (end <= self.bytes.len()).then(|| self.bytes.slice(start..end))
    }

    /// The same frame, borrowed.
    pub fn as_frame(&self) -> Frame<'_> {
        Frame {
            head: self.head,
            bytes: &self.bytes,
        }
    }
}

impl From<FrameBytes> for Bytes {
    fn from(frame: FrameBytes) -> Self {
        frame.bytes
    }
}
