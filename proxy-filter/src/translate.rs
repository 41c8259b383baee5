//! What both translators share: frames out of a stream of bytes, credit for long bodies, and how a
//! connection ends.

use std::fmt;

use crate::header::HeaderSink;
use crate::hpack::HeaderList;
use crate::http2;

mod credit;
mod intake;
mod unfinished;

pub(crate) use credit::{Credit, STALLED};
pub(crate) use intake::{Intake, Taken};
pub(crate) use unfinished::Unfinished;

/// Milliseconds of a clock that never goes back; its zero is whatever the caller likes.
pub type Millis = u64;

/// Capacity that an empty buffer may keep, in bytes.
pub(crate) const KEPT: usize = 64 * 1024;
/// The same where each call has a buffer, or what it holds is a header block: a connection has many of
/// them, and few are long.
pub(crate) const KEPT_OF_CALL: usize = 4 * 1024;

/// Why a connection is to be closed. What is still to be written is to be written first.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Close {
    /// The peer was told to go elsewhere, and every call is answered.
    Drained,
    /// The other side is gone, and every call has been told.
    Gone,
    /// The bytes from the Dubbo side are not Dubbo, or no longer.
    NotDubbo(dubbo_codec::Error),
    /// Envoy's side broke the rules of HTTP/2, or costs too much.
    NotHttp2(http2::Error),
    /// The provider has been silent for too long.
    Silent,
    /// Half a frame came, and then nothing for too long.
    HalfFrame,
}

impl fmt::Display for Close {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Drained => f.write_str("drained"),
            Self::Gone => f.write_str("the other side is gone"),
            Self::NotDubbo(error) => write!(f, "no Dubbo: {error}"),
            Self::NotHttp2(error) => error.fmt(f),
            Self::Silent => f.write_str("the provider is silent"),
            Self::HalfFrame => f.write_str("the rest of a frame does not come"),
        }
    }
}

impl HeaderSink for HeaderList {
    fn header(&mut self, name: &[u8], value: &[u8]) {
        self.push(name, value);
    }
}
