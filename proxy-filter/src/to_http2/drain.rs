//! Sending the application elsewhere before the connection closes.
//!
//! ```text
//! goodbye of Envoy, or stream ids that end ─> readonly event ─ drain_ms ─> nobody waits, and silence ─> close
//! ```
//! A connection that closes right behind an answer crosses the next call of a caller that makes one after
//! the other: the SDK writes it into a connection that has just gone. So it closes in a pause.
//!
//! A Java provider does the same when it stops: the event, ten seconds, the end. In a caller's sidecar
//! it is not a provider that goes but the sidecar's listener, for all providers at once. The event
//! would leave Dubbo 3 without any ("no provider available", until each has connected anew); a close
//! without it is mended in the next call. So there is none, or one on each connection in its turn, and
//! connections close one after another, as far apart as they can: an SDK that has just lost one has others
//! until it has connected anew.
//!
//! ```text
//! goodbyes   1st              4th       3rd       5th                 2nd
//! closes     0 ─────────────────────── drain_ms / 2 ──────────────── drain_ms
//! ```

use std::sync::atomic::{AtomicU32, Ordering};

use dubbo_codec::{FrameHead, FrameKind, Serialization, Status};

use super::DubboToHttp2;
use crate::config::ReadonlyEvent;
use crate::metrics::Counter;
use crate::translate::Millis;

/// How long nothing comes or goes before a connection closes, and how long that is waited for, once it may
/// close: some callers never pause.
const PAUSE: (Millis, Millis) = (25, 500);
/// The same of one that the application was told of just before: it calls there no more if it can.
const PAUSE_OF_TOLD: (Millis, Millis) = (1000, 3000);

/// How far the drain is.
#[derive(Debug, Default)]
pub(super) enum Drain {
    #[default]
    None,
    /// The application was told; the connection may close from then on.
    Until(Millis),
    /// It may close, since then, in a pause.
    Over(Millis),
}

impl DubboToHttp2 {
    /// When [`is_drained`](Self::is_drained) may have become true.
    pub(super) fn drain_deadline(&self) -> Option<Millis> {
        match self.drain {
            Drain::Until(at) => Some(at),
            // Whoever waits is answered first.
            Drain::Over(since) if self.nobody_waits() => {
                let (silence, patience) = match self.config.readonly_event {
                    ReadonlyEvent::InTurn => PAUSE_OF_TOLD,
                    ReadonlyEvent::Never | ReadonlyEvent::AtOnce => PAUSE,
                };
                Some((self.heard.max(since) + silence).min(since + patience))
            }
            Drain::None | Drain::Over(_) => None,
        }
    }

    /// Envoy closes this connection before long.
    pub(super) fn goodbye(&mut self) {
        self.begin_drain(self.config.readonly_event == ReadonlyEvent::AtOnce);
    }

    /// This connection closes, with or without the event before.
    pub(super) fn begin_drain(&mut self, event: bool) {
        if !matches!(self.drain, Drain::None) {
            return;
        }
        self.count(Counter::Drains);
        let most = Millis::from(self.config.drain_ms);
        if event {
            self.tell_read_only();
        }
        let wait = if event { most } else { self.turns.next(most) };
        self.drain = Drain::Until(self.now.saturating_add(wait));
    }

    fn tell_read_only(&mut self) {
        let event = read_only(self.serialization);
        self.to_dubbo.extend_from_slice(&event);
    }

    /// The time since the event is over, nobody waits, and nothing comes or goes.
    pub(super) fn is_drained(&mut self) -> bool {
        if let Drain::Until(at) = self.drain
            && at <= self.now
        {
            self.drain = Drain::Over(self.now);
            if self.config.readonly_event == ReadonlyEvent::InTurn {
                self.tell_read_only();
            }
        }
        let is_up = |at| at <= self.now;
        matches!(self.drain, Drain::Over(_)) && self.drain_deadline().is_some_and(is_up)
    }

    fn nobody_waits(&self) -> bool {
        self.flights.len() == 0 && self.queue.is_empty()
    }
}

/// Which of the connections that drain together closes when: they ask one after another.
#[derive(Debug, Default)]
pub struct Turns(AtomicU32);

impl Turns {
    /// When the next one closes, of `most`: the first at once, the second at the end, and each further one
    /// in the middle of the longest wait that is left.
    fn next(&self, most: Millis) -> Millis {
        match self.0.fetch_add(1, Ordering::Relaxed) {
            0 => 0,
            1 => most,
            n => (most * Millis::from((n - 1).reverse_bits())) >> 32,
        }
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
    use std::sync::Arc;

    use super::*;
    use crate::config::Config;
    use crate::recorded;

    /// Long before the last stream id, the application is told; its calls still go.
    #[test]
    fn ids_that_end_drain() {
        let mut half = DubboToHttp2::new(Arc::new(Config::default()), 5);
        half.from_http2(&[0, 0, 0, 4, 0, 0, 0, 0, 0]);
        half.http2
            .skip_to(0x7fff_ffff - 2 * super::super::LAST_STREAMS);
        let call = recorded::request("3.3.6", "hello");
        half.from_dubbo(&call);
        assert_eq!((half.to_dubbo().len(), half.drain_deadline()), (0, None));
        half.from_dubbo(&with_id(&call, 1));
        assert_eq!(*half.to_dubbo(), read_only(Serialization::HESSIAN2));
        assert_eq!(half.drain_deadline(), Some(4_005));
        half.from_dubbo(&with_id(&call, 2));
        assert_eq!((half.flights.len(), half.closing()), (3, None));
    }

    #[test]
    fn who_drains_later_is_far_from_who_drained_before() {
        let turns = Turns::default();
        let waits: Vec<Millis> = (0..9).map(|_| turns.next(4000)).collect();
        assert_eq!(waits, [0, 4000, 2000, 1000, 3000, 500, 2500, 1500, 3500]);
        assert_eq!(Turns(AtomicU32::new(7)).next(u32::MAX.into()), 0x5fff_ffff);
    }

    /// A caller that makes one call after the other is not cut behind an answer, unless it never pauses.
    #[test]
    fn it_closes_in_a_pause() {
        let quiet = |heard: &[Millis]| {
            let mut half = DubboToHttp2::new(Arc::new(Config::default()), 0);
            half.begin_drain(false);
            let mut closed = None;
            for now in 0..1000 {
                half.at(now);
                if half.closing().is_some() {
                    closed = Some(now);
                    break;
                }
                if heard.contains(&now) {
                    half.from_http2(&[0, 0, 0, 4, 0, 0, 0, 0, 0]);
                }
            }
            closed
        };
        let (silence, patience) = PAUSE;
        assert_eq!(quiet(&[]), Some(silence));
        assert_eq!(quiet(&[20, 40]), Some(40 + silence));
        assert_eq!(quiet(&(0..1000).collect::<Vec<_>>()), Some(patience));
    }

    /// Each at its time, and not when the other is: a second before it closes.
    #[test]
    fn connections_can_be_told_one_after_another() {
        let config = Config::parse(br#"{"readonly_event": "in_turn"}"#).unwrap();
        let config = Arc::new(config);
        let turns = Arc::new(Turns::default());
        let half = || DubboToHttp2::new(Arc::clone(&config), 0).in_turn(Arc::clone(&turns));
        let mut both = [half(), half()];
        both.iter_mut().for_each(DubboToHttp2::drain);
        let mut seen = Vec::new();
        for now in 0..6000 {
            for (n, half) in both.iter_mut().enumerate() {
                half.at(now);
                if !std::mem::take(half.to_dubbo()).is_empty() {
                    seen.push((now, n, "told"));
                }
                if half.closing().is_some()
                    && !seen
                        .iter()
                        .any(|(_, of, what)| (*of, *what) == (n, "closed"))
                {
                    seen.push((now, n, "closed"));
                }
            }
        }
        assert_eq!(
            seen,
            [
                (0, 0, "told"),
                (1000, 0, "closed"),
                (4000, 1, "told"),
                (5000, 1, "closed")
            ]
        );
    }

    fn with_id(call: &[u8], id: i64) -> Vec<u8> {
        let mut call = call.to_vec();
        dubbo_codec::set_request_id(&mut call, id);
        call
    }

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
