//! One direction of a TCP connection: segments in any order to bytes in order.
//!
//! This file owns sequence numbers and must not know what the bytes mean. The first copy of a byte
//! counts; what comes before its turn waits. A hole is given up when it can no longer be filled: its
//! bytes were acknowledged, so the receiver has them and the capture has not; too much waits behind
//! it; or the stream ends.

use std::collections::BTreeMap;

/// What a direction yields, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bit<'a> {
    Data(&'a [u8]),
    /// That many bytes are not in the capture.
    Gap(u64),
}

/// A part of a stream that waits for what comes before it.
#[derive(Debug)]
struct Waiting {
    data: Vec<u8>,
    /// Bytes behind `data` that were sent with it and not captured.
    cut: u32,
}

impl Waiting {
    fn len(&self) -> u64 {
        self.data.len() as u64 + u64::from(self.cut)
    }
}

/// One direction. Positions count from the first byte that was seen.
#[derive(Debug, Default)]
pub(crate) struct Half {
    /// Sequence number of the byte at `at`; `None` before anything was seen.
    next: Option<u32>,
    at: u64,
    waiting: BTreeMap<u64, Waiting>,
    held: usize,
    /// Where the other side's acknowledgements reach.
    acked: u64,
    /// Packets of the connection since the hole at `at` was noticed.
    age: usize,
    /// Where the sender said that it ends.
    fin: Option<u64>,
}

/// Packets of the connection after which a hole whose bytes were acknowledged is given up. Not at
/// once: captures of several queues or of mirrored ports are not quite in order.
const PATIENCE: usize = 8;
/// What may wait behind any hole, in bytes and in segments.
const MOST_HELD: usize = 1024 * 1024;
const MOST_WAITING: usize = 4096;

impl Half {
    /// The sender's first sequence number; its data begin behind it.
    pub(crate) fn begin(&mut self, seq: u32) {
        self.next.get_or_insert_with(|| seq.wrapping_add(1));
    }

    /// Bytes that wait.
    pub(crate) const fn held(&self) -> usize {
        self.held
    }

    /// Everything up to the sender's end was told.
    pub(crate) fn is_over(&self) -> bool {
        self.fin.is_some_and(|fin| self.at >= fin)
    }

    /// Where a sequence number is; negative before the first byte that was seen.
    fn position(&self, seq: u32) -> i64 {
        let ahead = seq.wrapping_sub(self.next.unwrap_or(seq)) as i32;
        self.at.cast_signed() + i64::from(ahead)
    }

    /// A segment: its data, and how many bytes behind them the capture has cut off.
    pub(crate) fn segment(
        &mut self,
        seq: u32,
        data: &[u8],
        cut: u32,
        tell: &mut dyn FnMut(Bit<'_>),
    ) {
        self.next.get_or_insert(seq);
        let start = self.position(seq);
        // What was told already is not told again.
        let old = usize::try_from(self.at.cast_signed() - start).unwrap_or(0);
        let start = u64::try_from(start).unwrap_or(self.at).max(self.at);
        let (data, cut) = match data.get(old..) {
            Some(data) => (data, cut),
            None => (&[][..], cut.saturating_sub((old - data.len()) as u32)),
        };
        if start == self.at {
            self.advance(data, cut, tell);
        } else if data.len() + cut as usize > 0 {
            self.wait(start, data, cut);
        }
        self.drain(tell);
    }

    /// The sender has no more to say behind `seq`.
    pub(crate) fn finish(&mut self, seq: u32) {
        self.next.get_or_insert(seq);
        self.fin = u64::try_from(self.position(seq)).ok();
    }

    /// The other side has everything before `ack`.
    pub(crate) fn acked(&mut self, ack: u32, tell: &mut dyn FnMut(Bit<'_>)) {
        if self.next.is_some() {
            let position = u64::try_from(self.position(ack)).unwrap_or(0);
            self.acked = self.acked.max(position);
            self.drain(tell);
        }
    }

    /// The capture ends, or the connection: nothing more will come.
    pub(crate) fn end(&mut self, tell: &mut dyn FnMut(Bit<'_>)) {
        while !self.waiting.is_empty() {
            self.give_up(tell);
        }
    }

    fn advance(&mut self, data: &[u8], cut: u32, tell: &mut dyn FnMut(Bit<'_>)) {
        if !data.is_empty() {
            tell(Bit::Data(data));
        }
        if cut > 0 {
            tell(Bit::Gap(u64::from(cut)));
        }
        self.pass(data.len() as u64 + u64::from(cut));
    }

    fn pass(&mut self, bytes: u64) {
        self.at += bytes;
        self.age = 0;
        // Sequence numbers wrap.
        self.next = self.next.map(|next| next.wrapping_add(bytes as u32));
    }

    fn wait(&mut self, start: u64, data: &[u8], cut: u32) {
        let segment = Waiting {
            data: data.to_vec(),
            cut,
        };
        let known = self.waiting.get(&start);
        if known.is_none_or(|known| known.data.len() < data.len()) {
            self.held += data.len();
            let before = self.waiting.insert(start, segment);
            self.held -= before.map_or(0, |before| before.data.len());
        }
    }

    /// Tells what can be told, and gives up holes that will not be filled. Once a packet.
    fn drain(&mut self, tell: &mut dyn FnMut(Bit<'_>)) {
        self.age = match self.waiting.is_empty() {
            true => 0,
            false => self.age + 1,
        };
        loop {
            let Some((start, _)) = self.waiting.first_key_value() else {
                return;
            };
            let is_hole = *start > self.at;
            let is_lost = self.acked >= *start && self.age >= PATIENCE
                || self.held > MOST_HELD
                || self.waiting.len() > MOST_WAITING;
            if is_hole && !is_lost {
                return;
            }
            self.give_up(tell);
        }
    }

    /// Goes on at the first segment that waits, whatever is missing before it.
    fn give_up(&mut self, tell: &mut dyn FnMut(Bit<'_>)) {
        let Some((start, segment)) = self.waiting.pop_first() else {
            return;
        };
        self.held -= segment.data.len();
        self.age = 0;
        if start > self.at {
            let missing = start - self.at;
            tell(Bit::Gap(missing));
            self.pass(missing);
        }
        let old = self.at - start;
        if old < segment.len() {
            let data = usize::try_from(old)
                .ok()
                .and_then(|old| segment.data.get(old..));
            let cut = match data {
                Some(_) => u64::from(segment.cut),
                None => segment.len() - old,
            };
            self.advance(data.unwrap_or_default(), cut as u32, tell);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &[u8] = b"the quick brown fox jumps over the lazy dog";

    #[derive(Default)]
    struct Told(String);

    impl Told {
        fn tell(&mut self) -> impl FnMut(Bit<'_>) {
            |bit| match bit {
                Bit::Data(data) => self.0.push_str(std::str::from_utf8(data).unwrap()),
                Bit::Gap(missing) => self.0.push_str(&format!("[{missing}]")),
            }
        }
    }

    fn part(from: usize, to: usize) -> (u32, &'static [u8]) {
        (0xffff_fff0_u32.wrapping_add(from as u32), &TEXT[from..to])
    }

    fn told(parts: &[(u32, &[u8])]) -> String {
        let (mut half, mut told) = (Half::default(), Told::default());
        half.begin(0xffff_ffef);
        for (seq, data) in parts {
            half.segment(*seq, data, 0, &mut told.tell());
        }
        half.end(&mut told.tell());
        assert_eq!(half.held(), 0);
        told.0
    }

    #[test]
    fn any_order_with_copies_and_overlaps_is_the_stream() {
        let whole = String::from_utf8(TEXT.to_vec()).unwrap();
        let parts = [
            part(0, 9),
            part(9, 20),
            part(15, 31),
            part(20, 43),
            part(4, 12),
        ];
        let mut order: Vec<usize> = (0..parts.len()).collect();
        // All 120 orders, by Heap's algorithm.
        let mut counters = [0; 5];
        let mut orders = 0;
        let mut level = 0;
        loop {
            let shuffled: Vec<_> = order.iter().map(|i| parts[*i]).collect();
            assert_eq!(told(&shuffled), whole, "{order:?}");
            orders += 1;
            while level < 5 && counters[level] >= level {
                counters[level] = 0;
                level += 1;
            }
            if level == 5 {
                break;
            }
            order.swap(if level % 2 == 0 { 0 } else { counters[level] }, level);
            counters[level] += 1;
            level = 0;
        }
        assert_eq!(orders, 120);
    }

    #[test]
    fn a_hole_is_a_gap_when_the_stream_ends() {
        assert_eq!(told(&[part(0, 4), part(10, 16)]), "the [6]brown ");
    }

    #[test]
    fn a_hole_that_was_acknowledged_is_given_up_soon() {
        let (mut half, mut told) = (Half::default(), Told::default());
        half.begin(0xffff_ffef);
        let (seq, data) = part(0, 4);
        half.segment(seq, data, 0, &mut told.tell());
        for at in 10..10 + PATIENCE {
            let (seq, data) = part(at, at + 1);
            half.segment(seq, data, 0, &mut told.tell());
        }
        assert_eq!(told.0, "the ");
        half.acked(part(12, 12).0, &mut told.tell());
        assert_eq!(told.0, "the [6]brown fo");
    }

    #[test]
    fn what_waits_is_bounded() {
        let (mut half, mut told) = (Half::default(), 0);
        half.begin(0);
        let data = [0; 1000];
        for at in 1..10_000_u32 {
            half.segment(at * 1001, &data, 0, &mut |_| told += 1);
            assert!(half.held() <= MOST_HELD + 1000);
        }
        assert!(told > 0);
        for at in (0..100_000).rev() {
            half.segment(20_000_000 + at * 2, b"x", 0, &mut |_| told += 1);
            assert!(half.waiting.len() <= MOST_WAITING + 1);
        }
    }

    #[test]
    fn a_packet_that_was_cut_is_a_gap_at_once() {
        let (mut half, mut told) = (Half::default(), Told::default());
        half.segment(5, b"abc", 4, &mut told.tell());
        half.segment(12, b"xyz", 0, &mut told.tell());
        half.finish(15);
        assert_eq!(told.0, "abc[4]xyz");
        assert!(half.is_over());
    }

    #[test]
    fn a_copy_of_what_was_told_says_nothing() {
        let (mut half, mut told) = (Half::default(), Told::default());
        half.segment(100, b"abcdef", 0, &mut told.tell());
        half.segment(99, b"?", 0, &mut told.tell());
        half.segment(102, b"cd", 0, &mut told.tell());
        half.segment(103, b"defgh", 0, &mut told.tell());
        assert_eq!(told.0, "abcdefgh");
    }
}
