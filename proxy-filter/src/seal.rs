//! How the provider's half knows, before the body has come, that nothing was changed.
//!
//! The caller's half hashes what it sends that may be written back, under a key that this process
//! alone has, and binds that to the frame's head. The provider's half of the same process hashes what
//! it gets. If both agree, the frame passes as it is, and need not even be gathered. A seal of another
//! process, or one that was made up, does not fit: then the frame itself is asked.
//!
//! This file owns the hashing. It must not know which headers take part.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::sync::OnceLock;

use dubbo_codec::FrameHead;

/// Makes and checks seals, for one set of options.
#[derive(Clone, Debug)]
pub(crate) struct Sealer {
    key: RandomState,
    /// What options a seal was made under: with others, other headers are made of the same frame.
    options: u64,
}

/// All headers that take part, in any order.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sum(u64);

/// What a seal says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Ours, and all headers are as they were made.
    Untouched,
    /// Ours, and the headers are others. `whole` says that all attachments of the list were among
    /// them, so that one which is missing was taken away.
    Changed { whole: bool },
    /// None, or not ours.
    Foreign,
}

impl Sealer {
    /// The sealer of this process for these options.
    pub(crate) fn of_process(options: impl std::hash::Hash) -> Self {
        static KEY: OnceLock<RandomState> = OnceLock::new();
        Self::with_key(KEY.get_or_init(RandomState::new).clone(), options)
    }

    fn with_key(key: RandomState, options: impl std::hash::Hash) -> Self {
        let options = key.hash_one(options);
        Self { key, options }
    }

    /// One more header.
    pub(crate) fn add(&self, sum: &mut Sum, name: &[u8], value: &[u8]) {
        let lengths = (name.len() as u64) << 32 | value.len() as u64;
        let hash = self.hash(&[&lengths.to_ne_bytes(), name, value]);
        sum.0 = sum.0.wrapping_add(hash);
    }

    /// The seal of a frame with this head and these headers, in hex.
    pub(crate) fn seal(&self, head: &FrameHead, whole: bool, sum: Sum) -> [u8; 32] {
        let origin = self.origin(head, whole);
        let mut seal = [0; 32];
        seal[..16].copy_from_slice(&hex(origin));
        seal[16..].copy_from_slice(&hex(self.binding(origin, sum)));
        seal
    }

    /// What `seal` says of a frame with this head and these headers.
    pub(crate) fn verdict(&self, seal: Option<&[u8]>, head: &FrameHead, sum: Sum) -> Verdict {
        let Some((theirs, rest)) = seal.and_then(|seal| seal.split_at_checked(16)) else {
            return Verdict::Foreign;
        };
        for whole in [true, false] {
            let origin = self.origin(head, whole);
            if theirs == hex(origin) {
                return match rest == hex(self.binding(origin, sum)) {
                    true => Verdict::Untouched,
                    false => Verdict::Changed { whole },
                };
            }
        }
        Verdict::Foreign
    }

    fn binding(&self, origin: u64, sum: Sum) -> u64 {
        self.hash(&[&origin.to_ne_bytes(), &sum.0.to_ne_bytes()])
    }

    fn origin(&self, head: &FrameHead, whole: bool) -> u64 {
        let options = self.options.to_ne_bytes();
        self.hash(&[&options, &[whole.into()], &head.to_bytes()])
    }

    /// The hash of all parts in a row. They are put together first where that is cheap: the hasher's
    /// work for a part is mostly independent of its length.
    fn hash(&self, parts: &[&[u8]]) -> u64 {
        let mut hasher = self.key.build_hasher();
        let (mut row, mut len) = ([0; 128], 0);
        for part in parts {
            match row.get_mut(len..len + part.len()) {
                Some(place) => {
                    place.copy_from_slice(part);
                    len += part.len();
                }
                None => {
                    hasher.write(&row[..len]);
                    hasher.write(part);
                    len = 0;
                }
            }
        }
        hasher.write(&row[..len]);
        hasher.finish()
    }
}

fn hex(number: u64) -> [u8; 16] {
    let mut digits = [0; 16];
    for (pair, byte) in digits.chunks_exact_mut(2).zip(number.to_be_bytes()) {
        let digit = |nibble: u8| b"0123456789abcdef"[usize::from(nibble & 0xf)];
        pair.copy_from_slice(&[digit(byte >> 4), digit(byte)]);
    }
    digits
}

/// Of one process, so the options alone differ.
impl PartialEq for Sealer {
    fn eq(&self, other: &Self) -> bool {
        self.options == other.options
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(sealer: &Sealer, headers: &[(&str, &str)]) -> Sum {
        let mut sum = Sum::default();
        for (name, value) in headers {
            sealer.add(&mut sum, name.as_bytes(), value.as_bytes());
        }
        sum
    }

    #[test]
    fn a_seal_fits_its_own_frame_and_headers_only() {
        let head = |id: u8| {
            let bytes = [0xda, 0xbb, 0xc2, 0, 0, 0, 0, 0, 0, 0, 0, id, 0, 0, 0, 9];
            FrameHead::parse(&bytes).unwrap().unwrap()
        };
        let ours = Sealer::with_key(RandomState::new(), 1);
        let (one, other) = (&[("a", "1"), ("b", "2")], &[("a", "1"), ("b", "3")]);
        let swapped = sum(&ours, &[("b", "2"), ("a", "1")]);
        let (one, other) = (sum(&ours, one), sum(&ours, other));
        for whole in [true, false] {
            let seal = ours.seal(&head(1), whole, one);
            let verdict = |head, sum| ours.verdict(Some(&seal[..]), &head, sum);
            assert_eq!(verdict(head(1), one), Verdict::Untouched);
            assert_eq!(verdict(head(1), swapped), Verdict::Untouched);
            assert_eq!(verdict(head(1), other), Verdict::Changed { whole });
            assert_eq!(verdict(head(2), one), Verdict::Foreign);
            let elsewhere = Sealer::with_key(RandomState::new(), 1);
            assert_eq!(
                elsewhere.verdict(Some(&seal[..]), &head(1), one),
                Verdict::Foreign
            );
            let differently = Sealer::with_key(ours.key.clone(), 2);
            assert_eq!(
                differently.verdict(Some(&seal[..]), &head(1), one),
                Verdict::Foreign
            );
        }
        for made_up in [
            None,
            Some(&b""[..]),
            Some(b"0123456789abcdef"),
            Some(&[0xff; 40]),
        ] {
            assert_eq!(ours.verdict(made_up, &head(1), one), Verdict::Foreign);
        }
    }
}
