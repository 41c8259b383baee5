//! Counting the sequences of validated CESU-8, of which each is one UTF-16 unit.

/// How many sequences begin in `bytes`: bytes that continue none, counted eight at a time.
pub(crate) fn leads(bytes: &[u8]) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let (words, rest) = bytes.as_chunks::<8>();
    // A word adds at most one to each byte of a sum, which so has room for 255 of them.
    let in_words = words.chunks(255).map(|block| {
        let ones = block.iter().map(|word| {
            let word = u64::from_le_bytes(*word);
            (!word >> 7 | word >> 6) & ONES
        });
        let sum: u64 = ones.sum();
        sum.to_le_bytes().map(usize::from).iter().sum::<usize>()
    });
    let in_rest = rest.iter().filter(|byte| is_lead(**byte)).count();
    in_words.sum::<usize>() + in_rest
}

const fn is_lead(byte: u8) -> bool {
    byte & 0xc0 != 0x80
}

/// Where the sequence after the first `n` begins.
pub(crate) fn nth_lead(bytes: &[u8], n: usize) -> usize {
    let (mut at, mut left) = (0, n);
    for block in bytes.chunks(512) {
        let leads = leads(block);
        if leads > left {
            let mut places = block.iter().enumerate().filter(|(_, byte)| is_lead(**byte));
            return at + places.nth(left).map_or(block.len(), |(place, _)| place);
        }
        (at, left) = (at + block.len(), left - leads);
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::String;

    #[test]
    fn sequences_are_counted_as_rust_counts_characters() {
        let text: String = "aé中 bc".chars().cycle().take(5000).collect();
        for (count, (at, _)) in text.char_indices().enumerate() {
            assert_eq!(leads(&text.as_bytes()[..at]), count);
            assert_eq!(nth_lead(text.as_bytes(), count), at);
        }
        assert_eq!(nth_lead(text.as_bytes(), 5000), text.len());
    }
}
