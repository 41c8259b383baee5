//! Room for bodies that are longer than a stream's first window: which of them may send how much more.
//!
//! ```text
//! came ──> │ has come │ may come: as much as has come, FIRST to MOST │ may not come yet │ length
//!                      └─ next(): more of it, while all of them can still end
//! ```
//! A body gets its credit in steps, as its bytes come: who stops in the middle keeps what it has sent and
//! one step, and who stops at the beginning nothing that others could use. The sum of what was given is
//! bounded. It is given so that those that have begun can always end one after the other, the one that
//! needs least first: nothing ever waits but for bytes of a peer. Those come too slowly where less than a
//! first window has come in [`STALLED`]; then, and only if somebody needs the room, the body that holds
//! most of it is to be given up.

use std::cmp::Reverse;

use super::Millis;
use crate::http2::{INITIAL_WINDOW, StreamKey};

/// How long a peer may bring nothing, or take nothing, while others wait for its room, in milliseconds.
pub(crate) const STALLED: Millis = 5000;

/// What a stream may bring without being given credit: its first window, in bytes.
const FIRST: usize = INITIAL_WINDOW as usize;
/// What may be on its way of one body at most.
const MOST: usize = 512 * 1024;

/// The bodies of a connection that are longer than a first window.
#[derive(Debug)]
pub(crate) struct Credit {
    /// What may be given beyond first windows: `least`, or what the longest body needs.
    limit: usize,
    least: usize,
    given: usize,
    /// Those that need least come first, and of equals who has sent most; as of the last change.
    bodies: Vec<Body>,
    /// Something has changed since nobody could be given more.
    changed: bool,
}

#[derive(Debug)]
struct Body {
    stream: StreamKey,
    /// Bytes that have come.
    came: usize,
    /// Bytes that may come, those that came with them, the first window too.
    may: usize,
    length: usize,
    /// When a whole first window had come last, or it could send again; and what had come then.
    since: Millis,
    mark: usize,
}

impl Body {
    const fn held(&self) -> usize {
        self.may - FIRST
    }

    const fn need(&self) -> usize {
        self.length - self.may
    }

    /// What it would be given now, were there room.
    fn wants(&self) -> usize {
        let window = self.came.clamp(FIRST, MOST);
        let open = self.may.saturating_sub(self.came);
        match open <= window / 2 {
            true => self.need().min(window - open),
            false => 0,
        }
    }

    /// It can send nothing.
    const fn waits(&self) -> bool {
        self.came >= self.may
    }

    /// It could send, and holds room.
    const fn is_in_the_way(&self) -> bool {
        !self.waits() && self.held() > 0
    }
}

impl Credit {
    /// For bodies that may have `limit` bytes together beyond their first windows; one that is longer
    /// has what it needs.
    pub(crate) const fn new(limit: usize) -> Self {
        Self {
            limit,
            least: limit,
            given: 0,
            bodies: Vec::new(),
            changed: false,
        }
    }

    /// A body is `length` bytes long, of which `came` have come. Nothing is noted of short ones.
    pub(crate) fn begin(&mut self, stream: StreamKey, length: usize, came: usize, now: Millis) {
        if length <= FIRST {
            return;
        }
        self.limit = self.limit.max(length - FIRST);
        self.bodies.push(Body {
            stream,
            came,
            may: FIRST,
            length,
            since: now,
            mark: came,
        });
        self.changed = true;
    }

    /// More of a body has come: `came` bytes of it are here.
    pub(crate) fn came(&mut self, stream: StreamKey, came: usize, now: Millis) {
        let Some(body) = self.bodies.iter_mut().find(|body| body.stream == stream) else {
            return;
        };
        body.came = came;
        if came - body.mark >= FIRST {
            (body.mark, body.since) = (came, now);
        }
        self.changed |= body.wants() > 0;
    }

    /// A body is complete, or not wanted any longer.
    pub(crate) fn end(&mut self, stream: StreamKey) {
        let Some(at) = self.bodies.iter().position(|body| body.stream == stream) else {
            return;
        };
        self.given -= self.bodies.remove(at).held();
        self.changed = true;
        if self.bodies.is_empty() {
            self.limit = self.least;
        }
    }

    /// Who may send how much more; to be asked until there is nobody.
    pub(crate) fn next(&mut self, now: Millis) -> Option<(StreamKey, usize)> {
        if !std::mem::take(&mut self.changed) {
            return None;
        }
        self.bodies
            .sort_by_key(|body| (body.need(), Reverse(body.came)));
        let (at, bytes) = self.oldest()?;
        let body = &mut self.bodies[at];
        if body.waits() {
            (body.mark, body.since) = (body.came, now);
        }
        body.may += bytes;
        let stream = body.stream;
        self.given += bytes;
        self.changed = true;
        Some((stream, bytes))
    }

    /// The place of the oldest body that can be given something, and how much.
    ///
    /// In the order of `bodies` each finds what it needs once those before it have ended. What is given to
    /// one is missing to those before it until it ends; for itself and those behind nothing changes.
    fn oldest(&self) -> Option<(usize, usize)> {
        let free = self.limit - self.given;
        let (mut spare, mut ended) = (free, 0);
        let mut best: Option<(usize, usize)> = None;
        for (at, body) in self.bodies.iter().enumerate() {
            let wants = body.wants();
            // Crumbs are worth their frames only to who can do nothing without.
            let enough = match body.waits() {
                true => 1,
                false => wants.min(FIRST / 2),
            };
            if wants > 0
                && spare >= enough
                && best.is_none_or(|(at, _)| self.bodies[at].stream.id() > body.stream.id())
            {
                best = Some((at, wants.min(spare)));
            }
            spare = spare.min((free + ended).saturating_sub(body.need()));
            ended += body.held();
        }
        best
    }

    /// When [`stalled`](Self::stalled) has an answer.
    pub(crate) fn deadline(&self) -> Option<Millis> {
        let someone_waits = self.bodies.iter().any(Body::waits);
        let in_the_way = self.bodies.iter().filter(|body| body.is_in_the_way());
        let earliest = in_the_way.map(|body| body.since.saturating_add(STALLED));
        earliest.filter(|_| someone_waits).min()
    }

    /// Who is to be given up: somebody waits, and of those that bring too little it holds most.
    pub(crate) fn stalled(&self, now: Millis) -> Option<StreamKey> {
        self.deadline().filter(|at| *at <= now)?;
        let in_the_way = self.bodies.iter().filter(|body| body.is_in_the_way());
        let slow = in_the_way.filter(|body| now >= body.since.saturating_add(STALLED));
        slow.max_by_key(|body| body.held()).map(|body| body.stream)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::hpack::HeaderList;
    use crate::http2::{Connection, Limits, Role};

    fn streams(count: usize) -> Vec<StreamKey> {
        let mut client = Connection::new(Role::Client, Limits::default());
        let settings = [0, 0, 0, 4, 0, 0, 0, 0, 0];
        assert_eq!(client.next(&mut &settings[..]), Ok(None));
        let open = |_| client.open(&HeaderList::new(), false).unwrap();
        (0..count).map(open).collect()
    }

    /// A peer's end of a stream.
    struct Peer {
        length: usize,
        sent: usize,
        may: usize,
        /// It sends no more than that.
        stops: usize,
    }

    impl Peer {
        fn is_done(&self) -> bool {
            self.sent == self.length
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// Whoever goes on sending gets all through, in whatever order and pieces, whoever else stops; at
        /// any time no more is given than the limit. Nobody is given up who goes on.
        #[test]
        fn who_goes_on_comes_through(
            bodies in proptest::collection::vec((1..2_000_000_usize, any::<bool>(), any::<u32>()), 1..30),
            turns in proptest::collection::vec((any::<prop::sample::Index>(), 1..300_000_usize), 1..100),
            limit in 100_000..3_000_000_usize,
        ) {
            let keys = streams(bodies.len());
            let mut credit = Credit::new(limit);
            let longest = bodies.iter().map(|(length, ..)| *length).max().unwrap();
            let mut peers: Vec<Peer> = bodies
                .iter()
                .map(|&(length, goes_on, n)| Peer {
                    length,
                    sent: 0,
                    may: FIRST,
                    stops: if goes_on { length } else { n as usize % length },
                })
                .collect();
            for (key, peer) in keys.iter().zip(&peers) {
                credit.begin(*key, peer.length, 0, 0);
            }
            let (mut now, mut gone) = (0, vec![]);
            let mut turns = turns.iter().cycle();
            while !peers.iter().all(|peer| peer.is_done() || peer.stops < peer.length) {
                let (at, most) = turns.next().unwrap();
                let mut moved = false;
                for n in 0..peers.len() {
                    let at = (at.index(peers.len()) + n) % peers.len();
                    let peer = &mut peers[at];
                    let can = peer.stops.min(peer.may).saturating_sub(peer.sent);
                    if can > 0 {
                        peer.sent += can.min(*most);
                        credit.came(keys[at], peer.sent, now);
                        if peer.is_done() {
                            credit.end(keys[at]);
                        }
                        moved = true;
                        break;
                    }
                }
                while let Some((key, bytes)) = credit.next(now) {
                    let at = keys.iter().position(|k| *k == key).unwrap();
                    peers[at].may += bytes;
                    prop_assert!(peers[at].may <= peers[at].length);
                    moved = true;
                }
                prop_assert!(credit.given <= limit.max(longest));
                if !moved {
                    // Only those that stopped are silent now.
                    now = credit.deadline().expect("somebody is in the way");
                    let key = credit.stalled(now).expect("it is to be given up");
                    let at = keys.iter().position(|k| *k == key).unwrap();
                    prop_assert!(peers[at].stops < peers[at].length && !gone.contains(&at));
                    gone.push(at);
                    credit.end(key);
                }
            }
        }
    }

    /// Beginnings of long bodies take nothing from others.
    #[test]
    fn who_sends_little_holds_nothing() {
        let keys = streams(1001);
        let mut credit = Credit::new(200_000);
        for key in &keys[..1000] {
            credit.begin(*key, 8 << 20, FIRST / 2 - 1, 0);
        }
        assert_eq!((credit.next(0), credit.given), (None, 0));
        credit.begin(keys[1000], 250_000, FIRST / 2, 0);
        assert_eq!(credit.next(0), Some((keys[1000], FIRST / 2)));
        credit.came(keys[1000], FIRST, 0);
        assert_eq!(credit.next(0), Some((keys[1000], FIRST / 2)));
    }

    /// A byte now and then is not enough, a first window in time is.
    #[test]
    fn who_brings_too_little_is_given_up_for_others() {
        let keys = streams(2);
        let mut credit = Credit::new(300_000);
        credit.begin(keys[0], 300_000, FIRST / 2, 0);
        while credit.next(0).is_some() {}
        credit.came(keys[0], FIRST + 10, 4999);
        while credit.next(4999).is_some() {}
        // Nobody needs the room.
        assert_eq!((credit.deadline(), credit.stalled(1 << 40)), (None, None));
        let held = credit.given;
        assert!(held > 0);
        credit.begin(keys[1], 350_000, FIRST, 6000);
        while let Some((key, bytes)) = credit.next(6000) {
            assert_eq!(key, keys[1]);
            let came = FIRST + credit.given - held;
            credit.came(key, came, 6000);
            assert!(bytes > 0);
        }
        assert_eq!(credit.deadline(), Some(5000));
        assert_eq!(credit.stalled(6000), Some(keys[0]));
        // It goes on just in time.
        credit.came(keys[0], FIRST / 2 + FIRST, 6000);
        assert_eq!(
            (credit.deadline(), credit.stalled(6000)),
            (Some(11_000), None)
        );
        assert_eq!(credit.stalled(11_000), Some(keys[0]));
    }
}
