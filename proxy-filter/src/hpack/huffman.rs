//! The Huffman code of RFC 7541, appendix B: decoding alone, since what we write stays in this process.
//!
//! The code is canonical: codes of one length follow each other in the order of their symbols, and a
//! longer code follows a shorter one. So the lengths are the table, and all else is made of them when
//! this crate is compiled.
//!
//! ```text
//! lengths ─> tree of 256 inner nodes ─> for each node and each 4 bits: next node, symbol, verdict
//! ```

/// Length of each symbol's code in bits; the last is the end of string, which must never be sent.
#[rustfmt::skip]
const LENGTHS: [u8; 257] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28,
    28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
    6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6,
    5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
    13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
    7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
    15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5,
    6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
    20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23,
    24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
    22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23,
    21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
    26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25,
    19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
    20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,
    26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
    30,
];

/// No child yet.
const NONE: u16 = u16::MAX;
/// A child that is a leaf has this bit, and its symbol below it.
const LEAF: u16 = 0x8000;
const END_OF_STRING: u16 = LEAF | 256;

/// The tree: 257 leaves make 256 inner nodes, the first is the root.
struct Tree {
    children: [[u16; 2]; 256],
    /// A string may end here: fewer than 8 bits, all ones, after the last symbol (section 5.2).
    may_end: [bool; 256],
}

const fn tree() -> Tree {
    let mut children = [[NONE; 2]; 256];
    let mut nodes = 1;
    let mut code = 0_u32;
    let mut length = 1;
    while length <= 30 {
        code <<= 1;
        let mut symbol = 0;
        while symbol < LENGTHS.len() {
            if LENGTHS[symbol] == length {
                let mut node = 0;
                let mut bit = length - 1;
                while bit > 0 {
                    let side = (code >> bit & 1) as usize;
                    if children[node][side] == NONE {
                        children[node][side] = nodes;
                        nodes += 1;
                    }
                    node = children[node][side] as usize;
                    bit -= 1;
                }
                children[node][(code & 1) as usize] = LEAF | symbol as u16;
                code += 1;
            }
            symbol += 1;
        }
        length += 1;
    }
    let mut may_end = [false; 256];
    let mut node = 0;
    let mut depth = 0;
    while depth < 8 {
        may_end[node] = true;
        node = children[node][1] as usize;
        depth += 1;
    }
    Tree { children, may_end }
}

/// What four bits do at a node.
#[derive(Clone, Copy)]
struct Step {
    next: u8,
    symbol: u8,
    verdict: u8,
}

/// The step completes `symbol`.
const EMIT: u8 = 1;
/// A string may end after the step.
const MAY_END: u8 = 2;
/// The step completes the end of string.
const FAIL: u8 = 4;

static STEPS: [[Step; 16]; 256] = steps();

const fn steps() -> [[Step; 16]; 256] {
    let tree = tree();
    let fail = Step {
        next: 0,
        symbol: 0,
        verdict: FAIL,
    };
    let mut steps = [[fail; 16]; 256];
    let mut node = 0;
    while node < 256 {
        let mut bits = 0;
        while bits < 16 {
            steps[node][bits] = step(&tree, node, bits);
            bits += 1;
        }
        node += 1;
    }
    steps
}

/// At most one symbol is completed, as the shortest code has five bits.
const fn step(tree: &Tree, from: usize, bits: usize) -> Step {
    let mut node = from;
    let (mut symbol, mut verdict) = (0, 0);
    let mut bit = 4;
    while bit > 0 {
        bit -= 1;
        let child = tree.children[node][bits >> bit & 1];
        if child == END_OF_STRING {
            verdict = FAIL;
            node = 0;
        } else if child & LEAF != 0 {
            symbol = child as u8;
            verdict |= EMIT;
            node = 0;
        } else {
            node = child as usize;
        }
    }
    if tree.may_end[node] {
        verdict |= MAY_END;
    }
    Step {
        next: node as u8,
        symbol,
        verdict,
    }
}

/// Appends what `coded` stands for; at most 8/5 of its length. `None` if it holds the end of string
/// or ends with anything but up to seven ones.
pub(super) fn decode(coded: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let mut node = 0;
    let mut last = MAY_END;
    for byte in coded {
        for bits in [byte >> 4, byte & 15] {
            let step = STEPS[usize::from(node)][usize::from(bits)];
            if step.verdict & (EMIT | FAIL) != 0 {
                if step.verdict & FAIL != 0 {
                    return None;
                }
                out.push(step.symbol);
            }
            node = step.next;
            last = step.verdict;
        }
    }
    (last & MAY_END != 0).then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Codes as appendix B has them, by symbol.
    const CODES: [(u16, u32); 14] = [
        (b'0' as u16, 0x0),
        (b't' as u16, 0x9),
        (b' ' as u16, 0x14),
        (b':' as u16, 0x5c),
        (b'&' as u16, 0xf8),
        (b'!' as u16, 0x3f8),
        (b'|' as u16, 0x7fc),
        (b'~' as u16, 0x1ffd),
        (b'<' as u16, 0x7ffc),
        (b'\\' as u16, 0x7fff0),
        (0, 0x1ff8),
        (249, 0xffffffe),
        (22, 0x3ffffffe),
        (256, 0x3fffffff),
    ];

    /// The code of each symbol.
    fn codes() -> Vec<u32> {
        let mut all: Vec<usize> = (0..257).collect();
        all.sort_by_key(|symbol| (LENGTHS[*symbol], *symbol));
        let (mut code, mut length, mut codes) = (0_u32, 0, vec![0; 257]);
        for symbol in all {
            code <<= LENGTHS[symbol] - length;
            length = LENGTHS[symbol];
            codes[symbol] = code;
            code += 1;
        }
        codes
    }

    /// Bits of the symbols, filled up with ones.
    fn encode(codes: &[u32], symbols: &[u16]) -> Vec<u8> {
        let mut bits = vec![];
        for symbol in symbols.iter().map(|symbol| usize::from(*symbol)) {
            bits.extend(
                (0..LENGTHS[symbol])
                    .rev()
                    .map(|bit| codes[symbol] >> bit & 1),
            );
        }
        while bits.len() % 8 != 0 {
            bits.push(1);
        }
        bits.chunks(8)
            .map(|byte| byte.iter().fold(0, |all, bit| all << 1 | *bit as u8))
            .collect()
    }

    fn decoded(coded: &[u8]) -> Option<Vec<u8>> {
        let mut out = vec![];
        decode(coded, &mut out).map(|()| out)
    }

    #[test]
    fn the_code_is_complete_and_that_of_the_appendix() {
        let sum: u64 = LENGTHS.iter().map(|length| 1 << (30 - length)).sum();
        assert_eq!(sum, 1 << 30);
        for (symbol, code) in CODES {
            assert_eq!(codes()[usize::from(symbol)], code, "{symbol}");
        }
    }

    #[test]
    fn every_symbol_and_pair_is_read_back() {
        let codes = codes();
        for a in 0..=255 {
            for b in 0..=255 {
                let expected = vec![a as u8, b as u8];
                assert_eq!(decoded(&encode(&codes, &[a, b])), Some(expected));
            }
        }
        assert_eq!(decoded(&[]), Some(vec![]));
    }

    /// Section 5.2: padding is the most significant bits of the end of string, fewer than 8.
    #[test]
    fn wrong_ends_are_refused() {
        for wrong in [
            &[0xff][..],
            &[0b0000_0111, 0xff],
            &[0b0000_0110],
            &[0b0000_0000],
            &[0xff, 0xff, 0xff, 0xff],
            &encode(&codes(), &[256]),
        ] {
            assert_eq!(decoded(wrong), None, "{wrong:x?}");
        }
    }
}
