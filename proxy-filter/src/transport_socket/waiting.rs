//! Bytes on their way to the network.
//!
//! ```text
//! translator ─push─▶ │ out │ waiting │ ─flush─▶ network
//!                    └─ cut off: a provider that is always a little behind never has all of it
//! ```
//! It owns the bytes and what they cost. It must not know what they mean, nor whose the network is.

use std::mem;

use crate::envoy::Io;
use crate::translate::KEPT;

/// What the translator has written and the network has not taken yet.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    bytes: Vec<u8>,
    /// So many of them are out.
    sent: usize,
}

impl Waiting {
    /// Bytes that the network has not taken.
    pub(super) fn len(&self) -> usize {
        self.bytes.len() - self.sent
    }

    /// Takes `bytes` away, to be written behind all others.
    pub(super) fn push(&mut self, bytes: &mut Vec<u8>) {
        if self.bytes.is_empty() {
            mem::swap(&mut self.bytes, bytes);
        } else {
            self.bytes.append(bytes);
        }
        if bytes.capacity() > 4 * KEPT {
            bytes.shrink_to(KEPT);
        }
    }

    /// Writes as much as the network takes. False if the connection is broken.
    pub(super) fn flush(&mut self, mut write: impl FnMut(&[u8]) -> Io) -> bool {
        let alive = loop {
            let Some(rest @ [_, ..]) = self.bytes.get(self.sent..) else {
                break true;
            };
            match write(rest) {
                Io::Done(n) => self.sent += n,
                // Envoy calls the hook of a write when the network takes more.
                Io::Later => break true,
                Io::Ended | Io::Broken => break false,
            }
        };
        self.forget();
        alive
    }

    /// Gives back the memory of what is out, as soon as that is more than what is not: so no byte is moved
    /// but for another that went out.
    fn forget(&mut self) {
        let left = self.len();
        if left == 0 {
            self.bytes.clear();
        } else if self.sent > left.max(KEPT) {
            self.bytes.drain(..self.sent);
        } else {
            return;
        }
        self.sent = 0;
        let enough = left.max(KEPT);
        if self.bytes.capacity() > 4 * enough {
            self.bytes.shrink_to(2 * enough);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A network that takes `room` bytes.
    fn take<'a>(out: &'a mut Vec<u8>, mut room: usize) -> impl FnMut(&[u8]) -> Io + 'a {
        move |bytes| match room.min(bytes.len()) {
            0 => Io::Later,
            n => {
                room -= n;
                out.extend_from_slice(&bytes[..n]);
                Io::Done(n)
            }
        }
    }

    /// It is never empty, and all that was ever pushed does not stay.
    #[test]
    fn a_provider_that_is_always_behind_makes_nothing_grow() {
        let (mut waiting, mut out, mut pushed) = (Waiting::default(), Vec::new(), Vec::new());
        for round in 0..2000_u32 {
            let mut bytes = round.to_be_bytes().repeat(8 * 1024);
            pushed.extend_from_slice(&bytes);
            waiting.push(&mut bytes);
            assert!(bytes.is_empty());
            let room = if waiting.len() > 300_000 {
                60_000
            } else {
                20_000
            };
            assert!(waiting.flush(take(&mut out, room)));
            assert!(waiting.len() > 0);
            assert!(waiting.bytes.capacity() < 2 << 20, "{round}");
        }
        assert!(waiting.flush(take(&mut out, usize::MAX)));
        assert!(out == pushed, "the same bytes in the same order");
        assert_eq!(waiting.len(), 0);
        assert!(waiting.bytes.capacity() <= 4 * KEPT);
    }

    #[test]
    fn a_long_one_leaves_no_memory_behind() {
        let (mut waiting, mut out) = (Waiting::default(), Vec::new());
        let mut first = vec![1; 8 << 20];
        waiting.push(&mut first);
        assert!(waiting.flush(take(&mut out, 5 << 20)));
        assert_eq!(waiting.len(), 3 << 20);
        let mut second = vec![2; 8 << 20];
        waiting.push(&mut second);
        assert!(second.capacity() <= KEPT);
        assert!(waiting.flush(take(&mut out, usize::MAX)));
        assert_eq!((waiting.len(), out.len()), (0, 16 << 20));
        assert!(waiting.bytes.capacity() <= 4 * KEPT);
    }

    #[test]
    fn a_broken_network_is_told() {
        for io in [Io::Broken, Io::Ended] {
            let mut waiting = Waiting::default();
            waiting.push(&mut b"call".to_vec());
            assert!(!waiting.flush(|_| io));
            assert_eq!(waiting.len(), 4);
        }
    }
}
