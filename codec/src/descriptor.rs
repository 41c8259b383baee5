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

fn count_descriptors(mut rest: &[u8]) -> Option<u32> {
    let mut count = 0;
    while let [first, after @ ..] = rest {
        rest = match first {
            b'L' => behind_semicolon(after)?,
            b'Z' | b'B' | b'C' | b'D' | b'F' | b'I' | b'J' | b'S' => after,
            b'[' if !after.is_empty() => {
                rest = after;
                continue;
            }
            _ => return None,
        };
        count += 1;
    }
    Some(count)
}

/// What comes after the first `;`, looked for eight bytes at a time.
#[inline]
fn behind_semicolon(bytes: &[u8]) -> Option<&[u8]> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let (words, rest) = bytes.as_chunks::<8>();
    for (place, word) in words.iter().enumerate() {
        let zero_where_found = u64::from_le_bytes(*word) ^ (ONES * b';' as u64);
        // The lowest bit is at the first zero byte; those above it may be wrong.
        let found = zero_where_found.wrapping_sub(ONES) & !zero_where_found & (ONES << 7);
        if found != 0 {
            return bytes.get(place * 8 + found.trailing_zeros() as usize / 8 + 1..);
        }
    }
    rest.get(rest.iter().position(|byte| *byte == b';')? + 1..)
}
