//! Asking a silent provider whether it is there, as Java consumers do: after a while without a byte
//! from it, and giving up when nothing came for twice as long again.

use dubbo_codec::{FrameHead, FrameKind, Serialization, Status};

use crate::translate::Millis;

#[derive(Debug)]
pub(super) struct Heartbeat {
    /// Silence after which it is asked; 0: never.
    every: Millis,
    heard: Millis,
    asked: Option<Millis>,
    asked_so_far: i64,
}

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    Wait,
    Ask(Vec<u8>),
    GiveUp,
}

impl Heartbeat {
    pub(super) fn new(every: u32, now: Millis) -> Self {
        Self {
            every: every.into(),
            heard: now,
            asked: None,
            asked_so_far: 0,
        }
    }

    /// Something came.
    pub(super) const fn heard(&mut self, now: Millis) {
        self.heard = now;
        self.asked = None;
    }

    pub(super) fn deadline(&self) -> Option<Millis> {
        let wait = match self.asked {
            None => self.heard.saturating_add(self.every),
            Some(asked) => asked.saturating_add(2 * self.every),
        };
        (self.every > 0).then_some(wait)
    }

    pub(super) fn at(&mut self, now: Millis) -> Step {
        if self.deadline().is_none_or(|deadline| now < deadline) {
            return Step::Wait;
        }
        if self.asked.is_some() {
            return Step::GiveUp;
        }
        self.asked = Some(now);
        self.asked_so_far += 1;
        let head = FrameHead {
            kind: FrameKind::Request,
            two_way: true,
            event: true,
            serialization: Serialization::HESSIAN2,
            status: Status(0),
            // Ids of calls are above 0.
            id: -self.asked_so_far,
            body_len: 1,
        };
        Step::Ask([&head.to_bytes()[..], b"N"].concat())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_asked_about_and_then_given_up() {
        let mut heartbeat = Heartbeat::new(60, 1000);
        assert_eq!(heartbeat.at(1059), Step::Wait);
        let first = b"\xda\xbb\xe2\0\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\x01N";
        assert_eq!(heartbeat.at(1060), Step::Ask(first.to_vec()));
        assert_eq!(heartbeat.deadline(), Some(1180));
        heartbeat.heard(1100);
        assert_eq!(heartbeat.at(1159), Step::Wait);
        assert!(matches!(heartbeat.at(5000), Step::Ask(_)));
        assert_eq!(heartbeat.at(5119), Step::Wait);
        assert_eq!(heartbeat.at(5120), Step::GiveUp);
        assert_eq!(Heartbeat::new(0, 0).at(Millis::MAX), Step::Wait);
    }
}
