//! Events: frames that are no calls.
//!
//! Source: `ExchangeCodec.decodeEventData`, `HeaderExchangeHandler`. A heartbeat is null, and whoever
//! gets a two-way one answers it. `R` and `W` come from a provider that is about to close, or no
//! longer is; they want no answer and must reach the consumer.

use crate::body::{BodyReader, Format};
use crate::error::{Error, ErrorKind, Limits, What};
use crate::frame::FrameHead;
use crate::serialization::Serialization;
use crate::text::Text;

/// What an event frame says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event<'a> {
    /// The connection is alive, or, in a response: so is this end.
    Heartbeat,
    /// The provider will close soon: call it no more.
    ReadOnly,
    /// The provider can be called again (3.2 and later).
    Writable,
    /// Something else, which Java ignores.
    Other(Text<'a>),
}

impl<'a> Event<'a> {
    /// Longest body of an event that Java reads: its property `deserialization.event.size`.
    pub const MAX_BODY: usize = 15;

    /// Reads the body of a frame whose head has the event bit, request or response.
    /// Fails on a body longer than [`MAX_BODY`](Self::MAX_BODY), and with [`ErrorKind::Unsupported`]
    /// for a serialization that this crate does not read.
    pub fn parse(head: &FrameHead, body: &'a [u8]) -> Result<Self, Error> {
        if body.len() > Self::MAX_BODY {
            return Err(Error::new(
                Self::MAX_BODY,
                What::Event,
                ErrorKind::BadLength,
            ));
        }
        // Protobuf cannot say null: 2.7.23 writes nothing at all, others the letter.
        let has_no_null = matches!(
            head.serialization,
            Serialization::PROTOBUF | Serialization::PROTOBUF_JSON
        );
        if has_no_null && body.is_empty() {
            return Ok(Self::Heartbeat);
        }
        let limits = Limits::default();
        let mut reader = BodyReader::new(Format::of(head.serialization, body)?, body, &limits);
        Ok(match reader.optional_string(What::Event)? {
            None => Self::Heartbeat,
            Some(text) if has_no_null && text == "H" => Self::Heartbeat,
            Some(text) if text == "R" => Self::ReadOnly,
            Some(text) if text == "W" => Self::Writable,
            Some(text) => Self::Other(text),
        })
    }
}
