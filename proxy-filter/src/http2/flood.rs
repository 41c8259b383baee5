//! What a peer costs without being of use. Two counts that use makes up for; above a limit the
//! connection ends with ENHANCE_YOUR_CALM (RFC 9113, 10.5).

use super::Limits;
use super::error::{Code, Error};

/// How many frames that bring nothing one useful frame makes up for.
const FORGIVEN: u32 = 64;

#[derive(Debug, Default)]
pub(super) struct Flood {
    idle: u32,
    resets: u32,
}

impl Flood {
    /// A frame brought nothing.
    pub(super) const fn idle(&mut self, limits: &Limits) -> Result<(), Error> {
        self.idle += 1;
        if self.idle > limits.idle_frames {
            return Err(Error::new(
                Code::ENHANCE_YOUR_CALM,
                "too many frames that bring nothing",
            ));
        }
        Ok(())
    }

    /// A frame brought something.
    pub(super) const fn useful(&mut self) {
        self.idle = self.idle.saturating_sub(FORGIVEN);
    }

    /// A stream was opened and cancelled before its answer, by the peer or because of it.
    pub(super) const fn reset(&mut self, limits: &Limits) -> Result<(), Error> {
        self.resets += 1;
        if self.resets > limits.resets {
            return Err(Error::new(
                Code::ENHANCE_YOUR_CALM,
                "too many cancelled streams",
            ));
        }
        Ok(())
    }

    /// A stream was answered to its end.
    pub(super) const fn answered(&mut self) {
        self.resets = self.resets.saturating_sub(1);
    }
}
