//! Requests that wait for their response, by id.
//!
//! Both ends of a connection number their own requests, so a request is known by its connection,
//! its direction and its id. The oldest are forgotten when too many wait: one-way calls that claim
//! to be answered, responses that were not captured.

use std::collections::{HashMap, VecDeque};

use crate::decode::body::Call;
use crate::decode::capture::Nanos;

/// A request, as its response will name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    /// What was called, of a request that could be read: interface, group and version, and the
    /// method in the end.
    pub(crate) call: Option<Call>,
    pub(crate) time: Option<Nanos>,
}

/// Which request: connection, whether it was sent to the server, id.
pub(crate) type Key = (u64, bool, i64);

/// Longest name that is remembered, in characters.
const LONGEST: usize = 256;

#[derive(Debug)]
pub(crate) struct Pairs {
    most: usize,
    /// With the turn at which each began to wait.
    waiting: HashMap<Key, (u64, Asked)>,
    turns: VecDeque<(u64, Key)>,
    turn: u64,
}

impl Pairs {
    /// Remembers so many requests.
    pub(crate) fn new(most: usize) -> Self {
        Self {
            most,
            waiting: HashMap::new(),
            turns: VecDeque::new(),
            turn: 0,
        }
    }

    /// A request was sent. One that waits under the same key is forgotten.
    pub(crate) fn asked(&mut self, key: Key, call: Option<&Call>, time: Option<Nanos>) {
        let short = |text: &str| text.chars().take(LONGEST).collect::<String>();
        let asked = Asked {
            call: call.map(|call| Call {
                interface: short(&call.interface),
                group: short(&call.group),
                version: short(&call.version),
                method: short(call.generic_method.as_ref().unwrap_or(&call.method)),
                ..Call::default()
            }),
            time,
        };
        self.turn += 1;
        self.waiting.insert(key, (self.turn, asked));
        self.turns.push_back((self.turn, key));
        while self.turns.len() > self.most {
            let Some((turn, key)) = self.turns.pop_front() else {
                break;
            };
            if self
                .waiting
                .get(&key)
                .is_some_and(|(waits, _)| *waits == turn)
            {
                self.waiting.remove(&key);
            }
        }
    }

    /// A response was sent: the request that it answers, if that was seen.
    pub(crate) fn answered(&mut self, key: Key) -> Option<Asked> {
        self.waiting.remove(&key).map(|(_, asked)| asked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(method: &str) -> Call {
        Call {
            interface: "a.B".into(),
            method: method.into(),
            ..Call::default()
        }
    }

    #[test]
    fn a_response_finds_the_request_of_its_own_connection_and_direction() {
        let mut pairs = Pairs::new(100);
        for (key, method) in [
            ((1, true, 7), "one"),
            ((2, true, 7), "two"),
            ((1, false, 7), "back"),
        ] {
            pairs.asked(key, Some(&call(method)), Some(5));
        }
        let method =
            |asked: Option<Asked>| asked.and_then(|asked| asked.call).map(|call| call.method);
        assert_eq!(method(pairs.answered((2, true, 7))), Some("two".into()));
        assert_eq!(method(pairs.answered((1, false, 7))), Some("back".into()));
        assert_eq!(method(pairs.answered((1, true, 7))), Some("one".into()));
        assert_eq!(pairs.answered((1, true, 7)), None);
    }

    #[test]
    fn the_oldest_are_forgotten() {
        let mut pairs = Pairs::new(10);
        for id in 0..1000 {
            pairs.asked((1, true, id), Some(&call("m")), None);
            // Reuse of an id neither fills the memory nor loses the newer request.
            pairs.asked((1, true, 1_000_000), None, None);
            assert!(pairs.waiting.len() <= 10 && pairs.turns.len() <= 10);
        }
        assert!(pairs.answered((1, true, 999)).is_some());
        assert!(pairs.answered((1, true, 1_000_000)).is_some());
        assert_eq!(pairs.answered((1, true, 1)), None);
    }
}
