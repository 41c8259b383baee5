//! JVM descriptors of parameters, one after the other: `Ljava/lang/String;I[J`.

use crate::text::Text;

/// How many descriptors `types` are (JVM specification, 4.3.2); `None` if they are not whole.
#[inline]
pub(crate) fn count_types(types: Text<'_>) -> Option<u32> {
    match types.utf8_like() {
        Some(bytes) => count_descriptors(bytes),
        None => count_descriptors(types.to_str_lossy().as_bytes()),
    }
}

/// The same of bytes in UTF-8 or anything that agrees with ASCII.
pub(crate) fn count_descriptors(types: &[u8]) -> Option<u32> {
    let (mut at, mut count) = (0, 0);
    while let Some(first) = types.get(at) {
        at += 1;
        match first {
            b'L' => at = semicolon(types, at)? + 1,
            b'Z' | b'B' | b'C' | b'D' | b'F' | b'I' | b'J' | b'S' => {}
            b'[' if at < types.len() => continue,
            _ => return None,
        }
        count += 1;
    }
    Some(count)
}

/// Where the first `;` from `at` on is, looked for eight bytes at a time.
#[inline(always)]
fn semicolon(types: &[u8], mut at: usize) -> Option<usize> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    // A bit in each byte that is one, the lowest in the first; those above that may be wrong.
    let found = |word: u64| {
        let zero_if_found = word ^ (ONES * b';' as u64);
        zero_if_found.wrapping_sub(ONES) & !zero_if_found & (ONES << 7)
    };
    while let Some(word) = types.get(at..)?.first_chunk() {
        match found(u64::from_le_bytes(*word)) {
            0 => at += 8,
            bits => return Some(at + bits.trailing_zeros() as usize / 8),
        }
    }
    match types.last_chunk() {
        // What was looked at before is shifted out.
        Some(last) if at < types.len() => {
            let left = types.len() - at;
            let word = u64::from_le_bytes(*last) >> (64 - 8 * left);
            match found(word) {
                0 => None,
                bits => Some(at + bits.trailing_zeros() as usize / 8),
            }
        }
        _ => Some(at + types.get(at..)?.iter().position(|byte| *byte == b';')?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::String;

    #[test]
    fn classes_of_every_length_in_every_place() {
        for (before, count) in [
            ("", 0),
            ("I", 1),
            ("[[J", 1),
            ("La;", 1),
            ("ZLjava/lang/String;", 2),
        ] {
            for len in 0..40 {
                let name = "a".repeat(len);
                let whole = [before, "L", &name, ";"].concat();
                let types: [(String, Option<u32>); 5] = [
                    (whole.clone(), Some(count + 1)),
                    (whole.clone() + "[Lb;", Some(count + 2)),
                    (whole.clone() + "L", None),
                    (whole.clone() + "[", None),
                    ([before, "L", &name].concat(), None),
                ];
                for (types, expected) in types {
                    assert_eq!(count_types(Text::new(&types)), expected, "{types}");
                }
            }
        }
        assert_eq!(count_types(Text::new("V")), None);
    }
}
