//! One HTTP/2 connection, RFC 9113, in either role: bytes in, events and bytes out.
//!
//! This module owns framing, flow control, stream states and what a peer may cost us. It must not
//! know what a request means, nor where bytes come from: there is no socket, clock or task here.
//!
//! ```text
//! chunk ─next()─> Event (Head, Data, Trailers, Reset, GoAway)         headers() holds a Head's fields
//! open(), send_head(), send_data(), reset(), release() ─> out()       the caller takes the bytes
//! ```
//! Memory: of what is received nothing is kept but an unfinished frame that is not DATA, an unfinished
//! header block, and one header list. A stream's window is given back only by
//! [`release`](Connection::release), so a peer can have sent `initial_window` bytes of each stream
//! beyond what was asked for; the connection's own window never runs out. Of what is sent, DATA beyond
//! the peer's windows waits in [`waiting`](Connection::waiting) bytes, which the caller bounds.
//! Streams, buffers and tables are used again: a call allocates nothing once they have grown.

mod block;
mod control;
mod error;
mod flood;
pub(crate) mod frame;
mod message;
mod receive;
mod send;
mod settings;
mod stream;

use crate::hpack::{Decoder, Encoder, HeaderList, ListLimits};

pub use error::{Code, Error};
pub use frame::PREFACE;
pub use settings::PeerSettings;
pub use stream::StreamKey;

use flood::Flood;
use receive::Reading;
use send::Windows;
use stream::Streams;

/// Which end of the connection this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a connection has two ends")]
pub enum Role {
    /// Opens streams.
    Client,
    /// Answers them.
    Server,
}

/// What a peer may send of a stream before it is given more, in bytes.
pub(crate) const INITIAL_WINDOW: u32 = 64 * 1024;

/// What a peer may cost, and what it is told of that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Streams that a client may have open at once. Default 1,024.
    pub streams: u32,
    /// What a peer may send of a stream before [`Connection::release`], in bytes. Default 64 KiB; at
    /// least 65,535, what peers assume before they have read our settings.
    pub initial_window: u32,
    /// What is kept of a header list.
    pub list: ListLimits,
    /// Longest header block with all its CONTINUATION frames, in bytes. Default 128 KiB.
    pub block: usize,
    /// Frames that bring nothing (pings, settings, priorities, empty data, frames of streams that
    /// ended) beyond those that something useful makes up for. Default 4,096.
    pub idle_frames: u32,
    /// Streams that a client cancels, or makes us cancel, beyond those that were answered.
    /// Default 10,000.
    pub resets: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            streams: 1024,
            initial_window: INITIAL_WINDOW,
            list: ListLimits {
                fields: 256,
                size: 64 * 1024,
                string: 64 * 1024,
            },
            block: 128 * 1024,
            idle_frames: 4096,
            resets: 10_000,
        }
    }
}

/// What the peer did. Data is borrowed from the chunk that was given, never from the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event<'c> {
    /// A request or a final response began; its fields are [`Connection::headers`] until the next
    /// call of [`Connection::next`]. Informational responses are passed over.
    Head {
        /// The stream.
        stream: StreamKey,
        /// Nothing comes after it.
        end: bool,
    },
    /// The next bytes of a body; empty only if `end`.
    Data {
        /// The stream.
        stream: StreamKey,
        /// The bytes.
        bytes: &'c [u8],
        /// They are the last.
        end: bool,
    },
    /// The body ended with trailers, which are [`Connection::headers`].
    Trailers {
        /// The stream.
        stream: StreamKey,
    },
    /// The stream is gone: the peer cancelled it, or broke its rules and we did.
    Reset {
        /// The stream.
        stream: StreamKey,
        /// Why.
        code: Code,
    },
    /// The peer will take no new streams. Streams of ours above `last` it has not touched: each is
    /// reported as [`Event::Reset`] with [`Code::REFUSED_STREAM`] after this.
    GoAway {
        /// Highest stream that it may have touched.
        last: u32,
        /// Why.
        code: Code,
    },
}

/// One end of an HTTP/2 connection.
#[derive(Debug)]
pub struct Connection {
    role: Role,
    limits: Limits,
    out: Vec<u8>,
    failed: Option<Error>,
    reading: Reading,
    flood: Flood,
    streams: Streams,
    decoder: Decoder,
    headers: HeaderList,
    encoder: Encoder,
    peer: PeerSettings,
    windows: Windows,
    /// Of streams that the peer opened: the highest that was seen.
    last_received: u32,
    /// Of streams that we open: the next.
    next_id: u32,
    /// The peer's GOAWAY.
    peer_goes: Option<u32>,
    /// Streams that the peer's GOAWAY refused and that are not yet reported.
    refused: Vec<StreamKey>,
    /// Streams of the peer above this are not answered: our own last GOAWAY.
    we_go: Option<u32>,
}

impl Connection {
    /// A connection that nothing was read from yet; its preface and settings are in
    /// [`out`](Self::out).
    pub fn new(role: Role, limits: Limits) -> Self {
        let limits = Limits {
            initial_window: limits.initial_window.clamp(65_535, 1 << 30),
            ..limits
        };
        let mut connection = Self {
            role,
            limits,
            out: Vec::new(),
            failed: None,
            reading: Reading::new(role),
            flood: Flood::default(),
            streams: Streams::default(),
            decoder: Decoder::new(),
            headers: HeaderList::new(),
            encoder: Encoder::new(),
            peer: PeerSettings::default(),
            windows: Windows::default(),
            last_received: 0,
            next_id: 1,
            peer_goes: None,
            refused: Vec::new(),
            we_go: None,
        };
        connection.send_preface();
        connection
    }

    /// The fields of the last [`Event::Head`] or [`Event::Trailers`].
    pub const fn headers(&self) -> &HeaderList {
        &self.headers
    }

    /// What is to be sent to the peer. Whoever sends it clears it.
    pub const fn out(&mut self) -> &mut Vec<u8> {
        &mut self.out
    }

    /// Why the connection failed. It says so to the peer in [`out`](Self::out), takes no input any
    /// more and gives no events.
    pub const fn failed(&self) -> Option<Error> {
        self.failed
    }

    /// What the peer's settings say.
    pub const fn peer(&self) -> &PeerSettings {
        &self.peer
    }

    /// Streams that have not ended.
    pub const fn active(&self) -> usize {
        self.streams.active()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_end() {
        let mut client = Connection::new(Role::Client, Limits::default());
        let settings = [0, 0, 0, 4, 0, 0, 0, 0, 0];
        assert_eq!(client.next(&mut &settings[..]), Ok(None));
        assert_eq!(client.ids_left(), 1 << 30);
        client.skip_to(0x7fff_fffd);
        assert_eq!((client.ids_left(), client.is_closing()), (2, false));
        let opened = [(); 3].map(|()| client.open(&HeaderList::new(), true).map(StreamKey::id));
        assert_eq!(opened, [Some(0x7fff_fffd), Some(0x7fff_ffff), None]);
        assert_eq!((client.ids_left(), client.is_closing()), (0, true));
    }
}
