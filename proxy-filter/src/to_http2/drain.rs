//! Sending the application elsewhere before the connection closes.
//!
//! ```text
//! goodbye of Envoy, or stream ids that end ─> readonly event ─ drain_ms ─> nobody waits ─> close
//! ```
//! A Java provider does the same when it stops: the event, ten seconds, the end.

use dubbo_codec::{FrameHead, FrameKind, Serialization, Status};

use super::DubboToHttp2;
use crate::metrics::Counter;
use crate::translate::Millis;

/// How far the drain is.
#[derive(Debug, Default)]
pub(super) enum Drain {
    #[default]
    None,
    /// The application was told; the connection may close from then on.
    Until(Millis),
    /// It may close as soon as nobody waits.
    Over,
}

impl Drain {
    pub(super) const fn deadline(&self) -> Option<Millis> {
        match self {
            Self::Until(at) => Some(*at),
            Self::None | Self::Over => None,
        }
    }
}

impl DubboToHttp2 {
    pub(super) fn begin_drain(&mut self) {
        if !matches!(self.drain, Drain::None) {
            return;
        }
        self.count(Counter::Drains);
        self.drain = Drain::Until(self.now + Millis::from(self.config.drain_ms));
        let event = read_only(self.serialization);
        self.to_dubbo.extend_from_slice(&event);
    }

    /// The time since the event is over and nobody waits.
    pub(super) fn is_drained(&mut self) -> bool {
        if self.drain.deadline().is_some_and(|at| at <= self.now) {
            self.drain = Drain::Over;
        }
        matches!(self.drain, Drain::Over) && self.flights.len() == 0 && self.queue.is_empty()
    }
}

/// The event "call me no more" as Java providers send it: one way, the string `R`.
fn read_only(serialization: Serialization) -> Vec<u8> {
    let (serialization, body) = match serialization {
        Serialization::FASTJSON2 => (serialization, &b"\0\0\0\x02\x4aR"[..]),
        _ => (Serialization::HESSIAN2, &b"\x01R"[..]),
    };
    let head = FrameHead {
        kind: FrameKind::Request,
        two_way: false,
        event: true,
        serialization,
        status: Status(0),
        id: 0,
        body_len: body.len() as u32,
    };
    [&head.to_bytes(), body].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recorded;

    /// As Java sends them, but for the id.
    #[test]
    fn the_event_is_that_of_java() {
        let sent = recorded::all()
            .iter()
            .filter(|r| r.case == "shutdown" && !r.by_consumer);
        let mut checked = 0;
        for recorded in sent {
            let head = FrameHead::parse(&recorded.bytes).unwrap().unwrap();
            if head.event {
                let mut bytes = recorded.bytes.clone();
                dubbo_codec::set_request_id(&mut bytes, 0);
                assert_eq!(read_only(head.serialization), bytes, "{}", recorded.version);
                checked += 1;
            }
        }
        assert!(checked >= 5, "{checked}");
    }
}
