//! CESU-8, validated strictly: where so many UTF-16 units end.
//!
//! Whole words of ASCII and of three-byte sequences are taken at a time, and with the feature `simd`
//! whole vectors of anything valid; what no run takes goes by single sequences, which are the
//! definition ([`sequence`]).

use crate::error::ErrorKind;
#[cfg(all(feature = "simd", target_arch = "x86_64"))]
use crate::hessian2::simd::prefix as vectors;

/// Length and units of a prefix of whole sequences, found by vectors: there are none.
#[cfg(not(all(feature = "simd", target_arch = "x86_64")))]
const fn vectors(_: &[u8], _: usize) -> (usize, usize) {
    (0, 0)
}

/// Length in bytes of the `units` UTF-16 units that `bytes` begin with, or the offset and kind of
/// the first error.
pub(crate) fn span(bytes: &[u8], units: usize, four: bool) -> Result<usize, (usize, ErrorKind)> {
    span_with(vectors, bytes, units, four)
}

#[inline(always)]
fn span_with(
    vectors: impl Fn(&[u8], usize) -> (usize, usize),
    bytes: &[u8],
    units: usize,
    four: bool,
) -> Result<usize, (usize, ErrorKind)> {
    let (mut at, mut left) = (0, units);
    while left > 0 {
        let rest = bytes.get(at..).unwrap_or_default();
        let ascii = ascii_run(rest, left);
        (at, left) = (at + ascii, left - ascii);
        let (len, taken) = vectors(bytes.get(at..).unwrap_or_default(), left);
        (at, left) = (at + len, left - taken);
        let wide = wide_run(bytes.get(at..).unwrap_or_default(), left);
        (at, left) = (at + wide * 3, left - wide);
        // What neither run took, up to some units before they are worth another try.
        for _ in 0..left.min(8) {
            at += sequence(bytes.get(at..).unwrap_or_default(), four).map_err(|kind| {
                (
                    if kind == ErrorKind::Truncated {
                        bytes.len()
                    } else {
                        at
                    },
                    kind,
                )
            })?;
            left -= 1;
        }
    }
    Ok(at)
}

/// The first `len` bytes, below 32, if all are ASCII and it can be told with whole loads.
#[inline(always)]
pub(crate) fn short_ascii(rest: &[u8], len: usize) -> Option<&[u8]> {
    /// High bits, then none: 32 bytes from `32 - len` on ask for the high bits of `len` bytes.
    const MASKS: [u8; 64] = {
        let mut masks = [0; 64];
        let mut at = 0;
        while at < 32 {
            masks[at] = 0x80;
            at += 1;
        }
        masks
    };
    let words = rest.first_chunk::<32>()?.as_chunks::<8>().0;
    let masks = MASKS
        .get(32 - (len & 31)..)?
        .first_chunk::<32>()?
        .as_chunks::<8>()
        .0;
    let high = |place: usize| u64::from_le_bytes(words[place]) & u64::from_le_bytes(masks[place]);
    if high(0) | high(1) | high(2) | high(3) == 0 {
        rest.get(..len)
    } else {
        None
    }
}

/// ASCII bytes at the front, in steps of eight, at most `most`.
#[inline]
fn ascii_run(bytes: &[u8], most: usize) -> usize {
    let words = bytes.get(..most).unwrap_or(bytes).as_chunks::<8>().0;
    let is_ascii = |word: &&[u8; 8]| u64::from_ne_bytes(**word) & 0x8080_8080_8080_8080 == 0;
    words.iter().take_while(is_ascii).count() * 8
}

/// Three-byte sequences at the front, in steps of eight, at most `most`. Eight sequences are three
/// words. What is not plainly a run of them, leads `e0` included, is left to [`sequence`].
#[inline]
fn wide_run(bytes: &[u8], most: usize) -> usize {
    let blocks = bytes.as_chunks::<24>().0;
    let blocks = blocks.get(..most / 8).unwrap_or(blocks);
    blocks.iter().take_while(|block| is_wide(block)).count() * 8
}

/// Eight sequences `e1..ef 80..bf 80..bf`.
#[inline]
fn is_wide(block: &[u8; 24]) -> bool {
    // Per word: the fixed bits and their values, and a 1 in each low nibble that is not a lead's.
    const CHECKS: [(u64, u64, u64, u64); 3] = [checks(0), checks(1), checks(2)];
    let mut wrong = 0;
    for (word, (mask, value, nibbles, filler)) in block.as_chunks::<8>().0.iter().zip(CHECKS) {
        let word = u64::from_le_bytes(*word);
        let low = word & nibbles | filler;
        // Bytes that are zero: leads e0, whose second byte has a narrower range.
        let zero = low.wrapping_sub(0x0101_0101_0101_0101) & !low & 0x8080_8080_8080_8080;
        wrong |= (word & mask ^ value) | zero;
    }
    wrong == 0
}

const fn checks(word: usize) -> (u64, u64, u64, u64) {
    let (mut mask, mut value, mut nibbles, mut filler) = (0, 0, 0, 0);
    let mut byte = 0;
    while byte < 8 {
        let shift = byte * 8;
        if (word * 8 + byte).is_multiple_of(3) {
            mask |= 0xf0 << shift;
            value |= 0xe0 << shift;
            nibbles |= 0x0f << shift;
        } else {
            mask |= 0xc0 << shift;
            value |= 0x80 << shift;
            filler |= 0x01 << shift;
        }
        byte += 1;
    }
    (mask, value, nibbles, filler)
}

/// Length of the one sequence at the front: CESU-8 strictly, and four-byte UTF-8 if `four`.
#[inline]
fn sequence(bytes: &[u8], four: bool) -> Result<usize, ErrorKind> {
    let continues = |byte: u8| byte & 0xc0 == 0x80;
    let len = match *bytes {
        [0x00..=0x7f, ..] => return Ok(1),
        [0xc2..=0xdf, second, ..] if continues(second) => return Ok(2),
        [0xe0, 0xa0..=0xbf, third, ..] if continues(third) => return Ok(3),
        [0xe1..=0xef, second, third, ..] if continues(second) && continues(third) => return Ok(3),
        [0xf0, 0x90..=0xbf, c, d, ..] if four && continues(c) && continues(d) => return Ok(4),
        [0xf1..=0xf3, b, c, d, ..] if four && continues(b) && continues(c) && continues(d) => {
            return Ok(4);
        }
        [0xf4, 0x80..=0x8f, c, d, ..] if four && continues(c) && continues(d) => return Ok(4),
        [] => return Err(ErrorKind::Truncated),
        [0xc2..=0xdf, ..] => 2,
        [0xe0..=0xef, ..] => 3,
        [0xf0..=0xf4, ..] if four => 4,
        _ => return Err(ErrorKind::BadText),
    };
    let cut_short = bytes.len() < len && bytes[1..].iter().all(|byte| continues(*byte));
    Err(if cut_short {
        ErrorKind::Truncated
    } else {
        ErrorKind::BadText
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::String;
    use alloc::vec::Vec;

    /// The two fast paths against the definition, at every length and alignment of a change.
    #[test]
    fn runs_agree_with_single_sequences() {
        let slow = |bytes: &[u8], units: usize| {
            (0..units).try_fold(0, |at, _| sequence(&bytes[at..], false).map(|n| at + n))
        };
        for filler in ["a", "é", "中", "\u{e000}", "a中", "\u{800}"] {
            for odd in [
                &b"a"[..],
                b"\xc3\xa9",
                b"\xed\xa0\xbd",
                b"\xe0\xa0\x80",
                b"\xe0\x80\x80",
                b"\x80",
                b"\xf0",
            ] {
                for place in 0..40 {
                    let mut bytes: Vec<u8> = filler.repeat(40).into_bytes();
                    let at = String::from_utf8(bytes.clone())
                        .unwrap()
                        .char_indices()
                        .nth(place)
                        .unwrap()
                        .0;
                    bytes.splice(at..at, odd.iter().copied());
                    for units in 0..=40 {
                        let fast = span(&bytes, units, false);
                        assert_eq!(
                            fast.ok(),
                            slow(&bytes, units).ok(),
                            "{filler} {odd:x?} {place} {units}"
                        );
                    }
                }
            }
        }
    }

    /// Whatever the vectors take, what is found is the same as without them.
    #[cfg(all(feature = "simd", target_arch = "x86_64"))]
    mod with_vectors {
        use super::*;
        use crate::hessian2::simd::kernels;
        use proptest::prelude::*;

        fn agree(bytes: &[u8], units: usize, four: bool) {
            let expected = span_with(|_, _| (0, 0), bytes, units, four);
            assert!(
                kernels().count() > 0,
                "no vectors to test on this processor"
            );
            for (name, kernel) in kernels() {
                let found = span_with(kernel, bytes, units, four);
                assert_eq!(found, expected, "{name} {units} {four} {bytes:x?}");
            }
        }

        /// Cost under Miri, which runs a thousand times slower.
        const FEW: bool = cfg!(miri);

        #[test]
        fn one_change_in_each_lane() {
            let fillers = ["a", "é", "中", "\u{e000}", "ก", "a中é"];
            let changes = [
                0x00, 0x41, 0x80, 0x9f, 0xa0, 0xbf, 0xc1, 0xc3, 0xe0, 0xe4, 0xed, 0xf0, 0xff,
            ];
            for filler in fillers {
                let whole: Vec<u8> = filler.repeat(60).into_bytes();
                for place in (0..whole.len().min(110)).step_by(if FEW { 41 } else { 1 }) {
                    for change in changes {
                        let mut bytes = whole.clone();
                        bytes[place] = change;
                        let units = [59, 200, 30, 40, 60, 61];
                        for units in units.iter().take(if FEW { 2 } else { 6 }) {
                            agree(&bytes, *units, false);
                        }
                        agree(&bytes, 50, true);
                    }
                }
            }
        }

        #[test]
        fn every_length_and_every_cut() {
            for filler in ["a", "é", "中", "a中", "中é中中", "😀"] {
                let mut whole = Vec::new();
                let units = filler.repeat(40).encode_utf16().collect::<Vec<_>>();
                for unit in units.iter().take(if FEW { 50 } else { 120 }) {
                    crate::hessian2::write::push_unit(&mut whole, *unit);
                }
                for cut in (0..=whole.len()).step_by(if FEW { 17 } else { 1 }) {
                    for wanted in [31, 33, 64, units.len()] {
                        agree(&whole[..cut], wanted, false);
                    }
                }
                for wanted in 0..=units.len() {
                    agree(&whole, wanted, false);
                }
            }
        }

        fn sequences() -> impl Strategy<Value = Vec<u8>> {
            let sequence = prop_oneof![
                4 => (0x4e00_u32..0x9fff).prop_map(|c| c as u16),
                2 => (0x20_u32..0x7f).prop_map(|c| c as u16),
                1 => any::<u16>(),
            ];
            prop::collection::vec(sequence, 0..150).prop_map(|units| {
                let mut bytes = Vec::new();
                units
                    .iter()
                    .for_each(|unit| crate::hessian2::write::push_unit(&mut bytes, *unit));
                bytes
            })
        }

        proptest! {
            #![proptest_config(ProptestConfig {
                cases: if FEW { 8 } else { 2000 },
                failure_persistence: None,
                ..ProptestConfig::default()
            })]

            #[test]
            fn valid_text(bytes in sequences(), units in 0_usize..200, four: bool) {
                agree(&bytes, units, four);
            }

            #[test]
            fn mutated_text(
                mut bytes in sequences(),
                changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
                units in 0_usize..200,
                four: bool,
            ) {
                for (place, byte) in changes.iter().filter(|_| !bytes.is_empty()).collect::<Vec<_>>() {
                    let place = place.index(bytes.len());
                    bytes[place] = *byte;
                }
                agree(&bytes, units, four);
            }

            #[test]
            fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200), units in 0_usize..200) {
                agree(&bytes, units, true);
            }
        }
    }
}
