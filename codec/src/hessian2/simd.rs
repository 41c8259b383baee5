//! CESU-8 by vectors: the one file with unsafe code, which is two loads and two calls.
//!
//! Method: "Validating UTF-8 In Less Than One Instruction Per Byte" (Keiser and Lemire, 2020). Three
//! tables, looked up by the halves of a byte and the high half of the next one, each give the set of
//! mistakes that this half may be part of; what all three agree on is a mistake. Changed for CESU-8:
//! surrogates are admitted, four-byte sequences are not.
//!
//! ```text
//! bytes  ....|................|................|..     blocks of a vector's width
//!            units are counted: bytes that continue nothing
//! stop       before a block with a mistake or with more units than are wanted, then back to the
//!            last whole sequence
//! ```
//! So what is found is always a prefix of whole and valid sequences, and how much of it there is
//! decides about speed only: the caller goes on byte by byte and finds the end, or the mistake.

use core::arch::x86_64::*;

/// A function that takes a prefix of at most so many units: its length in bytes, its units.
#[cfg(test)]
type Kernel = fn(&[u8], usize) -> (usize, usize);

/// Below this, setting vectors up does not pay.
const WORTH: usize = 64;

/// A prefix of `bytes`: whole sequences, at most `most` of them.
#[inline]
pub(crate) fn prefix(bytes: &[u8], most: usize) -> (usize, usize) {
    if bytes.len() < WORTH || most < WORTH / 3 {
        return (0, 0);
    }
    if has_avx2() {
        avx2(bytes, most)
    } else if has_ssse3() {
        ssse3(bytes, most)
    } else {
        (0, 0)
    }
}

/// The kernels that this processor has.
#[cfg(test)]
pub(crate) fn kernels() -> impl Iterator<Item = (&'static str, Kernel)> {
    let all: [(&str, bool, Kernel); 2] =
        [("avx2", has_avx2(), avx2), ("ssse3", has_ssse3(), ssse3)];
    all.into_iter()
        .filter(|(_, has, _)| *has)
        .map(|(name, _, kernel)| (name, kernel))
}

#[cfg(feature = "std")]
fn has_avx2() -> bool {
    std::is_x86_feature_detected!("avx2") && std::is_x86_feature_detected!("popcnt")
}

#[cfg(feature = "std")]
fn has_ssse3() -> bool {
    std::is_x86_feature_detected!("ssse3") && std::is_x86_feature_detected!("popcnt")
}

#[cfg(not(feature = "std"))]
const fn has_avx2() -> bool {
    cfg!(all(target_feature = "avx2", target_feature = "popcnt"))
}

#[cfg(not(feature = "std"))]
const fn has_ssse3() -> bool {
    cfg!(all(target_feature = "ssse3", target_feature = "popcnt"))
}

fn avx2(bytes: &[u8], most: usize) -> (usize, usize) {
    assert!(has_avx2(), "this processor has no AVX2");
    // SAFETY: the processor has what the function is compiled for, as was just asked.
    unsafe { with_avx2(bytes, most) }
}

fn ssse3(bytes: &[u8], most: usize) -> (usize, usize) {
    assert!(has_ssse3(), "this processor has no SSSE3");
    // SAFETY: the processor has what the function is compiled for, as was just asked.
    unsafe { with_ssse3(bytes, most) }
}

/// Takes blocks as long as `check` says how many sequences begin in one, and their sum is in bounds.
#[inline(always)]
fn blocks<const N: usize>(
    bytes: &[u8],
    most: usize,
    mut check: impl FnMut(&[u8; N]) -> Option<u32>,
) -> (usize, usize) {
    let (mut len, mut units) = (0, 0);
    for block in bytes.as_chunks::<N>().0 {
        let Some(begun) = check(block) else { break };
        if units + begun as usize > most {
            break;
        }
        (len, units) = (len + N, units + begun as usize);
    }
    // The last sequence may go on behind the last block.
    match bytes.get(..len) {
        Some([.., 0xc0..=0xff]) => (len - 1, units - 1),
        Some([.., 0xe0..=0xff, _]) => (len - 2, units - 1),
        _ => (len, units),
    }
}

#[target_feature(enable = "avx2,popcnt")]
fn with_avx2(bytes: &[u8], most: usize) -> (usize, usize) {
    let table = |table: &[u8; 16]| _mm256_broadcastsi128_si256(load_16(table));
    let (first_high, first_low, second_high) =
        (table(&FIRST_HIGH), table(&FIRST_LOW), table(&SECOND_HIGH));
    let half = _mm256_set1_epi8(0x0f);
    let high = |v| _mm256_and_si256(_mm256_srli_epi16::<4>(v), half);
    let mut before = _mm256_setzero_si256();
    blocks(bytes, most, |block: &[u8; 32]| {
        let here = load_32(block);
        // The same bytes, one and two places later.
        let seam = _mm256_permute2x128_si256::<0x21>(before, here);
        let one = _mm256_alignr_epi8::<15>(here, seam);
        let two = _mm256_alignr_epi8::<14>(here, seam);
        before = here;
        let mistakes = _mm256_and_si256(
            _mm256_and_si256(
                _mm256_shuffle_epi8(first_high, high(one)),
                _mm256_shuffle_epi8(first_low, _mm256_and_si256(one, half)),
            ),
            _mm256_shuffle_epi8(second_high, high(here)),
        );
        // Two places after the lead of three, two continuations in a row are no mistake but a must.
        let third = _mm256_and_si256(
            _mm256_subs_epu8(two, _mm256_set1_epi8(0x60)),
            _mm256_set1_epi8(TWO_CONTINUE as i8),
        );
        let wrong = _mm256_xor_si256(mistakes, third);
        let leads = _mm256_cmpgt_epi8(here, _mm256_set1_epi8(-65));
        let begun = _mm256_movemask_epi8(leads).count_ones();
        (_mm256_testz_si256(wrong, wrong) == 1).then_some(begun)
    })
}

#[target_feature(enable = "ssse3,popcnt")]
fn with_ssse3(bytes: &[u8], most: usize) -> (usize, usize) {
    let (first_high, first_low, second_high) = (
        load_16(&FIRST_HIGH),
        load_16(&FIRST_LOW),
        load_16(&SECOND_HIGH),
    );
    let half = _mm_set1_epi8(0x0f);
    let high = |v| _mm_and_si128(_mm_srli_epi16::<4>(v), half);
    let mut before = _mm_setzero_si128();
    blocks(bytes, most, |block: &[u8; 16]| {
        let here = load_16(block);
        let one = _mm_alignr_epi8::<15>(here, before);
        let two = _mm_alignr_epi8::<14>(here, before);
        before = here;
        let mistakes = _mm_and_si128(
            _mm_and_si128(
                _mm_shuffle_epi8(first_high, high(one)),
                _mm_shuffle_epi8(first_low, _mm_and_si128(one, half)),
            ),
            _mm_shuffle_epi8(second_high, high(here)),
        );
        let third = _mm_and_si128(
            _mm_subs_epu8(two, _mm_set1_epi8(0x60)),
            _mm_set1_epi8(TWO_CONTINUE as i8),
        );
        let wrong = _mm_cmpeq_epi8(mistakes, third);
        let leads = _mm_cmpgt_epi8(here, _mm_set1_epi8(-65));
        let begun = _mm_movemask_epi8(leads).count_ones();
        (_mm_movemask_epi8(wrong) == 0xffff).then_some(begun)
    })
}

#[inline]
fn load_16(bytes: &[u8; 16]) -> __m128i {
    // SAFETY: 16 bytes are there, and this load asks for no alignment.
    unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx")]
fn load_32(bytes: &[u8; 32]) -> __m256i {
    // SAFETY: 32 bytes are there, and this load asks for no alignment.
    unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) }
}

/// A lead, then no continuation.
const TOO_SHORT: u8 = 1 << 0;
/// ASCII, then a continuation.
const TOO_LONG: u8 = 1 << 1;
/// `e0`, then `80..9f`.
const OVERLONG_3: u8 = 1 << 2;
/// `c0` or `c1`, then a continuation.
const OVERLONG_2: u8 = 1 << 3;
/// `f0..ff`, then anything.
const FOUR: u8 = 1 << 4;
/// A continuation, then another one.
const TWO_CONTINUE: u8 = 1 << 7;

/// By the high half of a byte.
const FIRST_HIGH: [u8; 16] = {
    let mut table = [TOO_LONG; 16];
    let mut at = 0x8;
    while at < 0xc {
        table[at] = TWO_CONTINUE;
        at += 1;
    }
    table[0xc] = TOO_SHORT | OVERLONG_2;
    table[0xd] = TOO_SHORT;
    table[0xe] = TOO_SHORT | OVERLONG_3;
    table[0xf] = FOUR;
    table
};

/// By its low half.
const FIRST_LOW: [u8; 16] = {
    let any = TOO_SHORT | TOO_LONG | TWO_CONTINUE | FOUR;
    let mut table = [any; 16];
    table[0] = any | OVERLONG_2 | OVERLONG_3;
    table[1] = any | OVERLONG_2;
    table
};

/// By the high half of the byte after it.
const SECOND_HIGH: [u8; 16] = {
    let continues = TOO_LONG | OVERLONG_2 | TWO_CONTINUE | FOUR;
    let mut table = [TOO_SHORT | FOUR; 16];
    table[0x8] = continues | OVERLONG_3;
    table[0x9] = continues | OVERLONG_3;
    table[0xa] = continues;
    table[0xb] = continues;
    table
};
