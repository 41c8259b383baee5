//! Settings, RFC 9113 section 6.5.

use super::error::{Code, Error};
use super::frame::{MAX_31, MAX_PAYLOAD};
use super::{Limits, Role};

const HEADER_TABLE_SIZE: u16 = 1;
const ENABLE_PUSH: u16 = 2;
const MAX_CONCURRENT_STREAMS: u16 = 3;
const INITIAL_WINDOW_SIZE: u16 = 4;
const MAX_FRAME_SIZE: u16 = 5;
const MAX_HEADER_LIST_SIZE: u16 = 6;

/// What the peer said that it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PeerSettings {
    /// The first settings have come; before that everything has its default.
    pub known: bool,
    /// Size of the table of its header decoder, in bytes.
    pub header_table: u32,
    /// Streams that we may have open at once. One before the settings are known: what is above the
    /// peer's limit it refuses.
    pub streams: u32,
    /// Window that streams begin with, in bytes.
    pub initial_window: u32,
    /// Longest payload of a frame, in bytes.
    pub frame: u32,
    /// Largest header list, where it says one: text, and 32 bytes a field.
    pub header_list: u32,
}

impl Default for PeerSettings {
    fn default() -> Self {
        Self {
            known: false,
            header_table: 4096,
            streams: 1,
            initial_window: 65_535,
            frame: MAX_PAYLOAD as u32,
            header_list: u32::MAX,
        }
    }
}

impl PeerSettings {
    /// These settings after a SETTINGS frame with this payload. Unknown ones are ignored.
    pub(super) fn after(mut self, payload: &[u8], role: Role) -> Result<Self, Error> {
        let (settings, []) = payload.as_chunks::<6>() else {
            return Err(Error::new(
                Code::FRAME_SIZE_ERROR,
                "settings of a length that is not a multiple of 6",
            ));
        };
        if !self.known {
            self.known = true;
            self.streams = u32::MAX;
        }
        for [i0, i1, value @ ..] in settings {
            self.set(
                u16::from_be_bytes([*i0, *i1]),
                u32::from_be_bytes(*value),
                role,
            )?;
        }
        Ok(self)
    }

    const fn set(&mut self, id: u16, value: u32, role: Role) -> Result<(), Error> {
        match id {
            HEADER_TABLE_SIZE => self.header_table = value,
            ENABLE_PUSH if value > 1 || (value == 1 && matches!(role, Role::Client)) => {
                return Err(Error::protocol("a value that ENABLE_PUSH cannot have"));
            }
            MAX_CONCURRENT_STREAMS => self.streams = value,
            INITIAL_WINDOW_SIZE if value > MAX_31 => {
                return Err(Error::new(
                    Code::FLOW_CONTROL_ERROR,
                    "an initial window above 2^31-1",
                ));
            }
            INITIAL_WINDOW_SIZE => self.initial_window = value,
            MAX_FRAME_SIZE if value < MAX_PAYLOAD as u32 || value > 0xff_ffff => {
                return Err(Error::protocol("a value that MAX_FRAME_SIZE cannot have"));
            }
            MAX_FRAME_SIZE => self.frame = value,
            MAX_HEADER_LIST_SIZE => self.header_list = value,
            _ => {}
        }
        Ok(())
    }
}

/// The payload of our own SETTINGS.
pub(super) fn ours(role: Role, limits: &Limits) -> Vec<u8> {
    let first = match role {
        Role::Client => (ENABLE_PUSH, 0),
        Role::Server => (MAX_CONCURRENT_STREAMS, limits.streams),
    };
    let list = u32::try_from(limits.list.size).unwrap_or(u32::MAX);
    [
        first,
        (INITIAL_WINDOW_SIZE, limits.initial_window),
        (MAX_HEADER_LIST_SIZE, list),
    ]
    .into_iter()
    .flat_map(|(id, value)| {
        let ([i0, i1], [v0, v1, v2, v3]) = (id.to_be_bytes(), value.to_be_bytes());
        [i0, i1, v0, v1, v2, v3]
    })
    .collect()
}
